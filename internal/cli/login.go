package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/term"
)

const (
	// loginLife is how much life login wants credentials to have: that is what it is typed for.
	loginLife = 30 * time.Minute
	// loginsAtOnce is how many profiles are logged in at once.
	loginsAtOnce = 8
	// answerTime is how long login waits for AWS, or for a code to be typed.
	answerTime = 5 * time.Minute
)

func (c *console) loginCommand() *cobra.Command {
	var all, force, noBrowser bool
	cmd := &cobra.Command{
		Use:   "login [profile…|--all]",
		Short: "get AWS credentials ahead of time: SSO sessions, MFA codes, roles",
		Long: `Gets the AWS credentials of profiles and keeps them, so that MySQL Shell need not wait for them: it logs in to
SSO sessions in the browser (the AWS CLI and other tools are logged in by that, too), and asks for MFA codes
on the terminal. Without a profile it takes the one that AWS_PROFILE names, else default. Profiles may be patterns.

Exit codes: 0 when all of them are good, 1 when one isn't.`,
		Example:           "  mysql-secret-store-rds login prod-dba\n  mysql-secret-store-rds login 'prod-*'\n  mysql-secret-store-rds login --all",
		ValidArgsFunction: completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := loadProfiles()
			if err != nil {
				return err
			}
			names, err := chosenProfiles(set, args, all, "login")
			if err != nil {
				return err
			}
			l := &logins{console: c, set: set, named: !all, force: force, browser: !noBrowser}
			return l.run(cmd.Context(), names)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every profile of the AWS configuration that gives temporary credentials")
	cmd.Flags().BoolVar(&force, "force", false, "log in to SSO again, even where a session is good")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "open no browser; only show the address")
	return cmd
}

// loadProfiles reads the AWS configuration.
func loadProfiles() (*profiles.Set, error) { return profiles.Load(profiles.Default()) }

// chosenProfiles returns the profiles that a command was told, or the one that the SDK would take.
// The command is what is typed before a profile.
func chosenProfiles(set *profiles.Set, args []string, all bool, command ...string) ([]string, error) {
	switch {
	case all && len(args) > 0:
		return nil, advice.Problemf("either profiles or --all, not both")
	case all && len(set.Names()) == 0:
		return nil, noProfiles()
	case all:
		return set.Names(), nil
	case len(args) == 0:
		args = []string{defaultProfile(set)}
	}
	names, unmatched := set.Match(args)
	if len(unmatched) > 0 {
		near := set.Nearest(unmatched[0])
		p := advice.Problemf("the AWS configuration has no profile %q%s", unmatched[0], advice.DidYouMean(near))
		if near != "" {
			return nil, p.With(advice.Ours(append(command, near)...))
		}
		return nil, p.With(advice.Run("aws configure list-profiles"))
	}
	return names, nil
}

// defaultProfile is the profile that get would take where nothing names one.
func defaultProfile(set *profiles.Set) string {
	files := func() (*profiles.Set, error) { return set, nil }
	if name := credentials.New(credentials.Source{}, credentials.Options{Files: files}).Whose().Profile; name != "" {
		return name
	}
	return credentials.Source{}.Name()
}

func noProfiles() advice.Problem {
	f := profiles.Default()
	return advice.Problemf("the AWS configuration has no profiles (%s, %s)", f.Config, f.Credentials).With(advice.Run("aws configure sso"))
}

// userName is whom role sessions are named after when there is no database user.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
	}
	return "user"
}

// logins is one call of login.
type logins struct {
	*console
	set            *profiles.Set
	named          bool // the profiles were, one by one
	force, browser bool

	asking   sync.Mutex // one question at a time
	printing sync.Mutex
	failed   bool
}

