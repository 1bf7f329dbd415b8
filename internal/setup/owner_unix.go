//go:build unix

package setup

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// keepOwner gives a file the owner of another one: under sudo, what replaces a user's file has to stay the user's.
func keepOwner(f *os.File, like fs.FileInfo) {
	if st, ok := like.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}

// writable asks for the user that this runs as, who under sudo is another: permissions, read-only file systems and access
// lists all count. Nothing is written.
func writable(dir string) bool { return may(dir, unix.W_OK|unix.X_OK) }

func may(path string, what uint32) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, what, unix.AT_EACCESS) == nil
}
