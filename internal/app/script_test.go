package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/testbed"
)

// TestScripts runs testdata/script, where each file shows one behaviour of the real program.
func TestScripts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the scripts use symbolic links, file modes and a POSIX shell")
	}
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		UpdateScripts:      os.Getenv("UPDATE_SCRIPTS") != "",
		RequireUniqueNames: true,
		Setup:              setUpScript,
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: scriptCommands,
	})
}

func setUpScript(e *testscript.Env) error {
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
		"ORDERS="+orders, "SINGLE="+single, "WORLD="+world, "MANAGED="+managedARN)
	return nil
}

// scriptCommands are the scripts' own commands, beside testscript's; [!] marks those that can be
// negated. A script starts with servers and a home as newBed makes them: $HELPER is beside a MySQL
// Shell, a stand-in that prints its arguments, and there is a default AWS profile with the keys
// $KEY and $SECRET, unless the script brings home/.aws/credentials.
//
// These call the program, $HELPER, which exec can call, too:
//
//	[!] shell [-old] [-in FILE] COMMAND [URL [PASSWORD]|TYPE]
//		as MySQL Shell 9.4 does, or 8.0 with -old; stdout is what the Shell reads, $status the
//		exit code
//	[!] login [-old] URL
//		and does with the token what the Shell does: logs in, and erases it when it is refused
//
// These change what it finds on its machine:
//
//	fleet                    servers in two accounts, stage and prod, and an AWS configuration that has a
//	                         profile for each, others that find nothing or fail, and no default profile
//	sso-profile NAME         a profile in the AWS configuration, of the SSO session corp
//	sso-login SESSION LIFE [refreshable]
//	                         the token file that "aws sso login" writes
//	packaged-shell           a MySQL Shell that hasn't the helper yet, as a package installs it: in
//	                         opt/shell/bin, with a link to it in bin, which is in front of PATH
//	code-shell FOLDER        the one of MySQL Shell for VS Code, in its extension's folder
//	fake NAME [FOLDER]       a helper to delegate to, beside MySQL Shell or in a folder
//	edit-cache [-credentials] KEY VALUE
//	                         another value in the only cached token, or the only kept credentials;
//	                         +30s or -14m is a time from now
//	authority FILE           the certificate of the RDS server's authority
//	subst FILE               the file with ${VARIABLES} expanded
//
// These change its servers:
//
//	users NAME...            the RDS server's only users with tokens, instead of any
//	password USER PLUGIN PASSWORD
//	                         a user of the RDS server with a password
//	fail OPERATION N STATUS CODE [MESSAGE]
//	                         AWS fails N times
//	aws SETTING [VALUE...]   see cmdAWS; "aws assumed" prints the AssumeRole calls
//
// These check what came of it:
//
//	[!] calls OPERATION N    how often AWS was called
//	refused REGEXP           why the RDS server refused the last login
//	mode MODE FILE...        permissions; FILE may be a pattern
//	count N REGEXP FILE      how many lines match
//	count N PATTERN          how many files there are
//	[!] within DURATION      the time since "within start"
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"shell": cmdShell,
	"login": cmdLogin,

	"fleet":          cmdFleet,
	"sso-profile":    cmdSSOProfile,
	"sso-login":      cmdSSOLogin,
	"packaged-shell": cmdPackagedShell,
	"code-shell":     cmdCodeShell,
	"fake":           cmdFake,
	"edit-cache":     cmdEditCache,
	"authority":      cmdAuthority,
	"subst":          cmdSubst,

	"users":    cmdUsers,
	"password": cmdPassword,
	"fail":     cmdFail,
	"aws":      cmdAWS,

	"calls":   cmdCalls,
	"refused": cmdRefused,
	"mode":    cmdMode,
	"count":   cmdCount,
	"within":  cmdWithin,
}

func bedOf(ts *testscript.TestScript) *bed { return ts.Value("bed").(*bed) }

// environ is the script's present environment, for a program that is run outside of exec.
func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{
		"HOME", "PATH", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "GORACE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
		"MYSQL_SECRET_STORE_RDS_CONFIG", "MYSQL_SECRET_STORE_RDS_CACHE_DIR", "MYSQL_SECRET_STORE_RDS_LOG", stamp.EnvProfile,
		testbed.EnvFakeDir, testbed.EnvFakeMode,
		"AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_V1_DISABLED", "AWS_ENDPOINT_URL",
		"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_PAGER",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_DEFAULTS_MODE",
	} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

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

func cmdFleet(ts *testscript.TestScript, _ bool, _ []string) {
	b := bedOf(ts)
	b.aws.SetServers("111111111111", "eu-west-1", someServers("111111111111", "eu-west-1", "aaaaaaaaaaaa"))
	b.aws.SetServers("222222222222", "us-east-1", someServers("222222222222", "us-east-1", "bbbbbbbbbbbb"))
	ts.Check(os.Remove(filepath.Join(b.home, ".aws", "credentials")))
	ts.Check(os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(fleetProfiles), 0o600))
}

