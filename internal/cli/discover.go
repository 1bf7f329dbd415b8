package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/discover"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/term"
)

type discoverFlags struct {
	discover.Input
	profiles []string // patterns
	json     bool
}

func (c *console) discoverCommand() *cobra.Command {
	var f discoverFlags
	cmd := &cobra.Command{
		Use:   "discover",
		Short: "find your database servers, and the AWS profile for each of their accounts",
		Long: `Asks AWS which RDS and Aurora servers each profile of your AWS configuration reaches, and keeps the
answer. From then on a server's profile is known by its host name, without any configuration: the 12 characters after
its name stand for one account and region, so that servers which are created later are known, too.

Every account and region is asked once, however many profiles reach it. Of several, the one is preferred that may
connect (iam:SimulatePrincipalPolicy), else one that assumes a role rather than the profile that it is built on, else
the first in the AWS configuration; "accounts:" in the configuration settles it, and the lines to paste for that are
printed. A profile that can't be used is a line at the end, and doesn't stop the others. Ctrl-C keeps what was found.
Where an SSO session is over it asks on the terminal, once, whether to log in.

Exit codes: 0 when anything was found, 1 when nothing was.`,
		Example: `  mysql-secret-store-rds discover
  mysql-secret-store-rds discover --profile 'prod-*' --region eu-west-1,eu-central-1
  mysql-secret-store-rds discover --all-regions --dry-run`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.discover(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.profiles, "profile", nil, "only these profiles; patterns allowed (prod-*)")
	flags.StringSliceVar(&f.Regions, "region", nil, "these regions, instead of each profile's own")
	flags.BoolVar(&f.AllRegions, "all-regions", false, "every region that is enabled in the account")
	flags.IntVar(&f.Parallel, "parallel", 16, "accounts and regions that are asked at once")
	flags.BoolVar(&f.json, "json", false, "print the summary as JSON")
	flags.BoolVar(&f.DryRun, "dry-run", false, "ask AWS, and leave the inventory as it is")
	_ = cmd.RegisterFlagCompletionFunc("profile", completeProfiles) // it fails for a flag that isn't there
	return cmd
}

func (f discoverFlags) check() error {
	for _, region := range f.Regions {
		if server.Partition(region) == "" {
			return advice.Problemf("%q is no AWS region", region).With(advice.Ours("discover", "--region", "eu-west-1"))
		}
	}
	if len(f.Regions) > 0 && f.AllRegions {
		return advice.Problemf("either --region or --all-regions, not both")
	}
	if f.Parallel < 1 || f.Parallel > 256 {
		return advice.Problemf("--parallel should be from 1 to 256")
	}
	return nil
}

// chosen returns the profiles that were named, or all. A comma separates two, unless a profile has
// it in its name.
func (f discoverFlags) chosen(set *profiles.Set) ([]string, error) {
	var named []string
	for _, p := range f.profiles {
		if _, unmatched := set.Match([]string{p}); len(unmatched) > 0 {
			named = append(named, strings.Split(p, ",")...)
		} else {
			named = append(named, p)
		}
	}
	return chosenProfiles(set, named, len(named) == 0, "discover", "--profile")
}

func (c *console) discover(ctx context.Context, f discoverFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	set, err := loadProfiles()
	if err != nil {
		return err
	}
	names, err := f.chosen(set)
	if err != nil {
		return err
	}
	c.warnOfAccounts(cfg, set)
	if f.Path, err = inventory.Path(); err != nil {
		return err
	}
	store, err := openStore(cfg)
	if err != nil {
		return err
	}
	// Whoever may connect, may do so as one of those whom the configuration signs for, or as this
	// person.
	f.Users = slices.Compact(slices.Sorted(slices.Values(append(cfg.Users(), userName()))))
	f.Profiles, f.Configured, f.Assigned, f.Now = discoverProfiles(set, names), set.Names(), cfg.Assigned(), time.Now()
	report, err := c.runDiscover(ctx, f, newAccess(set, store, c.ask, f.Parallel))
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(c.stdout, report)
	} else {
		c.printReport(report, f, cfg)
	}
	if err == nil && !report.Found {
		return errSaid
	}
	return err
}

// runDiscover asks AWS, and shows how far that is.
func (c *console) runDiscover(ctx context.Context, f discoverFlags, access *awsAccess) (discover.Report, error) {
	bar := c.progress(f.json)
	defer bar.Clear()
	note, stop := sayAlive(c.stderr)
	defer stop()
	return discover.Run(ctx, f.Input, discover.Deps{
		Config: access.config, Forget: access.forget, Describe: access.describe,
		Progress: func(p discover.Progress) {
			bar.Show(p.Done, p.Total, p.What, advice.Count(p.Servers, "server"))
			note(p)
		},
	})
}

