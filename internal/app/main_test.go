package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

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
)

var endpoints = []testbed.Endpoint{
	{Host: orders, Port: 3306, Region: "eu-west-1"},
	{Host: orders, Port: 3307, Region: "eu-west-1"},
	{Host: single, Port: 3306, Region: "us-east-1"},
	{Host: world, Port: 3306, Region: "eu-central-1"},
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

// newBed makes a bed in a folder. A default profile is written unless the test brings AWS files.
func newBed(dir string) (*bed, error) {
	b := &bed{
		keys: &testbed.Keys{}, home: filepath.Join(dir, "home"),
		folder: filepath.Join(dir, "mysqlsh", "bin"), fakes: filepath.Join(dir, "fakes"),
	}
	b.keys.Add(testbed.Key{ID: keyID, Secret: keySecret, Owner: "arn:aws:iam::123456789012:user/dba"})
	b.keys.Add(testbed.Key{ID: "ASIAPASTED", Secret: "pasted-secret", SessionToken: "pasted-token", Owner: "arn:aws:sts::123456789012:assumed-role/pasted/x"})
	for _, d := range []string{filepath.Join(b.home, ".aws"), b.folder, b.fakes} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if files, err := os.ReadDir(filepath.Join(b.home, ".aws")); err != nil {
		return nil, err
	} else if len(files) == 0 {
		text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", keyID, keySecret)
		if err := os.WriteFile(filepath.Join(b.home, ".aws", "credentials"), []byte(text), 0o600); err != nil {
			return nil, err
		}
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
	return append(testbed.Env(b.home), append(b.aws.Env(), testbed.EnvFakeDir+"="+b.fakes, "PATH="+b.folder+string(filepath.ListSeparator)+os.Getenv("PATH"))...)
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

func TestScripts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the scripts use symbolic links, file modes and a POSIX shell")
	}
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			b, err := newBed(e.WorkDir)
			if err != nil {
				return err
			}
			e.Defer(b.close)
			e.Values["bed"] = b
			e.Vars = append(e.Vars, b.env()...)
			e.Vars = append(e.Vars,
				"KEY="+keyID, "SECRET="+keySecret, "AWS="+b.aws.URL, "SHELLDIR="+b.folder, "FAKES="+b.fakes,
				"RDS_PORT="+strconv.Itoa(b.rds.Port()), "HELPER="+b.helper,
				"CACHE="+filepath.Join(b.home, ".cache", "mysql-secret-store-rds"),
				"INVENTORY="+filepath.Join(b.home, ".config", "mysql-secret-store-rds", "inventory.txt"),
				"CONFIG="+filepath.Join(b.home, ".config", "mysql-secret-store-rds", "config.yaml"),
				"ORDERS="+orders, "SINGLE="+single, "WORLD="+world)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"shell":      cmdShell,
			"login":      cmdLogin,
			"calls":      cmdCalls,
			"fail":       cmdFail,
			"aws":        cmdAWS,
			"fake":       cmdFake,
			"edit-cache": cmdEditCache,
			"mode":       cmdMode,
			"count":      cmdCount,
			"within":     cmdWithin,
			"refused":    cmdRefused,
			"sso-login":  cmdSSOLogin,
			"authority":  cmdAuthority,
			"subst":      cmdSubst,
			"users":      func(ts *testscript.TestScript, _ bool, args []string) { bedOf(ts).rds.SetUsers(args...) },
		},
	})
}

func bedOf(ts *testscript.TestScript) *bed { return ts.Value("bed").(*bed) }

// environ is the script's present environment, for a program that is run outside of exec.
func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{
		"HOME", "PATH", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "GORACE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MYSQL_SECRET_STORE_RDS_CONFIG",
		"MYSQL_SECRET_STORE_RDS_CACHE_DIR", "MYSQL_SECRET_STORE_RDS_LOG", testbed.EnvFakeDir, testbed.EnvFakeMode,
		"AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_V1_DISABLED", "AWS_ENDPOINT_URL",
		"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_PAGER",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_DEFAULTS_MODE",
	} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// shell [-old] [-in FILE] [-no-flock ERRNO] get|store|erase|list|version [URL|TYPE [PASSWORD]] calls the
