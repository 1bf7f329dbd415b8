package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/about"
)

const beside = "usr/bin/" + about.Name

// TestForeign: what is somebody else's beside the Shell stays, and is run only if it is a program.
func TestForeign(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		make func(*bench)
		runs int
	}{
		{"no program", func(b *bench) { b.put(beside, about.Name+" 0", 0o644) }, 0},
		{"another program", func(b *bench) { b.put(beside, "another 1", 0o755) }, 1},
		{"one that fails", func(b *bench) { b.put(beside, "", 0o755) }, 1},
		{"one with a longer name", func(b *bench) { b.put(beside, about.Name+"2 1", 0o755) }, 1},
		{"a folder", func(b *bench) { b.put(beside+"/file", "", 0o755) }, 0},
		{"a link to another program", func(b *bench) { b.put("home/x", "another", 0o755); b.link(beside, b.path("home/x")) }, 1},
		{"a link to a text", func(b *bench) { b.put("home/x", about.Name+" 0", 0o644); b.link(beside, b.path("home/x")) }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newShellBench(t)
			tc.make(b)
			before := b.tree()
			runs, say := 0, b.System.Version
			b.System.Version = func(ctx context.Context, path string) string { runs++; return say(ctx, path) }
			p, err := Make(b.Input)
			if runs != tc.runs {
				t.Errorf("it was run %d times, not %d", runs, tc.runs)
			}
			words := b.apply(p, err)
			b.has(words, "needs: ROOT/"+beside+" is there, and is not this program: look at it, and move it away")
			b.has(words, "needs: then run again: "+about.Name+" setup")
			b.want(options, "-") // it would name a helper that no Shell has
			b.apply(Undo(b.Input))
			b.same("undo", before)
		})
	}
}

// TestMended: a link that an upgrade broke leads here again, and undo knows it as its own.
func TestMended(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		make func(*bench)
		back string
	}{
		{"it leads nowhere", func(b *bench) { b.link(beside, "/nonexistent/"+about.Name) }, ""},
		{"it leads through a file", func(b *bench) { b.put("home/x", "", 0o644); b.link(beside, b.path("home/x/"+about.Name)) }, ""},
		{"it leads to itself", func(b *bench) { b.link(beside, about.Name) }, ""},
		{"it leads to an older build", func(b *bench) { b.put("home/old", about.Name+" 0", 0o755); b.link(beside, "../../home/old") }, "../../home/old"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newShellBench(t)
			tc.make(b)
			b.has(b.apply(Make(b.Input)), "done: mend the link ROOT/"+beside+": it should lead to ROOT/home/bin/"+about.Name)
			if to, err := os.Readlink(b.path(beside)); err != nil || to != b.System.Binary {
				t.Errorf("it leads to %s, %v", to, err)
			}
			b.apply(Make(b.Input))
			b.done(Undo(b.Input))
			if to, _ := os.Readlink(b.path(beside)); to != tc.back {
				t.Errorf("after undo it leads to %q", to)
			}
			b.want(record, "-")
		})
	}
}

// TestLeadBack: what undo can't do itself is a command; a place that is gone since is no place to
// lead to.
func TestLeadBack(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put("home/old", about.Name+" 0", 0o755)
	b.link(beside, b.path("home/old"))
	b.done(Make(b.Input))
	b.roots[b.path("usr/bin")] = true
	b.has(b.done(Undo(b.Input)), "needs: sudo ln -sfn ROOT/home/old ROOT/"+beside)
	if err := os.Remove(b.path("home/old")); err != nil {
		t.Fatal(err)
	}
	b.has(b.done(Undo(b.Input)), "needs: sudo rm ROOT/"+beside)
}

// TestColleague: another user's working helper stays, by setup and by undo.
func TestColleague(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		make func(*bench)
		want string
	}{
		{"another build", func(b *bench) {
			b.put("alice/bin/x", about.Name+" 1 (commit a)", 0o755)
			b.link(beside, b.path("alice/bin/x"))
		}, "leads to ROOT/alice/bin/x, another build of this program"},
		{"the same build", func(b *bench) { b.put("alice/bin/x", about.Name+" 1", 0o755); b.link(beside, b.path("alice/bin/x")) }, "leads to ROOT/alice/bin/x, another build of this program"},
		{"a newer build", func(b *bench) {
			b.put("alice/bin/x", about.Name+" 1.0.1", 0o755)
			b.link(beside, b.path("alice/bin/x"))
		}, "leads to ROOT/alice/bin/x, another build of this program"},
		{"a copy", func(b *bench) { b.put(beside, about.Name+" 1 (commit a)", 0o755) }, "is another build of this program"},
		{"an older build", func(b *bench) {
			b.put("alice/bin/x", about.Name+" 0", 0o755)
			b.link(beside, b.path("alice/bin/x"))
			if err := os.Chown(b.path("alice/bin"), os.Geteuid()+1, -1); err != nil {
				b.t.Skip(err)
			}
		}, "leads to ROOT/alice/bin/x, another build of this program"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newShellBench(t)
			tc.make(b)
			before := b.tree()
			b.has(b.done(Make(b.Input)), "ok: ROOT/"+beside+" "+tc.want)
			b.want(options, "{\"credentialStore.helper\": \"rds\"}\n")
			b.done(Undo(b.Input))
			b.same("undo", before)
		})
	}
}

