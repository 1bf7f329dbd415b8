// Package discover asks AWS which database servers each of the user's profiles reaches, and keeps
// the answer in the inventory.
package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"mysql-secret-store-rds/internal/advice"
)

// Profile is a profile of the user's AWS configuration.
type Profile struct {
	Name   string
	Region string // as configured; "" when there is none
	Asks   bool   // a person may be asked for an MFA code: everybody else's turn comes first
}

// Input says what to look at and where to keep it.
type Input struct {
	Profiles   []Profile         // in the order of preference
	Regions    []string          // instead of the profiles' own
	AllRegions bool              // instead of both: every region that the account has enabled
	Users      []string          // database users to ask IAM about
	Settled    map[string]string // id of account and region → profile, by the user's word
	Configured []string          // every profile there is: what the inventory says of others is forgotten; nil: forget none
	Parallel   int               // profiles, or accounts and regions, at once; 0: 16
	Timeout    time.Duration     // of one call with all its attempts; 0: [DefaultTimeout]
	Slow       time.Duration     // how long a profile may take to log in until the next one has its turn, within bounds; 0: 5 s
	Path       string            // of the inventory
	DryRun     bool              // don't write
	Now        time.Time         // when the servers are seen
}

// Deps is what Run needs from the rest of the program.
type Deps struct {
	// Config gives an SDK configuration with a profile's credentials. It is called once for each profile, several
	// at a time. One HTTP client for all of them saves connections.
	Config func(ctx context.Context, profile, region string) (aws.Config, error)
	// Forget, if not nil, drops kept credentials of a profile, which AWS has refused, and says whether there were any.
	Forget func(profile string) bool
	// Describe puts an error of AWS or of a profile into words.
	Describe func(profile string, err error) Description
	// Progress, if not nil, is told how far it is, by one goroutine at a time.
	Progress func(Progress)
}

// Description is an error in words.
type Description struct {
	Text    string
	Run     string // a command that mends it, or ""
	Refused bool   // the profile won't do until somebody changes something, as opposed to no network, or to a login that is over
}

// DefaultTimeout is how long one call to AWS may take with all its attempts.
const DefaultTimeout = 2 * time.Minute

// Progress is how far a stage has come.
type Progress struct {
	Done, Total int
	Servers     int    // found so far
	What        string // is counted: "profiles", "accounts", "regions" (of all accounts), "permissions"
}

// Report is all that there is to be said of a run.
type Report struct {
	Found       bool         `json:"found"`       // a server, or an account's id
	Interrupted bool         `json:"interrupted"` // the context ended first; what was found is kept
	Written     bool         `json:"written"`     // the inventory
	Path        string       `json:"path"`        // the inventory's
	Accounts    int          `json:"accounts"`    // that were read, at least in part
	Regions     int          `json:"regions"`     // the same of the regions of each account, added up
	Full        int          `json:"full"`        // those of them that were read in full
	Servers     int          `json:"servers"`     // seen this time
	Known       int          `json:"known"`       // servers in the inventory now
	New         int          `json:"new"`         // servers, since the last time
	Gone        int          `json:"gone"`
	Changed     int          `json:"changed"`
	Preferred   []Preference `json:"preferred"` // in the order of accounts
	Problems    []Problem    `json:"problems"`  // in the order of profiles
	Elapsed     float64      `json:"elapsed_seconds"`
}

// Preference is the profile that stands for an account in some of its regions.
type Preference struct {
	Account  string   `json:"account"`
	Regions  []string `json:"regions"`
	Profile  string   `json:"profile"`
	Profiles []string `json:"profiles"` // all that reach it, in the order of preference
	Why      string   `json:"why"`
}

// Problem is something that couldn't be read, once for each profile, account and cause.
type Problem struct {
	Profile    string   `json:"profile,omitempty"`
	Account    string   `json:"account,omitempty"` // "" when not even that is known
	Regions    []string `json:"regions,omitempty"`
	Operations []string `json:"operations,omitempty"` // of RDS, that were not permitted
	Text       string   `json:"text"`
	Run        string   `json:"run,omitempty"` // a command that mends it
}

// attempts is how often a call is tried: RDS allows an account few calls a second.
const attempts = 8

