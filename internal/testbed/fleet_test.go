package testbed

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/server"
)

// All that a fleet says it has is found with the SDK, through the profiles that it gives out.
func TestFleet(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	a.PageSize = 7
	f := Fleet{Accounts: 3, Regions: []string{"eu-west-1", "us-east-1"}, EndpointsPerRegion: 20}
	a.AddFleet(f)
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, f.Config(long), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	found := map[Endpoint]bool{}
	engines := map[string]int{}
	for i, profile := range []string{"p000", "p001", "p002"} {
		shared, err := config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
			o.ConfigFiles, o.CredentialsFiles = []string{file}, []string{filepath.Join(t.TempDir(), "none")}
		})
		if err != nil {
			t.Fatal(err)
		}
		source := shared.Source.Credentials
		if shared.RoleARN != f.Role(f.Account(i)) || shared.Region != "eu-west-1" || source.AccessKeyID != long.ID || source.SecretAccessKey != long.Secret {
			t.Errorf("%s: got %+v", profile, shared)
		}
		for _, region := range f.Regions {
			c := sdkConfig(a, long, region)
			c.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(c), shared.RoleARN))
			who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
			if err != nil || *who.Account != f.Account(i) {
				t.Fatalf("%s is in %v, %v", profile, who, err)
			}
			add := func(host string, port int) { found[Endpoint{host, port, region}] = true }
			client := rds.NewFromConfig(c)
			for p := rds.NewDescribeDBInstancesPaginator(client, nil); p.HasMorePages(); {
				page, err := p.NextPage(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page.DBInstances {
					if engines[*d.Engine]++; *d.Engine != "postgres" {
						add(*d.Endpoint.Address, int(*d.Endpoint.Port))
					}
				}
			}
			for p := rds.NewDescribeDBClustersPaginator(client, nil); p.HasMorePages(); {
				page, err := p.NextPage(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page.DBClusters {
					engines[*d.Engine]++
					add(*d.Endpoint, int(*d.Port))
					add(*d.ReaderEndpoint, int(*d.Port))
				}
			}
		}
	}
	said := map[Endpoint]bool{}
	ids := map[string]bool{}
	for e := range f.Endpoints() {
		said[e] = true
		parsed, ok := server.ParseEndpoint(e.Host)
		if !ok || parsed.Region != e.Region || len(parsed.HostID) != 12 {
			t.Errorf("%s: %+v, %v", e.Host, parsed, ok)
		}
		ids[parsed.HostID] = true
	}
	if diff := cmp.Diff(said, found); diff != "" {
		t.Errorf("-said +found:\n%s", diff)
	}
	if len(said) != f.Count() || f.Count() != 3*2*20 || len(ids) != 6 {
		t.Errorf("%d endpoints with %d ids, Count is %d", len(said), len(ids), f.Count())
	}
	for _, engine := range []string{"mysql", "mariadb", "aurora-mysql", "postgres"} {
		if engines[engine] == 0 {
			t.Errorf("no %s among %v", engine, slices.Collect(maps.Keys(engines)))
		}
	}
	// Calls for a role's keys are on its account.
	if n := a.CallsBy(f.Account(1), "AssumeRole"); n != 2 {
		t.Errorf("%d roles assumed, want 2", n)
	}
	for _, at := range []place{{account, "eu-west-1"}, {f.Account(3), "eu-west-1"}, {f.Account(0), "us-west-2"}, {"", "eu-west-1"}} {
		if s, ok := f.Servers(at.account, at.region); ok {
			t.Errorf("%v: %+v", at, s)
		}
	}
}

// Any number of endpoints is that number.
func TestFleetSizes(t *testing.T) {
	t.Parallel()
	for n := range 25 {
		f := Fleet{Accounts: 2, Regions: []string{"eu-west-1"}, EndpointsPerRegion: n}
		hosts := map[string]bool{}
		for e := range f.Endpoints() {
			hosts[e.Host] = true
		}
		if len(hosts) != f.Count() || f.Count() != 2*n {
			t.Errorf("%d for each: %d hosts, Count is %d", n, len(hosts), f.Count())
		}
	}
}

// What a page costs the bench, in which the server runs beside the program.
func BenchmarkFleetPage(b *testing.B) {
	a := StartAWS(&Keys{})
	defer a.Close()
	f := Fleet{Accounts: 500, Regions: []string{"eu-west-1", "eu-central-1", "us-east-1", "us-west-2"}, EndpointsPerRegion: 20}
	a.AddFleet(f)
	at := place{f.Account(499), "us-west-2"}
	b.ReportAllocs()
	for b.Loop() {
		if f := a.rds(io.Discard, "DescribeDBInstances", nil, at); f != nil {
			b.Fatal(f)
		}
	}
}
