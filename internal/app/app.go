// Package app is the program: it tells MySQL Shell's call from a person's, and owns the process:
// arguments, streams, log and exit code. (What package early has answered before main began never
// gets here.)
package app

import (
	"context"
	"fmt"
	"os"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cli"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/shell"
	"mysql-secret-store-rds/internal/term"
)

// Main runs the program and returns its exit code: 0 for success, 1 for failure, or the exit code
// of the helper that a call was passed on to.
func Main(args []string, stdin, stdout, stderr *os.File) int {
	command, err := protocol.CheckArgs(args)
	switch {
	case err != nil && len(args) > 0 && (term.Is(stdin) || cli.IsCommand(args[1:])):
		return cli.Run(cli.Streams{
			Args: args, Stdin: stdin, Stdout: stdout, Stderr: stderr, Log: openLog(), CatchStderr: catchStderr,
		})
	case err != nil: // a program's mistake gets the protocol's own words
		fmt.Fprintln(stderr, term.Visible(err.Error()))
		return 1
	case command == "version": // package early has answered, as a rule
		fmt.Fprintln(stdout, about.Version())
		return 0
	}
	ask := &credentials.Dialogue{}
	h := &shell.Helper{
		Argv0: args[0], Stdin: stdin, Stdout: stdout, Stderr: stderr, Log: openLog(),
		Options: password.Options{Code: ask.Code, Login: ask.Login, Catch: catchStderr},
	}
	code, err := h.Run(context.Background(), command)
	if err != nil {
		fmt.Fprintln(stderr, term.Visible(advice.Of(err).OneLine()))
		return 1
	}
	return code
}
