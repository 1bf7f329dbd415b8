package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/cname"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/identity"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/serverurl"
	"mysql-secret-store-rds/internal/token"
)

const explainHelp = `Shows where the password for a server comes from, step by step: which entry, rule or account of
the configuration decided what, and what the cache holds. Signs nothing and asks AWS nothing.

Usage:
  mysql-secret-store-rds explain <user@host:port>

The argument is the Server URL as MySQL Shell writes it: no scheme, no password, no schema.
Exit codes: 0 when the Server URL leads somewhere, 1 when something is wrong.
`

// explain is the command of that name.
func explain(argv []string, stdout, stderr io.Writer) int {
	args := argv[2:]
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Fprint(stdout, explainHelp)
		return exitOK
	}
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		printError(stderr, problem{text: "explain takes one server", run: Name + " explain user@host:port"})
		return exitFail
	}
	u, err := serverurl.Parse(args[0])
	if err != nil {
		printError(stderr, problem{text: "this is not a Server URL: " + err.Error(), run: Name + " explain user@host:port"})
		return exitFail
	}
	file, cfg, err := readConfig()
	if err != nil {
		printError(stderr, describe(err))
		return exitFail
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	res, err := resolve.URL(ctx, u, cfg, cname.Lookup)
	printSteps(stdout, cfg, res)
	if err != nil {
		printError(stderr, describe(err))
		return exitFail
	}
	switch res.Outcome {
	case resolve.ToNobody:
		fmt.Fprintf(stdout, "Answer: no password; MySQL Shell asks for it (%s says credential: none)\n", res.Reason)
		return exitOK
	case resolve.ToDelegate:
		return explainDelegate(stdout, cfg, res, argv[0])
	}
	t := res.Target
	fmt.Fprintf(stdout, "Answer: an IAM token for %s at %s:%d (%s %q, account id %s), signed with %s",
		visible(t.User), t.Host, t.Port, res.Endpoint.Kind, res.Endpoint.Name, res.Endpoint.ID, token.Signer(t))
	if t.RoleARN != "" {
		fmt.Fprintf(stdout, " in role %s", t.RoleARN)
	}
	fmt.Fprintf(stdout, "\nCache:  %s\n", cacheState(args[0], cfg, res))
	if err := token.CheckProfile(ctx, t); err != nil {
		printError(stderr, describe(&signError{err, res, file.Path, ""}))
		return exitFail
	}
	return exitOK
}

// printSteps prints what the resolver did, from the values it returned.
func printSteps(w io.Writer, cfg *config.Config, res resolve.Resolution) {
	if cfg.Present {
		fmt.Fprintf(w, "Configuration: %s\n", cfg.File)
	} else {
		fmt.Fprintf(w, "Configuration: none (%s would be read)\n", cfg.File)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range res.Steps {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", s.What, visible(s.Value), visible(s.Source))
	}
	_ = table.Flush()
	fmt.Fprintln(w)
}

func explainDelegate(w io.Writer, cfg *config.Config, res resolve.Resolution, argv0 string) int {
	d, err := delegate.Find(cfg.Delegate, argv0)
	if err != nil {
		fmt.Fprintf(w, "Answer: no password; it isn't ours (%s), and %v\n", visible(res.Reason), err)
		if cfg.Delegate != "none" {
			fmt.Fprintln(w, "        (When MySQL Shell calls, the folder of its own binary is searched first.)")
		}
		return exitOK
	}
	fmt.Fprintf(w, "Answer: whatever the helper %s says (%s), because: %s\n", d.Name(), d.Path, visible(res.Reason))
	return exitOK
}

// cacheState says what the cache has for a Server URL and whether get would use it.
func cacheState(serverURL string, cfg *config.Config, res resolve.Resolution) string {
	if !cfg.Cache {
		return "off (cache: false)"
	}
	kept, err := cache.Open(os.Getenv(cache.EnvDir))
	if err != nil {
		return err.Error()
	}
	e, err := kept.Get(serverURL)
	now := time.Now()
	switch {
	case err == cache.ErrAbsent:
		return "no token yet"
	case errors.Is(err, cache.ErrAbsent):
		return "not used: " + err.Error()
	case e.Target != res.Target:
		return "a token for another target, which get will replace"
	case e.Identity != identity.Current():
		return "a token signed by another AWS identity, which get will replace"
	case !e.Fresh(now):
		return fmt.Sprintf("an expired token, signed %s ago, which get will replace", since(now, e.SignedAt))
	}
	return fmt.Sprintf("a token signed %s ago with credentials from %s, good for another %s",
		since(now, e.SignedAt), e.Source, since(e.FreshUntil(), now))
}

func since(later, earlier time.Time) time.Duration { return later.Sub(earlier).Round(time.Second) }
