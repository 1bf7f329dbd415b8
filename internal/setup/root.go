package setup

import (
	"os"
	"os/exec"
)

// Sudo reports whether there is a sudo to become root by.
func Sudo() bool {
	_, err := exec.LookPath("sudo")
	return err == nil
}

// AsRoot runs a line that a step needs of root, on the terminal, where sudo may ask for a password.
// Ctrl-C reaches it by itself.
func AsRoot(line string, in, out *os.File) error {
	cmd := exec.Command("sh", "-c", line)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, out
	return cmd.Run()
}
