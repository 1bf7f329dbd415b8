package discover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/testbed"
)

const (
	one   = "111111111111"
	two   = "222222222222"
	three = "333333333333"
	west  = "eu-west-1"
	east  = "us-east-1"
)

var now = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// world is an AWS with profiles that reach it.
type world struct {
	*testbed.AWS
	keys   *testbed.Keys
	client *http.Client
	in     Input
	deps   Deps

	mu       sync.Mutex
	profiles map[string]testbed.Key
}

// newWorld has profiles in the form "name region owner": the owner is a user or an assumed role, by
// its account and the rest of its ARN. The region - is none.
func newWorld(t *testing.T, profiles ...string) *world {
	t.Helper()
	w := &world{
		keys: &testbed.Keys{}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		profiles: map[string]testbed.Key{},
	}
	w.AWS = testbed.StartAWS(w.keys)
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.AWS.Close()
	})
	w.in = Input{Path: filepath.Join(t.TempDir(), "config", "inventory.txt"), Now: now}
	for _, p := range profiles {
		f := strings.Fields(p)
		if f[1] == "-" {
			f[1] = ""
		}
		key := testbed.Key{ID: "AKIA" + strings.ToUpper(f[0]), Secret: "secret of " + f[0], Owner: f[2]}
		w.keys.Add(key)
		w.profiles[f[0]] = key
		w.in.Profiles = append(w.in.Profiles, Profile{Name: f[0], Region: f[1]})
	}
	w.deps = Deps{Config: w.config, Describe: describe}
	return w
}

func user(account, name string) string { return "arn:aws:iam::" + account + ":user/" + name }

func role(account, name string) string {
	return "arn:aws:sts::" + account + ":assumed-role/" + name + "/dba"
}

func (w *world) config(_ context.Context, profile, region string) (aws.Config, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key, ok := w.profiles[profile]
	if !ok {
		return aws.Config{}, errors.New("the SSO session has expired")
	}
	return aws.Config{
		Region: region, BaseEndpoint: &w.URL, HTTPClient: w.client,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
	}, nil
}

func describe(profile string, err error) Description {
	d := Description{Text: code(err), Run: "mend " + profile, Refused: code(err) == "InvalidClientTokenId"}
	if d.Text == "" {
		d.Text = err.Error()
	}
	return d
}

