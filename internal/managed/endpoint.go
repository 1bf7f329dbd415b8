package managed

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/server"
)

// Where Secrets Manager is in each partition: the ends of its addresses, and of those that have
// IPv6, too (aws-sdk-go-v2, service/secretsmanager/endpoints.go and awsrulesfn/partitions.json).
var suffixes = map[string]struct{ plain, dualStack string }{
	"aws":        {"amazonaws.com", "amazonaws.com"},
	"aws-cn":     {"amazonaws.com.cn", "amazonaws.com.cn"},
	"aws-us-gov": {"amazonaws.com", "amazonaws.com"},
	"aws-eusc":   {"amazonaws.eu", "api.amazonwebservices.eu"},
	"aws-iso":    {"c2s.ic.gov", "api.aws.ic.gov"},
	"aws-iso-b":  {"sc2s.sgov.gov", "api.aws.scloud"},
	"aws-iso-e":  {"cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	"aws-iso-f":  {"csp.hci.ic.gov", "api.aws.hci.ic.gov"},
}

// endpoint returns the address to ask in cfg's region: that of the settings, else Amazon's.
func endpoint(ctx context.Context, cfg aws.Config) (string, error) {
	var fips, dualStack bool
	for _, source := range cfg.ConfigSources { // as the SDK's clients ask them
		if s, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		}); ok {
			if address, found, err := s.GetServiceBaseEndpoint(ctx, service); err != nil || found {
				return address, err
			}
		}
		if s, ok := source.(interface {
			GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
		}); ok {
			state, found, _ := s.GetUseFIPSEndpoint(ctx)
			fips = fips || found && state == aws.FIPSEndpointStateEnabled
		}
		if s, ok := source.(interface {
			GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error)
		}); ok {
			state, found, _ := s.GetUseDualStackEndpoint(ctx)
			dualStack = dualStack || found && state == aws.DualStackEndpointStateEnabled
		}
	}
	if cfg.BaseEndpoint != nil {
		return *cfg.BaseEndpoint, nil
	}
	of, ok := suffixes[server.Partition(cfg.Region)]
	if !ok {
		return "", fmt.Errorf("it isn't known where Secrets Manager is in %q", cfg.Region)
	}
	name, suffix := "secretsmanager", of.plain
	if fips {
		name += "-fips"
	}
	if dualStack {
		suffix = of.dualStack
	}
	return fmt.Sprintf("https://%s.%s.%s", name, cfg.Region, suffix), nil
}
