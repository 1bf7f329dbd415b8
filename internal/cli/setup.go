package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/setup"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

type setupFlags struct {
	yes, dryRun, undo, json bool
	shells                  []string
}

func (c *console) setupCommand(root *cobra.Command) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "put the helper beside MySQL Shell and switch it on; --undo takes that back",
		Long: `Finds every MySQL Shell (on PATH, Homebrew's, those in /usr/local, /opt and Program Files), puts a link to this program beside each (a copy
on Windows), and makes it the Shell's persisted helper. The helper that was set before gets the passwords that aren't for RDS. It writes a first
configuration where there is none, and completions for your command line.

It shows what it would do, and asks. What needs root is left to you, as a command to paste. It can be run again at any time, and mends a link that an upgrade
broke. --undo takes back what it did, as far as nobody has changed it since: the helper from before included.

Exit codes: 0 when nothing failed, also when some is left to you; 1 when something failed, or you said no.`,
		Example: "  mysql-secret-store-rds setup --dry-run\n  mysql-secret-store-rds setup --yes\n" +
			"  mysql-secret-store-rds setup --undo",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.setup(cmd.Context(), root, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.yes, "yes", false, "do it without asking")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only show what would be done")
	flags.BoolVar(&f.undo, "undo", false, "take back what setup did")
	flags.BoolVar(&f.json, "json", false, "print what is done as JSON; with --yes or --dry-run")
	flags.StringArrayVar(&f.shells, "shell", nil, shellFlag)
	return cmd
}

func (c *console) setup(ctx context.Context, root *cobra.Command, f setupFlags) error {
	if f.json && !f.yes && !f.dryRun {
		return advice.Problemf("--json asks nothing, and so needs --yes or --dry-run").With(advice.Ours("setup", "--dry-run", "--json"))
	}
	if f.undo && len(f.shells) > 0 {
		return advice.Problemf("--undo takes back everything that setup did; --shell doesn't go with it").With(advice.Ours("setup", "--undo"))
	}
	plan, err := planSetup(root, f)
	var state *setup.StateError
	switch {
	case errors.Is(err, setup.ErrTemporary):
		return advice.Problemf("%v", err).With(advice.Say("put it where it can stay, such as ~/.local/bin, and run it from there"))
	case errors.As(err, &state):
		return advice.Problemf("%v", err).With(advice.Say("mend it; or move it away, and what is there now counts as yours"),
			advice.Run(advice.Words("mv", state.File, state.File+".damaged")))
	case err != nil:
		return err
	}
	if user := os.Getenv("SUDO_USER"); user != "" && user != "root" && os.Geteuid() == 0 {
		warn(c.stderr, fmt.Sprintf("this runs as root, by sudo: the files that it writes in %s will be root's. "+
			"Run it as %s instead; what needs root is printed then", os.Getenv("HOME"), user))
	}
	if len(plan.Shells) == 0 && !f.undo {
		warn(c.stderr, "no MySQL Shell found on PATH or in the usual places: name one with --shell, "+
			"or run setup again when there is one")
	}
	steps := planned(plan)
	if !f.json {
		c.printSteps(steps)
	}
	if !f.dryRun {
		if plan.Open() {
			if err := c.agreed(ctx, f); err != nil {
				return err
			}
		}
		// What is left to a person is noted, too, so that it is known for setup's own later.
		steps = c.apply(plan, steps, f.json)
	}
	if f.json {
		if err := printJSON(c.stdout, steps); err != nil {
			return err
		}
	} else {
		c.afterSetup(plan, steps, f)
	}
	if has(steps, stepFailed) {
		return errSaid
	}
	return nil
}

// planSetup finds out what there is to do.
func planSetup(root *cobra.Command, f setupFlags) (setup.Plan, error) {
	sys, err := here(f.shells)
	if err != nil {
		return setup.Plan{}, err
	}
	in := setup.Input{System: sys, Starter: config.Starter, Schema: config.Schema(), SchemaFile: config.SchemaFile, Completions: map[string]string{}}
	if in.ConfigFile, err = stamp.ConfigPath(); err != nil {
		return setup.Plan{}, err
	}
	in.Delegate = func(text []byte) (string, error) {
		cfg, err := config.Parse(in.ConfigFile, text)
		if err != nil {
			return "", err
		}
		return cfg.Delegate, nil
	}
	for _, shell := range completionShells {
		if in.Completions[shell], err = completionScript(root, shell); err != nil {
			return setup.Plan{}, err
		}
	}
	if f.undo {
		return setup.Undo(in)
	}
	return setup.Make(in)
}

