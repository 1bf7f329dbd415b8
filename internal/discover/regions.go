// Which regions an account has: those that it has enabled, or else those of its partition.

package discover

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"mysql-secret-store-rds/internal/server"
)

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
