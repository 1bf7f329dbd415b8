package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// strangers are the accounts of which one has a server that nobody knows: the last that is asked.
var strangers = testbed.Fleet{Accounts: 300, Regions: []string{"eu-west-1"}, EndpointsPerRegion: 20}

const (
	learnParallel = 32 // as package learn asks
	learnLimit    = 4  // times what the rounds of calls take by themselves; one at a time it would be 30
)

// learnOne gets a token for a server that nobody knows, with 300 profiles, and prints how long that
// takes beside what AWS takes for it; then for another server of that account, and, with the
// credentials that are kept by then, for one that no account has.
func learnOne(dir, helper string, limit bool) error {
	home := filepath.Join(dir, "strangers")
	aws, err := startFleet(home, strangers, "")
	if err != nil {
		return err
	}
	defer aws.Close()
	env := append(testbed.Env(home), append(aws.Env(),
		"MYSQL_SECRET_STORE_RDS_CACHE_DIR="+filepath.Join(home, "cache"))...)
	// Each account has instances of the same names. The first 3 are in clusters; of the others every
	// second one takes tokens.
	servers, _ := strangers.Servers(strangers.Account(strangers.Accounts-1), strangers.Regions[0])
	get := func(host string) (took time.Duration, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		sh := testbed.Shell{Helper: helper, Env: env, Dir: home}
		start := time.Now()
		_, err = sh.Get(ctx, "dba@"+host+":3306")
		return time.Since(start), err
	}
	took, err := get(servers.Instances[3].Host)
	if err != nil {
		return fmt.Errorf("an unknown server: %w", err)
	}
	asked := aws.Calls("DescribeDBInstances")
	second, err := get(servers.Instances[5].Host)
	if more := aws.Calls("DescribeDBInstances") - asked; err != nil || more > 0 {
		return fmt.Errorf("another server of the account: asked %d times more: %w", more, err)
	}
	nobody, err := get("orders.zzzzzzzzzzzz.eu-west-1.rds.amazonaws.com")
	if err == nil {
		return fmt.Errorf("a token for a server that no account has")
	}
	rounds := (strangers.Accounts + learnParallel - 1) / learnParallel
	least := time.Duration(2*rounds) * latency // a role, and whether it has the server
	const all = "an unknown server, %d profiles: %.2f s, another one of its account %.2f s, one that nobody has %.2f s\n"
	fmt.Printf(all,
		strangers.Accounts, took.Seconds(), second.Seconds(), nobody.Seconds())
	const part = "          %d rounds of %d at once, 2 calls of %v each, take %.2f s by themselves: %.0f%% of the time\n\n"
	fmt.Printf(part,
		rounds, learnParallel, latency, least.Seconds(), 100*least.Seconds()/took.Seconds())
	if limit && took > learnLimit*least {
		return fmt.Errorf("an unknown server took %v; the limit is %v", took, learnLimit*least)
	}
	return nil
}
