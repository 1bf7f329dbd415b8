// Package early answers the two calls that have to be fast, version and a get whose token is in
// the cache, while the rest of the program is still being initialised.
//
// Linking the AWS SDK costs every call more than a millisecond, used or not: its packages, and
// those of net/http below them, fill tables and compile regular expressions when they are
// initialised. Go initialises packages one by one, each as soon as its imports are, the
// alphabetically first of them first (Go specification, "Package initialization"). This package imports little, so
// its turn comes before net/http's, and what it can answer ends the process there. Whatever it can't,
// errors included, is left to package app as if nothing had happened.
package early

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/configfile"
	"mysql-secret-store-rds/internal/identity"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/serverurl"
)

// EnvLog names the log file in the environment. With a log every call takes the regular way,
// which writes it.
const EnvLog = "MYSQL_SECRET_STORE_RDS_LOG"

func init() {
	if len(os.Args) != 2 {
		return
	}
	switch os.Args[1] {
	case "version":
		end(fmt.Fprintln(os.Stdout, Version()))
	case "get":
		if os.Getenv(EnvLog) != "" {
			return
		}
		taken = true
		if input, inputErr = io.ReadAll(os.Stdin); inputErr != nil {
			return
		}
		if reply, ok := answer(input); ok {
			end(os.Stdout.Write(reply))
		}
	}
}

func end(_ int, err error) {
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// What init has taken from stdin.
var (
	taken    bool
	input    []byte
	inputErr error
)

// Input reads stdin to its end, or gives what has been read of it already.
func Input(stdin io.Reader) ([]byte, error) {
	if taken {
		return input, inputErr
	}
	return io.ReadAll(stdin)
}

// Server says whether a request is about the password of a database server with a host name, which
// may be ours; everything else belongs to the delegate.
func Server(req protocol.Request) (serverurl.URL, bool) {
	if req.Type != protocol.TypePassword || !req.IDIsText {
		return serverurl.URL{}, false
	}
	u, err := serverurl.Parse(req.ID)
	return u, err == nil && u.Kind == serverurl.TCP
}

// Stamp stands for all that a Server URL is resolved by: the configuration, and what discover learned.
func Stamp(f configfile.File) string {
	path, err := inventory.Path()
	if err != nil {
		return f.Stamp
	}
	return f.Stamp + "/" + inventory.Stamp(path)
}

// answer gives the reply to a get that the cache can answer without the configuration being parsed.
func answer(input []byte) (reply []byte, ok bool) {
	req, err := protocol.DecodeRequest("get", input)
	if err != nil {
		return nil, false
	}
	if _, ok := Server(req); !ok {
		return nil, false
	}
	file, err := configfile.Read(os.Getenv(configfile.Env))
	if err != nil {
		return nil, false
	}
	kept, err := cache.Open(os.Getenv(cache.EnvDir))
	if err != nil {
		return nil, false
	}
	e, err := kept.Get(req.ID)
	if err != nil || !e.Answers(Stamp(file), identity.Current(), time.Now()) {
		return nil, false
	}
	return protocol.Credential(req.ID, e.Token), true
}

// Set when linking, with -ldflags "-X mysql-secret-store-rds/internal/early.commit=…".
var (
	version = "0.1.0"
	commit  = ""
)

// Version is what the Shell reads when it looks for helpers: name, version, commit.
func Version() string {
	rev := commit
	if info, ok := debug.ReadBuildInfo(); ok && rev == "" {
		var modified string
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				rev = s.Value[:min(len(s.Value), 12)]
			case "vcs.modified":
				if s.Value == "true" {
					modified = ", modified"
				}
			}
		}
		if rev != "" {
			rev += modified
		}
	}
	if rev == "" {
		rev = "unknown"
	}
	return fmt.Sprintf("mysql-secret-store-rds %s (commit %s)", version, rev)
}
