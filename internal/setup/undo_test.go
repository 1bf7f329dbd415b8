package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/disk"
)

// tree returns all there is in the bench's machine: modes, what links lead to, texts.
func (b *bench) tree() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(b.System.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			text, err = os.Readlink(path)
		case info.Mode().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			text = string(data)
		}
		all[strings.TrimPrefix(path, b.System.Root)] = fmt.Sprintf("%v %s", info.Mode(), text)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// same wants everything to be as it was.
func (b *bench) same(name string, before map[string]string) {
	b.t.Helper()
	if diff := cmp.Diff(before, b.tree()); diff != "" {
		b.t.Errorf("%s (-before +now):\n%s", name, diff)
	}
}

// has wants a word among those that apply gave.
func (b *bench) has(words []string, want string) {
	b.t.Helper()
	for _, w := range words {
		if w == want {
			return
		}
	}
	b.t.Errorf("%q is not among\n%s", want, strings.Join(words, "\n"))
}

// done carries a plan out, of which no step may fail.
func (b *bench) done(p Plan, err error) []string {
	b.t.Helper()
	words := b.apply(p, err)
	for _, w := range words {
		if strings.HasPrefix(w, "failed: ") || w == "error" {
			b.t.Errorf("%s", strings.Join(words, "\n"))
		}
	}
	return words
}

// befores are machines that setup may meet.
var befores = []struct {
	name string
	make func(*bench)
}{
	{"nothing", func(b *bench) {}},
	{"disabled", func(b *bench) { b.put(options, `{"credentialStore.helper": "<disabled>"}`, 0o600) }},
	{"escapes, tabs, CRLF", func(b *bench) {
		b.put(options, "{\r\n\t\"\\u0063redentialStore.helper\"  :\t\"k\\u0065y&chain\",\r\n\t\"a\": \"<>\"\r\n}", 0o644)
	}},
	{"twice", func(b *bench) {
		b.put(options, `{"credentialStore.helper":"x", "a":1,"credentialStore.helper":null}`, 0o600)
	}},
	{"no member", func(b *bench) { b.put(options, "{ }", 0o600) }},
	{"other members", func(b *bench) { b.put(options, "{\n\t\"a\": {\"b\": [ 1 ]}\n}\n", 0o600) }},
	{"set by hand", func(b *bench) { b.put(options, `{"credentialStore.helper":"rds"}`, 0o600) }},
	{"a link to options", func(b *bench) {
		b.put("home/dotfiles/mysqlsh.json", `{"credentialStore.helper":"x"}`, 0o640)
		b.link(options, "../dotfiles/mysqlsh.json")
	}},
	{"links to nothing yet", func(b *bench) {
		b.link(options, "../dotfiles/mysqlsh.json")
		b.link("home/config/config.yaml", b.path("home/dotfiles/rds.yaml"))
	}},
	{"elsewhere", func(b *bench) { b.env["MYSQLSH_USER_CONFIG_HOME"] = b.path("home/a/b") }},
	{"own configuration", func(b *bench) { b.put("home/config/config.yaml", "delegate: none\n", 0o644) }},
	{"own completions", func(b *bench) {
		b.put("home/.local/share/bash-completion/completions/"+about.Name, "# mine", 0o600)
		b.put("home/.local/share/zsh/site-functions/_"+about.Name, "# zsh", 0o600) // the same as setup's
	}},
	{"a Shell beside the program", func(b *bench) { b.put("home/bin/mysqlsh", "", 0o755); b.env["PATH"] += ":" + b.path("home/bin") }},
	{"another's helper", func(b *bench) {
		b.put("usr/bin/"+about.Name, "another", 0o755)
		b.put("opt/mysql-shell/bin/mysqlsh", "", 0o755)
		b.System.Named = []string{b.path("opt/mysql-shell/bin/mysqlsh")} // else that Shell keeps the option as it is
	}},
	{"a copy", func(b *bench) { b.put("usr/bin/"+about.Name, about.Name+" 1", 0o755) }},
}

func newBefore(t *testing.T, i int) *bench {
	b := newShellBench(t)
	b.put("home/.zshrc", "", 0o644)
	befores[i].make(b)
	return b
}

