//go:build unix && !linux

package early

import "syscall"

// hide keeps the process's memory, in which are secrets, out of core dumps (GOTRACEBACK=crash makes
// one), and those of programs that are run from here.
func hide() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
	}
}
