package delegate

import (
	"os"
	"os/signal"
)

// catchSignals keeps us alive on Ctrl-C until the helper ends. Windows gives it to every process
// of the console by itself, and os.Process.Signal can't.
func catchSignals() chan os.Signal {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt)
	return ch
}

func exitStatus(s *os.ProcessState) int { return s.ExitCode() }
