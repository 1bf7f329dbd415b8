package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/connect"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/setup"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

type setupFlags struct {
	yes, dryRun, undo, purge, json bool
	shells                         []string
}

func (c *console) setupCommand() *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "put the helper beside MySQL Shell and switch it on; --undo takes that back",
		Long: `Finds every MySQL Shell (on PATH, Homebrew's, those in /usr/local, /opt and Program Files, and that of
MySQL Shell for VS Code), puts a link to this program beside each (a copy on Windows), and makes it the Shell's
persisted helper. The helper that was set before gets the passwords that aren't for RDS, and those that are saved
there for RDS servers stay in force: setup lists them. It writes a first configuration where there is none, and
completions for your command line, and says when this program isn't on PATH.

It shows what it would do, and asks. What needs root it offers to run with sudo; without a terminal, with --yes, or
when you say no it is left to you, as a command to paste. MySQL Shell's option is switched when each Shell that reads
it has the helper, so that a second setup finishes then. It can be run again at any time, and mends a link that an
upgrade broke or moved.

--undo takes back what it did, as far as nobody has changed it since: the helper from before included. It lists what
it leaves (the inventory, the file of authorities, how often each server was used, a configuration that you changed,
the cache); --purge takes that, too.

Exit codes: 0 when nothing failed, also when some is left to you; 1 when something failed, you said no, or a MySQL
Shell has no helper before root has put it there.`,
		Example: "  mysql-secret-store-rds setup --dry-run\n  mysql-secret-store-rds setup --yes\n" +
			"  mysql-secret-store-rds setup --undo --purge",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := setupRun{console: c, setupFlags: f}
			return r.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.yes, "yes", false, "do it without asking")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only show what would be done")
	flags.BoolVar(&f.undo, "undo", false, "take back what setup did")
	flags.BoolVar(&f.purge, "purge", false, "with --undo: take what it would leave, too")
	flags.BoolVar(&f.json, "json", false, "print what is done as JSON; with --yes or --dry-run")
	flags.StringArrayVar(&f.shells, "shell", nil, shellFlag)
	return cmd
}

func (f setupFlags) check() error {
	switch {
	case f.json && !f.yes && !f.dryRun:
		return advice.Problemf("--json asks nothing, and so needs --yes or --dry-run").
			With(advice.Ours("setup", "--dry-run", "--json"))
	case f.undo && len(f.shells) > 0:
		return advice.Problemf("--undo takes back everything that setup did; --shell doesn't go with it").
			With(advice.Ours("setup", "--undo"))
	case f.purge && !f.undo:
		return advice.Problemf("--purge takes what --undo leaves, and goes with it").
			With(advice.Ours("setup", "--undo", "--purge"))
	}
	return nil
}

type setupRun struct {
	*console
	setupFlags
	plan  setup.Plan
	steps []setupStep // those of the plan, with what became of them
	asked bool        // whether to run what root has to do, which was shown then
}

func (r *setupRun) run(ctx context.Context) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	r.warn()
	if !r.json && (!r.yes || r.dryRun) {
		r.print()
	}
	if !r.dryRun {
		if err := r.carryOut(ctx); err != nil {
			return err
		}
	}
	if r.json {
		if err := printJSON(r.stdout, r.steps); err != nil {
			return err
		}
	} else {
		r.after()
	}
	if r.has(stepFailed) || r.plan.Waits && !r.dryRun {
		return errSaid
	}
	return nil
}

func (r *setupRun) read(ctx context.Context) error {
	plan, err := planSetup(ctx, r.setupFlags)
	if errors.Is(err, setup.ErrTemporary) {
		return advice.Problemf("%v", err).
			With(advice.Say("put it where it can stay, such as ~/.local/bin, and run it from there"))
	}
	if state, ok := errors.AsType[*setup.StateError](err); ok {
		return advice.Problemf("%v", err).
			With(advice.Say("mend it; or move it away, and what is there now counts as yours"),
				advice.Run(advice.Words("mv", state.File, state.File+".damaged")))
	}
	r.plan, r.steps = plan, planned(plan)
	return err
}

func (r *setupRun) warn() {
	if user := os.Getenv("SUDO_USER"); user != "" && user != "root" && os.Geteuid() == 0 {
		warn(r.stderr, fmt.Sprintf("this runs as root, by sudo: the files that it writes in %s will be root's. "+
			"Run it as %s instead; what needs root is printed then", os.Getenv("HOME"), user))
	}
	if len(r.plan.Shells) == 0 && !r.undo {
		warn(r.stderr, "no MySQL Shell found on PATH or in the usual places: name one with --shell, "+
			"or run setup again when there is one")
	}
}

// carryOut does what the plan says, and what root has to do if it may.
func (r *setupRun) carryOut(ctx context.Context) error {
	if r.plan.Open() && !r.yes {
		if err := r.agreed(ctx); err != nil {
			return err
		}
	}
	// What is left to a person is noted, too, so that it is known for setup's own later.
	r.apply()
	switch {
	case r.json:
	case r.yes:
		r.print()
	case r.has(stepDone):
		r.line(stepDone, count(len(r.in(stepDone)), "step"))
	}
	if r.yes || r.undo {
		return nil
	}
	return r.offerRoot(ctx)
}

