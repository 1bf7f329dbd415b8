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

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/cname"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/identity"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/serverurl"
	"mysql-secret-store-rds/internal/target"
	"mysql-secret-store-rds/internal/token"
)

func (c *console) explainCommand() *cobra.Command {
	var asJSON, online bool
	cmd := &cobra.Command{
		Use:   "explain <user@host:port>",
		Short: "show, step by step, where the password for a server comes from; signs nothing",
		Long: `Shows where the password for a server comes from, step by step: which entry, rule or account of
the configuration, or what discover learned, decided what; whose credentials would sign; what the cache holds, and who
is asked about servers that aren't ours. Signs nothing, and asks AWS nothing but with --online.

The argument is the Server URL as MySQL Shell writes it: no scheme, no password, no schema.
Exit codes: 0 when the Server URL leads somewhere, 1 when something is wrong.`,
		Args:              oneArgument("user@host:port"),
		ValidArgsFunction: completeServers,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := c.explain(cmd.Context(), args[0], online)
			if asJSON {
				if err != nil {
					p := describe(err)
					e.Problem = p.text
					e.Hint = strings.Join(p.hints(), "; or: ")
				}
				if err := printJSON(c.stdout, e); err != nil {
					return err
				}
			} else if len(e.Steps) > 0 {
				e.print(c.stdout)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.Flags().BoolVar(&online, "online", false, "ask AWS whose credentials these are")
	return cmd
}

// parseServer reads a Server URL that a person typed.
func parseServer(command, text string) (serverurl.URL, error) {
	u, err := serverurl.Parse(text)
	if err != nil {
		return u, problem{text: "this is not a Server URL: " + err.Error(), run: []string{Name + " " + command + " user@host:port"}}
	}
	return u, nil
}

// explanation is what explain says, in the order in which it says it.
type explanation struct {
	Configuration struct {
		File    string `json:"file"`
		Present bool   `json:"present"`
	} `json:"configuration"`
	Steps     []resolve.Step `json:"steps"`
	Answer    string         `json:"answer,omitempty"` // "token", "delegate" or "none"
	Reason    string         `json:"reason,omitempty"` // why not "token"
	Target    *target.Target `json:"target,omitempty"`
	Kind      string         `json:"endpoint_kind,omitempty"`
	Name      string         `json:"endpoint_name,omitempty"`
	ID        string         `json:"account_id_in_host,omitempty"`
	Signer    string         `json:"signer,omitempty"`
	Keys      string         `json:"credentials,omitempty"`
	Kept      *keptKeys      `json:"credentials_kept,omitempty"`
	Whose     string         `json:"identity,omitempty"` // with --online
	Cache     string         `json:"cache,omitempty"`
	Token     *keptToken     `json:"token_kept,omitempty"` // that get would hand out
	Delegate  string         `json:"delegate,omitempty"`   // the path of the other helper
	NoHelper  string         `json:"delegate_problem,omitempty"`
	Elsewhere string         `json:"-"`
	helper    string         // its name
	Hint      string         `json:"hint,omitempty"`
	Problem   string         `json:"problem,omitempty"`
}

type keptKeys struct {
	Source  string    `json:"source"`
	Account string    `json:"account,omitempty"`
	Who     string    `json:"who,omitempty"`
	Expires time.Time `json:"expires"`
}

type keptToken struct {
	SignedAt   time.Time `json:"signed_at"`
	FreshUntil time.Time `json:"fresh_until"`
	Source     string    `json:"credentials_source"`
}

// explain finds out where a server's password comes from. What was found until an error comes with it.
func (c *console) explain(ctx context.Context, server string, online bool) (*explanation, error) {
	e := &explanation{Steps: []resolve.Step{}}
	u, err := parseServer("explain", server)
	if err != nil {
		return e, err
	}
	file, cfg, err := readConfig()
	e.Configuration.File, e.Configuration.Present = file.Path, file.Data != nil
	if err != nil {
		return e, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	inv := &learned{}
	defer inv.close()
	res, err := resolve.URL(ctx, u, cfg, inv, cname.Lookup)
	e.Steps = append(e.Steps, res.Steps...)
	if err != nil {
		return e, err
	}
	sys, err := here(nil)
	if err != nil {
		return e, err
	}
	shells := sys.Shells()
	d, delegateProblem := delegate.Find(cfg.Delegate, c.calledAs(shells))
	if delegateProblem == nil {
		e.Delegate = d.Path
		e.helper = d.Name()
		e.Elsewhere = fmt.Sprintf("the helper %s (%s)", d.Name(), d.Path)
	} else {
		e.NoHelper = delegateProblem.Error()
		e.Elsewhere = e.NoHelper
	}
	e.Reason = res.Reason
	switch res.Outcome {
	case resolve.ToNobody:
		e.Answer = "none"
		return e, nil
	case resolve.ToDelegate:
		e.Answer = "delegate"
		if delegateProblem != nil && cfg.Delegate != "none" && len(shells) == 0 {
			e.Hint = "When MySQL Shell calls, the folder of its own binary is searched first."
		}
		return e, nil
	}
	t := res.Target
	e.Answer, e.Target, e.Kind, e.Name, e.ID = "token", &t, res.Endpoint.Kind.String(), res.Endpoint.Name, res.Endpoint.ID
	e.Cache, e.Token = cacheState(server, cfg, res)
	store, err := openStore(cfg)
	if err != nil {
		return e, err
	}
	provider := credentials.New(token.Source(t), credentials.Options{Code: askCode, Store: store})
	signer, known := provider.Signer()
	if e.Signer = signer; t.RoleARN != "" {
		e.Signer += " in role " + t.RoleARN
	}
	if err := provider.Check(); err != nil {
		return e, &signError{err, provider.Whose(), res, file.Path, cfg.Timeout, ""}
	}
	if !known {
		e.Hint = fmt.Sprintf("no AWS profile known for account id %s (%s): run: %s discover", res.Endpoint.ID, t.Region, Name)
	}
	if online {
		who, err := provider.WhoAmI(ctx)
		if err != nil {
			return e, &signError{err, provider.Whose(), res, file.Path, cfg.Timeout, ""}
		}
		e.Whose = who.ARN
	}
	kept, ok := provider.Kept()
	switch {
	case ok:
		e.Kept = &keptKeys{kept.Source, kept.AccountID, kept.Who, kept.Expires}
		of := ""
		if kept.AccountID != "" {
			of = " of account " + kept.AccountID + ","
		}
		e.Keys = fmt.Sprintf("kept,%s from %s, good for %s", of, kept.Source, goodFor(kept.Expires, time.Now()))
	case provider.Temporary() && !cfg.Cache:
		e.Keys = "asked for at each call (cache: false)"
	case provider.Temporary():
		e.Keys = "none kept; the next get asks for them"
	case !known:
		e.Keys = "none found, unless this machine has a role"
	default:
		e.Keys = "not kept: they are at hand"
	}
	return e, nil
}

// print says it to a person.
func (e *explanation) print(w io.Writer) {
	if e.Configuration.Present {
		fmt.Fprintf(w, "Configuration: %s\n", e.Configuration.File)
	} else {
		fmt.Fprintf(w, "Configuration: none (%s would be read)\n", e.Configuration.File)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range e.Steps {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", s.What, visible(s.Value), visible(s.Source))
	}
	_ = table.Flush()
	fmt.Fprintln(w)
	switch e.Answer {
	case "none":
		fmt.Fprintf(w, "Answer: no password; MySQL Shell asks for it (%s says credential: none)\n", e.Reason)
		return
	case "delegate":
		if e.Delegate == "" {
			fmt.Fprintf(w, "Answer: no password; it isn't ours (%s), and %s\n", visible(e.Reason), e.Elsewhere)
			if e.Hint != "" {
				fmt.Fprintf(w, "        (%s)\n", e.Hint)
			}
			return
		}
		fmt.Fprintf(w, "Answer: whatever the helper %s says (%s), because: %s\n", e.helper, e.Delegate, visible(e.Reason))
		return
	case "token":
		t := e.Target
		fmt.Fprintf(w, "Answer: an IAM token for %s at %s:%d (%s %q, account id %s), signed with %s\n",
			visible(t.User), t.Host, t.Port, e.Kind, e.Name, e.ID, visible(e.Signer))
	}
	for _, line := range []struct{ what, text string }{{"Keys:", e.Keys}, {"Whose:", e.Whose}, {"Cache:", e.Cache}, {"Others:", e.Elsewhere}, {"Hint:", e.Hint}} {
		if line.text != "" {
			fmt.Fprintf(w, "%-7s %s\n", line.what, visible(line.text))
		}
	}
}

// cacheState says what the cache has for a Server URL; the token is one that get would use.
func cacheState(serverURL string, cfg *config.Config, res resolve.Resolution) (string, *keptToken) {
	if !cfg.Cache {
		return "off (cache: false)", nil
	}
	kept, err := cache.Open(os.Getenv(cache.EnvDir))
	if err != nil {
		return err.Error(), nil
	}
	e, err := kept.Get(serverURL)
	now := time.Now()
	switch {
	case err == cache.ErrAbsent:
		return "no token yet", nil
	case errors.Is(err, cache.ErrAbsent):
		return "not used: " + err.Error(), nil
	case e.Target != res.Target:
		return "a token for another target, which get will replace", nil
	case e.Identity != identity.Current():
		return "a token signed by another AWS identity, which get will replace", nil
	case !e.Fresh(now):
		return fmt.Sprintf("an expired token, signed %s ago, which get will replace", since(now, e.SignedAt)), nil
	}
	return fmt.Sprintf("a token signed %s ago with credentials from %s, good for another %s",
		since(now, e.SignedAt), e.Source, since(e.FreshUntil(), now)), &keptToken{e.SignedAt, e.FreshUntil(), e.Source}
}

func since(later, earlier time.Time) time.Duration { return later.Sub(earlier).Round(time.Second) }
