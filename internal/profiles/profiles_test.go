package profiles

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/google/go-cmp/cmp"
)

// write returns files with these texts; one without a text isn't there.
func write(t testing.TB, configText, credentialsText string) Files {
	t.Helper()
	dir := t.TempDir()
	f := Files{filepath.Join(dir, "config"), filepath.Join(dir, "credentials")}
	for file, text := range map[string]string{f.Config: configText, f.Credentials: credentialsText} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func load(t testing.TB, configText, credentialsText string) *Set {
	t.Helper()
	s, err := Load(write(t, configText, credentialsText))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sdk asks the SDK for one profile. It panics at a value that is a lone quote; then ok is false.
func sdk(ctx context.Context, f Files, name string) (c config.SharedConfig, ok bool, err error) {
	defer func() { _ = recover() }()
	c, err = config.LoadSharedConfigProfile(ctx, name, func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = []string{f.Config}, []string{f.Credentials}
	})
	return c, true, err
}

// own are the settings by which a profile gives credentials by itself; the SDK forgets them where
// there is a source_profile.
func own(c config.SharedConfig) map[string]string {
	return map[string]string{
		"credential_source": c.CredentialSource, "credential_process": c.CredentialProcess, "web_identity_token_file": c.WebIdentityTokenFile,
		"sso_region": c.SSORegion, "sso_start_url": c.SSOStartURL, "sso_account_id": c.SSOAccountID, "sso_role_name": c.SSORoleName,
		keyID: c.Credentials.AccessKeyID, keySecret: c.Credentials.SecretAccessKey, keyToken: c.Credentials.SessionToken,
	}
}

// assume are those by which it assumes a role; the SDK forgets them where it meets a profile again.
func assume(c config.SharedConfig) map[string]string {
	return map[string]string{
		"role_arn": c.RoleARN, "external_id": c.ExternalID, "mfa_serial": c.MFASerial, "role_session_name": c.RoleSessionName,
		"source_profile": c.SourceProfileName,
	}
}

// agree checks one profile against the SDK's reading of it.
func agree(t *testing.T, s *Set, f Files, name string) {
	t.Helper()
	c, ok, err := sdk(t.Context(), f, name)
	if !ok {
		return
	}
	p, found := s.Profile(name)
	if found != slices.Contains(s.Names(), name) {
		t.Fatalf("%q: found %v, and not so among the names", name, found)
	}
	var missing config.SharedConfigProfileNotExistError
	var source config.SharedConfigAssumeRoleError
	isMissing := errors.As(err, &missing)
	if notThere := isMissing && missing.Profile == name && !errors.As(err, &source); notThere == found {
		t.Fatalf("%q: found %v, and the SDK says %v", name, found, err)
	}
	chain, chainErr := s.Chain(name)
	if err != nil {
		if isMissing && chainErr == nil {
			t.Errorf("%q: chain error %v, and the SDK says %v", name, chainErr, err)
		}
		return
	}
	if chainErr != nil {
		t.Fatalf("%q: %v, and the SDK has no error", name, chainErr)
	}
	for i := 0; ; i++ {
		if i == len(chain) {
			t.Fatalf("%q: a chain of %d, and the SDK's goes on with %q", name, i, c.Profile)
		}
		p = chain[i]
		want := map[string]string{"region": c.Region, "sso_session": c.SSOSessionName, "login_session": c.LoginSession}
		if i == 0 || !slices.ContainsFunc(chain[:i], func(q Profile) bool { return q.Name == p.Name }) {
			for k, v := range assume(c) {
				want[k] = v
			}
		}
		if c.Source == nil {
			for k, v := range own(c) {
				want[k] = v
			}
			if !c.Credentials.HasKeys() { // the SDK doesn't give half of them
				if hasKeys(p) {
					t.Errorf("%q: keys that the SDK doesn't see", p.Name)
				}
				delete(want, keyID)
				delete(want, keySecret)
				delete(want, keyToken)
			} else if wantFile := strings.TrimPrefix(c.Credentials.Source, "SharedConfigCredentials: "); p.KeysFile != wantFile {
				t.Errorf("%q: keys of %s, want %s", p.Name, p.KeysFile, wantFile)
			}
		}
		got := map[string]string{}
		for k := range want {
			got[k] = p.Get(k)
		}
		if diff := cmp.Diff(want, got); p.Name != c.Profile || diff != "" {
			t.Errorf("%q of %q: %q, -SDK +got:\n%s", c.Profile, name, p.Name, diff)
		}
		// The SDK doesn't look for the session of a source that has keys.
		if c.SSOSession != nil {
			want := []string{c.SSOSession.SSORegion, c.SSOSession.SSOStartURL}
			if diff := cmp.Diff(want, []string{p.Session["sso_region"], p.Session["sso_start_url"]}); diff != "" {
				t.Errorf("session of %q, -SDK +got:\n%s", p.Name, diff)
			}
		}
		if c.Source == nil {
			if i != len(chain)-1 {
				t.Errorf("%q: a chain of %d, and the SDK's ends after %d", name, len(chain), i+1)
			}
			return
		}
		c = *c.Source
	}
}

var awkward = []struct{ name, config, credentials string }{
	{"nothing", "", ""},
	{"plain", "[default]\nregion = eu-west-1\n[profile a]\nregion=eu-north-1\nrole_arn = r\nsource_profile = default\n", "[default]\naws_access_key_id = i\naws_secret_access_key = s\n"},
	{"comments", "# c\n; c\n  # c\n[default] # c\nregion = a # c\n[profile a] ; c\nregion = b ;c\nrole_arn = r#no ;no\n\tsource_profile = q\nregion = e\t# c\n", ""},
	{"comments without a space", "[profile a]\nregion = x#y;z\n[profile b#c]\nregion = d\n[profile b\nregion = e\n", ""},
	{"nested", "[default]\ns3 =\n  addressing_style = path\n  region = no\nregion = yes\n[profile a]\nregion =\n  role_arn = no\nrole_arn = yes\n", ""},
	{"orphans", "  region = global\n[default]\n  region = a # c\n  role_arn = \"b\" # c\n  credential_process = x # y = z\n", ""},
	{"continued", "[default]\ncredential_process = a\n  b\n  # c\n  d # e\n\n  f\nregion = x\n", ""},
	{"continued by a setting", "[default]\nregion = a\n  role_arn = b\n  still b\n", ""},
	{"quotes", "[default]\nregion = \"a\"\nrole_arn = 'b'\nmfa_serial = 'c\"\nexternal_id = \"\"\n[profile a]\nregion = \"a\" # c\nrole_arn = \"a # b\"\n", ""},
	{"colons", "[default]\nregion: a\nrole_arn: b=c\nexternal_id = d:e\nmfa_serial : f\n", ""},
	{"letter case", "[default]\nREGION = a\nRole_ARN = B\n[profile A]\nregion = c\n[Profile b]\nregion = d\n[DEFAULT]\nregion = e\n", ""},
	{"CRLF", "[default]\r\nregion = a\r\ncredential_process = b\r\n  c\r\n\r\n[profile a]\r\nregion = d\r\n", "[default]\r\naws_access_key_id = i\r\naws_secret_access_key = s\r\n"},
	{"a byte order mark", "\ufeff[default]\nregion = a\n[profile a]\nregion = b\n", ""},
	{"a byte order mark and a comment", "\ufeff# c\n[default]\nregion = a\n", ""},
	{"twice", "[profile a]\nregion = a\nrole_arn = r\n[default]\nregion = d\n[profile a]\nregion = b\n", "[a]\naws_access_key_id = i\n[a]\naws_secret_access_key = s\n"},
	{"default after profile default", "[profile default]\nregion = a\n[default]\nregion = b\nrole_arn = r\n", ""},
	{"default before profile default", "[default]\nregion = b\nrole_arn = r\n[profile default]\nregion = a\n", ""},
	{"default in the other file", "[profile default]\nregion = a\n", "[default]\nregion = b\n"},
	{"credentials over config", "[profile a]\nregion = a\naws_access_key_id = i\naws_secret_access_key = s\naws_session_token = t\n",
		"[a]\nregion = b\naws_access_key_id = j\naws_secret_access_key = u\n"},
	{"half a key over a whole one", "[profile a]\naws_access_key_id = i\naws_secret_access_key = s\n", "[a]\naws_access_key_id = j\n"},
	{"a whole key over half a one", "[profile a]\naws_access_key_id = i\n", "[a]\naws_access_key_id = j\naws_secret_access_key = u\n"},
	{"an empty key over a whole one", "[profile a]\naws_access_key_id = i\naws_secret_access_key = s\n", "[a]\naws_access_key_id =\naws_secret_access_key =\n"},
	{"a token over a whole key", "[profile a]\naws_access_key_id = i\naws_secret_access_key = s\n", "[a]\naws_session_token = t\n"},
	{"sections without a prefix", "[a]\nregion = a\n[sso-session a]\nsso_region = r\n[profile b]\nregion = b\n", "[profile a]\nregion = no\n[b]\nregion = c\n"},
	{"odd headings", "[profile  a]\nregion = a\n[profile\tb]\nregion = b\n[ profile c ]\nregion = c\n  [profile d]\nregion = d\n[profile e] x\nregion = e\n[profile]\nregion = f\n[]\nregion = g\n[ ]\nregion = h\n",
		"[]\nregion = a\n[a b]\nregion = b\n[profile]\nregion = c\n"},
	{"SSO", "[profile a]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = u\n[profile b]\nsso_session = gone\n", ""},
	{"SSO in the credentials file", "[profile a]\nsso_session = s\n[profile b]\nsso_session = t\n[sso-session t]\nsso_region = x\nsso_start_url = v\n",
		"[sso-session s]\nsso_region = eu-west-1\nsso_start_url = u\n[sso-session t]\nsso_region = y\n[services w]\nsts =\n  endpoint_url = e\n"},
	{"roles", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = q\nsource_profile = c\nregion = x\n[profile c]\naws_access_key_id = i\naws_secret_access_key = s\n", ""},
	{"a role with keys as source", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = q\nsource_profile = c\naws_access_key_id = i\naws_secret_access_key = s\n", ""},
	{"its own source", "[profile a]\nrole_arn = r\nsource_profile = a\naws_access_key_id = i\naws_secret_access_key = s\n", ""},
	{"its own source without keys", "[profile a]\nrole_arn = r\nsource_profile = a\n", ""},
	{"a loop", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = q\nsource_profile = a\n", ""},
	{"a loop with a way out", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = q\nsource_profile = a\n", "[a]\naws_access_key_id = i\naws_secret_access_key = s\n"},
	{"a missing source", "[profile a]\nrole_arn = r\nsource_profile = gone\n[profile b]\nrole_arn = r\nsource_profile = a\n", ""},
	{"a source that is no profile", "[profile a]\nrole_arn = r\nsource_profile = b\n[b]\naws_access_key_id = i\naws_secret_access_key = s\n", ""},
	{"others", "[profile a]\ncredential_process = p \"q r\"\n[profile b]\nrole_arn = r\ncredential_source = Environment\n[profile c]\nrole_arn = r\nweb_identity_token_file = f\n[profile d]\nlogin_session = l\n", ""},
	{"no ends", "[profile a]\nregion", "[a"},
	{"no value", "[profile a]\nregion =\nrole_arn\n= x\n: y\n", ""},
	{"other white space", "[profile a]\nregion = \u00a0a\u00a0\n\vrole_arn = b\n\v# mfa_serial = c\n\r\n", ""},
}

// candidates are the names that the files could mean, right or wrong.
func candidates(f Files) []string {
	names := []string{"", "default", "a", "b", "c", "d", "e", "gone"}
	for _, file := range []string{f.Config, f.Credentials} {
		text, _ := os.ReadFile(file)
		for _, part := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune("[]\n\r", r) }) {
			part = strings.TrimSpace(part)
			names = append(names, part, strings.TrimSpace(strings.TrimPrefix(part, "profile")))
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool {
		// The SDK keeps other sections beside the profiles, and would give one as a profile.
		return n == "" || slices.ContainsFunc([]string{"profile ", "sso-session ", "services "}, func(p string) bool { return strings.HasPrefix(n, p) })
	})
}

func TestAgreesWithSDK(t *testing.T) {
	t.Parallel()
	for _, tc := range awkward {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := write(t, tc.config, tc.credentials)
			s, err := Load(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range candidates(f) {
				agree(t, s, f, name)
			}
		})
	}
}

// FuzzLoad: whatever the files hold, every profile is what the SDK makes of it.
func FuzzLoad(f *testing.F) {
	for _, tc := range awkward {
		f.Add(tc.config, tc.credentials)
	}
	f.Fuzz(func(t *testing.T, configText, credentialsText string) {
		for _, odd := range []string{"profile profile", "profile sso-session", "profile services"} {
			// Names that make the SDK put one section in place of another.
			if strings.Contains(strings.Join(strings.Fields(configText), " "), odd) {
				t.Skip()
			}
		}
		files := write(t, configText, credentialsText)
		s, err := Load(files)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(candidates(files), s.Names()...) {
			agree(t, s, files, name)
			s.Kind(name)
			s.SSO(name)
			s.Definition(name)
		}
	})
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	f := write(t, "[profile a]\nregion = x\n", "")
	f.Credentials = t.TempDir() // a folder can't be read
	if _, err := Load(f); err == nil || !strings.HasPrefix(err.Error(), "read the AWS configuration: ") {
		t.Errorf("got %v", err)
	}
	f.Config, f.Credentials = f.Credentials, f.Config
	if _, err := Load(f); err == nil {
		t.Error("no error")
	}
}

func TestDefault(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HOME", "USERPROFILE"} {
		t.Setenv(name, home)
	}
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, "")
	}
	want := Files{filepath.Join(home, ".aws", "config"), filepath.Join(home, ".aws", "credentials")}
	if got := Default(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	t.Setenv("AWS_CONFIG_FILE", "x")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "y")
	if got := Default(); got != (Files{"x", "y"}) {
		t.Errorf("got %v", got)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := load(t, "[profile z]\n[default]\n[nobody]\n[profile a]\n[sso-session s]\n[profile z]\n[services v]\n", "[m]\n[a]\n[sso-session s]\n[profile n]\n[]\n")
	if diff := cmp.Diff([]string{"z", "default", "a", "m"}, s.Names()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.Names()[0] = "spoilt"
	if got := s.Names()[0]; got != "z" {
		t.Errorf("the set has changed: %q", got)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	s := load(t, "[profile prod-eu]\n[profile prod-us]\n[profile dev/eu]\n[profile dev/us/x]\n[profile [x]]\n[profile a*]\n[default]\n", "")
	for _, tc := range []struct {
		patterns, names, unmatched []string
	}{
		{nil, nil, nil},
		{[]string{"prod-*"}, []string{"prod-eu", "prod-us"}, nil},
		{[]string{"prod-us", "prod-eu", "prod-us"}, []string{"prod-eu", "prod-us"}, nil}, // once, in the order of the files
		{[]string{"dev*"}, []string{"dev/eu", "dev/us/x"}, nil},
		{[]string{"*/eu"}, []string{"dev/eu"}, nil},
		{[]string{"prod-?u"}, []string{"prod-eu"}, nil},
		{[]string{"prod-[a-v]*"}, []string{"prod-eu", "prod-us"}, nil},
		{[]string{"gone", "default", "x*", "prod-[", ""}, []string{"default"}, []string{"gone", "x*", "prod-[", ""}},
		{[]string{"[x]", "a*"}, []string{"[x]", "a*"}, nil}, // names before patterns
		{[]string{"*"}, s.Names(), nil},
	} {
		names, unmatched := s.Match(tc.patterns)
		if diff := cmp.Diff([][]string{tc.names, tc.unmatched}, [][]string{names, unmatched}); diff != "" {
			t.Errorf("%q, -want +got:\n%s", tc.patterns, diff)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	s := load(t, "[profile production]\n[profile Staging]\n[profile acme-dev-eu]\n[profile acme-dev-us]\n[profile own]\n", "")
	for name, want := range map[string]string{
		"prodution": "production", "productoin": "production", "STAGING": "Staging", "prod": "production", "PROD": "production",
		"acme": "", "dev-us": "acme-dev-us", "acme-dev-eo": "acme-dev-eu", "pr": "", "xyzzy": "", "": "", "owl": "own", "hue": "",
	} {
		if got := s.Nearest(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func chainNames(chain []Profile) (names []string) {
	for _, p := range chain {
		names = append(names, p.Name)
	}
	return names
}

func TestChain(t *testing.T) {
	t.Parallel()
	s := load(t, `
[profile three]
source_profile = two
[profile two]
source_profile = one
[profile one]
[profile self]
source_profile = self
[profile there]
source_profile = back
[profile back]
source_profile = there
[profile rich]
source_profile = one
aws_access_key_id = i
aws_secret_access_key = s
[profile of-rich]
source_profile = rich
[profile orphan]
source_profile = gone
[profile grandchild]
source_profile = orphan
`, "")
	for _, tc := range []struct {
		name string
		want []string
		err  *MissingError
	}{
		{"one", []string{"one"}, nil},
		{"three", []string{"three", "two", "one"}, nil},
		{"self", []string{"self", "self"}, nil},
		{"there", []string{"there", "back", "there"}, nil},
		{"rich", []string{"rich", "one"}, nil},
		{"of-rich", []string{"of-rich", "rich"}, nil},
		{"orphan", []string{"orphan"}, &MissingError{Profile: "gone", UsedBy: "orphan", Nearest: "one"}},
		{"grandchild", []string{"grandchild", "orphan"}, &MissingError{Profile: "gone", UsedBy: "orphan", Nearest: "one"}},
		{"gone", nil, &MissingError{Profile: "gone", Nearest: "one"}},
		{"orphen", nil, &MissingError{Profile: "orphen", Nearest: "orphan"}},
	} {
		chain, err := s.Chain(tc.name)
		var missing *MissingError
		errors.As(err, &missing)
		if diff := cmp.Diff(tc.want, chainNames(chain)); diff != "" {
			t.Errorf("%s, -want +got:\n%s", tc.name, diff)
		}
		if diff := cmp.Diff(tc.err, missing); diff != "" {
			t.Errorf("%s, -want +got:\n%s", tc.name, diff)
		}
	}
	for err, want := range map[*MissingError]string{
		{Profile: "gone"}:                   `the AWS configuration has no profile "gone"`,
		{Profile: "gone", UsedBy: "orphan"}: `the AWS configuration has no profile "gone", which is the source_profile of "orphan"`,
	} {
		if err.Error() != want {
			t.Errorf("got %s", err)
		}
	}
}

const everything = `
[profile none]
region = eu-west-1
[profile keys]
aws_access_key_id = i
aws_secret_access_key = s
[profile session-keys]
aws_access_key_id = i
aws_secret_access_key = s
aws_session_token = t
credential_process = never
[profile environment]
role_arn = r
credential_source = Environment
[profile web]
role_arn = r
web_identity_token_file = f
[profile sso]
sso_session = corp
sso_account_id = 1
sso_role_name = r
[profile both-sso]
sso_session = corp
sso_start_url = https://legacy
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp
[profile legacy]
sso_start_url = https://legacy
sso_region = eu-west-1
[profile console]
login_session = l
[profile process]
credential_process = p
[profile role]
role_arn = r
source_profile = middle
[profile middle]
role_arn = q
source_profile = sso
[profile legacy-role]
role_arn = r
source_profile = legacy
[profile self]
role_arn = r
source_profile = self
credential_process = p
[profile orphan]
role_arn = r
source_profile = gone
`

func TestKind(t *testing.T) {
	t.Parallel()
	s := load(t, everything, "")
	for name, want := range map[string]CredentialKind{
		"none": None, "keys": Keys, "session-keys": SessionKeys, "environment": CredentialSource, "web": WebIdentity, "sso": SSO, "both-sso": SSO,
		"legacy": LegacySSO, "console": ConsoleLogin, "process": Process, "role": SSO, "legacy-role": LegacySSO, "self": Process,
		"orphan": None, "gone": None,
	} {
		if got := s.Kind(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

func TestSSO(t *testing.T) {
	t.Parallel()
	s := load(t, everything, "")
	for name, want := range map[string]string{
		"sso": "corp", "both-sso": "corp", "legacy": "https://legacy", "role": "corp", "legacy-role": "https://legacy",
		"keys": "", "none": "", "orphan": "", "gone": "",
	} {
		got, ok := s.SSO(name)
		if got.Name != want && got.StartURL != want || ok != (want != "") {
			t.Errorf("%s: %+v, want %q", name, got, want)
		}
	}
}

func TestDefinition(t *testing.T) {
	t.Parallel()
	const text = `
[profile role]
role_arn = r
source_profile = sso
external_id = x
[profile sso]
sso_session = corp
sso_account_id = 1
services = local
[sso-session corp]
sso_region = eu-west-1
[services local]
sts =
  endpoint_url = http://a
[profile other]
region = eu-west-1
`
	hash := func(config, credentials string) string {
		return strings.Join(load(t, config, credentials).Definition("role"), "\x00")
	}
	before := hash(text, "")
	for name, now := range map[string]string{
		"order":         hash("[sso-session corp]\nsso_region = eu-west-1\n[profile role]\nexternal_id = x\nsource_profile = sso\nrole_arn = r\n"+text, ""),
		"comments":      hash("# c\n"+strings.ReplaceAll(text, "= x", "=x # c"), ""),
		"other profile": hash(text+"more = y\n[profile another]\nregion = z\n", "[b]\nregion = z\n"),
		"another file":  hash(strings.Replace(text, "external_id = x\n", "", 1), "[role]\nexternal_id = x\n"),
	} {
		if now != before {
			t.Errorf("%s: another definition", name)
		}
	}
	seen := map[string]string{before: "unchanged"}
	for _, change := range []struct{ from, to string }{
		{"role_arn = r", "role_arn = q"},
		{"external_id = x", ""},
		{"external_id = x", "external_id = x\nmfa_serial = m"},
		{"external_id = x", "external_id = x\nmfa_serial ="},
		{"role_arn = r\nsource_profile = sso\nexternal_id = x", "role_arn = x\nsource_profile = sso\nexternal_id = r"}, // the same values elsewhere
		{"sso_account_id = 1", "sso_account_id = 2"},
		{"sso_session = corp", "sso_session = gone"},
		{"sso_region = eu-west-1", "sso_region = eu-west-2"},
		{"http://a", "http://b"},
		{"services = local", "services = gone"},
		{"[profile sso]", "[profile gone]"},
	} {
		changed := strings.Replace(text, change.from, change.to, 1)
		if changed == text {
			t.Fatalf("%q isn't there", change.from)
		}
		now := hash(changed, "")
		if was, ok := seen[now]; ok {
			t.Errorf("%q: the same as %s", change.to, was)
		}
		seen[now] = change.to
	}
}

func many(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "[profile p%d]\nregion = eu-west-1\nrole_arn = arn:aws:iam::%012d:role/dba\nsource_profile = default\n", i, i)
	}
	return text.String()
}

// BenchmarkLoad reads 2,000 profiles, as each call that finds no token in the cache does.
func BenchmarkLoad(b *testing.B) {
	f := write(b, many(2000), "[default]\naws_access_key_id = i\naws_secret_access_key = s\n")
	for b.Loop() {
		s, err := Load(f)
		if err != nil || len(s.Names()) != 2001 {
			b.Fatal(err)
		}
		s.Definition("p1999")
	}
}

// TestBase: the profile whose credentials a chain of roles begins with.
func TestBase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	text := "[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n[profile one]\nrole_arn = x\nsource_profile = keys\n" +
		"[profile two]\nrole_arn = y\nsource_profile = one\n[profile own]\nrole_arn = z\nsource_profile = own\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(Files{Config: file, Credentials: filepath.Join(dir, "none")})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"keys": "", "one": "keys", "two": "keys", "own": "", "nobody": ""} {
		if got := s.Base(name); got != want {
			t.Errorf("the base of %s is %q, want %q", name, got, want)
		}
	}
}