// program as MySQL Shell does, as 9.4 or, with -old, as 8.0. Its stdout is what the Shell reads. With
// -no-flock flock(2) fails, as on a file system that has no locks.
func cmdShell(ts *testscript.TestScript, neg bool, args []string) {
	b := bedOf(ts)
	sh := b.shell(environ(ts))
	var input []byte
	var noFlock syscall.Errno
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "-old":
			sh.Before94 = true
		case args[0] == "-in" && len(args) > 1:
			input = []byte(ts.ReadFile(args[1]))
			args = args[1:]
		case args[0] == "-no-flock" && len(args) > 1:
			if noFlock = flockErrors[args[1]]; noFlock == 0 {
				ts.Fatalf("unknown error %s", args[1])
			}
			args = args[1:]
		default:
			ts.Fatalf("unknown flag %s", args[0])
		}
		args = args[1:]
	}
	command, rest := args[0], args[1:]
	if input == nil {
		switch {
		case command == "list" && len(rest) == 1:
			input = []byte(`{"SecretType":"` + rest[0] + `"}`)
		case command != "list" && len(rest) > 0:
			input = sh.Request(rest[0], rest[1:]...)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var reply testbed.Reply
	var err error
	call := func() { reply, err = sh.Call(ctx, command, input) }
	if noFlock == 0 {
		call()
	} else {
		ts.Check(testbed.WithoutFlock(noFlock, call))
	}
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), reply.Output)
	ts.Setenv("status", strconv.Itoa(reply.ExitCode))
	if neg != (reply.ExitCode != 0) {
		ts.Fatalf("exit code %d: %s", reply.ExitCode, reply.Output)
	}
}

// flockErrors are what flock(2) may say where there are no locks.
var flockErrors = map[string]syscall.Errno{
	"ENOSYS": syscall.ENOSYS, "EOPNOTSUPP": syscall.EOPNOTSUPP, "ENOLCK": syscall.ENOLCK, "EINVAL": syscall.EINVAL,
}