// What became of a step.
const (
	stepThere  = "ok"      // it was so already
	stepOpen   = "to do"   // setup would do it
	stepByHand = "by hand" // only a person can
	stepDone   = "done"
	stepFailed = "failed"
)

// setupStep is a step as setup prints it.
type setupStep struct {
	State string `json:"state"`
	What  string `json:"what"`
	Needs string `json:"needs,omitempty"` // the command to type, or the line to write
	Error string `json:"error,omitempty"`
}

// has reports whether something has become of a step.
func has(steps []setupStep, state string) bool {
	return slices.ContainsFunc(steps, func(s setupStep) bool { return s.State == state })
}

func planned(plan setup.Plan) []setupStep {
	steps := []setupStep{}
	for _, s := range plan.Steps {
		state := stepOpen
		switch {
		case s.Done:
			state = stepThere
		case s.Needs != "":
			state = stepByHand
		}
		steps = append(steps, setupStep{State: state, What: s.What, Needs: s.Needs})
	}
	return steps
}

func (c *console) printSteps(steps []setupStep) {
	for _, s := range steps {
		fmt.Fprintf(c.stdout, "%-7s  %s\n", s.State, term.Visible(s.What))
		if s.Needs != "" {
			fmt.Fprintf(c.stdout, "         %s\n", term.Visible(s.Needs))
		}
	}
}

// agreed asks whether the plan is to be carried out; its error says why it isn't.
func (c *console) agreed(ctx context.Context, f setupFlags) error {
	if f.yes {
		return nil
	}
	again := about.Name + " setup --yes"
	if f.undo {
		again = about.Name + " setup --undo --yes"
	}
	t, err := term.Open()
	if err != nil {
		return advice.Problemf("nothing was changed: there is no terminal to ask on").With(advice.Run(again))
	}
	defer t.Close()
	answer, err := t.Ask(ctx, "\nDo this? [y/N] ")
	if err != nil && !errors.Is(err, term.ErrNoAnswer) {
		return err
	}
	if a := strings.ToLower(answer); a != "y" && a != "yes" {
		return advice.Problemf("nothing was changed")
	}
	return nil
}

// apply carries out the plan, and returns the steps with what became of them.
func (c *console) apply(plan setup.Plan, steps []setupStep, quiet bool) []setupStep {
	at := 0
	err := plan.Apply(func(_ setup.Step, err error) {
		for steps[at].State != stepOpen { // the steps that are open come in order
			at++
		}
		s := &steps[at]
		if s.State = stepDone; err != nil {
			s.State, s.Error = stepFailed, err.Error()
		}
		switch {
		case quiet:
		case err != nil:
			printError(c.stderr, advice.Problemf("%s", s.What+": "+err.Error()))
		default:
			fmt.Fprintf(c.stdout, "%-7s  %s\n", s.State, term.Visible(s.What))
		}
	})
	if err != nil && !has(steps, stepFailed) {
		warn(c.stderr, "what is left to you could not be noted for --undo: "+err.Error())
	}
	return steps
}

// afterSetup says what comes next.
func (c *console) afterSetup(plan setup.Plan, steps []setupStep, f setupFlags) {
	switch {
	case f.undo && len(steps) == 0:
		fmt.Fprintln(c.stdout, "There is nothing to undo: setup has noted nothing, "+
			"and no MySQL Shell that was found has a link to this program.")
	case has(steps, stepOpen): // --dry-run
		fmt.Fprintln(c.stdout, "\nNothing was changed (--dry-run).")
	case has(steps, stepFailed):
	default:
		if has(steps, stepByHand) {
			heading := "Left for you:"
			if plan.Waits {
				heading = "Left for you; until it is done MySQL Shell has no helper, and finds no password:"
			}
			fmt.Fprintln(c.stdout, "\n"+heading)
			for _, s := range steps {
				if s.State == stepByHand {
					fmt.Fprintln(c.stdout, "  "+term.Visible(s.Needs))
				}
			}
		}
		if !plan.Ready {
			return
		}
		fmt.Fprintln(c.stdout, "\nMySQL Shell asks this helper from its next start on.")
		if _, err := knownServers(); err != nil {
			fmt.Fprintf(c.stdout, "Next, find your servers: %s discover\n", about.Name)
		}
	}
}
