package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func unixOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("mode bits say nothing on Windows")
	}
}

func TestReadWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "it.json")
	if _, err := Read(path, 9); err != ErrAbsent {
		t.Errorf("of nothing: %v", err)
	}
	for _, text := range []string{"first", "second"} {
		if err := Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path, 6); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if _, err := Read(path, 5); !isUntrusted(err) {
		t.Errorf("longer than allowed: %v", err)
	}
	// What goes wrong half way leaves the old content, and nothing else.
	broken := errors.New("broken")
	err := WriteFrom(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "thi")
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if got, err := Read(path, 9); err != nil || string(got) != "second" {
		t.Errorf("after a failure: %q, %v", got, err)
	}
	// A process that was killed has left its temporary file, perhaps readable for all.
	if err := os.WriteFile(Temporary(path), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("third")); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path, 9); err != nil || string(got) != "third" {
		t.Errorf("after a killed process: %q, %v", got, err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("the folder has %v, %v", files, err)
	}
}

func isUntrusted(err error) bool {
	var u *UntrustedError
	return errors.As(err, &u) && errors.Is(err, ErrAbsent)
}

// TestUntrusted: a file that others may have a hand in, or that is none, counts as absent.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	unixOnly(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	own, link, folder := at("own"), at("link"), at("folder")
	if err := errors.Join(Write(own, nil), os.Symlink(own, link), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, folder} {
		if _, err := Open(path); !isUntrusted(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		if err := os.Chmod(own, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(own); !isUntrusted(err) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestMakeDir(t *testing.T) {
	t.Parallel()
	unixOnly(t)
	ours := func(name string) bool { return name == "ours" }
	mode := func(dir string) os.FileMode {
		t.Helper()
		if err := MakeDir(dir, ours); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	if m := mode(dir); m != 0o700 {
		t.Errorf("a new one: %o", m)
	}
	open := func(file string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(filepath.Join(dir, file), nil, 0o600), os.Chmod(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	open("ours")
	if m := mode(dir); m != 0o700 {
		t.Errorf("one that holds only ours: %o", m)
	}
	open("theirs")
	if m := mode(dir); m != 0o755 {
		t.Errorf("one that is used for more: %o", m)
	}
}
