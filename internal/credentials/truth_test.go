package credentials

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/testbed"
)

const (
	account       = "123456789012"
	pastedSecret  = "pasted/secret+key"
	machineSecret = "machine/secret+key"
)

// world is a user's home, with an AWS to ask and a cache.
type world struct {
	*testbed.AWS
	keys  *testbed.Keys
	store cache.Store
	home  string
}

// newWorld returns one with these AWS files. Their "HOME" is the home.
func newWorld(t *testing.T, config, credentials string) world {
	t.Helper()
	home := newHome(t, "")
	a, keys := startAWS(t)
	keys.Add(testbed.Key{ID: "ASIAPASTED", Secret: pastedSecret, SessionToken: "pasted-token", Owner: "arn:aws:sts::" + account + ":assumed-role/pasted/dba"})
	keys.Add(testbed.Key{ID: "AKIAMACHINE", Secret: machineSecret, Owner: "arn:aws:iam::" + account + ":user/machine"})
	store := cache.In(filepath.Join(home, "cache"))
	w := world{a, keys, store, home}
	w.write(t, ".aws/config", config)
	w.write(t, ".aws/credentials", credentials)
	w.write(t, "web-token", a.WebToken)
	return w
}

func (w world) write(t *testing.T, file, text string) {
	t.Helper()
	file = filepath.Join(w.home, filepath.FromSlash(file))
	text = strings.ReplaceAll(text, "HOME", filepath.ToSlash(w.home))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// login leaves the token of an SSO session where the SDK looks for it, and gives its file.
func (w world) login(t *testing.T, file string, content []byte) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	return file
}

// provider returns a new provider, as a new process would have.
func (w world) provider(of Source) *Provider { return New(of, Options{Store: w.store}) }

// asked returns the calls so far, by operation.
func (w world) asked() map[string]int {
	calls := map[string]int{}
	for _, operation := range []string{
		"AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials", "CreateToken", "GetCallerIdentity", "Container", "IMDSToken", "IMDSRoles", "IMDSCredentials",
	} {
		if n := w.Calls(operation); n > 0 {
			calls[operation] = n
		}
	}
	return calls
}

// noneOnDisk checks that no secret of the user's own is in the cache.
func (w world) noneOnDisk(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.store.Dir(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, own := range []string{keySecret, pastedSecret, machineSecret, w.SSOToken, w.WebToken} {
			if strings.Contains(string(text), own) {
				t.Errorf("%s holds %q", filepath.Base(file), own)
			}
		}
	}
}

const truthConfig = `
[default]
region = eu-west-1
[profile base]
region = eu-west-1
[profile one]
role_arn = arn:aws:iam::111111111111:role/one
source_profile = base
[profile two]
role_arn = arn:aws:iam::222222222222:role/two
source_profile = one
[profile three]
role_arn = arn:aws:iam::333333333333:role/path/three
source_profile = two
[profile self]
role_arn = arn:aws:iam::111111111111:role/self
source_profile = self
[profile environment]
role_arn = arn:aws:iam::111111111111:role/environment
credential_source = Environment
[profile container]
role_arn = arn:aws:iam::111111111111:role/container
credential_source = EcsContainer
[profile instance]
role_arn = arn:aws:iam::111111111111:role/instance
credential_source = Ec2InstanceMetadata
[profile sso]
sso_session = corp
sso_account_id = 444444444444
sso_role_name = dba
[profile sso-role]
role_arn = arn:aws:iam::111111111111:role/sso
source_profile = sso
[sso-session corp]
sso_start_url = https://testbed.awsapps.com/start
sso_region = eu-west-1
[profile legacy]
sso_start_url = https://testbed.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 555555555555
sso_role_name = dba
[profile web]
role_arn = arn:aws:iam::111111111111:role/web
web_identity_token_file = HOME/web-token
[profile web-role]
role_arn = arn:aws:iam::111111111111:role/after-web
source_profile = web
[profile pasted]
region = eu-west-1
[profile pasted-role]
role_arn = arn:aws:iam::111111111111:role/pasted
source_profile = pasted
`

