package testbed

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// The SDK's own clients are the peer here: what they decode is what the program will see.

const (
	account = "123456789012" // of newKeys' keys
	region  = "eu-west-1"
)

// sdkConfig is the SDK's configuration of a key's owner: nothing of the machine's, no second try.
func sdkConfig(a *AWS, key Key, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &a.URL, Credentials: credentials.StaticCredentialsProvider{Value: sdkCredentials(key)},
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// apiError is an error as the SDK understood it: status, code and message.
func apiError(err error) string {
	if err == nil {
		return "none"
	}
	var api smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &response) {
		return "not the service's: " + err.Error()
	}
	return fmt.Sprintf("%d %s: %s", response.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage())
}

func host(label string) string { return label + "." + region + ".rds.amazonaws.com" }

// one of each.
var one = Servers{
	Instances: []DBInstance{
		{
			Identifier: "single", ResourceID: "db-S", Engine: "mysql", EngineVersion: "8.4.6", Host: host("single.abcdefghijkl"), Port: 3307,
			IAM: true, MasterUsername: "admin", MasterSecretARN: "arn:secret", Tags: map[string]string{"b": "<2>", "a": "1"},
		},
		{Identifier: "orders-1", Cluster: "orders", ResourceID: "db-O", Engine: "aurora-mysql", Host: host("orders-1.abcdefghijkl"), Status: "modifying"},
		{Identifier: "new", Engine: "postgres", Status: "creating"},
	},
	Clusters: []DBCluster{{
		Identifier: "orders", ResourceID: "cluster-O", Engine: "aurora-mysql", EngineVersion: "8.0", Host: host("orders.cluster-abcdefghijkl"),
		ReaderHost: host("orders.cluster-ro-abcdefghijkl"), IAM: true, MasterUsername: "root", MasterSecretARN: "arn:s2", MasterSecretStatus: "rotating", Tags: map[string]string{"env": "prod"},
	}},
	ClusterEndpoints: []ClusterEndpoint{{Identifier: "reports", Cluster: "orders", Host: host("reports.cluster-custom-abcdefghijkl"), Type: "READER"}},
	Proxies: []DBProxy{{
		Name: "front", ResourceID: "prx-F", EngineFamily: "MYSQL", Host: host("front.proxy-abcdefghijkl"), IAMAuth: []string{"DISABLED", "REQUIRED"},
	}},
	ProxyEndpoints: []ProxyEndpoint{{Name: "ro", Proxy: "front", Host: host("ro.endpoint.proxy-abcdefghijkl"), TargetRole: "READ_ONLY"}},
	Globals: []GlobalCluster{{
		Identifier: "world", ResourceID: "cluster-W", Engine: "aurora-mysql", Host: "world.global-abcdefghijkl.global.rds.amazonaws.com",
		Members: []GlobalMember{
			{ClusterARN: "arn:aws:rds:eu-west-1:123456789012:cluster:orders", Writer: true},
			{ClusterARN: "arn:aws:rds:us-east-1:123456789012:cluster:orders2"},
		},
	}},
}