// login [-old] URL does what the Shell does to connect, to the RDS-like server.
func cmdLogin(ts *testscript.TestScript, neg bool, args []string) {
	b := bedOf(ts)
	sh := b.shell(environ(ts))
	if args[0] == "-old" {
		sh.Before94, args = true, args[1:]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	db, err := sh.Login(ctx, args[0], b.rds)
	if err == nil {
		var who string
		ts.Check(db.QueryRowContext(ctx, "select current_user()").Scan(&who))
		ts.Check(db.Close())
		fmt.Fprintln(ts.Stdout(), "logged in as "+who)
	} else {
		fmt.Fprintln(ts.Stdout(), err)
	}
	if neg != (err != nil) {
		ts.Fatalf("login: %v (refused: %v)", err, b.rds.Refusals())
	}
}

// calls OPERATION N checks how often AWS was asked.
func cmdCalls(ts *testscript.TestScript, neg bool, args []string) {
	if got := strconv.Itoa(bedOf(ts).aws.Calls(args[0])); (got == args[1]) == neg {
		ts.Fatalf("%s was called %s times", args[0], got)
	}
}

// fail OPERATION N STATUS CODE [MESSAGE] makes AWS fail.
func cmdFail(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	status, err := strconv.Atoi(args[2])
	ts.Check(err)
	bedOf(ts).aws.Fail(args[0], n, status, args[3], strings.Join(args[4:], " "))
}

// aws life|delay|imdsv1 changes what AWS does; aws container|instance prints nothing and sets the
// environment of such a place; aws assumed prints the parameters of the AssumeRole calls.
func cmdAWS(ts *testscript.TestScript, _ bool, args []string) {
	a := bedOf(ts).aws
	setenv := func(env []string) {
		for _, v := range env {
			name, value, _ := strings.Cut(v, "=")
			ts.Setenv(name, value)
		}
	}
	switch args[0] {
	case "life":
		a.Life = duration(ts, args[1])
	case "max-session":
		a.MaxSession = duration(ts, args[1])
	case "skew":
		a.Skew = duration(ts, args[1])
	case "approve-after":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		a.ApproveAfter = n
	case "deny-role":
		a.DenyRole(args[1])
	case "break": // OPERATION STATUS CODE [REGION]
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		f := testbed.Fault{Operation: args[1], Status: n, Code: args[3], Message: "said the test server"}
		if len(args) > 4 {
			f.Region = args[4]
		}
		a.Break(f)
	case "mend":
		a.Mend()
	case "servers": // ACCOUNT REGION ID: an instance on port 3307, a cluster, a PostgreSQL server
		a.SetServers(args[1], args[2], someServers(args[1], args[2], args[3]))
	case "allow":
		a.AllowConnect(args[1])
	case "add-role":
		a.AddRole(args[1])
	case "regions": // ACCOUNT REGION...
		var regions []testbed.Region
		for _, name := range args[2:] {
			regions = append(regions, testbed.Region{Name: name, OptIn: "opted-in"})
		}
		a.SetRegions(args[1], regions...)
	case "token-length":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		a.TokenLength = n
	case "delay":
		a.Delay(args[1], duration(ts, args[2]))
	case "imdsv1":
		a.IMDSv1 = true
	case "container":
		setenv(a.ContainerEnv())
	case "instance":
		setenv(a.InstanceEnv())
	case "assumed":
		for _, p := range a.Assumed() {
			fmt.Fprintf(ts.Stdout(), "%s by %s session %s external %s seconds %s code %s\n", p.Get("RoleArn"), p.Get("Caller"),
				p.Get("RoleSessionName"), p.Get("ExternalId"), p.Get("DurationSeconds"), p.Get("TokenCode"))
		}
	default:
		ts.Fatalf("aws %s?", args[0])
	}
}

func duration(ts *testscript.TestScript, text string) time.Duration {
	d, err := time.ParseDuration(text)
	ts.Check(err)
	return d
}

// someServers are the servers of an account's region.
func someServers(account, region, id string) testbed.Servers {
	arn := func(rest string) string { return "arn:aws:rds:" + region + ":" + account + ":" + rest }
	host := func(rest string) string { return rest + id + "." + region + ".rds.amazonaws.com" }
	return testbed.Servers{
		Instances: []testbed.DBInstance{
			{Identifier: "shop", ARN: arn("db:shop"), ResourceID: "db-SHOP", Engine: "mysql", EngineVersion: "8.0.40", Status: "available",
				Host: host("shop."), Port: 3307, IAM: true, MasterUsername: "admin", Tags: map[string]string{"team": "web"}},
			{Identifier: "ledger", ARN: arn("db:ledger"), ResourceID: "db-LEDGER", Engine: "postgres", EngineVersion: "16.3", Status: "available",
				Host: host("ledger."), Port: 5432},
		},
		Clusters: []testbed.DBCluster{{
			Identifier: "orders", ARN: arn("cluster:orders"), ResourceID: "cluster-ORDERS", Engine: "aurora-mysql", EngineVersion: "8.0.mysql_aurora.3.08.0",
			Status: "available", Host: host("orders.cluster-"), ReaderHost: host("orders.cluster-ro-"), Port: 3306, IAM: true,
			MasterUsername: "admin", MasterSecretARN: "arn:aws:secretsmanager:" + region + ":" + account + ":secret:orders",
		}},
	}
}

// fake NAME [FOLDER] installs a helper to delegate to, beside mysqlsh or in a folder.
func cmdFake(ts *testscript.TestScript, _ bool, args []string) {
	folder := bedOf(ts).folder
	if len(args) > 1 {
		folder = ts.MkAbs(args[1])
		ts.Check(os.MkdirAll(folder, 0o700))
	}
	_, err := testbed.Install(fakeHelper, folder, args[0])
	ts.Check(err)
}

// edit-cache KEY VALUE changes the one cache entry; a value like +30s or -14m is a time from now.
func cmdEditCache(ts *testscript.TestScript, _ bool, args []string) {
	files, err := filepath.Glob(filepath.Join(ts.Getenv("CACHE"), "*.json"))
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("%d cache entries, not 1", len(files))
	}
	b, err := os.ReadFile(files[0])
	ts.Check(err)
	var entry map[string]any
	ts.Check(json.Unmarshal(b, &entry))
	if d, err := time.ParseDuration(args[1]); err == nil && strings.ContainsAny(args[1][:1], "+-") {
		entry[args[0]] = time.Now().Add(d)
	} else if n, err := strconv.Atoi(args[1]); err == nil {
		entry[args[0]] = n
	} else {
		entry[args[0]] = args[1]
	}
	b, err = json.Marshal(entry)
	ts.Check(err)
	ts.Check(os.WriteFile(files[0], b, 0o600))
}

