package credentials

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/testbed"
)

// TestMain sends whatever would leave this machine to a proxy that isn't there; Go reads these
// variables only once, and doesn't proxy loopback addresses.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:9"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

const (
	keyID     = "AKIATESTBED"
	keySecret = "top/secret+key"
)

var orders = Source{User: "dba", Region: "eu-west-1"}

// newHome gives the test an AWS of nothing: no variable, no metadata service, and a home of its
// own with this text as ~/.aws/config.
func newHome(t *testing.T, config string) string {
	t.Helper()
	var unset []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			unset = append(unset, name)
		}
	}
	for _, name := range unset {
		t.Setenv(name, "") // so that it is put back
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	home := t.TempDir()
	aws := filepath.Join(home, ".aws")
	file := filepath.Join(aws, "config")
	credentials := filepath.Join(aws, "credentials")
	if err := errors.Join(os.Mkdir(aws, 0o700), os.WriteFile(file, []byte(config), 0o600),
		os.WriteFile(credentials, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"HOME": home, "USERPROFILE": home, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": credentials,
	} {
		t.Setenv(name, value)
	}
	return home
}

func setenv(t *testing.T, env ...string) {
	t.Helper()
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
}

// startAWS starts a test AWS that knows the key, and leads the SDK to it.
func startAWS(t *testing.T) (*testbed.AWS, *testbed.Keys) {
	t.Helper()
	keys := &testbed.Keys{}
	keys.Add(testbed.Key{ID: keyID, Secret: keySecret, Owner: "arn:aws:iam::123456789012:user/dba"})
	a := testbed.StartAWS(keys)
	t.Cleanup(a.Close)
	setenv(t, a.Env()...)
	return a, keys
}

// retrieve returns credentials that are not kept.
func retrieve(ctx context.Context, of Source) (aws.Credentials, error) {
	return New(of, Options{}).Retrieve(ctx)
}

// verify checks that AWS knows the credentials.
func verify(t *testing.T, keys *testbed.Keys, c aws.Credentials) {
	t.Helper()
	if key, ok := keys.Find(c.AccessKeyID); !ok || key.Secret != c.SecretAccessKey || key.SessionToken != c.SessionToken {
		t.Errorf("AWS doesn't know %s", c.AccessKeyID)
	}
}

// inTime is retrieve, which must not take longer than limit.
func inTime(t *testing.T, limit time.Duration, ctx context.Context, of Source) (aws.Credentials, error) {
	t.Helper()
	start := time.Now()
	c, err := retrieve(ctx, of)
	if took := time.Since(start); took > limit {
		t.Errorf("took %v, more than %v", took, limit)
	}
	if err != nil && c.SecretAccessKey != "" {
		t.Error("credentials beside an error")
	}
	return c, err
}

func TestExpired(t *testing.T) {
	newHome(t, "")
	a, _ := startAWS(t)
	setenv(t, a.ContainerEnv()...)
	a.Life = -time.Minute
	at := time.Now().Add(a.Life)
	_, err := retrieve(t.Context(), orders)
	var expired *ExpiredError
	if !errors.As(err, &expired) {
		t.Fatalf("got %v, want an ExpiredError", err)
	}
	if off := expired.At.Sub(at).Abs(); off > 30*time.Second {
		t.Errorf("expired at %v, want %v", expired.At, at)
	}
	if want := "the AWS credentials (CredentialsEndpointProvider) expired at " + expired.At.Local().Format("15:04:05"); !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

const awsConfig = `
[default]
region = eu-west-1
[profile keys]
aws_access_key_id = AKIATESTBED
aws_secret_access_key = top/secret+key
[profile orphan]
role_arn = arn:aws:iam::123456789012:role/one
source_profile = nobody
[profile grandchild]
role_arn = arn:aws:iam::123456789012:role/two
source_profile = orphan
[profile poor]
role_arn = arn:aws:iam::123456789012:role/one
source_profile = default
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/one
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/dba
[profile role]
role_arn = arn:aws:iam::123456789012:role/one
source_profile = keys
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dba
[sso-session corp]
sso_start_url = https://testbed.awsapps.com/start
sso_region = eu-west-1
[profile old-sso]
sso_start_url = https://testbed.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = dba
[profile console]
region = eu-west-1
login_session = arn:aws:iam::123456789012:user/dba
`

func TestProfileError(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  string
		to   string // the target's profile
		want *profiles.MissingError
		text string
	}{
		{"the target's", "AWS_PROFILE=keys", "gone", &profiles.MissingError{Profile: "gone"}, `the AWS configuration has no profile "gone"`},
		{"AWS_PROFILE's", "AWS_PROFILE=gone", "", &profiles.MissingError{Profile: "gone"}, `the AWS configuration has no profile "gone"`},
		{"a source profile", "AWS_PROFILE=keys", "orphan", &profiles.MissingError{Profile: "nobody", UsedBy: "orphan"},
			`the AWS configuration has no profile "nobody", which is the source_profile of "orphan"`},
		{"AWS_PROFILE's source profile", "AWS_PROFILE=orphan", "", &profiles.MissingError{Profile: "nobody", UsedBy: "orphan"},
			`the AWS configuration has no profile "nobody", which is the source_profile of "orphan"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			newHome(t, awsConfig)
			setenv(t, tc.env)
			to := orders
			to.Profile = tc.to
			_, err := retrieve(t.Context(), to)
			for _, err := range []error{err, New(to, Options{}).Check()} {
				var got *profiles.MissingError
				if !errors.As(err, &got) {
					t.Fatalf("got %v, want a MissingError", err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if err.Error() != tc.text {
					t.Errorf("got %s", err)
				}
			}
		})
	}
}

func TestConditions(t *testing.T) {
	for _, tc := range []struct {
		profile string
		want    error
	}{
		{"default", ErrNoCredentials},
		{"mfa", ErrNoTerminal},
		{"sso", ErrSSOLogin},
		{"old-sso", ErrSSOLogin},
		{"console", ErrConsoleLogin},
	} {
		t.Run(tc.profile, func(t *testing.T) {
			newHome(t, awsConfig)
			to := orders
			to.Profile = tc.profile
			_, err := inTime(t, 1500*time.Millisecond, t.Context(), to)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			// Whoever has a profile needs no login to have it checked.
			if err := New(to, Options{}).Check(); err != nil {
				t.Errorf("check: %v", err)
			}
		})
	}
	t.Run("expired login", func(t *testing.T) {
		home := newHome(t, awsConfig)
		a, _ := startAWS(t)
		file, text := a.SSOLogin(home, "corp", -time.Hour)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600)); err != nil {
			t.Fatal(err)
		}
		setenv(t, "AWS_PROFILE=sso")
		if _, err := retrieve(t.Context(), orders); !errors.Is(err, ErrSSOLogin) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a source profile without keys", func(t *testing.T) {
		newHome(t, awsConfig)
		setenv(t, "AWS_PROFILE=poor")
		_, err := retrieve(t.Context(), orders)
		want := `the AWS profile "default", with whose credentials role arn:aws:iam::123456789012:role/one is assumed, has none`
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("source profiles in a circle", func(t *testing.T) {
		newHome(t, "[profile a]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = b\n"+
			"[profile b]\nrole_arn = arn:aws:iam::123456789012:role/b\nsource_profile = a\n")
		_, err := retrieve(t.Context(), Source{Profile: "a", Region: "eu-west-1"})
		if err == nil || err.Error() != "its source_profile goes in a circle: a, b, a" {
			t.Errorf("got %v", err)
		}
	})
}

func TestCheckProfile(t *testing.T) {
	for _, tc := range []struct{ name, profile, credentials string }{
		{"none", "", ""},
		{"in the config file", "keys", ""},
		{"in the credentials file", "other", "[other]\naws_access_key_id = a\naws_secret_access_key = b\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			home := newHome(t, awsConfig)
			if err := os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte(tc.credentials), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := New(Source{Profile: tc.profile}, Options{}).Check(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("in a file of another name", func(t *testing.T) {
		home := newHome(t, awsConfig)
		file := filepath.Join(home, "elsewhere")
		if err := os.WriteFile(file, []byte("[profile moved]\nregion = eu-west-1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		moved := Source{Profile: "moved"}
		var missing *profiles.MissingError
		if err := New(moved, Options{}).Check(); !errors.As(err, &missing) {
			t.Errorf("got %v", err)
		}
		setenv(t, "AWS_CONFIG_FILE="+file)
		if err := New(moved, Options{}).Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestContainerError(t *testing.T) {
	for _, tc := range []struct {
		name string
		url  func(*testing.T) string
		want string // a part of the problem
	}{
		{"refused", func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "TOPSECRET", http.StatusUnauthorized) })
		}, "it answered with status 401"},
		{"no JSON", func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"SecretAccessKey":"TOPSECRET"`) })
		}, "its answer is not the JSON that the AWS SDK expects"},
		{"nobody there", closed, "connection refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			newHome(t, "")
			setenv(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+tc.url(t))
			_, err := retrieve(t.Context(), orders)
			var got *ContainerError
			if !errors.As(err, &got) || !strings.Contains(got.Problem, tc.want) {
				t.Fatalf("got %v, want a ContainerError: %s", err, tc.want)
			}
			if !strings.Contains(err.Error(), "AWS_CONTAINER_CREDENTIALS_FULL_URI") || strings.Contains(fmt.Sprintf("%v %#v", err, err), "TOPSECRET") {
				t.Errorf("got %#v", err)
			}
		})
	}
}

