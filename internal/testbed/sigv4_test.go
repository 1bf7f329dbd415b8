package testbed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
)

// What is checked here was signed by AWS: by the SDK, an independent peer, or in its guides.

const (
	ordersHost = "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"
	worldHost  = "world.global-abcdefghijkl.global.rds.amazonaws.com"
)

var endpoints = []Endpoint{
	{Host: "other.abcdefghijkl.us-east-1.rds.amazonaws.com", Port: 3306, Region: "us-east-1"},
	{Host: ordersHost, Port: 3306, Region: "eu-west-1"},
	{Host: ordersHost, Port: 3307, Region: "eu-west-1"},
	{Host: worldHost, Port: 3306, Region: "eu-central-1"},
}

// newKeys returns a long-term and a temporary key.
func newKeys() (keys *Keys, long, temporary Key) {
	keys = &Keys{}
	long = Key{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Owner: "arn:aws:iam::123456789012:user/dba"}
	keys.Add(long)
	temporary = keys.Issue("arn:aws:sts::123456789012:assumed-role/a/b", time.Hour, 1000)
	return keys, long, temporary
}

func sdkCredentials(key Key) aws.Credentials {
	return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: key.SessionToken}
}

// buildToken is the SDK's own.
func buildToken(t *testing.T, key Key, hostPort, region, user string) string {
	t.Helper()
	token, err := auth.BuildAuthToken(t.Context(), hostPort, region, user, credentials.StaticCredentialsProvider{Value: sdkCredentials(key)})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestVerifyTokenAcceptsTheSDKs(t *testing.T) {
	t.Parallel()
	keys, long, temporary := newKeys()
	for _, key := range []Key{long, temporary} {
		for _, e := range endpoints {
			for _, user := range []string{"dba", "DBA", "te!st #@/ +=&~é%41\"'(*)"} {
				token := buildToken(t, key, fmt.Sprintf("%s:%d", e.Host, e.Port), e.Region, user)
				if err := keys.VerifyToken(token, user, endpoints, time.Now()); err != nil {
					t.Errorf("%s for %q at %s: %v", key.ID, user, e.Host, err)
				}
				// The AWS CLI's has a slash.
				if err := keys.VerifyToken(strings.Replace(token, "?", "/?", 1), user, endpoints, time.Now()); err != nil {
					t.Errorf("with a slash: %v", err)
				}
				if err := keys.VerifyToken(token, user+"x", endpoints, time.Now()); err == nil {
					t.Errorf("%q's token is good for another user", user)
				}
			}
		}
	}
}

// A draft is all that a token is made from. Each is signed correctly, so that it isn't the
// signature that gives it away.
type draft struct {
	method, scheme, hostPort, path string
	query                          url.Values
	header                         http.Header
	service, region                string
	key                            Key
	at                             time.Time
	rewrite                        func(token string) string // after signing
}

var signedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newDraft(key Key) draft {
	return draft{
		method: "GET", scheme: "https://", hostPort: ordersHost + ":3306",
		query:   url.Values{"Action": {"connect"}, "DBUser": {"dba"}, "X-Amz-Expires": {"900"}},
		header:  http.Header{},
		service: "rds-db", region: "eu-west-1", key: key, at: signedAt,
	}
}

func (d draft) token(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequest(d.method, d.scheme+d.hostPort+d.path+"?"+d.query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = d.header
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), sdkCredentials(d.key), req, hexSum(nil), d.service, d.region, d.at)
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(signed, d.scheme)
	if d.rewrite != nil {
		rewritten := d.rewrite(token)
		if rewritten == token {
			t.Fatal("nothing was rewritten")
		}
		token = rewritten
	}
	return token
}

