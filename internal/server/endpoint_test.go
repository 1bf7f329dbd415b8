package server

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Regions and suffixes of every partition (the SDK's partitions.json; AWS's wrappers for .au, .uk),
// with the order of labels that the RDS user guides and the wrappers show: true for id.rds.region.
var regionSuffixes = []struct {
	region, partition, suffix string
	rdsFirst                  bool
}{
	{"us-east-1", "aws", ".amazonaws.com", false},
	{"eu-central-2", "aws", ".amazonaws.com", false},
	{"ap-southeast-7", "aws", ".amazonaws.com", false},
	{"sa-east-1", "aws", ".amazonaws.com", false},
	{"ca-west-1", "aws", ".amazonaws.com", false},
	{"me-central-1", "aws", ".amazonaws.com", false},
	{"af-south-1", "aws", ".amazonaws.com", false},
	{"il-central-1", "aws", ".amazonaws.com", false},
	{"mx-central-1", "aws", ".amazonaws.com", false},
	{"us-northeast-9", "aws", ".amazonaws.com", false}, // in no list yet
	{"us-gov-west-1", "aws-us-gov", ".amazonaws.com", false},
	{"us-gov-east-1", "aws-us-gov", ".amazonaws.com", true},
	{"cn-north-1", "aws-cn", ".amazonaws.com.cn", false},
	{"cn-northwest-1", "aws-cn", ".amazonaws.com.cn", true},
	{"us-iso-east-1", "aws-iso", ".c2s.ic.gov", true},
	{"us-iso-west-1", "aws-iso", ".c2s.ic.gov", false},
	{"us-isob-east-1", "aws-iso-b", ".sc2s.sgov.gov", true},
	{"us-isob-west-1", "aws-iso-b", ".sc2s.sgov.gov", false},
	{"eu-isoe-west-1", "aws-iso-e", ".cloud.adc-e.uk", true},
	{"eu-isoe-west-1", "aws-iso-e", ".cloud.adc-e.uk", false},
	{"us-isof-south-1", "aws-iso-f", ".csp.hci.ic.gov", true},
	{"us-isof-east-1", "aws-iso-f", ".csp.hci.ic.gov", false},
	{"eusc-de-east-1", "aws-eusc", ".amazonaws.eu", false},
	{"eusc-de-east-1", "aws-eusc", ".amazonaws.eu", true},
}

// Regions that no partition of the SDK knows: their suffix says which it is.
var regionsOfSuffix = []struct{ region, partition, suffix string }{
	{"eusc-fr-west-1", "aws-eusc", ".amazonaws.eu"},
	{"ap-southeast-2", "aws-au", ".amazonaws.au"}, // as in the tests of AWS's wrappers
	{"ausc-au-east-1", "aws-au", ".amazonaws.au"},
	{"eu-west-2", "aws-uk", ".amazonaws.uk"},
	{"uksc-gb-west-12", "aws-uk", ".amazonaws.uk"},
	{"us-isox-east-1", "aws-iso", ".c2s.ic.gov"},
	{"us-isox-east-1", "aws-iso-b", ".sc2s.sgov.gov"},
	{"eu-isox-west-1", "aws-iso-e", ".cloud.adc-e.uk"},
	{"us-isox-south-1", "aws-iso-f", ".csp.hci.ic.gov"},
}

// The forms of a regional endpoint before the id's region (RDS and Aurora user guides).
var regionalForms = []struct {
	prefix string
	kind   EndpointKind
	name   string
}{
	{"orders.", Instance, "orders"},
	{"orders.cluster-", Writer, "orders"},
	{"orders.cluster-ro-", Reader, "orders"},
	{"orders.cluster-custom-", Custom, "orders"},
	{"orders.proxy-", Proxy, "orders"},
	{"readonly.endpoint.proxy-", ProxyEndpoint, "readonly"},
	{"orders.shardgrp-", ShardGroup, "orders"},
	{"orders-green-a1b2c3.", Instance, "orders-green-a1b2c3"},
	{"orders-green-a1b2c3.cluster-", Writer, "orders-green-a1b2c3"},
	{"orders-old1.", Instance, "orders-old1"},
	{"orders-old1.cluster-ro-", Reader, "orders-old1"},
	{"x.", Instance, "x"},
}

