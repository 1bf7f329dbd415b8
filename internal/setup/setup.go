// Package setup puts the helper beside every MySQL Shell and switches it on, and takes
// all of that back.
package setup

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
)

const (
	helper = "rds" // is what the Shell calls this program
	// option is the Shell's persisted option.
	option = "credentialStore.helper"
	// EnvHelper makes MySQL Shell pass its persisted option over.
	EnvHelper = "MYSQLSH_CREDENTIAL_STORE_HELPER"
)

// Input is what setup is to put where.
type Input struct {
	System     System
	ConfigFile string
	Completion func(shell string) string // the script for bash, zsh or fish

	// Saved returns the RDS servers for which a helper keeps passwords, as Server URLs, when it is
	// called as these Shells do.
	Saved func(delegate string, shells []Shell) []string
	// Leaves are files that setup didn't write; Purge has Undo take them, too.
	Leaves []Leaf
	Purge  bool
}

// Leaf is what using this program has left on the machine.
type Leaf struct {
	Path, What string
	Remove     func() error
}

// Step is one thing to do, or one that was done before.
type Step struct {
	What string // in words
	Done bool   // it is so already
	// Needs is what a person has to do instead, a command or a line to write; ""
	// when Apply does it.
	Needs string
	Root  bool // Needs is a line for sh, which becomes root by sudo
	Left  bool // Undo leaves it there, and takes it with Purge

	// note says in the state what Undo will have to know, also of what is left to a person. It is
	// kept on disk before do begins, so that nothing is lost when the machine stops in between.
	note func(*state) error
	do   func(*state) error

	works bool   // the Shell has this program for a helper also without it
	gone  bool   // a Shell has no helper after it
	file  string // the file that it changes
}

// Plan is what Make or Undo found to do. Nothing has happened yet.
type Plan struct {
	Steps  []Step
	Shells []Shell
	Waits  bool // a Shell has no helper before root has done what a step needs
	Broken bool // a Shell has no helper though its option names it
	Ready  bool // when Apply is done each Shell asks the helper, from its next start on
	state  state
	file   string // of the state
	old    string // where an earlier setup kept it
	lock   string // the file that keeps others from it; "" when there is no home
	again  func() (Plan, error)
}

// ErrTemporary is a program that will be gone in a moment.
var ErrTemporary = errors.New("this program is in the folder of a \"go run\", and a link to it would soon lead nowhere")

// begin is a plan without steps yet.
func (in Input) begin(again func(Input) (Plan, error)) (Plan, error) {
	sys := in.System
	p := Plan{
		Shells: sys.Shells(),
		old:    filepath.Join(filepath.Dir(in.ConfigFile), stateFile),
		lock:   under(sys.Home, "."+about.Name+"-setup.lock"), // in no folder that setup makes and removes
		again:  func() (Plan, error) { return again(in) },
	}
	p.file = cmp.Or(sys.record(), p.old)
	var err error
	p.state, err = readState(p.file, p.old)
	return p, err
}

// Make plans the installation.
func Make(in Input) (Plan, error) {
	if strings.Contains(filepath.ToSlash(in.System.Binary), "/go-build") { // go run removes it
		return Plan{}, ErrTemporary
	}
	p, err := in.begin(Make)
	if err != nil {
		return Plan{}, err
	}
	placed := map[string]bool{} // the folders of the Shells that have the helper when Apply is done
	for _, sh := range p.Shells {
		s := in.link(p.state, sh)
		placed[sh.Dir] = s.Needs == "" || s.works
		p.Waits = p.Waits || !placed[sh.Dir] && s.note != nil
		p.Steps = append(p.Steps, s)
	}
	was, err := in.options(&p, placed)
	if err != nil {
		return Plan{}, err
	}
	if name := in.System.Getenv(EnvHelper); name != "" {
		if name != helper {
			p.Ready = false
			p.Steps = append(p.Steps, Step{
				What: fmt.Sprintf("%s is %s here, and wins over the option: take it out of what sets it, too",
					EnvHelper, name),
				Needs: in.System.unsetByHand(EnvHelper),
			})
		}
		if was.most == nil { // then it alone named the helper
			was.most, _ = json.Marshal(name) // a string never fails
		}
	}
	config, inForce, err := in.configuration(p.state, was.delegate())
	if err != nil {
		return Plan{}, err
	}
	p.Steps = slices.Concat(p.Steps, config, in.another(was, inForce), in.saved(inForce, p.Shells),
		in.completions(p.state), in.onPath(placed))
	return p, nil
}