// TestBack: whatever there was before, setup twice and undo once give it back, to the byte, mode
// and folder; more of them change nothing.
func TestBack(t *testing.T) {
	t.Parallel()
	for i, tc := range befores {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBefore(t, i)
			before := b.tree()
			b.done(Undo(b.Input))
			b.same("undo of nothing", before)

			b.done(Make(b.Input))
			if name, err := OptionIn(b.System.OptionsFile()); name != helper || err != nil {
				t.Errorf("the helper is %q, %v", name, err)
			}
			during := b.tree()
			p, err := Make(b.Input)
			if err != nil || p.Open() {
				t.Errorf("the second setup has something to do: %+v, %v", p.Steps, err)
			}
			b.done(p, err)
			b.same("the second setup", during)

			b.done(Undo(b.Input))
			b.same("undo", before)
			b.done(Undo(b.Input))
			b.same("undo again", before)

			b.done(Make(b.Input))
			b.same("setup after undo", during)
		})
	}
}

// TestCrash: wherever setup or undo is cut off, undo gives back what was before, and setup goes on.
func TestCrash(t *testing.T) {
	t.Parallel()
	type cut struct {
		at    int
		after bool // do, but before its end is noted
	}
	// run carries out a plan up to the cut, and reports whether it came there.
	run := func(p Plan, err error, c cut) (was bool) {
		if err != nil {
			panic(err)
		}
		if c.at >= len(p.Steps) || p.Steps[c.at].do == nil {
			return false
		}
		defer func() { was = recover() != nil }()
		do := p.Steps[c.at].do
		p.Steps[c.at].do = func(st *state) error {
			if c.after {
				_ = do(st)
			}
			panic("cut")
		}
		_ = p.Apply(func(int, error) {})
		return false
	}
	for i, tc := range befores {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cuts := 0
			for at := range 9 {
				for _, after := range []bool{false, true} {
					name := fmt.Sprintf("cut at %d, after %v", at, after)
					b := newBefore(t, i)
					before := b.tree()
					p, err := Make(b.Input)
					if !run(p, err, cut{at, after}) {
						continue
					}
					cuts++
					b.done(Undo(b.Input))
					b.same(name+", undo", before)

					p, err = Make(b.Input)
					run(p, err, cut{at, after})
					b.done(Make(b.Input))
					if name, err := OptionIn(b.System.OptionsFile()); name != helper || err != nil {
						t.Errorf("the helper is %q, %v", name, err)
					}
					if p, err := Make(b.Input); err != nil || p.Open() {
						t.Errorf("%s: setup leaves something to do: %+v, %v", name, p.Steps, err)
					}
					p, err = Undo(b.Input)
					run(p, err, cut{at, after})
					b.done(Undo(b.Input))
					b.same(name+", setup, undo cut, undo", before)
				}
			}
			if cuts < 6 {
				t.Errorf("only %d cuts", cuts)
			}
		})
	}
}

// TestCutTwice: a file that a newer program was about to write is setup's, whichever of both texts
// it has.
func TestCutTwice(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		b := newShellBench(t)
		before := b.tree()
		b.done(Make(b.Input))
		b.completions["bash"] = "# newer"
		p, err := Make(b.Input)
		if err != nil {
			t.Fatal(err)
		}
		last := &p.Steps[len(p.Steps)-1]
		do := last.do
		last.do = func(st *state) error {
			if after {
				_ = do(st)
			}
			panic("cut")
		}
		func() {
			defer func() { _ = recover() }()
			_ = p.Apply(func(int, error) {})
		}()
		b.done(Undo(b.Input))
		b.same("undo", before)
	}
}

// TestChangedSince: the helper that the user chose after setup is the one from before, for the next
// setup and its undo.
func TestChangedSince(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put(options, `{"credentialStore.helper":"login-path"}`, 0o600)
	b.apply(Make(b.Input))
	b.want("home/config/config.yaml", string(config.Starter("login-path")))
	b.put(options, `{"credentialStore.helper":"keychain"}`, 0o600)
	b.has(b.apply(Make(b.Input)), "done: write ROOT/home/config/config.yaml again, with delegate: keychain")
	b.want("home/config/config.yaml", string(config.Starter("keychain")))
	b.put("home/config/config.yaml", "delegate: none\n", 0o600)
	b.put(options, `{"credentialStore.helper":"x"}`, 0o600)
	b.apply(Make(b.Input))
	b.want("home/config/config.yaml", "delegate: none\n")
	b.apply(Undo(b.Input))
	b.want(options, `{"credentialStore.helper":"x"}`)
	b.want("home/config/config.yaml", "delegate: none\n")
	b.want(record, "-")
}