// signsOfLife is how often discover says that it still works, where there is no terminal to draw a
// bar on: an AWS that doesn't answer is given two minutes.
const signsOfLife = 10 * time.Second

// sayAlive prints how far discover is, by the last note, until stop is called. It says nothing on a
// terminal.
func sayAlive(w *os.File) (note func(discover.Progress), stop func()) {
	if term.Is(w) {
		return func(discover.Progress) {}, func() {}
	}
	var last atomic.Pointer[discover.Progress]
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(signsOfLife):
			}
			text := "still waiting for AWS"
			if p := last.Load(); p != nil && p.Total > 0 {
				text += fmt.Sprintf(": %d/%d %s, %s", p.Done, p.Total, p.What, advice.Count(p.Servers, "server"))
			}
			fmt.Fprintln(w, text)
		}
	}()
	return func(p discover.Progress) { last.Store(&p) }, func() { close(done) }
}

func discoverProfiles(set *profiles.Set, names []string) []discover.Profile {
	var list []discover.Profile
	for _, name := range names {
		p, _ := set.Profile(name)
		list = append(list, discover.Profile{
			Name: name, Region: cmp.Or(p.Get("region"), os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")),
			MFA: set.AsksForCode(name), Base: set.Base(name),
		})
	}
	return list
}

// warnOfAccounts warns of profiles in the configuration's accounts: that the AWS configuration
// doesn't have.
func (c *console) warnOfAccounts(cfg *config.Config, set *profiles.Set) {
	for id, profile := range cfg.Assigned() {
		if _, ok := set.Profile(profile); !ok {
			const text = "accounts: %s in the configuration is for profile %q, which the AWS configuration doesn't have"
			warn(c.stderr, fmt.Sprintf(text, id, profile)+advice.DidYouMean(set.Nearest(profile)))
		}
	}
}

// awsAccess provides discover with the credentials of each profile, and words for what AWS says.
type awsAccess struct {
	set   *profiles.Set
	store cache.Store
	ask   *credentials.Dialogue

	client *credentials.Client

	providers sync.Map // *credentials.Provider by profile
}

// newAccess has an HTTP client for so many calls at once.
func newAccess(set *profiles.Set, store cache.Store, ask *credentials.Dialogue, parallel int) *awsAccess {
	return &awsAccess{set: set, store: store, ask: ask, client: credentials.NewClient(parallel)}
}

func (a *awsAccess) config(ctx context.Context, profile, region string) (aws.Config, error) {
	p := credentials.New(credentials.Source{Profile: profile, Region: region, User: userName()}, credentials.Options{
		Store: a.store, Files: filesOf(a.set), Code: a.ask.Code, Login: a.ask.Login, Client: a.client,
	})
	a.providers.Store(profile, p)
	cfg, err := p.Config(ctx)
	cfg.Region = cmp.Or(region, cfg.Region)
	return cfg, err
}

func (a *awsAccess) provider(profile string) *credentials.Provider {
	value, _ := a.providers.Load(profile)
	p, _ := value.(*credentials.Provider) // nil where config was not called
	return p
}

// forget drops a profile's kept credentials, and reports whether there were any.
func (a *awsAccess) forget(profile string) bool {
	p := a.provider(profile)
	return p != nil && p.Forget()
}

func (a *awsAccess) describe(profile string, err error) discover.Description {
	if p := a.provider(profile); p != nil {
		err = p.Explain(context.Background(), err)
	}
	if errors.Is(err, credentials.ErrTimeout) {
		return discover.Description{Text: fmt.Sprintf("no answer from AWS within %v", discover.DefaultTimeout)}
	}
	p := advice.Of(err)
	d := discover.Description{Text: p.Text}
	for _, do := range p.Do {
		if do.Command {
			d.Run = do.Text
			break
		}
		d.Text += "; " + do.String()
	}
	if session, ok := a.set.SSO(profile); ok && errors.Is(err, credentials.ErrSSOLogin) {
		d.Session = &discover.Session{
			Key: sso.File(session), Text: fmt.Sprintf("the AWS login of SSO session %s has expired or was never made",
				session.Title()),
			Run: advice.Ours("login", a.set.LoginName(session, profile)).Text,
		}
	}
	d.Refused = credentials.Refused(err)
	return d
}

func (c *console) printReport(r discover.Report, f discoverFlags, cfg *config.Config) {
	for _, p := range r.Preferred {
		if len(p.Profiles) > 1 {
			c.say("account %s: %s of %s: %s", p.Account, p.Profile, discover.Names(p.Profiles), p.Why)
		}
	}
	c.printOthers(r.Preferred, cfg)
	switch {
	case !r.Found && r.Interrupted:
	case !r.Found && (r.Regions > 0 || len(r.Problems) == 0):
		fmt.Fprintln(c.stdout, "No RDS or Aurora servers found.")
		if r.Gone > 0 {
			fmt.Fprintf(c.stdout, "%s that were known are gone.\n", advice.Count(r.Gone, "server"))
		}
		if r.Regions > 0 && !f.AllRegions {
			fmt.Fprintf(c.stdout, "Looked at %s, in %s; for all of them: %s discover --all-regions\n",
				advice.Count(r.Accounts, "account"), advice.Count(r.RegionNames, "region"), about.Name)
		}
	case r.Found:
		took := time.Duration(r.Elapsed * float64(time.Second)).Round(100 * time.Millisecond)
		c.say("%s (%d new, %d changed, %d gone) in %s and %s, read in %v",
			advice.Count(r.Servers, "server"), r.New, r.Changed, r.Gone,
			advice.Count(r.Accounts, "account"), advice.Count(r.RegionNames, "region"), max(took, 100*time.Millisecond))
	}
	if r.Interrupted {
		fmt.Fprintln(c.stdout, "Interrupted: what was not asked again stays as it was.")
	}
	switch {
	case r.Written && r.Known > 0:
		c.say("Kept in %s; %s list-servers shows it.", r.Path, about.Name)
	case f.DryRun:
		fmt.Fprintln(c.stdout, "The inventory was left as it is (--dry-run).")
	}
	c.printProblems(r.Problems)
}

// printProblems prints what couldn't be read: what isn't allowed once for all profiles, with the
// policy that would allow it.
func (c *console) printProblems(problems []discover.Problem) {
	who := map[string][]string{} // by the operations
	actions := map[string]bool{}
	for _, p := range problems {
		if len(p.Operations) == 0 {
			warn(c.stderr, problemLine(p))
			continue
		}
		key := "rds:" + strings.Join(p.Operations, ", rds:")
		who[key] = append(who[key], placeOf(p))
		for _, operation := range p.Operations {
			actions["rds:"+operation] = true
		}
	}
	if len(who) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(who)) {
		warn(c.stderr, fmt.Sprintf("%s: AccessDenied: %s", discover.Names(who[key]), key))
	}
	policy := credentials.Policy("*", slices.Sorted(maps.Keys(actions))...)
	fmt.Fprintln(c.stderr, screenOf(c.stderr).paste("hint: ", credentials.AllowedBy, policy))
}