func TestParseEndpointKindsAndPartitions(t *testing.T) {
	t.Parallel()
	for _, form := range regionalForms {
		for _, rs := range regionSuffixes {
			host := form.prefix + "abcdefghijkl." + rs.region + ".rds" + rs.suffix
			if rs.rdsFirst {
				host = form.prefix + "abcdefghijkl.rds." + rs.region + rs.suffix
			}
			want := Endpoint{
				Host: host, Kind: form.kind, Name: form.name, HostID: "abcdefghijkl", Region: rs.region, Partition: rs.partition,
			}
			for _, spelling := range []string{host, strings.ToUpper(host), host + ".", strings.ToUpper(host[:9]) + host[9:] + "."} {
				got, ok := ParseEndpoint(spelling)
				if !ok {
					t.Errorf("ParseEndpoint(%q) is false", spelling)
					continue
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("ParseEndpoint(%q) (-want +got):\n%s", spelling, diff)
				}
			}
		}
	}
}

func TestParseEndpointOfUnknownRegions(t *testing.T) {
	t.Parallel()
	for _, rs := range regionsOfSuffix {
		for _, middle := range []string{rs.region + ".rds", "rds." + rs.region, rs.region + ".rds-fips", "rds-fips." + rs.region} {
			host := "orders.cluster-abcdefghijkl." + middle + rs.suffix
			want := Endpoint{
				Host: host, Kind: Writer, Name: "orders", HostID: "abcdefghijkl", Region: rs.region, Partition: rs.partition,
			}
			got, ok := ParseEndpoint(strings.ToUpper(host) + ".")
			if diff := cmp.Diff(want, got); !ok || diff != "" {
				t.Errorf("ParseEndpoint(%q) is %v (-want +got):\n%s", host, ok, diff)
			}
		}
	}
}

func TestParseEndpointFIPS(t *testing.T) {
	t.Parallel()
	for _, form := range regionalForms {
		for _, rs := range regionSuffixes {
			for _, middle := range []string{rs.region + ".rds-fips", "rds-fips." + rs.region} {
				host := form.prefix + "abcdefghijkl." + middle + rs.suffix
				want := Endpoint{
					Host: host, Kind: form.kind, Name: form.name, HostID: "abcdefghijkl", Region: rs.region, Partition: rs.partition,
				}
				got, ok := ParseEndpoint(host)
				if diff := cmp.Diff(want, got); !ok || diff != "" {
					t.Errorf("ParseEndpoint(%q) is %v (-want +got):\n%s", host, ok, diff)
				}
			}
		}
	}
}

func TestParseEndpointGlobalWriter(t *testing.T) {
	t.Parallel()
	tests := []struct{ host, normal, partition string }{
		{"shop.global-abcdefghijkl.global.rds.amazonaws.com", "shop.global-abcdefghijkl.global.rds.amazonaws.com", "aws"},
		{"SHOP.Global-abcdefghijkl.GLOBAL.rds.amazonaws.com.", "shop.global-abcdefghijkl.global.rds.amazonaws.com", "aws"},
		{"shop.global-abcdefghijkl.global.rds.amazonaws.com.cn", "shop.global-abcdefghijkl.global.rds.amazonaws.com.cn", "aws-cn"},
		{"shop.global-abcdefghijkl.global.rds.amazonaws.eu", "shop.global-abcdefghijkl.global.rds.amazonaws.eu", "aws-eusc"},
		{"shop.global-abcdefghijkl.global.rds.amazonaws.au", "shop.global-abcdefghijkl.global.rds.amazonaws.au", "aws-au"},
	}
	for _, tt := range tests {
		got, ok := ParseEndpoint(tt.host)
		if !ok {
			t.Errorf("ParseEndpoint(%q) is false", tt.host)
			continue
		}
		want := Endpoint{Host: tt.normal, Kind: GlobalWriter, Name: "shop", HostID: "abcdefghijkl", Partition: tt.partition}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseEndpoint(%q) (-want +got):\n%s", tt.host, diff)
		}
	}
}

func TestParseEndpointRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, host string }{
		{"nothing", ""},
		{"dot", "."},
		{"one label", "localhost"},
		{"own name", "db.example.com"},
		{"suffix alone", "rds.amazonaws.com"},
		{"suffix as a part", "db.abc.us-east-1.rds.amazonaws.com.evil.example"},
		{"bare look-alike", "rds.amazonaws.com.evil.example"},
		{"suffix without its dot", "db.abc.us-east-1.rds.evilamazonaws.com"},
		{"suffix without rds's dot", "db.abc.us-east-1.evilrds.amazonaws.com"},
		{"no region", "x.abc.evil-1.rds.amazonaws.com"},
		{"region without number", "x.abc.us-east.rds.amazonaws.com"},
		{"region without part", "x.abc.us--1.rds.amazonaws.com"},
		{"region with a foreign word", "x.abc.us-east-1-evil.rds.amazonaws.com"},
		{"region with digits in a word", "x.abc.us-ea5t-1.rds.amazonaws.com"},
		{"region of too many words", "x.abc.eu-gov-west-1.rds.amazonaws.com"},
		{"unknown geography", "x.abc.zz-east-1.rds.amazonaws.com"},
		{"management API", "rds.us-east-1.amazonaws.com"},
		{"management API, new form", "rds.us-east-1.api.aws"},
		{"management API with a label", "x.rds.us-east-1.amazonaws.com"},
		{"FIPS management API", "rds-fips.us-east-1.amazonaws.com"},
		{"FIPS management API, new form", "rds-fips.us-east-1.api.aws"},
		{"FIPS management API with a label", "x.rds-fips.us-east-1.amazonaws.com"},
		{"management API of GovCloud", "rds.us-gov-east-1.amazonaws.com"},
		{"management API of a sovereign cloud", "rds.eusc-de-east-1.amazonaws.eu"},
		{"management API of a sovereign cloud, new form", "rds.eusc-de-east-1.api.amazonwebservices.eu"},
		{"Aurora DSQL", "abc.dsql.us-east-1.on.aws"},
		{"other service", "x.abc.us-east-1.redshift.amazonaws.com"},
		{"load balancer", "x-123.us-east-1.elb.amazonaws.com"},
		{"EC2 name", "ec2-1-2-3-4.us-east-1.compute.amazonaws.com"},

		{"Chinese region under amazonaws.com", "x.abc.cn-north-1.rds.amazonaws.com"},
		{"US region under amazonaws.com.cn", "x.abc.us-east-1.rds.amazonaws.com.cn"},
		{"US region under amazonaws.com.cn, newer order", "x.abc.rds.us-east-1.amazonaws.com.cn"},
		{"newer order under amazonaws.com", "x.abc.rds.us-east-1.amazonaws.com"},
		{"commercial region under c2s", "x.abc.rds.us-east-1.c2s.ic.gov"},
		{"isob region under c2s", "x.abc.rds.us-isob-east-1.c2s.ic.gov"},
		{"iso region under sc2s", "x.abc.rds.us-iso-east-1.sc2s.sgov.gov"},
		{"iso region under amazonaws.com", "x.abc.us-iso-east-1.rds.amazonaws.com"},
		{"commercial region under amazonaws.eu", "x.abc.eu-west-1.rds.amazonaws.eu"},
		{"sovereign region under amazonaws.com", "x.abc.eusc-de-east-1.rds.amazonaws.com"},
		{"isoe region under c2s", "x.abc.rds.eu-isoe-west-1.c2s.ic.gov"},
		{"iso region under adc-e", "x.abc.rds.us-iso-east-1.cloud.adc-e.uk"},
		{"isof region under adc-e", "x.abc.rds.us-isof-south-1.cloud.adc-e.uk"},
		{"commercial region under hci", "x.abc.rds.us-east-1.csp.hci.ic.gov"},
		{"no region under amazonaws.au", "x.abc.evil-1.rds.amazonaws.au"},
		{"region without number under amazonaws.uk", "x.abc.eu-west.rds.amazonaws.uk"},
		{"region with a foreign sign under amazonaws.uk", "x.abc.eu-we$t-1.rds.amazonaws.uk"},
		{"unknown geography in GovCloud's order", "x.abc.rds.zz-gov-east-1.amazonaws.com"},
		{"amazonaws.nz", "x.abc.ap-southeast-6.rds.amazonaws.nz"},
		{"amazonaws.au as a part", "x.abc.ap-southeast-2.rds.amazonaws.au.evil.example"},
		{"amazonaws.uk without its dot", "x.abc.eu-west-2.rds.evilamazonaws.uk"},
		{"region of 64 letters", "x.abc.eu-" + strings.Repeat("a", 59) + "-1.rds.amazonaws.com"},
		{"look-alike of rds-fips", "x.abc.us-east-1.rds-fip.amazonaws.com"},
		{"longer than rds-fips", "x.abc.us-east-1.rds-fips2.amazonaws.com"},
		{"rds and rds-fips", "x.abc.rds.us-east-1.rds-fips.amazonaws.com"},
		{"rds rds-fips", "x.abc.us-east-1.rds rds-fips.amazonaws.com"},

		{"two final dots", "x.abc.us-east-1.rds.amazonaws.com.."},
		{"empty name", ".abc.us-east-1.rds.amazonaws.com"},
		{"empty id", "x..us-east-1.rds.amazonaws.com"},
		{"empty region", "x.abc..rds.amazonaws.com"},
		{"empty label before the suffix", "x.abc.us-east-1.rds..amazonaws.com"},
		{"no name", "abc.us-east-1.rds.amazonaws.com"},
		{"no id", "us-east-1.rds.amazonaws.com"},
		{"kind without an id", "x.cluster-.us-east-1.rds.amazonaws.com"},
		{"reader without an id", "x.cluster-ro-.us-east-1.rds.amazonaws.com"},
		{"unknown kind", "x.evil-abc.us-east-1.rds.amazonaws.com"},
		{"a label too many", "a.b.abc.us-east-1.rds.amazonaws.com"},
		{"endpoint of no proxy", "x.endpoint.cluster-abc.us-east-1.rds.amazonaws.com"},
		{"proxy with another word", "x.evil.proxy-abc.us-east-1.rds.amazonaws.com"},
		{"a label before the proxy endpoint", "y.x.endpoint.proxy-abc.us-east-1.rds.amazonaws.com"},
		{"hyphen first", "-x.abc.us-east-1.rds.amazonaws.com"},
		{"hyphen last", "x-.abc.us-east-1.rds.amazonaws.com"},
		{"underscore", "x_y.abc.us-east-1.rds.amazonaws.com"},
		{"wildcard", "*.abc.us-east-1.rds.amazonaws.com"},
		{"space", "x y.abc.us-east-1.rds.amazonaws.com"},
		{"port", "x.abc.us-east-1.rds.amazonaws.com:3306"},
		{"user", "u@x.abc.us-east-1.rds.amazonaws.com"},
		{"NUL", "x.abc.us-east-1.rds.amazonaws.com\x00"},
		{"name of 64 letters", strings.Repeat("a", 64) + ".abc.us-east-1.rds.amazonaws.com"},
		{"id of 64 letters", "x." + strings.Repeat("a", 64) + ".us-east-1.rds.amazonaws.com"},
		{"letters beyond ASCII", "bücher.abc.us-east-1.rds.amazonaws.com"},
		{"Kelvin sign, lower case k", "\u212aasse.abc.us-east-1.rds.amazonaws.com"},

		{"global writer with a region", "x.global-abc.us-east-1.rds.amazonaws.com"},
		{"instance without a region", "x.abc.global.rds.amazonaws.com"},
		{"writer without a region", "x.cluster-abc.global.rds.amazonaws.com"},
		{"global writer, newer order", "x.global-abc.rds.global.amazonaws.com.cn"},
		{"global writer of FIPS", "x.global-abc.global.rds-fips.amazonaws.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := ParseEndpoint(tt.host)
			if ok {
				t.Errorf("ParseEndpoint(%q) is true", tt.host)
			}
			if diff := cmp.Diff(Endpoint{}, got); diff != "" {
				t.Errorf("ParseEndpoint(%q) (-want +got):\n%s", tt.host, diff)
			}
		})
	}
}