// run runs discover, which must not fail.
func (w *world) run(t *testing.T, profiles ...string) Report {
	t.Helper()
	in := w.in
	if len(profiles) > 0 {
		in.Profiles = slices.DeleteFunc(slices.Clone(in.Profiles), func(p Profile) bool { return !slices.Contains(profiles, p.Name) })
	}
	report, err := Run(t.Context(), in, w.deps)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// kept is what is in the inventory, by host.
func (w *world) kept(t *testing.T) (map[string]inventory.Account, map[string]inventory.Server) {
	t.Helper()
	inv, err := inventory.Open(w.in.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer inv.Close()
	accounts, servers, err := inv.All()
	if err != nil {
		t.Fatal(err)
	}
	byID, byHost := map[string]inventory.Account{}, map[string]inventory.Server{}
	for _, a := range accounts {
		byID[a.HostID+" "+a.Region] = a
	}
	for _, s := range servers {
		byHost[s.Host] = s
	}
	return byID, byHost
}

func (w *world) hosts(t *testing.T) []string {
	_, servers := w.kept(t)
	return slices.Sorted(maps.Keys(servers))
}

func host(name, id, region string) string {
	return name + "." + id + "." + region + ".rds.amazonaws.com"
}

// instances are MySQL instances with these names.
func instances(id, region string, names ...string) testbed.Servers {
	var s testbed.Servers
	for _, n := range names {
		s.Instances = append(s.Instances, testbed.DBInstance{
			Identifier: n, ResourceID: "db-" + n, Engine: "mysql", EngineVersion: "8.4.6", Host: host(n, id, region), IAM: true,
			MasterUsername: "admin",
		})
	}
	return s
}

var describing = []string{
	"DescribeDBInstances", "DescribeDBClusters", "DescribeDBClusterEndpoints", "DescribeDBProxies",
	"DescribeDBProxyEndpoints", "DescribeGlobalClusters",
}

// Everything about each kind of server gets into the inventory, and every engine teaches its id.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "prod "+west+" "+user(one, "dba"))
	const id = "abcdefghijkl"
	tags := map[string]string{"env": "prod"}
	w.SetServers(one, west, testbed.Servers{
		Instances: []testbed.DBInstance{
			{
				Identifier: "db", ResourceID: "db-1", Engine: "mariadb", EngineVersion: "11.8", Status: "stopped",
				Host: "DB." + id + ".eu-west-1.rds.amazonaws.com",
				Port: 3307, MasterUsername: "root", MasterSecretARN: "arn:aws:secretsmanager:x", Tags: tags,
			},
			{Identifier: "member", ResourceID: "db-2", Engine: "aurora-mysql", Cluster: "orders", Host: host("member", id, west), IAM: true},
			{Identifier: "creating", Engine: "mysql"},
			{Identifier: "pg", Engine: "postgres", Host: host("pg", "pgpgpgpgpgpg", west)},
		},
		Clusters: []testbed.DBCluster{
			{
				Identifier: "orders", ResourceID: "cluster-1", Engine: "aurora-mysql", EngineVersion: "8.0",
				Host:       host("orders", "cluster-"+id, west),
				ReaderHost: host("orders", "cluster-ro-"+id, west), Port: 3308, IAM: true, MasterUsername: "admin",
				MasterSecretARN: "arn:s", MasterSecretStatus: "impaired", Tags: tags,
			},
			{Identifier: "pgc", Engine: "aurora-postgresql", Host: host("pgc", "cluster-"+id, west),
				ReaderHost: host("pgc", "cluster-ro-"+id, west)},
		},
		ClusterEndpoints: []testbed.ClusterEndpoint{
			{Identifier: "reports", Cluster: "orders", Host: host("reports", "cluster-custom-"+id, west), Type: "READER"},
			{Identifier: "pgreports", Cluster: "pgc", Host: host("pgreports", "cluster-custom-"+id, west), Type: "READER"},
		},
		Proxies: []testbed.DBProxy{
			{Name: "pool", ResourceID: "prx-1", EngineFamily: "MYSQL", Host: host("pool", "proxy-"+id, west),
				IAMAuth: []string{"DISABLED", "REQUIRED"}},
			{Name: "scheme", ResourceID: "prx-2", EngineFamily: "MYSQL", Host: host("scheme", "proxy-"+id, west),
				DefaultAuthScheme: "IAM_AUTH"},
			{Name: "words", ResourceID: "prx-3", EngineFamily: "MYSQL", Host: host("words", "proxy-"+id, west),
				IAMAuth: []string{"DISABLED"}},
			{Name: "pgpool", ResourceID: "prx-4", EngineFamily: "POSTGRESQL", Host: host("pgpool", "proxy-"+id, west)},
		},
		ProxyEndpoints: []testbed.ProxyEndpoint{
			{Name: "default", Proxy: "pool", Host: host("pool", "proxy-"+id, west), Default: true},
			{Name: "ro", Proxy: "pool", Host: host("ro", "endpoint.proxy-"+id, west), TargetRole: "READ_ONLY"},
			{Name: "pgro", Proxy: "pgpool", Host: host("pgro", "endpoint.proxy-"+id, west)},
		},
		Globals: []testbed.GlobalCluster{{
			Identifier: "world", Engine: "aurora-mysql", EngineVersion: "8.0", Host: "world.global-zzzzzzzzzzzz.global.rds.amazonaws.com",
			Members: []testbed.GlobalMember{
				{ClusterARN: "arn:aws:rds:us-east-1:" + one + ":cluster:replica"},
				{ClusterARN: "arn:aws:rds:eu-west-1:" + one + ":cluster:orders", Writer: true},
			},
		}},
	})
	report := w.run(t)
	if d := cmp.Diff(Report{
		Found: true, Written: true, Path: w.in.Path, Accounts: 1, Regions: 1, RegionNames: 1, Full: 1, Servers: 10, Known: 10, New: 10,
		Preferred: []Preference{{Account: one, Regions: []string{west}, Profile: "prod", Profiles: []string{"prod"},
			Why: "the only profile for it"}},
		Problems: []Problem{}, Elapsed: report.Elapsed,
	}, report); d != "" {
		t.Error(d)
	}
	common := func(s inventory.Server) inventory.Server {
		s.Account, s.Region, s.Partition, s.HostID, s.Profile, s.Seen = one, west, "aws", id, "prod", now
		if s.Status == "" {
			s.Status = "available"
		}
		return s
	}
	cluster := func(s inventory.Server) inventory.Server {
		s.Cluster, s.Port, s.Engine, s.EngineVersion, s.ResourceID, s.IAM = "orders", 3308, "aurora-mysql", "8.0", "cluster-1", true
		s.MasterUser, s.MasterSecretARN, s.MasterSecretStatus = "admin", "arn:s", "impaired"
		return common(s)
	}
	proxy := func(s inventory.Server) inventory.Server {
		s.Port, s.Engine = 3306, "mysql"
		return common(s)
	}
	want := map[string]inventory.Server{}
	for _, s := range []inventory.Server{
		common(inventory.Server{
			Host: host("db", id, west), Port: 3307, Name: "db", Engine: "mariadb", EngineVersion: "11.8", Status: "stopped",
			ResourceID: "db-1",
			MasterUser: "root", MasterSecretARN: "arn:aws:secretsmanager:x", Tags: tags,
		}),
		common(inventory.Server{
			Host: host("member", id, west), Port: 3306, Name: "member", Cluster: "orders", Engine: "aurora-mysql",
			ResourceID: "db-2", IAM: true, MasterUser: "admin", MasterSecretARN: "arn:s", MasterSecretStatus: "impaired", // the cluster's
		}),
		cluster(inventory.Server{Host: host("orders", "cluster-"+id, west), Kind: server.Writer, Name: "orders", Tags: tags}),
		cluster(inventory.Server{Host: host("orders", "cluster-ro-"+id, west), Kind: server.Reader, Name: "orders", Tags: tags}),
		cluster(inventory.Server{Host: host("reports", "cluster-custom-"+id, west), Kind: server.Custom, Name: "reports", Tags: tags}),
		cluster(inventory.Server{Host: "world.global-zzzzzzzzzzzz.global.rds.amazonaws.com", Kind: server.GlobalWriter,
			Name: "world"}),
		proxy(inventory.Server{Host: host("pool", "proxy-"+id, west), Kind: server.Proxy, Name: "pool", ResourceID: "prx-1",
			IAM: true}),
		proxy(inventory.Server{Host: host("scheme", "proxy-"+id, west), Kind: server.Proxy, Name: "scheme",
			ResourceID: "prx-2", IAM: true}),
		proxy(inventory.Server{Host: host("words", "proxy-"+id, west), Kind: server.Proxy, Name: "words", ResourceID: "prx-3"}),
		proxy(inventory.Server{Host: host("ro", "endpoint.proxy-"+id, west), Kind: server.ProxyEndpoint, Name: "ro",
			Cluster: "pool", ResourceID: "prx-1", IAM: true}),
	} {
		want[s.Host] = s
	}
	accounts, servers := w.kept(t)
	if d := cmp.Diff(want, servers); d != "" {
		t.Error(d)
	}
	// AWS has one id for an account and region; if it shows two, both are learned.
	if d := cmp.Diff([]string{id + " " + west, "pgpgpgpgpgpg " + west}, slices.Sorted(maps.Keys(accounts))); d != "" {
		t.Error(d)
	}
	data, err := json.Marshal(report)
	if err != nil || !strings.Contains(string(data), `"elapsed_seconds":`) || !strings.Contains(string(data), `"problems":[]`) {
		t.Errorf("%s, %v", data, err)
	}

	again := w.run(t)
	if again.New+again.Gone+again.Changed > 0 || again.Known != 10 {
		t.Errorf("nothing happened, but %+v", again)
	}
}

// However many profiles reach an account, each operation is asked once; a page counts for itself.
func TestOncePerAccountAndRegion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"), "b "+west+" "+user(one, "b"), "c "+east+" "+user(one, "c"),
		"d "+west+" "+user(two, "d"))
	w.PageSize = 2
	w.SetServers(one, west, instances("aaaa", west, "a1", "a2", "a3", "a4", "a5"))
	w.SetServers(one, east, instances("bbbb", east, "b1"))
	w.SetServers(two, west, instances("cccc", west, "c1"))
	var last Progress
	w.deps.Progress = func(p Progress) { last = p }
	report := w.run(t)
	if report.Servers != 7 || report.Accounts != 2 || report.Regions != 3 || report.Full != 3 || len(report.Problems) > 0 {
		t.Errorf("%+v", report)
	}
	for _, op := range describing {
		pages := 0
		if op == "DescribeDBInstances" {
			pages = 2
		}
		if n := w.CallsBy(one, op); n != 2+pages {
			t.Errorf("%s: %d calls in account one", op, n)
		}
		if n := w.CallsBy(two, op); n != 1 {
			t.Errorf("%s: %d calls in account two", op, n)
		}
	}
	if n := w.Calls("GetCallerIdentity"); n != 4 {
		t.Errorf("GetCallerIdentity: %d calls", n)
	}
	if last.What != "permissions" || last.Done != 3 || last.Total != 3 || last.Servers != 7 {
		t.Errorf("the last progress: %+v", last)
	}
	accounts, _ := w.kept(t)
	want := inventory.Account{
		HostID: "bbbb", Region: east, Number: one, Partition: "aws", Profile: "a", Profiles: []string{"a", "b", "c"}, Full: true, Seen: now,
		Why: "first of a, b, c in the AWS configuration; iam:SimulatePrincipalPolicy is not allowed",
	}
	if d := cmp.Diff(want, accounts["bbbb "+east]); d != "" {
		t.Error(d)
	}
}