// TestOthersSince: what else was written into a file of options that setup made stays.
func TestOthersSince(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.done(Make(b.Input))
	b.put(options, "{\"credentialStore.helper\": \"rds\", \"a\": 1}\n", 0o600)
	b.done(Undo(b.Input))
	b.want(options, "{\"a\": 1}\n")
}

// TestMeanwhile: what changes between the plan and the answer to it is not overwritten.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	const completions = "home/.local/share/bash-completion/completions/" + about.Name
	p, err := Make(b.Input)
	b.put(options, `{"credentialStore.helper":"keychain","a":1}`, 0o600)
	b.put(completions, "# mine", 0o600)
	b.has(b.apply(p, err), "failed: write the completions for bash, ROOT/"+completions)
	b.want(options, `{"credentialStore.helper":"rds","a":1}`)
	b.want(completions, "# mine")

	p, err = Undo(b.Input)
	b.put(options, `{"credentialStore.helper":"rds","a":2}`, 0o600)
	b.apply(p, err)
	b.want(options, `{"credentialStore.helper":"keychain","a":2}`)
	b.want(completions, "# mine")

	// It became rds by itself, and another helper by itself.
	p, err = Make(b.Input)
	b.put(options, `{"credentialStore.helper":"r\u0064s"}`, 0o600)
	b.apply(p, err)
	b.want(options, `{"credentialStore.helper":"r\u0064s"}`)
	b.put(options, `{}`, 0o600)
	b.apply(Make(b.Input))
	p, err = Undo(b.Input)
	b.put(options, `{"credentialStore.helper":"x"}`, 0o600)
	b.apply(p, err)
	b.want(options, `{"credentialStore.helper":"x"}`)
	b.want(record, "-")
}

// TestTwoPlans: of two plans that were made at one time, the second finds everything done.
func TestTwoPlans(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put("opt/mysql-shell/bin/mysqlsh", "", 0o755)
	b.put(options, `{"credentialStore.helper":"keychain"}`, 0o600)
	before := b.tree()
	b.roots[b.path("opt/mysql-shell/bin")] = true
	for _, plan := range []func(Input) (Plan, error){Make, Undo} {
		one, err1 := plan(b.Input)
		two, err2 := plan(b.Input)
		b.done(one, err1)
		after := b.tree()
		words := b.done(two, err2)
		if len(words) < 5 {
			t.Errorf("the second said %q", words)
		}
		b.same("the second plan", after)
	}
	b.same("undo", before)

	// It came to be somebody else's meanwhile.
	one, err1 := Make(b.Input)
	two, err2 := Make(b.Input)
	b.done(one, err1)
	if err := os.Remove(b.path(beside)); err != nil {
		t.Fatal(err)
	}
	b.put(beside, "another", 0o755)
	b.has(b.apply(two, err2), "failed: link ROOT/home/bin/"+about.Name+" to ROOT/"+beside)
	b.want(beside, "another")
}

// TestAtOnce: many setups, then many undos.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put(options, `{"credentialStore.helper":"keychain"}`, 0o600)
	before := b.tree()
	for range 5 {
		for _, plan := range []func(Input) (Plan, error){Make, Undo} {
			var all errgroup.Group
			for range 6 {
				all.Go(func() error {
					p, err := plan(b.Input)
					if err != nil {
						return err
					}
					return p.Apply(func(int, error) {})
				})
			}
			if err := all.Wait(); err != nil {
				t.Error(err)
			}
			if s, err := readState(b.path(record), ""); err != nil || len(s.Options) > 0 && string(s.Options[0].Before) != `"keychain"` {
				t.Errorf("noted: %+v, %v", s, err)
			}
		}
		b.same("undo", before)
	}
}

// TestLock: a setup waits for another, but not for one that was killed, and goes on without where
// there are no locks.
func TestLock(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	const lock = "home/." + about.Name + "-setup.lock"
	b.put(lock, "", 0o600)
	b.done(Make(b.Input))
	b.want(lock, "-")
	unlock, err := disk.Mutex(t.Context(), b.path(lock))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Undo(b.Input)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- p.Apply(func(int, error) {}) }()
	select {
	case err := <-ended:
		t.Errorf("it didn't wait: %v", err)
	case <-time.After(100 * time.Millisecond):
		b.want(beside, about.Name+" 1")
		unlock()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	b.want(beside, "-")

	b.put(lock+"/folder", "", 0o600)
	b.done(Make(b.Input))
	b.want(beside, about.Name+" 1")
}