func TestPartition(t *testing.T) {
	t.Parallel()
	for _, rs := range regionSuffixes {
		if got := Partition(rs.region); got != rs.partition {
			t.Errorf("Partition(%q) = %q, want %q", rs.region, got, rs.partition)
		}
	}
	for _, s := range []string{"", "-", "--", "us", "us-1", "us-east", "us-east-", "-east-1", "us-east-1 ", "US-EAST-1", "us-east-1a", "global", "aws-global", "cn-gov-north-1", "eusc-east-1", "eusc-fr-east-1", "us-isoc-east-1", "us-isoe-east-1", "eu-isof-west-1", "us-gov-iso-east-1", "eu-" + strings.Repeat("a", 59) + "-1"} {
		if got := Partition(s); got != "" {
			t.Errorf("Partition(%q) = %q, want none", s, got)
		}
	}
}

func TestEndpointKindString(t *testing.T) {
	t.Parallel()
	seen := map[string]EndpointKind{"unknown": -1}
	for k := Instance; k <= Elsewhere; k++ {
		if first, dup := seen[k.String()]; dup {
			t.Errorf("kinds %d and %d are both called %q", first, k, k)
		}
		seen[k.String()] = k
	}
	if got := (Elsewhere + 1).String(); got != "unknown" {
		t.Errorf("a kind that doesn't exist is called %q", got)
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, form := range regionalForms {
		f.Add(form.prefix + "abcdefghijkl.us-east-1.rds.amazonaws.com")
	}
	for _, rs := range regionSuffixes {
		f.Add("x.abc." + rs.region + ".rds" + rs.suffix)
		f.Add("X.abc.rds." + rs.region + rs.suffix + ".")
		f.Add("x.abc." + rs.region + ".rds-fips" + rs.suffix)
	}
	for _, rs := range regionsOfSuffix {
		f.Add("x.proxy-abc.rds-fips." + rs.region + rs.suffix)
	}
	f.Add("shop.global-abcdefghijkl.global.rds.amazonaws.com")
	f.Add("rds.amazonaws.com.evil.example")
	f.Fuzz(func(t *testing.T, host string) {
		e, ok := ParseEndpoint(host)
		if !ok {
			if e != (Endpoint{}) {
				t.Fatalf("ParseEndpoint(%q) = %+v, false", host, e)
			}
			return
		}
		if e.Host != NormalHost(host) || e.Host != NormalHost(e.Host) {
			t.Fatalf("ParseEndpoint(%q): the host %q is not normalised", host, e.Host)
		}
		if (e.Region == "") != (e.Kind == GlobalWriter) {
			t.Fatalf("ParseEndpoint(%q): a %v in the region %q", host, e.Kind, e.Region)
		}
		sovereign := e.Partition == "aws-au" || e.Partition == "aws-uk"
		if p := Partition(e.Region); p != "" && p != e.Partition && !sovereign {
			t.Fatalf("ParseEndpoint(%q): the partition of %q is %q, not %q", host, e.Region, p, e.Partition)
		}
		if e.Name == "" || e.HostID == "" || e.Partition == "" {
			t.Fatalf("ParseEndpoint(%q) = %+v", host, e)
		}
		for _, spelling := range []string{e.Host, e.Host + ".", strings.ToUpper(e.Host)} {
			again, ok := ParseEndpoint(spelling)
			if diff := cmp.Diff(e, again); !ok || diff != "" {
				t.Fatalf("ParseEndpoint(%q) is %v (-ParseEndpoint(%q) +this):\n%s", spelling, ok, host, diff)
			}
		}
	})
}
