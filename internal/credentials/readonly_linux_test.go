package credentials

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestRefreshThatCanNotBeKept: AWS takes a refresh token once, so that none is spent where the next
// one can't be kept.
func TestRefreshThatCanNotBeKept(t *testing.T) {
	w := newWorld(t, truthConfig+consoleConfig, truthCredentials)
	for _, left := range []time.Duration{10 * time.Minute, -time.Minute} {
		file, content := w.SSORefreshableLogin(w.home, "corp", left)
		w.login(t, file, content)
		writable := readOnly(t, filepath.Dir(file))
		_, err := w.provider(Source{Profile: "sso", Region: "eu-west-1"}).Retrieve(t.Context())
		if n := w.Calls("CreateToken"); n != 0 || (err == nil) != (left > 0) {
			t.Errorf("%v left: %v, %d refreshes", left, err, n)
		}
		writable()
	}
}

// readOnly makes a folder one that can't be written to, for root, too; the result ends that.
func readOnly(t *testing.T, folder string) (writable func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		if err := os.Chmod(folder, 0o500); err != nil {
			t.Fatal(err)
		}
		return func() { _ = os.Chmod(folder, 0o700) }
	}
	if err := syscall.Mount(folder, folder, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("root, and no mounts: %v", err)
	}
	writable = func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) }
	if err := syscall.Mount("", folder, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		writable()
		t.Skipf("root, and no read-only mounts: %v", err)
	}
	return writable
}
