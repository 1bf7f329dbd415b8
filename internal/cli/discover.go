package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
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
	"mysql-secret-store-rds/internal/term"
)

// discoverFlags are what discover was told.
type discoverFlags struct {
	profiles, regions []string
	allRegions        bool
	json, dryRun      bool
	parallel          int
}

func (c *console) discoverCommand() *cobra.Command {
	var f discoverFlags
	cmd := &cobra.Command{
		Use:   "discover",
		Short: "find your database servers, and the AWS profile for each of their accounts",
		Long: `Asks AWS which RDS and Aurora servers each profile of your AWS configuration reaches, and keeps the answer. From
then on a server's profile is known by its host name, without any configuration: the 12 characters after its name
stand for one account and region, so that servers which are created later are known, too.

Every account and region is asked once, however many profiles reach it. Of several, the one is preferred that may connect
(iam:SimulatePrincipalPolicy), else the first in the AWS configuration; "accounts:" in the configuration settles it.
A profile that can't be used is a line at the end, and doesn't stop the others. Ctrl-C keeps what was found.

Exit codes: 0 when anything was found, 1 when nothing was.`,
		Example: `  mysql-secret-store-rds discover
  mysql-secret-store-rds discover --profile 'prod-*' --region eu-west-1,eu-central-1
  mysql-secret-store-rds discover --all-regions --dry-run`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.discover(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.profiles, "profile", nil, "only these profiles; patterns allowed (prod-*)")
	flags.StringSliceVar(&f.regions, "region", nil, "these regions, instead of each profile's own")
	flags.BoolVar(&f.allRegions, "all-regions", false, "every region that is enabled in the account")
	flags.IntVar(&f.parallel, "parallel", 16, "accounts and regions that are asked at once")
	flags.BoolVar(&f.json, "json", false, "print the summary as JSON")
	flags.BoolVar(&f.dryRun, "dry-run", false, "ask AWS, and leave the inventory as it is")
	_ = cmd.RegisterFlagCompletionFunc("profile", completeProfiles) // it fails for a flag that isn't there
	return cmd
}

// discoverMemory is what discover should do with; 500 accounts fit (go run ./bench).
const discoverMemory = 128 << 20

// check refuses flags that can't be meant.
func (f discoverFlags) check() error {
	for _, region := range f.regions {
		if server.Partition(region) == "" {
			return advice.Problemf("%q is no AWS region", region).With(advice.Ours("discover", "--region", "eu-west-1"))
		}
	}
	if len(f.regions) > 0 && f.allRegions {
		return advice.Problemf("either --region or --all-regions, not both")
	}
	if f.parallel < 1 || f.parallel > 256 {
		return advice.Problemf("--parallel should be from 1 to 256")
	}
	return nil
}

// chosen gives the profiles that were named, or all. A comma separates two, unless a profile has it in its name.
func (f discoverFlags) chosen(set *profiles.Set) ([]string, error) {
	var named []string
	for _, p := range f.profiles {
		if _, unmatched := set.Match([]string{p}); len(unmatched) > 0 {
			named = append(named, strings.Split(p, ",")...)
		} else {
			named = append(named, p)
		}
	}
	return chosenProfiles(set, named, len(named) == 0)
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
	for id, profile := range settled(cfg) {
		if _, ok := set.Profile(profile); !ok {
			warn(c.stderr, fmt.Sprintf("accounts: %s in the configuration is for profile %q, which the AWS configuration doesn't have", id, profile)+
				advice.DidYouMean(set.Nearest(profile)))
		}
	}
	path, err := inventory.Path()
	if err != nil {
		return err
	}
	bar := &term.Progress{}
	if !f.json {
		bar = term.NewProgress(c.stderr)
	}
	w := &world{cfg: cfg, set: set, asked: map[string]*credentials.Provider{}, code: aside(bar, (&logins{console: c}).code),
		http: awshttp.NewBuildableClient()}
	if w.store, err = openStore(cfg); err != nil {
		return err
	}
	in := discover.Input{
		Regions: f.regions, AllRegions: f.allRegions, Users: databaseUsers(cfg), Settled: settled(cfg),
		Configured: set.Names(), Parallel: f.parallel, Path: path, DryRun: f.dryRun, Now: time.Now(),
	}
	for _, name := range names {
		p, _ := set.Profile(name)
		region := cmp.Or(p.Get("region"), os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
		in.Profiles = append(in.Profiles, discover.Profile{Name: name, Region: region, Asks: set.AsksForCode(name)})
	}
	// What is read of each account at once is garbage soon: rather collect it more often than grow with their number.
	debug.SetMemoryLimit(discoverMemory)
	progress := func(p discover.Progress) { bar.Show(p.Done, p.Total, p.What, count(p.Servers, "server")) }
	report, err := discover.Run(ctx, in, discover.Deps{Config: w.config, Forget: w.forget, Describe: w.describe, Progress: progress})
	bar.Clear()
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(c.stdout, report)
	} else {
		c.printReport(report, f)
	}
	if err == nil && !report.Found {
		return errSaid
	}
	return err
}

// databaseUsers are those whom the configuration signs for, and the person at the keyboard: whoever may
// connect, may do so as one of them.
func databaseUsers(cfg *config.Config) []string {
	users := append(cfg.Users(), userName())
	slices.Sort(users)
	return slices.Compact(users)
}

// settled are the profiles that the configuration gives to ids.
func settled(cfg *config.Config) map[string]string {
	m := map[string]string{}
	for id, e := range cfg.Accounts {
		if e.Profile != "" {
			m[id] = e.Profile
		}
	}
	return m
}

// world gives discover its AWS.
type world struct {
	cfg   *config.Config
	set   *profiles.Set
	store cache.Store
	code  func(ctx context.Context, profile, serial string) (string, error)
	http  *awshttp.BuildableClient // one for all: each has its connections

	mu    sync.Mutex
	asked map[string]*credentials.Provider
}

func (w *world) config(ctx context.Context, profile, region string) (aws.Config, error) {
	p := credentials.New(credentials.Source{Profile: profile, Region: region, User: userName()},
		credentials.Options{Store: w.store, Files: func() (*profiles.Set, error) { return w.set, nil }, Code: w.code, HTTP: w.http})
	w.mu.Lock()
	w.asked[profile] = p
	w.mu.Unlock()
	cfg, err := p.Config(ctx)
	if region != "" {
		cfg.Region = region
	}
	return cfg, err
}

func (w *world) provider(profile string) *credentials.Provider {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[profile]
}

// forget drops what is kept of a profile.
func (w *world) forget(profile string) bool {
	p := w.provider(profile)
	return p != nil && p.Forget()
}

func (w *world) describe(profile string, err error) discover.Description {
	if p := w.provider(profile); p != nil {
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
		d.Text += "; " + do.Text
	}
	_, missing := errors.AsType[*profiles.MissingError](err)
	api, answered := errors.AsType[*credentials.APIError](err)
	d.Refused = missing || errors.Is(err, credentials.ErrNoCredentials) || answered && !api.Throttled && (api.Refused() || api.Denied)
	return d
}

// printReport says what was found, for a person.
func (c *console) printReport(r discover.Report, f discoverFlags) {
	for _, p := range r.Preferred {
		if len(p.Profiles) > 1 {
			fmt.Fprintf(c.stdout, "account %s: %s of %s: %s\n", p.Account, p.Profile, discover.Names(p.Profiles), p.Why)
		}
	}
	switch {
	case !r.Found && r.Interrupted:
	case !r.Found && (r.Regions > 0 || len(r.Problems) == 0):
		fmt.Fprintln(c.stdout, "No RDS or Aurora servers found.")
		if r.Gone > 0 {
			fmt.Fprintf(c.stdout, "%s that were known are gone.\n", count(r.Gone, "server"))
		}
		if r.Regions > 0 && !f.allRegions {
			fmt.Fprintf(c.stdout, "Looked at %s, in %s; for all of them: %s discover --all-regions\n",
				count(r.Accounts, "account"), count(r.Regions, "region"), about.Name)
		}
	case r.Found:
		took := time.Duration(r.Elapsed * float64(time.Second))
		fmt.Fprintf(c.stdout, "%s (%d new, %d changed, %d gone); %s, and %s of theirs, read in %v\n", count(r.Servers, "server"), r.New, r.Changed, r.Gone,
			count(r.Accounts, "account"), count(r.Regions, "region"), max(took.Round(100*time.Millisecond), 100*time.Millisecond))
	}
	if r.Interrupted {
		fmt.Fprintln(c.stdout, "Interrupted: what was not asked again stays as it was.")
	}
	switch {
	case r.Written && r.Known > 0:
		fmt.Fprintf(c.stdout, "Kept in %s; %s list-servers shows it.\n", r.Path, about.Name)
	case f.dryRun:
		fmt.Fprintln(c.stdout, "The inventory was left as it is (--dry-run).")
	}
	for _, p := range r.Problems {
		where := p.Profile
		if p.Account != "" {
			where += " (account " + p.Account
			if len(p.Regions) > 0 {
				where += ", " + strings.Join(p.Regions, ", ")
			}
			where += ")"
		}
		text := p.Text
		if where != "" {
			text = where + ": " + p.Text
		}
		if len(p.Operations) > 0 {
			text += " (" + strings.Join(p.Operations, ", ") + ")"
		}
		if p.Run != "" {
			text += ": run: " + p.Run
		}
		warn(c.stderr, text)
	}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// aside takes the bar away while a person is asked for an MFA code.
func aside(bar *term.Progress, code func(context.Context, string, string) (string, error)) func(context.Context, string, string) (string, error) {
	return func(ctx context.Context, profile, serial string) (string, error) {
		bar.Pause()
		defer bar.Resume()
		return code(ctx, profile, serial)
	}
}
