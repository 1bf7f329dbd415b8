package discover

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/testbed"
)

const tail = "abcdefghijkl.eu-west-1.rds.amazonaws.com"

func endpoint(t *testing.T, host string) server.Endpoint {
	t.Helper()
	e, ok := server.ParseEndpoint(host)
	if !ok {
		t.Fatalf("%s is no endpoint", host)
	}
	return e
}

func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "dba eu-west-1 "+user(one, "dba"))
	w.SetServers(one, west, testbed.Servers{
		Instances: []testbed.DBInstance{
			{Identifier: "single", ResourceID: "db-S", Engine: "mysql", Host: "single." + tail, Port: 3307, IAM: true},
			{Identifier: "shop-1", Cluster: "shop", ResourceID: "db-1", Engine: "aurora-mysql", Host: "shop-1." + tail},
			{Identifier: "pg", ResourceID: "db-P", Engine: "postgres", Host: "pg." + tail},
		},
		Clusters: []testbed.DBCluster{
			{Identifier: "shop", ResourceID: "cluster-S", Engine: "aurora-mysql", Host: "shop.cluster-" + tail, ReaderHost: "shop.cluster-ro-" + tail, Port: 3308, IAM: true},
			{Identifier: "other", ResourceID: "cluster-O", Engine: "aurora-mysql", Host: "other.cluster-" + tail},
		},
		ClusterEndpoints: []testbed.ClusterEndpoint{{Identifier: "reports", Cluster: "shop", Host: "reports.cluster-custom-" + tail}},
		Proxies:          []testbed.DBProxy{{Name: "gate", ResourceID: "prx-G", EngineFamily: "MYSQL", Host: "gate.proxy-" + tail, IAMAuth: []string{"REQUIRED"}}},
		ProxyEndpoints:   []testbed.ProxyEndpoint{{Name: "ro", Proxy: "gate", Host: "ro.endpoint.proxy-" + tail}},
		Globals: []testbed.GlobalCluster{{Identifier: "world", Engine: "aurora-mysql", Host: "world.global-abcdef.global.rds.amazonaws.com",
			Members: []testbed.GlobalMember{
				{ClusterARN: "arn:aws:rds:us-east-1:" + one + ":cluster:far", Writer: true}, {ClusterARN: "arn:aws:rds:eu-west-1:" + one + ":cluster:shop"},
			}}},
	})
	w.SetServers(one, east, testbed.Servers{Clusters: []testbed.DBCluster{{Identifier: "far", ResourceID: "cluster-F", Engine: "aurora-mysql", Port: 3309, IAM: true,
		Host: "far.cluster-mnopqrstuvwx.us-east-1.rds.amazonaws.com"}}})
	cfg, err := w.config(t.Context(), "dba", west)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]inventory.Server{
		"single." + tail:                               {Port: 3307, Name: "single", ResourceID: "db-S", IAM: true},
		"shop-1." + tail:                               {Port: 3306, Name: "shop-1", Cluster: "shop", ResourceID: "cluster-S"},
		"shop.cluster-" + tail:                         {Port: 3308, Name: "shop", Cluster: "shop", ResourceID: "cluster-S", IAM: true},
		"shop.cluster-ro-" + tail:                      {Port: 3308, Name: "shop", Cluster: "shop", ResourceID: "cluster-S", IAM: true},
		"reports.cluster-custom-" + tail:               {Port: 3308, Name: "reports", Cluster: "shop", ResourceID: "cluster-S", IAM: true},
		"gate.proxy-" + tail:                           {Port: 3306, Name: "gate", ResourceID: "prx-G", IAM: true},
		"ro.endpoint.proxy-" + tail:                    {Port: 3306, Name: "ro", Cluster: "gate", ResourceID: "prx-G", IAM: true},
		"world.global-abcdef.global.rds.amazonaws.com": {Port: 3309, Name: "world", Cluster: "far", ResourceID: "cluster-F", IAM: true, Region: east},
	} {
		e := endpoint(t, host)
		want.Host, want.Kind, want.Account, want.Partition, want.Seen, want.Status = host, e.Kind, one, "aws", now, "available"
		if want.Region == "" {
			want.Region, want.HostID = west, e.HostID
		}
		got, found, err := Find(t.Context(), cfg, e, west, one, now)
		if err != nil || !found {
			t.Errorf("%s: found is %v, %v", host, found, err)
			continue
		}
		got.Engine = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", host, diff)
		}
	}
	for _, host := range []string{
		"gone." + tail, "gone.cluster-" + tail, "gone.cluster-custom-" + tail, "gone.proxy-" + tail, "gone.endpoint.proxy-" + tail,
		"gone.global-abcdef.global.rds.amazonaws.com", "gone.shardgrp-" + tail, "pg." + tail,
		"single.zyxwvutsrqpo.eu-west-1.rds.amazonaws.com",       // another account's, by its id
		"world.global-zzzzzz.global.rds.amazonaws.com",          // the same
		"shop.cluster-abcdefghijkl.us-east-1.rds.amazonaws.com", // in another region
		"reports.cluster-custom-zyxwvutsrqpo.eu-west-1.rds.amazonaws.com",
	} {
		if s, found, err := Find(t.Context(), cfg, endpoint(t, host), west, one, now); found || err != nil {
			t.Errorf("%s: found %+v, %v", host, s, err)
		}
	}
	for _, operation := range []string{"DescribeDBInstances", "DescribeDBClusters", "DescribeDBProxies", "DescribeGlobalClusters"} {
		w.Break(testbed.Fault{Operation: operation, Status: 403, Code: "AccessDenied", Message: "no"})
	}
	for _, host := range []string{
		"single." + tail, "shop.cluster-" + tail, "reports.cluster-custom-" + tail, "gate.proxy-" + tail, "ro.endpoint.proxy-" + tail,
		"world.global-abcdef.global.rds.amazonaws.com",
	} {
		if s, found, err := Find(t.Context(), cfg, endpoint(t, host), west, one, now); found || code(err) != "AccessDenied" {
			t.Errorf("%s: found is %v (%+v), %v", host, found, s, err)
		}
	}
}

func TestMayConnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "dba eu-west-1 "+user(one, "dba"))
	const resource = "arn:aws:rds-db:eu-west-1:111111111111:dbuser:db-S/dba"
	w.AllowConnect(user(one, "all"))
	w.DenyConnect(user(one, "none"))
	w.ForbidConnect(user(one, "forbidden"))
	cfg, err := w.config(t.Context(), "dba", west)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, tc := range []struct {
		caller             string
		allowed, forbidden bool
		code               string
	}{
		{user(one, "all"), true, false, ""},
		{user(one, "none"), false, false, ""},
		{user(one, "forbidden"), false, true, ""},
		{user(one, "unknown"), false, false, "AccessDenied"},
		{role(one, "unknown"), false, false, "AccessDenied"},
	} {
		allowed, forbidden, err := MayConnect(ctx, cfg, tc.caller, resource)
		if allowed != tc.allowed || forbidden != tc.forbidden || code(err) != tc.code {
			t.Errorf("%s: allowed %v, forbidden %v, %v", tc.caller, allowed, forbidden, err)
		}
	}
	if asked := w.Simulations(); len(asked) != 3 || len(asked[0].Resources) != 1 || asked[0].Resources[0] != resource {
		t.Errorf("asked %+v", asked)
	}
}
