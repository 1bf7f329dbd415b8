//go:build unix

package app_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/advice"
)

// closedShell is a MySQL Shell in a folder that its user may not write to, though a sudo may.
type closedShell struct {
	home, folder, program string
	env                   []string
	command               string // that calls the program as that user
}

// newClosedShell returns one whose user is nobody, when the tests run as root. The sudo on its PATH
// says how it was called, and lets everything be done, unless HOME has a file no-sudo.
func newClosedShell(t *testing.T) *closedShell {
	t.Helper()
	root := t.TempDir()
	s := &closedShell{home: filepath.Join(root, "home"), folder: filepath.Join(root, "shell")}
	s.program = filepath.Join(s.home, "bin", "mysql-secret-store-rds")
	text, err := os.ReadFile(program)
	err = errors.Join(err, os.MkdirAll(filepath.Dir(s.program), 0o755), os.Mkdir(s.folder, 0o755))
	if err := errors.Join(err, os.WriteFile(s.program, text, 0o755)); err != nil {
		t.Fatal(err)
	}
	writeProgram(t, filepath.Join(s.folder, "mysqlsh"), standIn)
	sudo := "#!/bin/sh\necho \"sudo is to run: $*\"\ntest ! -e $HOME/no-sudo || exit 1\n" +
		"chmod u+w '" + s.folder + "'\n\"$@\"\ncode=$?\nchmod u-w '" + s.folder + "'\nexit $code\n"
	writeProgram(t, filepath.Join(s.home, "bin", "sudo"), sudo)
	s.env = []string{"HOME=" + s.home, "SHELL=/bin/bash", "PATH=" + filepath.Join(s.home, "bin") + ":/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	s.command = advice.Word(s.program)
	if os.Geteuid() == 0 {
		const nobody = 65534
		for _, dir := range []string{s.home, s.folder} {
			if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
				return errors.Join(err, os.Lchown(path, nobody, nobody))
			}); err != nil {
				t.Fatal(err)
			}
		}
		s.command = fmt.Sprintf("%s --reuid=%d --regid=%d --clear-groups %s", peer(t, "setpriv"), nobody, nobody, s.command)
	}
	if err := errors.Join(os.Chmod(filepath.Dir(root), 0o755), os.Chmod(root, 0o755), os.Chmod(s.folder, 0o555)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(s.folder, 0o755) })
	return s
}

// call calls the program without a terminal, and returns what it says.
func (s *closedShell) call(t *testing.T, code int, args string) string {
	t.Helper()
	cmd := exec.Command("setsid", "-w", "sh", "-c", s.command+" "+args)
	cmd.Env, cmd.Dir = s.env, s.home
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%s: %v: %s", args, err, out)
	}
	return string(out)
}

func (s *closedShell) options(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.home, ".mysqlsh", "options.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

func (s *closedShell) link() string { return filepath.Join(s.folder, "mysql-secret-store-rds") }

// TestSetupWaitsForRoot: a Shell whose helper takes root keeps its option, setup prints the command
// and fails, and a second one finishes.
func TestSetupWaitsForRoot(t *testing.T) {
	t.Parallel()
	s := newClosedShell(t)
	shell := " --shell " + filepath.Join(s.folder, "mysqlsh")
	for range 2 {
		out := s.call(t, 1, "setup --yes"+shell)
		for _, want := range []string{
			"  sudo ln -sfn " + s.program + " " + s.link() + "\n",
			"  then run again, to finish: mysql-secret-store-rds setup" + shell + "\n",
			"MySQL Shell stays as it is until root has put the helper there:",
		} {
			if strings.Count(out, want) != 1 {
				t.Errorf("it doesn't say once %q:\n%s", want, out)
			}
		}
		if got := s.options(t); got != "" {
			t.Errorf("the option was switched: %s", got)
		}
	}
	if out := s.call(t, 0, "setup --dry-run"+shell); !strings.Contains(out, "sudo ln -sfn ") {
		t.Errorf("a dry run says\n%s", out)
	}
	if err := os.Symlink(s.program, s.link()); err != nil && os.Geteuid() != 0 {
		t.Fatal(errors.Join(os.Chmod(s.folder, 0o755), os.Symlink(s.program, s.link()), os.Chmod(s.folder, 0o555)))
	}
	if out := s.call(t, 0, "setup --yes"+shell); !strings.Contains(out, "MySQL Shell asks this helper from its next start on.") {
		t.Errorf("the second setup says\n%s", out)
	}
	if got := s.options(t); got != "{\"credentialStore.helper\": \"rds\"}\n" {
		t.Errorf("options: %s", got)
	}
}

// TestSetupOffersSudo: on a terminal setup runs the one command that takes root, when the person says
// so, and goes on.
func TestSetupOffersSudo(t *testing.T) {
	t.Parallel()
	s := newClosedShell(t)
	command := s.command + " setup --shell " + filepath.Join(s.folder, "mysqlsh")

	screen := newScreen(t, s.env, command)
	screen.wait("which takes root", "Do this? [y/N]")
	screen.press("y", "Enter")
	screen.wait("done ", "This takes root:", "sudo ln -sfn", "Run it now? [y/N]")
	screen.press("n", "Enter")
	shown := screen.wait("then run again, to finish: mysql-secret-store-rds setup", "exit code 1")
	if strings.Contains(shown, "sudo is to run") || s.options(t) != "" {
		t.Errorf("it was done:\n%s", shown)
	}

	// Root says no.
	refusal := filepath.Join(s.home, "no-sudo")
	if err := os.WriteFile(refusal, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	screen = newScreen(t, s.env, command)
	screen.wait("Run it now? [y/N]") // and nothing else is left to ask
	screen.press("y", "Enter")
	screen.wait("sudo is to run: ln -sfn", "error: sudo ln -sfn", "exit status 1", "exit code 1")
	if s.options(t) != "" {
		t.Error("the option was switched")
	}

	if err := os.Remove(refusal); err != nil {
		t.Fatal(err)
	}
	screen = newScreen(t, s.env, command)
	screen.wait("Run it now? [y/N]")
	screen.press("y", "Enter")
	screen.wait("sudo is to run: ln -sfn", "done     link", "done     set credentialStore.helper to rds", "MySQL Shell asks this helper", "exit code 0")
	if got := s.options(t); got != "{\"credentialStore.helper\": \"rds\"}\n" {
		t.Errorf("options: %s", got)
	}
}

// TestSetupFitsTheTerminal: the plan is wrapped to its width, with ~ for the home.
func TestSetupFitsTheTerminal(t *testing.T) {
	t.Parallel()
	s := newClosedShell(t)
	screen := newScreen(t, s.env, s.command+" setup --dry-run --shell "+filepath.Join(s.folder, "mysqlsh"))
	shown := screen.wait("exit code 0", "rds in ~/.mysqlsh/options.json: not while no MySQL Shell has\n         the helper\n")
	if !strings.Contains(strings.ReplaceAll(shown, "\n", ""), "sudo ln -sfn "+s.program+" "+s.link()) {
		t.Errorf("the command is not as it is to be typed:\n%s", shown)
	}
}

// TestSetupTakesNo: an answer that isn't yes is no error.
func TestSetupTakesNo(t *testing.T) {
	t.Parallel()
	s := newClosedShell(t)
	screen := newScreen(t, s.env, s.command+" setup --shell "+filepath.Join(s.folder, "mysqlsh"))
	screen.wait("Do this? [y/N]")
	screen.press("n", "Enter")
	if shown := screen.wait("Nothing was changed.", "exit code 1"); strings.Contains(shown, "error:") {
		t.Errorf("an error:\n%s", shown)
	}
}
