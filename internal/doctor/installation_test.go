package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/setup"
	"mysql-secret-store-rds/internal/testbed"
)

// installed is an installation in order, in a folder of its own.
func installed(t *testing.T) (in Installation, helper string) {
	t.Helper()
	dir := t.TempDir()
	shells := filepath.Join(dir, "bin")
	in = Installation{
		Binary: filepath.Join(dir, about.Name+exe()), Shells: []Shell{{Path: filepath.Join(shells, "mysqlsh"+exe()), Version: "9.6.0"}},
		OptionsFile: "options.json", Option: "rds", Delegate: "/bin/mysql-secret-store-login-path",
		ConfigFile: filepath.Join(dir, "config.yaml"), CacheDir: filepath.Join(dir, "cache"),
	}
	helper = filepath.Join(shells, about.Name+exe())
	err := errors.Join(os.Mkdir(shells, 0o755), os.Mkdir(in.CacheDir, 0o700), os.WriteFile(in.ConfigFile, nil, 0o600),
		os.WriteFile(in.Binary, []byte("this build"), 0o755), os.WriteFile(helper, []byte("this build"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	return in, helper
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// check returns what CheckInstallation reports. A helper that says so is another build.
func check(ctx context.Context, in Installation) (list []Finding) {
	sys := setup.System{GOOS: runtime.GOOS, Binary: in.Binary, Version: func(_ context.Context, path string) string {
		if text, _ := os.ReadFile(path); strings.HasSuffix(string(text), "build") {
			return about.Name + " 0.1.0"
		}
		return ""
	}}
	for i, sh := range in.Shells {
		in.Shells[i].Helper = sys.Identify(ctx, sys.Beside(setup.ShellAt(sh.Path)))
	}
	CheckInstallation(ctx, in, func(f Finding) { list = append(list, f) })
	return list
}

func TestInstallation(t *testing.T) {
	t.Parallel()
	link := func(t *testing.T, to, path string) {
		t.Helper()
		if runtime.GOOS == "windows" {
			t.Skip("no symbolic links")
		}
		if err := errors.Join(os.Remove(path), os.Symlink(to, path)); err != nil {
			t.Fatal(err)
		}
	}
	// In the texts, DIR is the folder of the test.
	good := []string{
		"ok shell: DIR/bin/mysqlsh, 9.6.0",
		"ok helper: DIR/bin/mysql-secret-store-rds is this build",
		"ok option: credentialStore.helper is rds (options.json)",
		"ok delegate: /bin/mysql-secret-store-login-path keeps the passwords that you save",
		"ok configuration: DIR/config.yaml is valid",
		"ok cache: DIR/cache is private and can be written",
		"warn clock: can't tell: there is no AWS configuration to ask STS by",
	}
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, in *Installation, helper string)
		want   []string // in place of the good one with the same name
		do     string
	}{
		{"all is well", func(*testing.T, *Installation, string) {}, nil, ""},
		{"a link", func(t *testing.T, in *Installation, helper string) { link(t, in.Binary, helper) }, nil, ""},
		{"no Shell", func(_ *testing.T, in *Installation, _ string) { in.Shells = nil },
			[]string{"warn shell: no MySQL Shell found in PATH or the usual places", "- helper"}, "https://dev.mysql.com/downloads/shell/"},
		{"no version", func(_ *testing.T, in *Installation, _ string) { in.Shells[0].Version = "" },
			[]string{"warn shell: DIR/bin/mysqlsh doesn't tell its version: it can't be run, or is no MySQL Shell"}, "DIR/bin/mysqlsh --version"},
		{"another program", func(t *testing.T, in *Installation, helper string) {
			write(t, helper, "something else", 0o755)
		}, []string{"fail helper: DIR/bin/mysql-secret-store-rds is not this program: look at it, and move it away"}, "ls -l DIR/bin/mysql-secret-store-rds"},
		{"another version", func(t *testing.T, in *Installation, helper string) {
			write(t, helper, "that other build", 0o755)
		}, []string{"warn helper: DIR/bin/mysql-secret-store-rds is another build than DIR/mysql-secret-store-rds; setup replaces it where it is yours, and older"}, runSetup},
		{"neither Shell nor option", func(_ *testing.T, in *Installation, _ string) { in.Shells, in.Option = nil, "" },
			[]string{"warn shell: no MySQL Shell found in PATH or the usual places", "- helper",
				"warn option: credentialStore.helper is not set (options.json), which matters when there is a MySQL Shell"}, "https://dev.mysql.com/downloads/shell/"},
		{"no helper", func(t *testing.T, _ *Installation, helper string) { remove(t, helper) },
			[]string{"fail helper: there is no mysql-secret-store-rds beside DIR/bin/mysqlsh"}, runSetup},
		{"a dangling link", func(t *testing.T, in *Installation, helper string) { link(t, filepath.Dir(in.Binary)+"/old", helper) },
			[]string{"fail helper: DIR/bin/mysql-secret-store-rds leads to DIR/old, which is not there"}, runSetup},
		{"a link in a circle", func(t *testing.T, in *Installation, helper string) { link(t, filepath.Base(helper), helper) },
			[]string{"fail helper: DIR/bin/mysql-secret-store-rds can't be used: stat DIR/bin/mysql-secret-store-rds: too many levels of symbolic links"}, runSetup},
		{"a program that this user may not run", func(t *testing.T, in *Installation, helper string) {
			if runtime.GOOS == "windows" || os.Geteuid() == 0 {
				t.Skip("no program is closed to this user")
			}
			write(t, helper, "this build", 0o611)
		}, []string{"fail helper: DIR/bin/mysql-secret-store-rds can't be used: permission denied"}, runSetup},
		{"another build of the same size", func(t *testing.T, _ *Installation, helper string) { write(t, helper, "that build", 0o755) },
			[]string{"warn helper: DIR/bin/mysql-secret-store-rds is another build than DIR/mysql-secret-store-rds; setup replaces it where it is yours, and older"}, runSetup},
		{"another build", func(t *testing.T, _ *Installation, helper string) { write(t, helper, "build", 0o755) },
			[]string{"warn helper: DIR/bin/mysql-secret-store-rds is another build than DIR/mysql-secret-store-rds; setup replaces it where it is yours, and older"}, runSetup},
		{"no program", func(t *testing.T, _ *Installation, helper string) {
			if runtime.GOOS == "windows" {
				t.Skip("no modes")
			}
			write(t, helper, "this build", 0o644)
		}, []string{"fail helper: DIR/bin/mysql-secret-store-rds is no program, so that the Shell passes it over"}, runSetup},
		{"option not set", func(_ *testing.T, in *Installation, _ string) { in.Option = "" },
			[]string{"fail option: credentialStore.helper is not set (options.json)"}, runSetup},
		{"another helper", func(_ *testing.T, in *Installation, _ string) { in.Option = "keychain" },
			[]string{"fail option: credentialStore.helper is keychain, not rds (options.json)"}, runSetup},
		{"options that can't be read", func(_ *testing.T, in *Installation, _ string) { in.OptionsErr = errors.New("options.json: not JSON") },
			[]string{"fail option: options.json: not JSON"}, ""},
		{"no delegate", func(_ *testing.T, in *Installation, _ string) { in.Delegate = "" },
			[]string{"ok delegate: none: passwords are not kept"}, ""},
		{"no such delegate", func(_ *testing.T, in *Installation, _ string) {
			in.DelegateErr = &delegate.Error{Err: errors.New("no helper keychain"), ConfigFile: "config.yaml"}
		},
			[]string{"warn delegate: passwords are not kept: no helper keychain"},
			`name one that is there (or its path) in config.yaml, or none:  delegate: none`},
		{"a bad configuration", func(_ *testing.T, in *Installation, _ string) { in.ConfigErr = errors.New("config.yaml:3: no") },
			[]string{"warn delegate: not checked: the configuration can't be read", "fail configuration: config.yaml:3: no"}, ""},
		{"no configuration", func(t *testing.T, in *Installation, _ string) { remove(t, in.ConfigFile) },
			[]string{"ok configuration: none, which is fine (DIR/config.yaml)"}, ""},
		{"no cache", func(_ *testing.T, in *Installation, _ string) { in.CacheDir = "" },
			[]string{"ok cache: off: each connection signs a new token"}, ""},
		{"no place for a cache", func(_ *testing.T, in *Installation, _ string) { in.CacheErr = errors.New("no home") },
			[]string{"warn cache: no home"}, ""},
		{"a cache to come", func(_ *testing.T, in *Installation, _ string) { in.CacheDir += "/a/b" },
			[]string{"ok cache: DIR/cache/a/b will be made when there is something to keep"}, ""},
		{"a file for a cache", func(_ *testing.T, in *Installation, _ string) { in.CacheDir = in.ConfigFile },
			[]string{"warn cache: nothing can be kept in DIR/config.yaml: DIR/config.yaml is no folder"}, ""},
		{"an open cache", func(t *testing.T, in *Installation, _ string) {
			if runtime.GOOS == "windows" {
				t.Skip("no modes")
			}
			if err := os.Chmod(in.CacheDir, 0o755); err != nil {
				t.Fatal(err)
			}
		}, []string{"warn cache: DIR/cache is open to other users (mode 0755); its files are not"}, "chmod 700 DIR/cache"},
		{"a cache that can't be written", func(t *testing.T, in *Installation, _ string) {
			if runtime.GOOS == "windows" || os.Geteuid() == 0 {
				t.Skip("no folder is closed to this user")
			}
			if err := os.Chmod(in.CacheDir, 0o500); err != nil {
				t.Fatal(err)
			}
		}, []string{"warn cache: nothing can be kept in DIR/cache: open DIR/cache/doctor-N: permission denied"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in, helper := installed(t)
			tc.change(t, &in, helper)
			list := check(t.Context(), in)
			plain := func(s string) string {
				s = strings.ReplaceAll(s, filepath.Dir(in.Binary), "DIR")
				return digits.ReplaceAllString(strings.ReplaceAll(filepath.ToSlash(s), ".exe", ""), "doctor-N")
			}
			var got []string
			do := ""
			for i, line := range lines(list, func(Finding) bool { return true }) {
				got = append(got, plain(line))
				for _, d := range list[i].Do {
					do += plain(d)
				}
			}
			want := slices.Clone(good)
			for _, w := range tc.want {
				name := strings.Fields(w)[1]
				i := slices.IndexFunc(want, func(line string) bool { return strings.Fields(line)[1] == strings.TrimSuffix(name, ":")+":" })
				if want[i] = w; strings.HasPrefix(w, "- ") {
					want = slices.Delete(want, i, i+1)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if do != tc.do {
				t.Errorf("do %q, want %q", do, tc.do)
			}
			if info, err := os.ReadDir(filepath.Join(filepath.Dir(in.Binary), "cache")); err != nil || len(info) > 0 {
				t.Errorf("left in the cache: %v, %v", info, err)
			}
		})
	}
}

// TestVSCode: MySQL Shell for VS Code has an option of its own, which stands with it.
func TestVSCode(t *testing.T) {
	t.Parallel()
	const file = "mysqlsh-gui/options.json"
	for _, tc := range []struct {
		own  Options
		want string
	}{
		{Options{file, "rds", nil}, "ok option: credentialStore.helper is rds (" + file + ", of MySQL Shell for VS Code)"},
		{Options{file, "", nil}, "fail option: credentialStore.helper is not set (" + file + ", of MySQL Shell for VS Code)"},
		{Options{file, "keychain", nil}, "fail option: credentialStore.helper is keychain, not rds (" + file + ", of MySQL Shell for VS Code)"},
		{Options{file, "", errors.New("no JSON")}, "fail option: no JSON"},
	} {
		in, _ := installed(t)
		in.Shells[0].Own, in.Option = &tc.own, ""
		got := lines(check(t.Context(), in), func(f Finding) bool { return f.Name == "option" })
		want := []string{tc.want, "warn option: credentialStore.helper is not set (options.json), which matters when there is a MySQL Shell"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		in.Option = "keychain"
		if got = lines(check(t.Context(), in), func(f Finding) bool { return f.Name == "option" }); !strings.HasPrefix(got[1], "warn option: ") {
			t.Errorf("%q", got)
		}
		in.Shells = append(in.Shells, in.Shells[0])
		in.Shells[1].Own = nil
		if got = lines(check(t.Context(), in), func(f Finding) bool { return f.Name == "option" }); !strings.HasPrefix(got[1], "fail option: ") {
			t.Errorf("%q", got)
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// The clock needs no credentials, and no profile that has any.
func TestClock(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(a *testbed.AWS)
		want Finding
	}{
		{"right", func(*testbed.AWS) {}, Finding{"clock", OK, "the same as AWS's", nil}},
		{"a little off", func(a *testbed.AWS) { a.Skew = -3 * time.Minute }, Finding{"clock", OK, "3m0s ahead of AWS's", nil}},
		{"off", func(a *testbed.AWS) { a.Skew = 10 * time.Minute },
			Finding{"clock", Fail, "10m0s behind AWS's, which refuses what is signed more than 5 minutes off", []string{"sudo timedatectl set-ntp true"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			newHome(t, "")
			a := testbed.StartAWS(&testbed.Keys{})
			t.Cleanup(a.Close)
			tc.make(a)
			t.Setenv("AWS_ENDPOINT_URL", a.URL)
			in, _ := installed(t)
			in.Provider = credentials.New(credentials.Source{}, credentials.Options{})
			list := check(t.Context(), in)
			got := list[len(list)-1]
			// AWS tells the time to the second.
			for second, whole := range map[string]string{"9m59s": "10m0s", "10m1s": "10m0s", "3m1s": "3m0s", "2m59s": "3m0s"} {
				got.Text = strings.Replace(got.Text, second, whole, 1)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		newHome(t, "")
		a := testbed.StartAWS(&testbed.Keys{})
		a.Close()
		t.Setenv("AWS_ENDPOINT_URL", a.URL)
		in, _ := installed(t)
		in.Provider = credentials.New(credentials.Source{Region: "eu-west-1"}, credentials.Options{})
		list := check(t.Context(), in)
		last := list[len(list)-1]
		if last.Name != "clock" || last.Status != Warn || !strings.HasPrefix(last.Text, "can't tell: 127.0.0.1:") ||
			!strings.Contains(last.Text, " can't be reached: ") {
			t.Errorf("got %+v", last)
		}
	})
}

func TestJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal([]Finding{{"tls", OK, "fine", nil}, {"iam", Warn, "so so", nil}, {"token", Fail, "no", []string{"a"}}})
	want := `[{"name":"tls","status":"ok","text":"fine"},{"name":"iam","status":"warn","text":"so so"},{"name":"token","status":"fail","text":"no","do":["a"]}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}
