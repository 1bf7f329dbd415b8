//go:build unix

package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// keepOwner gives a file the owner of another one: under sudo, what replaces a user's file has to stay the user's.
func keepOwner(f *os.File, like fs.FileInfo) {
	if st, ok := like.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}

// ownFolder says whether the folder of a file, links followed, is the user's.
func ownFolder(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	info, err := os.Stat(filepath.Dir(real))
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// mayRun says whether nothing forbids it to the user; a file that nobody can run, or that isn't there, is not forbidden.
func mayRun(path string) bool {
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return may(path, unix.X_OK)
	}
	return !errors.Is(err, fs.ErrPermission)
}

// writable asks for the user that this runs as, who under sudo is another: permissions, read-only file systems and access
// lists all count. Nothing is written.
func writable(dir string) bool { return may(dir, unix.W_OK|unix.X_OK) }

func may(path string, what uint32) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, what, unix.AT_EACCESS) == nil
}