// Run looks at everything that the input names and merges what it finds into the inventory. What can't be read is a
// [Problem] and stops nothing else; an error is an inventory that can't be written. When ctx ends, what was found so
// far is kept.
func Run(ctx context.Context, in Input, deps Deps) (Report, error) {
	start := time.Now()
	if in.Parallel <= 0 {
		in.Parallel = 16
	}
	if in.Timeout <= 0 {
		in.Timeout = DefaultTimeout
	}
	if in.Slow <= 0 {
		in.Slow = 5 * time.Second
	}
	r := &run{in: in, deps: deps, report: Report{Path: in.Path, Preferred: []Preference{}}}
	r.problems.list = []Problem{}
	reached, pairs := r.look(ctx)
	verdicts := r.ask(ctx, reached, pairs)
	r.report.Interrupted = ctx.Err() != nil
	err := r.keep(ctx, pairs, reached, verdicts)
	r.report.Problems = r.problems.sorted(in)
	r.report.Elapsed = time.Since(start).Seconds()
	return r.report, err
}

// run is a run under way.
type run struct {
	in       Input
	deps     Deps
	report   Report
	problems problems

	mu      sync.Mutex // of what follows, and of calls of Progress
	servers int
	refused []string // profiles that AWS doesn't take
}

// progress tells how far it is.
func (r *run) progress(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.Servers = r.servers
	if r.deps.Progress != nil {
		r.deps.Progress(p)
	}
}

// failed notes an error of AWS as a problem, unless it comes of the interruption.
func (r *run) failed(ctx context.Context, profile, account, region, operation string, err error) {
	if ctx.Err() != nil {
		return
	}
	d := r.deps.Describe(profile, err)
	r.problems.add(profile, account, region, operation, d.Text, d.Run, code(err))
	if account == "" && d.Refused {
		r.mu.Lock()
		r.refused = append(r.refused, profile)
		r.mu.Unlock()
	}
}

// newRetryer makes the SDK slow down when it is throttled. One stands for the calls of one account in one region.
func newRetryer() aws.Retryer {
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) { o.MaxAttempts = attempts })
	})
}

// code is the code of an error that AWS answered, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// isDenied says that the caller is known to AWS and not permitted.
func isDenied(err error) bool {
	c := code(err)
	return strings.HasPrefix(c, "AccessDenied") || c == "UnauthorizedOperation" || c == "NotAuthorized"
}

// isUnknown says that AWS doesn't know the credentials, or no more.
func isUnknown(err error) bool {
	return isDisabled(err) || strings.HasPrefix(code(err), "ExpiredToken")
}

// isDisabled says that a region may be disabled for the account. Such a region doesn't know the account's
// credentials; only STS and EC2 have words for it.
func isDisabled(err error) bool {
	return slices.Contains([]string{
		"InvalidClientTokenId", "UnrecognizedClientException", "OptInRequired", "RegionDisabledException", "AuthFailure",
	}, code(err))
}

// problems collects problems from all goroutines.
type problems struct {
	mu   sync.Mutex
	list []Problem
	key  map[string]int // profile, account and cause → its place in list
}

// add notes a problem. cause, or text if that is "", makes two problems of a profile and account the same.
func (p *problems) add(profile, account, region, operation, text, run, cause string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cause == "" {
		cause = text
	}
	key := strings.Join([]string{profile, account, cause}, "\x00")
	i, ok := p.key[key]
	if !ok {
		if p.key == nil {
			p.key = map[string]int{}
		}
		i = len(p.list)
		p.key[key] = i
		p.list = append(p.list, Problem{Profile: profile, Account: account, Text: text, Run: run})
	}
	include(&p.list[i].Regions, region)
	include(&p.list[i].Operations, operation)
}

// include adds a word to a sorted list that doesn't have it.
func include(list *[]string, word string) {
	if i, ok := slices.BinarySearch(*list, word); !ok && word != "" {
		*list = slices.Insert(*list, i, word)
	}
}

// noRegion is the problem of a profile that says no region.
func noRegion(profile string) (text, run string) {
	return "the profile has no region, and none was given",
		fmt.Sprintf("mysql-secret-store-rds discover --profile %s --region REGION", advice.Word(profile))
}

// sorted gives the problems in the order of the profiles, those of no profile first.
func (p *problems) sorted(in Input) []Problem {
	place := map[string]int{}
	for i, profile := range in.Profiles {
		place[profile.Name] = i + 1
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(place[a.Profile], place[b.Profile]), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Text, b.Text))
	})
	return p.list
}
