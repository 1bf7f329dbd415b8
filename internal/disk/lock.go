package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// The locks are between processes, and end with them. Each stands for something by the path of a
// file, which is there only while somebody has the lock; its folder has to be there. On a file
// system that has no locks everybody gets them at once: keeping a file there without is better than
// not to.

// ErrLetGo is what [Flight] says when the process that was waited for ended without a result, or
// takes too long. Waiting on, one after another, would add up the time that each failure takes; so
// whoever gets it does the work by itself.
var ErrLetGo = errors.New("the process that was at it gave no result")

// LockFile is the file that stands for changes of the one at path.
func LockFile(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + ".lock" }

// Mutex waits until no other process has the lock at path, and takes it until unlock is called. An
// error is ctx's, or says that the lock's file can't be used.
func Mutex(ctx context.Context, path string) (unlock func(), err error) {
	for wait := firstWait; ; wait = longer(wait) {
		if unlock, _, err := try(path); unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another process holds %s: %w", path, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// Patient is [Mutex] that waits for so long at the most, and then goes on without the lock: whoever
// holds it for longer was stopped, and must not keep others out for good. What is written meanwhile
// is whole all the same, as [Write] sees to that.
func Patient(ctx context.Context, path string, wait time.Duration) (unlock func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	unlock, err = Mutex(waiting, path)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return func() {}, nil
	}
	return unlock, err
}

// TryMutex is [Mutex] without the waiting: unlock is nil when another process has the lock.
func TryMutex(path string) (unlock func(), err error) {
	unlock, _, err = try(path)
	return unlock, err
}

// Locked reports whether another process has the lock at path.
func Locked(path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false // the file is there only while somebody has the lock
	}
	unlock, err := TryMutex(path)
	if unlock != nil {
		unlock()
	}
	return err == nil && unlock == nil
}

// Flight is for work that one process does for all. Whoever comes first gets the lock at path until
// unlock is called. The others wait until ready, which is called now and then, reports that the
// result is there: then they need no lock, and unlock is nil. The error is [ErrLetGo] when there
// was no result at the end, or after patience, as the other process may be stopped; else it is
// ctx's, or says that the lock's file can't be used.
func Flight(ctx context.Context, path string, patience time.Duration, ready func() bool) (unlock func(), err error) {
	var waitedFor fs.FileInfo
	enough := time.After(patience)
	for wait := firstWait; ; wait = longer(wait) {
		unlock, mine, err := try(path)
		switch {
		case err != nil:
			return nil, err
		case unlock == nil:
		// A holder that was killed has left the very file that was waited for.
		case waitedFor != nil && !os.SameFile(mine, waitedFor) && !ready():
			unlock()
			return nil, ErrLetGo
		default:
			return unlock, nil
		}
		if waitedFor == nil {
			if f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0); err == nil {
				defer f.Close() // while it is open, no new file gets its number
				waitedFor, _ = f.Stat()
			}
		}
		if ready() {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-enough:
			return nil, ErrLetGo
		case <-time.After(wait):
		}
	}
}

const firstWait = 5 * time.Millisecond

// longer keeps a hundred processes that wait for one from taking the processor from it.
func longer(wait time.Duration) time.Duration { return min(wait*5/4, 50*time.Millisecond) }

// try takes the lock at path, whose file is mine then; unlock is nil when another process has it.
func try(path string) (unlock func(), mine fs.FileInfo, err error) {
	for {
		l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDONLY|noFollow))
		locked, err := l.TryLock()
		switch {
		case noLocks(err):
			return func() { _ = os.Remove(path) }, nil, nil
		case err != nil || !locked:
			return nil, nil, err
		}
		// The last holder removes the file; a lock on a removed file keeps nobody out.
		mine, err1 := l.Stat()
		now, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, now) {
			return func() { letGo(l, path) }, mine, nil
		}
		_ = l.Unlock()
	}
}