// TestOwnLinkFollows: setup's own link leads to the program that runs, though the one from before
// is still there; undo knows where it led before the first.
func TestOwnLinkFollows(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "../../home/old"} {
		b := newShellBench(t)
		if before != "" {
			b.put("home/old", about.Name+" 0", 0o755)
			b.link(beside, before)
		}
		b.done(Make(b.Input))
		b.put("home/elsewhere", about.Name+" 1", 0o755)
		b.System.Binary = b.path("home/elsewhere")
		b.has(b.done(Make(b.Input)), "done: mend the link ROOT/"+beside+": it should lead to ROOT/home/elsewhere")
		b.done(Undo(b.Input))
		if to, _ := os.Readlink(b.path(beside)); to != before {
			t.Errorf("after undo it leads to %q, not %q", to, before)
		}
	}
}

// TestClosed: a link into a folder that only another may enter is neither broken nor in the way.
func TestClosed(t *testing.T) {
	t.Parallel()
	for _, theirs := range []string{"alice", "alice/bin/x"} {
		t.Run(theirs, func(t *testing.T) {
			t.Parallel()
			b := newShellBench(t)
			b.put("alice/bin/x", about.Name+" 1", 0o755)
			b.link(beside, b.path("alice/bin/x"))
			if err := os.Chmod(b.path(theirs), 0o700); err != nil {
				t.Fatal(err)
			}
			b.asNobody(theirs)
			b.has(b.done(Make(b.Input)), "needs: sudo install -m 755 ROOT/home/bin/"+about.Name+" ROOT/usr/local/bin/"+about.Name+" && sudo ln -sfn ROOT/usr/local/bin/"+about.Name+" ROOT/"+beside)
			if to, err := os.Readlink(b.path(beside)); err != nil || to != b.path("alice/bin/x") {
				t.Errorf("it leads to %s, %v", to, err)
			}
			b.System.GOOS = "darwin"
			b.has(b.done(Make(b.Input)), "needs: sudo mkdir -p ROOT/usr/local/bin && sudo install -m 755 ROOT/home/bin/"+about.Name+" ROOT/usr/local/bin/"+about.Name+
				" && sudo ln -sfn ROOT/usr/local/bin/"+about.Name+" ROOT/"+beside)
			b.System.GOOS = "linux"
			// The person types it, and takes it back.
			b.put("usr/local/bin/"+about.Name, about.Name+" 1", 0o755)
			if err := os.Remove(b.path(beside)); err != nil {
				t.Fatal(err)
			}
			b.link(beside, b.path("usr/local/bin/"+about.Name))
			b.has(b.done(Make(b.Input)), "ok: ROOT/"+beside+" leads to ROOT/usr/local/bin/"+about.Name+", another build of this program")
			b.roots[b.path("usr/bin")] = true
			b.has(b.done(Undo(b.Input)), "needs: sudo ln -sfn ROOT/alice/bin/x ROOT/"+beside)
		})
	}
	// No link, and nobody knows what it is.
	b := newShellBench(t)
	b.put(beside, about.Name+" 1", 0o700)
	b.asNobody(beside)
	b.has(b.done(Make(b.Input)), "needs: ROOT/"+beside+" is there, and you may not run it: ask whose it is")
}

// TestClosedHome: the link leads to this program, wherever that is; who else may run it is for its
// owner to say.
func TestClosedHome(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.roots[b.path("usr/bin")] = true
	if err := os.Chmod(b.path("home"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.has(b.done(Make(b.Input)), "needs: sudo ln -sfn ROOT/home/bin/"+about.Name+" ROOT/"+beside)
}

func TestOlder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"0.1.0 (commit a)", "0.2.0 (commit b)", true}, {"0.9.0", "0.10.0", true}, {"v1.2", "v1.2.1", true}, {"1.0.0-rc1", "1.0.1", true},
		{"0.1.0 (commit a)", "0.1.0 (commit b)", false}, {"0.2.0", "0.1.9", false}, {"devel", "1", false}, {"1", "devel", false}, {"", "1", false},
	} {
		if got := older(about.Name+" "+tc.a, about.Name+" "+tc.b); got != tc.want {
			t.Errorf("%s older than %s: %v", tc.a, tc.b, got)
		}
	}
}

