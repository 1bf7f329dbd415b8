package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/about"
)

// TestLeaves: undo says what it leaves, and takes that, too, when it is asked to.
func TestLeaves(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	before := b.tree()
	b.ConfigFile = b.path("home/.config/" + about.Name + "/config.yaml")
	inventory := filepath.Join(filepath.Dir(b.ConfigFile), "inventory.txt")
	gone := filepath.Join(filepath.Dir(b.ConfigFile), "uses.json")
	for _, path := range []string{inventory, gone, b.ConfigFile} {
		b.Leaves = append(b.Leaves, Leaf{path, "something", func() error { return os.Remove(path) }})
	}
	b.done(Make(b.Input))
	b.put("home/.config/"+about.Name+"/inventory.txt", "servers", 0o600)
	b.put("home/.config/"+about.Name+"/config.yaml", "delegate: keychain\n", 0o600)
	left := func() (list []string) {
		p, err := Undo(b.Input)
		for _, s := range p.Steps {
			if s.Left {
				list = append(list, strings.ReplaceAll(s.What, filepath.Dir(b.ConfigFile)+"/", ""))
			}
		}
		b.done(p, err)
		return list
	}
	if diff := cmp.Diff([]string{"keep config.yaml: you have changed it", "leave inventory.txt: something"}, left()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"leave inventory.txt: something", "leave config.yaml: something"}, left()); diff != "" {
		t.Error(diff)
	}
	b.Purge = true
	if list := left(); list != nil {
		t.Errorf("%q", list)
	}
	// At once.
	b.done(Make(b.Input))
	b.put("home/.config/"+about.Name+"/inventory.txt", "servers", 0o600)
	b.put("home/.config/"+about.Name+"/config.yaml", "delegate: keychain\n", 0o600)
	b.done(Undo(b.Input))
	delete(before, "/home/.config")
	now := b.tree()
	delete(now, "/home/.config")
	if diff := cmp.Diff(before, now); diff != "" {
		t.Error(diff)
	}
}
