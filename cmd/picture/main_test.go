package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	if isShell() { // the stand-in for MySQL Shell is this program
		fail(shell(os.Args))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestPicture: docs/terminal.svg is what the program draws now. With UPDATE_SCRIPTS set, it is
// written there.
func TestPicture(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the picture is of Linux: other systems have other folders")
	}
	for _, name := range []string{"tmux", "bash", client} {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		why := "no " + name + " on this machine, which the picture is made with"
		if os.Getenv("MYSQL_SECRET_STORE_RDS_TEST_PEERS") == "required" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	got, err := draw(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/terminal.svg"
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the picture isn't what the program shows (-file +program); go run ./cmd/picture makes it again:\n%s", diff)
	}
}

// TestParse: styles are read as tmux writes them, and blank lines at the end are left out.
func TestParse(t *testing.T) {
	t.Parallel()
	got := parse("a\x1b[1;32mb\x1b[39m c\x1b[0m  d\n\x1b[7me\x1b[27mf in 100ms, read in 1.25s\n\n \n")
	want := []line{
		{{"a", style{}}, {"b", style{colour: "32", bold: true}}, {" c", style{bold: true}}, {"  d", style{}}},
		{{"e", style{inverse: true}}, {"f in 100ms, read in …", style{}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{}, style{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
