// Who a profile is to AWS, and the regions that it is to read.

package discover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/server"
)

// caller is a profile that AWS knows.
type caller struct {
	profile   string
	base      string // see [Profile]
	order     int    // of the profile in [Input], the order of preference
	config    aws.Config
	arn       string
	account   string   // its number
	partition string   // of the account
	regions   []string // to read, if not all of the account's
}

// identify asks STS who a profile is. It returns nil when AWS doesn't know it, and notes why.
func (r *run) identify(ctx context.Context, p Profile) *caller {
	region := r.firstRegion(p)
	if region == "" {
		r.problems.add(Problem{
			Profile: p.Name, Text: "the profile has no region, and none was given",
			Run: fmt.Sprintf("mysql-secret-store-rds discover --profile %s --region us-east-1", advice.Word(p.Name)),
		}, "")
		return nil
	}
	config, err := r.deps.Config(ctx, p.Name, region)
	if err != nil {
		r.addError(ctx, Problem{Profile: p.Name}, err)
		return nil
	}
	config.Region = region
	who, err := r.callerIdentity(ctx, p.Name, &config)
	if err != nil {
		r.addError(ctx, Problem{Profile: p.Name, Regions: []string{region}}, err)
		return nil
	}
	number := aws.ToString(who.Account)
	if !server.IsAccountNumber(number) {
		text := fmt.Sprintf("AWS says that the account is %.40q, which is no account's number", number)
		r.problems.add(Problem{Profile: p.Name, Text: text}, "")
		return nil
	}
	c := &caller{profile: p.Name, base: p.Base, config: config, arn: aws.ToString(who.Arn), account: number}
	if parts := strings.SplitN(c.arn, ":", 3); len(parts) == 3 {
		c.partition = parts[1]
	}
	c.regions = r.regionsIn(c.partition, p)
	if c.regions == nil && !r.in.AllRegions {
		text := fmt.Sprintf("none of the regions given is in the profile's partition, %.40s", c.partition)
		r.problems.add(Problem{Profile: p.Name, Account: c.account, Text: text}, "")
	}
	return c
}

// firstRegion returns the region in which a profile asks who it is; "" when none is known.
func (r *run) firstRegion(p Profile) string {
	switch {
	case p.Region != "":
		return p.Region
	case len(r.in.Regions) > 0:
		return r.in.Regions[0]
	case r.in.AllRegions:
		return partitions["aws"][0]
	}
	return ""
}

// regionsIn returns those of the regions to read that are in a profile's partition. With all
// regions it returns none: which there are depends on the account.
func (r *run) regionsIn(partition string, p Profile) []string {
	if r.in.AllRegions {
		return nil
	}
	if len(r.in.Regions) == 0 {
		return []string{p.Region}
	}
	var regions []string
	for _, region := range r.in.Regions {
		in := server.Partition(region)
		if (in == partition || in == "") && !slices.Contains(regions, region) {
			regions = append(regions, region)
		}
	}
	return regions
}

// callerIdentity asks STS in config's region. Kept credentials that AWS doesn't take are dropped,
// and new ones asked for once. If the region doesn't know the caller, others may: config gets the
// region that does, as the account's regions have to be asked for there, too.
func (r *run) callerIdentity(
	ctx context.Context, profile string, config *aws.Config,
) (*sts.GetCallerIdentityOutput, error) {
	who, err := r.askSTS(ctx, *config)
	unknown := err != nil && (isDisabled(err) || strings.HasPrefix(code(err), "ExpiredToken"))
	if unknown && r.deps.Forget != nil && r.deps.Forget(profile) {
		if c, ok := config.Credentials.(*aws.CredentialsCache); ok {
			c.Invalidate()
		}
		who, err = r.askSTS(ctx, *config)
	}
	if err == nil || !isDisabled(err) {
		return who, err
	}
	for _, region := range defaultRegions(append([]string{config.Region}, r.in.Regions...)) {
		if region == config.Region {
			continue
		}
		elsewhere := *config
		elsewhere.Region = region
		if who, err := r.askSTS(ctx, elsewhere); err == nil {
			*config = elsewhere
			return who, nil
		}
	}
	return nil, err
}

func (r *run) askSTS(ctx context.Context, config aws.Config) (*sts.GetCallerIdentityOutput, error) {
	ctx, cancel := credentials.WithTimeout(ctx, r.in.Timeout)
	defer cancel()
	client := sts.NewFromConfig(config, func(o *sts.Options) { o.Retryer = newRetryer() })
	return client.GetCallerIdentity(ctx, nil)
}
