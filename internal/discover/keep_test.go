package discover

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/testbed"
)

// TestLook: one call says whether an account has an endpoint, and whose account it is; what it
// completes to is what a scan keeps.
func TestLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "dba eu-west-1 "+user(one, "dba"))
	w.SetServers(one, west, testbed.Servers{
		Instances: []testbed.DBInstance{
			{Identifier: "single", ResourceID: "db-S", Engine: "mysql", Host: "single." + tail, Port: 3307, IAM: true, MasterUsername: "root"},
			{Identifier: "shop-1", Cluster: "shop", ResourceID: "db-1", Engine: "aurora-mysql", Host: "shop-1." + tail, MasterUsername: "admin"},
			{Identifier: "pg", ResourceID: "db-P", Engine: "postgres", Host: "pg." + tail},
			{Identifier: "new", Engine: "mysql"},
		},
		Clusters: []testbed.DBCluster{{
			Identifier: "shop", ResourceID: "cluster-S", Engine: "aurora-mysql", Host: "shop.cluster-" + tail,
			ReaderHost: "shop.cluster-ro-" + tail, Port: 3308, IAM: true, MasterUsername: "admin", MasterSecretARN: "arn:secret",
		}},
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
	w.in.Regions = []string{west, east}
	w.run(t)
	_, scanned := w.kept(t)
	cfg, err := w.config(t.Context(), "dba", west)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"single." + tail, "shop-1." + tail, "shop.cluster-" + tail, "shop.cluster-ro-" + tail, "reports.cluster-custom-" + tail,
		"gate.proxy-" + tail, "ro.endpoint.proxy-" + tail, "world.global-abcdef.global.rds.amazonaws.com", "pg." + tail,
	} {
		e := endpoint(t, host)
		calls := w.Calls(Operation(e.Kind))
		s, err := Look(t.Context(), cfg, e, west, now)
		if err != nil || !s.Has || s.Account != one || w.Calls(Operation(e.Kind)) != calls+1 {
			t.Errorf("%s: %+v, %v", host, s, err)
			continue
		}
		got, found, err := s.Complete(t.Context())
		want, known := scanned[host]
		if err != nil || found != known {
			t.Errorf("%s: found is %v, %v", host, found, err)
		}
		want.Profile = "" // which [Keep] sets
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -scanned +looked:\n%s", host, diff)
		}
		ids, region := []string{"abcdefghijkl"}, west
		if e.Kind == server.GlobalWriter {
			ids, region = []string{"mnopqrstuvwx"}, east
		}
		if diff := cmp.Diff(ids, s.HostIDs); diff != "" || s.Region != region {
			t.Errorf("%s: in %s (-want +got):\n%s", host, s.Region, diff)
		}
	}
	for _, tc := range []struct {
		host    string
		ids     int // shown by the first question
		account string
	}{
		{"gone." + tail, 0, ""}, {"gone.cluster-" + tail, 0, ""}, {"gone.proxy-" + tail, 0, ""}, {"gone.shardgrp-" + tail, 0, ""},
		{"gone.endpoint.proxy-" + tail, 0, ""}, {"gone.cluster-custom-" + tail, 0, ""},
		{"single.zyxwvutsrqpo.eu-west-1.rds.amazonaws.com", 1, one}, // another account has one of that name
		{"shop.cluster-zyxwvutsrqpo.eu-west-1.rds.amazonaws.com", 1, one},
		{"reports.cluster-custom-zyxwvutsrqpo.eu-west-1.rds.amazonaws.com", 1, one},
		{"gone.global-abcdef.global.rds.amazonaws.com", 0, ""},
		{"world.global-zzzzzz.global.rds.amazonaws.com", 0, one},
		{"new.abcdefghijkl.eu-west-1.rds.amazonaws.com", 0, one}, // it has no endpoint yet
	} {
		s, err := Look(t.Context(), cfg, endpoint(t, tc.host), west, now)
		if err != nil || s.Has || len(s.HostIDs) != tc.ids || s.Account != tc.account {
			t.Errorf("%s: %+v, %v", tc.host, s, err)
		}
	}
	s, err := Look(t.Context(), cfg, endpoint(t, "new."+tail), west, now)
	if err := errors.Join(err, s.List(t.Context())); err != nil || !s.Has {
		t.Errorf("by the others: %+v, %v", s, err)
	}
	if srv, found, err := s.Complete(t.Context()); found || err != nil {
		t.Errorf("found %+v, %v", srv, err)
	}
}

