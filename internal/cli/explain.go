package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

func (c *console) explainCommand() *cobra.Command {
	var asJSON, online bool
	var profile string
	cmd := &cobra.Command{
		Use:   "explain <user@host:port>",
		Short: "show, step by step, where the password for a server comes from; signs nothing",
		Long: `Shows where the password for a server comes from, step by step: which entry, rule or account of
the configuration, or what discover learned, decided what; whose credentials would sign; what the cache holds, and who
is asked about servers that aren't ours. Signs nothing, and asks AWS nothing but with --online. Then it also
shows who was asked about a server that nobody knows, and what they said.

The argument is a Server URL, as MySQL Shell writes it, or what stands for one: the name of an instance or cluster, or
the beginning of a host.
Exit codes: 0 when the Server URL leads somewhere, 1 when something is wrong.`,
		Args:              oneArgument,
		ValidArgsFunction: completeServers,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := &explanation{Steps: []resolve.Step{}}, useProfile(cmd, profile)
			if err == nil {
				err = c.explain(cmd.Context(), args[0], online, e)
			}
			if asJSON {
				if err != nil {
					p := advice.Of(err)
					e.Problem = p.Text
					e.Hint = strings.Join(p.Actions(), "; or: ")
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
	cmd.Flags().BoolVar(&online, "online", false, "ask AWS whose credentials these are, and whose an unknown server is")
	addProfileFlag(cmd, &profile)
	return cmd
}

// explanation is what explain says, in the order in which it says it.
type explanation struct {
	Configuration struct {
		File    string `json:"file"`
		Present bool   `json:"present"`
	} `json:"configuration"`
	Steps    []resolve.Step `json:"steps"`
	Answer   string         `json:"answer,omitempty"` // "token", "secret", "saved", "delegate" or "none"
	Reason   string         `json:"reason,omitempty"` // why neither "token" nor "secret"
	Target   *server.Target `json:"target,omitempty"`
	Kind     string         `json:"endpoint_kind,omitempty"`
	Name     string         `json:"endpoint_name,omitempty"`
	ID       string         `json:"account_id_in_host,omitempty"`
	Secret   string         `json:"secret,omitempty"` // the ARN or name, of "secret"
	Signer   string         `json:"signer,omitempty"`
	Keys     string         `json:"credentials,omitempty"`
	Kept     *keptKeys      `json:"credentials_kept,omitempty"`
	Whose    string         `json:"identity,omitempty"` // with --online
	Cache    string         `json:"cache,omitempty"`
	Token    *keptToken     `json:"token_kept,omitempty"` // that get would hand out
	Delegate string         `json:"delegate,omitempty"`   // the path of the other helper
	NoHelper string         `json:"delegate_problem,omitempty"`
	Saved    bool           `json:"password_saved,omitempty"` // for exactly this server and user
	Asked    *asked         `json:"asked,omitempty"`          // with --online, whose the server is
	Hint     string         `json:"hint,omitempty"`
	Problem  string         `json:"problem,omitempty"`
}

// asked is who was asked whose a server is.
type asked struct {
	Line     string         `json:"summary"`
	Profiles []askedProfile `json:"profiles"`
}

type askedProfile struct {
	Profile string `json:"profile"`
	Account string `json:"account,omitempty"`
	Said    string `json:"said"`
	Why     string `json:"why,omitempty"`
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

// explain finds out where a server's password comes from, and keeps in e what it has found until an
// error.
func (c *console) explain(ctx context.Context, typed string, online bool, e *explanation) error {
	file, cfg, err := readConfigFile()
	e.Configuration.File, e.Configuration.Present = file.Path, file.Data != nil
	if err != nil {
		return err
	}
	ch, err := chooser{c, "explain", cfg, ""}.choose(ctx, []string{typed})
	if err != nil {
		return err
	}
	if ch.id != typed {
		e.Steps = append(e.Steps,
			resolve.Step{What: "server", Value: ch.id, By: "what was typed stands for it" + ch.userIs()})
	}
	ctx, cancel := credentials.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	res, err := c.whose(ctx, ch, online, e)
	if e.Steps = append(e.Steps, res.Steps...); err != nil {
		return err
	}
	sys, err := here(nil)
	if err != nil {
		return err
	}
	shells := sys.Shells()
	d, noHelper := c.otherHelper(cfg, shells)
	if noHelper == nil {
		e.Delegate = d.Path
	} else {
		e.NoHelper = noHelper.Error()
	}
	e.Reason = res.Reason
	switch res.Outcome {
	case resolve.ToNobody:
		e.Answer = "none"
	case resolve.ToDelegate:
		e.Answer = "delegate"
		if noHelper != nil && cfg.Delegate != "none" && len(shells) == 0 {
			e.Hint = "When MySQL Shell calls, the folder of its own binary is searched first."
		}
	case resolve.ToToken, resolve.ToSecret:
		e.Answer, e.Target, e.Secret = "token", &res.Target, res.Secret.ID
		if e.Secret != "" {
			e.Answer = "secret"
		}
		e.Kind, e.Name, e.ID = res.Endpoint.Kind.String(), res.Endpoint.Name, res.Endpoint.HostID
		if e.Saved = e.Delegate != "" && !res.OnlyIAM && hasSaved(ctx, d, ch.id); e.Saved {
			e.Answer = "saved"
			return nil
		}
		if err := password.Off(res); err != nil {
			e.Answer = "none"
			return err
		}
		if e.Cache = "nothing of a secret is kept: each get asks AWS"; e.Secret == "" {
			e.Cache, e.Token = cacheState(ch.id, file, cfg, res)
		}
		err = e.signer(ctx, c, cfg, res, online)
	}
	return err
}

// whose resolves a server. With online it asks AWS whose that is, if nobody knows, and keeps in e who
// was asked.
func (c *console) whose(ctx context.Context, ch chosen, online bool, e *explanation) (resolve.Resolution, error) {
	engine, _, err := c.engine("explain", ch.id)
	if err != nil {
		return resolve.Resolution{}, err
	}
	req := password.Request{ID: ch.id, URL: ch.URL}
	if !online {
		return engine.ResolveBy(ctx, req, nil)
	}
	res, report, err := engine.Learn(ctx, req, true)
	if report == nil {
		return res, err
	}
	e.Asked = &asked{Profiles: []askedProfile{}, Line: report.Line()}
	for _, a := range report.Answers {
		e.Asked.Profiles = append(e.Asked.Profiles, askedProfile{a.Profile, a.Account, a.Said.String(), a.Why})
	}
	return res, err
}

// others says who is asked about the servers that aren't ours.
func (e *explanation) others() string {
	if e.Delegate == "" {
		return e.NoHelper
	}
	return fmt.Sprintf("the helper %s (%s)", e.helper(), e.Delegate)
}

func (e *explanation) helper() string { return delegate.Helper{Path: e.Delegate}.Name() }

// signer finds out whose credentials sign, and what is kept of them.
func (e *explanation) signer(
	ctx context.Context, c *console, cfg *config.Config, res resolve.Resolution, online bool,
) error {
	store, err := openStore(cfg)
	if err != nil {
		return err
	}
	t := res.Target
	provider := credentials.New(password.Source(t),
		credentials.Options{Code: c.ask.Code, Login: c.ask.Login, Store: store, Timeout: cfg.Timeout})
	signer, known := provider.Signer()
	if e.Signer = signer; t.RoleARN != "" {
		e.Signer += " in role " + t.RoleARN
	}
	if err := provider.Check(); err != nil {
		return password.Failed(res, cfg, err)
	}
	set, unread := loadProfiles()
	switch canAsk := res.Unknown && cfg.Learn > 0 && unread == nil && len(set.Names()) > 0; {
	case canAsk && !online:
		const hint = "nobody knows account id %s (%s): get asks the AWS profiles whose it is, as --online does now"
		e.Hint = fmt.Sprintf(hint, res.Endpoint.HostID, t.Region)
	case !known:
		e.Hint = fmt.Sprintf("no AWS profile known for account id %s (%s): run: %s discover", res.Endpoint.HostID,
			t.Region, about.Name)
	}
	if online {
		who, err := provider.WhoAmI(ctx)
		if err != nil {
			return password.Failed(res, cfg, err)
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
	if unused := provider.Unused(); unused != "" {
		e.Keys += "; " + unused
	}
	return nil
}

func (e *explanation) print(w io.Writer) {
	s := screenOf(w)
	file := e.Configuration.File
	if !e.Configuration.Present {
		file = fmt.Sprintf("none (%s would be read)", file)
	}
	s.print("Configuration: ", file)
	e.printSteps(s)
	e.printAsked(s)
	fmt.Fprintln(w)
	answer, note := e.answer()
	if answer != "" {
		s.print("Answer: ", answer)
	}
	if note != "" {
		s.print("        ", "("+note+")")
	}
	if e.Answer != "token" && e.Answer != "secret" {
		return
	}
	for _, line := range [][2]string{
		{"Keys:", e.Keys}, {"Whose:", e.Whose}, {"Cache:", e.Cache}, {"Others:", e.others()}, {"Hint:", e.Hint},
	} {
		if line[1] != "" {
			s.print(fmt.Sprintf("%-7s ", line[0]), line[1])
		}
	}
}

// printAsked prints who was asked whose the server is, and what they said.
func (e *explanation) printAsked(s screen) {
	if e.Asked == nil {
		return
	}
	fmt.Fprintln(s)
	s.print("Asked whose the server is: ", e.Asked.Line)
	rows := [][]string{}
	for _, p := range e.Asked.Profiles {
		said := p.Said
		if p.Why != "" {
			said += ": " + p.Why
		}
		rows = append(rows, cells("  "+p.Profile, p.Account, said))
	}
	widths := widthsOf(rows)
	for _, row := range rows {
		s.print(fmt.Sprintf("%-*s%-*s", widths[0]+gap, row[0], widths[1]+gap, row[1]), row[2])
	}
}

// answer says in words where the password comes from; note is worth knowing then.
func (e *explanation) answer() (answer, note string) {
	const nobody = "no password; MySQL Shell asks for it"
	switch {
	case e.Answer == "none" && e.Target == nil:
		answer = fmt.Sprintf("%s (%s says credential: none)", nobody, e.Reason)
	case e.Answer == "none":
		answer = nobody
	case e.Answer == "delegate" && e.Delegate == "":
		return fmt.Sprintf("no password; it isn't ours (%s), and %s", e.Reason, e.NoHelper), e.Hint
	case e.Answer == "delegate":
		answer = fmt.Sprintf("whatever the helper %s says (%s), because: %s", e.helper(), e.Delegate, e.Reason)
	case e.Answer == "saved":
		return "the password that you saved for exactly this server and user, kept by " + e.others(),
			"it comes before " + e.instead()
	case e.Answer == "token":
		t := e.Target
		answer = fmt.Sprintf("an IAM token for %s at %s:%d (%s %q, account id %s), signed with %s",
			t.User, t.Host, t.Port, e.Kind, e.Name, e.ID, e.Signer)
	case e.Answer == "secret":
		t := e.Target
		answer = fmt.Sprintf("the password of %s at %s:%d (%s %q) that AWS Secrets Manager keeps in %s, read with %s",
			t.User, t.Host, t.Port, e.Kind, e.Name, e.Secret, e.Signer)
	}
	return answer, ""
}

// instead says what a saved password comes before.
func (e *explanation) instead() string {
	if e.Secret != "" {
		return "the one that AWS Secrets Manager keeps"
	}
	return "an IAM token; credential: iam in the configuration passes it over"
}

// printSteps prints the steps as a table or, where there is no room for one, who decided a step
// below it.
func (e *explanation) printSteps(s screen) {
	rows := [][]string{}
	for _, step := range e.Steps {
		rows = append(rows, []string{"  " + step.What, term.Visible(step.Value), term.Visible(step.By)})
	}
	if s.width == 0 || fits(rows, s.width) {
		printTable(s, rows)
		return
	}
	width := widthsOf(rows)[0] + gap
	for _, row := range rows {
		s.print(fmt.Sprintf("%-*s", width, row[0]), row[1])
		s.print(strings.Repeat(" ", width+gap), row[2])
	}
}

// cacheState says what the cache has for a Server URL; the token is one that get would use.
func cacheState(
	serverURL string, file stamp.ConfigFile, cfg *config.Config, res resolve.Resolution,
) (string, *keptToken) {
	if !cfg.Cache {
		return "off (cache: false)", nil
	}
	store, err := cache.Open()
	if err != nil {
		return err.Error(), nil
	}
	e, err := store.Get(serverURL)
	now := time.Now()
	switch {
	case err == cache.ErrAbsent:
		return "no token yet", nil
	case errors.Is(err, cache.ErrAbsent):
		return "not used: " + err.Error(), nil
	case e.Target != res.Target:
		return "a token for another target, which get will replace", nil
	case !e.Stamp.SameSigner(stamp.Now(file)):
		return "a token signed by another AWS identity, which get will replace", nil
	case !e.Fresh(now):
		return fmt.Sprintf("an expired token, signed %s ago, which get will replace", since(now, e.SignedAt)), nil
	}
	return fmt.Sprintf("a token signed %s ago with credentials from %s, good for another %s",
		since(now, e.SignedAt), e.Source, since(e.FreshUntil(), now)), &keptToken{e.SignedAt, e.FreshUntil(), e.Source}
}

func since(later, earlier time.Time) time.Duration { return later.Sub(earlier).Round(time.Second) }
