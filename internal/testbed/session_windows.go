package testbed

import "syscall"

// ownSession gives the child a console of its own, which nobody sees.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{HideWindow: true} }
