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
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

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
	if len(args) == 2 && (args[1] == "--help" || args[1] == "-h") {
		fmt.Fprint(stdout, helpText)
		return exitOK
	}
	if len(args) >= 2 && args[1] == "explain" {
		return explain(args, stdout, stderr)
	}
	command, err := protocol.CheckArgs(args)
	switch {
	case err != nil && !isTerminal(stdin):
		fmt.Fprintln(stderr, err)
		return exitFail
	case err != nil:
		return misunderstood(args, stdout, stderr)
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

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// misunderstood answers a person who typed something that is no command.
func misunderstood(args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) <= 1:
		fmt.Fprint(stderr, helpText)
		return exitFail
	case slices.Contains(args[1:], "--help"), slices.Contains(args[1:], "-h"):
		fmt.Fprint(stdout, helpText)
		return exitOK
	}
	printError(stderr, problem{
		text: fmt.Sprintf("%q is no command of %s", strings.Join(args[1:], " "), Name),
		run:  Name + " --help",
	})
	return exitFail
}

const helpText = `mysql-secret-store-rds gives MySQL Shell IAM tokens for Amazon RDS and Aurora.

MySQL Shell calls it by itself once it is switched on:
  \option --persist credentialStore.helper rds

Usage:
  mysql-secret-store-rds explain <user@host:port>
        show, step by step, where the password for a server comes from; signs nothing
  mysql-secret-store-rds <version|store|get|erase|list>
        the calls of MySQL Shell: a JSON object on stdin, the reply on stdout
  mysql-secret-store-rds --help

Environment:
  MYSQL_SECRET_STORE_RDS_CONFIG     the configuration file (default: config.yaml in the
                                    folder mysql-secret-store-rds of the user's configuration)
  MYSQL_SECRET_STORE_RDS_CACHE_DIR  the folder for tokens (default: the folder
                                    mysql-secret-store-rds of the user's cache)
  MYSQL_SECRET_STORE_RDS_LOG        a file to log each decision to (default: none)

Exit codes: 0 success, 1 failure, or that of the helper a call was passed on to.
`
