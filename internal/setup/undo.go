package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mysql-secret-store-rds/internal/about"
)

// Undo plans to take back what Apply did: option, links, files, folders, as far as nobody has
// changed them since. What it can't take back stays noted. A link leads again where it did before
// setup; one that led nowhere then, or would now, is removed.
func Undo(in Input) (Plan, error) {
	p, err := in.begin(Undo)
	if err != nil {
		return Plan{}, err
	}
	step := func(file string, s Step) {
		s.file = file
		p.Steps = append(p.Steps, s)
	}
	// The option first: a helper that isn't called does no harm, an option without a helper does.
	for _, o := range p.state.Options {
		step(o.File, in.switchBack(o))
	}
	options := len(p.Steps)
	for i, w := range p.state.Files {
		switch {
		case p.changes(w.Path): // a run that was cut off noted it twice
		case w.Program:
			step(w.Path, in.unlink(w.Path, p.state.Files[i:]))
		default:
			step(w.Path, p.state.remove(w.Path, in.Purge))
		}
	}
	for _, sh := range p.Shells {
		if h := in.System.Beside(sh); h.State == This && h.Link != "" && !p.changes(h.Path) {
			step(h.Path, Step{
				What:  "remove " + h.Path + ", which setup has no note of: others may use it",
				Needs: in.System.removeByHand(h.Path), gone: true,
			})
		}
	}
	var settled []string // the files whose steps need nothing
	for _, s := range p.Steps {
		if s.Done {
			settled = append(settled, s.file)
		}
	}
	in.keepOptions(&p, options)
	in.leave(&p)
	if len(settled) > 0 {
		step(p.file, Step{What: "forget what is settled (" + p.file + ")", do: func(st *state) error {
			for _, file := range settled {
				st.forget(file)
			}
			return nil
		}})
	}
	return p, nil
}

// changes reports whether a step changes a file.
func (p Plan) changes(file string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.file == file })
}

// keepOptions tells, among the steps, of options that setup has no note of, and that will name a
// helper which a Shell doesn't have.
func (in Input) keepOptions(p *Plan, at int) {
	groups := in.System.groups(p.Shells)
	if file := in.System.OptionsFile(); !slices.ContainsFunc(groups, func(g group) bool { return g.file == file }) {
		groups = append(groups, group{file: file})
	}
	for _, g := range groups {
		_, value, _, err := readOptions(g.file)
		if err == nil && !p.changes(g.file) && isHelper(value) && p.leavesNone(in.System, g) {
			p.Steps = slices.Insert(p.Steps, at, Step{
				What:  fmt.Sprintf("keep %s in %s: setup has no note of what it was before", option, g.file),
				Needs: `in MySQL Shell: \option --unset --persist ` + option,
			})
		}
	}
}

// leavesNone reports whether a Shell that reads the options has no helper, or loses it.
func (p Plan) leavesNone(sys System, g group) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.gone && sys.OptionsOf(s.file) == g.file }) ||
		slices.ContainsFunc(g.shells, func(sh Shell) bool { return !sys.hasHelper(sh) })
}

// hasHelper reports whether a Shell has one now.
func (s System) hasHelper(sh Shell) bool { return s.identify(s.helperIn(sh.Dir)).serves() }

// leave adds what using the program has left, which Undo keeps, or takes with Purge. Files that are
// known have steps already.
func (in Input) leave(p *Plan) {
	for _, leaf := range in.Leaves {
		if _, err := os.Lstat(leaf.Path); err != nil || p.changes(leaf.Path) {
			continue
		}
		s := Step{What: "leave " + leaf.Path + ": " + leaf.What, Done: true, Left: true, file: leaf.Path}
		if in.Purge {
			s = Step{What: "remove " + leaf.Path + ": " + leaf.What, file: leaf.Path, do: func(st *state) error {
				if err := leaf.Remove(); err != nil && !absent(err) {
					return err
				}
				st.emptied(leaf.Path)
				return nil
			}}
		}
		p.Steps = append(p.Steps, s)
	}
}

// emptied has the program's own folder go with what was the last in it.
func (s *state) emptied(path string) {
	if dir := filepath.Dir(path); filepath.Base(dir) == about.Name && !slices.Contains(s.Dirs, dir) {
		s.Dirs = append(s.Dirs, dir)
	}
}
