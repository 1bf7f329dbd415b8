package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

func (c *console) tokenCommand() *cobra.Command {
	var asJSON bool
	var profile string
	cmd := &cobra.Command{
		Use:   "token <user@host:port>",
		Short: "print a token, for any other client",
		Long: `Prints the token that MySQL Shell would get for a server, from the same cache: the password for any
client that can send it in clear over TLS. docs/clients.md shows how, for mysql, mariadb, mysqldump and programs. What
AWS wants of you, a login to SSO or an MFA code, is asked for on the terminal itself, never on stdin or stdout.

The server is a Server URL, or what stands for one: the name of an instance or cluster, or the beginning of a host.

It is a password: keep it out of argument lists, which others can read; pass it in the environment or on stdin.
Exit codes: 0 success, 1 failure, also for a server that has no tokens.`,
		Example: `  URL=dba@host:3306
  export MYSQL_PWD=$(mysql-secret-store-rds token $URL)
  CA=$(mysql-secret-store-rds ca-bundle $URL)
  mariadb --no-defaults --ssl-ca="$CA" \
    --ssl-verify-server-cert -h host -u dba`,
		Args:              oneArgument,
		ValidArgsFunction: completeServers,
		RunE: func(cmd *cobra.Command, args []string) error {
			ch, _, err := c.named(cmd, profile, args)
			if err != nil {
				return err
			}
			e, err := c.token(cmd.Context(), "token", ch.id, ch.URL)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, tokenJSON{
					e.Token.Reveal(), e.FreshUntil(), e.SignedAt, e.Target, e.Source, e.Profile,
				})
			}
			_, err = fmt.Fprintln(c.stdout, e.Token.Reveal())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false,
		"print a JSON object with the token, until when it is good, and what it is for")
	addProfileFlag(cmd, &profile)
	return cmd
}

// tokenJSON is what token --json prints. It is asked for a secret.
type tokenJSON struct {
	Token      string        `json:"token"`
	FreshUntil time.Time     `json:"fresh_until"` // when we stop handing it out
	SignedAt   time.Time     `json:"signed_at"`
	Target     server.Target `json:"target"`
	Source     string        `json:"credentials_source"`
	Profile    string        `json:"aws_profile,omitempty"`
}

// token returns the token for a Server URL, as get would.
func (c *console) token(ctx context.Context, command, id string, u server.URL) (cache.Entry, error) {
	if u.Kind != server.TCP {
		return cache.Entry{}, advice.Problemf("a %s has no tokens", u.Kind).With(advice.Ours(command, exampleServer))
	}
	a, err := c.answer(ctx, command, id, u)
	const others = "; token prints tokens only"
	p := advice.Problem{}
	switch {
	case err != nil:
		return cache.Entry{}, err
	case a.Saved != nil:
		p = advice.Problemf("a password is saved for this server and user, and is used instead of a token" + others)
	case a.Outcome == resolve.ToSecret:
		p = advice.Problemf("the password for this server and user is kept by AWS Secrets Manager" + others)
	case a.Outcome == resolve.ToDelegate:
		p = advice.Problemf("this server has no tokens: its password is the other helper's (%s)", a.Reason)
	case a.Outcome == resolve.ToNobody:
		return cache.Entry{}, advice.Problemf("this server has no tokens: %s says credential: none", a.Reason).
			With(advice.Ours("explain", id))
	default:
		return a.Token, nil
	}
	return cache.Entry{}, p.With(advice.Ours("password", id), advice.Ours("explain", id))
}

// answer asks the engine for the password of a Server URL, as get does.
func (c *console) answer(ctx context.Context, command, id string, u server.URL) (password.Answer, error) {
	engine, log, err := c.engine(command, id)
	if err != nil {
		return password.Answer{}, err
	}
	// The ID is the Server URL that MySQL Shell would send, so that both share the token.
	a, err := engine.Get(ctx, password.Request{ID: id, URL: u})
	if err != nil {
		log.Error("failed", "error", advice.Of(password.ForLog(err)).OneLine())
	}
	return a, err
}

// engine returns the engine that get has, for a command about a Server URL, and the log for that.
func (c *console) engine(command, id string) (*password.Engine, *slog.Logger, error) {
	file, err := stamp.ReadConfig()
	if err != nil {
		return nil, nil, err
	}
	log := c.log.With("command", command, "url", id)
	store, err := cache.Open()
	if err != nil {
		log.Warn("no cache", "reason", err)
	}
	options := password.Options{Log: log, Cache: store, Code: c.ask.Code, Login: c.ask.Login, Catch: c.catchStderr}
	if cfg, err := config.Parse(file.Path, file.Data); err == nil { // else the engine says what is wrong
		options.Saved = c.askSaved(cfg, id)
	}
	return password.New(file, options), log, nil
}
