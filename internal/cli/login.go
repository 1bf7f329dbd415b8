package cli

import (
	"cmp"
	"context"
	"errors"
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
	// answerTime is how long login waits for AWS.
	answerTime = 5 * time.Minute
)

func (c *console) loginCommand() *cobra.Command {
	var all, force, noBrowser bool
	cmd := &cobra.Command{
		Use:   "login [profile…|session…|--all]",
		Short: "get AWS credentials ahead of time: SSO sessions, MFA codes, roles",
		Long: `Gets the AWS credentials of profiles and keeps them, so that MySQL Shell need not wait for them: it
logs in to SSO sessions in the browser (the AWS CLI and other tools are logged in by that, too), and asks for MFA
codes on the terminal. Without a profile it takes the one that AWS_PROFILE names, else default. Profiles may be
patterns; the name of an sso-session, which is no profile's, logs in to that session alone.

Exit codes: 0 when all of them are good, 1 when one isn't.`,
		Example: "  mysql-secret-store-rds login prod-dba\n  mysql-secret-store-rds login corp\n" +
			"  mysql-secret-store-rds login 'prod-*'\n  mysql-secret-store-rds login --all",
		ValidArgsFunction: completeLogins,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := loadProfiles()
			if err != nil {
				return err
			}
			l := &logins{console: c, set: set, all: all, force: force, browser: !noBrowser}
			names, err := l.choose(args)
			if err != nil {
				return err
			}
			return l.run(cmd.Context(), names)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every profile of the AWS configuration that gives temporary credentials")
	cmd.Flags().BoolVar(&force, "force", false, "log in to SSO again, even where a session is good")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "open no browser; only show the address")
	return cmd
}

func loadProfiles() (*profiles.Set, error) { return profiles.Load(profiles.Default()) }

// chosenProfiles returns the profiles that a command was told, or the one that the AWS CLI would take.
// The command is what is typed before a profile.
func chosenProfiles(set *profiles.Set, args []string, all bool, command ...string) ([]string, error) {
	switch {
	case all && len(args) > 0:
		return nil, advice.Problemf("either profiles or --all, not both")
	case len(set.Names()) == 0:
		f := profiles.Default()
		return nil, advice.Problemf("the AWS configuration has no profiles (%s, %s)", f.Config, f.Credentials).
			With(advice.AWS2("configure", "sso"))
	case all:
		return set.Names(), nil
	case len(args) == 0:
		args = []string{defaultProfile(set)}
	}
	names, unmatched := set.Match(args)
	if len(unmatched) == 0 {
		return names, nil
	}
	missing := set.Missing(unmatched[0])
	p := missing.Worded("")
	switch {
	case missing.There != "":
		return nil, p
	case missing.Nearest != "":
		return nil, p.With(advice.Ours(append(command, missing.Nearest)...))
	}
	return nil, p.With(advice.AWS2("configure", "list-profiles"))
}

// filesOf is an AWS configuration that has been read, for [credentials.Options].
func filesOf(set *profiles.Set) func() (*profiles.Set, error) {
	return func() (*profiles.Set, error) { return set, nil }
}

// defaultProfile is the profile that get would take where nothing names one.
func defaultProfile(set *profiles.Set) string {
	var source credentials.Source
	return cmp.Or(credentials.New(source, credentials.Options{Files: filesOf(set)}).Whose().Profile, source.Name())
}

// userName is whom role sessions are named after when there is no database user.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
	}
	return "user"
}

type logins struct {
	*console
	set            *profiles.Set
	store          cache.Store
	all            bool
	force, browser bool
	sessions       []*sessionLogin // in the order of their names with --all, else of what was named

	printing sync.Mutex
	tally    struct{ good, failed int } // profiles
}

type sessionLogin struct {
	profiles.SSOSession
	profiles []string // of those to log in
	named    bool     // itself
	err      error
	again    sync.Once // for one that AWS has ended before its time
}

// choose notes the sessions that were named, and returns the profiles that were.
func (l *logins) choose(args []string) ([]string, error) {
	var others []string
	for _, arg := range args {
		session, ok := l.set.Session(arg)
		if _, unmatched := l.set.Match([]string{arg}); ok && len(unmatched) > 0 {
			l.sessions = append(l.sessions, &sessionLogin{SSOSession: session, named: true})
		} else {
			others = append(others, arg)
		}
	}
	if len(others) == 0 && len(l.sessions) > 0 && !l.all {
		return nil, nil
	}
	names, err := chosenProfiles(l.set, others, l.all, "login")
	if l.all {
		slices.Sort(names)
	}
	return names, err
}

