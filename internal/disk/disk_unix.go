//go:build unix

package disk

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// openNoFollow opens a file for reading, but no symbolic link to one, and never waits for the
// other end of a pipe.
func openNoFollow(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// lockFlags open a lock file the same way: neither a link nor a pipe in its place can do harm.
const lockFlags = os.O_CREATE | os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// replace renames a file over another.
func replace(from, to string) error { return os.Rename(from, to) }

// letGo removes a lock's file and gives the lock up, in this order: whoever waits must not get a
// lock on a file that is about to go.
func letGo(l *flock.Flock, path string) {
	_ = os.Remove(path)
	_ = l.Unlock()
}

// notPrivate says why a file isn't the caller's alone, or "".
func notPrivate(info fs.FileInfo) string {
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Sprintf("others may use it (mode %04o)", perm)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Sprintf("belongs to user %d", st.Uid)
	}
	return ""
}

// closeDir closes a folder to others if it is the caller's and only is true.
func closeDir(dir string, only func() bool) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm()&0o077 != 0 && info.Mode()&fs.ModeSticky == 0 && only() {
		return os.Chmod(dir, 0o700)
	}
	return nil
}