// deny makes a profile's calls of some operations fail. The testbed's faults are an account's, not
// a caller's.
func (w *world) deny(profile string, operations ...string) {
	next := w.client.Transport
	w.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, err := url.ParseQuery(string(body))
		action := form.Get("Action")
		if r.URL.Path == "/listRegions" {
			action = "ListRegions"
		}
		if err != nil || !slices.Contains(operations, action) || !strings.Contains(r.Header.Get("Authorization"),
			w.profiles[profile].ID+"/") {
			return next.RoundTrip(r)
		}
		answer := "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>"
		header := http.Header{}
		if action == "ListRegions" {
			answer = "{}"
			header.Set("X-Amzn-Errortype", "AccessDeniedException")
		}
		return &http.Response{StatusCode: 403, Header: header, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDenied(t *testing.T) {
	t.Parallel()
	servers := instances("aaaa", west, "a1")
	servers.Clusters = []testbed.DBCluster{{Identifier: "c", Engine: "aurora-mysql", Host: host("c", "cluster-aaaa", west)}}
	servers.ClusterEndpoints = []testbed.ClusterEndpoint{{Identifier: "x", Cluster: "c", Host: host("x", "cluster-custom-aaaa", west)}}
	for _, tc := range []struct {
		name     string
		first    []string // denied to the first profile
		second   []string
		servers  int
		full     int
		problems []Problem
	}{
		{"the first reads nothing", describing, nil, 3, 1, []Problem{}},
		{"the second reads the rest", []string{"DescribeDBClusters"}, nil, 3, 1, []Problem{}},
		{"each reads what the other may not", []string{"DescribeDBClusterEndpoints"}, []string{"DescribeDBInstances"}, 3, 1, []Problem{}},
		{
			"neither reads everything", []string{"DescribeDBProxies", "DescribeDBInstances"}, []string{"DescribeDBProxies",
				"DescribeGlobalClusters", "DescribeDBInstances"}, 2, 0,
			[]Problem{{Profile: "a", Account: one, Regions: []string{west}, Operations: []string{"DescribeDBInstances",
				"DescribeDBProxies"}, Text: "AccessDenied", Run: "mend a"}},
		},
		{
			"neither reads anything", describing, describing, 0, 0,
			[]Problem{{Profile: "a", Account: one, Regions: []string{west}, Operations: slices.Sorted(slices.Values(describing)),
				Text: "AccessDenied", Run: "mend a"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "a "+west+" "+user(one, "a"), "b "+west+" "+user(one, "b"))
			w.SetServers(one, west, servers)
			w.deny("a", tc.first...)
			w.deny("b", tc.second...)
			report := w.run(t)
			if report.Servers != tc.servers || report.Full != tc.full || report.Found != (tc.servers > 0) || report.Written != report.Found {
				t.Errorf("%+v", report)
			}
			if d := cmp.Diff(tc.problems, report.Problems); d != "" {
				t.Error(d)
			}
			for _, op := range describing {
				if n := w.Calls(op); n > 1 {
					t.Errorf("%s was answered %d times", op, n)
				}
			}
		})
	}
}

// What one profile can't do is one line, and stops nobody else.
func TestProblems(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "gone "+west+" "+user(three, "x"), "nowhere - "+user(three, "x"), "it's - "+user(three, "x"),
		"expired "+west+" "+user(three, "x"), "shut ap-east-1 "+user(two, "x"), "good "+west+" "+user(one, "x"))
	delete(w.profiles, "expired")
	w.profiles["gone"] = testbed.Key{ID: "AKIAUNKNOWN", Secret: "x"}
	w.SetServers(one, west, instances("aaaa", west, "a1"))
	w.SetRegions(two, testbed.Region{Name: "ap-east-1", OptIn: "not-opted-in"})
	report := w.run(t)
	want := []Problem{
		{Profile: "gone", Regions: []string{west}, Text: "InvalidClientTokenId", Run: "mend gone"},
		{Profile: "nowhere", Text: "the profile has no region, and none was given",
			Run: "mysql-secret-store-rds discover --profile nowhere --region us-east-1"},
		{Profile: "it's", Text: "the profile has no region, and none was given",
			Run: `mysql-secret-store-rds discover --profile 'it'\''s' --region us-east-1`},
		{Profile: "expired", Text: "the SSO session has expired", Run: "mend expired"},
		{Profile: "shut", Account: two, Regions: []string{"ap-east-1"}, Text: "the region is not enabled in the account (InvalidClientTokenId)",
			Run: "aws account enable-region --region-name ap-east-1 --profile shut"},
	}
	if d := cmp.Diff(want, report.Problems); d != "" || !report.Found || report.Servers != 1 {
		t.Error(d, report)
	}

	// The regions of one cause are one line.
	w.in.Regions = []string{east, "ap-east-1", west, "cn-north-1"}
	w.Break(testbed.Fault{Account: one, Region: east, Status: 403, Code: "AccessDenied", Message: "by a service control policy"})
	w.Break(testbed.Fault{Account: one, Region: "ap-east-1", Status: 403, Code: "AccessDenied",
		Message: "by a service control policy"})
	w.in.Profiles = []Profile{{Name: "good", Region: west}}
	want = []Problem{{
		Profile: "good", Account: one, Regions: []string{"ap-east-1", east},
		Operations: slices.Sorted(slices.Values(describing)), Text: "AccessDenied", Run: "mend good",
	}}
	if d := cmp.Diff(want, w.run(t).Problems); d != "" {
		t.Error(d)
	}

	// A partition that the profile isn't in. The region of China doesn't know its keys; the other
	// one does.
	w.Mend()
	w.in.Profiles = []Profile{{Name: "good"}}
	w.in.Regions = []string{"cn-north-1", west}
	w.Break(testbed.Fault{Region: "cn-north-1", Status: 403, Code: "InvalidClientTokenId"})
	if report := w.run(t); report.Servers != 1 || len(report.Problems) > 0 {
		t.Errorf("%+v", report)
	}
	w.in.Profiles = []Profile{{Name: "good", Region: west}}
	w.in.Regions = []string{"cn-north-1"}
	want = []Problem{{Profile: "good", Account: one, Text: "none of the regions given is in the profile's partition, aws"}}
	if d := cmp.Diff(want, w.run(t).Problems); d != "" {
		t.Error(d)
	}

	// Nothing found: the inventory stays as it is.
	before := stamp.Files(w.in.Path)[0]
	w.Break(testbed.Fault{Account: one, Status: 403, Code: "AccessDenied"})
	w.in.Regions = nil
	if report := w.run(t); report.Found || report.Written || stamp.Files(w.in.Path)[0] != before || report.Known != 1 {
		t.Errorf("%+v", report)
	}
	if report, err := Run(t.Context(), Input{Path: w.in.Path, Now: now}, w.deps); report.Found || err != nil {
		t.Errorf("no profiles: %+v, %v", report, err)
	}
}

func TestRegions(t *testing.T) {
	t.Parallel()
	everywhere := func(w *world) {
		for _, region := range []string{west, east, "ap-east-1", "me-south-1"} {
			w.SetServers(one, region, instances("x"+strings.ReplaceAll(region, "-", ""), region, "db"))
		}
	}
	regions := []testbed.Region{{Name: east, OptIn: "opt-in-not-required"}, {Name: "ap-east-1", OptIn: "opted-in"},
		{Name: "me-south-1", OptIn: "not-opted-in"}}
	for _, tc := range []struct {
		name    string
		prepare func(w *world)
		servers int
		regions int // that are asked
	}{
		{"the profile's own", func(*world) {}, 1, 1},
		{"those given", func(w *world) { w.in.Regions = []string{east, "ap-east-1", "cn-north-1", "us-gov-west-1"} }, 2, 2},
		{"the enabled ones, by EC2", func(w *world) { w.in.AllRegions = true; w.SetRegions(one, regions...) }, 2, 2},
		{"the enabled ones, by the account service", func(w *world) {
			w.in.AllRegions = true
			w.SetRegions(one, regions...)
			w.Break(testbed.Fault{Operation: "DescribeRegions", Status: 403, Code: "UnauthorizedOperation"})
		}, 2, 2},
		{"the partition's", func(w *world) { w.in.AllRegions = true }, 4, len(partitions["aws"])},
		{"a profile without a region", func(w *world) { w.in.AllRegions = true; w.in.Profiles[0].Region = "" }, 4,
			len(partitions["aws"])},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "a "+west+" "+user(one, "a"))
			everywhere(w)
			tc.prepare(w)
			report := w.run(t)
			if report.Servers != tc.servers || w.Calls("DescribeDBInstances") != tc.regions || len(report.Problems) > 0 {
				t.Errorf("%d calls, %+v", w.Calls("DescribeDBInstances"), report)
			}
		})
	}
	t.Run("a disabled region of the partition's list is no problem", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "a "+west+" "+user(one, "a"))
		everywhere(w)
		w.in.AllRegions = true
		w.SetRegions(one, testbed.Region{Name: "me-south-1", OptIn: "not-opted-in"})
		for _, op := range []string{"DescribeRegions", "ListRegions"} {
			w.Break(testbed.Fault{Operation: op, Status: 403, Code: "AccessDeniedException"})
		}
		if report := w.run(t); report.Servers != 3 || len(report.Problems) > 0 || report.Regions != len(partitions["aws"])-1 {
			t.Errorf("%+v", report)
		}
	})
	for partition, list := range partitions {
		for _, region := range list {
			if server.Partition(region) != partition {
				t.Errorf("%s is not in %s", region, partition)
			}
		}
	}
}

