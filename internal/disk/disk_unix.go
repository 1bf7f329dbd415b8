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

// How a file is opened: noWait never waits for the other end of a pipe, and noFollow opens no
// symbolic link either, so that nothing in the file's place can do harm.
const (
	noWait   = syscall.O_NONBLOCK
	noFollow = syscall.O_NOFOLLOW | noWait
)

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

// OpenLog opens a file to append to, and closes it to everybody else: one that is the caller's own
// and has no other name, or a new one. Neither a link nor a file of another name may be changed by
// whoever puts it there.
func OpenLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() {
			err = fmt.Errorf("%s: %w", path, ErrNotFile)
		} else if ok && (int(st.Uid) != os.Geteuid() || st.Nlink != 1) {
			err = fmt.Errorf("%s: another user's, or another file by another name", path)
		} else {
			err = f.Chmod(0o600)
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
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

// notOurs says why a folder isn't for the caller's files, or "": its owner may put others in their
// place. Root may do so anyhow.
func notOurs(dir string) string {
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return fmt.Sprintf("the folder belongs to user %d", st.Uid)
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
