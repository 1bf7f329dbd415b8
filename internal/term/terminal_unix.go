//go:build unix

package term

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// openConsole opens the process's controlling terminal. A process in the background would be
// stopped when it reads there, and MySQL Shell wait for ever: it gets an error instead, also when
// it is sent there later, as the signals are ignored.
func openConsole() (in, out *os.File, err error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	if !inForeground(tty) {
		_ = tty.Close()
		return nil, nil, errBackground
	}
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	return tty, tty, nil
}

// heedStops undoes what openConsole did: a program that this one becomes is to stop as others do.
func heedStops() { signal.Reset(syscall.SIGTTIN, syscall.SIGTTOU) }

// inForeground reports whether the process is in the terminal's foreground process group.
func inForeground(tty *os.File) bool {
	conn, err := tty.SyscallConn() // unlike Fd, it leaves deadlines possible
	if err != nil {
		return false
	}
	group := -1
	err = conn.Control(func(fd uintptr) {
		if g, err := unix.IoctlGetInt(int(fd), unix.TIOCGPGRP); err == nil {
			group = g
		}
	})
	return err == nil && group == syscall.Getpgrp()
}

// resizes tells of each change of the terminal's size, until stop.
func resizes() (resized <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}