// TestKeep: what is learned comes to what is known, and changes nothing else.
func TestKeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "p eu-west-1 "+user(one, "dba"), "q eu-west-1 "+user(one, "admin"))
	w.SetServers(one, west, instances("aaaaaaaaaaaa", west, "a"))
	w.run(t)
	accounts, servers := w.kept(t)
	later := now.Add(time.Hour)
	srv := inventory.Server{
		Host: "b." + tail, Kind: server.Instance, Name: "b", Engine: "mysql", Port: 3306, Account: two, Region: west, Partition: "aws",
		HostID: "abcdefghijkl", Seen: later,
	}
	global := inventory.Server{
		Host: "world.global-abcdef.global.rds.amazonaws.com", Kind: server.GlobalWriter, Name: "world", Engine: "aurora-mysql",
		Account: three, Region: east, Partition: "aws", Seen: later,
	}
	learned := []Learned{
		{Profile: "r", Account: two, Partition: "aws", Region: west, HostIDs: []string{"abcdefghijkl"}, Server: srv, Why: "it has b"},
		{Profile: "s", Account: three, Partition: "aws", Region: east, Server: global, Why: "it has world"},
		{Profile: "q", Account: one, Partition: "aws", Region: east, HostIDs: []string{"eeeeeeeeeeee"}, Why: "asked for b"},
		{Profile: "q", Account: one, Partition: "aws", Region: west, HostIDs: []string{"aaaaaaaaaaaa"}, Why: "asked for b"},
	}
	for range 2 { // the second time nothing changes
		if err := Keep(t.Context(), w.in.Path, later, map[string]string{"eeeeeeeeeeee": "chosen"}, learned); err != nil {
			t.Fatal(err)
		}
		accounts["abcdefghijkl eu-west-1"] = inventory.Account{
			HostID: "abcdefghijkl", Region: west, Number: two, Partition: "aws", Profile: "r", Profiles: []string{"r"}, Why: "it has b", Seen: later,
		}
		accounts["eeeeeeeeeeee us-east-1"] = inventory.Account{
			HostID: "eeeeeeeeeeee", Region: east, Number: one, Partition: "aws", Profile: "chosen", Profiles: []string{"chosen", "q"}, Why: Assigned, Seen: later,
		}
		srv.Profile, global.Profile = "r", "s"
		servers[srv.Host], servers[global.Host] = srv, global
		gotAccounts, gotServers := w.kept(t)
		old := gotAccounts["aaaaaaaaaaaa eu-west-1"]
		if old.Profile != "p" || !old.Full || !old.Seen.Equal(now) {
			t.Errorf("what was read in full is %+v", old)
		}
		accounts["aaaaaaaaaaaa eu-west-1"] = old
		if diff := cmp.Diff(accounts, gotAccounts); diff != "" {
			t.Errorf("accounts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(servers, gotServers); diff != "" {
			t.Errorf("servers (-want +got):\n%s", diff)
		}
	}

	// A profile that has become another account's is no longer the old one's.
	moved := []Learned{{Profile: "p", Account: two, Partition: "aws", Region: west, HostIDs: []string{"abcdefghijkl"}, Why: "it moved"}}
	if err := Keep(t.Context(), w.in.Path, later, nil, moved); err != nil {
		t.Fatal(err)
	}
	accounts, _ = w.kept(t)
	if a := accounts["aaaaaaaaaaaa eu-west-1"]; a.Profile != "q" {
		t.Errorf("the old account's profile is %q of %v", a.Profile, a.Profiles)
	}
	if a := accounts["abcdefghijkl eu-west-1"]; a.Profile != "r" || a.Why == "it moved" {
		t.Errorf("the account that was known: %+v", a)
	}
}

func TestKeepNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "p eu-west-1 "+user(one, "dba"))
	w.SetServers(one, west, instances("aaaaaaaaaaaa", west, "a"))
	w.run(t)
	whole, err := os.ReadFile(w.in.Path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := whole[:len(whole)-1]
	if err := os.WriteFile(w.in.Path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	err = Keep(t.Context(), w.in.Path, now, nil, []Learned{{Profile: "r", Account: two, Region: west, HostIDs: []string{"abcdefghijkl"}}})
	if _, ok := errors.AsType[*inventory.UntrustedError](err); !ok {
		t.Errorf("into a damaged inventory: %v", err)
	}
	if after, err := os.ReadFile(w.in.Path); err != nil || string(after) != string(damaged) {
		t.Errorf("it was changed: %q, %v", after, err)
	}
}