// The order is the AWS CLI's: a named profile, keys, a role of AWS_PROFILE, a web identity, and what is
// left.
func TestSigner(t *testing.T) {
	const keys, half, web = "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b", "AWS_ACCESS_KEY_ID=a", "AWS_WEB_IDENTITY_TOKEN_FILE=f"
	for _, tc := range []struct{ profile, env, want string }{
		{"p", keys + " " + web + " AWS_PROFILE=q", "AWS profile p"},
		{"", keys + " " + web + " AWS_PROFILE=q", "the keys in the environment"},
		{"", web + " AWS_PROFILE=q", "the web identity in the environment"},
		{"", web + " AWS_PROFILE=r", "AWS profile r (AWS_PROFILE)"},
		{"", half + " AWS_PROFILE=q", "the keys in the environment"},
		{"", "AWS_PROFILE=q", "AWS profile q (AWS_PROFILE)"},
		{"", "AWS_DEFAULT_PROFILE=r", "AWS profile r (AWS_DEFAULT_PROFILE)"},
		{"", "", "AWS profile default, or else this machine's role"},
	} {
		t.Run(tc.profile+" "+tc.env, func(t *testing.T) {
			newHome(t, "[default]\n[profile p]\n[profile q]\n[profile r]\nrole_arn = x\nsource_profile = q\n")
			setenv(t, strings.Fields(tc.env)...)
			if got, known := New(Source{Profile: tc.profile}, Options{}).Signer(); !known || !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestProfile(t *testing.T) {
	newHome(t, "")
	for _, tc := range []struct{ target, profile, defaultProfile, want string }{
		{"", "", "", "default"},
		{"", "", "c", "c"},
		{"", "b", "c", "b"},
		{"a", "b", "c", "a"},
	} {
		setenv(t, "AWS_PROFILE="+tc.profile, "AWS_DEFAULT_PROFILE="+tc.defaultProfile)
		if got := (Source{Profile: tc.target}).Name(); got != tc.want {
			t.Errorf("%+v: %q", tc, got)
		}
	}
}

func TestAPIError(t *testing.T) {
	for _, tc := range []struct {
		name    string
		code    string
		message string
		want    APIError
	}{
		{"denied", "AccessDenied", "User: arn:aws:iam::123456789012:user/dba is not authorized to perform: sts:AssumeRole",
			APIError{Operation: "STS AssumeRole", Code: "AccessDenied", Denied: true, Message: "User: arn:aws:iam::123456789012:user/dba is not authorized to perform: sts:AssumeRole", Role: "arn:aws:iam::123456789012:role/one"}},
		{"several lines", "AccessDenied", "\n  first \nsecond TOPSECRET\n", APIError{Operation: "STS AssumeRole", Code: "AccessDenied", Denied: true, Message: "first", Role: "arn:aws:iam::123456789012:role/one"}},
		{"a quoted request", "SignatureDoesNotMatch", "The canonical string was x-amz-security-token:TOPSECRET",
			APIError{Operation: "STS AssumeRole", Code: "SignatureDoesNotMatch", Message: "the secret access key doesn't belong to the access key id", Role: "arn:aws:iam::123456789012:role/one"}},
		{"half a signature", "IncompleteSignature", "Authorization=TOPSECRET",
			APIError{Operation: "STS AssumeRole", Code: "IncompleteSignature", Message: "the secret access key doesn't belong to the access key id", Role: "arn:aws:iam::123456789012:role/one"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			newHome(t, awsConfig)
			a, _ := startAWS(t)
			a.Fail("AssumeRole", 1, 403, tc.code, tc.message)
			setenv(t, "AWS_PROFILE=role")
			_, err := retrieve(t.Context(), orders)
			var got *APIError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want an APIError", err)
			}
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "TOPSECRET") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %s", text)
			}
		})
	}
}

// silent is a server that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

// closed is an address where nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// Where there is no metadata service the user waits for the message, in the SDK's own way 4 to 5
// seconds.
func TestNoMetadataService(t *testing.T) {
	status := func(code int) func(*testing.T) string {
		return func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		}
	}
	const soon = 1500 * time.Millisecond
	for _, tc := range []struct {
		name  string
		limit time.Duration
		url   func(*testing.T) string
	}{
		{"silence", soon, silent},
		{"closed port", soon, closed},
		{"not found", soon, status(http.StatusNotFound)},
		{"forbidden", soon, status(http.StatusForbidden)},
		{"broken for ever", soon, status(http.StatusInternalServerError)},
		{"busy for ever", soon, status(http.StatusTooManyRequests)},
		{"nothing but a token", soon, func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPut {
					http.NotFound(w, r)
					return
				}
				w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
				fmt.Fprint(w, "token")
			})
		}},
		{"half a list", firstAnswer + time.Second, func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut {
					w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
					fmt.Fprint(w, "token")
					return
				}
				w.Header().Set("Content-Length", "100")
				fmt.Fprint(w, "role")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(10 * time.Second):
				}
			})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			newHome(t, "")
			setenv(t, "AWS_EC2_METADATA_DISABLED=false", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+tc.url(t))
			if _, err := inTime(t, tc.limit, t.Context(), orders); !errors.Is(err, ErrNoCredentials) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Where a role is assumed with the machine's credentials, STS's client asks for these at each of