const truthCredentials = `
[default]
aws_access_key_id = AKIATESTBED
aws_secret_access_key = top/secret+key
[base]
aws_access_key_id = AKIATESTBED
aws_secret_access_key = top/secret+key
[self]
aws_access_key_id = AKIATESTBED
aws_secret_access_key = top/secret+key
[pasted]
aws_access_key_id = ASIAPASTED
aws_secret_access_key = pasted/secret+key
aws_session_token = pasted-token
`

const (
	dba      = "arn:aws:iam::" + account + ":user/dba"
	computer = "arn:aws:iam::" + account + ":user/machine"
)

type calls = map[string]int

// TestTruth is where credentials come from, for each thing that the AWS files and the environment
// can say: whose they are, whether they are kept, and what AWS is asked by two processes, one after
// the other.
func TestTruth(t *testing.T) {
	role := func(account, name, session string) string {
		return "arn:aws:sts::" + account + ":assumed-role/" + name + "/" + session
	}
	sso := func(account string) string { return role(account, "AWSReservedSSO_dba_0123456789abcdef", "user") }
	one := func(name string) string { return role("111111111111", name, "mysql-dba") }
	const (
		environment = "AWS_ACCESS_KEY_ID=AKIAMACHINE AWS_SECRET_ACCESS_KEY=machine/secret+key"
		web         = "AWS_WEB_IDENTITY_TOKEN_FILE=HOME/web-token AWS_ROLE_ARN=arn:aws:iam::111111111111:role/pod"
		here        = "container"
		instance    = "instance"
	)
	entry := Source{RoleARN: "arn:aws:iam::111111111111:role/entry"}
	entryOf := Source{RoleARN: entry.RoleARN, Profile: "base"}
	for _, tc := range []struct {
		name    string
		of      Source
		env     string // and "container" or "instance" for where this is
		owner   string
		profile string
		kept    bool
		calls   calls
	}{
		{"a role", Source{Profile: "one"}, "", one("one"), "one", true, calls{"AssumeRole": 1}},
		{"a chain of three", Source{Profile: "three"}, "", role("333333333333", "three", "mysql-dba"), "three", true, calls{"AssumeRole": 3}},
		{"its own source", Source{Profile: "self"}, "", one("self"), "self", true, calls{"AssumeRole": 1}},
		{"Environment", Source{Profile: "environment"}, environment, one("environment"), "environment", true, calls{"AssumeRole": 1}},
		{"EcsContainer", Source{Profile: "container"}, here, one("container"), "container", true, calls{"Container": 1, "AssumeRole": 1}},
		{"Ec2InstanceMetadata", Source{Profile: "instance"}, instance, one("instance"), "instance", true,
			calls{"IMDSToken": 1, "IMDSRoles": 1, "IMDSCredentials": 1, "AssumeRole": 1}},
		{"an sso_session", Source{Profile: "sso"}, "", sso("444444444444"), "sso", true, calls{"GetRoleCredentials": 1}},
		{"legacy SSO", Source{Profile: "legacy"}, "", sso("555555555555"), "legacy", true, calls{"GetRoleCredentials": 1}},
		{"a role by SSO", Source{Profile: "sso-role"}, "", one("sso"), "sso-role", true, calls{"GetRoleCredentials": 1, "AssumeRole": 1}},
		{"a web identity", Source{Profile: "web"}, "", one("web"), "web", true, calls{"AssumeRoleWithWebIdentity": 1}},
		{"a role by web identity", Source{Profile: "web-role"}, "", one("after-web"), "web-role", true, calls{"AssumeRoleWithWebIdentity": 1, "AssumeRole": 1}},
		{"keys", Source{Profile: "base"}, "", dba, "base", false, calls{}},
		{"session keys", Source{Profile: "pasted"}, "", role(account, "pasted", "dba"), "pasted", false, calls{"GetCallerIdentity": 1}},
		{"a role by session keys", Source{Profile: "pasted-role"}, "", one("pasted"), "pasted-role", true, calls{"AssumeRole": 1}},

		{"nothing says which", Source{}, "", dba, "default", false, calls{}},
		{"AWS_PROFILE", Source{}, "AWS_PROFILE=one", one("one"), "one", true, calls{"AssumeRole": 1}},
		{"AWS_PROFILE is empty", Source{}, "AWS_PROFILE=", dba, "default", false, calls{}},
		{"AWS_DEFAULT_PROFILE", Source{}, "AWS_DEFAULT_PROFILE=one", one("one"), "one", true, calls{"AssumeRole": 1}},
		{"both", Source{}, "AWS_DEFAULT_PROFILE=gone AWS_PROFILE=one", one("one"), "one", true, calls{"AssumeRole": 1}},
		{"a profile and AWS_PROFILE", Source{Profile: "one"}, "AWS_PROFILE=sso", one("one"), "one", true, calls{"AssumeRole": 1}},

		{"keys in the environment", Source{}, environment, computer, "", false, calls{}},
		{"and AWS_PROFILE", Source{}, environment + " AWS_PROFILE=one", computer, "", false, calls{}},
		{"and a profile", Source{Profile: "one"}, environment, one("one"), "one", true, calls{"AssumeRole": 1}},
		{"half a key in the environment", Source{}, "AWS_SECRET_ACCESS_KEY=machine/secret+key AWS_PROFILE=one", one("one"), "one", true, calls{"AssumeRole": 1}},
		{"a web identity in the environment", Source{}, web, one("pod"), "", true, calls{"AssumeRoleWithWebIdentity": 1}},
		{"and AWS_PROFILE without a role", Source{}, web + " AWS_PROFILE=base", one("pod"), "", true, calls{"AssumeRoleWithWebIdentity": 1}},
		{"and AWS_PROFILE with a role", Source{}, web + " AWS_PROFILE=one", one("one"), "one", true, calls{"AssumeRole": 1}},
		{"and keys, too", Source{}, web + " " + environment, computer, "", false, calls{}},

		{"the target's role", entry, "", one("entry"), "default", true, calls{"AssumeRole": 1}},
		{"the target's role by a profile", entryOf, environment, one("entry"), "base", true, calls{"AssumeRole": 1}},
		{"the target's role by keys in the environment", entry, environment, one("entry"), "", true, calls{"AssumeRole": 1}},
		{"the target's role by a role", Source{RoleARN: entry.RoleARN, Profile: "one"}, "", one("entry"), "one", true, calls{"AssumeRole": 2}},
		{"the target's role by session keys", Source{RoleARN: entry.RoleARN, Profile: "pasted"}, "", one("entry"), "pasted", true, calls{"AssumeRole": 1}},
		{"the target's role by a web identity", entry, web, one("entry"), "", true, calls{"AssumeRoleWithWebIdentity": 1, "AssumeRole": 1}},

		{"a container", Source{}, here + " AWS_SHARED_CREDENTIALS_FILE=HOME/gone", role(account, "task", "container"), "default", false, calls{"Container": 2}},
		{"an instance", Source{}, instance + " AWS_SHARED_CREDENTIALS_FILE=HOME/gone", role(account, "instance-role", "i-0123"), "default", false,
			calls{"IMDSToken": 2, "IMDSRoles": 2, "IMDSCredentials": 2}},
		{"no files", Source{}, environment + " AWS_SHARED_CREDENTIALS_FILE=HOME/gone AWS_CONFIG_FILE=HOME/gone", computer, "", false, calls{}},
		{"no files in a container", Source{}, here + " AWS_SHARED_CREDENTIALS_FILE=HOME/gone AWS_CONFIG_FILE=HOME/gone",
			role(account, "task", "container"), "default", false, calls{"Container": 2}},
		{"no credentials file", Source{Profile: "sso"}, "AWS_SHARED_CREDENTIALS_FILE=HOME/gone", sso("444444444444"), "sso", true, calls{"GetRoleCredentials": 1}},
		{"no config file", Source{Profile: "base"}, "AWS_CONFIG_FILE=HOME/gone", dba, "base", false, calls{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, truthConfig, truthCredentials)
			for _, session := range []string{"corp", "https://testbed.awsapps.com/start"} {
				file, content := w.SSOLogin(w.home, session, 3600e9)
				w.login(t, file, content)
			}
			for _, v := range strings.Fields(strings.ReplaceAll(tc.env, "HOME", w.home)) {
				switch v {
				case here:
					setenv(t, w.ContainerEnv()...)
				case instance:
					setenv(t, w.InstanceEnv()...)
				default:
					setenv(t, v)
				}
			}
			tc.of.User, tc.of.Region = "dba", "eu-west-1"
			for range 2 {
				p := w.provider(tc.of)
				if p.Temporary() != tc.kept {
					t.Errorf("temporary: %v", p.Temporary())
				}
				c, err := p.Retrieve(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				verify(t, w.keys, c)
				if key, _ := w.keys.Find(c.AccessKeyID); key.Owner != tc.owner {
					t.Errorf("credentials of %s, want %s", key.Owner, tc.owner)
				}
				if p.Profile() != tc.profile {
					t.Errorf("of profile %q, want %q", p.Profile(), tc.profile)
				}
			}
			if diff := cmp.Diff(tc.calls, w.asked()); diff != "" {
				t.Errorf("AWS was asked, -want +got:\n%s", diff)
			}
			var kept []string
			all, problems := w.store.AllCredentials()
			for _, c := range all {
				kept = append(kept, c.Profile)
			}
			var want []string
			if tc.kept {
				want = []string{tc.profile}
			}
			if diff := cmp.Diff(want, kept); diff != "" || len(problems) > 0 {
				t.Errorf("kept, -want +got:\n%s%v", diff, problems)
			}
			w.noneOnDisk(t)
		})
	}
}

