// Package early answers version, and a get whose token is in the cache, before the rest of the
// program is initialised, which takes longer than the answer does. So it has to import little:
// "Why it starts fast" in docs/architecture.md. Whatever it can't answer, errors included, is left
// to the rest, which gets what has been read so far.
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
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/stamp"
)

// EnvLog names the log file in the environment. With a log every call takes the regular way, which
// writes it.
const EnvLog = "MYSQL_SECRET_STORE_RDS_LOG"

// Input is the request and Config the configuration file, each read once, by whoever asks first.
var (
	Input  = sync.OnceValues(func() ([]byte, error) { return disk.ReadAtMost(os.Stdin, "the request", maxInput) })
	Config = sync.OnceValues(stamp.ReadConfig)
)

const maxInput = 4 << 20 // bytes: much more than a secret, as a rule, even escaped

func init() {
	secret.HideMemory()
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
	store, _ := cache.Open() // which finds nothing where there is no place for one
	kept, err := store.Get(req.ID)
	if err != nil || !kept.Answers(stamp.Now(file), time.Now()) {
		return nil, false
	}
	return protocol.Credential(req.ID, kept.Token), true
}
