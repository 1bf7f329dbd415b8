//go:build unix && !linux

package secret

import "syscall"

// HideMemory keeps the process's memory, in which are secrets, out of core dumps
// (GOTRACEBACK=crash makes one), and those of programs that are run from here.
func HideMemory() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
	}
}
