// Package private keeps files that only the user may read: it reads them when they can be trusted,
// replaces them whole, and lets one process at a time work on one.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// ErrAbsent is what [Open] and [Read] say of a file that isn't there.
var ErrAbsent = errors.New("no such file")

// UntrustedError is a file that counts as absent although it is there.
type UntrustedError struct {
	File   string
	Reason string
}

func (e *UntrustedError) Error() string { return e.File + ": " + e.Reason }

// Is makes an UntrustedError an [ErrAbsent].
func (e *UntrustedError) Is(target error) bool { return target == ErrAbsent }

// Open opens a file for reading if it is a regular file (no symbolic link to one), the caller's own
// and closed to everybody else. The error is [ErrAbsent] or an [*UntrustedError].
func Open(path string) (*os.File, error) {
	f, err := openNoFollow(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	untrusted := func(reason string) (*os.File, error) {
		if f != nil {
			_ = f.Close()
		}
		return nil, &UntrustedError{path, reason}
	}
	if err != nil {
		return untrusted(err.Error())
	}
	info, err := f.Stat()
	if err != nil {
		return untrusted(err.Error())
	}
	if !info.Mode().IsRegular() {
		return untrusted("not a regular file")
	}
	if reason := notPrivate(info); reason != "" {
		return untrusted(reason)
	}
	return f, nil
}

// Read gives the content of a file that [Open] trusts and that has at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, &UntrustedError{path, err.Error()}
	}
	if int64(len(data)) > limit {
		return nil, &UntrustedError{path, fmt.Sprintf("damaged: more than %d bytes", limit)}
	}
	return data, nil
}

// LockFile is the file to [Lock] for changes of the one at path.
func LockFile(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + ".lock" }

// Temporary is the file that [Write] fills before it takes path's place.
func Temporary(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + ".tmp" }

// Write puts data in place of a file, all of it or nothing. The folder has to be there, and the
// caller holds a [Lock] that makes it the only writer: that makes one temporary name enough, so
// that a killed process leaves at most one such file.
func Write(path string, data []byte) error {
	return WriteFrom(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFrom is [Write] with content that fill writes bit by bit.
func WriteFrom(path string, fill func(io.Writer) error) error {
	tmp := Temporary(path)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = fill(f)
	if err = errors.Join(err, f.Chmod(0o600), f.Close()); err == nil {
		err = replace(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

// MakeDir makes a folder that only the user may enter. One that is there already is closed to
// others if it is the caller's and holds nothing but files that ours knows; one that is used for
// other things, too, is left as it is: the files that are put there are private by themselves.
func MakeDir(dir string, ours func(name string) bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return closeDir(dir, func() bool {
		files, err := os.ReadDir(dir)
		return err == nil && !slices.ContainsFunc(files, func(f fs.DirEntry) bool { return !ours(f.Name()) })
	})
}

// ErrLetGo is what [Lock] says when the process that was waited for ended without a result, or
// keeps the lock too long. Waiting on, one after another, would add up the time that each failure
// takes; so whoever gets it does the work by itself.
var ErrLetGo = errors.New("the process that was at it gave no result")

// Lock makes the caller the only process that works on what path, a lock file, stands for, until
// unlock is called or the process ends. While another one has the lock it calls ready now and then;
// when ready is true, the lock isn't needed any more and unlock is nil. It waits for patience at
// most: the other process may be stopped. An error says that the folder can't be used, or is
// [ErrLetGo], or ctx's.
func Lock(ctx context.Context, path string, patience time.Duration, ready func() bool) (unlock func(), err error) {
	var waitedFor os.FileInfo
	enough := time.After(patience)
	pause := 5 * time.Millisecond
	for {
		l := flock.New(path, flock.SetFlag(lockFlags))
		locked, err := l.TryLock()
		if err != nil {
			return nil, err
		}
		if locked {
			// The last holder removes the file; a lock on a removed file keeps nobody out.
			mine, err1 := l.Stat()
			now, err2 := os.Stat(path)
			if err1 != nil || err2 != nil || !os.SameFile(mine, now) {
				_ = l.Unlock()
				continue
			}
			unlock := func() { letGo(l, path) }
			// A holder that was killed has left the very file that was waited for.
			if waitedFor != nil && !os.SameFile(mine, waitedFor) && !ready() {
				unlock()
				return nil, ErrLetGo
			}
			return unlock, nil
		}
		if waitedFor == nil {
			if f, err := openNoFollow(path); err == nil {
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
		case <-time.After(pause):
			// A hundred processes that wait for one must not keep it from the processor.
			pause = min(pause*5/4, 50*time.Millisecond)
		}
	}
}