// its attempts: the answer is known after the first.
func TestNoMetadataServiceForRole(t *testing.T) {
	role := orders
	role.RoleARN = "arn:aws:iam::123456789012:role/entry"
	profile := orders
	profile.Profile = "ec2"
	for name, to := range map[string]Source{"the target's role": role, "the profile's role": profile} {
		t.Run(name, func(t *testing.T) {
			newHome(t, "[profile ec2]\nrole_arn = arn:aws:iam::123456789012:role/one\ncredential_source = Ec2InstanceMetadata\n")
			setenv(t, "AWS_EC2_METADATA_DISABLED=false", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+silent(t))
			if _, err := inTime(t, 1500*time.Millisecond, t.Context(), to); !errors.Is(err, ErrNoCredentials) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSlowMetadataService(t *testing.T) {
	newHome(t, "")
	a, keys := startAWS(t)
	for _, operation := range []string{"IMDSToken", "IMDSRoles", "IMDSCredentials"} {
		a.Delay(operation, 300*time.Millisecond)
	}
	setenv(t, a.InstanceEnv()...)
	tok, err := retrieve(t.Context(), orders)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, keys, tok)
	if n := a.Calls("IMDSRoles"); n != 1 {
		t.Errorf("asked for the roles %d times", n)
	}
}

// On an instance a question that gets lost is asked again: silence counts for the first one only.
func TestLostInstanceRole(t *testing.T) {
	newHome(t, "")
	a, keys := startAWS(t)
	lost := make(chan struct{})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/instance-role") {
			select {
			case <-lost:
			default:
				close(lost)
				<-r.Context().Done()
				return
			}
		}
		back, err := url.Parse(a.URL)
		if err != nil {
			t.Error(err)
		}
		httputil.NewSingleHostReverseProxy(back).ServeHTTP(w, r)
	})
	setenv(t, append(a.InstanceEnv(), "AWS_EC2_METADATA_SERVICE_ENDPOINT="+server)...)
	tok, err := retrieve(t.Context(), orders)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, keys, tok)
}