// Where nothing else gives credentials, the only profile that there is does.
func TestOnlyProfile(t *testing.T) {
	const role = "[profile lone]\nrole_arn = arn:aws:iam::111111111111:role/one\n"
	for _, tc := range []struct {
		name, config, env string
		profile           string // "": none
		kept              bool
	}{
		{"one with a process of getting them", role + "source_profile = lone\naws_access_key_id = AKIATESTBED\naws_secret_access_key = top/secret+key\n", "", "lone", true},
		{"one with keys", "[profile lone]\naws_access_key_id = AKIATESTBED\naws_secret_access_key = top/secret+key\n", "", "lone", false},
		{"two", truthConfig, "", "", false},
		{"one that says nothing", "[profile lone]\nregion = eu-west-1\n", "", "", false},
		{"one, but another was asked for", role, "AWS_PROFILE=other", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.config, "")
			setenv(t, strings.Fields(tc.env)...)
			for i := range 2 {
				p := w.provider(orders)
				_, err := p.Retrieve(t.Context())
				if tc.profile == "" {
					if p.Key() != "" || err == nil || tc.env == "" && !errors.Is(err, ErrNoCredentials) {
						t.Errorf("got %v, want ErrNoCredentials", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				lone := orders
				lone.Profile = tc.profile
				if p.Profile() != tc.profile || p.Key() != w.provider(lone).Key() || (p.Key() != "") != tc.kept {
					t.Errorf("call %d: profile %q, key %q", i+1, p.Profile(), p.Key())
				}
			}
			want := 0
			if tc.kept {
				want = 1
			}
			if n := w.Calls("AssumeRole"); n != want {
				t.Errorf("%d AssumeRole calls, want %d", n, want)
			}
		})
	}
}

func TestManyProfiles(t *testing.T) {
	var config strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&config, "[profile p%d]\nrole_arn = arn:aws:iam::%012d:role/dba\nsource_profile = base\n", i, i)
	}
	w := newWorld(t, config.String(), truthCredentials)
	for _, of := range []string{"p0", "p1999", "p0", "p1999"} {
		c, err := w.provider(Source{Profile: of, Region: "eu-west-1", User: "dba"}).Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		key, _ := w.keys.Find(c.AccessKeyID)
		if want := map[string]string{"p0": "arn:aws:sts::000000000000:", "p1999": "arn:aws:sts::000000001999:"}[of]; !strings.HasPrefix(key.Owner, want) {
			t.Errorf("%s: credentials of %s", of, key.Owner)
		}
	}
	if n := w.Calls("AssumeRole"); n != 2 {
		t.Errorf("%d AssumeRole calls, want one for each profile", n)
	}
}

