package disk

import (
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
)

const lockFlags = os.O_CREATE | os.O_RDONLY

// replace renames a file over another. That fails while somebody reads the other, which takes a
// moment at most.
func replace(from, to string) error {
	var err error
	for range 50 {
		if err = os.Rename(from, to); err == nil {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

// letGo gives a lock up and removes its file, in this order: an open file can't be removed, so that
// one which the next holder has locked meanwhile stays.
func letGo(l *flock.Flock, path string) {
	_ = l.Unlock()
	_ = os.Remove(path)
}

func openNoFollow(path string) (*os.File, error) { return os.Open(path) }

// notPrivate finds nothing: on Windows the user's own %LocalAppData% is private by its access
// control list, which files inherit, and mode bits say nothing. A folder that the environment
// names is the user's to choose.
func notPrivate(fs.FileInfo) string { return "" }

func closeDir(string, func() bool) error { return nil }
