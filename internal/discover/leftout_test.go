package discover

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/testbed"
)

// TestHostsThatAreNotRDSs: a record whose host isn't the name of such an endpoint, in the region
// that was asked, is left out, with a word; the others are kept.
func TestHostsThatAreNotRDSs(t *testing.T) {
	t.Parallel()
	const id = "aaaaaaaaaaaa"
	writer := host("shop", "cluster-"+id, west) // as a cluster's, it is right
	for _, bad := range []string{
		"evil.example.com", "localhost", "10.0.0.1", "shop.aaaaaaaaaaaa.eu-west-1.rds.amazonaws.com.evil.example",
		"a\tb", "a\nb", "$(touch x)",
		"x y." + id + ".eu-west-1.rds.amazonaws.com", "x$(id)." + id + ".eu-west-1.rds.amazonaws.com",
		"\u202eshop." + id + ".eu-west-1.rds.amazonaws.com", "\u009b31m." + id + ".eu-west-1.rds.amazonaws.com",
		host("shop", id, east), writer, host("shop", "proxy-"+id, west), "a", ".", "..",
		strings.Repeat("a", 3<<20),
	} {
		w := newWorld(t, "p eu-west-1 "+user(one, "dba"))
		servers := instances(id, west, "good", "bad", "worse")
		servers.Instances[1].Host = bad
		servers.Instances[2].Host = bad + "2"
		servers.Clusters = []testbed.DBCluster{{
			Identifier: "c", Engine: "aurora-mysql", Host: bad, ReaderHost: host("c", "cluster-ro-"+id, west), Port: 3306,
		}}
		w.SetServers(one, west, servers)
		report := w.run(t)
		if want := []string{host("c", "cluster-ro-"+id, west), host("good", id, west)}; !report.Written {
			t.Errorf("%.80q: nothing was written", bad)
		} else if d := cmp.Diff(want, w.hosts(t)); d != "" && bad != writer {
			t.Errorf("%.80q: %s", bad, d)
		}
		said := slices.ContainsFunc(report.Problems, func(p Problem) bool {
			return p.Account == one && strings.HasPrefix(p.Text, "left out ") && len(p.Text) < 700
		})
		if !said {
			t.Errorf("%.80q: not said: %.1000v", bad, report.Problems)
		}
	}
}

// TestHostsOfEveryPartition: names of FIPS endpoints and of other partitions are kept, in either order
// of region and rds, and go with the account's id.
func TestHostsOfEveryPartition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ partition, region, end string }{
		{"aws", "us-east-1", "us-east-1.rds-fips.amazonaws.com"},
		{"aws", "us-east-1", "rds-fips.us-east-1.amazonaws.com"},
		{"aws-us-gov", "us-gov-east-1", "rds.us-gov-east-1.amazonaws.com"},
		{"aws-us-gov", "us-gov-west-1", "us-gov-west-1.rds-fips.amazonaws.com"},
		{"aws-cn", "cn-north-1", "rds.cn-north-1.amazonaws.com.cn"},
		{"aws-eusc", "eusc-de-east-1", "eusc-de-east-1.rds.amazonaws.eu"},
		{"aws-iso", "us-iso-east-1", "rds.us-iso-east-1.c2s.ic.gov"},
		{"aws-iso-b", "us-isob-east-1", "us-isob-east-1.rds.sc2s.sgov.gov"},
		{"aws-iso-e", "eu-isoe-west-1", "rds.eu-isoe-west-1.cloud.adc-e.uk"},
		{"aws-iso-f", "us-isof-south-1", "rds.us-isof-south-1.csp.hci.ic.gov"},
	} {
		const id = "aaaaaaaaaaaa"
		w := newWorld(t, "p "+tt.region+" arn:"+tt.partition+":iam::"+one+":user/dba")
		writer := "shop.cluster-" + id + "." + tt.end
		servers := instances(id, tt.region, "shop-1")
		servers.Instances[0].Host = "shop-1." + id + "." + tt.end
		servers.Clusters = []testbed.DBCluster{{Identifier: "shop", Engine: "aurora-mysql", Host: strings.ToUpper(writer) + ".", Port: 3306}}
		w.SetServers(one, tt.region, servers)
		report := w.run(t)
		accounts, kept := w.kept(t)
		if len(report.Problems) > 0 || len(kept) != 2 || accounts[id+" "+tt.region].Partition != tt.partition {
			t.Errorf("%s: %v %v %v", tt.end, report.Problems, kept, accounts)
		}
		if s := kept[writer]; s.HostID != id || s.Region != tt.region || s.Partition != tt.partition {
			t.Errorf("%s: %+v", writer, s)
		}
	}
}

// TestRecordThatIsTooLarge: the inventory refuses it, and must not be asked to keep it.
func TestRecordThatIsTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "p eu-west-1 "+user(one, "dba"))
	servers := instances("aaaaaaaaaaaa", west, "good", "large")
	servers.Instances[1].EngineVersion = strings.Repeat("8", 2<<20)
	w.SetServers(one, west, servers)
	report := w.run(t)
	if d := cmp.Diff([]string{host("good", "aaaaaaaaaaaa", west)}, w.hosts(t)); d != "" || len(report.Problems) != 1 {
		t.Errorf("%s%v", d, report.Problems)
	}
}

// TestHostsOfEarlierVersions: what was kept before and is no name of RDS's goes.
func TestHostsOfEarlierVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "p eu-west-1 "+user(one, "dba"))
	unlock, err := inventory.Lock(t.Context(), w.in.Path)
	if err != nil {
		t.Fatal(err)
	}
	old := []inventory.Server{{Host: "evil.example.com", Kind: server.Instance, Account: two, Region: west}}
	if err := inventory.Write(w.in.Path, nil, old); err != nil {
		t.Fatal(err)
	}
	unlock()
	w.SetServers(one, west, instances("aaaaaaaaaaaa", west, "good"))
	w.run(t)
	if d := cmp.Diff([]string{host("good", "aaaaaaaaaaaa", west)}, w.hosts(t)); d != "" {
		t.Error(d)
	}
}

// TestAccountThatIsNoNumber: nothing is believed of an AWS that gives one.
func TestAccountThatIsNoNumber(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"", "12345678901", "1234567890123", "12345678901x", strings.Repeat("1", 1<<20)} {
		w := newWorld(t, "p eu-west-1 "+user(number, "dba"))
		w.SetServers(number, west, instances("aaaaaaaaaaaa", west, "shop"))
		report := w.run(t)
		if report.Found || len(report.Problems) != 1 || len(report.Problems[0].Text) > 200 {
			t.Errorf("%.20q: %.500v", number, report)
		}
	}
}