// formerly are the Shells' options from before setup, as JSON; nil for none.
type formerly struct {
	most, vscode       json.RawMessage // that most Shells read, and that MySQL Shell for VS Code does
	hasMost, hasVSCode bool            // there are such Shells
}

// delegate is the configuration's word for the helper from before. That of MySQL Shell for VS Code
// counts where it has the only Shell.
func (f formerly) delegate() string {
	if name := delegateOf(f.most); name != "default" || f.hasMost {
		return name
	}
	return delegateOf(f.vscode)
}

// options adds the steps that switch each Shell's option, as soon as all that read the file have
// the helper.
func (in Input) options(p *Plan, placed map[string]bool) (was formerly, err error) {
	groups := in.System.groups(p.Shells)
	p.Ready = len(groups) > 0
	for _, g := range groups {
		before, step, err := in.switchOn(g, p.state)
		if err != nil {
			return formerly{}, err
		}
		if g.forVSCode() {
			was.vscode, was.hasVSCode = before, true
		} else {
			was.most, was.hasMost = before, true
		}
		lacking := slices.DeleteFunc(slices.Clone(g.shells), func(sh Shell) bool { return placed[sh.Dir] })
		switch {
		case len(lacking) > 0 && step.Done:
			p.Broken = true
		case len(lacking) > 0:
			step = in.notYet(g, step, lacking, p.Waits)
		}
		p.Ready = p.Ready && len(lacking) == 0 && step.Needs == ""
		p.Steps = append(append(p.Steps, step), in.unnamed(g, p.Shells)...)
	}
	if !was.hasMost { // a Shell that came later would not find the helper that its option named: it is only read
		was.most, _, err = in.switchOn(group{file: in.System.OptionsFile()}, p.state)
	}
	return was, err
}

// unnamed tells of Shells that a person left out, and that have no helper though they read the
// option.
func (in Input) unnamed(g group, named []Shell) (steps []Step) {
	all := in.System
	all.Named = nil
	for _, sh := range all.Shells() {
		left := !slices.ContainsFunc(named, func(n Shell) bool { return n.Dir == sh.Dir })
		if left && in.System.OptionsOf(sh.Dir) == g.file && !in.System.hasHelper(sh) {
			steps = append(steps, Step{
				What:  sh.Path + " reads that option, too, has no helper, and finds no password then",
				Needs: in.System.call() + " setup",
			})
		}
	}
	return steps
}

// notYet returns the step of switching an option as one that comes later: a Shell whose helper
// isn't there loses its passwords.
func (in Input) notYet(g group, s Step, lacking []Shell, waits bool) Step {
	who, again := "no MySQL Shell has the helper", "then run again: "+about.Name+" setup"
	if len(lacking) < len(g.shells) {
		who = lacking[0].Path + " has no helper"
	}
	if waits {
		again = "then run again, to finish: " + in.System.call() + " setup"
		for _, path := range in.System.Named {
			again += " --shell " + advice.Word(path)
		}
	}
	return Step{What: s.What + ": not while " + who, Needs: again}
}

// another tells of the helper that MySQL Shell for VS Code had, when it is another than the one
// that other passwords are passed on to.
func (in Input) another(was formerly, inForce string) []Step {
	vscode := delegateOf(was.vscode)
	if !was.hasVSCode || vscode == "none" || in.System.delegateName(vscode) == in.System.delegateName(inForce) {
		return nil
	}
	const what = "MySQL Shell for VS Code had the helper %s; saved passwords come from %s now"
	const needs = "write into %s: delegate: %s, if the passwords kept there are wanted rather"
	return []Step{{
		What:  fmt.Sprintf(what, in.System.delegateName(vscode), in.System.delegateName(inForce)),
		Needs: fmt.Sprintf(needs, in.ConfigFile, vscode),
	}}
}

// saved tells of the passwords that a person has saved for RDS servers: they stay in force.
func (in Input) saved(delegate string, shells []Shell) (steps []Step) {
	if in.Saved == nil {
		return nil
	}
	for _, url := range in.Saved(delegate, shells) {
		const what = "keep %s: the password that %s has for it stays in force"
		steps = append(steps, Step{What: fmt.Sprintf(what, url, in.System.delegateName(delegate)), Done: true})
	}
	return steps
}

// Open reports whether there is something that Apply would do.
func (p Plan) Open() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return !s.Done && s.Needs == "" })
}