// mode MODE PATH... checks permissions; a path may be a pattern.
func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	for _, pattern := range args[1:] {
		files, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		if len(files) == 0 {
			ts.Fatalf("no file %s", pattern)
		}
		for _, f := range files {
			info, err := os.Stat(f)
			ts.Check(err)
			if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
				ts.Fatalf("%s has mode %s, not %s", f, got, args[0])
			}
		}
	}
}

// count N PATTERN [FILE] checks how many lines of a file match; with no file, how many files there are.
func cmdCount(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	if len(args) == 2 {
		files, err := filepath.Glob(ts.MkAbs(args[1]))
		ts.Check(err)
		n = len(files)
	} else {
		re := regexp.MustCompile(args[1])
		for _, line := range strings.Split(ts.ReadFile(args[2]), "\n") {
			if re.MatchString(line) {
				n++
			}
		}
	}
	if strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d, not %s", n, args[0])
	}
}

// within DURATION start|end measures the time between two lines of a script.
func cmdWithin(ts *testscript.TestScript, neg bool, args []string) {
	if args[0] == "start" {
		ts.Setenv("started", strconv.FormatInt(time.Now().UnixNano(), 10))
		return
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	ns, err := strconv.ParseInt(ts.Getenv("started"), 10, 64)
	ts.Check(err)
	if took := time.Since(time.Unix(0, ns)); (took <= limit) == neg {
		ts.Fatalf("took %v", took)
	}
}

// refused REGEXP checks why the RDS-like server refused the last login.
func cmdRefused(ts *testscript.TestScript, _ bool, args []string) {
	all := bedOf(ts).rds.Refusals()
	if len(all) == 0 || !regexp.MustCompile(args[0]).MatchString(all[len(all)-1]) {
		ts.Fatalf("refusals: %q", all)
	}
}

// sso-login SESSION LIFE [refreshable] writes the token that "aws sso login" would.
func cmdSSOLogin(ts *testscript.TestScript, _ bool, args []string) {
	life, err := time.ParseDuration(args[1])
	ts.Check(err)
	b := bedOf(ts)
	write := b.aws.SSOLogin
	if len(args) > 2 && args[2] == "refreshable" {
		write = b.aws.SSORefreshableLogin
	}
	file, text := write(b.home, args[0], life)
	ts.Check(errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600)))
}

// authority FILE writes the certificate of the authority that the RDS-like server's is of.
func cmdAuthority(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bedOf(ts).rds.CAPEM, 0o600))
}

// subst FILE expands ${VARIABLES} in it.
func cmdSubst(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
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
