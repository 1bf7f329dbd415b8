package app

import (
	"log/slog"
	"os"

	"mysql-secret-store-rds/internal/early"
)

// openLog returns the log, which goes nowhere unless [early.EnvLog] names a file. Only a regular
// file will do: /dev/stderr would end up in the reply, and a pipe could block. A log that can't be
// written is no reason to fail, and there is nobody to tell.
func openLog() *slog.Logger {
	off := slog.New(slog.DiscardHandler)
	name := os.Getenv(early.EnvLog)
	if name == "" {
		return off
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return off
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return off
	}
	if err := f.Chmod(0o600); err != nil { // somebody else's: others might read it
		return off
	}
	return slog.New(slog.NewTextHandler(f, nil)).With("pid", os.Getpid())
}
