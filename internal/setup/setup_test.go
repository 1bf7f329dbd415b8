package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/config"
)

// bench is a machine with a program to set up.
type bench struct {
	Input
	t           *testing.T
	env         map[string]string
	roots       map[string]bool // folders that need root
	completions map[string]string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no symbolic links")
	}
	root := t.TempDir()
	b := &bench{t: t, env: map[string]string{"PATH": filepath.Join(root, "usr", "bin"), "SHELL": "/bin/bash"}, roots: map[string]bool{}}
	b.completions = map[string]string{"bash": "# bash", "zsh": "# zsh", "fish": "# fish"}
	b.Input = Input{
		System: System{
			GOOS: "linux", Root: root, Home: filepath.Join(root, "home"), Binary: filepath.Join(root, "home", "bin", about.Name),
			Getenv:   func(name string) string { return b.env[name] },
			Writable: func(dir string) bool { return !b.roots[dir] },
			Version: func(_ context.Context, path string) string {
				text, _ := os.ReadFile(path)
				return strings.TrimSpace(string(text))
			},
		},
		ConfigFile: filepath.Join(root, "home", "config", "config.yaml"),
		Completion: func(shell string) string { return b.completions[shell] },
	}
	b.put("home/bin/"+about.Name, about.Name+" 1", 0o755)
	return b
}

// newShellBench is newBench with a MySQL Shell on PATH.
func newShellBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.put("usr/bin/mysqlsh", "", 0o755)
	return b
}

func (b *bench) path(name string) string {
	return filepath.Join(b.System.Root, filepath.FromSlash(name))
}

func (b *bench) put(name, text string, mode os.FileMode) {
	b.t.Helper()
	err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755)
	if err := errors.Join(err, os.WriteFile(b.path(name), []byte(text), mode), os.Chmod(b.path(name), mode)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) link(name, to string) {
	b.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(b.path(name)), 0o755), os.Symlink(to, b.path(name))); err != nil {
		b.t.Fatal(err)
	}
}

// apply carries a plan out, and returns the words for each step; those that a person has to do with
// what they need.
func (b *bench) apply(p Plan, err error) []string {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	var words []string
	strip := strings.NewReplacer(b.System.Root, "ROOT")
	for _, s := range p.Steps {
		switch {
		case s.Done:
			words = append(words, strip.Replace("ok: "+s.What))
		case s.Needs != "":
			words = append(words, strip.Replace("needs: "+s.Needs))
		}
	}
	if err := p.Apply(func(i int, err error) {
		word := "done: " + p.Steps[i].What
		if err != nil {
			word = "failed: " + p.Steps[i].What
		}
		words = append(words, strip.Replace(word))
	}); err != nil {
		words = append(words, "error")
	}
	return words
}

