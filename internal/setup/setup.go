// Package setup puts the helper beside every MySQL Shell and switches it on, and takes all of that back.
package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"mysql-secret-store-rds/internal/paste"
	"mysql-secret-store-rds/internal/private"
)

// Name is the file beside mysqlsh, by which MySQL Shell finds the helper; helper is what the Shell calls it.
const (
	Name   = "mysql-secret-store-rds"
	helper = "rds"
	// option is the Shell's persisted option.
	option = "credentialStore.helper"
	// EnvHelper makes MySQL Shell pass its persisted option over.
	EnvHelper = "MYSQLSH_CREDENTIAL_STORE_HELPER"
)

// Input is what setup is to put where.
type Input struct {
	System     System
	ConfigFile string
	Starter    func(delegate string) []byte // the configuration that is written where there is none
	// Delegate reads a configuration, and gives the helper that it passes other passwords on to.
	Delegate    func(text []byte) (string, error)
	Schema      []byte            // of the configuration, for editors
	SchemaFile  string            // its name beside the configuration
	Completions map[string]string // by shell: bash, zsh, fish
}

// Step is one thing to do, or one that was done before.
type Step struct {
	What string // in words
	Done bool   // it is so already
	// Needs is what a person has to do instead, a command or a line to write; "" when Apply does it.
	Needs string

	// note says in the state what Undo will have to know, also of what is left to a person. It is kept on disk before do
	// begins, so that nothing is lost when the machine stops in between.
	note func(*state) error
	do   func(*state) error

	gone  bool   // a Shell has no helper after it
	about string // the file that it changes
}

// Plan is what Make or Undo found to do. Nothing has happened yet.
type Plan struct {
	Steps  []Step
	Shells []Shell
	Waits  bool // no Shell has the helper before a person has done what a step needs
	Ready  bool // when Apply is done a Shell asks the helper, from its next start on
	state  state
	file   string // of the state
	old    string // where an earlier setup kept it
	lock   string // the file that keeps others from it
	again  func() (Plan, error)
}

// ErrTemporary is a program that will be gone in a moment.
var ErrTemporary = errors.New("this program is in the folder of a \"go run\", and a link to it would soon lead nowhere")

// begin is a plan without steps yet.
func (in Input) begin(again func(Input) (Plan, error)) (Plan, error) {
	sys := in.System
	p := Plan{
		Shells: sys.Shells(), file: sys.record(), old: stateFile(in.ConfigFile), lock: sys.lockFile(),
		again: func() (Plan, error) { return again(in) },
	}
	if p.file == "" {
		p.file = p.old
	}
	var err error
	p.state, err = readState(p.file, p.old)
	return p, err
}

