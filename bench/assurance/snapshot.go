//go:build linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// snapshot is a folder of small files as it was.
type snapshot []saved

type saved struct {
	path, text, link string
	mode             fs.FileMode
	changed          time.Time
}

// snapshot reads the home and the Shell's folder.
func (w *world) snapshot() (s snapshot, err error) {
	for _, dir := range []string{w.home, w.folder} {
		err = errors.Join(err, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			f := saved{path: path, mode: info.Mode(), changed: info.ModTime()}
			switch {
			case info.Mode().IsRegular():
				text, err := os.ReadFile(path)
				f.text = string(text)
				s = append(s, f)
				return err
			case info.Mode()&fs.ModeSymlink != 0:
				f.link, err = os.Readlink(path)
			}
			s = append(s, f)
			return err
		}))
	}
	return s, err
}

// restore makes both as they were, with the times of their files.
func (w *world) restore(s snapshot) error {
	problems := []error{os.RemoveAll(w.home), os.RemoveAll(w.folder)}
	for _, f := range s {
		switch {
		case f.mode.IsDir():
			problems = append(problems, os.MkdirAll(f.path, f.mode.Perm()))
		case f.link != "":
			problems = append(problems, os.Symlink(f.link, f.path))
		default:
			problems = append(problems, os.WriteFile(f.path, []byte(f.text), f.mode.Perm()),
				os.Chtimes(f.path, f.changed, f.changed))
		}
	}
	return errors.Join(problems...)
}
