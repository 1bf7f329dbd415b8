package delegate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/usr/bin/mysql-secret-store-login-path":     "login-path",
		"/usr/bin/mysql-secret-store-keychain.exe":   "keychain",
		"/opt/mysql-secret-store-x/my-own-helper.sh": "my-own-helper.sh",
	} {
		if got := (Helper{Path: filepath.FromSlash(path)}).Name(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// "none" is an answer of its own, wherever it is asked for.
func TestNone(t *testing.T) {
	t.Setenv(guard, "1")
	_, err := Find("none", os.Args[0])
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Setting != "none" || err.Error() != "no other helper is configured (delegate: none)" {
		t.Errorf("got %v", err)
	}
}

func TestGuard(t *testing.T) {
	dir := t.TempDir()
	self := executable(t)
	t.Setenv("PATH", dir)
	for setting, name := range map[string]string{"default": platform(runtime.GOOS), "some-helper": "some-helper", self: self} {
		t.Setenv(guard, "1")
		_, err := Find(setting, filepath.Join(dir, "mysqlsh"))
		var missing *MissingError
		if !errors.As(err, &missing) || missing.Setting != setting || err.Error() != fmt.Sprintf("the helper %q leads back to this one", name) {
			t.Errorf("%s: %v", setting, err)
		}
		t.Setenv(guard, "")
		if _, err := Find(setting, filepath.Join(dir, "mysqlsh")); err == nil || strings.Contains(err.Error(), "leads back") {
			t.Errorf("%s without the variable: %v", setting, err)
		}
	}
}

// The message has to tell which file is looked for, and where: it is what the user sees.
func TestMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(guard, "")
	t.Setenv("PATH", "")
	_, err := Find("default", filepath.Join(dir, "mysql-secret-store-rds"))
	name := map[string]string{"windows": "windows-credential", "darwin": "keychain"}[runtime.GOOS]
	if name == "" {
		name = "login-path"
	}
	want := `the helper "` + name + `" (mysql-secret-store-` + name + `) is neither in ` + dir + " nor on PATH"
	var missing *MissingError
	if !errors.As(err, &missing) || err.Error() != want || missing.Setting != "default" {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

func TestNameOnPlatform(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ setting, goos, want string }{
		{"default", "linux", "login-path"}, {"default", "darwin", "keychain"}, {"default", "windows", "windows-credential"},
		{"default", "freebsd", "login-path"}, {"keychain", "linux", "keychain"}, {"none", "linux", "none"},
		{"/opt/mysql-secret-store-login-path", "linux", "login-path"}, {"/opt/my-helper", "darwin", "my-helper"},
		{"mysql-secret-store-windows-credential.exe", "windows", "windows-credential"},
	} {
		if got := Name(tc.setting, tc.goos); got != tc.want {
			t.Errorf("%s on %s: %s, want %s", tc.setting, tc.goos, got, tc.want)
		}
	}
}
