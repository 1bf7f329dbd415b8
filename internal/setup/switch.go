package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"mysql-secret-store-rds/internal/disk"
)

// switchOn makes rds the persisted helper of the Shells that read a file of options. It returns the
// one from before, as JSON; nil for none.
func (in Input) switchOn(g group, st state) (before json.RawMessage, s Step, err error) {
	file := g.file
	s = Step{file: file, What: fmt.Sprintf("set %s to %s in %s", option, helper, file)}
	if g.forVSCode() {
		s.What += ", for MySQL Shell for VS Code"
	}
	if file == "" {
		s.What = fmt.Sprintf("set %s to %s: there is no home for MySQL Shell's options", option, helper)
		s.Needs = fmt.Sprintf("in MySQL Shell: \\option --persist %s %s", option, helper)
		return nil, s, nil
	}
	_, value, _, err := readOptions(file)
	if err != nil {
		return nil, s, err
	}
	if isHelper(value) {
		s.Done = true
		for _, o := range st.Options {
			if o.File == file {
				before = o.Before // and not "rds"
			}
		}
		return before, s, nil
	}
	var changed []byte
	s.note = func(st *state) error {
		for _, sh := range g.shells { // a link may have failed
			if !in.System.hasHelper(sh) {
				return fmt.Errorf("%s has no helper", sh.Path)
			}
		}
		// Somebody may have changed the file while the plan was read.
		text, value, existed, err := readOptions(file)
		if err != nil || isHelper(value) {
			return err
		}
		if changed, err = setMember(text, option, json.RawMessage(`"`+helper+`"`)); err != nil {
			return err
		}
		st.Options = slices.DeleteFunc(st.Options, func(o optionBefore) bool { return o.File == file })
		st.Options = append(st.Options, optionBefore{File: file, Existed: existed, Before: value})
		st.folders(file)
		return nil
	}
	s.do = func(*state) error {
		if changed == nil {
			return nil
		}
		return disk.Edit(file, changed, 0o600)
	}
	return value, s, nil
}

// readOptions returns the Shell's options, the value of the one that matters here, and whether
// there is such a file.
func readOptions(file string) (text []byte, value json.RawMessage, existed bool, err error) {
	text, err = readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, true, fmt.Errorf("read MySQL Shell's options: %w", err)
	}
	if value, err = member(text, option); err != nil {
		return nil, nil, true, fmt.Errorf("MySQL Shell's options, %s: %w", file, err)
	}
	return text, value, true, nil
}

// isHelper reports whether a value is this helper's name, however it is spelled.
func isHelper(value json.RawMessage) bool {
	var name string
	return json.Unmarshal(value, &name) == nil && name == helper
}

// delegateOf is the configuration's word for the helper from before.
func delegateOf(before json.RawMessage) string {
	var name string
	_ = json.Unmarshal(before, &name) // what is no text names no helper
	switch name {
	case "", "default", helper:
		return "default"
	case "<disabled>":
		return "none"
	}
	return name
}

func (in Input) switchBack(o optionBefore) Step {
	was := "nothing"
	if o.Before != nil {
		was = string(o.Before)
	}
	s := Step{What: fmt.Sprintf("set %s back to %s in %s", option, was, o.File)}
	_, value, existed, err := readOptions(o.File)
	switch {
	case err != nil && !absent(err):
		s.Needs = fmt.Sprintf("mend it, and undo again: %v", err)
	case !existed || err != nil:
		s.Done = true
	case !isHelper(value):
		s.What, s.Done = fmt.Sprintf("keep %s in %s: somebody has changed it since", option, o.File), true
	}
	s.do = func(st *state) error {
		text, value, _, err := readOptions(o.File)
		if err != nil || !isHelper(value) { // changed while the plan was read
			return st.undone(o.File, err)
		}
		changed, err := setMember(text, option, o.Before)
		if err != nil {
			return err
		}
		if !o.Existed && isEmpty(changed) {
			err = os.Remove(disk.Follow(o.File))
		} else {
			err = disk.Edit(o.File, changed, 0o600)
		}
		return st.undone(o.File, err)
	}
	return s
}
