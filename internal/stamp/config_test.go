package stamp

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNamed(t *testing.T) {
	dir := t.TempDir()
	named := filepath.Join(dir, "my.yaml")
	t.Setenv(EnvConfig, named)

	_, err := ReadConfig()
	if want := named + ": no such file, but MYSQL_SECRET_STORE_RDS_CONFIG names it"; err == nil || err.Error() != want {
		t.Errorf("a named file that is missing: %v, want %s", err, want)
	}
	for _, text := range []string{"", "cache: false\n", strings.Repeat("# long\n", 30_000)} {
		write(t, named, text)
		f, err := ReadConfig()
		if err != nil || f.Path != named || f.Data == nil {
			t.Fatalf("ReadConfig = %+v, %v", f, err)
		}
		if diff := cmp.Diff(text, string(f.Data)); diff != "" {
			t.Errorf("content (-want +got):\n%s", diff)
		}
	}
	t.Setenv(EnvConfig, dir)
	_, err = ReadConfig()
	if err == nil || !strings.HasPrefix(err.Error(), "read configuration: ") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder: %v", err)
	}
}

// setHome makes dir the place of os.UserConfigDir() on every platform; "" takes it away.
func setHome(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData", "USERPROFILE", "home"} {
		t.Setenv(name, dir)
	}
}

func TestDefault(t *testing.T) {
	setHome(t, t.TempDir())
	dir, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "mysql-secret-store-rds", "config.yaml")
	missing, err := ReadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ConfigFile{Path: file, Stamp: "none"}, missing); diff != "" {
		t.Errorf("no file (-want +got):\n%s", diff)
	}
	write(t, file, "cache: true\n")
	f, err := ReadConfig()
	if err != nil || f.Path != file || string(f.Data) != "cache: true\n" {
		t.Fatalf("Read = %+v, %v", f, err)
	}
	if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder in the file's place: %v", err)
	}
}

func TestWithoutHome(t *testing.T) {
	setHome(t, "")
	if _, err := os.UserConfigDir(); err == nil {
		t.Skip("this platform has a place without the environment")
	}
	f, err := ReadConfig()
	if diff := cmp.Diff(ConfigFile{Path: "$MYSQL_SECRET_STORE_RDS_CONFIG", Stamp: "none"}, f); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestStamp: each change of the content changes it, even when size and time stay; so does each of
// these; and it stays as long as the file does.
func TestStamp(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	at := time.Unix(1_700_000_000, 0)
	stamp := func(text string, at time.Time) string {
		t.Helper()
		write(t, file, text)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		f, err := readConfig(file)
		if err != nil {
			t.Fatal(err)
		}
		return f.Stamp
	}
	seen := map[string]string{"none": "no file"}
	for _, text := range []string{"", " ", "cache: true", "cache: tru\n", "cachE: true", "cache: false"} {
		s := stamp(text, at)
		if first, dup := seen[s]; dup {
			t.Errorf("%q and %q have one stamp", first, text)
		}
		seen[s] = text
		if stamp(text, at) != s {
			t.Errorf("%q: another stamp for the same file", text)
		}
		if stamp(text, at.Add(time.Second)) == s {
			t.Errorf("%q: the same stamp at another time", text)
		}
	}
}