func (b *bench) text(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(b.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return "-"
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b *bench) want(name, text string) {
	b.t.Helper()
	if diff := cmp.Diff(text, b.text(name)); diff != "" {
		b.t.Errorf("%s:\n%s", name, diff)
	}
}

const (
	options = "home/.mysqlsh/options.json"
	record  = "home/.config/" + about.Name + "/setup.json"
)

func TestShells(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env["PATH"] = strings.Join([]string{"relative", b.path("usr/bin"), b.path("links"), b.path("missing")}, string(filepath.ListSeparator))
	b.put("usr/bin/mysqlsh", "", 0o755)
	b.link("links/mysqlsh", b.path("opt/homebrew/Cellar/mysql-shell/9.6.0/bin/mysqlsh"))
	b.put("opt/homebrew/Cellar/mysql-shell/9.6.0/bin/mysqlsh", "", 0o755)
	b.link("opt/homebrew/opt/mysql-shell", b.path("opt/homebrew/Cellar/mysql-shell/9.6.0"))
	b.put("usr/local/mysql-shell-8.4/bin/mysqlsh", "", 0o755)
	b.put("opt/mysql-shell/bin/mysqlsh", "", 0o644) // no program
	if err := os.MkdirAll(b.path("usr/local/bin/mysqlsh"), 0o755); err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, sh := range b.System.Shells() {
		dirs = append(dirs, strings.TrimPrefix(sh.Dir, b.System.Root))
	}
	if diff := cmp.Diff([]string{"/usr/bin", "/opt/homebrew/Cellar/mysql-shell/9.6.0/bin", "/usr/local/mysql-shell-8.4/bin"}, dirs); diff != "" {
		t.Error(diff)
	}
	b.System.Named = []string{b.path("links/mysqlsh")}
	if list := b.System.Shells(); len(list) != 1 || filepath.Base(filepath.Dir(list[0].Dir)) != "9.6.0" {
		t.Errorf("the one that was named is %v", list)
	}

	// Windows, as far as another system can have it.
	b = newBench(t)
	b.System.GOOS, b.System.Root = "windows", ""
	dir := filepath.Join(b.System.Home, "Program Files")
	b.env["ProgramFiles"], b.env["PATH"], b.env["AppData"] = dir, "", filepath.Join(b.System.Home, "Roaming")
	shell := filepath.Join(dir, "MySQL", "MySQL Shell 8.4", "bin", "mysqlsh.exe")
	if err := errors.Join(os.MkdirAll(filepath.Dir(shell), 0o755), os.WriteFile(shell, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if list := b.System.Shells(); len(list) != 1 || list[0].Dir != filepath.Dir(shell) {
		t.Errorf("on Windows: %v", list)
	}
	if file := b.System.OptionsFile(); file != filepath.Join(b.System.Home, "Roaming", "MySQL", "mysqlsh", "options.json") {
		t.Errorf("the options are in %s", file)
	}
	// There it is a copy.
	p, err := Make(b.Input)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(func(int, error) {}); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(filepath.Dir(shell), about.Name+".exe")
	if info, err := os.Lstat(copied); err != nil || !info.Mode().IsRegular() || b.System.identify(copied).State != Copy {
		t.Errorf("no copy: %v, %v", info, err)
	}
	if p, err = Undo(b.Input); err == nil {
		err = p.Apply(func(int, error) {})
	}
	if _, gone := os.Lstat(copied); err != nil || !errors.Is(gone, os.ErrNotExist) {
		t.Errorf("the copy stays: %v, %v", gone, err)
	}
}

// TestThereAndBack: all of it, again, and back; the helper from before becomes the delegate, and
// the helper again.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	const before = "{\n  \"a\": 1,\n  \"credentialStore.helper\": \"keychain\"\n}\n"
	b := newShellBench(t)
	b.put(options, before, 0o640)
	b.put("home/.zshrc", "", 0o644)
	want := []string{
		"needs: write into ~/.zshrc, before compinit: fpath+=(ROOT/home/.local/share/zsh/site-functions)",
		"done: link ROOT/home/bin/mysql-secret-store-rds to ROOT/usr/bin/mysql-secret-store-rds",
		"done: set credentialStore.helper to rds in ROOT/home/.mysqlsh/options.json",
		"done: write a first ROOT/home/config/config.yaml, with delegate: keychain",
		"done: write ROOT/home/config/config.schema.json, with which editors check the configuration",
		"done: write the completions for bash, ROOT/home/.local/share/bash-completion/completions/mysql-secret-store-rds",
		"done: write the completions for zsh, ROOT/home/.local/share/zsh/site-functions/_mysql-secret-store-rds",
	}
	if diff := cmp.Diff(want, b.apply(Make(b.Input))); diff != "" {
		t.Error(diff)
	}
	b.want("usr/bin/"+about.Name, about.Name+" 1")
	b.want(options, strings.Replace(before, "keychain", "rds", 1))
	b.want("home/config/config.yaml", string(config.Starter("keychain")))
	if info, err := os.Stat(b.path(options)); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("options.json has mode %v, %v", info.Mode(), err)
	}
	b.has(b.apply(Make(b.Input)), want[0])
	b.put("home/.zshrc", "fpath+=(~/.local/share/zsh/site-functions)\n", 0o644)
	for _, word := range b.apply(Make(b.Input)) {
		if !strings.HasPrefix(word, "ok: ") {
			t.Errorf("the second time: %s", word)
		}
	}
	// A newer program has other completions; what setup wrote it may replace.
	b.completions["bash"] = "# newer"
	b.apply(Make(b.Input))
	b.want("home/.local/share/bash-completion/completions/"+about.Name, "# newer")

	b.apply(Undo(b.Input))
	b.want(options, before)
	for _, name := range []string{
		"usr/bin/" + about.Name, "home/config/config.yaml", "home/config/config.schema.json", record,
		"home/.local/share/bash-completion/completions/" + about.Name, "home/.local/share/zsh/site-functions/_" + about.Name,
	} {
		b.want(name, "-")
	}
	if p, err := Undo(b.Input); err != nil || len(p.Steps) != 0 {
		t.Errorf("the second time undo finds %v, %v", p.Steps, err)
	}
}

// TestNothingBefore: no options, no helper: default, and nothing stays of the file.
func TestNothingBefore(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.env["MYSQLSH_USER_CONFIG_HOME"] = b.path("shell")
	b.apply(Make(b.Input))
	b.want("shell/options.json", "{\"credentialStore.helper\": \"rds\"}\n")
	b.want("home/config/config.yaml", string(config.Starter("default")))
	b.apply(Undo(b.Input))
	b.want("shell/options.json", "-")

	for value, delegate := range map[string]string{`"<disabled>"`: "none", `"default"`: "default", "null": "default", "7": "default", `"my.own"`: "my.own"} {
		if got := delegateOf([]byte(value)); got != delegate {
			t.Errorf("%s gives %s", value, got)
		}
	}
}

// TestOwnConfiguration: one that is there stays; it is said, and said again, what the helper from
// before loses by it.
func TestOwnConfiguration(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ config, before, what, needs string }{
		{"delegate: default\n", `"keychain"`, "keep ROOT/home/config/config.yaml: its delegate is default; MySQL Shell's helper was keychain",
			"write into ROOT/home/config/config.yaml: delegate: keychain, if the passwords kept there are still wanted"},
		{"delegate: none\n", `"keychain"`, "keep ROOT/home/config/config.yaml: its delegate is none; MySQL Shell's helper was keychain",
			"write into ROOT/home/config/config.yaml: delegate: keychain, if the passwords kept there are still wanted"},
		{"cache: true\n", `"<disabled>"`, "keep ROOT/home/config/config.yaml: its delegate is default; MySQL Shell had no helper",
			"write into ROOT/home/config/config.yaml: delegate: none, if it is to stay so"},
		{"delegate: keychain\n", `"keychain"`, "keep ROOT/home/config/config.yaml", ""},
		{"delegate: default\n", `"login-path"`, "keep ROOT/home/config/config.yaml", ""},
		{"delegate: none\n", `null`, "keep ROOT/home/config/config.yaml", ""},
		{"broken\n", `"keychain"`, "keep ROOT/home/config/config.yaml, which can't be used", "mend it: ROOT/home/config/config.yaml:1: the configuration should be a map of keys and values, not text"},
	} {
		b := newShellBench(t)
		b.put(options, `{"credentialStore.helper":`+tc.before+`}`, 0o600)
		b.put("home/config/config.yaml", tc.config, 0o600)
		for range 2 {
			word := "ok: " + tc.what
			if tc.needs != "" {
				word = "needs: " + tc.needs
			}
			p, err := Make(b.Input)
			b.has(b.done(p, err), word)
			if !slices.ContainsFunc(p.Steps, func(s Step) bool { return strings.ReplaceAll(s.What, b.System.Root, "ROOT") == tc.what }) {
				t.Errorf("no %q in %+v", tc.what, p.Steps)
			}
		}
		b.want("home/config/config.yaml", tc.config)
	}
}

