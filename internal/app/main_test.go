package app_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// The real binary and a helper to delegate to, built once.
var program, fakeHelper string

func TestMain(m *testing.M) {
	os.Exit(testbed.RunWith(func(ctx context.Context, dir string) (err error) {
		if program, err = testbed.BuildHelper(ctx, dir); err != nil {
			return err
		}
		fakeHelper, err = testbed.BuildFakeHelper(ctx, dir)
		return err
	}, m.Run))
}

// The servers of every test: the RDS-like server answers for these names.
const (
	orders = "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"
	single = "single.abcdefghijkl.us-east-1.rds.amazonaws.com"
	world  = "world.global-abcdefghijkl.global.rds.amazonaws.com"
	shop   = "shop.abcdefghijkl.eu-west-1.rds.amazonaws.com"
)

var endpoints = []testbed.Endpoint{
	{Host: orders, Port: 3306, Region: "eu-west-1"},
	{Host: orders, Port: 3307, Region: "eu-west-1"},
	{Host: single, Port: 3306, Region: "us-east-1"},
	{Host: world, Port: 3306, Region: "eu-central-1"},
	{Host: shop, Port: 3306, Region: "eu-west-1"},
}

// A bed is one test's world: servers, a home, and the program beside a Shell.
type bed struct {
	keys   *testbed.Keys
	aws    *testbed.AWS
	rds    *testbed.RDS
	home   string
	folder string // of mysqlsh
	helper string // the program there, by symbolic link
	fakes  string // where fake helpers keep their things
}

const (
	keyID     = "AKIATESTBED"
	keySecret = "top/secret+key"
)

// newBed makes a bed in a folder.
func newBed(dir string) (*bed, error) {
	b := &bed{
		keys: &testbed.Keys{}, home: filepath.Join(dir, "home"),
		folder: filepath.Join(dir, "mysqlsh", "bin"), fakes: filepath.Join(dir, "fakes"),
	}
	b.keys.Add(testbed.Key{ID: keyID, Secret: keySecret, Owner: "arn:aws:iam::123456789012:user/dba"})
	b.keys.Add(testbed.Key{ID: "ASIAPASTED", Secret: "pasted-secret", SessionToken: "pasted-token",
		Owner: "arn:aws:sts::123456789012:assumed-role/pasted/x"})
	for _, d := range []string{filepath.Join(b.home, ".aws"), b.folder, b.fakes} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if err := b.defaultProfile(); err != nil {
		return nil, err
	}
	var err error
	if b.helper, err = testbed.Install(program, b.folder, "rds"); err != nil {
		return nil, err
	}
	// It stands before any real one, and says how it was called.
	if err := writeFile(filepath.Join(b.folder, "mysqlsh"), standIn); err != nil {
		return nil, err
	}
	b.aws = testbed.StartAWS(b.keys)
	b.rds, err = testbed.StartRDS(b.keys, endpoints...)
	return b, err
}

// defaultProfile writes the keys of a default profile, unless the test has brought a file of keys.
func (b *bed) defaultProfile() error {
	file := filepath.Join(b.home, ".aws", "credentials")
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", keyID, keySecret)
	return os.WriteFile(file, []byte(text), 0o600)
}

const standIn = `#!/bin/sh
if test "$1" = --version; then
	echo "mysqlsh   Ver 9.6.0 for Linux on x86_64 - for MySQL 9.6.0 (a stand-in)"
	exit
fi
for a in "$@"; do echo "$a"; done
if test -n "$MYSQL_PWD"; then echo MYSQL_PWD is set; fi
`

func (b *bed) close() {
	b.aws.Close()
	b.rds.Close()
}

// env is the user's environment.
func (b *bed) env() []string {
	path := b.folder + string(filepath.ListSeparator) + os.Getenv("PATH")
	return slices.Concat(testbed.Env(b.home), b.aws.Env(), []string{testbed.EnvFakeDir + "=" + b.fakes, "PATH=" + path})
}

func (b *bed) shell(env []string) testbed.Shell {
	return testbed.Shell{Helper: b.helper, Env: env, Dir: b.home, NoTerminal: true}
}

// startBed is newBed for a Go test.
func startBed(t *testing.T) *bed {
	t.Helper()
	b, err := newBed(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

func testContext(t interface{ Context() context.Context }) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 60*time.Second)
}

// someServers are the servers of an account's region: an instance on port 3307, a PostgreSQL
// server, a cluster with a writer and a reader. The id is the one in their host names.
func someServers(account, region, id string) testbed.Servers {
	arn := func(rest string) string { return "arn:aws:rds:" + region + ":" + account + ":" + rest }
	host := func(rest string) string { return rest + id + "." + region + ".rds.amazonaws.com" }
	return testbed.Servers{
		Instances: []testbed.DBInstance{
			{Identifier: "shop", ARN: arn("db:shop"), ResourceID: "db-SHOP", Engine: "mysql", EngineVersion: "8.0.40",
				Status: "available", Host: host("shop."), Port: 3307, IAM: true, MasterUsername: "admin",
				Tags: map[string]string{"team": "web"}},
			{Identifier: "ledger", ARN: arn("db:ledger"), ResourceID: "db-LEDGER", Engine: "postgres", EngineVersion: "16.3",
				Status: "available", Host: host("ledger."), Port: 5432},
		},
		Clusters: []testbed.DBCluster{{
			Identifier: "orders", ARN: arn("cluster:orders"), ResourceID: "cluster-ORDERS", Engine: "aurora-mysql",
			EngineVersion: "8.0.mysql_aurora.3.08.0", Status: "available", Host: host("orders.cluster-"),
			ReaderHost: host("orders.cluster-ro-"), Port: 3306, IAM: true, MasterUsername: "admin",
			MasterSecretARN: "arn:aws:secretsmanager:" + region + ":" + account + ":secret:orders",
		}},
	}
}

// writeProgram writes a script. A child that another test starts meanwhile would inherit the open
// file for a moment, in which it can't be run: "text file busy" (https://go.dev/issue/22315).
func writeProgram(t *testing.T, file, text string) {
	t.Helper()
	if err := writeFile(file, text); err != nil {
		t.Fatal(err)
	}
}

func writeFile(file, text string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(file, []byte(text), 0o700)
}

// peer skips a test when the program that it compares with isn't there, or fails it where
// MYSQL_SECRET_STORE_RDS_TEST_PEERS says that all of them are.
func peer(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, fmt.Sprintf("no %s on this machine; install it to compare with it", names[len(names)-1]))
	return ""
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("MYSQL_SECRET_STORE_RDS_TEST_PEERS") == "required" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// run runs a program to its end and gives its output.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := testContext(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}
