// Package disk has the program's two folders, and their files, which only the user may read: it
// reads them when they can be trusted, replaces them whole, and lets one process at a time work on
// one. It reads other programs' files, too, without waiting for what never ends.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"syscall"

	"mysql-secret-store-rds/internal/about"
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

// ExposedError is a file that somebody else may change: it has to be refused when it says what is
// to be done.
type ExposedError struct {
	Path    string // the file or folder that is open to others
	Reason  string
	Foreign bool // it is another user's; else its mode is wrong
}

func (e *ExposedError) Error() string { return e.Path + " " + e.Reason }

// Open opens a file for reading if it is a regular file (no symbolic link to one), the caller's own
// and closed to everybody else. The error is [ErrAbsent] or an [*UntrustedError].
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR): // which says so of a folder on the way
		return nil, ErrAbsent
	case err != nil:
		return nil, &UntrustedError{path, err.Error()}
	}
	info, err := f.Stat()
	reason := ""
	switch {
	case err != nil:
		reason = err.Error()
	case !info.Mode().IsRegular():
		reason = "not a regular file"
	default:
		reason = notPrivate(info)
	}
	if reason == "" {
		return f, nil
	}
	_ = f.Close()
	return nil, &UntrustedError{path, reason}
}

// Read returns the content of a file that [Open] trusts and that has at most limit bytes.
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

// SameFile reports whether two paths lead to one file, links followed. Two copies are two files.
func SameFile(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// OurDir returns an [*UntrustedError] for a folder of another user's, who may put other files in
// the place of the caller's. One that isn't there is nobody's.
func OurDir(dir string) error {
	if reason := notOurs(dir); reason != "" {
		return &UntrustedError{dir, reason}
	}
	return nil
}

// MakeDir makes a folder that only the user may enter, unless [OurDir] has something against it.
// One that is there already is closed to others if it is the caller's and holds nothing but files
// that ours knows; one that is used for other things, too, is left as it is: the files that are put
// there are private by themselves.
func MakeDir(dir string, ours func(name string) bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := OurDir(dir); err != nil {
		return err
	}
	return closeDir(dir, func() bool {
		files, err := os.ReadDir(dir)
		return err == nil && !slices.ContainsFunc(files, func(f fs.DirEntry) bool { return !ours(f.Name()) })
	})
}

// EnvCache names the folder for what is kept between calls in the environment.
const EnvCache = "MYSQL_SECRET_STORE_RDS_CACHE_DIR"

// ConfigDir returns the program's folder for what is to last: mysql-secret-store-rds in
// [os.UserConfigDir].
func ConfigDir() (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, about.Name), err
}

// CacheDir returns the program's folder for what can be made again: the one that [EnvCache] names,
// else mysql-secret-store-rds in [os.UserCacheDir].
func CacheDir() (string, error) {
	if dir := os.Getenv(EnvCache); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, about.Name), err
}

// Home returns the user's home folder as AWS's tools find it, or "" when there is none.
func Home() string {
	if dir, err := os.UserHomeDir(); err == nil {
		return dir
	}
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return ""
}