// agreed asks whether the plan is to be carried out; its error says why it isn't.
func (r *setupRun) agreed(ctx context.Context) error {
	again := []string{"setup", "--yes"}
	if r.undo {
		again = []string{"setup", "--undo", "--yes"}
	}
	if r.purge {
		again = append(again, "--purge")
	}
	t, err := term.Open()
	if err != nil {
		return advice.Problemf("nothing was changed: there is no terminal to ask on").With(advice.Ours(again...))
	}
	defer t.Close()
	yes, err := agrees(ctx, t, "\nDo this? [y/N] ")
	if err == nil && !yes {
		fmt.Fprintln(r.stdout, "Nothing was changed.")
		return errSaid
	}
	return err
}

// agrees asks a question whose answer is no unless it is yes.
func agrees(ctx context.Context, t *term.Terminal, question string) (bool, error) {
	answer, err := t.Ask(ctx, question)
	if errors.Is(err, term.ErrNoAnswer) {
		return false, nil
	}
	a := strings.ToLower(answer)
	return a == "y" || a == "yes", err
}

// offerRoot runs what root has to do, when a person at a terminal says so, looks at what came of
// it, and goes on with the Shells that were waiting for it.
func (r *setupRun) offerRoot(ctx context.Context) error {
	var lines []string
	var at []int
	for i, s := range r.plan.Steps {
		if s.Root && !s.Done {
			lines, at = append(lines, s.Needs), append(at, i)
		}
	}
	if len(lines) == 0 || ctx.Err() != nil || !setup.Sudo() {
		return nil
	}
	t, err := term.Open()
	if err != nil {
		return nil // so that it is left to the person
	}
	defer t.Close()
	r.asked = true
	question := "\nThis takes root:\n"
	for _, line := range lines {
		question += "  " + term.Visible(line) + "\n"
	}
	yes, err := agrees(ctx, t, question+"Run it now? [y/N] ")
	if err != nil || !yes {
		return err
	}
	in, out := t.Files()
	for _, line := range lines {
		if err := setup.AsRoot(line, in, out); err != nil {
			printError(r.stderr, advice.Problemf("%s: %v", line, err))
		}
	}
	if err := r.read(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	for _, i := range at { // the Shells come first, in the order in which they are found
		if i < len(r.steps) && r.steps[i].State == stepThere {
			r.line(stepDone, r.steps[i].What)
		}
	}
	r.apply()
	for _, s := range r.in(stepDone) {
		r.line(stepDone, s.What)
	}
	return nil
}

// apply carries out the plan, and notes what became of its steps.
func (r *setupRun) apply() {
	err := r.plan.Apply(func(step int, err error) {
		s := &r.steps[step]
		if s.State = stepDone; err != nil {
			s.State, s.Error = stepFailed, err.Error()
			if !r.json {
				printError(r.stderr, advice.Problemf("%s: %v", s.What, err))
			}
		}
	})
	if err != nil && !r.has(stepFailed) {
		warn(r.stderr, "what is left to you could not be noted for --undo: "+err.Error())
	}
}

func planSetup(ctx context.Context, f setupFlags) (setup.Plan, error) {
	sys, err := here(f.shells)
	if err != nil {
		return setup.Plan{}, err
	}
	in := setup.Input{System: sys, Completion: completionScript}
	if in.ConfigFile, err = stamp.ConfigPath(); err != nil {
		return setup.Plan{}, err
	}
	if f.undo {
		in.Purge, in.Leaves = f.purge, leaves(in.ConfigFile)
		return setup.Undo(in)
	}
	in.Saved = savedServers(ctx)
	return setup.Make(in)
}

// leaves returns what using this program leaves: what has no place has left nothing.
func leaves(configFile string) (list []setup.Leaf) {
	add := func(path string, err error, what string) {
		if err == nil {
			list = append(list, setup.Leaf{Path: path, What: what, Remove: func() error { return os.Remove(path) }})
		}
	}
	path, err := inventory.Path()
	add(path, err, "the servers that discover found")
	path, err = cabundle.Path()
	add(path, err, "Amazon's certificate authorities")
	for _, path := range cabundle.AllKept() {
		add(path, nil, "certificate authorities that were fetched")
	}
	path, err = connect.UsesPath()
	add(path, err, "the servers that you connected to")
	add(configFile, nil, "your configuration")
	add(filepath.Join(filepath.Dir(configFile), config.SchemaFile), nil, "the schema of the configuration")
	if store, err := cache.Open(); err == nil && store.Holds() {
		const what = "the tokens and credentials that are kept"
		list = append(list, setup.Leaf{Path: store.Dir(), What: what, Remove: store.Purge})
	}
	return list
}