// placeOf is the profile of a problem, with the account and its regions.
func placeOf(p discover.Problem) string {
	if p.Account == "" {
		return p.Profile
	}
	account := strings.Join(append([]string{"account " + p.Account}, p.Regions...), ", ")
	if p.Profile == "" {
		return account
	}
	return p.Profile + " (" + account + ")"
}

// printOthers prints the lines that would choose the second of several profiles, for each account
// for which the configuration chooses none.
func (c *console) printOthers(preferred []discover.Preference, cfg *config.Config) {
	said := map[string]bool{} // by account number
	var lines string
	for _, p := range preferred {
		if !said[p.Account] && len(p.Profiles) > 1 && cfg.Accounts[p.Account].Profile == "" &&
			p.Why != discover.Assigned {
			said[p.Account] = true
			lines += fmt.Sprintf("  %s: %s\n", p.Account, config.Quote(p.Profiles[1]))
		}
	}
	where, heading := "into", "accounts:\n"
	if cfg.Has("accounts") {
		where, heading = "under accounts: in", ""
	}
	if lines != "" {
		fmt.Fprintf(c.stdout, "To choose another profile, paste %s %s:\n%s%s", where, cfg.File, heading, lines)
	}
}

// problemLine returns what couldn't be read, where, and what to run.
func problemLine(p discover.Problem) string {
	line := p.Text
	if len(p.Profiles) > 0 {
		line += fmt.Sprintf(" (%s)", advice.Count(len(p.Profiles), "profile"))
	}
	if where := placeOf(p); where != "" {
		line = where + ": " + line
	}
	if p.Run != "" {
		line += ": run: " + p.Run
	}
	return line
}

func printJSON(w io.Writer, v any) error {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, term.JSON(text.String()))
	return err
}
