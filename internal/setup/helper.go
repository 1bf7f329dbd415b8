package setup

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/disk"
)

// State is what a file is that stands where a MySQL Shell looks for this program.
type State int

const (
	Absent       State = iota // there is none
	This                      // this program: itself, or a link to it
	Copy                      // another file with the same content
	AnotherBuild              // of this program
	Foreign                   // another program
	Unidentified              // some program; Identify tells which
	NoProgram                 // nothing that can be run
	Dangling                  // a link to what isn't there
	Forbidden                 // something that this user may not run
	Unknown                   // something that can't be looked at
)

// Helper is what stands beside a MySQL Shell where that looks for this program. Links are followed.
type Helper struct {
	Path  string
	State State
	Link  string // where it leads, if it is a symbolic link
	Build string // what another build says of its version
	// Err is why it can't be looked at or used, or why its content couldn't be compared.
	Err error
}

// Beside looks at what stands beside a Shell. It runs nothing.
func (s System) Beside(sh Shell) Helper { return s.look(s.helperIn(sh.Dir)) }

// look looks at a file that should be this program.
func (s System) look(path string) Helper {
	h := Helper{Path: path}
	info, err := os.Lstat(path)
	if absent(err) {
		return h
	}
	if err != nil {
		h.State, h.Err = Unknown, err
		return h
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		h.Link, _ = os.Readlink(path)
		_, err = os.Stat(path)
	}
	switch {
	case absent(err), errors.Is(err, syscall.ELOOP):
		h.State = Dangling
	case errors.Is(err, fs.ErrPermission):
		h.State = Forbidden
	case disk.SameFile(path, s.Binary):
		h.State = This
	case !s.Program(path):
		h.State = NoProgram
	default:
		if h.State, err = Unidentified, mayRun(path); err != nil {
			h.State = Forbidden
		}
	}
	h.Err = err
	return h
}

// Identify tells which program a helper is, by its content or by what it says when it is run.
func (s System) Identify(ctx context.Context, h Helper) Helper {
	if h.State != Unidentified {
		return h
	}
	var same bool
	if same, h.Err = sameContent(h.Path, s.Binary); same {
		h.State = Copy
		return h
	}
	h.State = Foreign
	if said := s.Version(ctx, h.Path); strings.HasPrefix(said, about.Name+" ") {
		h.State, h.Build = AnotherBuild, said
	}
	return h
}

// identify is look and Identify.
func (s System) identify(path string) Helper { return s.Identify(context.Background(), s.look(path)) }

// serves reports whether a Shell has this program for a helper there, in whichever version.
func (h Helper) serves() bool { return h.State == This || h.State == Copy || h.State == AnotherBuild }

// there reports whether there is a file, be it any.
func (h Helper) there() bool { return h.State != Absent && h.State != Dangling }

// outdated reports whether a helper is an older build than this program.
func (s System) outdated(h Helper) bool {
	return h.State == AnotherBuild && older(h.Build, s.Version(context.Background(), s.Binary))
}

// sameContent reports whether two files have the same content.
func sameContent(a, b string) (bool, error) {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if err := errors.Join(errA, errB); err != nil || infoA.Size() != infoB.Size() {
		return false, err
	}
	dataA, errA := readProgram(a)
	dataB, errB := readProgram(b)
	err := errors.Join(errA, errB)
	return err == nil && bytes.Equal(dataA, dataB), err
}

// Program reports whether a path, links followed, is one that can be run.
func (s System) Program(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (s.GOOS == "windows" || info.Mode()&0o111 != 0)
}

// helperIn is where a Shell in a folder looks for this program.
func (s System) helperIn(dir string) string { return filepath.Join(dir, about.Name+s.exe()) }
