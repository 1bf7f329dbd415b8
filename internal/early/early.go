// Package early answers the two calls that have to be fast, version and a get whose token is in the
// cache, while the rest of the program is still being initialised.
//
// Linking the AWS SDK costs every call more than a millisecond, used or not: its packages, and
// those of net/http below them, fill tables and compile regular expressions when they are
// initialised. Go initialises packages one by one, each as soon as its imports are, the
// alphabetically first of them first (Go specification, "Package initialization"). This package
// imports little, so its turn comes before net/http's, and what it can answer ends the process
// there. Whatever it can't, errors included, is left to the rest, which gets what has been read so
// far.
package early

import (
	"fmt"
	"os"
	"sync"
	"time"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/stamp"
)

// EnvLog names the log file in the environment. With a log every call takes the regular way, which
// writes it.
const EnvLog = "MYSQL_SECRET_STORE_RDS_LOG"

// Both are read once, by init or by whoever asks first.
var (
	Input  = sync.OnceValues(func() ([]byte, error) { return disk.ReadAtMost(os.Stdin, "the request", maxInput) })
	Config = sync.OnceValues(stamp.ReadConfig)
)

// maxInput is much more than the Shell sends, in bytes: a secret, as a rule, and escaped.
const maxInput = 4 << 20

func init() {
	hide()
	switch {
	case len(os.Args) != 2:
	case os.Args[1] == "version":
		end(fmt.Fprintln(os.Stdout, about.Version()))
	case os.Args[1] == "get" && os.Getenv(EnvLog) == "":
		input, err1 := Input()
		file, err2 := Config()
		if reply, ok := answer(input, file); ok && err1 == nil && err2 == nil {
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

// answer returns the reply to a get that the cache can answer without the configuration being
// parsed.
func answer(input []byte, file stamp.ConfigFile) (reply []byte, ok bool) {
	req, err := protocol.DecodeRequest("get", input)
	if _, ours := req.Server(); err != nil || !ours {
		return nil, false
	}
	store, err := cache.Open()
	if err != nil {
		return nil, false
	}
	kept, err := store.Get(req.ID)
	if err != nil || !kept.Answers(stamp.Now(file), time.Now()) {
		return nil, false
	}
	return protocol.Credential(req.ID, kept.Token), true
}
