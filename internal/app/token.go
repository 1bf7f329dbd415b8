package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/configfile"
	"mysql-secret-store-rds/internal/paste"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/serverurl"
	"mysql-secret-store-rds/internal/target"
)

func (c *console) tokenCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "token <user@host:port>",
		Short: "print a token, for any other client",
		Long: `Prints the token that MySQL Shell would get for a server, from the same cache: the password for any client that can send it in clear
over TLS. docs/clients.md shows how, for mysql, mariadb, mysqldump and programs.

It is a password: keep it out of argument lists, which others can read; pass it in the environment or on stdin.
Exit codes: 0 success, 1 failure, also for a server that has no tokens.`,
		Example:           "  MYSQL_PWD=$(mysql-secret-store-rds token dba@host:3306) mariadb -h host -u dba --ssl-ca=\"$(mysql-secret-store-rds ca-bundle)\"",
		Args:              oneArgument("user@host:port"),
		ValidArgsFunction: completeServers,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := c.token(cmd.Context(), "token", args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, tokenJSON{
					Token: e.Token.Reveal(), FreshUntil: e.FreshUntil(), SignedAt: e.SignedAt, Target: e.Target, Source: e.Source, Profile: e.Profile,
				})
			}
			_, err = fmt.Fprintln(c.stdout, e.Token.Reveal())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object with the token, until when it is good, and what it is for")
	return cmd
}

// tokenJSON is what token --json prints. It is asked for a secret.
type tokenJSON struct {
	Token      string        `json:"token"`
	FreshUntil time.Time     `json:"fresh_until"` // when we stop handing it out
	SignedAt   time.Time     `json:"signed_at"`
	Target     target.Target `json:"target"`
	Source     string        `json:"credentials_source"`
	Profile    string        `json:"aws_profile,omitempty"`
}

// token gives the token for a Server URL that a person typed, as get would.
func (c *console) token(ctx context.Context, command, server string) (cache.Entry, error) {
	u, err := parseServer(command, server)
	if err != nil {
		return cache.Entry{}, err
	}
	if u.Kind != serverurl.TCP {
		return cache.Entry{}, problem{text: fmt.Sprintf("a %s has no tokens", u.Kind), run: []string{Name + " " + command + " user@host:port"}}
	}
	file, err := configfile.Read(os.Getenv(configfile.Env))
	if err != nil {
		return cache.Entry{}, err
	}
	h := &helper{args: c.args, stdin: c.stdin, stdout: c.stdout.File, stderr: c.stderr, log: openLog().With("command", command, "url", server)}
	// The ID is the Server URL that MySQL Shell would send, so that both share the token.
	k := &call{helper: h, command: command, req: protocol.Request{Type: protocol.TypePassword, ID: server, IDIsText: true}, file: file}
	k.openCache()
	o, err := k.obtain(ctx, u)
	switch {
	case err != nil:
		h.log.Error("failed", "error", oneLine(describe(withoutQuote(err))))
		return cache.Entry{}, err
	case o.outcome == resolve.ToDelegate:
		return cache.Entry{}, problem{text: "this server has no tokens: its password is the other helper's (" + o.reason + ")",
			run: []string{Name + " explain " + paste.Word(server)}}
	case o.outcome == resolve.ToNobody:
		return cache.Entry{}, problem{text: "this server has no tokens: " + o.reason + " says credential: none", run: []string{Name + " explain " + paste.Word(server)}}
	}
	return o.entry, nil
}
