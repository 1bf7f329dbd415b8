package managed

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"mysql-secret-store-rds/internal/server"
)

// settings are what the SDK's clients and ours are told in the same way.
type settings struct {
	address         string
	fips, dualStack bool
}

func (s settings) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	if id != secretsmanager.ServiceID {
		return "", false, nil
	}
	return s.address, s.address != "", nil
}

func (s settings) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, s.fips, nil
}

func (s settings) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, s.dualStack, nil
}

// TestEndpoint: the addresses are those of the SDK's own client, in each partition.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	regions := []string{
		"eu-west-1", "us-east-1", "ap-southeast-7", "mx-central-1", "cn-north-1", "cn-northwest-1", "us-gov-west-1",
		"us-gov-east-1", "eusc-de-east-1", "us-iso-east-1", "us-iso-west-1", "us-isob-east-1", "eu-isoe-west-1",
		"us-isof-south-1", "us-isof-east-1",
	}
	tried := map[string]bool{}
	for _, region := range regions {
		tried[server.Partition(region)] = true
		for _, s := range []settings{{}, {fips: true}, {dualStack: true}, {fips: true, dualStack: true}} {
			want, err := secretsmanager.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(),
				secretsmanager.EndpointParameters{Region: &region, UseFIPS: &s.fips, UseDualStack: &s.dualStack})
			if err != nil {
				t.Fatal(err)
			}
			if s.fips && server.Partition(region) == "aws-cn" {
				continue // where there is no FIPS
			}
			got, err := endpoint(t.Context(), aws.Config{Region: region, ConfigSources: []any{s}})
			if err != nil || got != want.URI.String() {
				t.Errorf("%s, %+v: %s, %v; want %s", region, s, got, err, want.URI.String())
			}
		}
	}
	for partition := range suffixes {
		if !tried[partition] {
			t.Errorf("no region of %s was tried", partition)
		}
	}
}

func TestEndpointOfSettings(t *testing.T) {
	t.Parallel()
	everything, ours := "https://everything.example", "https://secrets.example"
	for want, cfg := range map[string]aws.Config{
		everything: {Region: "eu-west-1", BaseEndpoint: &everything, ConfigSources: []any{settings{fips: true}}},
		ours:       {Region: "eu-west-1", BaseEndpoint: &everything, ConfigSources: []any{settings{address: ours}}},
	} {
		if got, err := endpoint(t.Context(), cfg); err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	if got, err := endpoint(t.Context(), aws.Config{Region: "nowhere"}); err == nil {
		t.Error("a region that isn't one: ", got)
	}
	wrong := failing{fmt.Errorf("no address")}
	if got, err := endpoint(t.Context(), aws.Config{Region: "eu-west-1", ConfigSources: []any{wrong}}); err != wrong.error {
		t.Errorf("settings with an error: %s, %v", got, err)
	}
}

type failing struct{ error }

func (f failing) GetServiceBaseEndpoint(context.Context, string) (string, bool, error) {
	return "", false, f.error
}
