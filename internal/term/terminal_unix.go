//go:build unix

package term

import (
	"os"
	"os/signal"
	"syscall"
)

// openConsole opens the process's controlling terminal. A process in the background would be
// stopped when it reads or writes there, and MySQL Shell wait for ever: with the signals ignored it
// gets an error instead.
func openConsole() (in, out *os.File, err error) {
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return tty, tty, err
}

// resizes tells of each change of the terminal's size, until stop.
func resizes() (resized <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}