const fleetProfiles = `[profile keys]
region = eu-west-1
aws_access_key_id = ` + keyID + `
aws_secret_access_key = ` + keySecret + `
[profile prod]
region = eu-west-1
role_arn = arn:aws:iam::111111111111:role/dba
source_profile = keys
[profile stage]
region = us-east-1
role_arn = arn:aws:iam::222222222222:role/dba
source_profile = keys
[profile empty-account]
region = us-east-1
role_arn = arn:aws:iam::333333333333:role/dba
source_profile = keys
[profile noregion]
role_arn = arn:aws:iam::111111111111:role/other
source_profile = keys
[profile expired]
region = eu-west-1
sso_session = corp
sso_account_id = 111111111111
sso_role_name = dba
[profile other]
region = us-east-1
role_arn = arn:aws:iam::222222222222:role/other
source_profile = keys
[profile corp]
region = eu-west-1
role_arn = arn:aws:iam::333333333333:role/dba
source_profile = keys
` + ssoSession

const ssoSession = `[sso-session corp]
sso_start_url = https://testbed.awsapps.com/start
sso_region = eu-west-1
`

func cmdSSOProfile(ts *testscript.TestScript, _ bool, args []string) {
	file := filepath.Join(bedOf(ts).home, ".aws", "config")
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		ts.Check(err)
	}
	if !bytes.Contains(text, []byte(ssoSession)) {
		text = append(text, ssoSession...)
	}
	text = fmt.Appendf(text, "[profile %s]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = 123456789012\n"+
		"sso_role_name = dba\n", args[0])
	ts.Check(os.WriteFile(file, text, 0o600))
}

func cmdSSOLogin(ts *testscript.TestScript, _ bool, args []string) {
	b := bedOf(ts)
	write := b.aws.SSOLogin
	if len(args) > 2 && args[2] == "refreshable" {
		write = b.aws.SSORefreshableLogin
	}
	file, text := write(b.home, args[0], duration(ts, args[1]))
	ts.Check(errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600)))
}

func cmdPackagedShell(ts *testscript.TestScript, _ bool, _ []string) {
	for _, folder := range []string{"opt/shell/bin", "bin", "home/.mysqlsh"} {
		ts.Check(os.MkdirAll(ts.MkAbs(folder), 0o700))
	}
	ts.Check(writeFile(ts.MkAbs("opt/shell/bin/mysqlsh"), standIn))
	ts.Check(os.Symlink("../opt/shell/bin/mysqlsh", ts.MkAbs("bin/mysqlsh")))
	ts.Setenv("PATH", ts.MkAbs("bin")+":/usr/bin:/bin")
	ts.Setenv("SHELL", "/bin/bash")
}

func cmdCodeShell(ts *testscript.TestScript, _ bool, args []string) {
	folder := ts.MkAbs(filepath.Join(args[0], "shell", "bin"))
	ts.Check(os.MkdirAll(folder, 0o700))
	ts.Check(writeFile(filepath.Join(folder, "mysqlsh"), standIn))
}

func cmdFake(ts *testscript.TestScript, _ bool, args []string) {
	folder := bedOf(ts).folder
	if len(args) > 1 {
		folder = ts.MkAbs(args[1])
		ts.Check(os.MkdirAll(folder, 0o700))
	}
	_, err := testbed.Install(fakeHelper, folder, args[0])
	ts.Check(err)
}

func cmdEditCache(ts *testscript.TestScript, _ bool, args []string) {
	pattern := "*.json"
	if args[0] == "-credentials" {
		pattern, args = "*.creds", args[1:]
	}
	files, err := filepath.Glob(filepath.Join(ts.Getenv("CACHE"), pattern))
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
	delete(entry, "checksum")
	b, err = json.Marshal(entry)
	ts.Check(err)
	ts.Check(os.WriteFile(files[0], cache.Seal(b), 0o600))
}

func cmdAuthority(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bedOf(ts).rds.CAPEM, 0o600))
}