// TestVariable: the variable that wins over the option has to go; it may be all that names the
// helper from before.
func TestVariable(t *testing.T) {
	t.Parallel()
	const unset = "needs: unset MYSQLSH_CREDENTIAL_STORE_HELPER"
	b := newShellBench(t)
	b.env[EnvHelper] = "keychain"
	b.has(b.done(Make(b.Input)), unset)
	b.want("home/config/config.yaml", string(config.Starter("keychain")))
	b.has(b.done(Make(b.Input)), unset)
	for _, name := range []string{"rds", ""} {
		b.env[EnvHelper] = name
		for _, w := range b.done(Make(b.Input)) {
			if !strings.HasPrefix(w, "ok: ") {
				t.Errorf("%q: %s", name, w)
			}
		}
	}
	b.want("home/config/config.yaml", string(config.Starter("keychain")))

	b = newBench(t)
	b.put("usr/bin/mysqlsh", "", 0o755)
	b.put(options, `{"credentialStore.helper":"login-path"}`, 0o600)
	b.env[EnvHelper] = "keychain"
	b.has(b.done(Make(b.Input)), unset)
	b.want("home/config/config.yaml", string(config.Starter("login-path")))
	if got := (System{GOOS: "windows"}).unsetByHand("X"); got != "in PowerShell: Remove-Item Env:X" {
		t.Error(got)
	}
}