// TestTwoHomes: each of the Shell's options files gets its own helper back.
func TestTwoHomes(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put("one/options.json", `{"credentialStore.helper":"one"}`, 0o600)
	b.put("two/options.json", `{"credentialStore.helper":"two"}`, 0o600)
	for _, name := range []string{"one", "two", "one"} {
		b.env["MYSQLSH_USER_CONFIG_HOME"] = b.path(name)
		b.apply(Make(b.Input))
	}
	b.want("one/options.json", `{"credentialStore.helper":"rds"}`)
	b.want("two/options.json", `{"credentialStore.helper":"rds"}`)
	b.want("home/config/config.yaml", string(config.Starter("one"))) // as it is setup for one that ran last
	b.env["MYSQLSH_USER_CONFIG_HOME"] = b.path("three")
	b.done(Make(b.Input))
	b.want("home/config/config.yaml", string(config.Starter("one"))) // that three has no helper says nothing
	b.apply(Undo(b.Input))
	b.want("one/options.json", `{"credentialStore.helper":"one"}`)
	b.want("two/options.json", `{"credentialStore.helper":"two"}`)
}

// TestDamagedOptions: undo does the rest, and the helper from before isn't forgotten.
func TestDamagedOptions(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put(options, `{"credentialStore.helper":"keychain"}`, 0o600)
	b.apply(Make(b.Input))
	b.put(options, `{"credentialStore.helper":"rds"`, 0o600)
	b.has(b.apply(Undo(b.Input)), "needs: mend it, and undo again: MySQL Shell's options, ROOT/"+options+": not JSON: EOF")
	b.want("usr/bin/"+about.Name, "-")
	b.want(options, `{"credentialStore.helper":"rds"`)
	b.put(options, `{"credentialStore.helper":"rds"}`, 0o600)
	b.apply(Undo(b.Input))
	b.want(options, `{"credentialStore.helper":"keychain"}`)
	b.want(record, "-")

	b.put(options, "\ufeff{}", 0o600)
	if _, err := Make(b.Input); err == nil || !strings.Contains(err.Error(), "byte order mark") {
		t.Errorf("%v", err)
	}
}

// TestNoState: what could not be undone is not done.
func TestNoState(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	before := b.tree()
	p, err := Make(b.Input)
	p.file = b.path("home/bin/" + about.Name + "/setup.json") // in a file
	words := b.apply(p, err)
	for _, w := range words {
		if !strings.HasPrefix(w, "failed: ") && w != "error" {
			t.Errorf("%s", w)
		}
	}
	b.same("nothing could be noted", before)
}

// TestFailed: a step that failed leaves the notes as they were.
func TestFailed(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	before := b.tree()
	fail := func(option bool) {
		p, err := Make(b.Input)
		for i, s := range p.Steps[1:] {
			if i++; strings.Contains(s.What, b.path(options)) == option {
				p.Steps[i].do = func(*state) error { return errors.New("busy") }
			}
		}
		b.apply(p, err)
	}
	fail(false)
	b.want(options, "{\"credentialStore.helper\": \"rds\"}\n")
	b.done(Undo(b.Input))
	b.same("all but the link and the option failed", before)

	p, err := Make(b.Input)
	p.Steps = p.Steps[:2]
	p.Steps[0].do = func(*state) error { return errors.New("busy") }
	b.has(b.apply(p, err), "failed: set credentialStore.helper to rds in ROOT/"+options)
	b.same("the link failed, and no Shell had a helper", before)

	b.put(options, `{"credentialStore.helper":"one"}`, 0o600)
	b.done(Make(b.Input))
	was := b.text(record)
	b.put(options, `{"credentialStore.helper":"two"}`, 0o600)
	fail(true)
	// The step for the configuration went well, and has another delegate.
	s, err := readState(b.path(record), "")
	if err != nil || len(s.Options) != 1 || string(s.Options[0].Before) != `"one"` {
		t.Errorf("from\n%s\ncame %+v, %v", was, s, err)
	}
}