func cmdSubst(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func cmdUsers(ts *testscript.TestScript, _ bool, args []string) {
	bedOf(ts).rds.SetUsers(args...)
}

func cmdPassword(ts *testscript.TestScript, _ bool, args []string) {
	bedOf(ts).rds.SetPassword(args[0], args[1], args[2])
}

func cmdFail(ts *testscript.TestScript, _ bool, args []string) {
	n, status := number(ts, args[1]), number(ts, args[2])
	bedOf(ts).aws.Fail(args[0], n, status, args[3], strings.Join(args[4:], " "))
}

// cmdAWS changes what AWS is or does.
func cmdAWS(ts *testscript.TestScript, _ bool, args []string) {
	a, setting, args := bedOf(ts).aws, args[0], args[1:]
	switch setting {
	// What it gives out.
	case "life":
		a.Life = duration(ts, args[0])
	case "max-session":
		a.MaxSession = duration(ts, args[0])
	case "token-length":
		a.TokenLength = number(ts, args[0])
	case "approve-after": // as many polls of the device flow
		a.ApproveAfter(number(ts, args[0]))

	// What there is, and who may do what.
	case "servers", "servers-without-iam", "servers-impaired": // ACCOUNT REGION ID: see someServers
		servers := someServers(args[0], args[1], args[2])
		if setting == "servers-impaired" {
			servers.Clusters[0].MasterSecretStatus = "impaired"
		}
		if setting == "servers-without-iam" {
			servers.Instances[0].IAM, servers.Clusters[0].IAM = false, false
		}
		a.SetServers(args[0], args[1], servers)
	case "secret": // ARN JSON, ARN USER PASSWORD, or ARN binary|deleted|no-key
		a.SetSecret(secretOf(args[0], args[1:]))
	case "rotate": // ARN USER PASSWORD
		a.BeginRotation(args[0], credential(args[1], args[2]))
	case "rotated": // ARN
		a.EndRotation(args[0])
	case "regions": // ACCOUNT REGION...
		setRegions(a, args[0], args[1:])
	case "allow": // ARN: to connect
		a.AllowConnect(args[0])
	case "deny-role":
		a.DenyRole(args[0])

	// How it fails.
	case "skew":
		a.Skew = duration(ts, args[0])
	case "delay":
		a.Delay(args[0], duration(ts, args[1]))
	case "break": // OPERATION STATUS CODE [REGION]
		a.Break(fault(ts, args))
	case "mend":
		a.Mend()

	// Where the program runs.
	case "container":
		setenv(ts, a.ContainerEnv())
	case "instance":
		setenv(ts, a.InstanceEnv())
	case "imdsv1":
		a.IMDSv1 = true

	case "assumed":
		for _, p := range a.Assumed() {
			fmt.Fprintf(ts.Stdout(), "%s by %s session %s external %s seconds %s code %s\n", p.Get("RoleArn"), p.Get("Caller"),
				p.Get("RoleSessionName"), p.Get("ExternalId"), p.Get("DurationSeconds"), p.Get("TokenCode"))
		}
	default:
		ts.Fatalf("aws %s?", setting)
	}
}

// managedARN is where the password of orders' master user is in account 123456789012; see
// someServers.
const managedARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders"

// credential is a secret as RDS writes it.
func credential(user, password string) string {
	text, _ := json.Marshal(map[string]string{"username": user, "password": password}) // texts can't fail
	return string(text)
}

func secretOf(arn string, value []string) testbed.Secret {
	s := testbed.Secret{ARN: arn, Stages: map[string]string{"AWSCURRENT": value[0]}}
	switch {
	case len(value) == 2:
		s.Stages["AWSCURRENT"] = credential(value[0], value[1])
	case value[0] == "binary":
		s.Binary = true
	case value[0] == "deleted":
		s.Deleted = true
	case value[0] == "no-key":
		s.KMSDenied = true
	}
	return s
}

func setRegions(a *testbed.AWS, account string, names []string) {
	var regions []testbed.Region
	for _, name := range names {
		regions = append(regions, testbed.Region{Name: name, OptIn: "opted-in"})
	}
	a.SetRegions(account, regions...)
}

func fault(ts *testscript.TestScript, args []string) testbed.Fault {
	f := testbed.Fault{Operation: args[0], Status: number(ts, args[1]), Code: args[2], Message: "said the test server"}
	if len(args) > 3 {
		f.Region = args[3]
	}
	return f
}

func setenv(ts *testscript.TestScript, env []string) {
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		ts.Setenv(name, value)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func duration(ts *testscript.TestScript, text string) time.Duration {
	d, err := time.ParseDuration(text)
	ts.Check(err)
	return d
}

func cmdCalls(ts *testscript.TestScript, neg bool, args []string) {
	if got := strconv.Itoa(bedOf(ts).aws.Calls(args[0])); (got == args[1]) == neg {
		ts.Fatalf("%s was called %s times", args[0], got)
	}
}

func cmdRefused(ts *testscript.TestScript, _ bool, args []string) {
	all := bedOf(ts).rds.Refusals()
	if len(all) == 0 || !regexp.MustCompile(args[0]).MatchString(all[len(all)-1]) {
		ts.Fatalf("refusals: %q", all)
	}
}

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

func cmdWithin(ts *testscript.TestScript, neg bool, args []string) {
	if args[0] == "start" {
		ts.Setenv("started", strconv.FormatInt(time.Now().UnixNano(), 10))
		return
	}
	limit := duration(ts, args[0])
	ns, err := strconv.ParseInt(ts.Getenv("started"), 10, 64)
	ts.Check(err)
	if took := time.Since(time.Unix(0, ns)); (took <= limit) == neg {
		ts.Fatalf("took %v", took)
	}
}