// Make plans the installation.
func Make(in Input) (Plan, error) {
	if in.System.temporary() {
		return Plan{}, ErrTemporary
	}
	p, err := in.begin(Make)
	if err != nil {
		return Plan{}, err
	}
	placed := false // a Shell has the helper when Apply is done
	for _, sh := range p.Shells {
		s := in.link(p.state, sh.Dir)
		placed = placed || s.Needs == ""
		p.Waits = p.Waits || s.Needs != "" && s.note != nil
		p.Steps = append(p.Steps, s)
	}
	p.Waits = p.Waits && !placed
	before, step, err := in.switchOn(p)
	if err != nil {
		return Plan{}, err
	}
	if !step.Done && !placed && !p.Waits {
		step = Step{What: step.What + ": not while no MySQL Shell has the helper", Needs: "then run again: " + Name + " setup"}
	}
	if len(p.Shells) > 0 { // a Shell that came later would not find the helper that its option names
		p.Steps = append(p.Steps, step)
	}
	p.Ready = placed && step.Needs == ""
	if name := in.System.Getenv(EnvHelper); name != "" {
		if name != helper {
			p.Ready = false
			p.Steps = append(p.Steps, Step{
				What:  fmt.Sprintf("%s is %s here, and wins over the option: take it out of what sets it, too", EnvHelper, name),
				Needs: in.System.unsetByHand(EnvHelper),
			})
		}
		if before == nil { // then it alone named the helper
			if before, err = json.Marshal(name); err != nil {
				return Plan{}, err
			}
		}
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
// all errors. One process at a time does so; what another has done since the plan was made counts as done.
func (p Plan) Apply(tell func(Step, error)) error {
	open := func(s Step) bool { return !s.Done && (s.Needs == "" || s.note != nil) }
	if !slices.ContainsFunc(p.Steps, open) {
		return nil
	}
	todo := p.Steps
	unlock, failed := lock(p.lock)
	if failed == nil {
		defer unlock()
		todo, failed = p.renew()
	}
	var problems []error
	for _, s := range p.Steps {
		if !open(s) {
			continue
		}
		err := failed
		if now := current(s, todo); err == nil && !now.Done {
			if err = errors.New("it has changed meanwhile: run setup again"); (now.Needs == "") == (s.Needs == "") {
				err = p.apply(now)
			}
		}
		if s.Needs == "" {
			tell(s, err)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// patience is how long one setup waits for another.
const patience = 10 * time.Second

// lock keeps other processes from the state, and from all that it stands for.
func lock(file string) (unlock func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	for end := time.Now().Add(patience); ; {
		unlock, err = private.Lock(context.Background(), file, time.Until(end), func() bool { return false })
		switch {
		case err == nil:
			return unlock, nil
		case !errors.Is(err, private.ErrLetGo): // there are file systems without locks
			return func() {}, nil
		case time.Now().After(end):
			return nil, fmt.Errorf("another setup is at work, and holds %s", file)
		}
	}
}

// current gives what there is to do now of a step; nothing when nobody sees to its file any more.
func current(s Step, todo []Step) Step {
	i := slices.IndexFunc(todo, func(now Step) bool { return now.about == s.about })
	if i < 0 {
		return Step{Done: true}
	}
	return todo[i]
}

// renew gives the steps as they are now, which are the plan's own unless another process has been at work since.
func (p *Plan) renew() ([]Step, error) {
	now, err := readState(p.file, p.old)
	if err != nil || reflect.DeepEqual(now, p.state) {
		return p.Steps, err
	}
	again, err := p.again()
	if err != nil {
		return p.Steps, err
	}
	p.state = again.state
	return again.Steps, nil
}

func (p *Plan) apply(s Step) error {
	before := p.state.clone()
	if s.note != nil {
		err := s.note(&p.state)
		if err == nil {
			err = writeState(p.file, &p.state)
		}
		if err != nil || s.do == nil {
			return err
		}
	}
	err := s.do(&p.state)
	if err != nil {
		before.Dirs = p.state.Dirs // they may be there
		p.state = before
	}
	return errors.Join(err, writeState(p.file, &p.state))
}

// link puts a link to this program into a Shell's folder, or a copy where there are no links. It mends a link that leads
// nowhere, and replaces what setup put there before, and an older build that is in a folder of the user's own. What is
// somebody else's stays, also when it is this program: on a host with several users it may be the only one that they can use.
func (in Input) link(st state, dir string) Step {
	sys := in.System
	path := sys.helperIn(dir)
	verb := "link"
	if sys.GOOS == "windows" {
		verb = "copy"
	}
	s := Step{What: fmt.Sprintf("%s %s to %s", verb, sys.Binary, path), about: path}
	now, err := os.Lstat(path)
	isLink := err == nil && now.Mode()&fs.ModeSymlink != 0
	to, was := "", ""
	if isLink {
		to, _ = os.Readlink(path)
	}
	barred, none := false, false
	switch {
	case errors.Is(err, fs.ErrNotExist):
		none = true
	case err != nil:
		s.Needs = err.Error()
		return s
	case sys.leadsHere(path):
		s.Done = true
		return s
	case isLink && leadsNowhere(path):
		none = true
		s.What = fmt.Sprintf("mend the link %s: it should lead to %s", path, sys.Binary)
	case isLink && !mayRun(path):
		s.What = fmt.Sprintf("%s leads to %s, which you may not run: neither may MySQL Shell when you use it", path, to)
		barred, was = true, to
	case !mayRun(path):
		s.Needs = fmt.Sprintf("%s is there, and you may not run it: ask whose it is", path)
		return s
	default:
		build := sys.build(path)
		if build == "" {
			s.Needs = fmt.Sprintf("%s is there, and is not this program: look at it, and move it away", path)
			return s
		}
		old := older(build, sys.Version(context.Background(), sys.Binary))
		put, mine := st.standing(path)
		moved := mine && (sys.GOOS == "windows" || put.Link != "" && put.Link != sys.Binary && put.Link != sys.common())
		if !moved && !(old && (mine || ownFolder(path))) {
			s.What, s.Done = fmt.Sprintf("%s leads to %s, another build of this program", path, to), true
			if !isLink {
				s.What = path + " is another build of this program"
			}
			return s
		}
		if s.What = fmt.Sprintf("replace %s, another build of this program", path); isLink {
			s.What = fmt.Sprintf("mend the link %s: it should lead to %s", path, sys.Binary)
		}
		was = to
	}
	target := sys.Binary
	if barred || !sys.Writable(dir) {
		if target, s.Needs = sys.placeByHand(path, barred); target != sys.Binary && !barred {
			s.What = fmt.Sprintf("link %s to %s, as others may not go where %s is", target, path, sys.Binary)
		}
		if none {
			s.What += "; until then that MySQL Shell has no helper"
		}
	}
	entry := written{Path: path, Program: true, Link: target}
	s.note = func(st *state) error {
		if sys.GOOS == "windows" || target == path {
			program, err := os.ReadFile(sys.Binary)
			if err != nil {
				return err
			}
			entry.Link, entry.Sum = "", sum(program)
		}
		// Nobody's link or copy but setup's own tells what was there before it.
		if put, mine := st.standing(path); mine {
			entry.Copy, entry.Was = put.Copy, put.Was
		} else {
			entry.Copy, entry.Was = now != nil && !isLink, was
		}
		st.expect(entry)
		return nil
	}
	if s.Needs != "" {
		return s
	}
	s.do = func(st *state) error {
		if err := sys.place(path, target, sys.GOOS == "windows"); err != nil {
			return err
		}
		st.settle(entry)
		return nil
	}
	return s
}

// switchOn makes rds the Shell's persisted helper. It gives the one from before, as JSON; nil for none.
func (in Input) switchOn(p Plan) (before json.RawMessage, s Step, err error) {
	file := in.System.OptionsFile()
	s.about = file
	s.What = fmt.Sprintf("set %s to %s in %s", option, helper, file)
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
		for _, o := range p.state.Options {
			if o.File == file {
				before = o.Before // and not "rds"
			}
		}
		return before, s, nil
	}
	var changed []byte
	s.note = func(st *state) error {
		if !p.Waits && !p.haveHelper(in.System) {
			return errors.New("no MySQL Shell has the helper")
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
		return replace(file, changed, 0o600)
	}
	return value, s, nil
}

// readOptions gives the Shell's options, the value of the one that matters here, and whether there is such a file.
func readOptions(file string) (text []byte, value json.RawMessage, existed bool, err error) {
	text, err = os.ReadFile(file)
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

// isHelper says whether a value is this helper's name, however it is spelled.
func isHelper(value json.RawMessage) bool {
	var name string
	return json.Unmarshal(value, &name) == nil && name == helper
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

// configuration writes a first configuration, and its schema for editors. One that is there stays as it is, and a person
// learns what is wrong with it, or that it passes over the helper from before.
func (in Input) configuration(st state, delegate string) ([]Step, error) {
	schema := st.fileStep(in.schemaFile(), in.Schema, "write "+in.schemaFile()+", with which editors check the configuration")
	s := Step{What: fmt.Sprintf("write a first %s, with delegate: %s", in.ConfigFile, delegate)}
	text, err := os.ReadFile(in.ConfigFile)
	write := st.fileStep(in.ConfigFile, in.Starter(delegate), s.What)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		return []Step{write, schema}, nil
	}
	s.What = "keep " + in.ConfigFile
	now, err := in.Delegate(text)
	switch {
	case err != nil:
		s.What += ", which can't be used"
		s.Needs = fmt.Sprintf("mend it: %v", err)
	case !write.Done && delegate != "default" && st.wrote(in.ConfigFile, text):
		// The helper has changed, and the configuration hasn't.
		s = write
		s.What = fmt.Sprintf("write %s again, with delegate: %s", in.ConfigFile, delegate)
	case delegate == "default" || in.System.sameDelegate(now, delegate):
		s.Done = true
	case delegate == "none":
		s.What += ": its delegate is " + now + "; MySQL Shell had no helper"
		s.Needs = fmt.Sprintf("write into %s: delegate: none, if it is to stay so", in.ConfigFile)
	default:
		s.What += ": its delegate is " + now + "; MySQL Shell's helper was " + delegate
		s.Needs = fmt.Sprintf("write into %s: delegate: %s, if the passwords kept there are still wanted", in.ConfigFile, delegate)
	}
	return []Step{s, schema}, nil
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
		what := fmt.Sprintf("write the completions for %s, %s", c.shell, c.file)
		s := st.fileStep(c.file, []byte(text), what)
		steps = append(steps, s)
		if c.note != "" && s.What == what { // and not somebody else's
			steps = append(steps, Step{What: "let " + c.shell + " find them", Needs: c.note})
		}
	}
	return steps
}

// Undo plans to take back what Apply did: option, links, files, folders, as far as nobody has changed them since. What it
// can't take back stays noted. A link leads again where it did before setup; one that led nowhere then, or would now, is
// removed.
func Undo(in Input) (Plan, error) {
	p, err := in.begin(Undo)
	if err != nil {
		return Plan{}, err
	}
	// The option first: a helper that isn't called does no harm, an option without a helper does.
	var settled []string // the files whose steps need nothing
	known := map[string]bool{}
	step := func(file string, s Step) {
		known[file], s.about = true, file
		if s.Done {
			settled = append(settled, file)
		}
		p.Steps = append(p.Steps, s)
	}
	for _, o := range p.state.Options {
		step(o.File, in.switchBack(o))
	}
	options := len(p.Steps)
	for i, w := range p.state.Files {
		if known[w.Path] {
			continue // a run that was cut off noted it twice
		}
		if w.Program {
			step(w.Path, in.unlink(w.Path, p.state.Files[i:]))
		} else {
			step(w.Path, p.state.remove(w.Path))
		}
	}
	for _, sh := range p.Shells {
		path := in.System.helperIn(sh.Dir)
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 && !known[path] && in.System.leadsHere(path) {
			step(path, Step{What: "remove " + path + ", which setup has no note of: others may use it", Needs: in.System.removeByHand(path), gone: true})
		}
	}
	if file := in.System.OptionsFile(); !known[file] {
		if _, value, _, err := readOptions(file); err == nil && isHelper(value) && p.leavesNone(in.System) {
			p.Steps = slices.Insert(p.Steps, options, Step{
				What:  fmt.Sprintf("keep %s in %s: setup has no note of what it was before", option, file),
				Needs: `in MySQL Shell: \option --unset --persist ` + option,
			})
		}
	}
	if len(settled) > 0 {
		p.Steps = append(p.Steps, Step{What: "forget what is settled (" + p.file + ")", about: p.file, do: func(st *state) error {
			for _, file := range settled {
				st.forget(file)
			}
			return nil
		}})
	}
	return p, nil
}

// leavesNone says whether a Shell loses its helper, or none has one.
func (p Plan) leavesNone(sys System) bool {
	if slices.ContainsFunc(p.Steps, func(s Step) bool { return s.gone }) {
		return true
	}
	return len(p.Shells) > 0 && !p.haveHelper(sys)
}

// haveHelper says whether a Shell has one now.
func (p Plan) haveHelper(sys System) bool {
	return slices.ContainsFunc(p.Shells, func(sh Shell) bool { return sys.usable(sys.helperIn(sh.Dir)) })
}

// unlink removes a link or, on Windows, a copy of this program. Where setup found a copy that somebody had put there by
// hand, there is one again: of this build, as the older one is gone.
func (in Input) unlink(path string, list []written) Step {
	sys := in.System
	s := Step{What: "remove " + path}
	info, err := os.Lstat(path)
	isLink := err == nil && info.Mode()&fs.ModeSymlink != 0
	ours, wasCopy, was := isLink && sys.leadsHere(path), false, ""
	for _, w := range list {
		if w.Path == path {
			ours = ours || w.stands()
			wasCopy = wasCopy || w.Copy
			if w.Was != "" && !leadsNowhere(from(path, w.Was)) {
				was = w.Was
			}
		}
	}
	switch {
	case absent(err):
		s.Done = true
	case err != nil:
		s.Needs = err.Error()
	case !ours:
		s.What, s.Done = "keep "+path+": it is not what setup put there", true
	case wasCopy && !isLink:
		s.What, s.Done = "keep "+path+": there was a copy of this program before setup", true
	case !isLink && sys.isSelf(path): // a program that runs can't remove itself there
		s.Needs, s.gone = sys.removeByHand(path), true
	case was != "":
		s.What = "lead " + path + " to " + was + " again, as before setup"
		if s.do = func(st *state) error { return st.undone(path, sys.place(path, was, false)) }; !sys.Writable(filepath.Dir(path)) {
			s.Needs = linkByHand(was, path)
		}
	case wasCopy && !sys.Writable(filepath.Dir(path)):
		s.What = "copy " + sys.Binary + " to " + path + ", as there was a copy before setup"
		s.Needs = "sudo install -m 755 " + paste.Word(sys.Binary) + " " + paste.Word(path)
	case wasCopy:
		s.What = "copy " + sys.Binary + " to " + path + ", as there was a copy before setup"
		s.do = func(st *state) error { return st.undone(path, sys.place(path, sys.Binary, true)) }
	case !sys.Writable(filepath.Dir(path)):
		s.Needs, s.gone = sys.removeByHand(path), true
	default:
		s.gone = true
		s.do = func(st *state) error { return st.undone(path, os.Remove(path)) }
	}
	return s
}

// remove removes a file that setup wrote.
func (s state) remove(path string) Step {
	step := Step{What: "remove " + path}
	text, err := os.ReadFile(path)
	switch {
	case absent(err):
		step.Done = true
	case err != nil:
		step.Needs = err.Error()
	case !s.wrote(path, text):
		step.What, step.Done = "keep "+path+": you have changed it", true
	default:
		step.do = func(st *state) error { return st.undone(path, os.Remove(follow(path))) }
	}
	return step
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
			err = os.Remove(follow(o.File))
		} else {
			err = replace(o.File, changed, 0o600)
		}
		return st.undone(o.File, err)
	}
	return s
}

// fileStep is the step of writing a file. One that is there and that setup didn't write, or that somebody has changed
// since, stays as it is.
func (s state) fileStep(path string, text []byte, what string) Step {
	entry := written{Path: path, Sum: sum(text)}
	step := Step{
		What: what, about: path,
		note: func(st *state) error {
			// Somebody may have written it while the plan was read.
			if have, err := os.ReadFile(path); err == nil && !st.wrote(path, have) {
				return fmt.Errorf("%s: somebody else has just written it", path)
			}
			st.folders(path)
			st.expect(entry)
			return nil
		},
		do: func(st *state) error {
			if err := replace(path, text, 0o644); err != nil {
				return err
			}
			st.settle(entry)
			return nil
		},
	}
	have, err := os.ReadFile(path)
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
