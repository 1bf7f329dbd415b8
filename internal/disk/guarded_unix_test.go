//go:build unix

package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestPrivateGroup(t *testing.T) {
	t.Parallel()
	const passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n" +
		"cat:x:1002:1003::/:/bin/sh\ndan:x:1004:1003::/:/bin/sh\neve:x:1005:1005::/:/bin/sh\n"
	const groups = "root:x:0:\nann:x:1000:\nbob:x:1001:bob\nstaff:x:1003:\neve:x:1005:bob\nbroken\n"
	for _, c := range []struct {
		what     string
		uid, gid uint32
		want     bool
	}{
		{"one's own", 1000, 1000, true},
		{"with oneself as a member", 1001, 1001, true},
		{"another user's", 1000, 1001, false},
		{"of two users", 1002, 1003, false},
		{"with another member", 1005, 1005, false},
		{"of nobody", 1000, 77, false},
		{"of an unknown user", 77, 77, false},
	} {
		if got := privateBy(passwd, groups, c.uid, c.gid); got != c.want {
			t.Errorf("a group %s: %v", c.what, got)
		}
	}
}

func TestGuarded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(name, to string) string {
		name = filepath.Join(dir, name)
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	check := func(path string, exposed bool) {
		t.Helper()
		err := Guarded(path)
		if _, ok := errors.AsType[*ExposedError](err); ok != exposed || err != nil && !exposed {
			t.Errorf("%s: %v", path, err)
		}
	}
	check(file, false)
	check(os.DevNull, false)
	check(link("link", "../"+filepath.Base(dir)+"/file"), false)
	shared := filepath.Join(dir, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o700), os.Symlink(file, filepath.Join(shared, "link")), os.Chmod(shared, 0o777)); err != nil {
		t.Fatal(err)
	}
	check(filepath.Join(shared, "link"), true) // anybody may make it lead elsewhere
	check(link("through", "shared/link"), true)
	if err := os.Chmod(shared, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	check(filepath.Join(shared, "link"), false)
	if err := Guarded(link("loop", "loop")); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
	if err := Guarded(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}
