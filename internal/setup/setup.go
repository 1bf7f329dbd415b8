// Package setup puts the helper beside every MySQL Shell and switches it on, and takes all of that back.
package setup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/paste"
)

// Name is the file beside mysqlsh, by which MySQL Shell finds the helper; helper is what the Shell calls it.
const (
	Name   = "mysql-secret-store-rds"
	helper = "rds"
	// option is the Shell's persisted option.
	option = "credentialStore.helper"
)

// Input is what setup is to put where.
type Input struct {
	System      System
	ConfigFile  string
	Starter     func(delegate string) []byte // the configuration that is written where there is none
	Schema      []byte                       // of the configuration, for editors
	SchemaFile  string                       // its name beside the configuration
	Completions map[string]string            // by shell: bash, zsh, fish
}

// Step is one thing to do, or one that was done before.
type Step struct {
	What string // in words
	Done bool   // it is so already
	// Needs is what a person has to do instead, a command or a line to write; "" when Apply does it.
	Needs string

	do   func(*state) error
	note func(*state) // what Undo has to know of a step that is left to a person
	last bool         // only when all others went well
}

// Plan is what Make or Undo found to do. Nothing has happened yet.
type Plan struct {
	Steps  []Step
	Shells []Shell
	state  state
	file   string // of the state
}

// ErrTemporary is a program that will be gone in a moment.
var ErrTemporary = errors.New("this program is in the folder of a \"go run\", and a link to it would soon lead nowhere")

// Make plans the installation.
func Make(in Input) (Plan, error) {
	if in.System.temporary() {
		return Plan{}, ErrTemporary
	}
	p := Plan{Shells: in.System.Shells(), file: stateFile(in.ConfigFile)}
	var err error
	if p.state, err = readState(p.file); err != nil {
		return Plan{}, err
	}
	for _, sh := range p.Shells {
		p.Steps = append(p.Steps, in.link(sh.Dir))
	}
	before, step, err := in.switchOn(p.state)
	if err != nil {
		return Plan{}, err
	}
	if len(p.Shells) > 0 { // a Shell that came later would not find the helper that its option names
		p.Steps = append(p.Steps, step)
	}
	delegate := delegateOf(before)
	config, err := in.configuration(p.state, delegate)
	if err != nil {
		return Plan{}, err
	}
	p.Steps = append(p.Steps, config...)
	p.Steps = append(p.Steps, in.completions(p.state)...)
	return p, nil
}

// Open says whether there is something that Apply would do.
func (p Plan) Open() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return !s.Done && s.Needs == "" })
}

// Apply does what is open, tells each step's end, and notes what Undo needs. It goes on after a step that fails, and gives
// all errors.
func (p Plan) Apply(tell func(Step, error)) error {
	var problems []error
	for _, s := range p.Steps {
		if s.note != nil {
			s.note(&p.state)
		}
		if s.Done || s.Needs != "" || s.last && errors.Join(problems...) != nil {
			continue
		}
		err := s.do(&p.state)
		if err == nil {
			err = writeState(p.file, p.state)
		}
		tell(s, err)
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// link puts a link to this program into a Shell's folder, or a copy where there are no links.
func (in Input) link(dir string) Step {
	sys := in.System
	path := filepath.Join(dir, Name+sys.exe())
	verb := "link"
	if sys.GOOS == "windows" {
		verb = "copy"
	}
	s := Step{What: fmt.Sprintf("%s %s to %s", verb, sys.Binary, path)}
	place := func(st *state) error {
		if err := sys.place(path); err != nil {
			return err
		}
		st.Links = add(st.Links, path)
		return nil
	}
	now, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		s.Needs = err.Error()
		return s
	case sys.leadsHere(path):
		s.Done = true
		return s
	case now.Mode()&fs.ModeSymlink != 0:
		s.What = fmt.Sprintf("mend the link %s: it should lead to %s", path, sys.Binary)
	case !strings.HasPrefix(sys.Version(context.Background(), path), Name+" "):
		s.Needs = fmt.Sprintf("%s is there, and is not this program: look at it, and move it away", path)
		return s
	default:
		s.What = fmt.Sprintf("replace %s, another build of this program", path)
	}
	if !sys.Writable(dir) {
		if s.Needs = "sudo ln -sfn " + paste.Word(sys.Binary) + " " + paste.Word(path); sys.GOOS == "windows" {
			s.Needs = "as Administrator: copy " + paste.Word(sys.Binary) + " " + paste.Word(path)
		}
		s.note = func(st *state) { st.Links = add(st.Links, path) }
		return s
	}
	s.do = place
	return s
}

// switchOn makes rds the Shell's persisted helper. It gives the one from before, as JSON; nil for none.
func (in Input) switchOn(st state) (before json.RawMessage, s Step, err error) {
	file := in.System.OptionsFile()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, s, fmt.Errorf("read MySQL Shell's options: %w", err)
	}
	existed := err == nil
	value, err := member(text, option)
	if err != nil {
		return nil, s, fmt.Errorf("MySQL Shell's options, %s: %w", file, err)
	}
	s.What = fmt.Sprintf("set %s to %s in %s", option, helper, file)
	if string(value) == `"`+helper+`"` {
		s.Done = true
		if st.Option != nil {
			value = st.Option.Before // and not "rds"
		} else {
			value = nil
		}
		return value, s, nil
	}
	s.do = func(st *state) error {
		changed, err := setMember(text, option, json.RawMessage(`"`+helper+`"`))
		if err != nil {
			return err
		}
		if err := replace(file, changed, 0o600); err != nil {
			return err
		}
		st.Option = &optionBefore{File: file, Existed: existed, Before: value}
		return nil
	}
	return value, s, nil
}

