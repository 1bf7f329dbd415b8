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

	"mysql-secret-store-rds/internal/server"
)

// reach is a profile that AWS knows.
type reach struct {
	profile   Profile
	place     int // of the profile in the order of preference
	config    aws.Config
	arn       string // of the caller
	account   string // its number
	partition string
	regions   []string // to look at, if not all of the account's
}

// identity asks STS who a profile is; nil is nobody.
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
			if in := server.Partition(region); (in == a.partition || in == "") && !slices.Contains(a.regions, region) {
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
		if of := partitions[server.Partition(region)]; len(of) > 0 && !slices.Contains(list, of[0]) {
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

// enabledRegions lists the regions that an account has enabled; ok is false when the profile may ask neither EC2 nor
// the account service.
func (r *run) enabledRegions(ctx context.Context, a *reach) (regions []string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, r.in.Timeout)
	defer cancel()
	client := ec2.NewFromConfig(a.config, func(o *ec2.Options) { o.Retryer = newRetryer() })
	out, err := client.DescribeRegions(ctx, nil)
	if err != nil {
		regions, err = listRegions(ctx, a)
		return regions, err == nil
	}
	for _, region := range out.Regions {
		if s := aws.ToString(region.OptInStatus); s != "not-opted-in" {
			regions = append(regions, aws.ToString(region.RegionName))
		}
	}
	return regions, true
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
