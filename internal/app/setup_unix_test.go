//go:build unix

package app_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSetupKnowsWhatAPersonDid: a link that setup left to root is setup's own later, also when it
// was all that there was to do; so it follows the program, and undo knows it.
func TestSetupKnowsWhatAPersonDid(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	root := t.TempDir()
	home, shell := filepath.Join(root, "home"), filepath.Join(root, "shell")
	if err := errors.Join(os.Mkdir(home, 0o755), os.Mkdir(shell, 0o755)); err != nil {
		t.Fatal(err)
	}
	writeProgram(t, filepath.Join(shell, "mysqlsh"), standIn)
	program, err := os.ReadFile(b.helper)
	if err != nil {
		t.Fatal(err)
	}
	// Each is another build of the same version.
	var builds []string
	for _, name := range []string{"one", "two", "three"} {
		builds = append(builds, filepath.Join(home, name))
		program = append(program, name...)
		if err := os.WriteFile(builds[len(builds)-1], program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	if os.Geteuid() == 0 {
		err := filepath.WalkDir(home, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, nobody, nobody))
		})
		if err := errors.Join(err, os.Chmod(filepath.Dir(root), 0o755), os.Chmod(root, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	call := func(code int, binary string, args ...string) string {
		t.Helper()
		if err := os.Chmod(shell, 0o555); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(shell, 0o755) }()
		cmd := exec.Command(binary, args...)
		cmd.Env = []string{"HOME=" + home, "PATH=/usr/bin:/bin:" + shell}
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
			t.Fatalf("%v: %v: %s", cmd.Args, err, out)
		}
		return string(out)
	}
	link := filepath.Join(shell, "mysql-secret-store-rds")
	for i, binary := range builds {
		code := 0
		if i == 0 {
			code = 1 // as the Shell has no helper yet
		}
		out := call(code, binary, "setup", "--yes", "--shell", filepath.Join(shell, "mysqlsh"))
		if want := "sudo ln -sfn " + binary + " " + link; !strings.Contains(out, want) {
			t.Fatalf("%s says nothing of %q:\n%s", binary, want, out)
		}
		_ = os.Remove(link) // the person types it
		if err := os.Symlink(binary, link); err != nil {
			t.Fatal(err)
		}
	}
	if out := call(0, builds[2], "setup", "--undo", "--yes"); !strings.Contains(out, "by hand  remove "+link+"\n         sudo rm "+link+"\n") {
		t.Errorf("undo:\n%s", out)
	}
}
