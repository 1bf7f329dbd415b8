package credentials

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/testbed"
)

// TestConfigThenRetrieve: credentials that Config has prepared are those that a question of its own
// gives.
func TestConfigThenRetrieve(t *testing.T) {
	newHome(t, awsConfig+"[profile elsewhere]\nregion = us-east-1\nservices = lab\naws_access_key_id = "+keyID+
		"\naws_secret_access_key = "+keySecret+"\n[services lab]\nsts =\n  endpoint_url = http://127.0.0.1:9/lab\n")
	a, keys := startAWS(t)
	a.MaxSession = 30 * time.Minute
	p := New(Source{Profile: "role"}, Options{})
	cfg, err := p.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || time.Until(c.Expires) > 16*time.Minute {
		t.Fatalf("until %v, %v", c.Expires, err)
	}
	verify(t, keys, c)

	// A person is asked for as long as the question may take, not for as long as Config might have.
	ctx, end := context.WithCancel(t.Context())
	mfa := New(Source{Profile: "mfa"}, Options{Code: func(ctx context.Context, _, _ string) (string, error) {
		end()
		<-ctx.Done()
		return "", ErrNoCode
	}})
	if _, err = mfa.Config(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := mfa.Retrieve(ctx); !errors.Is(err, ErrNoCode) {
		t.Errorf("got %v", err)
	}

	// Clients find their settings of a services section.
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("AWS_ENDPOINT_URL_STS", "")
	if cfg, err = New(Source{Profile: "elsewhere"}, Options{}).Config(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := sts.NewFromConfig(cfg).Options()
	if cfg.Region != "us-east-1" || o.BaseEndpoint == nil || *o.BaseEndpoint != "http://127.0.0.1:9/lab" {
		t.Errorf("region %q, endpoint %v", cfg.Region, aws.ToString(o.BaseEndpoint))
	}
}

// TestUnread: what isn't found in a file that can't be read isn't missing.
func TestUnread(t *testing.T) {
	newHome(t, "")
	unread := &profiles.FileError{File: "/root/.aws/config", Err: errors.New("open /root/.aws/config: permission denied")}
	files := func() (*profiles.Set, error) { return nil, unread }
	for _, s := range []Source{{Region: "eu-west-1"}, {Profile: "prod", Region: "eu-west-1"}} {
		if _, err := New(s, Options{Files: files}).Retrieve(t.Context()); !errors.Is(err, unread) {
			t.Errorf("%+v: got %v", s, err)
		}
	}
	if _, err := New(Source{Profile: "prod"}, Options{Files: files}).Config(t.Context()); !errors.Is(err, unread) {
		t.Errorf("of Config: %v", err)
	}
	// What is found elsewhere does without.
	setenv(t, "AWS_ACCESS_KEY_ID="+keyID, "AWS_SECRET_ACCESS_KEY="+keySecret)
	if _, err := New(orders, Options{Files: files}).Retrieve(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAskedElsewhere: one terminal is asked for all, and the others say so instead of asking at the
// last moment.
func TestAskedElsewhere(t *testing.T) {
	w := newWorld(t, awsConfig, "")
	first, end := context.WithCancel(t.Context())
	asked := make(chan struct{})
	done := make(chan error)
	go func() {
		p := New(Source{Profile: "mfa"}, Options{Store: w.store, Code: func(ctx context.Context, _, _ string) (string, error) {
			close(asked)
			<-ctx.Done()
			return "", ErrNoCode
		}})
		_, err := p.Retrieve(first)
		done <- err
	}()
	<-asked
	code := func(context.Context, string, string) (string, error) {
		t.Error("asked on two terminals")
		return "", ErrNoCode
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := New(Source{Profile: "mfa"}, Options{Store: w.store, Code: code}).Retrieve(short); !errors.Is(err, ErrAskedElsewhere) {
		t.Errorf("got %v", err)
	}
	end()
	if err := <-done; !errors.Is(err, ErrNoCode) {
		t.Errorf("the first: %v", err)
	}
}

// TestExportedKeys: session keys in the environment are good until the time that stands beside
// them, or else as long as STS says so.
func TestExportedKeys(t *testing.T) {
	soon := time.Now().Add(7 * time.Minute).UTC().Truncate(time.Second)
	for _, tc := range []struct {
		name, until string
		over        bool // in AWS's eyes
		calls       int
		want        time.Time // that they expire
		err         string
	}{
		{"a time to come", soon.Format(time.RFC3339), false, 0, soon, ""},
		{"none", "", false, 1, time.Time{}, ""},
		{"none, and over", "", true, 1, time.Time{}, "the session keys in the environment (AWS_SESSION_TOKEN) have expired"},
		{"a time gone by, of others", "2020-01-01T00:00:00Z", false, 1, time.Time{}, ""},
		{"a time gone by", "2020-01-01T00:00:00Z", true, 1, time.Time{}, "the session keys in the environment (AWS_SESSION_TOKEN) have expired"},
		{"no time", "tomorrow", false, 1, time.Time{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "", "")
			if tc.over {
				w.Break(testbed.Fault{Operation: "GetCallerIdentity", Status: 403, Code: "ExpiredToken", Message: "expired"})
			}
			setenv(t, "AWS_ACCESS_KEY_ID=ASIAPASTED", "AWS_SECRET_ACCESS_KEY="+pastedSecret, "AWS_SESSION_TOKEN=pasted-token", "AWS_CREDENTIAL_EXPIRATION="+tc.until)
			c, err := w.provider(orders).Retrieve(t.Context())
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Errorf("got %v", err)
				}
			} else if err != nil || c.SessionToken != "pasted-token" || c.CanExpire == tc.want.IsZero() || !c.Expires.Equal(tc.want) {
				t.Errorf("got %v, expires %v, %v", c.AccessKeyID, c.Expires, err)
			}
			if n := w.Calls("GetCallerIdentity"); n != tc.calls {
				t.Errorf("%d calls", n)
			}
		})
	}
}