// TestMoved: the program goes elsewhere; its link is mended, or taken away though it leads nowhere.
func TestMoved(t *testing.T) {
	t.Parallel()
	for _, mended := range []bool{true, false} {
		b := newShellBench(t)
		b.apply(Make(b.Input))
		moved := b.path("home/bin/moved")
		if err := os.Rename(b.System.Binary, moved); err != nil {
			t.Fatal(err)
		}
		b.System.Binary = moved
		if mended {
			b.apply(Make(b.Input))
			b.want(beside, about.Name+" 1")
		}
		b.apply(Undo(b.Input))
		if _, err := os.Lstat(b.path(beside)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("mended %v: the link stays: %v", mended, err)
		}
		b.want("home/bin/moved", about.Name+" 1")
	}
}

// TestCopyBack: where somebody had put a copy by hand, undo leaves one, of this build; also when
// its link was mended in between.
func TestCopyBack(t *testing.T) {
	t.Parallel()
	for _, root := range []bool{false, true} {
		b := newShellBench(t)
		b.put(beside, about.Name+" 0", 0o755)
		b.put(options, `{"credentialStore.helper":"rds"}`, 0o600)
		b.has(b.apply(Make(b.Input)), "done: replace ROOT/"+beside+", another build of this program")
		if err := os.Rename(b.System.Binary, b.path("home/bin/moved")); err != nil {
			t.Fatal(err)
		}
		b.System.Binary = b.path("home/bin/moved")
		b.apply(Make(b.Input))
		b.roots[b.path("usr/bin")] = root
		words := b.apply(Undo(b.Input))
		if root {
			b.has(words, "needs: sudo install -m 755 ROOT/home/bin/moved ROOT/"+beside)
			continue
		}
		for _, w := range words {
			if strings.HasPrefix(w, "needs: ") {
				t.Errorf("%s", w)
			}
		}
		info, err := os.Lstat(b.path(beside))
		if err != nil || info.Mode() != 0o755 {
			t.Errorf("there is %v, %v", info, err)
		}
		b.want(beside, about.Name+" 1")
		b.want(record, "-")
	}
}

// TestUsersLink: a link that the user has changed since stays, as does a file in its place.
func TestUsersLink(t *testing.T) {
	t.Parallel()
	for _, put := range []func(*bench){
		func(b *bench) { b.link(beside, "/somewhere/else/"+about.Name) },
		func(b *bench) { b.put(beside, about.Name+" 1", 0o755) },
		func(b *bench) {
			if err := os.Link(b.System.Binary, b.path(beside)); err != nil {
				b.t.Skip(err)
			}
		},
	} {
		b := newShellBench(t)
		b.apply(Make(b.Input))
		if err := os.Remove(b.path(beside)); err != nil {
			t.Fatal(err)
		}
		put(b)
		want := b.tree()["/"+beside]
		b.has(b.apply(Undo(b.Input)), "ok: keep ROOT/"+beside+": it is not what setup put there")
		if diff := cmp.Diff(want, b.tree()["/"+beside]); diff != "" {
			t.Error(diff)
		}
		b.want(record, "-")
	}
}

// TestSameLink: a link that the user has written in another way is still one to this program.
func TestSameLink(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.done(Make(b.Input))
	if err := os.Remove(b.path(beside)); err != nil {
		t.Fatal(err)
	}
	b.link(beside, "../../home/bin/"+about.Name)
	b.done(Undo(b.Input))
	b.want(beside, "-")
}

// TestByHand: what was left to a person is known to undo, and stays known until it is done.
func TestByHand(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.roots[b.path("usr/bin")] = true
	before := b.tree()
	b.has(b.apply(Make(b.Input)), "needs: sudo ln -sfn ROOT/home/bin/"+about.Name+" ROOT/"+beside)
	noted := b.tree()
	b.has(b.apply(Make(b.Input)), "needs: sudo ln -sfn ROOT/home/bin/"+about.Name+" ROOT/"+beside)
	b.same("noted once", noted)
	b.link(beside, b.System.Binary)
	for range 2 {
		b.has(b.apply(Undo(b.Input)), "needs: sudo rm ROOT/"+beside)
	}
	if err := os.Remove(b.path(beside)); err != nil {
		t.Fatal(err)
	}
	b.apply(Undo(b.Input))
	b.same("undo", before)

	// One that setup never noted: advice, no more.
	b.link(beside, b.System.Binary)
	want := b.tree()
	p, err := Undo(b.Input)
	b.has(b.apply(p, err), "needs: sudo rm ROOT/"+beside)
	if p.Open() {
		t.Errorf("%+v", p.Steps)
	}
	b.same("undo of what setup didn't do", want)
}

