package setup

import (
	"context"
	"errors"
	"os"
	"testing"

	"mysql-secret-store-rds/internal/about"
)

// TestBeside: what stands there is told apart; only what may be another build is run.
func TestBeside(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		make func(*bench)
		want State
		link bool
		runs int
	}{
		{"nothing", func(*bench) {}, Absent, false, 0},
		{"a link to this program", func(b *bench) { b.link(beside, b.System.Binary) }, This, true, 0},
		{"another name for it", func(b *bench) {
			if err := os.Link(b.System.Binary, b.path(beside)); err != nil {
				b.t.Skip(err)
			}
		}, This, false, 0},
		{"a copy", func(b *bench) { b.put(beside, about.Name+" 1", 0o755) }, Copy, false, 0},
		{"a link to a copy", func(b *bench) { b.put("x", about.Name+" 1", 0o755); b.link(beside, "../../x") }, Copy, true, 0},
		{"another build", func(b *bench) { b.put(beside, about.Name+" 0", 0o755) }, AnotherBuild, false, 1},
		{"another program", func(b *bench) { b.put(beside, "another 0", 0o755) }, Foreign, false, 1},
		{"a text", func(b *bench) { b.put(beside, about.Name+" 1", 0o644) }, NoProgram, false, 0},
		{"a folder", func(b *bench) { b.put(beside+"/x", "", 0o755) }, NoProgram, false, 0},
		{"a link to nothing", func(b *bench) { b.link(beside, "nothing") }, Dangling, true, 0},
		{"a link in a circle", func(b *bench) { b.link(beside, about.Name) }, Dangling, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newShellBench(t)
			tc.make(b)
			runs, say := 0, b.System.Version
			b.System.Version = func(ctx context.Context, path string) string { runs++; return say(ctx, path) }
			h := b.System.Identify(t.Context(), b.System.Beside(ShellAt(b.path("usr/bin/mysqlsh"))))
			if h.Path != b.path(beside) || h.State != tc.want || (h.Link != "") != tc.link || runs != tc.runs {
				t.Errorf("got %+v, run %d times", h, runs)
			}
			if (h.Build != "") != (tc.want == AnotherBuild) || tc.want == Dangling && h.Err == nil {
				t.Errorf("got %+v", h)
			}
		})
	}
	// A folder that nobody but its owner may enter.
	b := newShellBench(t)
	b.put("alice/x", about.Name+" 1", 0o755)
	b.link(beside, b.path("alice/x"))
	if err := os.Chmod(b.path("alice"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.asNobody("alice")
	if h := b.System.Beside(ShellAt(b.path("usr/bin/mysqlsh"))); h.State != Forbidden || !errors.Is(h.Err, os.ErrPermission) {
		t.Errorf("got %+v", h)
	}
}
