package setup

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/about"
)

// TestLaunchers: a name of a launcher is no Shell, unless a person says so; a Shell's own name may
// have a version.
func TestLaunchers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("usr/bin/snap", "", 0o755)
	b.link("usr/bin/mysqlsh", "snap")
	b.put("tools/mysqlsh-9.6", "", 0o755)
	b.link("links/mysqlsh", "../tools/mysqlsh-9.6")
	b.link("more/mysqlsh", b.path("links/mysqlsh"))
	b.link("gone/mysqlsh", "nowhere")
	b.put("home/linuxbrew/.linuxbrew/Cellar/mysql-shell@8.4/8.4.1/bin/mysqlsh", "", 0o755)
	b.put("relative/mysqlsh", "", 0o755)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(wd, b.path("relative"))
	if err != nil {
		t.Fatal(err)
	}
	b.env["PATH"] = strings.Join([]string{"", ".", relative, b.path("usr/bin"), b.path("gone"), b.path("links"), b.path("more"), b.path("links")}, string(filepath.ListSeparator))
	want := []Shell{
		{b.path("tools/mysqlsh-9.6"), b.path("tools")},
		{b.path("home/linuxbrew/.linuxbrew/Cellar/mysql-shell@8.4/8.4.1/bin/mysqlsh"), b.path("home/linuxbrew/.linuxbrew/Cellar/mysql-shell@8.4/8.4.1/bin")},
	}
	if diff := cmp.Diff(want, b.System.Shells()); diff != "" {
		t.Error(diff)
	}
	b.System.Named = []string{b.path("usr/bin/mysqlsh")}
	if diff := cmp.Diff([]Shell{{b.path("usr/bin/snap"), b.path("usr/bin")}}, b.System.Shells()); diff != "" {
		t.Error(diff)
	}
}

// TestStable: a link to a program of Homebrew's survives its next upgrade.
func TestStable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("brew/Cellar/rds/1.2/bin/"+about.Name, "x", 0o755)
	b.put("brew/Cellar/other/1.0/bin/"+about.Name, "x", 0o755)
	b.link("brew/opt/rds", "../Cellar/rds/1.2")
	b.put("brew/opt/other/bin/"+about.Name, "another build", 0o755)
	b.put("usr/bin/"+about.Name, "x", 0o755)
	for binary, want := range map[string]string{
		"brew/Cellar/rds/1.2/bin/" + about.Name:   "brew/opt/rds/bin/" + about.Name,
		"brew/Cellar/other/1.0/bin/" + about.Name: "brew/Cellar/other/1.0/bin/" + about.Name,
		"usr/bin/" + about.Name:                   "usr/bin/" + about.Name,
	} {
		if got := Here(b.path(binary)).Binary; got != b.path(want) {
			t.Errorf("%s: got %s", binary, got)
		}
	}
}

func TestOptionsFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		goos, home string
		env        map[string]string
		want       string
	}{
		{"linux", "/h", nil, "/h/.mysqlsh/options.json"},
		{"darwin", "/h", map[string]string{"AppData": "/a"}, "/h/.mysqlsh/options.json"},
		{"windows", "/h", map[string]string{"AppData": "/a"}, "/a/MySQL/mysqlsh/options.json"},
		{"linux", "/h", map[string]string{"MYSQLSH_USER_CONFIG_HOME": "/m"}, "/m/options.json"},
		{"linux", "", map[string]string{"MYSQLSH_USER_CONFIG_HOME": "m"}, wd + "/m/options.json"},
		{"linux", "", nil, ""},
		{"windows", "/h", nil, ""},
	} {
		got := System{GOOS: tc.goos, Home: tc.home, Getenv: func(name string) string { return tc.env[name] }}.OptionsFile()
		if diff := cmp.Diff(filepath.FromSlash(tc.want), got); diff != "" {
			t.Errorf("%+v: %s", tc, diff)
		}
	}

	b.put("usr/bin/mysqlsh", "", 0o755)
	b.System.Home = ""
	b.has(b.apply(Make(b.Input)), `needs: in MySQL Shell: \option --persist credentialStore.helper rds`)
	if _, err := os.Lstat(".mysqlsh"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is something in the working folder: %v", err)
	}
	b.apply(Undo(b.Input))
	b.want(beside, "-")
}