// TestRegionsInTime: a service that doesn't answer is waited for once in each account, and the
// other one has a time of its own. One profile's denial keeps no other profile from asking.
func TestRegionsInTime(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		silent  []string // operations without an answer
		denied  []string // to profile a
		ec2     int      // calls of DescribeRegions
		account int      // of ListRegions
		regions int      // that are asked for servers
	}{
		{"EC2 is silent", []string{"DescribeRegions"}, nil, 1, 1, 2},
		{"both are silent", []string{"DescribeRegions", "ListRegions"}, nil, 1, 1, len(partitions["aws"])},
		{"one profile is denied", nil, []string{"DescribeRegions", "ListRegions"}, 1, 0, len(partitions["aws"])},
		{
			"EC2 is silent, and one profile is denied the other", []string{"DescribeRegions"}, []string{"ListRegions"}, 1, 1,
			len(partitions["aws"]),
		},
		{
			"the other is silent, and one profile is denied EC2", []string{"ListRegions"}, []string{"DescribeRegions"}, 1, 1,
			len(partitions["aws"]),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "a "+west+" "+user(one, "a"), "b "+west+" "+user(one, "b"), "c "+west+" "+user(one, "c"))
			w.in.AllRegions, w.in.Parallel, w.in.Timeout = true, 1, 2*time.Second
			w.SetServers(one, west, instances("aaaa", west, "a1"))
			w.SetRegions(one, testbed.Region{Name: west, OptIn: "opt-in-not-required"}, testbed.Region{Name: east, OptIn: "opted-in"})
			for _, operation := range tc.silent {
				w.Delay(operation, time.Hour)
			}
			w.deny("a", tc.denied...)
			report := w.run(t)
			if report.Servers != 1 || len(report.Problems) > 0 || w.Calls("DescribeDBInstances") != tc.regions {
				t.Errorf("%d regions: %+v", w.Calls("DescribeDBInstances"), report)
			}
			if ec2, account := w.Calls("DescribeRegions"), w.Calls("ListRegions"); ec2 != tc.ec2 || account != tc.account {
				t.Errorf("%d calls of EC2, %d of the account service", ec2, account)
			}
		})
	}
}

func TestThrottling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"))
	w.SetServers(one, west, instances("aaaa", west, "a1", "a2", "a3"))
	w.PageSize = 1
	w.Throttle("DescribeDBInstances", 2)
	report := w.run(t)
	if report.Servers != 3 || report.Full != 1 || len(report.Problems) > 0 || w.Calls("DescribeDBInstances") <= 3 {
		t.Errorf("%d calls, %+v", w.Calls("DescribeDBInstances"), report)
	}
}

