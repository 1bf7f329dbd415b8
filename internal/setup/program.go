package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/disk"
)

// stable returns the path of a program that its next upgrade leaves alone: Homebrew's opt/<formula>
// leads to the version in use, Cellar/<formula>/<version> goes away with it (Homebrew
// documentation, "Formula Cookbook").
func stable(binary string) string {
	prefix, rest, _ := strings.Cut(filepath.ToSlash(binary), "/Cellar/")
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) < 3 {
		return binary
	}
	opt := filepath.FromSlash(prefix + "/opt/" + parts[0] + "/" + parts[2])
	if disk.SameFile(opt, binary) {
		return opt
	}
	return binary
}

func version(ctx context.Context, path string) string {
	word := "--version"
	if strings.HasPrefix(filepath.Base(path), about.Name) {
		word = "version"
	}
	line, _, _ := strings.Cut(delegate.Says(ctx, 10*time.Second, path, word), "\n")
	return strings.TrimSpace(line)
}

// placing is the file that takes path's place when it is done. MySQL Shell takes every file that
// begins as helpers do for one, also what a setup that was killed has left.
func placing(path string) string { return filepath.Join(filepath.Dir(path), "."+about.Name+".new") }

// place makes path a link to a program, or a copy.
func (s System) place(path, to string, copied bool) error {
	tmp := placing(path)
	if err := os.Remove(tmp); err != nil && !absent(err) {
		return err
	}
	var err error
	if copied {
		var program []byte
		if program, err = readProgram(to); err == nil {
			err = errors.Join(os.WriteFile(tmp, program, 0o755), os.Chmod(tmp, 0o755)) // whatever the umask
		}
	} else {
		err = os.Symlink(to, tmp)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return nil
}

// common is where every user can run a program.
func (s System) common() string {
	return filepath.Join(s.Root+string(filepath.Separator), "usr", "local", "bin", about.Name)
}

// placeByHand is what a person has to type instead of place, and where a link at path leads then.
// One that takes the place of another user's must not lead to what is one user's at all.
func (s System) placeByHand(path string, anothers bool) (target, command string) {
	if s.GOOS == "windows" { // both its shells read these quotes, and no path has one
		return s.Binary, fmt.Sprintf(`as Administrator: copy "%s" "%s"`, s.Binary, path)
	}
	target = s.common()
	if s.Binary == target || !anothers {
		return s.Binary, linkByHand(s.Binary, path)
	}
	install := installByHand(s.Binary, target)
	if s.GOOS == "darwin" { // which doesn't come with that folder
		install = "sudo mkdir -p " + advice.Word(filepath.Dir(target)) + " && " + install
	}
	if path == target {
		return target, install
	}
	if h := s.identify(target); h.serves() && !s.outdated(h) {
		return target, linkByHand(target, path)
	}
	return target, install + " && " + linkByHand(target, path)
}

func linkByHand(to, path string) string { return advice.Words("sudo", "ln", "-sfn", to, path) }

func installByHand(program, path string) string {
	return advice.Words("sudo", "install", "-m", "755", program, path)
}

// removeByHand is what a person has to type to remove a file.
func (s System) removeByHand(path string) string {
	as, remove := "sudo ", advice.Words("rm", path)
	if s.GOOS == "windows" {
		as, remove = "as Administrator: ", fmt.Sprintf(`del "%s"`, path)
	}
	if s.Writable(filepath.Dir(path)) {
		return remove
	}
	return as + remove
}

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
