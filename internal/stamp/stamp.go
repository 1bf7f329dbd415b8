// Package stamp tells whether anything has changed that a kept password depends on: the
// configuration and the inventory, by which its server was resolved; the AWS identity, which the
// environment and the AWS files choose; and the sign-ins that the credentials came from. It finds
// out neither what these say nor whose they are.
package stamp

import (
	"fmt"
	"os"
	"slices"

	"mysql-secret-store-rds/internal/inventory"
)

// Stamp stands for all that a kept password depends on. Two equal stamps mean that nothing changed.
type Stamp struct {
	Config    string `json:"config"`    // of the configuration file
	Inventory string `json:"inventory"` // of what discover learned
	Identity  string `json:"identity"`  // of the environment and the AWS files
	SignIns   []File `json:"sign_ins,omitempty"`
}

// Now returns the present stamp under a configuration. It has no sign-ins: which those are shows
// only when credentials are made. It opens no file.
func Now(config ConfigFile) Stamp {
	s := Stamp{Config: config.Stamp, Inventory: none, Identity: Identity()}
	if path, err := inventory.Path(); err == nil {
		s.Inventory = state(path)
	}
	return s
}

// Holds reports whether a password that was kept with s is still what would be made now: for the
// same server, with the credentials of the same identity.
func (s Stamp) Holds(now Stamp) bool {
	return s.Config == now.Config && s.Inventory == now.Inventory && s.SameSigner(now)
}

// SameSigner reports whether the same identity would sign now: the AWS identity has not changed,
// and nobody has logged out, or in, in the meantime.
func (s Stamp) SameSigner(now Stamp) bool {
	return s.Identity == now.Identity && Unchanged(s.SignIns)
}

// File is a file as it was found.
type File struct {
	Path  string `json:"path"`
	State string `json:"state"` // its size and time, or that there is none
}

// Files returns files as they are now.
func Files(paths ...string) []File {
	files := make([]File, len(paths))
	for i, path := range paths {
		files[i] = File{path, state(path)}
	}
	return files
}

// Unchanged reports whether files are as they were found.
func Unchanged(files []File) bool {
	return !slices.ContainsFunc(files, func(f File) bool { return state(f.Path) != f.State })
}

const none = "none"

// state stands for a file's content, as long as nobody sets its time back. It doesn't open the
// file.
func state(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return none
	}
	return fmt.Sprintf("%x-%x", info.Size(), info.ModTime().UnixNano())
}
