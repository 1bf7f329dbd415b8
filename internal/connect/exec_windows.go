package connect

import (
	"errors"
	"os"
	"os/exec"
)

// Become runs a program with these streams, and returns its exit code: Windows has no way to become
// another program.
func Become(args, env []string, stdin, stdout, stderr *os.File) (exitCode int, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}
