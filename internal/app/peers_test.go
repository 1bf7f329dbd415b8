package app_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/testbed"
)

// awsCLI returns a command that runs the AWS CLI in a bed's environment.
func awsCLI(t *testing.T, env []string) string {
	t.Helper()
	path := peer(t, "/usr/bin/aws", "aws") // Debian's before one that needs the user's own home
	cmd := exec.Command(path, "--version")
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "the AWS CLI doesn't run in an empty home: "+string(out))
	}
	return path
}

var generate = []string{"rds", "generate-db-auth-token", "--hostname", orders, "--port", "3306", "--region", "eu-west-1", "--username"}

// TestAWSCLITokenIsAccepted: the independent peer's token passes the test server's checks, so
// these ask for no more than AWS does.
func TestAWSCLITokenIsAccepted(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	aws := awsCLI(t, b.env())
	token := strings.TrimSpace(run(t, b.env(), aws, append(generate, "dba")...))
	ctx, cancel := testContext(t)
	defer cancel()
	db, err := testbed.Connect(ctx, "dba", orders, 3306, token, b.rds)
	if err != nil {
		t.Fatalf("%v: %v", err, b.rds.Refusals())
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestSameSignatureAsAWSCLI: for the same input and the same second the AWS CLI makes our token,
// but for the "/" that it alone writes before the "?".
func TestSameSignatureAsAWSCLI(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, user string }{
		{"plain", "dba"},
		{"odd user", "te!st#@/ +=&~é"},
		{"session token", "dba"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := startBed(t)
			env := b.env()
			if tc.name == "session token" {
				key := b.keys.Issue("arn:aws:sts::123456789012:assumed-role/x/y", time.Hour, 1200)
				env = append(env, "AWS_ACCESS_KEY_ID="+key.ID, "AWS_SECRET_ACCESS_KEY="+key.Secret, "AWS_SESSION_TOKEN="+key.SessionToken)
			}
			aws, faketime := awsCLI(t, env), peer(t, "faketime")
			ctx, cancel := testContext(t)
			defer cancel()
			ours, err := b.shell(env).Get(ctx, strings.ReplaceAll(url.QueryEscape(tc.user), "+", "%20")+"@"+orders+":3306")
			if err != nil {
				t.Fatal(err)
			}
			signed, err := time.Parse("20060102T150405Z", tokenQuery(t, ours).Get("X-Amz-Date"))
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{"-f", signed.Format("2006-01-02 15:04:05"), aws}, append(generate, tc.user)...)
			theirs := strings.TrimSpace(run(t, append(env, "TZ=UTC", "LC_ALL=C.UTF-8"), faketime, args...))
			if diff := cmp.Diff(tokenQuery(t, theirs), tokenQuery(t, ours)); diff != "" {
				t.Errorf("-AWS CLI +ours:\n%s", diff)
			}
			hostOf := func(token string) string { host, _, _ := strings.Cut(token, "?"); return host }
			if hostOf(theirs) != hostOf(ours)+"/" {
				t.Errorf("AWS CLI signs for %s, we for %s", hostOf(theirs), hostOf(ours))
			}
		})
	}
}

func tokenQuery(t *testing.T, token string) url.Values {
	t.Helper()
	u, err := url.Parse("https://" + token)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// TestMariaDBClient: an independent client logs in over TLS with our token, through a tunnel's
// address.
func TestMariaDBClient(t *testing.T) {
	t.Parallel()
	client := peer(t, "mariadb")
	b := startBed(t)
	dir := t.TempDir()
	ca, cfg := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "config.yaml")
	tunnel := "127.0.0.1:" + strconv.Itoa(b.rds.Port())
	yaml := "servers:\n  " + tunnel + ":\n    endpoint: " + orders + ":3306\n"
	for file, text := range map[string][]byte{ca: b.rds.CAPEM, cfg: []byte(yaml)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(b.env(), "MYSQL_SECRET_STORE_RDS_CONFIG="+cfg)
	ctx, cancel := testContext(t)
	defer cancel()
	token, err := b.shell(env).Get(ctx, "dba@"+tunnel)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--no-defaults", "-h", "127.0.0.1", "-P", strconv.Itoa(b.rds.Port()), "-u", "dba",
		"--ssl-ca=" + ca, "--ssl-verify-server-cert", "-N", "-e", "select current_user()"}
	if got := strings.TrimSpace(run(t, append(env, "MYSQL_PWD="+token), client, args...)); got != "dba@%" {
		t.Errorf("logged in as %q", got)
	}
	cmd := exec.CommandContext(ctx, client, args...)
	cmd.Env = append(env, "MYSQL_PWD="+token[:len(token)-1]+"x")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "1045") {
		t.Errorf("with a wrong token: %v: %s", err, out)
	}
	refusals := len(b.rds.Refusals())
	b.rds.TurnOffTLS()
	cmd = exec.CommandContext(ctx, client, args...)
	cmd.Env = append(env, "MYSQL_PWD="+token)
	if out, err := cmd.CombinedOutput(); err == nil || len(b.rds.Refusals()) > refusals {
		t.Errorf("at a server without TLS: %v: %s, %v", err, out, b.rds.Refusals()[refusals:])
	}
}