func (l *logins) run(ctx context.Context, names []string) error {
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	if l.store, err = openStore(cfg); err != nil {
		return err
	}
	if !cfg.Cache {
		warn(l.stderr,
			"cache: false in the configuration: SSO sessions are kept where AWS keeps them, credentials are not")
	}
	l.ask.Aside = func() func() { // the line that asks is the answer's
		l.printing.Lock()
		return l.printing.Unlock
	}
	l.logInToSessions(ctx, names)
	l.logInProfiles(ctx, names)
	if ctx.Err() != nil {
		return advice.Problemf("interrupted")
	}
	if l.tally.good+l.tally.failed > 1 {
		all := advice.Count(l.tally.good+l.tally.failed, "profile")
		l.say("%s: %d good, %d failed", all, l.tally.good, l.tally.failed)
	}
	if l.tally.failed > 0 || slices.ContainsFunc(l.sessions, func(s *sessionLogin) bool { return s.err != nil }) {
		return errSaid
	}
	return nil
}

// provider returns the credentials of a profile; "" is that of the environment.
func (l *logins) provider(profile string) *credentials.Provider {
	return credentials.New(credentials.Source{Profile: profile, Region: "us-east-1", User: userName()},
		credentials.Options{
			Store: l.store, Files: filesOf(l.set), Code: l.ask.Code, Login: l.logInAgain,
			Left: loginLife, Timeout: answerTime,
		})
}

// logInAgain logs in to a session that should have been good for a while, and isn't.
func (l *logins) logInAgain(ctx context.Context, cfg aws.Config, session profiles.SSOSession) error {
	s := l.known(session)
	if s == nil {
		return credentials.ErrSSOLogin
	}
	s.again.Do(func() { s.err = l.begin(ctx, cfg, s) })
	return s.err
}

// known returns a session among those to log in to, or nil.
func (l *logins) known(session profiles.SSOSession) *sessionLogin {
	at := slices.IndexFunc(l.sessions, func(s *sessionLogin) bool {
		return sso.File(s.SSOSession) == sso.File(session)
	})
	if at < 0 {
		return nil
	}
	return l.sessions[at]
}

// logInToSessions logs in to each session of the profiles, or that was named, and says so in a line
// for each.
func (l *logins) logInToSessions(ctx context.Context, names []string) {
	for _, name := range names {
		session, ok := l.set.SSO(name)
		if !ok {
			continue
		}
		s := l.known(session)
		if s == nil {
			s = &sessionLogin{SSOSession: session}
			l.sessions = append(l.sessions, s)
		}
		s.profiles = append(s.profiles, name)
	}
	if l.all {
		slices.SortFunc(l.sessions, func(a, b *sessionLogin) int { return cmp.Compare(a.Title(), b.Title()) })
	}
	for _, s := range l.sessions {
		if ctx.Err() != nil {
			return
		}
		if s.err = l.session(ctx, s); s.err == nil || ctx.Err() != nil {
			continue
		}
		l.tally.failed += len(s.profiles)
		who := "SSO session " + s.Title()
		if len(s.profiles) == 1 && !s.named {
			who = s.profiles[0]
		}
		l.fail(who, s.err)
	}
}

// logInProfiles gets the credentials of profiles whose session is good, and says how it went in
// their order.
func (l *logins) logInProfiles(ctx context.Context, names []string) {
	names = slices.DeleteFunc(names, func(name string) bool {
		if session, ok := l.set.SSO(name); ok && l.known(session).err != nil {
			return true
		}
		return l.all && !l.provider(name).Temporary()
	})
	said := make([]chan func(), len(names)) // what is to be said of each
	for i := range said {
		said[i] = make(chan func(), 1)
	}
	var group errgroup.Group
	group.SetLimit(loginsAtOnce)
	go func() {
		for i, name := range names {
			group.Go(func() error {
				said[i] <- l.profile(ctx, name)
				return nil
			})
		}
	}()
	for i := range said {
		(<-said[i])()
	}
}

