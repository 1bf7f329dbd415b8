package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mysql-secret-store-rds/internal/advice"
)

// stable gives the path of a program that its next upgrade leaves alone: Homebrew's opt/<formula> leads to the version in
// use, Cellar/<formula>/<version> goes away with it (Homebrew documentation, "Formula Cookbook").
func stable(binary string) string {
	prefix, rest, _ := strings.Cut(filepath.ToSlash(binary), "/Cellar/")
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) < 3 {
		return binary
	}
	opt := filepath.FromSlash(prefix + "/opt/" + parts[0] + "/" + parts[2])
	if sameFile(opt, binary) {
		return opt
	}
	return binary
}

// sameFile says whether two paths lead to one file.
func sameFile(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

func version(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	word := "--version"
	if strings.HasPrefix(filepath.Base(path), Name) {
		word = "version"
	}
	cmd := exec.CommandContext(ctx, path, word)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// temporary says whether this program is one that go run made, and will remove.
func (s System) temporary() bool { return strings.Contains(filepath.ToSlash(s.Binary), "/go-build") }

// leadsHere says whether a path is this program: a link to it, itself, or, on Windows, a copy.
func (s System) leadsHere(path string) bool {
	if same := sameFile(path, s.Binary); same || s.GOOS != "windows" {
		return same
	}
	a, err1 := os.ReadFile(path)
	b, err2 := os.ReadFile(s.Binary)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

// Program says whether a path, links followed, is one that can be run.
func (s System) Program(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (s.GOOS == "windows" || info.Mode()&0o111 != 0)
}

// build gives what a file, links followed, says of its version when it is this program; "" when it is something else. It is
// asked only if it can be run.
func (s System) build(path string) string {
	if !s.Program(path) {
		return ""
	}
	if said := s.Version(context.Background(), path); strings.HasPrefix(said, Name+" ") {
		return said
	}
	return ""
}

// older says whether one build tells a lower version than another: "mysql-secret-store-rds 1.2.3 (commit …)". One that
// tells no numbers is not older.
func older(a, b string) bool {
	numbers := func(build string) (list []int) {
		word, _, _ := strings.Cut(strings.TrimPrefix(build, Name+" "), " ")
		word, _, _ = strings.Cut(strings.TrimPrefix(word, "v"), "-")
		for n := range strings.SplitSeq(word, ".") {
			i, err := strconv.Atoi(n)
			if err != nil {
				return nil
			}
			list = append(list, i)
		}
		return list
	}
	one, other := numbers(a), numbers(b)
	return one != nil && other != nil && slices.Compare(one, other) < 0
}

// usable says whether a Shell that finds a file there has this program for a helper, in whichever version.
func (s System) usable(path string) bool { return s.leadsHere(path) || s.build(path) != "" }

// leadsNowhere says whether a link ends in no file at all.
func leadsNowhere(path string) bool {
	_, err := os.Stat(path)
	return absent(err) || errors.Is(err, syscall.ELOOP)
}

// isSelf says whether a path is the very file of this program.
func (s System) isSelf(path string) bool { return sameFile(path, s.Binary) }

// place makes path a link to a program, or a copy.
func (s System) place(path, to string, copied bool) error {
	// The Shell takes every file that begins as helpers do for one, also what is left by a setup that was killed.
	tmp := filepath.Join(filepath.Dir(path), "."+Name+".new")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var err error
	if copied {
		var program []byte
		if program, err = os.ReadFile(to); err == nil {
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
	return filepath.Join(s.Root+string(filepath.Separator), "usr", "local", "bin", Name)
}

// placeByHand is what a person has to type instead of place, and where a link at path leads then. One that takes the place of
// another user's must not lead to what is one user's at all.
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
	if has := s.build(target); has != "" && !older(has, s.Version(context.Background(), s.Binary)) {
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
