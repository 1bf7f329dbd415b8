//go:build !linux

package testbed

import (
	"errors"
	"syscall"
)

// WithoutFlock is for Linux only.
func WithoutFlock(syscall.Errno, func()) error { return errors.ErrUnsupported }