func replace(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

func TestVerifyToken(t *testing.T) {
	t.Parallel()
	keys, long, _ := newKeys()
	temporary := Key{ID: "ASIAEXAMPLE", Secret: "temporary", SessionToken: "IQoJ+/=x", Expires: signedAt.Add(10 * time.Minute)}
	keys.Add(temporary)
	for _, tc := range []struct {
		name   string
		change func(d *draft)
		after  time.Duration // when it is checked
		want   string        // a part of the error; "" when it is accepted
	}{
		{name: "as it should be"},
		{name: "temporary key", change: func(d *draft) { d.key = temporary }},
		{name: "as late as can be", after: 15 * time.Minute},
		{name: "too late", after: 15*time.Minute + time.Second, want: "signed 15m1s ago"},
		{name: "a clock that is a little fast", after: -5 * time.Minute},
		{name: "from the future", after: -5*time.Minute - time.Second, want: "signed -5m1s ago"},
		{name: "another host", change: func(d *draft) { d.hostPort = "orders2" + ordersHost[6:] + ":3306" }, want: "not this server"},
		{name: "a host in capitals", change: func(d *draft) { d.hostPort = strings.ToUpper(d.hostPort) }, want: "not this server"},
		{name: "a host with a dot", change: func(d *draft) { d.hostPort = ordersHost + ".:3306" }, want: "not this server"},
		{name: "another port", change: func(d *draft) { d.hostPort = ordersHost + ":3308" }, want: "not this server"},
		{name: "no port", change: func(d *draft) { d.hostPort = ordersHost }, want: "not this server"},
		{name: "a user before the host", change: func(d *draft) { d.rewrite = func(s string) string { return "dba@" + s } }, want: "user name before the host"},
		{name: "another database user", change: func(d *draft) { d.query.Set("DBUser", "DBA") }, want: `DBUser is "DBA"`},
		{name: "no database user", change: func(d *draft) { d.query.Del("DBUser") }, want: `DBUser is ""`},
		{name: "another region", change: func(d *draft) { d.region = "us-east-1" }, want: "rds-db in us-east-1"},
		{name: "another service", change: func(d *draft) { d.service = "rds" }, want: "signed for rds in"},
		{name: "another action", change: func(d *draft) { d.query.Set("Action", "Connect") }, want: `Action is "Connect"`},
		{name: "no expiry", change: func(d *draft) { d.query.Del("X-Amz-Expires") }, want: "X-Amz-Expires"},
		{name: "a longer life", change: func(d *draft) { d.query.Set("X-Amz-Expires", "901") }, want: `X-Amz-Expires is "901"`},
		{name: "a shorter life", change: func(d *draft) { d.query.Set("X-Amz-Expires", "60") }, want: `X-Amz-Expires is "60"`},
		{name: "a path", change: func(d *draft) { d.path = "/x" }, want: `path "/x"`},
		{name: "another method", change: func(d *draft) { d.method = "POST" }, want: "signature"},
		{name: "a signed header", change: func(d *draft) { d.header.Set("Content-Md5", "x") }, want: "X-Amz-SignedHeaders"},
		{name: "one more parameter", change: func(d *draft) { d.query.Set("Other", "x") }}, // it is signed, too
		{name: "a parameter twice", change: func(d *draft) { d.query["Action"] = []string{"connect", "connect"} }, want: "Action given 2 times"},
		{name: "an unknown key", change: func(d *draft) { d.key.ID = "AKIANOBODY" }, want: "no key AKIANOBODY"},
		{name: "another secret", change: func(d *draft) { d.key.Secret += "x" }, want: "signature"},
		{name: "another session token", change: func(d *draft) { d.key = temporary; d.key.SessionToken += "x" }, want: "session token"},
		{name: "no session token", change: func(d *draft) { d.key = temporary; d.key.SessionToken = "" }, want: "session token"},
		{name: "a session token of no use", change: func(d *draft) { d.key.SessionToken = "x" }, want: "session token"},
		{name: "a key that lives a moment longer", change: func(d *draft) { d.key = temporary }, after: 10*time.Minute - 1},
		{name: "a key that has expired", change: func(d *draft) { d.key = temporary }, after: 10 * time.Minute, want: "expired at 2026-03-01T12:10:00Z"},
		{name: "another date", change: func(d *draft) { d.rewrite = replace("X-Amz-Date=20260301", "X-Amz-Date=20260302") }, want: "differ"},
		{name: "another scope's date", change: func(d *draft) { d.rewrite = replace("%2F20260301%2F", "%2F20260228%2F") }, want: "differ"},
		{name: "another time", change: func(d *draft) { d.rewrite = replace("T120000Z", "T120001Z") }, want: "signature"},
		{name: "no date", change: func(d *draft) { d.rewrite = replace("20260301T120000Z", "today") }, want: "no date"},
		{name: "another scope", change: func(d *draft) { d.rewrite = replace("aws4_request", "aws5_request") }, want: "wrong form"},
		{name: "another algorithm", change: func(d *draft) { d.rewrite = replace("HMAC-SHA256", "HMAC-SHA1") }, want: "X-Amz-Algorithm"},
		{name: "a scheme", change: func(d *draft) { d.rewrite = func(s string) string { return "https://" + s } }, want: "path"},
		{name: "something after it", change: func(d *draft) { d.rewrite = func(s string) string { return s + "#x" } }, want: "fragment"},
		{name: "no signature", change: func(d *draft) {
			d.rewrite = func(s string) string { return s[:strings.Index(s, "&X-Amz-Signature=")] }
		}, want: "signature"},
		{name: "nothing but the host", change: func(d *draft) { d.rewrite = func(s string) string { return s[:strings.Index(s, "?")] } }, want: "is \"\""},
		{name: "a password", change: func(d *draft) { d.rewrite = func(string) string { return "hunter2" } }, want: "is \"\""},
		{name: "nothing", change: func(d *draft) { d.rewrite = func(string) string { return "" } }, want: "is \"\""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newDraft(long)
			if tc.change != nil {
				tc.change(&d)
			}
			err := keys.VerifyToken(d.token(t), "dba", endpoints, signedAt.Add(tc.after))
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

// No character of a token may be another, or be missing, or stand twice.
func TestVerifyTokenNeedsEveryCharacter(t *testing.T) {
	t.Parallel()
	keys, long, _ := newKeys()
	token := newDraft(long).token(t)
	plain, err := url.QueryUnescape(token)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(changed string) {
		t.Helper()
		// These stand for the same, and the slash is the AWS CLI's.
		if changed == token || changed == strings.Replace(token, "?", "/?", 1) {
			return
		}
		if a, err := url.QueryUnescape(changed); err == nil && a == plain {
			return
		}
		if keys.VerifyToken(changed, "dba", endpoints, signedAt) == nil {
			t.Errorf("accepted:\n%s\nfor\n%s", changed, token)
		}
	}
	for i := range token {
		refuse(token[:i] + token[i+1:])
		for _, c := range "x0/&=?#@:%+;. " + strings.ToUpper(token[i:i+1]) {
			refuse(token[:i] + string(c) + token[i+1:])
			// "&" before another "&", or at the end of the token, adds nothing: not to AWS either.
			if c != '&' {
				refuse(token[:i] + string(c) + token[i:])
			}
		}
	}
	for _, c := range "x0/=?#@:%+;. \x00" {
		refuse(token + string(c))
	}
}

// The example of AWS's guide, "Examples of the complete Signature Version 4 signing process", and
// the case "get-vanilla" of its test suite.
func TestVerifyRequestOfTheGuide(t *testing.T) {
	t.Parallel()
	keys, long, _ := newKeys()
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	for _, tc := range []struct{ service, url, contentType, headers, signature string }{
		{"iam", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", "application/x-www-form-urlencoded; charset=utf-8",
			"content-type;host;x-amz-date", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
		{"service", "https://example.amazonaws.com/", "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	} {
		for _, change := range []string{"", "x"} {
			r := httptest.NewRequest("GET", tc.url, nil)
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
			r.Header.Set("Content-Type", tc.contentType)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+long.ID+"/20150830/us-east-1/"+tc.service+
				"/aws4_request, SignedHeaders="+tc.headers+", Signature="+tc.signature+change)
			if key, err := keys.VerifyRequest(r, nil, tc.service, at); (err == nil) != (change == "") || err == nil && key != long {
				t.Errorf("%s%s: %+v, %v", tc.url, change, key, err)
			}
		}
	}
}

func TestVerifyRequest(t *testing.T) {
	t.Parallel()
	keys, long, temporary := newKeys()
	past := Key{ID: "ASIAPAST", Secret: "past", SessionToken: "past", Expires: time.Now().Add(-time.Second)}
	keys.Add(past)
	const body = "Action=AssumeRole&RoleArn=arn%3Aaws"
	for _, tc := range []struct {
		name   string
		key    Key
		change func(r *http.Request)
		body   string // what arrives, if it is another
		want   string
	}{
		{name: "long-term key", key: long},
		{name: "temporary key", key: temporary},
		{name: "a header that isn't signed", key: long, change: func(r *http.Request) { r.Header.Set("User-Agent", "x") }},
		{name: "no signature", key: long, change: func(r *http.Request) { r.Header.Del("Authorization") }, want: "MissingAuthenticationToken"},
		{name: "another scheme", key: long, change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, want: "MissingAuthenticationToken"},
		{name: "unknown key", key: Key{ID: "AKIANOBODY", Secret: "x"}, want: "InvalidClientTokenId"},
		{name: "another secret", key: Key{ID: long.ID, Secret: "x"}, want: "SignatureDoesNotMatch"},
		{name: "expired key", key: past, want: "ExpiredToken"},
		{name: "no session token", key: temporary, change: func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }, want: "ExpiredToken"},
		{name: "another body", key: long, body: body + "x", want: "SignatureDoesNotMatch"},
		{name: "another host", key: long, change: func(r *http.Request) { r.Host = "other.example.com" }, want: "SignatureDoesNotMatch"},
		{name: "another method", key: long, change: func(r *http.Request) { r.Method = "PUT" }, want: "SignatureDoesNotMatch"},
		{name: "another path", key: long, change: func(r *http.Request) { r.URL.Path = "/x" }, want: "SignatureDoesNotMatch"},
		{name: "another query", key: long, change: func(r *http.Request) { r.URL.RawQuery = "a=c" }, want: "SignatureDoesNotMatch"},
		{name: "another date", key: long, change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260301T120000Z") }, want: "SignatureDoesNotMatch"},
		{name: "another type", key: long, change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, want: "SignatureDoesNotMatch"},
		{name: "another service", key: long, change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/sts/", "/iam/", 1))
		}, want: "SignatureDoesNotMatch"},
		{name: "half a scope", key: long, change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/aws4_request", "", 1))
		}, want: "the credential scope has the wrong form"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "https://sts.eu-west-1.amazonaws.com/?b=%2F%20~&a=b", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if err := v4.NewSigner().SignHTTP(t.Context(), sdkCredentials(tc.key), r, hexSum([]byte(body)), "sts", "eu-west-1", time.Now()); err != nil {
				t.Fatal(err)
			}
			arrived := body
			if tc.body != "" {
				arrived = tc.body
			}
			if tc.change != nil {
				tc.change(r)
			}
			key, err := keys.VerifyRequest(r, []byte(arrived), "sts", time.Now())
			switch {
			case tc.want == "" && (err != nil || key.ID != tc.key.ID):
				t.Errorf("got %+v, %v", key, err)
			case tc.want != "" && (err == nil || err.Error() != tc.want || key != Key{}):
				t.Errorf("got %+v, %v, want %s", key, err, tc.want)
			}
		})
	}
}

// signedPost is a POST to the test server, signed by the SDK.
func signedPost(ctx context.Context, key Key, url, service, body string) (status int, answer string, err error) {
	r, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := v4.NewSigner().SignHTTP(ctx, sdkCredentials(key), r, hexSum([]byte(body)), service, "eu-west-1", time.Now()); err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}
