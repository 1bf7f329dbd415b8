package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// TestNoLocks: where the file system has no locks, everybody gets them; another
// failure is an error.
func TestNoLocks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		errno syscall.Errno
		works bool
	}{
		{syscall.ENOSYS, true}, {syscall.EOPNOTSUPP, true}, {syscall.ENOLCK, true}, {syscall.EINVAL, true}, {syscall.ENOMEM, false},
	} {
		t.Run(tc.errno.Error(), func(t *testing.T) {
			t.Parallel()
			path := lockPath(t)
			locks := map[string]func() (func(), error){
				"mutex":  func() (func(), error) { return Mutex(t.Context(), path) },
				"try":    func() (func(), error) { return TryMutex(path) },
				"flight": func() (func(), error) { return Flight(t.Context(), path, time.Minute, never) },
			}
			err := testbed.WithoutFlock(tc.errno, func() {
				for name, lock := range locks {
					unlock, err := lock()
					if (unlock != nil) != tc.works || !tc.works && !errors.Is(err, tc.errno) || tc.works && err != nil {
						t.Errorf("%s: %v, %v", name, unlock != nil, err)
					}
					if unlock != nil {
						defer unlock() // all of them at once
					}
				}
			})
			if err != nil {
				t.Skip(err)
			}
			if files, err := os.ReadDir(filepath.Dir(path)); err != nil || tc.works && len(files) > 0 {
				t.Errorf("left behind: %v, %v", files, err)
			}
		})
	}
}
