package credentials

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const consoleUser = "arn:aws:iam::123456789012:user/dba"

const consoleConfig = `
[profile console]
login_session = ` + consoleUser + `
[profile one]
role_arn = arn:aws:iam::111111111111:role/one
source_profile = console
[profile two]
role_arn = arn:aws:iam::222222222222:role/two
source_profile = console
`

// TestConsoleLogin: a session of "aws login" signs, also for roles; a hundred that find it over
// renew it once.
func TestConsoleLogin(t *testing.T) {
	w := newWorld(t, consoleConfig, "")
	file, content := w.ConsoleLogin(w.home, consoleUser, time.Hour)
	w.login(t, file, content)
	for profile, owner := range map[string]string{"console": consoleUser, "one": "arn:aws:sts::111111111111:assumed-role/one/mysql-dba"} {
		c, err := w.provider(Source{Profile: profile, Region: "eu-west-1", User: "dba"}).Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if key, _ := w.keys.Find(c.AccessKeyID); key.Owner != owner {
			t.Errorf("%s: %s", profile, key.Owner)
		}
	}
	if n := w.Calls("CreateOAuth2Token"); n != 0 {
		t.Errorf("renewed %d times", n)
	}
	file, content = w.ConsoleLogin(w.home, consoleUser, -time.Minute)
	w.login(t, file, content)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			profile := []string{"console", "one", "two"}[i%3]
			c, err := w.provider(Source{Profile: profile, Region: "eu-west-1", User: "dba"}).Retrieve(t.Context())
			if err != nil {
				t.Errorf("%s: %v", profile, err)
				return
			}
			verify(t, w.keys, c)
		})
	}
	all.Wait()
	if n := w.Calls("CreateOAuth2Token"); n != 1 {
		t.Errorf("renewed %d times", n)
	}
}

// TestConsoleLoginOver: what can't be renewed needs the AWS CLI, and a damaged file hurts nobody.
func TestConsoleLoginOver(t *testing.T) {
	w := newWorld(t, consoleConfig, "")
	file, content := w.ConsoleLogin(w.home, consoleUser, -time.Minute)
	for name, text := range map[string]string{
		"a refresh token that is over": strings.Replace(string(content), "signin-", "other-", 1),
		"no key":                       strings.Replace(string(content), "BEGIN EC PRIVATE KEY", "x", 1),
		"none":                         "",
	} {
		t.Run(name, func(t *testing.T) {
			w.login(t, file, []byte(text))
			_, err := w.provider(Source{Profile: "one", Region: "eu-west-1"}).Retrieve(t.Context())
			if !errors.Is(err, ErrConsoleLogin) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestEndpointOfProfile: endpoint_url of a profile, and of its services section, serve whoever gives
// out credentials, and the other services; AWS's own addresses are never asked.
func TestEndpointOfProfile(t *testing.T) {
	const config = `
[profile keys]
aws_access_key_id = AKIATESTBED
aws_secret_access_key = top/secret+key
[profile all]
endpoint_url = URL
role_arn = arn:aws:iam::111111111111:role/one
source_profile = keys
region = eu-west-1
[profile by-services]
services = lab
role_arn = arn:aws:iam::111111111111:role/one
source_profile = keys
[profile sso]
services = lab
sso_session = corp
sso_account_id = 444444444444
sso_role_name = dba
[sso-session corp]
sso_start_url = https://testbed.awsapps.com/start
sso_region = eu-west-1
[profile nowhere]
services = labb
role_arn = arn:aws:iam::111111111111:role/one
source_profile = keys
[services lab]
sts =
  endpoint_url = URL
sso =
  endpoint_url = URL
sso_oidc =
  endpoint_url = URL
rds =
  endpoint_url = http://127.0.0.1:9/rds
`
	w := newWorld(t, "", "")
	url := os.Getenv("AWS_ENDPOINT_URL")
	if url == "" {
		t.Fatal("the test AWS isn't given by AWS_ENDPOINT_URL")
	}
	w.write(t, ".aws/config", strings.ReplaceAll(config, "URL", url))
	t.Setenv("AWS_ENDPOINT_URL", "")
	file, content := w.SSORefreshableLogin(w.home, "corp", -time.Minute)
	w.login(t, file, content)
	for _, profile := range []string{"all", "by-services", "sso"} {
		p := w.provider(Source{Profile: profile, Region: "eu-west-1", User: "dba"})
		if _, err := p.Retrieve(t.Context()); err != nil {
			t.Errorf("%s: %v", profile, err)
		}
		if cfg, err := p.Config(t.Context()); err != nil {
			t.Errorf("%s: %v", profile, err)
		} else if o := sts.NewFromConfig(cfg).Options(); o.BaseEndpoint == nil || *o.BaseEndpoint != url {
			t.Errorf("%s: STS at %v", profile, o.BaseEndpoint)
		}
	}
	if n := w.Calls("CreateToken"); n != 1 {
		t.Errorf("the SSO session was renewed %d times", n)
	}
	_, err := w.provider(Source{Profile: "nowhere", Region: "eu-west-1"}).Retrieve(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), `its services section "labb" isn't there`) {
		t.Errorf("got %v", err)
	}
}

// TestUnknownAuthority: an AWS with a certificate of somebody else's says what names authorities.
func TestUnknownAuthority(t *testing.T) {
	home := newHome(t, awsConfig)
	url := serveTLS(t)
	setenv(t, "AWS_PROFILE=role", "AWS_ENDPOINT_URL="+url, "AWS_MAX_ATTEMPTS=1")
	_, err := retrieve(t.Context(), orders)
	if unknown, ok := errors.AsType[*AuthoritiesError](err); !ok || !strings.Contains(unknown.Problem, "AWS_CA_BUNDLE, ca_bundle") {
		t.Errorf("got %v", err)
	}
	for name, want := range map[string]string{
		filepath.Join(home, "gone"):        "which can't be read",
		filepath.Join(home, ".aws/config"): "in which there is no certificate (PEM)",
	} {
		setenv(t, "AWS_CA_BUNDLE="+name)
		if _, err := retrieve(t.Context(), orders); err == nil || !strings.HasPrefix(err.Error(), "AWS_CA_BUNDLE names "+name+", "+want) {
			t.Errorf("got %v", err)
		}
		// Keys sign without asking AWS.
		if _, err := retrieve(t.Context(), Source{Profile: "keys"}); err != nil {
			t.Errorf("keys: %v", err)
		}
	}
}