func TestHelper(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"-": "", "": "", "{}": "", `{"a":1}`: "", `{"credentialStore.helper":"<disabled>"}`: "<disabled>", `{"credentialStore.helper":"\u0072ds"}`: "rds",
		`{"credentialStore.helper":"a\"b"}`: `a"b`, `{"credentialStore.helper":7}`: "error", "[": "error",
	} {
		b := newBench(t)
		if text != "-" {
			b.put(options, text, 0o600)
		}
		got, err := OptionIn(b.System.OptionsFile())
		if err != nil {
			if got = "error"; !strings.Contains(err.Error(), b.path(options)) {
				t.Errorf("%q: the error doesn't name the file: %v", text, err)
			}
		}
		if got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestSameDelegate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		goos, a, b string
		want       bool
	}{
		{"linux", "default", "login-path", true}, {"darwin", "keychain", "default", true}, {"windows", "default", "windows-credential", true},
		{"linux", "default", "keychain", false}, {"linux", "none", "default", false}, {"linux", "none", "none", true}, {"linux", "x", "y", false},
		{"linux", "/opt/mysql-secret-store-keychain", "keychain", true}, {"windows", "C:/a/mysql-secret-store-x.exe", "x", true}, {"linux", "/opt/other", "keychain", false},
	} {
		s := System{GOOS: tc.goos}
		if got := s.delegateName(tc.a) == s.delegateName(tc.b); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

func TestCompletionPlaces(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env["SHELL"] = ""
	files := func() (list []string) {
		for _, c := range b.System.completions() {
			list = append(list, c.shell+" "+strings.TrimPrefix(c.file, b.System.Root))
		}
		return list
	}
	if got := files(); got != nil {
		t.Errorf("no shell is used, and there are %v", got)
	}
	b.put("home/.bash_profile", "", 0o644)
	b.put("home/.config/fish/config.fish", "", 0o644)
	b.env["SHELL"], b.env["XDG_DATA_HOME"], b.env["XDG_CONFIG_HOME"] = "/usr/bin/zsh", b.path("data"), "relative"
	want := []string{"bash /data/bash-completion/completions/" + about.Name, "zsh /data/zsh/site-functions/_" + about.Name, "fish /home/.config/fish/completions/" + about.Name + ".fish"}
	if diff := cmp.Diff(want, files()); diff != "" {
		t.Error(diff)
	}
	b.System.GOOS = "windows"
	if got := files(); got != nil {
		t.Errorf("on Windows there are %v", got)
	}
}

// TestZsh: it is told where the completions are until its file says so, wherever that is.
func TestZsh(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env["SHELL"] = "/bin/zsh"
	note := func() string { return strings.ReplaceAll(b.System.completions()[0].note, b.System.Root, "ROOT") }
	const line = "fpath+=(ROOT/home/.local/share/zsh/site-functions)"
	for text, want := range map[string]string{
		"": "write into ~/.zshrc, before compinit: " + line, "# " + line: "write into ~/.zshrc, before compinit: " + line, "fpath+=(/other)": "write into ~/.zshrc, before compinit: " + line,
		line: "", "fpath=($HOME/.local/share/zsh/site-functions $fpath)\n": "", "autoload x\n  fpath+=~/.local/share/zsh/site-functions\n": "",
	} {
		b.put("home/.zshrc", strings.ReplaceAll(text, "ROOT", b.System.Root), 0o644)
		if got := note(); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	b.env["ZDOTDIR"] = b.path("home/zsh")
	if got := note(); got != "write into ROOT/home/zsh/.zshrc, before compinit: "+line {
		t.Error(got)
	}
	b.put("home/zsh/.zshrc", strings.ReplaceAll(line, "ROOT", b.System.Root), 0o644)
	b.env["XDG_DATA_HOME"] = b.path("data")
	if got := note(); got != "write into ROOT/home/zsh/.zshrc, before compinit: fpath+=(ROOT/data/zsh/site-functions)" {
		t.Error(got)
	}
	b.env["XDG_DATA_HOME"] = ""
	if got := note(); got != "" {
		t.Error(got)
	}
}

// TestVersion asks real programs, in a folder of the test's.
func TestVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, tc := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{about.Name, "#!/bin/sh\necho \"$0 $*\" | sed 's|.*/||'\necho more", 0o755, about.Name + " version"},
		{about.Name + ".exe", "#!/bin/sh\necho \" $1 \"", 0o755, "version"},
		{"mysqlsh", "#!/bin/sh\necho $#$1; echo no >&2", 0o755, "1--version"},
		{"stdin", "#!/bin/sh\ncat; echo end", 0o755, "end"},
		{"fails", "#!/bin/sh\necho x; exit 1", 0o755, ""},
		{"text", "#!/bin/sh\necho x", 0o644, ""},
		{"folder/x", "", 0o644, ""},
	} {
		b.put("v/"+tc.name, tc.text, tc.mode)
		if got := version(t.Context(), b.path("v/"+tc.name)); got != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
	if got := version(t.Context(), b.path("v/folder")); got != "" {
		t.Errorf("a folder: %q", got)
	}
}

// TestWritable: looking changes nothing, not even the folder's time.
func TestWritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(dir, long, long); err != nil {
		t.Fatal(err)
	}
	if !writable(dir) || writable(filepath.Join(dir, "missing")) {
		t.Error("only the folder that is there can be written")
	}
	info, err := os.Stat(dir)
	if err != nil || runtime.GOOS != "windows" && !info.ModTime().Equal(long) {
		t.Errorf("trying changed the folder: %v, %v", info.ModTime(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("trying left %v, %v", left, err)
	}
}
