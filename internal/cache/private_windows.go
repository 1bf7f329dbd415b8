package cache

import (
	"io/fs"
	"os"
)

const lockFlags = os.O_CREATE | os.O_RDONLY

func openNoFollow(path string) (*os.File, error) { return os.Open(path) }

// notPrivate finds nothing: on Windows the user's own %LocalAppData% is private by its access
// control list, which files inherit, and mode bits say nothing.
func notPrivate(fs.FileInfo) string { return "" }

func makePrivate(dir string) error { return os.MkdirAll(dir, 0o700) }