// delegateOf is the configuration's word for the helper from before.
func delegateOf(before json.RawMessage) string {
	var name string
	if json.Unmarshal(before, &name) != nil {
		return "default"
	}
	switch name {
	case "", "default", helper:
		return "default"
	case "<disabled>":
		return "none"
	}
	return name
}

// configuration writes a first configuration, and its schema for editors.
func (in Input) configuration(st state, delegate string) ([]Step, error) {
	schema := st.fileStep(in.schemaFile(), in.Schema, "write "+in.schemaFile()+", with which editors check the configuration")
	s := Step{What: fmt.Sprintf("write a first %s, with delegate: %s", in.ConfigFile, delegate)}
	text, err := os.ReadFile(in.ConfigFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.do = func(st *state) error { return st.write(in.ConfigFile, in.Starter(delegate)) }
	case err != nil:
		return nil, fmt.Errorf("read configuration: %w", err)
	case delegate == "default" || hasDelegate(text):
		s.What, s.Done = "keep "+in.ConfigFile, true
	default:
		s.What = "keep " + in.ConfigFile + "; MySQL Shell's helper was " + delegate
		s.Needs = fmt.Sprintf("write into %s: delegate: %s", in.ConfigFile, delegate)
	}
	return []Step{s, schema}, nil
}

// hasDelegate says whether a configuration has the top key of that name.
func hasDelegate(text []byte) bool {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("delegate:")) || bytes.HasPrefix(bytes.TrimSpace(line), []byte(`"delegate"`)) {
			return true
		}
	}
	return false
}

func (in Input) schemaFile() string {
	return filepath.Join(filepath.Dir(in.ConfigFile), in.SchemaFile)
}

// completions installs them for the shells that seem to be used.
func (in Input) completions(st state) []Step {
	var steps []Step
	for _, c := range in.System.completions() {
		text, ok := in.Completions[c.shell]
		if !ok {
			continue
		}
		s := st.fileStep(c.file, []byte(text), fmt.Sprintf("write the completions for %s, %s", c.shell, c.file))
		steps = append(steps, s)
		if c.note != "" && !s.Done {
			steps = append(steps, Step{What: "let " + c.shell + " find them", Needs: c.note})
		}
	}
	return steps
}

// Undo plans to take back what Apply did: links, option, files, as far as nobody has changed them since.
func Undo(in Input) (Plan, error) {
	p := Plan{Shells: in.System.Shells(), file: stateFile(in.ConfigFile)}
	var err error
	if p.state, err = readState(p.file); err != nil {
		return Plan{}, err
	}
	for _, path := range p.state.Links {
		p.Steps = append(p.Steps, in.unlink(path))
	}
	if o := p.state.Option; o != nil {
		step, err := in.switchBack(*o)
		if err != nil {
			return Plan{}, err
		}
		p.Steps = append(p.Steps, step)
	}
	for _, f := range p.state.Files {
		s := Step{What: "remove " + f.Path}
		text, err := os.ReadFile(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.Done = true
		case err != nil:
			s.Needs = err.Error()
		case sum(text) != f.Sum:
			s.What, s.Done = "keep "+f.Path+": you have changed it", true
		default:
			s.do = func(*state) error { return os.Remove(f.Path) }
		}
		p.Steps = append(p.Steps, s)
	}
	if len(p.Steps) > 0 {
		p.Steps = append(p.Steps, Step{What: "forget what setup did (" + p.file + ")", last: true, do: func(st *state) error {
			*st = state{}
			return nil
		}})
	}
	return p, nil
}

