package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/disk"
)

// configuration writes a first configuration, and its schema for editors. One that is there stays
// as it is, and a person learns what is wrong with it, or that it passes over
// the helper from before. inForce is the helper that it will pass other passwords on to.
func (in Input) configuration(st state, delegate string) (steps []Step, inForce string, err error) {
	schemaFile := filepath.Join(filepath.Dir(in.ConfigFile), config.SchemaFile)
	schema := st.fileStep(schemaFile, config.Schema(),
		"write "+schemaFile+", with which editors check the configuration")
	s := Step{What: fmt.Sprintf("write a first %s, with delegate: %s", in.ConfigFile, delegate)}
	text, err := readFile(in.ConfigFile)
	write := st.fileStep(in.ConfigFile, config.Starter(delegate), s.What)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, "", fmt.Errorf("read configuration: %w", err)
		}
		return []Step{write, schema}, delegate, nil
	}
	s.What = "keep " + in.ConfigFile
	cfg, err := config.Parse(in.ConfigFile, text)
	if exposed := disk.Guarded(in.ConfigFile); exposed != nil {
		err = exposed
	}
	if err != nil {
		s.What += ", which can't be used"
		s.Needs = fmt.Sprintf("mend it: %v", err)
		return []Step{s, schema}, delegate, nil
	}
	inForce = cfg.Delegate
	switch {
	case !write.Done && delegate != "default" && st.wrote(in.ConfigFile, text):
		// The helper has changed, and the configuration hasn't.
		s, inForce = write, delegate
		s.What = fmt.Sprintf("write %s again, with delegate: %s", in.ConfigFile, delegate)
	case delegate == "default":
		s.Done = true
	case in.System.delegateName(inForce) == in.System.delegateName(delegate):
		s.Done, inForce = true, delegate
	case delegate == "none":
		s.What += ": its delegate is " + inForce + "; MySQL Shell had no helper"
		s.Needs = fmt.Sprintf("write into %s: delegate: none, if it is to stay so", in.ConfigFile)
	default:
		s.What += ": its delegate is " + inForce + "; MySQL Shell's helper was " + delegate
		s.Needs = fmt.Sprintf("write into %s: delegate: %s, if the passwords kept there are still wanted",
			in.ConfigFile, delegate)
	}
	return []Step{s, schema}, inForce, nil
}

// completions installs them for the shells that seem to be used.
func (in Input) completions(st state) []Step {
	var steps []Step
	for _, c := range in.System.completions() {
		what := fmt.Sprintf("write the completions for %s, %s", c.shell, c.file)
		s := st.fileStep(c.file, []byte(in.Completion(c.shell)), what)
		steps = append(steps, s)
		if c.note != "" && s.What == what { // and not somebody else's
			steps = append(steps, Step{What: "let " + c.shell + " find them", Needs: c.note})
		}
	}
	return steps
}

// remove removes a file that setup wrote; with purge also one that somebody has changed since.
func (s state) remove(path string, purge bool) Step {
	step := Step{What: "remove " + path}
	text, err := readFile(path)
	switch {
	case absent(err):
		step.Done = true
	case err != nil:
		step.Needs = err.Error()
	case !s.wrote(path, text) && !purge:
		step.What, step.Done, step.Left = "keep "+path+": you have changed it", true, true
	default:
		step.do = func(st *state) error { return st.undone(path, os.Remove(disk.Follow(path))) }
	}
	return step
}

// fileStep is the step of writing a file. One that is there and that setup didn't write, or that
// somebody has changed since, stays as it is.
func (s state) fileStep(path string, text []byte, what string) Step {
	entry := written{Path: path, Sum: sum(text)}
	step := Step{
		What: what, file: path,
		note: func(st *state) error {
			// Somebody may have written it while the plan was read.
			if have, err := readFile(path); err == nil && !st.wrote(path, have) {
				return fmt.Errorf("%s: somebody else has just written it", path)
			}
			st.folders(path)
			st.expect(entry)
			return nil
		},
		do: func(st *state) error { return st.settled(entry, disk.Edit(path, text, 0o644)) },
	}
	have, err := readFile(path)
	switch {
	case err == nil && bytes.Equal(have, text):
		step.Done = true
	case err != nil && !absent(err):
		step.Needs, step.note = err.Error(), nil
	case err == nil && !s.wrote(path, have):
		step.What, step.Done = "keep "+path+": it is not what setup wrote", true
	}
	return step
}

// A file of settings is never as large as maxSettings; a program may be.
const maxSettings, maxProgram = 8 << 20, 256 << 20

// readFile reads a file of settings that somebody else may have made.
func readFile(path string) ([]byte, error) { return disk.ReadForeign(path, maxSettings) }

// readProgram reads a program, or what is in its place.
func readProgram(path string) ([]byte, error) { return disk.ReadForeign(path, maxProgram) }
