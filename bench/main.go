// Bench compares the program's start-up, in one run and side by side, with that of an empty Go
// program and of the AWS CLI making the same token, and shows that neither many cache entries nor a
// large configuration or inventory slow a cached get. Before that it runs discover for a fleet of
// 40,000 endpoints. It prints medians and ratios; with -limit it fails when version or a cached get
// takes more than that many times an empty program's time, a lookup among the 40,000 or a key in
// connect's list of them more than 10 ms, or discover more than 400 MiB.
//
//	go run ./bench [-n RUNS] [-limit RATIO]
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

const host = "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"

func main() {
	runs := flag.Int("n", 200, "runs of each program; the AWS CLI has a twentieth of them")
	limit := flag.Float64("limit", 0, "fail above this ratio; 0 is none")
	flag.Parse()
	if err := bench(*runs, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// program is one thing to time.
type program struct {
	name  string
	args  []string
	env   []string
	input []byte
	every int // run in each so many rounds
	took  []time.Duration
}

func (p *program) run() error {
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Env, cmd.Stdin = p.env, bytes.NewReader(p.input)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	p.took = append(p.took, time.Since(start))
	if err != nil {
		return fmt.Errorf("%s: %w: %s", p.name, err, out)
	}
	return nil
}

func (p *program) median() time.Duration {
	slices.Sort(p.took)
	return p.took[len(p.took)/2]
}

func bench(runs int, limit float64) (err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	empty, helper, err := build(dir)
	if err != nil {
		return err
	}
	if err := pressKeys(limit > 0); err != nil {
		return err
	}
	inventory, err := discoverFleet(dir, helper, "", limit > 0)
	if err == nil {
		_, err = discoverFleet(dir, helper, "DescribeDBProxies", limit > 0)
	}
	if err == nil {
		err = learnOne(dir, helper, limit > 0)
	}
	if err != nil {
		return err
	}
	programs := []*program{
		{name: "empty Go program", args: []string{empty}},
		{name: "version", args: []string{helper, "version"}, env: testbed.Env(dir)},
	}
	for _, size := range []struct {
		name           string
		entries, rules int
		inventory      string
	}{
		{"cached get", 0, 0, ""},
		{"cached get, 10 entries, 10 rules", 10, 10, ""},
		{"cached get, 10,000 entries", 10_000, 10, ""},
		{"cached get, 1,000 rules and servers", 10, 1000, ""},
		{"cached get, 40,000 endpoints known", 0, 0, inventory},
	} {
		home, err := os.MkdirTemp(dir, "home")
		if err != nil {
			return err
		}
		if err := fill(home, size.entries, size.rules, size.inventory); err != nil {
			return err
		}
		env := append(testbed.Env(home), "AWS_ACCESS_KEY_ID=AKIABENCH", "AWS_SECRET_ACCESS_KEY=secret")
		p := &program{name: size.name, args: []string{helper, "get"}, env: env,
			input: testbed.Shell{}.Request("dba@" + host + ":3306")}
		if err := p.run(); err != nil { // signs; the rest is served from the cache
			return err
		}
		p.took = nil
		programs = append(programs, p)
	}
	cached := programs[1:] // version and the cached gets
	anew := func(p *program, name string) *program {
		signing := *p
		signing.name = name
		signing.env = append(slices.Clone(p.env), "MYSQL_SECRET_STORE_RDS_CACHE_DIR="+os.DevNull)
		programs = append(programs, &signing)
		return &signing
	}
	unknown, known := anew(programs[2], "get, signed anew"), anew(programs[6],
		"get, signed anew, 40,000 endpoints known")
	if aws := findAWS(); aws != "" {
		cli := &program{
			name: "aws rds generate-db-auth-token",
			args: []string{aws, "rds", "generate-db-auth-token", "--hostname", host, "--port", "3306", "--region",
				"eu-west-1", "--username", "dba"},
			env: append(testbed.Env(dir), "AWS_ACCESS_KEY_ID=AKIABENCH", "AWS_SECRET_ACCESS_KEY=secret"), every: 20,
		}
		if err := cli.run(); err == nil {
			programs = append(programs, cli)
		} else {
			fmt.Println("The AWS CLI doesn't run in an empty home: left out.")
		}
	} else {
		fmt.Println("The AWS CLI isn't on PATH: left out.")
	}

	// Round by round, so that a machine that slows down does so for all of them.
	for round := range runs + 3 {
		for _, p := range programs {
			if p.every == 0 || round%p.every == 0 {
				if err := p.run(); err != nil {
					return err
				}
			}
		}
		if round < 3 { // warm-up
			for _, p := range programs {
				if p.every == 0 {
					p.took = nil
				}
			}
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "median\tof the empty program's\truns\t  whole process\t")
	for _, p := range programs {
		fmt.Fprintf(table, "%.2f ms\t%.2f×\t%d\t  %s\t\n", float64(p.median())/1e6,
			float64(p.median())/float64(programs[0].median()), len(p.took), p.name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more := known.median() - unknown.median(); limit > 0 && more > inventoryLimit {
		return fmt.Errorf("40,000 known endpoints cost a get %v; the limit is %v", more, inventoryLimit)
	}
	for _, p := range cached {
		if ratio := float64(p.median()) / float64(programs[0].median()); limit > 0 && ratio > limit {
			return fmt.Errorf("%s takes %.2f times as long as an empty program; the limit is %g", p.name, ratio, limit)
		}
	}
	return nil
}

// findAWS prefers a system's AWS CLI to one that needs the user's own home.
func findAWS() string {
	for _, name := range []string{"/usr/bin/aws", "aws"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// build makes the empty program and the real one, both static.
func build(dir string) (empty, helper string, err error) {
	source := filepath.Join(dir, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return "", "", err
	}
	empty = filepath.Join(dir, "empty")
	cmd := exec.Command("go", "build", "-o", empty, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("go build: %w: %s", err, out)
	}
	helper, err = testbed.BuildHelper(context.Background(), dir)
	return empty, helper, err
}

// inventoryLimit is what a lookup among 40,000 endpoints may cost.
const inventoryLimit = 10 * time.Millisecond

// fill gives a home a cache of so many entries, a configuration of so many rules and as many
// servers, none of which is the one that is asked for, and an inventory, if any.
func fill(home string, entries, rules int, inventory string) error {
	cache := filepath.Join(home, ".cache", "mysql-secret-store-rds")
	config := filepath.Join(home, ".config", "mysql-secret-store-rds")
	for _, d := range []string{cache, config} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	for i := range entries {
		file := filepath.Join(cache, fmt.Sprintf("%032x.json", i))
		if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 1000), 0o600); err != nil {
			return err
		}
	}
	if inventory != "" {
		text, err := os.ReadFile(inventory)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(config, "inventory.txt"), text, 0o600); err != nil {
			return err
		}
	}
	if rules == 0 {
		return nil
	}
	var yaml strings.Builder
	yaml.WriteString("servers:\n")
	for i := range rules {
		fmt.Fprintf(&yaml, "  server%d.zzzzzzzzzzzz.eu-west-1.rds.amazonaws.com: {aws_profile: p%d}\n", i, i)
	}
	yaml.WriteString("rules:\n")
	for i := range rules {
		fmt.Fprintf(&yaml, "  - host: 'team%d-.*\\.rds\\.amazonaws\\.com'\n    aws_profile: p%d\n", i, i)
	}
	return os.WriteFile(filepath.Join(config, "config.yaml"), []byte(yaml.String()), 0o600)
}