// One operation's failure doesn't keep the others from being asked, unless they would fail the same
// way.
func TestOneFails(t *testing.T) {
	t.Parallel()
	for code, others := range map[string]int{"InvalidParameterCombination": 1, "ExpiredToken": 0} {
		w := newWorld(t, "a "+west+" "+user(one, "a"))
		w.SetServers(one, west, instances("aaaa", west, "a1"))
		w.Break(testbed.Fault{Operation: "DescribeDBClusters", Status: 400, Code: code})
		report := w.run(t)
		if n := w.Calls("DescribeDBInstances"); n != others || report.Servers != others || report.Full != 0 {
			t.Errorf("%s: %d calls, %+v", code, n, report)
		}
		want := []Problem{{Profile: "a", Account: one, Regions: []string{west}, Text: code, Run: "mend a"}}
		if d := cmp.Diff(want, report.Problems); d != "" {
			t.Error(d)
		}
	}
}

// Who doesn't answer is a problem, and not waited for.
func TestTimeout(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"GetCallerIdentity", "DescribeDBInstances"} {
		w := newWorld(t, "a "+west+" "+user(one, "a"))
		w.SetServers(one, west, instances("aaaa", west, "a1"))
		w.Delay(operation, 10*time.Second)
		w.in.Timeout = 2 * time.Second
		report := w.run(t)
		if len(report.Problems) != 1 || !strings.Contains(report.Problems[0].Text, "context deadline exceeded") ||
			report.Interrupted || report.Elapsed > 5 {
			t.Errorf("%s: %+v", operation, report)
		}
	}
}

// What a region has no operation for isn't missing.
func TestNotOffered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"))
	w.SetServers(one, west, instances("aaaa", west, "a1"))
	w.Break(testbed.Fault{Operation: "DescribeGlobalClusters", Status: 400, Code: "InvalidParameterValue",
		Message: "Access Denied to API Version: APIGlobalDatabases"})
	w.Break(testbed.Fault{Operation: "DescribeDBProxies", Status: 400, Code: "InvalidAction", Message: "DescribeDBProxies"})
	if report := w.run(t); report.Full != 1 || len(report.Problems) > 0 {
		t.Errorf("%+v", report)
	}
}

// Ctrl-C keeps what was found, and of what wasn't read in full what was known before.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"), "b "+west+" "+user(two, "b"))
	w.SetServers(one, west, instances("aaaa", west, "a1", "a2"))
	w.SetServers(two, west, instances("bbbb", west, "b1", "b2"))
	w.run(t)
	w.SetServers(one, west, instances("aaaa", west, "a2", "a3"))
	w.SetServers(two, west, instances("bbbb", west, "b3"))
	w.in.Parallel = 1
	w.in.Now = now.Add(time.Hour)
	unlock, err := inventory.Lock(t.Context(), w.in.Path) // another one is writing
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, unlock)
	ctx, cancel := context.WithCancel(t.Context())
	w.deps.Progress = func(p Progress) {
		if p.What == "regions" && p.Done == 1 {
			cancel()
		}
	}
	report, err := Run(ctx, w.in, w.deps)
	if err != nil || !report.Interrupted || !report.Written || !report.Found || report.New != 1 || report.Gone != 1 ||
		len(report.Problems) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	want := []string{host("a2", "aaaa", west), host("a3", "aaaa", west), host("b1", "bbbb", west), host("b2", "bbbb", west)}
	if d := cmp.Diff(want, w.hosts(t)); d != "" {
		t.Error(d)
	}
	accounts, servers := w.kept(t)
	if !accounts["bbbb "+west].Seen.Equal(now) || !accounts["aaaa "+west].Seen.Equal(w.in.Now) ||
		!servers[host("b1", "bbbb", west)].Seen.Equal(now) {
		t.Error(accounts, servers)
	}
}

// Servers are dropped only where everything was read.
func TestDropping(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"), "b "+west+" "+user(two, "b"))
	w.in.Regions = []string{west, east}
	for _, region := range w.in.Regions {
		w.SetServers(one, region, instances("a"+region[:2], region, "old", "kept"))
		w.SetServers(two, region, instances("b"+region[:2], region, "old", "kept"))
	}
	if report := w.run(t); report.Known != 8 || report.New != 8 {
		t.Fatalf("%+v", report)
	}
	for _, region := range w.in.Regions {
		changed := instances("a"+region[:2], region, "kept")
		changed.Instances[0].Status = "stopped"
		w.SetServers(one, region, changed)
		w.SetServers(two, region, testbed.Servers{})
	}
	w.Break(testbed.Fault{Account: one, Region: east, Operation: "DescribeDBClusters", Status: 403, Code: "AccessDenied"})
	report := w.run(t, "a")
	if report.Known != 7 || report.Gone != 1 || report.Changed != 2 || report.New != 0 || report.Servers != 2 {
		t.Errorf("%+v", report)
	}
	w.Mend()
	if report := w.run(t); report.Known != 2 || report.Gone != 5 {
		t.Errorf("%+v", report)
	}
	accounts, _ := w.kept(t)
	if len(accounts) != 4 {
		t.Errorf("an id stays for what is created later: %v", accounts)
	}
}

// A global writer belongs to its writer's account and region, wherever it was seen.
func TestGlobalWriter(t *testing.T) {
	t.Parallel()
	const global = "g.global-zzzz.global.rds.amazonaws.com"
	w := newWorld(t, "a "+west+" "+user(one, "a"))
	cluster := func(name, id, region string) testbed.DBCluster {
		return testbed.DBCluster{Identifier: name, Engine: "aurora-mysql", ResourceID: "cluster-" + name, Host: host(name,
			"cluster-"+id, region), Port: 3310}
	}
	members := func(writer string) []testbed.GlobalMember {
		return []testbed.GlobalMember{
			{ClusterARN: "arn:aws:rds:" + west + ":" + one + ":cluster:w", Writer: writer == west},
			{ClusterARN: "arn:aws:rds:" + east + ":" + one + ":cluster:e", Writer: writer == east},
		}
	}
	set := func(globals ...testbed.GlobalCluster) {
		w.SetServers(one, west, testbed.Servers{Clusters: []testbed.DBCluster{cluster("w", "wwww", west)}, Globals: globals})
		w.SetServers(one, east, testbed.Servers{Clusters: []testbed.DBCluster{cluster("e", "eeee", east)}})
	}
	in := func(region, id, resource string, port int) {
		t.Helper()
		_, servers := w.kept(t)
		if s := servers[global]; s.Region != region || s.HostID != id || s.ResourceID != resource || s.Port != port ||
			s.Profile != "a" || s.Account != one {
			t.Errorf("got %+v", s)
		}
	}
	g := testbed.GlobalCluster{Identifier: "g", Engine: "aurora-mysql", Host: global, Members: members(east)}
	set(g, testbed.GlobalCluster{Identifier: "pg", Engine: "aurora-postgresql",
		Host: "pg.global-zzzz.global.rds.amazonaws.com", Members: members(east)})

	w.run(t) // sees the global cluster, but nothing of its writer's region
	in(east, "", "", 0)
	w.in.Regions = []string{west, east}
	w.run(t)
	in(east, "eeee", "cluster-e", 3310)
	w.in.Regions = nil
	if report := w.run(t); report.Changed != 0 {
		t.Errorf("what is known of the writer's region still holds: %+v", report)
	}
	in(east, "eeee", "cluster-e", 3310)
	g.Members = members(west)
	set(g)
	w.run(t)
	in(west, "wwww", "cluster-w", 3310)
	set()
	w.in.Regions = []string{east}
	w.run(t) // not its writer's region
	in(west, "wwww", "cluster-w", 3310)
	w.in.Regions = []string{west}
	if report := w.run(t); report.Gone != 1 {
		t.Errorf("%+v", report)
	}
}

