package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"mysql-secret-store-rds/internal/disk"
)

// state is what Apply did, for Undo.
type state struct {
	Version int            `json:"version"`
	Options []optionBefore `json:"options,omitempty"`
	Files   []written      `json:"files,omitempty"`
	Dirs    []string       `json:"folders,omitempty"` // that were not there before

	old string // the file that it was read from, when it has to move
}

type optionBefore struct {
	File    string          `json:"file"`
	Existed bool            `json:"existed"`
	Before  json.RawMessage `json:"before,omitempty"` // the value as it stood there; none when there was none
}

// written is a file that setup wrote, or was about to: only what stands there tells. So one path
// may be noted more than once until its step has ended.
type written struct {
	Path    string `json:"path"`
	Sum     string `json:"sha256,omitempty"`
	Link    string `json:"link,omitempty"`    // where it leads, for a link
	Program bool   `json:"program,omitempty"` // it is this program, or a link to it
	Copy    bool   `json:"copy,omitempty"`    // instead of a copy of this program that was there before
	Was     string `json:"was,omitempty"`     // where the link led before, to something that was there
}

// stands reports whether the file is as setup left it.
func (w written) stands() bool {
	if w.Link != "" {
		to, err := os.Readlink(w.Path)
		return err == nil && to == w.Link
	}
	text, err := readProgram(w.Path)
	return err == nil && sum(text) == w.Sum
}

// wrote reports whether a file's text is what setup wrote there.
func (s state) wrote(path string, text []byte) bool {
	return slices.Contains(s.Files, written{Path: path, Sum: sum(text)})
}

// standing returns what setup put into a place, if that is what is there.
func (s state) standing(path string) (put written, mine bool) {
	i := slices.IndexFunc(s.Files, func(w written) bool { return w.Path == path && w.stands() })
	if i < 0 {
		return written{}, false
	}
	return s.Files[i], true
}

// expect notes what is about to stand in a place, beside what setup put there before.
func (s *state) expect(entry written) {
	if !slices.Contains(s.Files, entry) {
		s.Files = append(s.Files, entry)
	}
}

// settled makes an entry the only one of its path unless there is an error, which it returns.
func (s *state) settled(entry written, err error) error {
	if err == nil {
		s.Files = slices.DeleteFunc(s.Files, func(w written) bool { return w.Path == entry.Path })
		s.Files = append(s.Files, entry)
	}
	return err
}

// forget removes what is noted of a file, and what a setup that was killed has left beside it.
func (s *state) forget(file string) {
	_ = os.Remove(disk.EditTemporary(file))
	_ = os.Remove(placing(file))
	s.Files = slices.DeleteFunc(s.Files, func(w written) bool { return w.Path == file })
	s.Options = slices.DeleteFunc(s.Options, func(o optionBefore) bool { return o.File == file })
}

// undone forgets a file unless there is an error, which it returns.
func (s *state) undone(file string, err error) error {
	if err == nil {
		s.forget(file)
	}
	return err
}

// folders notes the folders that will have to be made for a file, the outer ones first.
func (s *state) folders(file string) {
	var missing []string
	for dir := filepath.Dir(disk.Follow(file)); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if !slices.Contains(s.Dirs, dir) {
			missing = append(missing, dir)
		}
	}
	slices.Reverse(missing)
	s.Dirs = append(s.Dirs, missing...)
}

// StateError is a note of what setup did before that can't be read, so that nothing can be taken
// back by it.
type StateError struct {
	File string
	Err  error
}

func (e *StateError) Error() string {
	return fmt.Sprintf("read what setup did before, %s: %v", e.File, e.Err)
}

func (e *StateError) Unwrap() error { return e.Err }

// readState reads what is noted in a file or, when there is none, in the one where
// it was kept before.
func readState(file, before string) (state, error) {
	text, err := readFile(file)
	var s state
	if absent(err) && before != file {
		file, s.old = before, before
		text, err = readFile(file)
	}
	if absent(err) {
		return state{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err == nil && s.Version != 1 {
		err = fmt.Errorf("of version %d, not 1", s.Version)
	}
	if err != nil {
		return state{}, &StateError{file, err}
	}
	return s, nil
}

// writeState keeps the state for Undo. When nothing is left to undo, there is no such file, and the
// folders that setup made go with it, as far as they are empty.
func writeState(file string, s *state) error {
	if len(s.Files)+len(s.Options) == 0 {
		_ = os.Remove(disk.EditTemporary(file))
		for _, f := range []string{file, s.old} {
			if err := os.Remove(f); err != nil && !absent(err) { // of "", too
				return err
			}
		}
		for _, dir := range slices.Backward(s.Dirs) {
			_ = os.Remove(dir) // somebody else's files are in it
		}
		s.Dirs = nil
		return nil
	}
	s.folders(file)
	s.Version = 1
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // "<disabled>" has to come back as it was
	if err := e.Encode(s); err != nil {
		return err
	}
	if err := disk.Edit(file, text.Bytes(), 0o600); err != nil || s.old == "" {
		return err
	}
	err := os.Remove(s.old)
	s.old = ""
	return err
}

func sum(text []byte) string {
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

// absent reports whether an error means that there is no such file.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// from returns what a link at path means by to.
func from(path, to string) string {
	if filepath.IsAbs(to) {
		return to
	}
	return filepath.Join(filepath.Dir(path), to)
}
