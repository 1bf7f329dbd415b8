//go:build unix

package delegate

import (
	"os"
	"os/signal"
	"syscall"
)

// catchSignals collects the signals that would end us, to be passed on to the helper. One that
// was ignored when we started stays ignored.
func catchSignals() chan os.Signal {
	ch := make(chan os.Signal, 4)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(ch, s)
		}
	}
	return ch
}

// exitStatus is the exit code, or, as a shell has it, 128 and the number of the signal.
func exitStatus(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}
