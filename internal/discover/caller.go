// Who a profile is to AWS, and the regions that it is to read.

package discover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
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
		r.addProblem(Problem{
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
		r.addProblem(Problem{Profile: p.Name, Text: text}, "")
		return nil
	}
	c := &caller{profile: p.Name, base: p.Base, config: config, arn: aws.ToString(who.Arn), account: number}
	if parts := strings.SplitN(c.arn, ":", 3); len(parts) == 3 {
		c.partition = parts[1]
	}
	c.regions = r.regionsIn(c.partition, p)
	if c.regions == nil && !r.in.AllRegions {
		text := fmt.Sprintf("none of the regions given is in the profile's partition, %.40s", c.partition)
		r.addProblem(Problem{Profile: p.Name, Account: c.account, Text: text}, "")
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

// regionServices list the enabled regions of an account, in the order in which they are asked.
var regionServices = [...]func(context.Context, aws.Config) ([]string, error){ec2Regions, accountRegions}

// regionList is the list of an account's enabled regions. Its callers ask for it one after the
// other until one gets it.
type regionList struct {
	mu       sync.Mutex // held while a caller asks
	known    bool
	regions  []string
	timedOut [len(regionServices)]bool // such a service isn't asked again: other callers would wait, too
}

// get returns the enabled regions; known is false when the caller may not list them, or when no
// service answers within the timeout, which each of them has for itself.
func (l *regionList) get(ctx context.Context, config aws.Config, timeout time.Duration) (regions []string, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, list := range regionServices {
		if l.known || l.timedOut[i] {
			continue
		}
		inTime, cancel := context.WithTimeout(ctx, timeout)
		regions, err := list(inTime, config)
		l.timedOut[i] = err != nil && inTime.Err() != nil
		cancel()
		l.regions, l.known = regions, err == nil
	}
	return l.regions, l.known
}

func ec2Regions(ctx context.Context, config aws.Config) (regions []string, err error) {
	client := ec2.NewFromConfig(config, func(o *ec2.Options) { o.Retryer = newRetryer() })
	out, err := client.DescribeRegions(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, region := range out.Regions {
		if aws.ToString(region.OptInStatus) != "not-opted-in" {
			regions = append(regions, aws.ToString(region.RegionName))
		}
	}
	return regions, nil
}

func accountRegions(ctx context.Context, config aws.Config) (regions []string, err error) {
	client := account.NewFromConfig(config, func(o *account.Options) { o.Retryer = newRetryer() })
	enabled := []types.RegionOptStatus{types.RegionOptStatusEnabled, types.RegionOptStatusEnabledByDefault}
	pages := account.NewListRegionsPaginator(client, &account.ListRegionsInput{RegionOptStatusContains: enabled})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, region := range page.Regions {
			regions = append(regions, aws.ToString(region.RegionName))
		}
	}
	return regions, nil
}

// partitions are the regions of each partition, the one that always is enabled first. Source:
// botocore's partitions.json, as in aws-sdk-go-v2 1.48 (internal/endpoints/awsrulesfn).
var partitions = map[string][]string{
	"aws": {
		"us-east-1", "us-east-2", "us-west-1", "us-west-2", "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1",
		"ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2",
		"ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-central-1",
		"ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1",
		"eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "me-west-1", "mx-central-1",
		"sa-east-1", "sa-west-1",
	},
	"aws-cn":     {"cn-north-1", "cn-northwest-1"},
	"aws-us-gov": {"us-gov-west-1", "us-gov-east-1"},
	"aws-eusc":   {"eusc-de-east-1"},
	"aws-iso":    {"us-iso-east-1", "us-iso-west-1"},
	"aws-iso-b":  {"us-isob-east-1", "us-isob-west-1"},
	"aws-iso-e":  {"eu-isoe-west-1"},
	"aws-iso-f":  {"us-isof-south-1", "us-isof-east-1"},
}

// defaultRegions returns the always enabled region of each partition that the given regions are in.
func defaultRegions(regions []string) (list []string) {
	for _, region := range regions {
		of := partitions[server.Partition(region)]
		if len(of) > 0 && !slices.Contains(list, of[0]) {
			list = append(list, of[0])
		}
	}
	return list
}
