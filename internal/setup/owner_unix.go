//go:build unix

package setup

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownFolder reports whether the folder of a file, links followed, is the user's.
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

// mayRun returns why the user may not run a program.
func mayRun(path string) error { return may(path, unix.X_OK) }

// writable asks for the user that this runs as, who under sudo is another: permissions, read-only
// file systems and access lists all count. Nothing is written.
func writable(dir string) bool { return may(dir, unix.W_OK|unix.X_OK) == nil }

func may(path string, what uint32) error {
	return unix.Faccessat(unix.AT_FDCWD, path, what, unix.AT_EACCESS)
}