// With several profiles, the one that may connect is preferred.
func TestPreference(t *testing.T) {
	t.Parallel()
	roleARN := "arn:aws:iam::" + one + ":role/team/dba"
	ssoARN := "arn:aws:iam::" + one + ":role/aws-reserved/sso.amazonaws.com/" + west + "/AWSReservedSSO_DBA_0123456789abcdef"
	for _, tc := range []struct {
		name     string
		profiles []string
		prepare  func(w *world)
		profile  string
		why      string
		asked    int // calls of SimulatePrincipalPolicy
	}{
		{"one profile", []string{"a " + west + " " + user(one, "a")}, func(*world) {}, "a", "the only profile for it", 0},
		{
			"the one that may", []string{"a " + west + " " + user(one, "a"), "b " + west + " " + user(one, "b")},
			func(w *world) { w.DenyConnect(user(one, "a")); w.AllowConnect(user(one, "b"), "*:dbuser:*/*") },
			"b", "b may connect (iam:SimulatePrincipalPolicy)", 2,
		},
		{
			"the one that may as a user that was named", []string{"a " + west + " " + user(one, "a"), "b " + west + " " + user(one, "b")},
			func(w *world) {
				w.in.Users = []string{"app", "dba"}
				w.AllowConnect(user(one, "a"), "*:dbuser:db-other/dba")
				w.AllowConnect(user(one, "b"), "arn:aws:rds-db:eu-west-1:"+one+":dbuser:db-a1/dba")
			},
			"b", "b may connect (iam:SimulatePrincipalPolicy)", 2,
		},
		{
			"the one that may, where no server takes IAM yet", []string{"a " + west + " " + user(one, "a"),
				"b " + west + " " + user(one, "b")},
			func(w *world) {
				servers := instances("aaaa", west, "a1")
				servers.Instances[0].IAM = false
				w.SetServers(one, west, servers)
				w.DenyConnect(user(one, "a"))
				w.AllowConnect(user(one, "b"), "arn:aws:rds-db:*:dbuser:*/*")
			},
			"b", "b may connect (iam:SimulatePrincipalPolicy)", 2,
		},
		{
			"neither", []string{"a " + west + " " + user(one, "a"), "b " + west + " " + user(one, "b")},
			func(w *world) { w.DenyConnect(user(one, "a")); w.DenyConnect(user(one, "b")) },
			"a", "first of a, b in the AWS configuration; none of them may connect (iam:SimulatePrincipalPolicy)", 2,
		},
		{
			"not the one that may not", []string{"a " + west + " " + user(one, "a"), "b " + west + " " + user(one, "b"),
				"c " + west + " " + user(one, "c")},
			func(w *world) { w.DenyConnect(user(one, "a")) },
			"b", "first of b, c in the AWS configuration; a may not connect (iam:SimulatePrincipalPolicy)", 3,
		},
		{
			"nobody may ask", []string{"b " + west + " " + user(one, "b"), "a " + west + " " + user(one, "a")}, func(*world) {},
			"b", "first of b, a in the AWS configuration; iam:SimulatePrincipalPolicy is not allowed", 2,
		},
		{
			"nobody is answered", []string{"b " + west + " " + user(one, "b"), "a " + west + " " + user(one, "a")},
			func(w *world) {
				w.Break(testbed.Fault{Operation: "SimulatePrincipalPolicy", Status: 400, Code: "InvalidInput"})
			},
			"b", "first of b, a in the AWS configuration; iam:SimulatePrincipalPolicy gave no answer", 2,
		},
		{
			"settled by the user", []string{"a " + west + " " + user(one, "a"), "b " + west + " " + user(one, "b")},
			func(w *world) {
				w.AllowConnect(user(one, "a"))
				w.in.Assigned = map[string]string{"aaaa": "b"}
			},
			"b", "accounts: in the configuration", 0,
		},
		{
			"a role with a path", []string{"a " + west + " " + user(one, "a"), "b " + west + " " + role(one, "dba")},
			func(w *world) { w.AddRole(roleARN); w.AllowConnect(roleARN) },
			"b", "b may connect (iam:SimulatePrincipalPolicy)", 2,
		},
		{
			"a role that may not look at itself", []string{"a " + west + " " + user(one, "a"), "b " + west + " " + role(one, "plain")},
			func(w *world) { w.AllowConnect("arn:aws:iam::" + one + ":role/plain") },
			"b", "b may connect (iam:SimulatePrincipalPolicy)", 2,
		},
		{
			"a role of Identity Center", []string{"a " + west + " " + user(one, "a"), "b " + west + " " + role(one,
				"AWSReservedSSO_DBA_0123456789abcdef")},
			func(w *world) {
				w.AllowConnect(ssoARN)
				w.Fail("SimulatePrincipalPolicy", 1, 404, "NoSuchEntity", "which is where the region is needed")
				w.in.Parallel = 1
				w.in.Profiles = []Profile{w.in.Profiles[1], w.in.Profiles[0]}
			},
			"b", "b may connect (iam:SimulatePrincipalPolicy)", 3,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.profiles...)
			w.in.Regions = []string{west, east}
			w.SetServers(one, west, instances("aaaa", west, "a1"))
			w.SetServers(one, east, testbed.Servers{})
			tc.prepare(w)
			report := w.run(t)
			accounts, servers := w.kept(t)
			a := accounts["aaaa "+west]
			if a.Profile != tc.profile || a.Why != tc.why || a.Profiles[0] != tc.profile || len(a.Profiles) != len(tc.profiles) {
				t.Errorf("got %+v", a)
			}
			if servers[host("a1", "aaaa", west)].Profile != tc.profile || report.Preferred[0].Profile != tc.profile ||
				report.Preferred[0].Why != tc.why {
				t.Errorf("got %+v, %+v", servers, report)
			}
			if n := w.Calls("SimulatePrincipalPolicy"); n != tc.asked {
				t.Errorf("%d simulations", n)
			}
		})
	}
}

