//go:build unix

package disk

import (
	"errors"
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

// rename renames a file over another.
func rename(from, to string) error { return os.Rename(from, to) }

// keepOwner gives a file the owner of another one: under sudo, what replaces a user's file has to
// stay the user's.
func keepOwner(f *os.File, like fs.FileInfo) {
	if st, ok := like.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}

// letGo removes a lock's file and gives the lock up, in this order: whoever waits must not get a
// lock on a file that is about to go.
func letGo(l *flock.Flock, path string) {
	_ = os.Remove(path)
	_ = l.Unlock()
}

// noLocks reports whether flock(2), and not the opening of its file, failed because the file system
// has no locks. Some network file systems and some in user space answer ENOLCK or EINVAL then,
// instead of ENOSYS or EOPNOTSUPP.
func noLocks(err error) bool {
	errno, ok := err.(syscall.Errno)
	return ok && (errno.Is(errors.ErrUnsupported) || errno == syscall.ENOLCK || errno == syscall.EINVAL)
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
