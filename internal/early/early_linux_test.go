package early

import (
	"syscall"
	"testing"
)

// TestHidden: the process that has this package, as the program has, can't be dumped.
func TestHidden(t *testing.T) {
	t.Parallel()
	if dumpable, _, err := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0); err != 0 || dumpable != 0 {
		t.Errorf("dumpable: %d, %v", dumpable, err)
	}
}
