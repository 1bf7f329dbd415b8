// Package setup puts the helper beside every MySQL Shell and switches it on, and takes
// all of that back.
package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"mysql-secret-store-rds/internal/about"
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
	Starter    func(delegate string) []byte // the configuration that is written where there is none
	// Delegate reads a configuration, and returns the helper that it passes other passwords on to.
	Delegate    func(text []byte) (string, error)
	Schema      []byte            // of the configuration, for editors
	SchemaFile  string            // its name beside the configuration
	Completions map[string]string // by shell: bash, zsh, fish
}

// Step is one thing to do, or one that was done before.
type Step struct {
	What string // in words
	Done bool   // it is so already
	// Needs is what a person has to do instead, a command or a line to write; ""
	// when Apply does it.
	Needs string

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
		s := in.link(p.state, sh)
		placed = placed || s.Needs == "" || s.works
		p.Waits = p.Waits || s.Needs != "" && s.note != nil
		p.Steps = append(p.Steps, s)
	}
	p.Waits = p.Waits && !placed
	before, step, err := in.switchOn(p)
	if err != nil {
		return Plan{}, err
	}
	if !step.Done && !placed && !p.Waits {
		step = Step{What: step.What + ": not while no MySQL Shell has the helper",
			Needs: "then run again: " + about.Name + " setup"}
	}
	if len(p.Shells) > 0 { // a Shell that came later would not find the helper that its option names
		p.Steps = append(p.Steps, step)
	}
	p.Ready = placed && step.Needs == ""
	if name := in.System.Getenv(EnvHelper); name != "" {
		if name != helper {
			p.Ready = false
			p.Steps = append(p.Steps, Step{
				What: fmt.Sprintf("%s is %s here, and wins over the option: take it out of what sets it, too",
					EnvHelper, name),
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

// Open reports whether there is something that Apply would do.
func (p Plan) Open() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return !s.Done && s.Needs == "" })
}
