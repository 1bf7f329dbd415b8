package password

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/testbed"
)

const (
	keyID     = "AKIATESTBED"
	keySecret = "top/secret+key"
)

var orders = server.Target{
	Host: "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com", Port: 3306, User: "dba", Region: "eu-west-1",
}

// emptyHome gives the test an AWS of nothing: no variable, no files, no metadata service.
func emptyHome(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "USERPROFILE": home, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "credentials"),
	} {
		t.Setenv(name, value)
	}
}

// sign is Sign with credentials that are kept in a store.
func sign(ctx context.Context, to server.Target, store cache.Store) (Token, error) {
	return Sign(ctx, to, credentials.New(Source(to), credentials.Options{Store: store}))
}

func verify(t *testing.T, keys *testbed.Keys, tok Token, to server.Target) {
	t.Helper()
	at := testbed.Endpoint{Host: to.Host, Port: to.Port, Region: to.Region}
	if err := keys.VerifyToken(tok.Value.Reveal(), to.User, []testbed.Endpoint{at}, time.Now()); err != nil {
		t.Error(err)
	}
}

func TestSign(t *testing.T) {
	emptyHome(t)
	t.Setenv("AWS_ACCESS_KEY_ID", keyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", keySecret)
	keys := &testbed.Keys{}
	keys.Add(testbed.Key{ID: keyID, Secret: keySecret})
	for _, tc := range []struct {
		name string
		to   server.Target
	}{
		{"cluster", orders},
		{"another port", server.Target{Host: orders.Host, Port: 65535, User: "dba", Region: "eu-west-1"}},
		{"another region", server.Target{Host: "db.abc.us-gov-west-1.rds.amazonaws.com", Port: 3306, User: "dba", Region: "us-gov-west-1"}},
		{"China", server.Target{Host: "db.abc.rds.cn-north-1.amazonaws.com.cn", Port: 3306, User: "dba", Region: "cn-north-1"}},
		{"a host without a region", server.Target{Host: "w.global-abc.global.rds.amazonaws.com", Port: 3306, User: "dba", Region: "ap-south-2"}},
		{"odd characters", server.Target{Host: orders.Host, Port: 3306, User: "te!st #@/ +=&~é%41\"'(*)", Region: "eu-west-1"}},
		{"upper case", server.Target{Host: orders.Host, Port: 3306, User: "DBA", Region: "eu-west-1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := time.Now()
			tok, err := sign(t.Context(), tc.to, cache.Store{})
			after := time.Now()
			if err != nil {
				t.Fatal(err)
			}
			verify(t, keys, tok, tc.to)
			if start := fmt.Sprintf("%s:%d?", tc.to.Host, tc.to.Port); !strings.HasPrefix(tok.Value.Reveal(), start) {
				t.Errorf("begins with %.70s, want %s", tok.Value.Reveal(), start)
			}
			if tok.SignedAt.Before(before) || tok.SignedAt.After(after) {
				t.Errorf("signed at %v, not between %v and %v", tok.SignedAt, before, after)
			}
			u, err := url.Parse("https://" + tok.Value.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			// RDS counts from this date, which has no fractions: SignedAt must not be later by
			// more.
			date, err := time.Parse("20060102T150405Z", u.Query().Get("X-Amz-Date"))
			if err != nil || tok.SignedAt.Sub(date) >= time.Second {
				t.Errorf("signed at %v, but the token says %v (%v)", tok.SignedAt, date, err)
			}
			if !tok.CredentialsExpire.IsZero() || tok.Source != "EnvConfigCredentials" {
				t.Errorf("credentials of %s expire at %v", tok.Source, tok.CredentialsExpire)
			}
		})
	}
}

// What a token says of the credentials that signed it: until when they are good, whose they are,
// and under which key they are kept.
func TestSignWithRole(t *testing.T) {
	emptyHome(t)
	keys := &testbed.Keys{}
	keys.Add(testbed.Key{ID: keyID, Secret: keySecret, Owner: "arn:aws:iam::123456789012:user/dba"})
	a := testbed.StartAWS(keys)
	t.Cleanup(a.Close)
	a.Life = 10 * time.Minute
	text := "[profile keys]\naws_access_key_id = " + keyID + "\naws_secret_access_key = " + keySecret + "\n"
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "_STS", "_SSO", "_SSO_OIDC", "_SIGNIN"} {
		t.Setenv("AWS_ENDPOINT_URL"+name, a.URL)
	}
	store := cache.In(t.TempDir())
	to := orders
	to.Profile, to.RoleARN, to.RoleSessionName = "keys", "arn:aws:iam::123456789012:role/entry", "nightly"
	before := time.Now()
	tok, err := sign(t.Context(), to, store)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, keys, tok, to)
	if left := tok.CredentialsExpire.Sub(before); left < a.Life-time.Second || left > a.Life+time.Minute { // AWS gives out whole seconds
		t.Errorf("they expire after %v, want %v", left, a.Life)
	}
	if tok.Source != "AssumeRoleProvider" || tok.Profile != "keys" {
		t.Errorf("credentials of %s, profile %s", tok.Source, tok.Profile)
	}
	if c, err := store.Credentials(tok.Credentials); err != nil || c.Profile != "keys" || c.Who != to.RoleARN {
		t.Errorf("kept under its key: %+v, %v", c, err)
	}
}