// A look with one profile doesn't overturn what a look with all of them decided.
func TestPreferenceStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "ro "+west+" "+user(one, "ro"), "dba "+west+" "+user(one, "dba"))
	w.SetServers(one, west, instances("aaaa", west, "a1"))
	w.AllowConnect(user(one, "dba"))
	profiles := func() []string {
		accounts, _ := w.kept(t)
		return accounts["aaaa "+west].Profiles
	}
	w.run(t)
	if d := cmp.Diff([]string{"dba", "ro"}, profiles()); d != "" {
		t.Error(d)
	}
	w.run(t, "ro")
	if d := cmp.Diff([]string{"dba", "ro"}, profiles()); d != "" {
		t.Error(d)
	}
	w.in.Configured = []string{"ro"} // dba is no more
	w.run(t, "ro")
	if d := cmp.Diff([]string{"ro"}, profiles()); d != "" {
		t.Error(d)
	}
	w.in.Configured = nil
	w.profiles["ro"] = w.profiles["dba"]
	key := testbed.Key{ID: "AKIAOTHER", Secret: "other", Owner: user(two, "x")}
	w.keys.Add(key)
	w.profiles["ro"] = key // it has moved
	w.run(t)
	if d := cmp.Diff([]string{"dba"}, profiles()); d != "" {
		t.Error(d)
	}
}

// Several at once lose nothing of each other's.
func TestConcurrentRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"), "b "+west+" "+user(two, "b"), "c "+west+" "+user(three, "c"))
	for i, account := range []string{one, two, three} {
		w.SetServers(account, west, instances(strings.Repeat(string(rune('a'+i)), 4), west, "db"))
	}
	var wg sync.WaitGroup
	for _, p := range w.in.Profiles {
		wg.Go(func() {
			in := w.in
			in.Profiles = []Profile{p}
			if _, err := Run(t.Context(), in, w.deps); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if hosts := w.hosts(t); len(hosts) != 3 {
		t.Errorf("got %v", hosts)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"))
	w.SetServers(one, west, instances("aaaa", west, "a1"))
	w.in.DryRun = true
	if report := w.run(t); !report.Found || report.Written || report.New != 1 || report.Known != 1 || len(report.Preferred) != 1 {
		t.Errorf("%+v", report)
	}
	if _, err := os.Stat(filepath.Dir(w.in.Path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not even the folder: %v", err)
	}
}

// A damaged inventory counts as none, and that is said.
func TestDamagedInventory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"))
	w.SetServers(one, west, instances("aaaa", west, "a1", "a2"))
	w.run(t)
	good, err := os.ReadFile(w.in.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"hello",
		strings.Replace(string(good), `"profile":"a"`, `"profile":"b"`, 1),
		strings.Replace(string(good), `"name":"a2"`, `"name":"b2"`, 1),
	} {
		if err := os.WriteFile(w.in.Path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		report := w.run(t)
		if len(report.Problems) != 1 || !strings.HasSuffix(report.Problems[0].Text, ": taken as empty") || report.New != 2 ||
			!report.Written {
			t.Errorf("%+v", report)
		}
		if hosts := w.hosts(t); len(hosts) != 2 {
			t.Error(hosts)
		}
	}
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		return // mode bits stop nobody
	}
	dir := filepath.Dir(w.in.Path)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if report, err := Run(t.Context(), w.in, w.deps); err == nil || report.Written {
		t.Errorf("%+v, %v", report, err)
	}
}

// A fleet is found as it is, with as many calls as there are pages.
func TestFleet(t *testing.T) {
	t.Parallel()
	f := testbed.Fleet{Accounts: 20, Regions: []string{west, east}, EndpointsPerRegion: 20}
	w := newWorld(t)
	w.AddFleet(f)
	for i := range f.Accounts {
		name := fmt.Sprintf("p%03d", i)
		key := testbed.Key{ID: "AKIA" + strings.ToUpper(name), Secret: name, Owner: role(f.Account(i), "fleet")}
		w.keys.Add(key)
		w.profiles[name] = key
		w.in.Profiles = append(w.in.Profiles, Profile{Name: name, Region: west})
	}
	w.in.Regions = f.Regions
	report := w.run(t)
	if report.Servers != f.Count() || report.Accounts != f.Accounts || report.Full != 2*f.Accounts || len(report.Problems) > 0 {
		t.Errorf("%+v", report)
	}
	_, servers := w.kept(t)
	for e := range f.Endpoints() {
		if s, ok := servers[e.Host]; !ok || s.Region != e.Region || s.Port != e.Port {
			t.Errorf("%s: %+v", e.Host, s)
		}
	}
	if n := w.Calls("DescribeDBInstances"); n != 2*f.Accounts {
		t.Errorf("%d calls", n)
	}
}

// TestRefusedProfile: one that AWS doesn't take any more gives way to one that it takes.
func TestRefusedProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "old "+west+" "+user(one, "old"), "same "+west+" "+user(one, "same"))
	w.SetServers(one, west, testbed.Servers{Instances: []testbed.DBInstance{{Identifier: "shop", Engine: "mysql", Host: "shop.abcdefghijkl." + west + ".rds.amazonaws.com", Port: 3306}}})
	if p := w.run(t).Preferred; len(p) != 1 || p[0].Profile != "old" {
		t.Fatalf("at first: %v", p)
	}
	w.profiles["old"] = testbed.Key{ID: "AKIADELETED", Secret: "x"}
	if p := w.run(t).Preferred; len(p) != 1 || p[0].Profile != "same" || p[0].Why != "the only profile for it that AWS took this time" {
		t.Errorf("after its key was deleted: %v", p)
	}
	// A login that is over says nothing about what may connect.
	w = newWorld(t, "old "+west+" "+user(one, "old"), "same "+west+" "+user(one, "same"))
	w.SetServers(one, west, testbed.Servers{Instances: []testbed.DBInstance{{Identifier: "shop", Engine: "mysql", Host: "shop.abcdefghijkl." + west + ".rds.amazonaws.com", Port: 3306}}})
	w.run(t)
	delete(w.profiles, "old")
	if p := w.run(t).Preferred; len(p) != 1 || p[0].Profile != "old" {
		t.Errorf("after its login was over: %v", p)
	}
}

// TestForget: kept credentials that AWS refuses are dropped, and asked for once more.
func TestForget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"))
	right := w.profiles["a"]
	kept := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return aws.Credentials{AccessKeyID: w.profiles["a"].ID, SecretAccessKey: right.Secret}, nil
	}))
	w.profiles["a"] = testbed.Key{ID: "ASIAREVOKED", Secret: right.Secret}
	plain := w.deps.Config
	w.deps.Config = func(ctx context.Context, profile, region string) (aws.Config, error) {
		cfg, err := plain(ctx, profile, region)
		cfg.Credentials = kept
		return cfg, err
	}
	forgotten := 0
	w.deps.Forget = func(string) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		forgotten++
		w.profiles["a"] = right
		return true
	}
	if r := w.run(t); len(r.Problems) != 0 || forgotten != 1 || r.Accounts != 1 {
		t.Errorf("%d times forgotten: %+v", forgotten, r)
	}
}