// TestGoneIsGone: credentials that are kept are not used once what they came from is gone.
func TestGoneIsGone(t *testing.T) {
	const process = "#!/bin/sh\n" + `echo '{"Version":1,"AccessKeyId":"AKIATESTBED","SecretAccessKey":"top/secret+key","SessionToken":"x",` +
		`"Expiration":"2099-01-01T00:00:00Z"}'` + "\n"
	for _, tc := range []struct {
		profile string
		gone    string // a file of the home, or text of the AWS configuration
	}{
		{"one", "aws_secret_access_key = top/secret+key"},
		{"one", "[profile one]"},
		{"two", "source_profile = base"},
		{"sso", ".aws/sso/cache"},
		{"sso", "[sso-session corp]"},
		{"sso-role", ".aws/sso/cache"},
		{"legacy", ".aws/sso/cache"},
		{"web", "web-token"},
		{"web-role", "web-token"},
		{"console", ".aws/login/cache"},
		{"console", "login_session"},
		{"program", "program"},
		{"program", "credential_process"},
	} {
		t.Run(tc.profile+" without "+tc.gone, func(t *testing.T) {
			if tc.profile == "program" && runtime.GOOS == "windows" {
				t.Skip("no scripts")
			}
			more := "[profile console]\nlogin_session = " + consoleUser + "\n[profile program]\ncredential_process = HOME/program\n"
			w := newWorld(t, truthConfig+more, truthCredentials)
			for _, session := range []string{"corp", "https://testbed.awsapps.com/start"} {
				file, content := w.SSOLogin(w.home, session, time.Hour)
				w.login(t, file, content)
			}
			file, content := w.ConsoleLogin(w.home, consoleUser, time.Hour)
			w.login(t, file, content)
			w.write(t, "program", process)
			if err := os.Chmod(filepath.Join(w.home, "program"), 0o700); err != nil {
				t.Fatal(err)
			}
			of := Source{Profile: tc.profile, Region: "eu-west-1", User: "dba"}
			if _, err := w.provider(of).Retrieve(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, kept := w.provider(of).Kept(); !kept {
				t.Fatal("nothing was kept, so that this proves nothing")
			}
			if path := filepath.Join(w.home, tc.gone); os.RemoveAll(path) != nil {
				t.Fatalf("%s can't be removed", path)
			}
			for _, name := range []string{"config", "credentials"} {
				file := filepath.Join(w.home, ".aws", name)
				text, err := os.ReadFile(file)
				if err := errors.Join(err, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), tc.gone, "# "+tc.gone)), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if _, kept := w.provider(of).Kept(); kept {
				t.Error("what was kept would be used")
			}
			if c, err := w.provider(of).Retrieve(t.Context()); err == nil {
				t.Errorf("credentials %s, of nothing", c.AccessKeyID)
			}
		})
	}
}
