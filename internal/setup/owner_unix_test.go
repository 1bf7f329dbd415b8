//go:build unix

package setup

import (
	"os"
	"syscall"
	"testing"
)

// TestOwner: under sudo the user's file stays the user's.
func TestOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	b := newShellBench(t)
	b.put(options, "{}", 0o600)
	if err := os.Chown(b.path(options), 12345, 54321); err != nil {
		t.Skip(err)
	}
	b.apply(Make(b.Input))
	b.want(options, `{"credentialStore.helper": "rds"}`)
	info, err := os.Stat(b.path(options))
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 12345 || st.Gid != 54321 {
		t.Errorf("it belongs to %d:%d", st.Uid, st.Gid)
	}
}