// TestAPersonComesLast: while one profile waits for a code, what the others reach is read.
func TestAPersonComesLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mfa "+west+" "+user(two, "mfa"), "base "+west+" "+user(one, "base"))
	w.in.Profiles[0].MFA = true
	w.SetServers(one, west, testbed.Servers{Instances: []testbed.DBInstance{{Identifier: "shop", Engine: "mysql", Host: "shop.abcdefghijkl." + west + ".rds.amazonaws.com", Port: 3306}}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plain := w.deps.Config
	w.deps.Config = func(ctx context.Context, profile, region string) (aws.Config, error) {
		if profile == "mfa" { // Ctrl-C at the question
			cancel()
			return aws.Config{}, ctx.Err()
		}
		return plain(ctx, profile, region)
	}
	r, err := Run(ctx, w.in, w.deps)
	if err != nil || !r.Interrupted || !r.Written || r.Servers != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestSlowProfile: logins that take for ever hold up nobody else, not even the one that asks a
// person, and Ctrl-C keeps what the others reached.
func TestSlowProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "hung "+west+" "+user(three, "x"), "too "+west+" "+user(three, "y"), "mfa "+west+" "+user(two, "mfa"),
		"good "+west+" "+user(one, "good"))
	w.in.Profiles[2].MFA = true
	w.in.Parallel, w.in.SlowLogin = 1, 50*time.Millisecond
	w.SetServers(one, west, instances("aaaa", west, "a1"))
	w.SetServers(two, west, instances("bbbb", west, "b1", "b2"))
	plain := w.deps.Config
	w.deps.Config = func(ctx context.Context, profile, region string) (aws.Config, error) {
		if profile == "hung" || profile == "too" {
			<-ctx.Done()
			return aws.Config{}, ctx.Err()
		}
		return plain(ctx, profile, region)
	}
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	w.deps.Progress = func(p Progress) {
		if p.Servers == 3 {
			interrupt()
		}
	}
	r, err := Run(ctx, w.in, w.deps)
	if err != nil || !errors.Is(ctx.Err(), context.Canceled) || !r.Interrupted || !r.Written || r.Full != 2 || len(r.Problems) > 0 {
		t.Errorf("%+v, %v, %v", r, err, ctx.Err())
	}
	want := []string{host("a1", "aaaa", west), host("b1", "bbbb", west), host("b2", "bbbb", west)}
	if d := cmp.Diff(want, w.hosts(t)); d != "" {
		t.Error(d)
	}
}

// loggingIn makes a profile's login take as long as wait does.
func (w *world) loggingIn(wait func(ctx context.Context, profile string) error) {
	plain := w.deps.Config
	w.deps.Config = func(ctx context.Context, profile, region string) (aws.Config, error) {
		cfg, err := plain(ctx, profile, region)
		given := cfg.Credentials
		cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			if err := wait(ctx, profile); err != nil {
				return aws.Credentials{}, err
			}
			return given.Retrieve(ctx)
		})
		return cfg, err
	}
}

// users are as many profiles of one account.
func users(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("p%02d %s %s", i, west, user(one, fmt.Sprint("p", i))))
	}
	return list
}

// TestOnePersonManyCodes: no more of those who wait for a person are under way at once than have a
// turn, so that each has its time for being asked, however many there are.
func TestOnePersonManyCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, users(30)...)
	for i := range w.in.Profiles {
		w.in.Profiles[i].MFA = true
	}
	w.in.Parallel, w.in.SlowLogin = 4, time.Millisecond
	w.in.Assigned = map[string]string{"aaaa": "p00"} // so that IAM isn't asked with credentials anew
	w.SetServers(one, west, instances("aaaa", west, "a1"))
	var person sync.Mutex
	var now, most atomic.Int32
	w.loggingIn(func(context.Context, string) error {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		person.Lock()
		defer person.Unlock()
		time.Sleep(10 * time.Millisecond)
		return nil
	})
	if r := w.run(t); r.Servers != 1 || len(r.Problems) > 0 || most.Load() > 4 {
		t.Errorf("%d at once: %+v", most.Load(), r)
	}
}

// TestSlowLoginsAreBounded: those that have given their turns up are not without end.
func TestSlowLoginsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, users(20)...)
	w.in.Parallel, w.in.SlowLogin = 1, time.Millisecond
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	var begun atomic.Int32
	w.loggingIn(func(ctx context.Context, _ string) error {
		if begun.Add(1) == 1+slowOnes {
			time.AfterFunc(300*time.Millisecond, end) // for those that should not come
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if r, err := Run(ctx, w.in, w.deps); err != nil || !r.Interrupted {
		t.Errorf("%+v, %v", r, err)
	}
	if n := begun.Load(); n != 1+slowOnes {
		t.Errorf("%d logins at once", n)
	}
}

// TestNothingHangs: a service that doesn't answer holds discover up for as long as a call may take,
// and no longer.
func TestNothingHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a "+west+" "+user(one, "a"), "b "+west+" "+user(one, "b"))
	w.in.Timeout, w.in.AllRegions = 2*time.Second, true
	w.SetServers(one, west, testbed.Servers{Instances: []testbed.DBInstance{{Identifier: "shop", Engine: "mysql", Host: "shop.abcdefghijkl." + west + ".rds.amazonaws.com", Port: 3306}}})
	for _, operation := range []string{"DescribeRegions", "ListRegions", "SimulatePrincipalPolicy"} {
		w.Delay(operation, time.Hour)
	}
	done := make(chan Report, 1)
	go func() { done <- w.run(t) }()
	select {
	case r := <-done:
		if r.Servers != 1 {
			t.Errorf("%+v", r)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it hangs")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	many := strings.Split("a b c d e f g h", " ")
	for n, want := range map[int]string{0: "", 1: "a", 2: "a, b", 6: "a, b, c, d, e, f", 7: "a, b, c, d, e and 2 more", 8: "a, b, c, d, e and 3 more"} {
		if got := Names(many[:n]); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