// profile gets the credentials of a profile, and returns what says how it went.
func (l *logins) profile(ctx context.Context, name string) (say func()) {
	provider := l.provider(name)
	asking, cancel := credentials.WithTimeout(ctx, answerTime)
	defer cancel()
	creds, err := l.retrieve(asking, provider)
	switch {
	case err != nil && ctx.Err() != nil:
		return func() {} // interrupted, which is said once
	case err != nil:
		return func() {
			l.tally.failed++
			l.fail(name, err)
		}
	}
	text := "good"
	switch {
	case !provider.Temporary() && l.set.Kind(name) == profiles.SessionKeys:
		text = "nothing to log in to: it has session keys, and whoever made them makes new ones"
	case !provider.Temporary():
		text = "nothing to log in to: its credentials are no temporary ones"
	case creds.CanExpire:
		text += " until " + advice.Clock(time.Now(), creds.Expires)
	}
	return func() {
		l.tally.good++
		l.say("%s: %s", name, text)
	}
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

func (l *logins) say(format string, args ...any) {
	l.printing.Lock()
	defer l.printing.Unlock()
	sayf(l.stdout, format, args...)
}

func (l *logins) fail(who string, err error) {
	l.printing.Lock()
	defer l.printing.Unlock()
	p := advice.Of(err)
	p.Text = who + ": " + p.Text
	printError(l.stderr, p)
}

// session logs in to a session, unless it is good for a while.
func (l *logins) session(ctx context.Context, s *sessionLogin) error {
	if until := sso.Until(sso.File(s.SSOSession)); !l.force && time.Until(until) > loginLife {
		if s.named || len(s.profiles) > 1 || l.all {
			l.say("SSO session %s: good until %s", s.Title(), advice.Clock(time.Now(), until))
		}
		return nil
	}
	profile := ""
	if len(s.profiles) > 0 {
		profile = s.profiles[0]
	}
	provider := l.provider(profile)
	cfg, err := provider.Config(ctx)
	if err != nil {
		return err
	}
	err = l.begin(ctx, cfg, s)
	switch {
	case errors.Is(err, sso.ErrDenied), errors.Is(err, sso.ErrCodeExpired):
		return advice.Problemf("%v", err).With(advice.Ours("login", cmp.Or(profile, s.Name)))
	case ctx.Err() != nil:
		return provider.TimedOut()
	case err != nil:
		return provider.Explain(ctx, err)
	}
	return nil
}

func (l *logins) begin(ctx context.Context, cfg aws.Config, s *sessionLogin) error {
	defer credentials.Pause(ctx)()
	if sso.Confirming(sso.File(s.SSOSession)) {
		l.say("SSO session %s: another process is logging in; waiting for that …", s.Title())
	}
	until, err := sso.Login(ctx, cfg, s.SSOSession, func(v sso.Verification) error {
		credentials.ShowVerification(l.say, s.SSOSession, v, l.browser && term.Is(l.stdin))
		return nil
	})
	if err != nil {
		return err
	}
	l.say("SSO session %s: logged in until %s", s.Title(), advice.Clock(time.Now(), until))
	return nil
}

func (c *console) logoutCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "logout [profile…|--all]",
		Short: "drop the tokens and credentials that are kept",
		Long: `Drops the tokens and AWS credentials that this program keeps of profiles, or, with --all, of everybody.
Without a profile it takes the one that AWS_PROFILE names, else default. An SSO session itself belongs to AWS's tools:
"aws sso logout" ends it.`,
		Example:           "  mysql-secret-store-rds logout prod-dba\n  mysql-secret-store-rds logout --all",
		ValidArgsFunction: completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return advice.Problemf("either profiles or --all, not both")
			}
			store, err := cache.Open()
			if err != nil {
				return err
			}
			if all {
				return c.clearCache(store, false)
			}
			set, err := loadProfiles()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{defaultProfile(set)}
			}
			return c.logout(store, set, args)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything that is kept")
	return cmd
}

// logout drops what is kept of some profiles, which may be patterns. They need not be in the AWS
// configuration any more.
func (c *console) logout(store cache.Store, set *profiles.Set, patterns []string) error {
	kept := store.Profiles()
	var names []string
	for _, pattern := range patterns {
		matched := profiles.Match(pattern, kept)
		if known, _ := set.Match([]string{pattern}); len(matched) == 0 && len(known) == 0 {
			do := advice.Ours("cache", "list")
			near := advice.Nearest(pattern, append(kept, set.Names()...))
			if near != "" {
				do = advice.Ours("logout", near)
			}
			return advice.Problemf("nothing is kept of a profile %q, nor does the AWS configuration have one%s",
				pattern,
				advice.DidYouMean(near)).With(do)
		} else if len(matched) == 0 {
			sayf(c.stdout, "%s: nothing is kept", pattern)
		}
		names = append(names, matched...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		tokens, kept, err := store.DropProfile(name)
		if err != nil {
			return err
		}
		sayf(c.stdout, "%s: %v", name, dropped{tokens, kept})
	}
	return nil
}
