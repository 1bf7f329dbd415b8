package profiles

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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

// all returns what a configuration says: the settings of each profile, in order.
func all(s *Set) []string {
	var text []string
	for _, name := range s.Names() {
		p, _ := s.Profile(name)
		line := name + ":"
		for _, k := range slices.Sorted(maps.Keys(p.Settings)) {
			line += fmt.Sprintf(" %s=%q", k, p.Settings[k])
		}
		text = append(text, line)
	}
	return text
}

// TestParse: what the AWS CLI makes of a file, line by line. internal/app holds the same, and much
// more, beside the CLI itself.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, config, credentials string
		want                      []string
	}{
		{"plain", "[default]\nregion = a\n[profile a]\nregion=b\n", "[default]\naws_access_key_id = i\n",
			[]string{`default: aws_access_key_id="i" region="a"`, `a: region="b"`}},
		{"quoted names", "[profile 'My Dev']\nregion=a\n[profile \"My Prod\"]\nregion=b\n[profile My\\ Test]\nregion=c\n[profile\tx'y']\nregion=d\n", "",
			[]string{`My Dev: region="a"`, `My Prod: region="b"`, `My Test: region="c"`, `xy: region="d"`}},
		{"one profile, however it is quoted; the later one counts", "[profile a]\nregion=1\nservices=s\n[profile 'a']\nregion=2\n[profile default]\nregion=3\n[default]\nservices=t\n", "",
			[]string{`a: region="2"`, `default: services="t"`}},
		{"names in credentials are as they stand", "", "[My Dev]\nregion=a\n['My Dev']\nregion=b\n", []string{`My Dev: region="a"`, `'My Dev': region="b"`}},
		{"no profiles", "[a]\nx=1\n[profile a b]\nx=1\n[profile 'a]\nx=1\n[profile]\nx=1\n[ profile c ]\nx=1\n[Profile d]\nx=1\n[]\nx=1\n[profile e\nx=1\n", "", nil},
		{"after the bracket", "[profile a] # c\nregion=1\n[profile b] x ]\nregion=2\n[profile c]]\nregion=3\n", "", []string{`a: region="1"`, `c]: region="3"`}},
		{"credentials over config, setting by setting", "[profile a]\nregion=1\nservices=s\ns3 =\n  x = 1\n", "[a]\nregion=2\ns3 =\n  y = 1\n",
			[]string{`a: region="2" s3="" s3.y="1" services="s"`}},
		{"comments", "# c\n  ; c\n[profile a]\n# c\nservices = x#y ;z\n", "", []string{`a: services="x#y ;z"`}},
		{"a comment where no blank can be", "[profile a]\nregion = x ; c\nrole_arn=r\t# c\nsso_start_url = u/#/ # c\n", "", []string{`a: region="x" role_arn="r" sso_start_url="u/#/"`}},
		{"quotes where there can be none", "[profile a]\nregion = 'x'\nrole_arn = \"r\nservices = 'y'\ncredential_process = \"a\" \"b\"\n", "",
			[]string{`a: credential_process="\"a\" \"b\"" region="x" role_arn="\"r" services="'y'"`}},
		{"either sign", "[profile a]\nREGION: a=b\nServices = c:d\n", "", []string{`a: region="a=b" services="c:d"`}},
		{"nested", "[profile a]\ns3 =\n  x = 1\n  Y = 2=3\n  nothing\n# c\n\n  z=\nregion = r\n", "", []string{`a: region="r" s3="" s3.Y="2=3" s3.x="1" s3.z=""`}},
		{"continued", "[profile a]\nservices = a\n  b = c\n\n\t[x]\n  # c\n  d\n\nregion = r\n", "", []string{`a: region="r" services="a\nb = c\n\n[x]\nd"`}},
		{"indented", "  [profile a]\n  region = 1\n  services = 2\n    3\n role_arn = 4\n", "", []string{`a: region="1" role_arn="4" services="2\n3"`}},
		{"again", "[profile a]\nregion=1\ns3 =\n  x = 1\n[profile b]\n[profile a]\nregion=2\ns3 =\n  y = 1\n", "", []string{`a: region="2" s3="" s3.y="1"`, `b:`}},
		{"ends of lines", "[profile a]\r\nregion = 1\r\n[profile b]\rregion = 2\r", "", []string{`a: region="1"`, `b: region="2"`}},
		{"a byte order mark", "\ufeff[default]\nregion = 1\n", "\ufeff[b]\nregion=2\n", []string{`default: region="1"`, `b: region="2"`}},
		{"before the first section", "region = 1\n= x\n[profile a]\n= x\n: y\nnothing\nregion = 2\n", "", []string{`a: region="2"`}},
		{"DEFAULT", "[profile a]\nregion = 1\n[DEFAULT]\nregion = 2\nservices = s\n", "", []string{`a: region="1" services="s"`}},
		{"other blanks", "[profile a]\nregion = \u00a01\u00a0\n\u00a0 services = 2\n", "", []string{`a: region="1\nservices = 2"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, all(load(t, tc.config, tc.credentials))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// FuzzLoad: whatever the files hold, they are read, and what one says in quotes is one with what
// another says without.
func FuzzLoad(f *testing.F) {
	f.Add(everything, "[keys]\naws_session_token = t\n", "a b")
	f.Add("[profile 'a b']\nregion = x\n  y\n", "\ufeff[a b]\rregion: x # c\n", "it's")
	f.Fuzz(func(t *testing.T, configText, credentialsText, name string) {
		s := newSet(Files{"config", "credentials"}, configText, credentialsText)
		for _, name := range append(s.Names(), "gone") {
			p, found := s.Profile(name)
			chain, err := s.Chain(name)
			var missing *MissingError
			if (name == "gone" && !found) != (errors.As(err, &missing) && missing.UsedBy == "") {
				t.Errorf("%q: found %v, chain %v", name, found, err)
			}
			if err == nil && chain.Base.Kind == Keys && (chain.Base.KeysFile == "" || len(chain.Roles) == 0 && chain.Base.KeyID != p.Get(keyID)) {
				t.Errorf("%q: keys %+v of %v", name, chain.Base, p.Settings)
			}
			s.Unused(name)
		}
		if strings.ContainsAny(name, "\n\r\x00") || strings.TrimSpace(name) != name || name == "" || !utf8.ValidString(name) {
			return
		}
		again := newSet(Files{}, "[profile "+quoted(name)+"]\nregion = here\n", "")
		if p, _ := again.Profile(name); p.Get("region") != "here" {
			t.Errorf("%q isn't found as %s: %q", name, quoted(name), again.Names())
		}
	})
}

// TestSplit: words as Python's shlex and Windows' C runtime have them.
func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		want []string
	}{
		{``, nil}, {"  a\tb\nc ", []string{"a", "b", "c"}}, {`'a b' "c d" e\ f`, []string{"a b", "c d", "e f"}},
		{`a'b'"c"`, []string{"abc"}}, {`'' ""`, []string{"", ""}}, {`"a\"b\\c\d"`, []string{`a"b\c\d`}}, {`'a\b'`, []string{`a\b`}},
		{`a # b ; c`, []string{"a", "#", "b", ";", "c"}},
	} {
		if got, err := SplitCommand(tc.text, false); err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, %v, want %q", tc.text, got, err, tc.want)
		}
	}
	for _, open := range []string{`'a`, `"a`, `a\`, `a'b"`} {
		if words, err := SplitCommand(open, false); err == nil {
			t.Errorf("%s: %q", open, words)
		}
	}
	for _, tc := range []struct {
		text string
		want []string
	}{
		{``, nil}, {`"C:\Program Files\x.exe" --a "b c"`, []string{`C:\Program Files\x.exe`, "--a", "b c"}},
		{`C:\x\y.exe 'a b'`, []string{`C:\x\y.exe`, "'a", "b'"}}, {`a\\"b c"`, []string{`a\b c`}}, {`a\"b`, []string{`a"b`}},
		{`\\server\share\x "a\\" b\`, []string{`\\server\share\x`, `a\`, `b\`}}, {`""`, []string{""}},
	} {
		if got, err := SplitCommand(tc.text, true); err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("on Windows, %s: %q, %v, want %q", tc.text, got, err, tc.want)
		}
	}
	if words, err := SplitCommand(`"a`, true); err == nil {
		t.Errorf("an open quote on Windows: %q", words)
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, text := range []string{
		"2030-01-02T03:04:05Z", "2030-01-02T03:04:05UTC", "2030-01-02T03:04:05+00:00", "2030-01-02T03:04:05+0000", "2030-01-02T05:04:05+02",
		"2030-01-02 03:04:05 UTC", "2030-01-02t03:04:05z", "Wed Jan  2 03:04:05 UTC 2030", "Wed, 02 Jan 2030 03:04:05 GMT", "2030-01-02T03:04:05.000Z", "20300102T030405Z", " 2030-01-02T03:04:05GMT ",
	} {
		if got, err := ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := ParseTime("2030-01-02T03:04:05.678901+0100"); err != nil || got.UnixMicro() != want.Add(-time.Hour+678901*time.Microsecond).UnixMicro() {
		t.Errorf("a fraction: %v, %v", got, err)
	}
	for _, text := range []string{"", "2030-01-02T03:04:05", "1893456000", "soon", "2030-13-02T03:04:05Z"} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
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
	t.Setenv("PLACE", "corp")
	t.Setenv("AWS_CONFIG_FILE", "~/$PLACE/${PLACE}x")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "$HOME/$NOTHING/~")
	if got := Default(); got != (Files{home + "/corp/corpx", home + "/$NOTHING/~"}) {
		t.Errorf("got %v", got)
	}
	s, err := Load(Default())
	if err != nil {
		t.Fatal(err)
	}
	const missing = `the AWS configuration has no profile "x" (AWS_CONFIG_FILE names `
	if _, err := s.Chain("x"); err == nil || !strings.HasPrefix(err.Error(), missing+home) {
		t.Errorf("got %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := load(t, "[profile z]\n[default]\n[nobody]\n[profile a]\n[sso-session s]\n[profile z]\n[services v]\n", "[m]\n[a]\n[profile n]\n[]\n")
	if diff := cmp.Diff([]string{"z", "default", "a", "m", "profile n"}, s.Names()); diff != "" {
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

// TestChain: the roles and the beginning of each chain, or what is wrong with it.
func TestChain(t *testing.T) {
	t.Parallel()
	s := load(t, everything+`
[profile three]
role_arn = 3
source_profile = two
[profile two]
role_arn = 2
source_profile = keys
[profile self]
role_arn = r
source_profile = self
aws_access_key_id = i
aws_secret_access_key = s
[profile self-without]
role_arn = r
source_profile = self-without
credential_process = p
[profile there]
role_arn = r
source_profile = back
[profile back]
role_arn = r
source_profile = there
[profile rich]
role_arn = r
source_profile = web
aws_access_key_id = i
aws_secret_access_key = s
[profile of-rich]
role_arn = q
source_profile = rich
[profile of-none]
role_arn = q
source_profile = none
[profile both]
role_arn = q
source_profile = none
credential_source = Environment
[profile neither]
role_arn = q
credential_process = p
[profile source-only]
source_profile = keys
[profile odd-source]
role_arn = q
credential_source = environment
[profile no-account]
sso_session = corp
[profile half-sso]
sso_session = corp
sso_account_id = 1
[profile corpp]
sso_session = crop
sso_account_id = 1
sso_role_name = r
[profile unlike]
sso_session = corp
sso_region = us-east-1
sso_account_id = 1
sso_role_name = r
[profile half]
aws_access_key_id = i
[profile other-half]
aws_secret_access_key = s
[profile no-role]
web_identity_token_file = f
[grandchild]
region = x
[profile My Corp]
region = x
`, `
[profile oops]
region = x
`)
	for _, tc := range []struct{ name, want string }{
		{"keys", "keys"}, {"role", "sso + q + r"}, {"three", "keys + 2 + 3"}, {"self", "self + r"}, {"of-rich", "rich + q"}, {"environment", "environment + r"},
		{"web", "web"}, {"none", "none"}, {"process", "process"},
		{"orphan", `the AWS configuration has no profile "gone", which is the source_profile of "orphan"`},
		{"gone", `the AWS configuration has no profile "gone"`},
		{"grandchild", `the AWS configuration has no profile "grandchild"; CONFIG has [grandchild], write there instead:  [profile grandchild]`},
		{"My Corp", `the AWS configuration has no profile "My Corp"; CONFIG has [profile My Corp], write there instead:  [profile 'My Corp']`},
		{"oops", `the AWS configuration has no profile "oops"; CREDENTIALS has [profile oops], write there instead:  [oops]`},
		{"self-without", "it is its own source_profile, and has no access keys"},
		{"there", "its source_profile goes in a circle: there, back, there"},
		{"of-none", `the AWS profile "none", with whose credentials role q is assumed, has none`},
		{"both", "it has both source_profile and credential_source"},
		{"neither", "it has role_arn, and no source_profile or credential_source: with whose credentials is the role assumed?"},
		{"source-only", "it has source_profile, and no role_arn: a source gives credentials only to assume a role with"},
		{"odd-source", `credential_source = environment isn't one of Environment, EcsContainer, Ec2InstanceMetadata; did you mean "Environment"?`},
		{"no-account", "it lacks sso_account_id, sso_role_name"},
		{"half-sso", "it lacks sso_role_name"},
		{"corpp", `its sso_session "crop" isn't there; did you mean "corp"?`},
		{"unlike", "sso_region is us-east-1 in the profile, and eu-west-1 in its sso-session corp"},
		{"half", "it has aws_access_key_id without aws_secret_access_key"},
		{"other-half", "it has aws_secret_access_key without aws_access_key_id"},
		{"no-role", "it has web_identity_token_file, and no role_arn"},
	} {
		chain, err := s.Chain(tc.name)
		got := chain.Base.Profile
		for _, r := range chain.Roles {
			got += " + " + r.ARN
		}
		if missing, ok := errors.AsType[*MissingError](err); ok && missing.There != "" {
			p := missing.Worded("")
			err = errors.New(p.Text + ", " + p.Do[0].String())
		}
		if err != nil {
			got = strings.NewReplacer(s.files.Config, "CONFIG", s.files.Credentials, "CREDENTIALS").Replace(err.Error())
		}
		if got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
	missing, _ := errors.AsType[*MissingError](s.missing("orphen", ""))
	if missing.Nearest != "orphan" {
		t.Errorf("nearest is %q", missing.Nearest)
	}
}

// TestOrder: which of a profile's credentials come first, as in the AWS CLI.
func TestOrder(t *testing.T) {
	t.Parallel()
	const (
		web     = "web_identity_token_file = f\nrole_arn = r\n"
		sso     = "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
		login   = "login_session = l\n"
		process = "credential_process = p\n"
		keys    = "aws_access_key_id = i\naws_secret_access_key = s\n"
		session = "[sso-session s]\nsso_region = r\nsso_start_url = u\n"
	)
	for _, tc := range []struct {
		name, config, credentials string
		want                      CredentialKind
		unused                    string
	}{
		{"all of them", web + sso + login + process + keys, keys, WebIdentity, "CREDENTIALS aren't used: web_identity_token_file"},
		{"SSO over keys", sso + login + process + keys, keys, SSO, "CREDENTIALS aren't used: SSO"},
		{"SSO over keys of config", sso + keys, "", SSO, "CONFIG aren't used: SSO"},
		{"keys in credentials", login + process + keys, keys, Keys, ""},
		{"a session's keys", process, keys + "aws_session_token = t\n", SessionKeys, ""},
		{"by the old name", process, keys + "aws_security_token = t\n", SessionKeys, ""},
		{"a console login", login + process + keys, "", ConsoleLogin, "CONFIG aren't used: login_session"},
		{"a process over keys of config", process + keys, "", Process, "CONFIG aren't used: credential_process"},
		{"a session without an account", "sso_session = s\n" + keys, "", Keys, ""},
		{"only in credentials", "", sso, SSO, ""},
	} {
		s := load(t, "[profile a]\n"+tc.config+session, "[a]\n"+tc.credentials)
		if chain, err := s.Chain("a"); err != nil || chain.Base.Kind != tc.want {
			t.Errorf("%s: %v, %v, want %v", tc.name, chain.Base.Kind, err, tc.want)
		}
		unused := strings.NewReplacer(s.files.Config, "CONFIG", s.files.Credentials, "CREDENTIALS").Replace(s.Unused("a"))
		if tc.unused != "" {
			tc.unused = "its access keys in " + tc.unused + " comes first, as in the AWS CLI"
		}
		if unused != tc.unused {
			t.Errorf("%s: unused: %s", tc.name, unused)
		}
	}
}

// TestEndpoint: where a service is asked, in the CLI's order.
func TestEndpoint(t *testing.T) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	s := load(t, `
[profile a]
endpoint_url = http://profile
services = My
[profile b]
services = my
[profile c]
ignore_configured_endpoint_urls = TRUE
endpoint_url = http://profile
[services My]
sts =
  endpoint_url = http://services
sso_oidc =
  endpoint_url = http://oidc
`, "")
	for _, tc := range []struct{ profile, service, env, want string }{
		{"a", "STS", "", "http://services"}, {"a", "SSO_OIDC", "", "http://oidc"}, {"a", "RDS", "", "http://profile"}, {"gone", "STS", "", ""},
		{"a", "STS", "AWS_ENDPOINT_URL", "http://env"}, {"a", "STS", "AWS_ENDPOINT_URL_STS", "http://env"}, {"a", "STS", "AWS_ENDPOINT_URL_SSO", "http://services"},
		{"c", "STS", "AWS_ENDPOINT_URL_STS", ""}, {"b", "STS", "AWS_ENDPOINT_URL", "http://env"},
		{"b", "STS", "", `its services section "my" isn't there, or is empty; did you mean "My"?`},
	} {
		t.Run(tc.profile+tc.service+tc.env, func(t *testing.T) {
			if tc.env != "" {
				t.Setenv(tc.env, "http://env")
			}
			got, err := s.Endpoint(tc.profile, tc.service)
			if err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
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
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp
[profile legacy]
sso_start_url = https://legacy
sso_region = eu-west-1
sso_account_id = 1
sso_role_name = r
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
[profile orphan]
role_arn = r
source_profile = gone
`

func TestKind(t *testing.T) {
	t.Parallel()
	s := load(t, everything, "")
	for name, want := range map[string]CredentialKind{
		"none": None, "keys": Keys, "session-keys": Process, "environment": CredentialSource, "web": WebIdentity, "sso": SSO,
		"legacy": LegacySSO, "console": ConsoleLogin, "process": Process, "role": SSO, "legacy-role": LegacySSO,
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
		"sso": "corp", "legacy": "https://legacy", "role": "corp", "legacy-role": "https://legacy",
		"keys": "", "none": "", "orphan": "", "gone": "",
	} {
		got, ok := s.SSO(name)
		if got.Name != want && got.StartURL != want || ok != (want != "") {
			t.Errorf("%s: %+v, want %q", name, got, want)
		}
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
		if _, err := s.Chain("p1999"); err != nil {
			b.Fatal(err)
		}
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

func TestAccount(t *testing.T) {
	t.Parallel()
	const roleARN = "arn:aws-cn:iam::222222222222:role/dba"
	s := load(t, `[profile keys]
aws_access_key_id = A
aws_secret_access_key = B
region = eu-west-1
[profile named]
credential_process = x
aws_account_id = 111111111111
[profile wrong]
credential_process = x
aws_account_id = mine
[profile role]
role_arn = `+roleARN+`
source_profile = named
region = eu-west-1
[profile web]
web_identity_token_file = /x
role_arn = `+roleARN+`
[profile console]
login_session = arn:aws:iam::333333333333:user/dba
[profile sso]
sso_session = corp
sso_account_id = 444444444444
sso_role_name = dba
[profile legacy]
sso_start_url = https://x
sso_region = us-gov-west-1
sso_account_id = 555555555555
sso_role_name = dba
[profile sso-role]
role_arn = arn:aws:iam::666666666666:role/dba
source_profile = sso
[sso-session corp]
sso_start_url = https://y
sso_region = eu-central-1
`, "")
	for name, want := range map[string][2]string{
		"keys": {"", "aws"}, "named": {"111111111111", ""}, "wrong": {}, "gone": {},
		"role": {"222222222222", "aws-cn"}, "web": {"222222222222", "aws-cn"}, "console": {"333333333333", "aws"},
		"sso": {"444444444444", "aws"}, "legacy": {"555555555555", "aws-us-gov"}, "sso-role": {"666666666666", "aws"},
	} {
		if number, partition := s.Account(name); [2]string{number, partition} != want {
			t.Errorf("%s: %q in %q, want %q", name, number, partition, want)
		}
	}
}
