package setup

import (
	"os"
	"path/filepath"
	"slices"

	"mysql-secret-store-rds/internal/about"
)

// leave adds what using the program has left, which Undo keeps, or takes with Purge. Files that are
// known have steps already.
func (in Input) leave(p *Plan, known map[string]bool) {
	for _, leaf := range in.Leaves {
		if _, err := os.Lstat(leaf.Path); err != nil || known[leaf.Path] {
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
