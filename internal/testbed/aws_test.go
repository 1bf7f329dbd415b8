package testbed

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func startAWS(t *testing.T) (a *AWS, keys *Keys, long Key) {
	t.Helper()
	keys, long, _ = newKeys()
	a = StartAWS(keys)
	t.Cleanup(a.Close)
	return a, keys, long
}

// fetch asks the server for something that isn't signed.
func fetch(t *testing.T, method, url string, header ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(testContext(t), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

type stsAnswer struct {
	Arn   string `xml:"GetCallerIdentityResult>Arn"`
	Given struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      time.Time
	} `xml:"AssumeRoleResult>Credentials"`
	Code    string `xml:"Error>Code"`
	Message string `xml:"Error>Message"`
}

func askSTS(t *testing.T, a *AWS, key Key, query string) (int, stsAnswer) {
	t.Helper()
	status, text, err := signedPost(testContext(t), key, a.URL+"/", "sts", query)
	if err != nil {
		t.Fatal(err)
	}
	var answer stsAnswer
	if err := xml.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return status, answer
}

const assumeRole = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fone&RoleSessionName=dba"

// The keys that it gives out are good for whatever it checks.
func TestAWSKeysWork(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	a.Life, a.TokenLength = 20*time.Minute, 1234
	for query, life := range map[string]time.Duration{
		assumeRole:                           20 * time.Minute,
		assumeRole + "&DurationSeconds=900":  15 * time.Minute,
		assumeRole + "&DurationSeconds=3600": 20 * time.Minute, // never longer than its own
	} {
		before := time.Now()
		status, answer := askSTS(t, a, long, query)
		if status != 200 || len(answer.Given.SessionToken) != 1234 {
			t.Fatalf("%d: %+v", status, answer)
		}
		if left := answer.Given.Expiration.Sub(before); left < life-time.Second || left > life+time.Minute {
			t.Errorf("%s: they live %v, want %v", query, left, life)
		}
		given := Key{ID: answer.Given.AccessKeyID, Secret: answer.Given.SecretAccessKey, SessionToken: answer.Given.SessionToken}
		if status, answer := askSTS(t, a, given, "Action=GetCallerIdentity"); status != 200 || answer.Arn != "arn:aws:sts::123456789012:assumed-role/one/dba" {
			t.Errorf("they belong to %+v", answer)
		}
	}
	if status, answer := askSTS(t, a, Key{ID: long.ID, Secret: "x"}, "Action=GetCallerIdentity"); status != 403 || answer.Code != "SignatureDoesNotMatch" {
		t.Errorf("a wrong secret: %d, %+v", status, answer)
	}
	if status, answer := askSTS(t, a, long, "Action=GetSessionToken"); status != 400 || answer.Code != "InvalidAction" {
		t.Errorf("an unknown operation: %d, %+v", status, answer)
	}
	assumed := a.Assumed()
	if len(assumed) != 3 || assumed[0].Get("Caller") != long.Owner || assumed[0].Get("RoleSessionName") != "dba" {
		t.Errorf("assumed %v", assumed)
	}
}

func TestAWSFailures(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	const message = `<not> "allowed" & over`
	a.Fail("GetCallerIdentity", 2, 403, "AccessDenied", message)
	a.Fail("GetCallerIdentity", 1, 503, "ServiceUnavailable", "")
	var got []string
	for range 4 {
		status, answer := askSTS(t, a, long, "Action=GetCallerIdentity")
		got = append(got, fmt.Sprintf("%d %s %s", status, answer.Code, answer.Message))
	}
	want := []string{"403 AccessDenied " + message, "403 AccessDenied " + message, "503 ServiceUnavailable ", "200  "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// Failed calls count, other operations neither fail nor count.
	if n, other := a.Calls("GetCallerIdentity"), a.Calls("AssumeRole"); n != 4 || other != 0 {
		t.Errorf("%d and %d calls, want 4 and 0", n, other)
	}
}

func TestAWSDelay(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	const delay = 200 * time.Millisecond
	a.Delay("GetCallerIdentity", delay)
	for range 2 {
		start := time.Now()
		if status, _ := askSTS(t, a, long, "Action=GetCallerIdentity"); status != 200 {
			t.Errorf("status %d", status)
		}
		if took := time.Since(start); took < delay {
			t.Errorf("took %v", took)
		}
	}
	// A client that goes away isn't waited for, or Close would be held up.
	a.Delay("AssumeRole", time.Hour)
	ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
	defer cancel()
	if _, _, err := signedPost(ctx, long, a.URL+"/", "sts", assumeRole); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	start := time.Now()
	a.Close()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func TestAWSWebIdentity(t *testing.T) {
	t.Parallel()
	a, _, _ := startAWS(t)
	query := strings.Replace(assumeRole, "AssumeRole&", "AssumeRoleWithWebIdentity&", 1) + "&WebIdentityToken="
	for token, want := range map[string]int{a.WebToken: 200, a.WebToken + "\n": 200, "other": 400, "": 400} {
		// Nobody has signed it.
		response, err := http.Post(a.URL+"/", "application/x-www-form-urlencoded", strings.NewReader(query+url.QueryEscape(token)))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%q: %d, want %d", token, response.StatusCode, want)
		}
	}
}

func TestAWSContainer(t *testing.T) {
	t.Parallel()
	a, keys, _ := startAWS(t)
	for token, want := range map[string]int{"": 401, "Bearer other": 401, a.ContainerToken: 200} {
		status, answer := fetch(t, "GET", a.URL+"/container", "Authorization", token)
		if status != want {
			t.Errorf("%q: %d, want %d", token, status, want)
		}
		if status == 200 {
			mustBeKey(t, keys, answer, "AccessKeyId")
		}
	}
	a.Fail("Container", 1, 500, "", "broken")
	if status, answer := fetch(t, "GET", a.URL+"/container", "Authorization", a.ContainerToken); status != 500 || answer != "broken\n" {
		t.Errorf("%d %q", status, answer)
	}
	if n := a.Calls("Container"); n != 4 {
		t.Errorf("%d calls", n)
	}
}

// mustBeKey: the answer names a key that the server knows now.
func mustBeKey(t *testing.T, keys *Keys, answer, member string) {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(answer), &members); err != nil {
		t.Fatal(err)
	}
	id, _ := members[member].(string)
	if _, known := keys.Find(id); !known {
		t.Errorf("nobody knows the key of %s", answer)
	}
}

func TestAWSMetadata(t *testing.T) {
	t.Parallel()
	const roles = "/latest/meta-data/iam/security-credentials/"
	a, keys, _ := startAWS(t)
	if status, answer := fetch(t, "PUT", a.URL+"/latest/api/token"); status != 200 || answer != "imds-token" {
		t.Errorf("token: %d %q", status, answer)
	}
	for _, path := range []string{roles, roles + "instance-role"} {
		if status, _ := fetch(t, "GET", a.URL+path); status != 401 {
			t.Errorf("%s without a token: %d", path, status)
		}
	}
	if _, answer := fetch(t, "GET", a.URL+roles, "X-Aws-Ec2-Metadata-Token", "imds-token"); answer != "instance-role" {
		t.Errorf("roles: %q", answer)
	}
	_, answer := fetch(t, "GET", a.URL+roles+"instance-role", "X-Aws-Ec2-Metadata-Token", "imds-token")
	mustBeKey(t, keys, answer, "AccessKeyId")
	if status, _ := fetch(t, "GET", a.URL+"/latest/meta-data/placement/region"); status != 404 {
		t.Errorf("another question: %d", status)
	}

	old, keys, _ := startAWS(t)
	old.IMDSv1 = true
	if status, _ := fetch(t, "PUT", old.URL+"/latest/api/token"); status != 403 {
		t.Errorf("token of version 1: %d", status)
	}
	_, answer = fetch(t, "GET", old.URL+roles+"instance-role")
	mustBeKey(t, keys, answer, "AccessKeyId")
	if n, m := a.Calls("IMDSCredentials"), old.Calls("IMDSCredentials"); n != 2 || m != 1 {
		t.Errorf("%d and %d calls, want 2 and 1", n, m)
	}
}

func TestAWSSSO(t *testing.T) {
	t.Parallel()
	a, keys, _ := startAWS(t)
	if status, _ := fetch(t, "GET", a.URL+"/federation/credentials", "X-Amz-Sso_bearer_token", "other"); status != 401 {
		t.Errorf("another token: %d", status)
	}
	const query = "/federation/credentials?account_id=123456789012&role_name=dba"
	status, answer := fetch(t, "GET", a.URL+query, "X-Amz-Sso_bearer_token", a.SSOToken)
	var given struct{ RoleCredentials json.RawMessage }
	if err := json.Unmarshal([]byte(answer), &given); err != nil || status != 200 {
		t.Fatalf("%d, %v", status, err)
	}
	mustBeKey(t, keys, string(given.RoleCredentials), "accessKeyId")

	const message = `no access to "dba"`
	a.Fail("GetRoleCredentials", 1, 403, "ForbiddenException", message)
	status, answer = fetch(t, "GET", a.URL+query, "X-Amz-Sso_bearer_token", a.SSOToken)
	var failure struct{ Message string }
	if err := json.Unmarshal([]byte(answer), &failure); err != nil || status != 403 || failure.Message != message {
		t.Errorf("%d, %v: %s", status, err, answer)
	}
}

// The file's name is that of the AWS CLI for a session called "corp": by sha1sum.
func TestSSOLogin(t *testing.T) {
	t.Parallel()
	a, _, _ := startAWS(t)
	file, content := a.SSOLogin("home", "corp", time.Hour)
	if want := filepath.Join("home", ".aws", "sso", "cache", "ee0bfd2552fbd840c02cc48b6e823320543c450f.json"); file != want {
		t.Errorf("got %s, want %s", file, want)
	}
	var login struct {
		AccessToken string
		ExpiresAt   time.Time
	}
	if err := json.Unmarshal(content, &login); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(login.ExpiresAt); login.AccessToken != a.SSOToken || left < 59*time.Minute || left > time.Hour {
		t.Errorf("got %+v", login)
	}
}

// Nothing of the caller's AWS may reach a test.
func TestEnv(t *testing.T) {
	t.Setenv("AWS_PROFILE", "of the caller")
	t.Setenv("AWS_ACCESS_KEY_ID", "of the caller")
	t.Setenv("XDG_CONFIG_HOME", "of the caller")
	t.Setenv("MYSQL_SECRET_STORE_RDS_CONFIG", "of the caller")
	env := map[string]string{}
	for _, v := range Env("home") {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for name, value := range env {
		if strings.Contains(value, "of the caller") {
			t.Errorf("%s=%s", name, value)
		}
	}
	if env["HOME"] != "home" || env["AWS_EC2_METADATA_DISABLED"] != "true" || env["PATH"] != os.Getenv("PATH") {
		t.Errorf("got %v", env)
	}
}
