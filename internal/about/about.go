// Package about says what this program is: its name and its version.
package about

import (
	"fmt"
	"runtime/debug"
)

// Name is the program's name: of its file beside MySQL Shell, of its folders, and in every command
// to paste.
const Name = "mysql-secret-store-rds"

// What a build from source says. The packages have both linked in, with
// -ldflags "-X mysql-secret-store-rds/internal/about.version=…"; see packaging/build.
var (
	version = "0.2.0-dev" // of the release that this becomes: the newest heading of CHANGELOG.md
	commit  = ""
)

// Version returns what MySQL Shell reads when it looks for helpers: name, version and commit.
func Version() string {
	return fmt.Sprintf("%s %s (commit %s)", Name, version, revision())
}

// revision returns the commit that this was built from, as it was linked in or as Go noted it.
func revision() string {
	rev, modified := commit, ""
	if info, ok := debug.ReadBuildInfo(); ok && rev == "" {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				rev = s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = ", modified"
			}
		}
	}
	if rev == "" {
		return "unknown"
	}
	return rev + modified
}
