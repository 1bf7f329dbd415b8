package app

import (
	"log/slog"
	"os"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/early"
)

// openLog returns the log, which goes nowhere unless [early.EnvLog] names a file. Only a regular
// file of the user's own will do, and no link to one: /dev/stderr would end up in the reply, a pipe
// could block, and whoever plants a link would have another file changed. A log that can't be
// written is no reason to fail, and there is nobody to tell.
func openLog() *slog.Logger {
	off := slog.New(slog.DiscardHandler)
	name := os.Getenv(early.EnvLog)
	if name == "" {
		return off
	}
	f, err := disk.OpenLog(name)
	if err != nil {
		return off
	}
	return slog.New(slog.NewTextHandler(f, nil)).With("pid", os.Getpid())
}
