// Package discover asks AWS which database servers each of the user's profiles reaches, and keeps
// the answer in the inventory.
package discover

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Profile is a profile of the user's AWS configuration.
type Profile struct {
	Name   string
	Region string // as configured; "" when there is none
	MFA    bool   // a person may be asked for a code; such profiles come after all others
	Base   string // the profile whose credentials it assumes a role with; "" when it assumes none
}

// Input says what to look at and where to keep it.
type Input struct {
	Profiles   []Profile         // in the order of preference
	Regions    []string          // instead of the profiles' own
	AllRegions bool              // instead of both: every region that the account has enabled
	Users      []string          // database users to ask IAM about
	Assigned   map[string]string // host id or account number → profile, by the user's configuration
	Configured []string          // all profiles; the inventory forgets any others; nil: it forgets none
	Parallel   int               // logins and reads at once, a read being one account in one region; 0: 16
	Timeout    time.Duration     // of one call with all its attempts; 0: [DefaultTimeout]
	SlowLogin  time.Duration     // after so long a login no longer counts for Parallel, within bounds; 0: 5 s
	Path       string            // of the inventory
	DryRun     bool              // don't write
	Now        time.Time         // when the servers are seen
}

// Deps is what Run needs from the rest of the program.
type Deps struct {
	// Config returns an SDK configuration with a profile's credentials. It is called once for each
	// profile, several at a time. One HTTP client for all of them saves connections.
	Config func(ctx context.Context, profile, region string) (aws.Config, error)
	// Forget, if not nil, drops kept credentials of a profile, which AWS has refused, and reports
	// whether there were any.
	Forget func(profile string) bool
	// Describe puts an error of AWS or of a profile into words.
	Describe func(profile string, err error) Description
	// Progress, if not nil, is told how far it is, by one goroutine at a time.
	Progress func(Progress)
}

// Description is an error in words.
type Description struct {
	Text string
	Run  string // a command that mends it, or ""
	// Session is the SSO session that is over, or nil: it is one problem for all of its profiles.
	Session *Session
	// Refused: AWS won't take the profile until somebody changes something. No network, or a login
	// that is over, is none of that.
	Refused bool
}

// Session is an SSO session that is over, in words.
type Session struct{ Key, Text, Run string }

// DefaultTimeout is how long one call to AWS may take with all its attempts.
const DefaultTimeout = 2 * time.Minute

// Progress is how far a stage has come: Done of Total.
type Progress struct {
	Done, Total int
	Servers     int    // found so far
	What        string // is counted: "profiles", "regions" (of all accounts) or "permissions"
}

// Report is all that there is to be said of a run.
type Report struct {
	Found       bool         `json:"found"`       // a server, or an account's id
	Interrupted bool         `json:"interrupted"` // the context ended first; what was found is kept
	Written     bool         `json:"written"`     // the inventory
	Path        string       `json:"path"`        // the inventory's
	Accounts    int          `json:"accounts"`    // that were read, at least in part
	Regions     int          `json:"regions"`     // the same of the regions of each account, added up
	RegionNames int          `json:"-"`           // how many different regions these are
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

// Problem is something that couldn't be read, once for each profile, account and cause, or once for
// an SSO session that is over.
type Problem struct {
	Profile    string   `json:"profile,omitempty"`
	Profiles   []string `json:"profiles,omitempty"` // several, of one SSO session, instead
	Account    string   `json:"account,omitempty"`  // "" when not even that is known
	Regions    []string `json:"regions,omitempty"`
	Operations []string `json:"operations,omitempty"` // of RDS, that were not permitted
	Text       string   `json:"text"`
	Run        string   `json:"run,omitempty"` // a command that mends it
}

// Run looks at everything that the input names and merges what it finds into the inventory. What
// can't be read is a [Problem] and stops nothing else; an error is an inventory that can't be
// written. When ctx ends, what was found so far is kept.
func Run(ctx context.Context, in Input, deps Deps) (Report, error) {
	start := time.Now()
	in.Parallel = cmp.Or(in.Parallel, 16)
	in.Timeout = cmp.Or(in.Timeout, DefaultTimeout)
	in.SlowLogin = cmp.Or(in.SlowLogin, 5*time.Second)
	r := &run{in: in, deps: deps, report: Report{Path: in.Path, Preferred: []Preference{}}}
	r.problems.index, r.problems.sessions = map[problemKey]int{}, map[string]Session{}
	callers, scanned := r.scan(ctx)
	decisions := r.simulateAll(ctx, callers, scanned)
	r.report.Interrupted = ctx.Err() != nil
	err := r.save(ctx, callers, scanned, decisions)
	r.report.Problems = r.problems.sorted(in)
	r.report.Elapsed = time.Since(start).Seconds()
	return r.report, err
}

type run struct {
	in     Input
	deps   Deps
	report Report

	mu       sync.Mutex // of what follows, and of calls of deps.Progress
	problems problems
	servers  int // found so far
}

// progress tells how far it is. The caller holds the lock.
func (r *run) progress(p Progress) {
	p.Servers = r.servers
	if r.deps.Progress != nil {
		r.deps.Progress(p)
	}
}

// attempts is how often a call is tried: RDS allows an account few calls a second.
const attempts = 8

// newRetryer makes the SDK slow down when it is throttled. One stands for the calls of one account
// in one region.
func newRetryer() aws.Retryer {
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) { o.MaxAttempts = attempts })
	})
}
