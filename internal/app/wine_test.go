package app_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// TestWindowsUnderWine drives the Windows build as MySQL Shell there does, installed by its own
// setup beside a Shell in C:\Program Files. Wine's unlink lacks what Windows' has, so that the other
// tests can't be run there.
func TestWindowsUnderWine(t *testing.T) {
	if os.Getenv("MYSQL_SECRET_STORE_RDS_TEST_WINE") == "" {
		t.Skip("it takes a minute: set MYSQL_SECRET_STORE_RDS_TEST_WINE where wine and mingw's gcc are")
	}
	w := startWindows(t)
	b, ours := w.bed, `C:\tools\mysql-secret-store-rds.exe`

	plan := w.run(t, ours, "setup", "--dry-run")
	want := `to do    copy ` + ours + ` to ` + w.shellFolder + `\mysql-secret-store-rds.exe`
	if !strings.Contains(plan, want) || !strings.Contains(plan, "Nothing was changed (--dry-run).") {
		t.Fatalf("setup --dry-run says no %q:\n%s", want, plan)
	}
	if done := w.run(t, ours, "setup", "--yes"); !strings.Contains(done, "done     copy ") {
		t.Fatalf("setup --yes says:\n%s", done)
	}

	now, before := w.shell(t), w.shell(t)
	before.Before94 = true
	for _, sh := range []testbed.Shell{now, before} {
		if got := w.call(t, sh, "version", nil); !strings.HasPrefix(got.Output, "mysql-secret-store-rds ") || got.ExitCode != 0 {
			t.Errorf("version: %+v", got)
		}
	}

	// A token, which the server takes; then the same from the cache.
	db, err := now.Login(w.ctx, "dba@"+orders+":3306", b.rds)
	if err != nil {
		t.Fatalf("%v: %v", err, b.rds.Refusals())
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	first, firstErr := now.Get(w.ctx, "dba@"+orders+":3306")
	time.Sleep(1100 * time.Millisecond) // a token that is signed later is another one
	again, err := before.Get(w.ctx, "dba@"+orders+":3306")
	if err := errors.Join(firstErr, err); err != nil || first != again {
		t.Errorf("a second get gave another token: %v", err)
	}
	if listed := w.run(t, ours, "cache", "list"); !strings.Contains(listed, orders) {
		t.Errorf("cache list says:\n%s", listed)
	}

	checkDelegateUnderWine(t, w, now, before)

	b.aws.SetServers("123456789012", "eu-west-1", someServers("123456789012", "eu-west-1", "abcdefghijkl"))
	found := w.run(t, ours, "discover", "--region", "eu-west-1")
	if listed := w.run(t, ours, "list-servers"); !strings.Contains(listed, "abcdefghijkl.eu-west-1") {
		t.Errorf("list-servers says:\n%s\nafter discover:\n%s", listed, found)
	}
}

// checkDelegateUnderWine has a password go to the helper from before, and come back.
func checkDelegateUnderWine(t *testing.T, w *windows, now, before testbed.Shell) {
	t.Helper()
	const elsewhere, password = "root@elsewhere.example:3306", "pä$$ \"wörd\\ %PATH%"
	if got := w.call(t, now, "store", now.Request(elsewhere, password)); got != (testbed.Reply{}) {
		t.Fatalf("store: %+v", got)
	}
	for _, sh := range []testbed.Shell{now, before} {
		if got, err := sh.Get(w.ctx, elsewhere); err != nil || got != password {
			t.Errorf("the password came back as %q: %v", got, err)
		}
		if got := w.call(t, sh, "list", nil); !strings.Contains(got.Output, elsewhere) || got.ExitCode != 0 {
			t.Errorf("list: %+v", got)
		}
	}
	if got := w.call(t, now, "erase", now.Request(elsewhere)); got != (testbed.Reply{}) {
		t.Errorf("erase: %+v", got)
	}
	var gone *testbed.HelperError
	if _, err := now.Get(w.ctx, elsewhere); !errors.As(err, &gone) || !gone.Silent {
		t.Errorf("get after erase: %v", err)
	}
}

// windows is a prefix of Wine's with a MySQL Shell in it, and the AWS configuration of a user.
type windows struct {
	bed          *bed
	ctx          context.Context
	env          []string
	wine, drive  string // the command; the folder that is C:
	shellFolder  string // in Windows' words
	shellFolderU string
}

func startWindows(t *testing.T) *windows {
	t.Helper()
	b := startBed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	prefix := filepath.Join(t.TempDir(), "wine")
	w := &windows{bed: b, ctx: ctx, wine: peer(t, "wine"), drive: filepath.Join(prefix, "drive_c"),
		shellFolder: `C:\Program Files\MySQL\MySQL Shell 9.6\bin`}
	w.shellFolderU = filepath.Join(w.drive, "Program Files", "MySQL", "MySQL Shell 9.6", "bin")
	w.env = slices.Concat(b.env(), []string{"WINEPREFIX=" + prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml="})
	w.start(t, w.wine, "wineboot", "--init")
	t.Cleanup(func() {
		stop := exec.Command("wineserver", "--kill", "--wait") // of this prefix
		stop.Env = w.env
		_ = stop.Run() // it may have ended by itself
	})

	// Go takes its random numbers from a DLL that this Wine hasn't got.
	def := filepath.Join(t.TempDir(), "bcryptprimitives.def")
	if err := writeFile(def, "LIBRARY bcryptprimitives\nEXPORTS\n  ProcessPrng=advapi32.SystemFunction036\n"); err != nil {
		t.Fatal(err)
	}
	w.start(t, peer(t, "x86_64-w64-mingw32-gcc"), "-shared", "-nostdlib", "-Wl,-e,0", "-o",
		filepath.Join(w.drive, "windows", "system32", "bcryptprimitives.dll"), def)

	for target, pkg := range map[string]string{
		filepath.Join(w.drive, "tools", "mysql-secret-store-rds.exe"):              "cmd/mysql-secret-store-rds",
		filepath.Join(w.shellFolderU, "mysql-secret-store-windows-credential.exe"): "internal/testbed/fakehelper",
		filepath.Join(w.shellFolderU, "mysqlsh.exe"):                               "internal/testbed/fakehelper",
	} {
		build := exec.CommandContext(ctx, "go", "build", "-o", target, "mysql-secret-store-rds/"+pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	w.signIn(t)
	return w
}

// signIn gives Windows' user the keys of the bed's.
func (w *windows) signIn(t *testing.T) {
	t.Helper()
	users, err := filepath.Glob(filepath.Join(w.drive, "users", "*"))
	users = slices.DeleteFunc(users, func(u string) bool { return filepath.Base(u) == "Public" })
	if err != nil || len(users) != 1 {
		t.Fatalf("Wine's users are %v (%v)", users, err)
	}
	keys, err := os.ReadFile(filepath.Join(w.bed.home, ".aws", "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(users[0], ".aws")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "credentials"), keys, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// start runs a program of Linux'.
func (w *windows) start(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(w.ctx, name, args...)
	cmd.Env = w.env
	if err := cmd.Run(); err != nil { // no pipe, which Wine's server would hold open
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
}

// run runs a program of Windows' that has to succeed, and gives what it prints.
func (w *windows) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(w.ctx, w.wine, args...)
	cmd.Env = w.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n")
}

// shell is the Shell whose helper setup has installed. It starts it by way of a script, as Linux
// doesn't know what to do with it.
func (w *windows) shell(t *testing.T) testbed.Shell {
	t.Helper()
	script := filepath.Join(t.TempDir(), "mysql-secret-store-rds")
	writeProgram(t, script, "#!/bin/sh\nexec '"+w.wine+"' '"+w.shellFolder+`\mysql-secret-store-rds.exe' "$@"`+"\n")
	return testbed.Shell{Helper: script, Env: w.env, Dir: w.bed.home, NoTerminal: true}
}

func (w *windows) call(t *testing.T, sh testbed.Shell, command string, input []byte) testbed.Reply {
	t.Helper()
	reply, err := sh.Call(w.ctx, command, input)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}
