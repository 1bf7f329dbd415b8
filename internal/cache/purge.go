package cache

import (
	"errors"
	"os"
	"path/filepath"
)

// Holds reports whether there is anything of the store's on the disk.
func (s Store) Holds() bool { return len(s.files()) > 0 }

// Purge is [Store.Clear] that leaves nothing: the files that stand for locks go, too, and the
// folder, unless others keep something in it.
func (s Store) Purge() error {
	var problems []error
	for _, path := range s.files() {
		problems = append(problems, os.Remove(path))
	}
	_ = os.Remove(s.dir) // somebody else's files are in it
	return errors.Join(problems...)
}

// files returns the paths of all that is the store's.
func (s Store) files() (paths []string) {
	if s.dir == "" {
		return nil
	}
	entries, _ := os.ReadDir(s.dir)
	for _, e := range entries {
		if isOurs(e.Name()) {
			paths = append(paths, filepath.Join(s.dir, e.Name()))
		}
	}
	return paths
}