// TestWhatIsTheUsers: nothing that somebody else wrote, or has changed since,
// is overwritten or removed.
func TestWhatIsTheUsers(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put("usr/bin/"+about.Name, "something else", 0o755)
	b.put(options, `{"credentialStore.helper":"keychain"}`, 0o600)
	b.put("home/config/config.yaml", "cache: true\n", 0o600)
	const completions = "home/.local/share/bash-completion/completions/" + about.Name
	b.put(completions, "# mine", 0o600)
	want := []string{
		"needs: ROOT/usr/bin/mysql-secret-store-rds is there, and is not this program: look at it, and move it away",
		"needs: then run again: mysql-secret-store-rds setup",
		"needs: write into ROOT/home/config/config.yaml: delegate: keychain, if the passwords kept there are still wanted",
		"ok: keep ROOT/" + completions + ": it is not what setup wrote",
		"done: write ROOT/home/config/config.schema.json, with which editors check the configuration",
	}
	if diff := cmp.Diff(want, b.apply(Make(b.Input))); diff != "" {
		t.Error(diff)
	}
	b.want(options, `{"credentialStore.helper":"keychain"}`)
	b.put(options, `{"credentialStore.helper":"login-path"}`, 0o600)
	b.put("home/config/config.schema.json", "{ }", 0o600)
	b.apply(Undo(b.Input))
	b.want("usr/bin/"+about.Name, "something else")
	b.want(options, `{"credentialStore.helper":"login-path"}`)
	b.want("home/config/config.yaml", "cache: true\n")
	b.want("home/config/config.schema.json", "{ }")
	b.want(completions, "# mine")
}

// TestLinks: broken ones and other builds are mended, and the program itself is never removed.
func TestLinks(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.link("usr/bin/"+about.Name, "/nonexistent/old")
	if words := b.apply(Make(b.Input)); words[0] != "done: mend the link ROOT/usr/bin/mysql-secret-store-rds: it should lead to ROOT/home/bin/mysql-secret-store-rds" {
		t.Errorf("%q", words)
	}
	b.want("usr/bin/"+about.Name, about.Name+" 1")
	if err := os.Remove(b.path("usr/bin/" + about.Name)); err != nil {
		t.Fatal(err)
	}
	b.put("usr/bin/"+about.Name, about.Name+" 0", 0o755)
	if words := b.apply(Make(b.Input)); !strings.HasPrefix(strings.Join(words, "\n"), "ok:") || !strings.Contains(strings.Join(words, "\n"), "done: replace ROOT/usr/bin/"+about.Name+", another build of this program") {
		t.Errorf("%q", words)
	}
	// The program has moved to where its link was.
	if err := errors.Join(os.Remove(b.path("usr/bin/"+about.Name)), os.Rename(b.System.Binary, b.path("usr/bin/"+about.Name))); err != nil {
		t.Fatal(err)
	}
	b.System.Binary = b.path("usr/bin/" + about.Name)
	b.apply(Make(b.Input))
	b.apply(Undo(b.Input))
	b.want("usr/bin/"+about.Name, about.Name+" 1")
}

// TestRoot: what needs root is a command, both ways, and the rest is done.
func TestRoot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("usr/it's here/mysqlsh", "", 0o755)
	b.System.Named = []string{b.path("usr/it's here/mysqlsh")}
	b.roots[b.path("usr/it's here")] = true
	p, err := Make(b.Input)
	if !p.Waits || p.Ready || !strings.HasSuffix(p.Steps[0].What, ", which takes root") {
		t.Errorf("the Shell has no helper: %+v", p)
	}
	words := b.apply(p, err)
	if want := `needs: sudo ln -sfn ROOT/home/bin/mysql-secret-store-rds 'ROOT/usr/it'\''s here/mysql-secret-store-rds'`; words[0] != want {
		t.Errorf("%q", words)
	}
	b.has(words, "needs: then run again, to finish: ROOT/home/bin/"+about.Name+` setup --shell 'ROOT/usr/it'\''s here/mysqlsh'`)
	b.want(options, "-")
	b.want("home/config/config.yaml", string(config.Starter("default")))
	b.link("usr/it's here/"+about.Name, b.System.Binary) // the person types it
	if p, err := Make(b.Input); p.Waits || !p.Ready || err != nil {
		t.Errorf("the Shell has a helper: %+v, %v", p, err)
	}
	b.done(Make(b.Input))
	b.want(options, "{\"credentialStore.helper\": \"rds\"}\n")
	// The program moves: until the person types the new line, the Shell has the old one.
	b.put("home/moved/"+about.Name, about.Name+" 1", 0o755)
	before := b.System.Binary
	b.System.Binary = b.path("home/moved/" + about.Name)
	if p, err := Make(b.Input); p.Waits || !p.Ready || p.Steps[0].Needs == "" || err != nil {
		t.Errorf("the Shell has the old helper: %+v, %v", p, err)
	}
	b.System.Binary = before
	words = b.apply(Undo(b.Input))
	if want := `needs: sudo rm 'ROOT/usr/it'\''s here/mysql-secret-store-rds'`; words[0] != want {
		t.Errorf("%q", words)
	}
	b.want(options, "-")
}

