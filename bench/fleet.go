package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

const (
	// latency is what the simulated AWS takes for each answer.
	latency = 50 * time.Millisecond
	// memoryLimit is what discover may need for the whole fleet.
	memoryLimit = 400 << 20
	parallel    = 64
)

var fleet = testbed.Fleet{
	Accounts: 500, Regions: []string{"eu-central-1", "eu-west-1", "us-east-1", "us-west-2"}, EndpointsPerRegion: 20,
}

// discoverFleet runs discover against 500 accounts with 4 regions of 20 endpoints each, prints what
// it took, and returns the inventory. With denied, an operation, no region can be read in full.
func discoverFleet(dir, helper, denied string, limit bool) (inventory string, err error) {
	home := filepath.Join(dir, "fleet"+denied)
	aws, err := startFleet(home, fleet, denied)
	if err != nil {
		return "", err
	}
	defer aws.Close()
	args := []string{"discover", "--json", "--profile", "p*", "--parallel", strconv.Itoa(parallel)}
	for _, region := range fleet.Regions {
		args = append(args, "--region", region)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, helper, args...)
	cmd.Env = append(testbed.Env(home), aws.Env()...)
	start := time.Now()
	out, err := cmd.Output()
	took := time.Since(start)
	if err != nil {
		return "", fmt.Errorf("discover: %w: %s", err, out)
	}
	var report struct{ Servers, Accounts int }
	if err := json.Unmarshal(out, &report); err != nil {
		return "", err
	}
	if denied == "" && report.Servers != fleet.Count() || report.Accounts != fleet.Accounts {
		return "", fmt.Errorf("discover found %d servers in %d accounts, not %d in %d",
			report.Servers, report.Accounts, fleet.Count(), fleet.Accounts)
	}
	memory := maxRSS(cmd.ProcessState)
	if denied == "" {
		printFleet(aws, took, memory)
	} else {
		fmt.Printf("the same, but not allowed %s: %.1f s, %d MiB at most\n\n", denied, took.Seconds(), memory>>20)
	}
	if limit && memory > memoryLimit {
		return "", fmt.Errorf("discover needed %d MiB; the limit is %d", memory>>20, memoryLimit>>20)
	}
	return filepath.Join(home, ".config", "mysql-secret-store-rds", "inventory.txt"), nil
}

// startFleet starts the simulated AWS, and makes a home with a profile for each account.
func startFleet(home string, fleet testbed.Fleet, denied string) (*testbed.AWS, error) {
	source := testbed.Key{ID: "AKIABENCH", Secret: "secret", Owner: "arn:aws:iam::123456789012:user/dba"}
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(home, ".aws", "config"), fleet.Config(source), 0o600); err != nil {
		return nil, err
	}
	keys := &testbed.Keys{}
	keys.Add(source)
	aws := testbed.StartAWS(keys)
	aws.AddFleet(fleet)
	for _, operation := range fleetCalls {
		aws.Delay(operation, latency)
	}
	if denied != "" {
		aws.Break(testbed.Fault{Operation: denied, Status: 403, Code: "AccessDenied", Message: "not authorized"})
	}
	return aws, nil
}

func printFleet(aws *testbed.AWS, took time.Duration, memory int64) {
	calls := 0
	for _, operation := range fleetCalls {
		calls += aws.Calls(operation)
	}
	fmt.Printf("discover: %d endpoints of %d accounts in %d regions each: %.1f s, %d MiB at most, %.1f calls for an account\n",
		fleet.Count(), fleet.Accounts, len(fleet.Regions), took.Seconds(), memory>>20,
		float64(calls)/float64(fleet.Accounts))
	least := time.Duration(calls) * latency / parallel
	fmt.Printf("          %d calls of %v, %d at once, take %.1f s by themselves: %.0f%% of the time\n\n",
		calls, latency, parallel, least.Seconds(), 100*least.Seconds()/took.Seconds())
}

// fleetCalls are what discover asks AWS.
var fleetCalls = []string{
	"AssumeRole", "GetCallerIdentity", "DescribeDBInstances", "DescribeDBClusters", "DescribeDBClusterEndpoints",
	"DescribeDBProxies", "DescribeDBProxyEndpoints", "DescribeGlobalClusters",
}