// TestUndoFailure: what undo can't do now it does the next time.
func TestUndoFailure(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	before := b.tree()
	b.apply(Make(b.Input))
	p, err := Undo(b.Input)
	for i, s := range p.Steps {
		if strings.HasPrefix(s.What, "remove "+b.path("usr/bin")) {
			p.Steps[i].do = func(*state) error { return errors.New("busy") }
		}
	}
	b.has(b.apply(p, err), "failed: remove ROOT/usr/bin/"+about.Name)
	b.want(options, "-")
	b.apply(Undo(b.Input))
	b.same("undo", before)
}

// TestRecord: undo finds what setup noted when another configuration is named, also where an
// earlier setup noted it.
func TestRecord(t *testing.T) {
	t.Parallel()
	const keychain = `{"credentialStore.helper":"keychain"}`
	b := newShellBench(t)
	b.put(options, keychain, 0o600)
	before := b.tree()
	b.done(Make(b.Input))
	config := b.ConfigFile
	b.ConfigFile, b.env["XDG_CONFIG_HOME"] = b.path("xdg/config.yaml"), b.path("xdg")
	b.done(Undo(b.Input))
	b.same("undo with another configuration", before)

	b.ConfigFile, b.env["XDG_CONFIG_HOME"] = config, ""
	b.done(Make(b.Input))
	const old = "home/config/setup.json"
	if err := os.Rename(b.path(record), b.path(old)); err != nil {
		t.Fatal(err)
	}
	b.completions["bash"] = "# newer"
	b.done(Make(b.Input))
	b.want(old, "-")
	if b.text(record) == "-" {
		t.Error("the old record has not moved")
	}
	if err := os.Rename(b.path(record), b.path(old)); err != nil {
		t.Fatal(err)
	}
	b.done(Undo(b.Input))
	for _, name := range []string{old, record, beside} {
		b.want(name, "-")
	}
	b.want(options, keychain)

	for goos, want := range map[string]string{
		"linux": "/h/.config/" + about.Name, "darwin": "/h/Library/Application Support/" + about.Name, "windows": "/a/" + about.Name,
	} {
		sys := System{GOOS: goos, Home: "/h", Getenv: func(name string) string { return map[string]string{"AppData": "/a", "XDG_CONFIG_HOME": "/x"}[name] }}
		if got := sys.record(); got != want+"/setup.json" {
			t.Errorf("%s: %s", goos, got)
		}
	}
}

// TestNoRecord: whoever takes the helper away first learns how to switch it off, also when nothing
// is noted.
func TestNoRecord(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.done(Make(b.Input))
	if err := os.Remove(b.path(record)); err != nil {
		t.Fatal(err)
	}
	const off = `needs: in MySQL Shell: \option --unset --persist credentialStore.helper`
	want := []string{off, "needs: rm ROOT/" + beside}
	if diff := cmp.Diff(want, b.apply(Undo(b.Input))); diff != "" {
		t.Error(diff)
	}
	p, err := Undo(b.Input)
	if err != nil || !strings.HasSuffix(p.Steps[1].What, ", which setup has no note of: others may use it") {
		t.Errorf("%+v, %v", p.Steps, err)
	}
	if err := os.Remove(b.path(beside)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{off}, b.apply(Undo(b.Input))); diff != "" {
		t.Error(diff)
	}
	b.put(beside, about.Name+" 0", 0o755) // somebody else's, which stays
	if diff := cmp.Diff([]string(nil), b.apply(Undo(b.Input))); diff != "" {
		t.Error(diff)
	}
}

// TestKilled: what a setup that was killed has left half done goes with the next run, or with undo.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, plan := range []func(Input) (Plan, error){Make, Undo} {
		for step := range 5 {
			b := newShellBench(t)
			b.put(options, "{}", 0o600)
			before := b.tree()
			p, err := Make(b.Input)
			if err != nil || len(p.Steps) != 5 {
				t.Fatal(p.Steps, err)
			}
			p.Steps = p.Steps[:step+1]
			last := &p.Steps[step]
			last.do = func(*state) error { return nil } // though it has been noted
			b.done(p, nil)
			left := []string{disk.EditTemporary(last.file), disk.EditTemporary(b.path(record))}
			if step == 0 {
				left[0] = placing(last.file)
			}
			for _, path := range left {
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("half"), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			b.done(plan(b.Input))
			for _, path := range left {
				if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("step %d: %s stays, %v", step, path, err)
				}
			}
			b.done(Undo(b.Input))
			b.same("undo", before)
		}
	}
}