func (l *logins) run(ctx context.Context, names []string) error {
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	store, err := openStore(cfg)
	if err != nil {
		return err
	}
	if !cfg.Cache {
		warn(l.stderr, "cache: false in the configuration: SSO sessions are kept where AWS keeps them, credentials are not")
	}
	files := func() (*profiles.Set, error) { return l.set, nil }
	providers := make([]*credentials.Provider, len(names))
	sessions := map[string]error{} // by the token's file
	for i, name := range names {
		providers[i] = credentials.New(credentials.Source{Profile: name, Region: "us-east-1", User: userName()},
			credentials.Options{Store: store, Files: files, Code: l.code, Left: loginLife, Timeout: answerTime})
		if s, ok := l.set.SSO(name); ok && ctx.Err() == nil {
			if _, done := sessions[sso.File(s)]; !done {
				sessions[sso.File(s)] = l.session(ctx, name, s, providers[i])
			}
		}
	}
	var group errgroup.Group
	group.SetLimit(loginsAtOnce)
	for i, name := range names {
		if s, ok := l.set.SSO(name); ok && sessions[sso.File(s)] != nil {
			if ctx.Err() == nil {
				l.fail(name, sessions[sso.File(s)])
			}
			continue
		}
		if !providers[i].Temporary() && !l.named {
			continue
		}
		group.Go(func() error {
			asking, cancel := context.WithTimeout(ctx, answerTime)
			defer cancel()
			creds, err := l.retrieve(asking, providers[i])
			switch {
			case ctx.Err() != nil && (errors.Is(err, credentials.ErrTimeout) || errors.Is(err, credentials.ErrNoCode)):
				// Interrupted, which is said once.
			case err != nil:
				l.fail(name, err)
			case !providers[i].Temporary() && l.set.Kind(name) == profiles.SessionKeys:
				l.say("%s: nothing to log in to: it has session keys, and whoever made them makes new ones", name)
			case !providers[i].Temporary():
				l.say("%s: nothing to log in to: its credentials are no temporary ones", name)
			case creds.CanExpire:
				l.say("%s: good until %s", name, clockTime(creds.Expires))
			default:
				l.say("%s: good", name)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return advice.Problemf("interrupted")
	}
	if l.failed {
		return errSaid
	}
	return nil
}

// retrieve returns credentials, and drops kept ones that AWS doesn't take any more first.
func (l *logins) retrieve(ctx context.Context, p *credentials.Provider) (aws.Credentials, error) {
	if _, kept := p.Kept(); kept {
		_, err := p.WhoAmI(ctx)
		if api, ok := errors.AsType[*credentials.APIError](err); ok && api.Refused() {
			p.Forget()
		}
	}
	return p.Retrieve(ctx)
}

// clockTime says a time of today by the clock, another one with its date.
func clockTime(t time.Time) string {
	t = t.Local()
	if now := time.Now(); t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

func (l *logins) say(format string, args ...any) {
	l.printing.Lock()
	defer l.printing.Unlock()
	fmt.Fprintln(l.stdout, term.Visible(fmt.Sprintf(format, args...)))
}

func (l *logins) fail(profile string, err error) {
	l.printing.Lock()
	defer l.printing.Unlock()
	l.failed = true
	p := advice.Of(err)
	p.Text = profile + ": " + p.Text
	printError(l.stderr, p)
}

// code asks for one MFA code at a time.
func (l *logins) code(ctx context.Context, profile, serial string) (string, error) {
	l.asking.Lock()
	defer l.asking.Unlock()
	l.printing.Lock() // the line that asks is the answer's
	defer l.printing.Unlock()
	return credentials.AskCode(ctx, profile, serial)
}

// session logs in to the SSO session of a profile, unless it is good for a while.
func (l *logins) session(ctx context.Context, profile string, s profiles.SSOSession, provider *credentials.Provider) error {
	if until := sso.Until(sso.File(s)); !l.force && time.Until(until) > loginLife {
		return nil
	}
	what := cmp.Or(s.Name, s.StartURL)
	cfg, err := provider.Config(ctx)
	if err != nil {
		return err
	}
	until, err := sso.Login(ctx, cfg, s, func(v sso.Verification) error {
		l.say("SSO session %s: confirm the code %s at", what, v.Code)
		l.say("  %s", cmp.Or(v.CompleteURL, v.URL))
		if l.browser && term.Is(l.stdin) && sso.Browse(cmp.Or(v.CompleteURL, v.URL)) == nil {
			l.say("  (it should open in your browser)")
		}
		l.say("waiting …")
		return nil
	})
	switch {
	case errors.Is(err, sso.ErrDenied), errors.Is(err, sso.ErrCodeExpired):
		return advice.Problemf("%v", err).With(advice.Ours("login", profile))
	case ctx.Err() != nil:
		return provider.TimedOut()
	case err != nil:
		return provider.Explain(ctx, err)
	}
	l.say("SSO session %s: logged in until %s", what, clockTime(until))
	return nil
}

func (c *console) logoutCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "logout [profile…|--all]",
		Short: "drop the tokens and credentials that are kept",
		Long: `Drops the tokens and AWS credentials that this program keeps of profiles, or, with --all, of everybody. Without
a profile it takes the one that AWS_PROFILE names, else default. An SSO session itself belongs to AWS's tools:
"aws sso logout" ends it.`,
		Example:           "  mysql-secret-store-rds logout prod-dba\n  mysql-secret-store-rds logout --all",
		ValidArgsFunction: completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return advice.Problemf("either profiles or --all, not both")
			}
			set, err := loadProfiles()
			if err != nil && !all {
				return err
			}
			if !all && len(args) == 0 {
				args = []string{defaultProfile(set)}
			}
			return c.logout(args, all, set)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything that is kept")
	return cmd
}

// logout drops what is kept of some profiles, which may be patterns. They need not be in the AWS
// configuration any more.
func (c *console) logout(patterns []string, all bool, set *profiles.Set) error {
	store, err := cache.Open()
	if err != nil {
		return err
	}
	if all {
		d, err := dropAll(store)
		if err == nil {
			fmt.Fprintln(c.stdout, d)
		}
		return err
	}
	kept := store.Profiles()
	var names []string
	for _, pattern := range patterns {
		matched := profiles.Match(pattern, kept)
		if known, _ := set.Match([]string{pattern}); len(matched) == 0 && len(known) == 0 {
			near := advice.Nearest(pattern, append(kept, set.Names()...))
			p := advice.Problemf("nothing is kept of a profile %q, nor does the AWS configuration have one%s", pattern, advice.DidYouMean(near))
			if near != "" {
				return p.With(advice.Ours("logout", near))
			}
			return p.With(advice.Ours("cache", "list"))
		} else if len(matched) == 0 {
			fmt.Fprintf(c.stdout, "%s: nothing is kept\n", term.Visible(pattern))
		}
		names = append(names, matched...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		tokens, kept, err := store.DropProfile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "%s: %v\n", term.Visible(name), dropped{tokens, kept})
	}
	return nil
}

// count says how many there are: 1 token, 2 tokens.
func count(n int, one string, many ...string) string {
	if n == 1 {
		return "1 " + one
	}
	if len(many) == 0 {
		many = []string{one + "s"}
	}
	return fmt.Sprintf("%d %s", n, many[0])
}
