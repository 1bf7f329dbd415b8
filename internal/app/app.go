// Package app is the program: it tells what was asked for, wires the other packages together,
// and owns the process: arguments, streams, exit codes and every word that a person reads. (What
// package early has answered before main began never gets here.)
//
// In helper mode MySQL Shell reads stdout and stderr through one pipe, as one reply. So a
// success prints the reply and nothing else, a failure prints one line, and both go out at the
// end; nothing is ever printed on the way.
package app

import (
	"fmt"
	"os"

	"mysql-secret-store-rds/internal/early"
	"mysql-secret-store-rds/internal/protocol"
)

// Name is the program's name.
const Name = "mysql-secret-store-rds"

// Exit codes.
const (
	exitOK   = 0
	exitFail = 1
)

// Main runs the program and gives its exit code: 0 for success, 1 for failure, or the exit code
// of the helper that a call was passed on to.
func Main(args []string, stdin, stdout, stderr *os.File) int {
	command, err := protocol.CheckArgs(args)
	switch {
	case err != nil:
		return otherCall(err, args, stdin, stdout, stderr)
	case command == "version":
		fmt.Fprintln(stdout, early.Version()) // package early has answered, as a rule
		return exitOK
	}
	h := &helper{args: args, stdin: stdin, stdout: stdout, stderr: stderr, log: openLog()}
	code, err := h.run(command)
	if err != nil {
		fmt.Fprintln(stderr, oneLine(describe(err)))
		return exitFail
	}
	return code
}

// otherCall answers what is none of MySQL Shell's calls: a person's, or a program's mistake, which
// gets the protocol's own words.
func otherCall(mistake error, args []string, stdin, stdout, stderr *os.File) int {
	c := &console{args: args, stdin: stdin, stdout: &output{File: stdout}, stderr: stderr}
	root := c.root()
	if len(args) > 0 && (isTerminal(stdin) || isCommand(root, args[1:])) {
		return c.command(root)
	}
	fmt.Fprintln(stderr, mistake)
	return exitFail
}