// TestOptionLeft: an option that was rds before setup would name a helper that is gone.
func TestOptionLeft(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put(options, `{"credentialStore.helper":"rds"}`, 0o600)
	b.apply(Make(b.Input))
	b.has(b.apply(Undo(b.Input)), `needs: in MySQL Shell: \option --unset --persist credentialStore.helper`)
	b.want(options, `{"credentialStore.helper":"rds"}`)
}

// TestNewShell: a Shell that came after setup gets its link the next time, and undo takes away
// both; those of one that has gone are no trouble.
func TestNewShell(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	b.put("opt/mysql-shell-8.0/bin/mysqlsh", "", 0o755)
	b.apply(Make(b.Input))
	if err := os.RemoveAll(b.path("opt/mysql-shell-8.0")); err != nil {
		t.Fatal(err)
	}
	b.put("opt/mysql-shell-9.0/bin/mysqlsh", "", 0o755)
	before := b.tree()
	p, err := Undo(b.Input) // looked at, not done
	if err != nil || len(p.Steps) == 0 {
		t.Errorf("%v, %v", p.Steps, err)
	}
	b.same("a plan", before)
	b.has(b.apply(Make(b.Input)), "done: link ROOT/home/bin/"+about.Name+" to ROOT/opt/mysql-shell-9.0/bin/"+about.Name)
	b.apply(Undo(b.Input))
	for _, name := range []string{beside, "opt/mysql-shell-8.0", "opt/mysql-shell-9.0/bin/" + about.Name, options, record} {
		b.want(name, "-")
	}
}

// TestPlace: a step that fails leaves nothing in the Shell's folder, least of all what the Shell
// takes for a helper.
func TestPlace(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	p, err := Make(b.Input)
	b.put(beside+"/full", "", 0o644) // a folder, which nothing can take the place of
	b.has(b.apply(p, err), "failed: link ROOT/home/bin/"+about.Name+" to ROOT/"+beside)
	entries, err := os.ReadDir(b.path("usr/bin"))
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	b.link("usr/bin/."+about.Name+".new", "/left/by/one/that/was/killed") // no name of a helper
	if err := os.RemoveAll(b.path(beside)); err != nil {
		t.Fatal(err)
	}
	b.apply(Make(b.Input))
	b.want(beside, about.Name+" 1")
	if entries, err := os.ReadDir(b.path("usr/bin")); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}

	// A folder where the completions belong.
	b.done(Undo(b.Input))
	b.put("home/.local/share/bash-completion/completions/"+about.Name+"/file", "", 0o644)
	b.done(Make(b.Input))
}

// TestWindows: copies, which are replaced by newer ones, and removed unless they run.
func TestWindows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.System.GOOS = "windows"
	b.env["ProgramFiles"], b.env["PATH"], b.env["AppData"] = "/Program Files", "", b.path("home/Roaming")
	const dir = "Program Files/MySQL/MySQL Shell 9.0/bin/"
	const copied = dir + about.Name + ".exe"
	b.put(dir+"mysqlsh.exe", "", 0o644)
	before := b.tree()
	b.apply(Make(b.Input))
	b.want(copied, about.Name+" 1")
	b.put("home/bin/"+about.Name, about.Name+" 2", 0o755)
	b.has(b.apply(Make(b.Input)), "done: replace ROOT/"+copied+", another build of this program")
	b.want(copied, about.Name+" 2")
	b.apply(Undo(b.Input))
	b.put("home/bin/"+about.Name, about.Name+" 1", 0o755)
	b.same("undo", before)

	// The copy is what runs.
	b.apply(Make(b.Input))
	binary := b.System.Binary
	b.System.Binary = b.path(copied)
	b.has(b.apply(Undo(b.Input)), `needs: del "ROOT/`+copied+`"`)
	b.want(copied, about.Name+" 1")
	b.System.Binary = binary
	b.apply(Undo(b.Input))
	b.same("undo by another", before)

	// An older copy, put there by hand.
	b.put(copied, about.Name+" 0", 0o755)
	b.apply(Make(b.Input))
	b.want(copied, about.Name+" 1")
	b.has(b.done(Undo(b.Input)), "ok: keep ROOT/"+copied+": there was a copy of this program before setup")
	b.want(copied, about.Name+" 1")
	b.want(record, "-")
	if err := os.Remove(b.path(copied)); err != nil {
		t.Fatal(err)
	}

	b.roots[b.path(filepath.Clean(dir))] = true
	b.has(b.apply(Make(b.Input)), `needs: as Administrator: copy "ROOT/home/bin/`+about.Name+`" "ROOT/`+copied+`"`)
	b.put(copied, about.Name+" 1", 0o755)
	b.has(b.done(Undo(b.Input)), `needs: as Administrator: del "ROOT/`+copied+`"`)
}
