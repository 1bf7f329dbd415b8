package testbed

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// WithoutFlock calls f where flock(2) fails with an errno, for f's own goroutine and the programs
// that it starts: as on a file system that has no locks. An error means that f was not called.
func WithoutFlock(errno syscall.Errno, f func()) error {
	done := make(chan error)
	go func() {
		// A filter is a thread's own, and stays. The thread ends with the goroutine, which never
		// unlocks it.
		runtime.LockOSThread()
		err := denyFlock(errno)
		if err == nil {
			f()
		}
		done <- err
	}()
	return <-done
}

// denyFlock has the kernel answer this thread's calls of flock with errno (seccomp(2), "Filters").
func denyFlock(errno syscall.Errno) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the system call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FLOCK, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0,
		0); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}
