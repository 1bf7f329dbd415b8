//go:build unix

package connect

import (
	"os"
	"syscall"
)

// Become replaces this process by a program, which has the same streams; args has the path first.
// It returns only when that fails.
func Become(args, env []string, _, _, _ *os.File) (exitCode int, err error) {
	return 1, syscall.Exec(args[0], args, env)
}
