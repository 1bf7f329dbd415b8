package disk

import (
	"context"
	"time"
)

// Mutex makes the caller the only process that works on what path, a lock file, stands for, until
// unlock is called or the process ends. It waits until ctx ends.
func Mutex(ctx context.Context, path string) (unlock func(), err error) {
	for {
		unlock, err := Lock(ctx, path, time.Hour, func() bool { return false })
		if err != ErrLetGo {
			return unlock, err
		}
	}
}
