package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
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
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	word := "--version"
	if strings.HasPrefix(filepath.Base(path), about.Name) {
		word = "version"
	}
	cmd := exec.CommandContext(ctx, path, word)
	cmd.WaitDelay = time.Second
	out := &disk.Limited{Limit: 64 << 10, OnFull: cancel} // it is a line
	cmd.Stdout = out
	err := cmd.Run()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out.Bytes()), "\n")
	return strings.TrimSpace(line)
}

// temporary reports whether this program is one that go run made, and will remove.
func (s System) temporary() bool { return strings.Contains(filepath.ToSlash(s.Binary), "/go-build") }

// placing is the file that takes path's place when it is done. MySQL Shell takes every file that
// begins as helpers do for one, also what a setup that was killed has left.
func placing(path string) string { return filepath.Join(filepath.Dir(path), "."+about.Name+".new") }

// place makes path a link to a program, or a copy.
func (s System) place(path, to string, copied bool) error {
	tmp := placing(path)
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	install := "sudo install -m 755 " + advice.Word(s.Binary) + " " + advice.Word(target)
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

func linkByHand(to, path string) string {
	return "sudo ln -sfn " + advice.Word(to) + " " + advice.Word(path)
}

// removeByHand is what a person has to type to remove a file.
func (s System) removeByHand(path string) string {
	switch {
	case s.GOOS == "windows" && s.Writable(filepath.Dir(path)):
		return fmt.Sprintf(`del "%s"`, path)
	case s.GOOS == "windows":
		return fmt.Sprintf(`as Administrator: del "%s"`, path)
	case s.Writable(filepath.Dir(path)):
		return "rm " + advice.Word(path)
	}
	return "sudo rm " + advice.Word(path)
}