// TestEachShellHasTheHelper: the option is one for all Shells that read it, and is switched when the
// last of them has the helper.
func TestEachShellHasTheHelper(t *testing.T) {
	t.Parallel()
	const closed, foreign = "opt/mysql-shell/bin/mysqlsh", "usr/local/mysql-shell-8.4/bin/"
	b := newShellBench(t)
	b.put(closed, "", 0o755)
	b.roots[b.path("opt/mysql-shell/bin")] = true
	p, err := Make(b.Input)
	if !p.Waits || p.Ready || p.Broken || !p.Steps[1].Root || p.Steps[0].Root {
		t.Errorf("%+v", p)
	}
	b.has(b.done(p, err), "done: link ROOT/home/bin/"+about.Name+" to ROOT/"+beside)
	b.want(options, "-")
	want := "set credentialStore.helper to rds in " + b.path(options) + ": not while " + b.path(closed) + " has no helper"
	if p.Steps[2].What != want {
		t.Errorf("%q, not %q", p.Steps[2].What, want)
	}
	b.link("opt/mysql-shell/bin/"+about.Name, b.System.Binary)
	b.done(Make(b.Input))
	b.want(options, "{\"credentialStore.helper\": \"rds\"}\n")

	// Somebody else's program beside one of them.
	b.done(Undo(b.Input))
	b.put(foreign+"mysqlsh", "", 0o755)
	b.put(foreign+about.Name, "another", 0o755)
	if p, err = Make(b.Input); p.Waits || p.Ready {
		t.Errorf("%+v", p)
	}
	b.done(p, err)
	b.want(options, "-")

	// A person has left one out.
	b.System.Named = []string{b.path("usr/bin/mysqlsh")}
	b.has(b.done(Make(b.Input)), "needs: "+about.Name+" setup")
	b.want(options, "{\"credentialStore.helper\": \"rds\"}\n")
	b.System.Named = nil

	// The option names it already.
	b.put(options, `{"credentialStore.helper":"rds"}`, 0o600)
	if p, err = Make(b.Input); !p.Broken || p.Ready || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestFailure: one step that fails stops no other, and what was done can be undone.
func TestFailure(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put("home/.mysqlsh", "a file where the folder belongs", 0o600)
	if _, err := Make(b.Input); err == nil || !strings.Contains(err.Error(), "read MySQL Shell's options") {
		t.Errorf("%v", err)
	}
	b = newBench(t)
	b.put("usr/bin/mysqlsh", "", 0o755)
	b.put("home/.local", "a file where the folder belongs", 0o600)
	words := strings.Join(b.apply(Make(b.Input)), "\n")
	if !strings.Contains(words, "failed: write the completions for bash") || !strings.Contains(words, "done: link") || !strings.HasSuffix(words, "error") {
		t.Error(words)
	}
	b.apply(Undo(b.Input))
	b.want("usr/bin/"+about.Name, "-")
	b.want(options, "-")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put(record, "{}", 0o600)
	for _, plan := range []func(Input) (Plan, error){Make, Undo} {
		if _, err := plan(b.Input); err == nil || !strings.Contains(err.Error(), "of version 0, not 1") {
			t.Errorf("%v", err)
		}
	}
	b = newBench(t)
	b.System.Binary = "/tmp/go-build123/b001/exe/" + about.Name
	if _, err := Make(b.Input); !errors.Is(err, ErrTemporary) {
		t.Errorf("%v", err)
	}
	// Without a Shell its option stays: the helper that it named would not be there.
	b = newBench(t)
	b.apply(Make(b.Input))
	b.want(options, "-")
	b.want("home/config/config.yaml", string(config.Starter("default")))
}

// TestSaved: setup names the servers whose passwords stay in force.
func TestSaved(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put(options, `{"credentialStore.helper":"keychain"}`, 0o600)
	b.Saved = func(delegate string, shells []Shell) []string {
		return []string{delegate + "@host:3306"}
	}
	b.has(b.done(Make(b.Input)), "ok: keep keychain@host:3306: the password that keychain has for it stays in force")
	b.put("home/config/config.yaml", "delegate: default\n", 0o600) // whose helper is the one that is asked
	b.has(b.done(Make(b.Input)), "ok: keep default@host:3306: the password that login-path has for it stays in force")
}
