package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// names lists a folder.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}

func wantFile(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("%s: %q, %v", path, got, err)
	}
	if info, err := os.Lstat(path); err != nil || filepath.Separator == '/' && info.Mode() != mode {
		t.Errorf("%s: %v, %v", path, info.Mode(), err)
	}
}

// TestReplace: the file is a new one, whatever was there.
func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other := filepath.Join(dir, "it.pem"), filepath.Join(dir, "other")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), Replace(path, []byte("one"), 0o644)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "one", 0o644)
	unixOnly(t)
	if err := errors.Join(os.Rename(path, other), os.Symlink(other, path), Replace(path, []byte("two"), 0o644)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "two", 0o644)
	wantFile(t, other, "one", 0o644)
}

// TestEdit: what a person has made of a file stays, and so do the files beside it.
func TestEdit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "it.json")
	if err := Edit(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "one", 0o640)
	unixOnly(t)
	link, beside := filepath.Join(dir, "link.json"), filepath.Join(dir, "new", "it.tmp")
	if err := errors.Join(os.Chmod(path, 0o604), os.Symlink(filepath.Join("new", "it.json"), link), os.WriteFile(beside, []byte("mine"), 0o600),
		os.WriteFile(EditTemporary(link), []byte("left by one that was killed"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := Edit(link, []byte("two"), 0o640); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "two", 0o604)
	wantFile(t, beside, "mine", 0o600)
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("no link any more: %v, %v", info, err)
	}
	if list := names(t, filepath.Dir(path)); len(list) != 2 {
		t.Errorf("the folder has %q", list)
	}
	// One that leads to a file that isn't there.
	if err := errors.Join(os.Remove(path), Edit(link, []byte("three"), 0o640)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "three", 0o640)
}

// TestTwoWriters: where there are no locks, the half of a file that another one
// is writing doesn't count.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	unixOnly(t)
	path := filepath.Join(t.TempDir(), "it.json")
	var other *os.File
	err := WriteFrom(path, func(w io.Writer) error {
		var err error
		if err = os.Remove(Temporary(path)); err == nil {
			other, err = os.Create(Temporary(path))
		}
		return err
	})
	if err == nil {
		t.Error("no error")
	}
	if other == nil {
		t.Fatal(err)
	}
	defer other.Close()
	if list := names(t, filepath.Dir(path)); len(list) != 1 || list[0] != "it.tmp" {
		t.Errorf("the folder has %q", list)
	}
}
