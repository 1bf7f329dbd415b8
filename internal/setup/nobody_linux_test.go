package setup

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// asNobody goes on without the rights of root, and those of the owner of one folder or file.
func (b *bench) asNobody(theirs string) {
	b.t.Helper()
	if os.Geteuid() != 0 {
		if err := os.Chmod(b.path(theirs), 0o010); err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { _ = os.Chmod(b.path(theirs), 0o700) })
		return
	}
	const nobody = 65534
	err := filepath.WalkDir(b.System.Root, func(path string, _ os.DirEntry, err error) error {
		if path == b.path(theirs) {
			return err
		}
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	})
	// The rights to files are a thread's own.
	runtime.LockOSThread()
	if err := errors.Join(err, os.Chmod(filepath.Dir(b.System.Root), 0o755), syscall.Setfsuid(nobody)); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = syscall.Setfsuid(0)
		runtime.UnlockOSThread()
	})
}
