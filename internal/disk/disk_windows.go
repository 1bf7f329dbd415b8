package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Neither has to be asked for on Windows.
const noWait, noFollow = 0, 0

// rename renames a file over another. That fails while somebody reads the other, which takes a
// moment at most.
func rename(from, to string) error {
	var err error
	for range 50 {
		if err = os.Rename(from, to); err == nil {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

func keepOwner(*os.File, fs.FileInfo) {}

// letGo gives a lock up and removes its file, in this order: an open file can't be removed, so that
// one which the next holder has locked meanwhile stays.
func letGo(l *flock.Flock, path string) {
	_ = l.Unlock()
	_ = os.Remove(path)
}

// noLocks reports whether LockFileEx, and not the opening of its file, failed because the file
// system has no locks.
func noLocks(err error) bool {
	const invalidFunction syscall.Errno = 1 // is a driver's answer to a request that it doesn't know
	errno, ok := err.(syscall.Errno)
	return ok && (errno.Is(errors.ErrUnsupported) || errno == invalidFunction)
}

// Guarded finds nothing: see notPrivate.
func Guarded(string) error { return nil }

// notPrivate finds nothing: on Windows the user's own %LocalAppData% is private by its access
// control list, which files inherit, and mode bits say nothing. A folder that the environment
// names is the user's to choose.
func notPrivate(fs.FileInfo) string { return "" }

func notOurs(string) string { return "" }

// OpenLog opens a file to append to.
func OpenLog(path string) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, ErrNotFile)
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

func closeDir(string, func() bool) error { return nil }
