//go:build unix

package cache

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

func TestUntrustedFile(t *testing.T) {
	t.Parallel()
	mode := func(m fs.FileMode) func(*testing.T, string, []byte) error {
		return func(t *testing.T, path string, valid []byte) error {
			if err := os.WriteFile(path, valid, 0o600); err != nil {
				return err
			}
			return os.Chmod(path, m)
		}
	}
	for _, u := range []untrusted{
		{"readable for the group", "others may use it (mode 0640)", mode(0o640)},
		{"writable for the group", "others may use it (mode 0620)", mode(0o620)},
		{"readable for others", "others may use it (mode 0604)", mode(0o604)},
		{"a link to a good file", "symbolic links", func(t *testing.T, path string, valid []byte) error {
			elsewhere := filepath.Join(t.TempDir(), "entry.json")
			if err := os.WriteFile(elsewhere, valid, 0o600); err != nil {
				return err
			}
			return os.Symlink(elsewhere, path)
		}},
		{"a dangling link", "symbolic links", func(t *testing.T, path string, _ []byte) error {
			return os.Symlink("nowhere", path)
		}},
		// Nobody has the other end: opening it must not wait.
		{"a named pipe", "not a regular file", func(_ *testing.T, path string, _ []byte) error {
			return syscall.Mkfifo(path, 0o600)
		}},
		{"a socket", "", func(t *testing.T, path string, _ []byte) error {
			// The path of a socket has at most 108 bytes, so it is made elsewhere.
			dir, err := os.MkdirTemp("", "s")
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s")})
			if err != nil {
				return err
			}
			l.SetUnlinkOnClose(false)
			t.Cleanup(func() { _ = l.Close() })
			return os.Rename(filepath.Join(dir, "s"), path)
		}},
	} {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			u.check(t)
		})
	}
}

func fileMode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestModes(t *testing.T) {
	t.Parallel()
	s := Store{filepath.Join(t.TempDir(), "a", "cache")}
	unlock, err := s.Lock(t.Context(), ordersURL, never)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, testEntry())
	for path, want := range map[string]fs.FileMode{
		filepath.Dir(s.Dir()): fs.ModeDir | 0o700, s.Dir(): fs.ModeDir | 0o700,
		s.path(ordersURL, ".lock"): 0o600, s.path(ordersURL, ".json"): 0o600,
	} {
		if got := fileMode(t, path); got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
	}
	unlock()
}

// Somebody else may have made the temporary file in a folder that is shared, to be given the
// token: it must be a file of our own making.
func TestPutFollowsNoLink(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	bait := filepath.Join(t.TempDir(), "bait")
	if err := os.WriteFile(bait, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{".tmp", ".json"} {
		if err := os.Symlink(bait, s.path(ordersURL, suffix)); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, testEntry())
	if _, err := s.Get(ordersURL); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(bait); err != nil || len(b) != 0 {
		t.Errorf("%q, %v was written through a link", b, err)
	}
}

// A lock file is opened without following a link, which could lead to anything of the user's, and
// without waiting for the other end of a pipe.
func TestLockFileIsNoFile(t *testing.T) {
	t.Parallel()
	t.Run("a link", func(t *testing.T) {
		t.Parallel()
		s := testStore(t)
		bait := filepath.Join(t.TempDir(), "bait")
		if err := os.Symlink(bait, s.path(ordersURL, ".lock")); err != nil {
			t.Fatal(err)
		}
		if unlock, err := s.Lock(t.Context(), ordersURL, never); unlock != nil || err == nil {
			t.Errorf("got a lock: %v, error %v", unlock != nil, err)
		}
		if _, err := os.Lstat(bait); err == nil {
			t.Error("a file was made through the link")
		}
	})
	t.Run("a named pipe", func(t *testing.T) {
		t.Parallel()
		s := testStore(t)
		if err := syscall.Mkfifo(s.path(ordersURL, ".lock"), 0o600); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, func() {
			if unlock, err := s.Lock(t.Context(), ordersURL, never); err == nil {
				unlock()
			}
		})
	})
}

func TestMakePrivate(t *testing.T) {
	t.Parallel()
	const ours, theirs = "0123456789abcdef0123456789abcdef.json", "somebody's"
	for _, tc := range []struct {
		name   string
		before fs.FileMode
		file   string // that is in it
		want   fs.FileMode
	}{
		{"empty", 0o755, "", fs.ModeDir | 0o700},
		{"open to all", 0o755, ours, fs.ModeDir | 0o700},
		{"open to the group", 0o710, ours, fs.ModeDir | 0o700},
		{"private", 0o700, ours, fs.ModeDir | 0o700},
		{"private and read-only", 0o500, ours, fs.ModeDir | 0o500},
		{"used for other things", 0o755, theirs, fs.ModeDir | 0o755},
		{"shared by design", fs.ModeSticky | 0o777, ours, fs.ModeDir | fs.ModeSticky | 0o777},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "cache")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, tc.file)
			if tc.file != "" {
				if err := os.WriteFile(file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(file, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, tc.before); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
			if err := disk.MakeDir(dir, isOurs); err != nil {
				t.Fatal(err)
			}
			if got := fileMode(t, dir); got != tc.want {
				t.Errorf("mode %v, want %v", got, tc.want)
			}
			if tc.file != "" && fileMode(t, file) != 0o644 {
				t.Errorf("a file in it has mode %v now", fileMode(t, file))
			}
		})
	}
	t.Run("dangling link", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "cache")
		if err := os.Symlink(filepath.Join(dir, "nowhere"), dir); err != nil {
			t.Fatal(err)
		}
		if err := disk.MakeDir(dir, isOurs); err == nil {
			t.Error("no error")
		}
	})
}
