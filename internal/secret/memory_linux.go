package secret

import "syscall"

// HideMemory keeps the process's memory, in which are secrets, out of core dumps
// (GOTRACEBACK=crash makes one) and from other processes of the user. It costs one system call;
// programs that are run from here are not hidden (prctl(2), PR_SET_DUMPABLE).
func HideMemory() { _, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0) }
