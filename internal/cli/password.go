package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
)

func (c *console) passwordCommand() *cobra.Command {
	var asJSON bool
	var profile string
	cmd := &cobra.Command{
		Use:   "password <user@host:port>",
		Short: "print whatever opens a server: a token, or its password",
		Long: `Prints the password that MySQL Shell would get for a server: one that you saved for exactly this
server and user, else the one that AWS Secrets Manager keeps, else an IAM token. The password of a server that isn't
ours comes from the helper that you had before. "explain" says which it is.

A token is for a client that sends it in clear over TLS; any other password needs no such client.

The server is a Server URL, or what stands for one: the name of an instance or cluster, or the beginning of a host.

Keep it out of argument lists, which others can read; pass it in the environment or on stdin.
Exit codes: 0 success, 1 failure, also for a server without a password.`,
		Example: `  URL=admin@host:3306
  export MYSQL_PWD=$(mysql-secret-store-rds password $URL)
  CA=$(mysql-secret-store-rds ca-bundle $URL)
  mariadb --no-defaults --ssl-ca="$CA" \
    --ssl-verify-server-cert -h host -u admin`,
		Args:              oneArgument,
		ValidArgsFunction: completeServers,
		RunE: func(cmd *cobra.Command, args []string) error {
			ch, cfg, err := c.named(cmd, profile, args)
			if err != nil {
				return err
			}
			p, err := c.password(cmd.Context(), "password", ch.id, ch.URL, cfg)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, p.json())
			}
			_, err = fmt.Fprintln(c.stdout, p.value.Reveal())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object with the password, and what it is")
	addProfileFlag(cmd, &profile)
	return cmd
}

// passwordOf is what opens a server.
type passwordOf struct {
	value secret.Text
	kind  string    // "token", "secret" (of AWS Secrets Manager) or "saved"
	until time.Time // when we stop handing a token out
}

// json is what password --json prints. It is asked for a secret.
func (p passwordOf) json() any {
	return struct {
		Password   string    `json:"password"`
		Kind       string    `json:"kind"`
		FreshUntil time.Time `json:"fresh_until,omitzero"`
	}{p.value.Reveal(), p.kind, p.until}
}

// password returns whatever opens a server, as MySQL Shell would get it.
func (c *console) password(
	ctx context.Context, command, id string, u server.URL, cfg *config.Config,
) (p passwordOf, err error) {
	a, err := c.answer(ctx, command, id, u)
	switch {
	case err != nil:
		return p, err
	case a.Saved != nil:
		return passwordOf{value: protocol.Secret(a.Saved), kind: "saved"}, nil
	case a.Outcome == resolve.ToToken:
		return passwordOf{a.Token.Token, "token", a.Token.FreshUntil()}, nil
	case a.Outcome == resolve.ToSecret:
		return passwordOf{value: a.Managed, kind: "secret"}, nil
	case a.Outcome == resolve.ToNobody:
		return p, advice.Problemf("there is no password for this server: %s says credential: none", a.Reason).
			With(advice.Ours("explain", id))
	}
	return c.delegated(ctx, id, cfg, a.Reason)
}

// delegated asks the other helper for the password of a server that isn't ours, and why.
func (c *console) delegated(ctx context.Context, id string, cfg *config.Config, why string) (p passwordOf, err error) {
	d, err := c.otherHelperHere(cfg)
	if err != nil {
		return p, advice.Problemf("this server isn't ours (%s), and there is no other helper: %v", why, err).
			With(advice.Ours("explain", id))
	}
	reply, found := password.AskHelper(ctx, d, protocol.GetRequest(id))
	if !found {
		return p, advice.Problemf("this server isn't ours (%s), and the helper %s has no password for it", why,
			d.Name()).With(advice.Ours("explain", id))
	}
	return passwordOf{value: protocol.Secret(reply), kind: "saved"}, nil
}
