package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mysql-secret-store-rds/internal/about"
)

// All of these put new content in place of a file's, all of it or nothing. The caller holds a lock
// that makes it the only writer of that file. So one name is enough for the temporary file, and a
// process that is killed leaves at most one, which the next writer removes.

// Temporary is the file that [Write], [WriteFrom] and [Replace] fill before it takes path's place.
func Temporary(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + ".tmp" }

// Write writes a file that only the user may read. Its folder has to be there.
func Write(path string, data []byte) error { return Replace(path, data, 0o600) }

// WriteFrom is [Write] with content that fill writes bit by bit.
func WriteFrom(path string, fill func(io.Writer) error) error {
	return replace(path, Temporary(path), 0o600, nil, fill)
}

// Replace is [Write] with another mode than 0600.
func Replace(path string, data []byte, mode fs.FileMode) error {
	return replace(path, Temporary(path), mode, nil, all(data))
}

// EditTemporary is the file that [Edit] fills. Its name is one that nobody else uses, as the folder
// may be anybody's.
func EditTemporary(path string) string {
	path = Follow(path)
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+about.Name+".tmp")
}

// Edit changes the content of a file that a person may have made: a symbolic link stays one, and
// the file that is there keeps its mode and its owner. A new one gets mode, and its folder if there
// is none.
func Edit(path string, data []byte, mode fs.FileMode) error {
	tmp := EditTemporary(path)
	path = Follow(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	old, err := os.Stat(path)
	if err != nil {
		old = nil
	} else {
		mode = old.Mode().Perm()
	}
	return replace(path, tmp, mode, old, all(data))
}

// Follow returns the file that a path leads to, also when that isn't there yet.
func Follow(path string) string {
	for range 40 { // as many as Linux follows
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path
}

func all(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// replace fills tmp and renames it to path. The new file gets the owner of old, unless that is nil.
func replace(path, tmp string, mode fs.FileMode, old fs.FileInfo, fill func(io.Writer) error) error {
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if old != nil {
		keepOwner(f, old)
	}
	err = fill(f)
	mine, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Chmod(mode), f.Close()); err == nil {
		// Where there are no locks, another process may have put its own there.
		if now, err := os.Lstat(tmp); err != nil || !os.SameFile(mine, now) {
			return fmt.Errorf("another process is writing %s", path)
		}
		err = rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}
