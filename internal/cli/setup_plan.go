package cli

import (
	"fmt"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/setup"
	"mysql-secret-store-rds/internal/term"
)

// What became of a step.
const (
	stepThere  = "ok"      // it was so already
	stepOpen   = "to do"   // setup would do it
	stepByHand = "by hand" // only a person can
	stepDone   = "done"
	stepFailed = "failed"
	stepLeft   = "left" // undo leaves it
)

// setupStep is a step as setup prints it.
type setupStep struct {
	State string `json:"state"`
	What  string `json:"what"`
	Needs string `json:"needs,omitempty"` // the command to type, or the line to write
	Error string `json:"error,omitempty"`
}

// in returns the steps of which that has become.
func (r *setupRun) in(states ...string) []setupStep {
	return slices.DeleteFunc(slices.Clone(r.steps), func(s setupStep) bool { return !slices.Contains(states, s.State) })
}

// has reports whether it has become of any step.
func (r *setupRun) has(states ...string) bool { return len(r.in(states...)) > 0 }

func planned(plan setup.Plan) []setupStep {
	steps := []setupStep{}
	for _, s := range plan.Steps {
		state := stepOpen
		switch {
		case s.Left:
			state = stepLeft
		case s.Done:
			state = stepThere
		case s.Needs != "":
			state = stepByHand
		}
		steps = append(steps, setupStep{State: state, What: s.What, Needs: s.Needs})
	}
	return steps
}

// print prints the steps, each with what it needs unless that comes at the end.
func (r *setupRun) print() {
	for _, s := range r.steps {
		if s.State == stepFailed {
			continue // it has been said
		}
		r.line(s.State, s.What)
		if s.Needs != "" && (r.dryRun || r.undo) {
			fmt.Fprintln(r.stdout, strings.Repeat(" ", stateWidth)+term.Visible(s.Needs))
		}
	}
}

const stateWidth = 9 // of a step's state and the blanks after it

func (r *setupRun) line(state, what string) {
	screenOf(r.stdout).print(fmt.Sprintf("%-*s", stateWidth, state), what)
}

// after says what comes next.
func (r *setupRun) after() {
	switch {
	case r.undo && len(r.in(stepLeft)) == len(r.steps):
		r.say("There is nothing to undo: setup has noted nothing, " +
			"and no MySQL Shell that was found has a link to this program.")
	case r.dryRun && r.has(stepOpen, stepByHand):
		fmt.Fprintln(r.stdout, "\nNothing was changed (--dry-run).")
	case r.has(stepFailed):
		return
	}
	if r.undo && r.has(stepLeft) {
		fmt.Fprintf(r.stdout, "\nWhat is left goes with: %s setup --undo --purge\n", about.Name)
	}
	if r.undo || r.dryRun {
		return
	}
	r.leftToDo()
	if !r.plan.Ready {
		return
	}
	fmt.Fprintln(r.stdout, "\nMySQL Shell asks this helper from its next start on.")
	if _, err := inventoryServers(); err != nil {
		fmt.Fprintf(r.stdout, "Next, find your servers: %s discover\n", about.Name)
	}
}

// leftToDo prints what a person has to do. What root has to do isn't repeated where it was offered.
func (r *setupRun) leftToDo() {
	var lines []string
	for i, s := range r.steps {
		if s.State == stepByHand && !(r.asked && r.plan.Steps[i].Root) {
			lines = append(lines, s.Needs)
		}
	}
	if len(lines) == 0 {
		return
	}
	heading := "Left for you:"
	switch {
	case r.plan.Broken:
		heading = "Left for you; until it is done a MySQL Shell has no helper, and finds no password:"
	case r.plan.Waits:
		heading = "Left for you; MySQL Shell stays as it is until root has put the helper there:"
	}
	fmt.Fprintln(r.stdout)
	r.say("%s", heading)
	for _, line := range lines {
		fmt.Fprintln(r.stdout, "  "+term.Visible(line))
	}
}