func TestTimeout(t *testing.T) {
	newHome(t, "")
	a, _ := startAWS(t)
	a.Delay("Container", 2*time.Second)
	setenv(t, a.ContainerEnv()...)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := inTime(t, 1500*time.Millisecond, ctx, orders); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

// Who asks for the code and who waits for the credentials see the end of the call at the same
// moment, in either order; both orders come up in as many tries.
func TestNoCodeInTime(t *testing.T) {
	newHome(t, awsConfig)
	startAWS(t)
	for range 200 {
		ctx, end := context.WithCancel(t.Context())
		p := New(Source{Profile: "mfa"}, Options{Code: func(context.Context, string, string) (string, error) {
			end()
			return "", ErrNoCode
		}})
		_, err := p.Retrieve(ctx)
		if !errors.Is(err, ErrNoCode) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestAPIErrorWithoutReason(t *testing.T) {
	t.Parallel()
	err := New(orders, Options{}).explain(t.Context(), fmt.Errorf("wrapped: %w", &smithy.GenericAPIError{Code: "Throttling"}))
	if err.Error() != "AWS: Throttling: no reason given" {
		t.Errorf("got %v", err)
	}
}

func TestExplainIsOneLine(t *testing.T) {
	t.Parallel()
	cause := errors.New("first\n\tsecond\r\n")
	err := New(orders, Options{}).explain(t.Context(), cause)
	if err.Error() != "first second" || !errors.Is(err, cause) {
		t.Errorf("got %q", err)
	}
}

func TestSessionName(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{
		"dba":                   "mysql-dba",
		"D_b+a=,.@-9":           "mysql-D_b+a=,.@-9",
		"te st/#%é日":            "mysql-te-st-----",
		"":                      "mysql-",
		"\x00\xff":              "mysql---",
		strings.Repeat("a", 99): "mysql-" + strings.Repeat("a", 58),
		strings.Repeat("é", 58): "mysql-" + strings.Repeat("-", 58),
	} {
		if got := sessionName(user); got != want {
			t.Errorf("%q: %q, want %q", user, got, want)
		}
	}
}

// What goes to STS as the session's name when the configuration has none, and when it has one.
func TestRoleSession(t *testing.T) {
	newHome(t, awsConfig)
	a, _ := startAWS(t)
	to := orders
	to.Profile, to.User, to.RoleARN = "keys", "te st", "arn:aws:iam::123456789012:role/entry"
	if _, err := retrieve(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	to.RoleSessionName, to.ExternalID = "nightly", "X/1"
	if _, err := retrieve(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range a.Assumed() {
		got = append(got, p.Get("RoleSessionName")+" "+p.Get("ExternalId")+" "+fmt.Sprint(p.Has("ExternalId")))
	}
	if diff := cmp.Diff([]string{"mysql-te-st  false", "nightly X/1 true"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestPatience: another process is waited for as long as the call may take, and not shorter.
func TestPatience(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if d := patience(ctx); d < 19*time.Second || d > 20*time.Second {
		t.Errorf("%v of 20s", d)
	}
}

// serveTLS is a server whose certificate nobody knows.
func serveTLS(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}
