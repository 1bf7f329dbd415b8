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
			step(w.Path, p.state.remove(w.Path, in.Purge))
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
	groups := in.System.groups(p.Shells)
	if file := in.System.OptionsFile(); !slices.ContainsFunc(groups, func(g group) bool { return g.file == file }) {
		groups = append(groups, group{file: file})
	}
	for _, g := range groups {
		_, value, _, err := readOptions(g.file)
		if err != nil || known[g.file] || !isHelper(value) || !p.leavesNone(in.System, g) {
			continue
		}
		p.Steps = slices.Insert(p.Steps, options, Step{
			What:  fmt.Sprintf("keep %s in %s: setup has no note of what it was before", option, g.file),
			Needs: `in MySQL Shell: \option --unset --persist ` + option,
		})
	}
	in.leave(&p, known)
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

// leavesNone reports whether a Shell that reads the options has no helper, or loses it.
func (p Plan) leavesNone(sys System, g group) bool {
	for _, s := range p.Steps {
		if s.gone && sys.optionsOf(s.file) == g.file {
			return true
		}
	}
	return slices.ContainsFunc(g.shells, func(sh Shell) bool { return !sys.hasHelper(sh) })
}

// hasHelper reports whether a Shell has one now.
func (s System) hasHelper(sh Shell) bool { return s.identify(s.helperIn(sh.Dir)).serves() }