func (in Input) unlink(path string) Step {
	s := Step{What: "remove " + path}
	info, err := os.Lstat(path)
	to, _ := os.Readlink(path)
	// A link is ours wherever the program has gone since; a copy is only where links aren't to be had.
	ours := err == nil && (filepath.Base(to) == Name || in.System.GOOS == "windows" && info.Mode().IsRegular() && in.System.leadsHere(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Done = true
	case err == nil && !ours && !(info.Mode()&fs.ModeSymlink != 0 && in.System.leadsHere(path)):
		s.What, s.Done = "keep "+path+": it is not what setup put there", true
	case !in.System.Writable(filepath.Dir(path)):
		s.Needs = "sudo rm " + paste.Word(path)
	default:
		s.do = func(*state) error { return os.Remove(path) }
	}
	return s
}

func (in Input) switchBack(o optionBefore) (Step, error) {
	was := "nothing"
	if o.Before != nil {
		was = string(o.Before)
	}
	s := Step{What: fmt.Sprintf("set %s back to %s in %s", option, was, o.File)}
	text, err := os.ReadFile(o.File)
	if errors.Is(err, fs.ErrNotExist) {
		s.Done = true
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read MySQL Shell's options: %w", err)
	}
	value, err := member(text, option)
	if err != nil {
		return s, fmt.Errorf("MySQL Shell's options, %s: %w", o.File, err)
	}
	if string(value) != `"`+helper+`"` {
		s.What, s.Done = fmt.Sprintf("keep %s in %s: somebody has changed it since", option, o.File), true
		return s, nil
	}
	s.do = func(*state) error {
		changed, err := setMember(text, option, o.Before)
		if err != nil {
			return err
		}
		if !o.Existed && isEmpty(changed) {
			return os.Remove(o.File)
		}
		return replace(o.File, changed, 0o600)
	}
	return s, nil
}

// state is what Apply did, for Undo.
type state struct {
	Version int           `json:"version"`
	Links   []string      `json:"links,omitempty"`
	Option  *optionBefore `json:"option,omitempty"`
	Files   []written     `json:"files,omitempty"`
}

type optionBefore struct {
	File    string          `json:"file"`
	Existed bool            `json:"existed"`
	Before  json.RawMessage `json:"before,omitempty"` // the value as it stood there; none when there was none
}

type written struct {
	Path string `json:"path"`
	Sum  string `json:"sha256"`
}

func stateFile(config string) string { return filepath.Join(filepath.Dir(config), "setup.json") }

func readState(file string) (state, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	var s state
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err == nil && s.Version != 1 {
		err = fmt.Errorf("of version %d, not 1", s.Version)
	}
	if err != nil {
		return state{}, fmt.Errorf("read what setup did before, %s: %w", file, err)
	}
	return s, nil
}

func writeState(file string, s state) error {
	if len(s.Links)+len(s.Files) == 0 && s.Option == nil {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	s.Version = 1
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replace(file, append(text, '\n'), 0o600)
}

// fileStep is the step of writing a file. One that is there and that setup didn't write, or that somebody has changed
// since, stays as it is.
func (s state) fileStep(path string, text []byte, what string) Step {
	step := Step{What: what, do: func(s *state) error { return s.write(path, text) }}
	have, err := os.ReadFile(path)
	ours := slices.ContainsFunc(s.Files, func(w written) bool { return w.Path == path && w.Sum == sum(have) })
	switch {
	case err == nil && bytes.Equal(have, text):
		step.Done = true
	case err == nil && !ours:
		step.What, step.Done = "keep "+path+": it is not what setup wrote", true
	}
	return step
}

// write writes a file of ours, and remembers what it was.
func (s *state) write(path string, text []byte) error {
	if err := replace(path, text, 0o644); err != nil {
		return err
	}
	s.Files = slices.DeleteFunc(s.Files, func(w written) bool { return w.Path == path })
	s.Files = append(s.Files, written{path, sum(text)})
	return nil
}

func sum(text []byte) string {
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// replace puts text in place of a file, all of it or nothing. A link stays, and what it leads to is replaced; a file that is
// there keeps its mode.
func replace(path string, text []byte, mode fs.FileMode) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
