package setup

import (
	"fmt"
	"slices"
)

// Undo plans to take back what Apply did: option, links, files, folders, as far as nobody has
// changed them since. What it can't take back stays noted. A link leads again where it did before
// setup; one that led nowhere then, or would now, is removed.
func Undo(in Input) (Plan, error) {
	p, err := in.begin(Undo)
	if err != nil {
		return Plan{}, err
	}
	// The option first: a helper that isn't called does no harm, an option without a helper does.
	var settled []string // the files whose steps need nothing
	known := map[string]bool{}
	step := func(file string, s Step) {
		known[file], s.file = true, file
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
		if h := in.System.Beside(sh); h.State == This && h.Link != "" && !known[h.Path] {
			step(h.Path, Step{
				What:  "remove " + h.Path + ", which setup has no note of: others may use it",
				Needs: in.System.removeByHand(h.Path), gone: true,
			})
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
		forget := func(st *state) error {
			for _, file := range settled {
				st.forget(file)
			}
			return nil
		}
		p.Steps = append(p.Steps, Step{What: "forget what is settled (" + p.file + ")", file: p.file, do: forget})
	}
	return p, nil
}

// leavesNone reports whether a Shell loses its helper, or none has one.
func (p Plan) leavesNone(sys System) bool {
	if slices.ContainsFunc(p.Steps, func(s Step) bool { return s.gone }) {
		return true
	}
	return len(p.Shells) > 0 && !p.haveHelper(sys)
}

// haveHelper reports whether a Shell has one now.
func (p Plan) haveHelper(sys System) bool {
	return slices.ContainsFunc(p.Shells, func(sh Shell) bool { return sys.identify(sys.helperIn(sh.Dir)).serves() })
}
