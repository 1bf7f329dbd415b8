//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadForeign: whatever is in a file's place, it is read or refused at once.
func TestReadForeign(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "f") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at := func(name string) string { return filepath.Join(dir, name) }
	socket, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := errors.Join(
		os.WriteFile(at("file"), []byte("text"), 0o600), os.WriteFile(at("empty"), nil, 0o600), os.WriteFile(at("large"), []byte("texts"), 0o600),
		os.Truncate(at("large"), 100<<20), os.Symlink("file", at("link")), os.Symlink("loop", at("loop")), os.Symlink("/dev/zero", at("zero")),
		os.Symlink(os.DevNull, at("null")), syscall.Mkfifo(at("pipe"), 0o600), os.Symlink("pipe", at("link to a pipe")), os.Mkdir(at("folder"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"file": "", "empty": "", "link": "", "null": "",
		"pipe": ": not a regular file", "link to a pipe": ": not a regular file", "socket": ": not a regular file", "zero": ": not a regular file",
		"folder": "is a directory", "loop": "too many levels of symbolic links", "large": ": more than 4 bytes", "absent": "no such file",
	} {
		start := time.Now()
		text, err := ReadForeign(at(name), 4)
		switch {
		case time.Since(start) > 2*time.Second:
			t.Errorf("%s: took %v", name, time.Since(start))
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %q, %v, want %q", name, text, err, want)
		case err != nil && !strings.Contains(err.Error(), at(name)):
			t.Errorf("%s: %v doesn't name it", name, err)
		case name == "absent" && !errors.Is(err, fs.ErrNotExist):
			t.Errorf("%s: %v", name, err)
		}
	}
}
