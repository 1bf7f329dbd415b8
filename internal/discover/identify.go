package discover

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mysql-secret-store-rds/internal/serverurl"
)

// reach is a profile that AWS knows.
type reach struct {
	profile   Profile
	config    aws.Config
	arn       string // of the caller
	account   string // its number
	partition string
	regions   []string // to look at, if not all of the account's
}

// identify asks STS who each profile is. Those that nobody is stay out.
func (r *run) identify(ctx context.Context, profiles []Profile) []*reach {
	answers := make([]*reach, len(profiles))
	r.each(ctx, "profiles", len(answers), func(i int) { answers[i] = r.identity(ctx, profiles[i]) })
	return slices.DeleteFunc(answers, func(a *reach) bool { return a == nil })
}

func (r *run) identity(ctx context.Context, p Profile) *reach {
	region := p.Region
	if region == "" && len(r.in.Regions) > 0 {
		region = r.in.Regions[0]
	}
	if region == "" && r.in.AllRegions {
		region = partitions["aws"][0]
	}
	if region == "" {
		text, run := noRegion(p.Name)
		r.problems.add(p.Name, "", "", "", text, run, "")
		return nil
	}
	config, err := r.deps.Config(ctx, p.Name, region)
	if err != nil {
		r.failed(ctx, p.Name, "", "", "", err)
		return nil
	}
	who, err := r.whoIs(ctx, config, region)
	if err != nil && isUnknown(err) && r.deps.Forget != nil && r.deps.Forget(p.Name) {
		if c, ok := config.Credentials.(*aws.CredentialsCache); ok {
			c.Invalidate()
		}
		who, err = r.whoIs(ctx, config, region)
	}
	if err != nil && isDisabled(err) {
		// Other regions may well be enabled, or be in the partition that the profile is in.
		for _, home := range homes(append([]string{region}, r.in.Regions...)) {
			if home == region {
				continue
			}
			if again, elsewhere := r.whoIs(ctx, config, home); elsewhere == nil {
				who, err = again, nil
				config.Region = home // where the account's regions can be asked for, too
				break
			}
		}
	}
	if err != nil {
		r.failed(ctx, p.Name, "", region, "", err)
		return nil
	}
	a := &reach{profile: p, config: config, arn: aws.ToString(who.Arn), account: aws.ToString(who.Account)}
	if parts := strings.SplitN(a.arn, ":", 3); len(parts) == 3 {
		a.partition = parts[1]
	}
	switch {
	case r.in.AllRegions:
	case len(r.in.Regions) > 0:
		for _, region := range r.in.Regions {
			if in := serverurl.Partition(region); in == a.partition || in == "" {
				a.regions = append(a.regions, region)
			}
		}
		if a.regions == nil {
			text := "none of the regions given is in the profile's partition, " + a.partition
			r.problems.add(p.Name, a.account, "", "", text, "", "")
		}
	default:
		a.regions = []string{p.Region}
	}
	return a
}

// homes are the regions that are always enabled in the partitions of others.
func homes(regions []string) []string {
	var list []string
	for _, region := range regions {
		if of := partitions[serverurl.Partition(region)]; len(of) > 0 && !slices.Contains(list, of[0]) {
			list = append(list, of[0])
		}
	}
	return list
}

func (r *run) whoIs(ctx context.Context, config aws.Config, region string) (*sts.GetCallerIdentityOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, r.in.Timeout)
	defer cancel()
	client := sts.NewFromConfig(config, func(o *sts.Options) { o.Region, o.Retryer = region, newRetryer() })
	return client.GetCallerIdentity(ctx, nil)
}

// pair is one account in one region, and who reaches it.
type pair struct {
	account   string
	partition string
	region    string
	guessed   bool     // the region comes from the partition's list; it may be disabled
	reached   []*reach // in the order of preference

	reading reading
}

// pairs lists what is to be read, each account and region once, in the order of profiles.
func (r *run) pairs(ctx context.Context, reached []*reach) []*pair {
	groups := byAccount(reached)
	type answer struct {
		regions []string
		guessed bool
	}
	enabled := make([]answer, len(groups))
	if r.in.AllRegions {
		r.each(ctx, "accounts", len(groups), func(i int) { enabled[i].regions, enabled[i].guessed = r.allRegions(ctx, groups[i]) })
	}
	var list []*pair
	for i, group := range groups {
		byRegion := map[string]*pair{}
		for _, a := range group {
			regions := a.regions
			if r.in.AllRegions {
				regions = enabled[i].regions
			}
			for _, region := range regions {
				p := byRegion[region]
				if p == nil {
					p = &pair{account: a.account, partition: a.partition, region: region, guessed: enabled[i].guessed}
					byRegion[region] = p
					list = append(list, p)
				}
				if !slices.ContainsFunc(p.reached, func(b *reach) bool { return b.profile == a.profile }) {
					p.reached = append(p.reached, a)
				}
			}
		}
	}
	return list
}

// byAccount groups profiles by their account, in the order in which the accounts come up.
func byAccount(reached []*reach) [][]*reach {
	var groups [][]*reach
	place := map[string]int{}
	for _, a := range reached {
		i, ok := place[a.account]
		if !ok {
			i = len(groups)
			place[a.account] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], a)
	}
	return groups
}

// allRegions lists the regions that an account has enabled, asked through the first of its profiles that may ask;
// where none may, guessed is true and the list the partition's.
func (r *run) allRegions(ctx context.Context, group []*reach) (regions []string, guessed bool) {
	ctx, cancel := context.WithTimeout(ctx, r.in.Timeout)
	defer cancel()
	for _, a := range group {
		client := ec2.NewFromConfig(a.config, func(o *ec2.Options) { o.Retryer = newRetryer() })
		if out, err := client.DescribeRegions(ctx, nil); err == nil {
			for _, region := range out.Regions {
				if s := aws.ToString(region.OptInStatus); s != "not-opted-in" {
					regions = append(regions, aws.ToString(region.RegionName))
				}
			}
			return regions, false
		}
		if regions, err := listRegions(ctx, a); err == nil {
			return regions, false
		}
	}
	return partitions[group[0].partition], true
}

func listRegions(ctx context.Context, a *reach) ([]string, error) {
	client := account.NewFromConfig(a.config, func(o *account.Options) { o.Retryer = newRetryer() })
	enabled := []accounttypes.RegionOptStatus{accounttypes.RegionOptStatusEnabled, accounttypes.RegionOptStatusEnabledByDefault}
	pages := account.NewListRegionsPaginator(client, &account.ListRegionsInput{RegionOptStatusContains: enabled})
	var regions []string
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
