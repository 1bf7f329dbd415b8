// Reading one account in one region, with one caller after the other.

package discover

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/rds"

	"mysql-secret-store-rds/internal/advice"
)

// regionKey names an account in a region.
type regionKey struct{ account, region string }

// accountRegion is the listing of one account in one region, and how far it has come.
type accountRegion struct {
	*listing
	guessed bool // the region comes from the partition's list; it may be disabled

	// While it is scanned:
	callers  []*caller // queue of those who could read what is left
	reading  bool      // one of them does
	tried    bool      // one of them has
	pending  []operation
	failures map[string]failure // by operation

	answered bool // RDS answered something
	full     bool // RDS answered everything
}

// failure is what became of an operation that no caller could read; of several, the first's.
type failure struct {
	caller *caller
	err    error
}

// operation is one of RDS's, all pages of it.
type operation struct {
	name string
	read func(*listing, context.Context, *rds.Client) error
}

var operations = []operation{
	{"DescribeDBClusters", (*listing).readClusters},
	{"DescribeDBClusterEndpoints", (*listing).readClusterEndpoints},
	{"DescribeDBInstances", (*listing).readInstances},
	{"DescribeDBProxies", (*listing).readProxies},
	{"DescribeDBProxyEndpoints", (*listing).readProxyEndpoints},
	{"DescribeGlobalClusters", (*listing).readGlobalClusters},
}

// read asks, with a caller's credentials, for what nobody has read yet of an account and region.
func (r *run) read(ctx context.Context, ar *accountRegion, c *caller) {
	client := rds.NewFromConfig(c.config, func(o *rds.Options) { o.Region, o.Retryer = ar.region, newRetryer() })
	var fatal error // what every operation would say
	ar.pending = slices.DeleteFunc(ar.pending, func(op operation) bool {
		err := fatal
		if err == nil {
			err = op.read(ar.listing, ctx, client)
		}
		if err == nil || isNotOffered(err) {
			ar.answered = true
			return true
		}
		if isFatal(err) {
			fatal = err
		}
		if f, known := ar.failures[op.name]; !known || c.order < f.caller.order {
			ar.failures[op.name] = failure{c, err}
		}
		return false
	})
	if ar.full = len(ar.pending) == 0; ar.full {
		r.finish(ar)
	}
}

func (r *run) finish(ar *accountRegion) {
	ar.join()
	ar.proxies, ar.parts = nil, nil                  // which nobody needs any more
	ar.answered = ar.answered || len(ar.hostIDs) > 0 // a first page, perhaps
	r.reportLeftOut(ar)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers += len(ar.servers)
}

func (r *run) reportLeftOut(ar *accountRegion) {
	hosts := ar.leftOut
	if len(hosts) == 0 {
		return
	}
	servers := "a server"
	if len(hosts) > 1 {
		servers = fmt.Sprintf("%d servers, the first", len(hosts))
	}
	const text = "left out %s, with the host %.100q: " +
		"RDS gives no server of this region such a name, or so large a record"
	r.addProblem(Problem{
		Account: ar.account, Regions: []string{ar.region}, Text: fmt.Sprintf(text, servers, hosts[0]),
	}, "")
}

func (r *run) reportFailures(ctx context.Context, ar *accountRegion) {
	for _, op := range ar.pending {
		f, tried := ar.failures[op.name]
		if !tried || ar.guessed && isDisabled(f.err) { // nobody said that the region was enabled
			continue
		}
		problem := Problem{Profile: f.caller.profile, Account: ar.account, Regions: []string{ar.region}}
		if isDisabled(f.err) && ctx.Err() == nil { // STS has just taken these credentials elsewhere
			problem.Text = "the region is not enabled in the account (" + code(f.err) + ")"
			problem.Run = "aws account enable-region --region-name " + advice.Word(ar.region) +
				" --profile " + advice.Word(problem.Profile)
			r.addProblem(problem, "disabled "+ar.region)
			continue
		}
		if isDenied(f.err) {
			problem.Operations = []string{op.name}
		}
		r.addError(ctx, problem, f.err)
	}
}