func TestRDSDescribes(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	a.SetServers(account, region, one)
	client := rds.NewFromConfig(sdkConfig(a, long, region))
	ctx := testContext(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := aws.ToString
	var got []string
	add := func(values ...any) { got = append(got, fmt.Sprintln(values...)) }

	instances, err := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	must(err)
	for _, d := range instances.DBInstances {
		add(s(d.DBInstanceIdentifier), s(d.DBInstanceArn), s(d.DbiResourceId), s(d.DBClusterIdentifier), s(d.Engine), s(d.EngineVersion), s(d.DBInstanceStatus),
			*d.IAMDatabaseAuthenticationEnabled, s(d.MasterUsername))
		if d.Endpoint != nil {
			add(s(d.Endpoint.Address), *d.Endpoint.Port)
		}
		if d.MasterUserSecret != nil {
			add(s(d.MasterUserSecret.SecretArn), s(d.MasterUserSecret.SecretStatus))
		}
		for _, tag := range d.TagList {
			add(s(tag.Key), s(tag.Value))
		}
	}
	clusters, err := client.DescribeDBClusters(ctx, &rds.DescribeDBClustersInput{})
	must(err)
	for _, c := range clusters.DBClusters {
		add(s(c.DBClusterIdentifier), s(c.DBClusterArn), s(c.DbClusterResourceId), s(c.Engine), s(c.EngineVersion), s(c.Status), s(c.Endpoint), s(c.ReaderEndpoint),
			*c.Port, *c.IAMDatabaseAuthenticationEnabled, s(c.MasterUsername), s(c.MasterUserSecret.SecretArn), s(c.MasterUserSecret.SecretStatus), s(c.TagList[0].Value), c.CustomEndpoints)
	}
	ends, err := client.DescribeDBClusterEndpoints(ctx, &rds.DescribeDBClusterEndpointsInput{})
	must(err)
	for _, e := range ends.DBClusterEndpoints {
		add(s(e.DBClusterEndpointIdentifier), s(e.DBClusterIdentifier), s(e.Endpoint), s(e.EndpointType), s(e.CustomEndpointType), s(e.Status))
	}
	proxies, err := client.DescribeDBProxies(ctx, &rds.DescribeDBProxiesInput{})
	must(err)
	for _, p := range proxies.DBProxies {
		add(s(p.DBProxyName), s(p.DBProxyArn), s(p.EngineFamily), p.Status, s(p.Endpoint), p.Auth[0].IAMAuth, p.Auth[1].IAMAuth)
	}
	extra, err := client.DescribeDBProxyEndpoints(ctx, &rds.DescribeDBProxyEndpointsInput{})
	must(err)
	for _, e := range extra.DBProxyEndpoints {
		add(s(e.DBProxyEndpointName), s(e.DBProxyName), s(e.Endpoint), e.TargetRole, e.Status, *e.IsDefault)
	}
	globals, err := client.DescribeGlobalClusters(ctx, &rds.DescribeGlobalClustersInput{})
	must(err)
	for _, g := range globals.GlobalClusters {
		add(s(g.GlobalClusterIdentifier), s(g.GlobalClusterArn), s(g.GlobalClusterResourceId), s(g.Engine), s(g.Status), s(g.Endpoint))
		for _, m := range g.GlobalClusterMembers {
			add(s(m.DBClusterArn), *m.IsWriter)
		}
	}
	want := []string{
		"single arn:aws:rds:eu-west-1:123456789012:db:single db-S  mysql 8.4.6 available true admin\n",
		"single.abcdefghijkl.eu-west-1.rds.amazonaws.com 3307\n",
		"arn:secret active\n", "a 1\n", "b <2>\n",
		"orders-1 arn:aws:rds:eu-west-1:123456789012:db:orders-1 db-O orders aurora-mysql  modifying false \n",
		"orders-1.abcdefghijkl.eu-west-1.rds.amazonaws.com 3306\n",
		"new arn:aws:rds:eu-west-1:123456789012:db:new   postgres  creating false \n",
		"orders arn:aws:rds:eu-west-1:123456789012:cluster:orders cluster-O aurora-mysql 8.0 available orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com " +
			"orders.cluster-ro-abcdefghijkl.eu-west-1.rds.amazonaws.com 3306 true root arn:s2 rotating prod [reports.cluster-custom-abcdefghijkl.eu-west-1.rds.amazonaws.com]\n",
		" orders orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com WRITER  available\n",
		" orders orders.cluster-ro-abcdefghijkl.eu-west-1.rds.amazonaws.com READER  available\n",
		"reports orders reports.cluster-custom-abcdefghijkl.eu-west-1.rds.amazonaws.com CUSTOM READER available\n",
		"front arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-F MYSQL available front.proxy-abcdefghijkl.eu-west-1.rds.amazonaws.com DISABLED REQUIRED\n",
		"ro front ro.endpoint.proxy-abcdefghijkl.eu-west-1.rds.amazonaws.com READ_ONLY available false\n",
		"world arn:aws:rds::123456789012:global-cluster:world cluster-W aurora-mysql available world.global-abcdefghijkl.global.rds.amazonaws.com\n",
		"arn:aws:rds:eu-west-1:123456789012:cluster:orders true\n",
		"arn:aws:rds:us-east-1:123456789012:cluster:orders2 false\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := a.CallsBy(account, ""); n != 6 {
		t.Errorf("%d calls, want 6", n)
	}
}

// A server is shown in its own account and region, a global cluster in each of its members'
// regions.
func TestRDSPlaces(t *testing.T) {
	t.Parallel()
	a, keys, long := startAWS(t)
	a.SetServers(account, region, one)
	a.SetServers(account, "us-east-1", Servers{Globals: one.Globals}) // it's known there, too
	other := keys.Issue("arn:aws:sts::210987654321:assumed-role/r/s", time.Hour, 100)
	for _, tc := range []struct {
		key                Key
		region             string
		instances, globals int
	}{
		{long, region, 3, 1}, {long, "us-east-1", 0, 1}, {long, "us-west-2", 0, 0}, {other, region, 0, 0},
	} {
		client := rds.NewFromConfig(sdkConfig(a, tc.key, tc.region))
		instances, err := client.DescribeDBInstances(testContext(t), &rds.DescribeDBInstancesInput{})
		if err != nil {
			t.Fatal(err)
		}
		globals, err := client.DescribeGlobalClusters(testContext(t), &rds.DescribeGlobalClustersInput{})
		if err != nil {
			t.Fatal(err)
		}
		if i, g := len(instances.DBInstances), len(globals.GlobalClusters); i != tc.instances || g != tc.globals {
			t.Errorf("%s in %s: %d instances and %d global clusters, want %d and %d", tc.key.Owner, tc.region, i, g, tc.instances, tc.globals)
		}
	}
	if n, m := a.CallsBy(account, "DescribeDBInstances"), a.CallsBy("210987654321", "DescribeDBInstances"); n != 3 || m != 1 {
		t.Errorf("%d and %d calls, want 3 and 1", n, m)
	}
	a.SetServers(account, region, Servers{Instances: one.Instances[:1]})
	left, err := rds.NewFromConfig(sdkConfig(a, long, region)).DescribeDBInstances(testContext(t), &rds.DescribeDBInstancesInput{})
	if err != nil || len(left.DBInstances) != 1 {
		t.Errorf("after two have gone: %v, %v", left, err)
	}
}

func TestRDSPages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pageSize   int
		maxRecords *int32
		want       []int // rows of each page
	}{
		{100, nil, []int{45}},
		{100, aws.Int32(20), []int{20, 20, 5}},
		{15, aws.Int32(100), []int{15, 15, 15}},
		{44, nil, []int{44, 1}},
	} {
		a, _, long := startAWS(t)
		a.PageSize = tc.pageSize
		var s Servers
		names := map[string]bool{}
		for i := range 45 {
			name := fmt.Sprintf("db%d", i)
			names[name] = true
			s.Instances = append(s.Instances, DBInstance{Identifier: name, Engine: "mysql"})
		}
		a.SetServers(account, region, s)
		client := rds.NewFromConfig(sdkConfig(a, long, region))
		var got []int
		for p := rds.NewDescribeDBInstancesPaginator(client, &rds.DescribeDBInstancesInput{MaxRecords: tc.maxRecords}); p.HasMorePages(); {
			page, err := p.NextPage(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.DBInstances {
				delete(names, *d.DBInstanceIdentifier)
			}
			got = append(got, len(page.DBInstances))
		}
		if !slices.Equal(got, tc.want) || len(names) != 0 {
			t.Errorf("pages of %v, want %v; not seen: %v", got, tc.want, slices.Collect(maps.Keys(names)))
		}
		for _, marker := range []string{"x", "DescribeDBInstances/-1", "DescribeDBInstances/46", "DescribeDBClusters/0"} {
			_, err := client.DescribeDBInstances(testContext(t), &rds.DescribeDBInstancesInput{Marker: &marker})
			if got, want := apiError(err), "400 InvalidParameterValue: no such Marker"; got != want {
				t.Errorf("marker %s: got %s, want %s", marker, got, want)
			}
		}
	}
}

func TestRDSRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	client := rds.NewFromConfig(sdkConfig(a, long, region))
	ctx := testContext(t)
	_, filtered := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{Filters: []types.Filter{
		{Name: aws.String("engine"), Values: []string{"mysql"}},
	}})
	_, small := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{MaxRecords: aws.Int32(19)})
	_, unknown := client.DescribeEvents(ctx, &rds.DescribeEventsInput{})
	for got, want := range map[string]string{
		apiError(filtered): "400 InvalidParameterValue: the test server doesn't know the parameter Filters.Filter.1.Name",
		apiError(small):    "400 InvalidParameterValue: MaxRecords is not from 20 to 100",
		apiError(unknown):  "400 InvalidAction: DescribeEvents",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if response, err := http.Get(a.URL + "/token"); err != nil || response.StatusCode != 404 {
		t.Errorf("a GET: %v, %v", response, err)
	}
}

// One is asked for by its name.
func TestRDSByName(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	a.SetServers(account, region, one)
	client := rds.NewFromConfig(sdkConfig(a, long, region))
	ctx := testContext(t)
	ask := map[string]func(name *string) (int, error){
		"DBInstanceNotFound": func(name *string) (int, error) {
			out, err := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: name})
			if err != nil {
				return 0, err
			}
			return len(out.DBInstances), nil
		},
		"DBClusterNotFoundFault": func(name *string) (int, error) {
			out, err := client.DescribeDBClusters(ctx, &rds.DescribeDBClustersInput{DBClusterIdentifier: name})
			if err != nil {
				return 0, err
			}
			return len(out.DBClusters), nil
		},
		"DBClusterEndpointNotFoundFault": func(name *string) (int, error) {
			out, err := client.DescribeDBClusterEndpoints(ctx, &rds.DescribeDBClusterEndpointsInput{DBClusterEndpointIdentifier: name})
			if err != nil {
				return 0, err
			}
			return len(out.DBClusterEndpoints), nil
		},
		"DBProxyNotFoundFault": func(name *string) (int, error) {
			out, err := client.DescribeDBProxies(ctx, &rds.DescribeDBProxiesInput{DBProxyName: name})
			if err != nil {
				return 0, err
			}
			return len(out.DBProxies), nil
		},
		"DBProxyEndpointNotFoundFault": func(name *string) (int, error) {
			out, err := client.DescribeDBProxyEndpoints(ctx, &rds.DescribeDBProxyEndpointsInput{DBProxyEndpointName: name})
			if err != nil {
				return 0, err
			}
			return len(out.DBProxyEndpoints), nil
		},
		"GlobalClusterNotFoundFault": func(name *string) (int, error) {
			out, err := client.DescribeGlobalClusters(ctx, &rds.DescribeGlobalClustersInput{GlobalClusterIdentifier: name})
			if err != nil {
				return 0, err
			}
			return len(out.GlobalClusters), nil
		},
	}
	for absent, name := range map[string]string{
		"DBInstanceNotFound": one.Instances[1].Identifier, "DBClusterNotFoundFault": one.Clusters[0].Identifier,
		"DBClusterEndpointNotFoundFault": one.ClusterEndpoints[0].Identifier, "DBProxyNotFoundFault": one.Proxies[0].Name,
		"DBProxyEndpointNotFoundFault": one.ProxyEndpoints[0].Name, "GlobalClusterNotFoundFault": one.Globals[0].Identifier,
	} {
		if n, err := ask[absent](&name); err != nil || n != 1 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		upper := strings.ToUpper(name)
		anyCase := slices.Contains([]string{"DBInstanceNotFound", "DBClusterNotFoundFault", "GlobalClusterNotFoundFault"}, absent)
		if n, err := ask[absent](&upper); (err == nil && n == 1) != anyCase {
			t.Errorf("%s: %d, %v", upper, n, err)
		}
		_, err := ask[absent](aws.String("nobody"))
		if got, want := apiError(err), "404 "+absent+": nobody not found"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
