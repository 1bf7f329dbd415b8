package early

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/testbed"
)

// program is the real binary, built once: only a whole program is initialised like one.
var program string

func TestMain(m *testing.M) {
	os.Exit(testbed.RunWith(func(ctx context.Context, dir string) (err error) {
		program, err = testbed.BuildHelper(ctx, dir)
		return err
	}, m.Run))
}

const (
	ordersURL = "dba@orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com:3306"
	request   = `{"SecretType":"password","ServerURL":"` + ordersURL + `"}`
)

type result struct {
	stdout, stderr string
	code           int
	inits          []string // packages in the order of their initialisation
}

var initLine = regexp.MustCompile(`(?m)^init (\S+) @.*\n`)

func run(t *testing.T, env []string, input string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	// The race detector would have every process sleep for a second at its end.
	cmd.Env = append(env, "GODEBUG=inittrace=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := result{stdout: stdout.String(), code: cmd.ProcessState.ExitCode()}
	for _, m := range initLine.FindAllStringSubmatch(stderr.String(), -1) {
		r.inits = append(r.inits, m[1])
	}
	r.stderr = initLine.ReplaceAllString(stderr.String(), "")
	return r
}

// slow picks the packages that this one has to come before: they compile regular expressions or
// fill large tables. Small ones of the AWS SDK's that import nothing do come first.
func (r result) slow() []string {
	var found []string
	for _, p := range r.inits {
		if p == "net/http" || p == "crypto/tls" || strings.HasSuffix(p, "/internal/endpoints") || strings.HasSuffix(p, "/awsrulesfn") {
			found = append(found, p)
		}
	}
	return found
}

func TestNothingSlowIsInitialised(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := append(testbed.Env(home), "AWS_ACCESS_KEY_ID=AKIATESTBED", "AWS_SECRET_ACCESS_KEY=top/secret+key")

	signed := run(t, env, request, "get")
	if signed.code != 0 || signed.stderr != "" || !strings.Contains(signed.stdout, "X-Amz-Signature=") {
		t.Fatalf("exit code %d: %s%s", signed.code, signed.stdout, signed.stderr)
	}
	// Without these the rest of the test would prove nothing.
	for _, p := range []string{
		"net/http", "crypto/tls", "github.com/aws/aws-sdk-go-v2/internal/endpoints/awsrulesfn",
		"github.com/aws/aws-sdk-go-v2/service/sts/internal/endpoints", "github.com/aws/aws-sdk-go-v2/service/sso/internal/endpoints",
	} {
		if !slices.Contains(signed.slow(), p) {
			t.Errorf("a get that signs doesn't initialise %s", p)
		}
	}

	cached := run(t, env, request, "get")
	if found := cached.slow(); found != nil {
		t.Errorf("a cached get initialises %v", found)
	}
	if len(cached.inits) == 0 {
		t.Error("nothing was traced")
	}
	if diff := cmp.Diff(strings.TrimSpace(signed.stdout), strings.TrimSpace(cached.stdout)); diff != "" || cached.code != 0 || cached.stderr != "" {
		t.Errorf("exit code %d, stderr %q, -signed +cached:\n%s", cached.code, cached.stderr, diff)
	}

	version := run(t, env, "", "version")
	if found := version.slow(); found != nil {
		t.Errorf("version initialises %v", found)
	}
	if version.code != 0 || version.stderr != "" || version.stdout == "" {
		t.Errorf("version: exit code %d: %q %q", version.code, version.stdout, version.stderr)
	}

	// A log gets its line from the regular way, which gives the same reply.
	log := filepath.Join(home, "log")
	logged := run(t, append(env, EnvLog+"="+log), request, "get")
	if diff := cmp.Diff(strings.TrimSpace(signed.stdout), strings.TrimSpace(logged.stdout)); diff != "" || logged.code != 0 {
		t.Errorf("exit code %d, -signed +logged:\n%s", logged.code, diff)
	}
	if b, err := os.ReadFile(log); err != nil || !bytes.Contains(b, []byte("cached token")) {
		t.Errorf("logged %q, %v", b, err)
	}
}

// What this package has read from stdin is there for the rest of the program.
func TestInputIsHandedOn(t *testing.T) {
	t.Parallel()
	got := run(t, testbed.Env(t.TempDir()), `{"SecretType":"password"}`, "get")
	if got.code != 1 || strings.TrimSpace(got.stdout+got.stderr) != `"SecretID" is missing` {
		t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	// Arguments that aren't exactly the word are none of this package's.
	for _, args := range [][]string{{"get", "get"}, {"version", "x"}, {"Version"}, {}} {
		if got := run(t, testbed.Env(t.TempDir()), request, args...); got.code != 1 || got.stdout != "" {
			t.Errorf("%q: exit code %d: %s", args, got.code, got.stdout)
		}
	}
}

// A reply that doesn't arrive is no success.
func TestReplyNotWritten(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no device that is always full")
	}
	defer full.Close()
	env := append(testbed.Env(t.TempDir()), "AWS_ACCESS_KEY_ID=AKIATESTBED", "AWS_SECRET_ACCESS_KEY=top/secret+key")
	if got := run(t, env, request, "get"); got.code != 0 {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	for _, command := range []string{"version", "get"} {
		cmd := exec.CommandContext(t.Context(), program, command)
		cmd.Env, cmd.Stdout, cmd.Stdin = env, full, strings.NewReader(request)
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// A world is what answer looks at: a home with a cache in it.
type world struct {
	home, config string
	session      string // the file of the sign-in that the token came from
	kept         cache.Store
	entry        cache.Entry
}

// newWorld makes a world in which answer answers.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{home: t.TempDir()}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	w.config = filepath.Join(w.home, "config.yaml")
	for name, value := range map[string]string{
		"HOME": w.home, "USERPROFILE": w.home, "XDG_CONFIG_HOME": "", "AppData": w.home,
		"AWS_CONFIG_FILE": filepath.Join(w.home, "aws-config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(w.home, "aws-credentials"),
		stamp.EnvConfig: w.config, disk.EnvCache: filepath.Join(w.home, "cache"),
	} {
		t.Setenv(name, value)
	}
	w.write(t, w.config, "cache: true\n")
	w.write(t, filepath.Join(w.home, "aws-config"), "[default]\n")
	file, err := stamp.ReadConfig()
	if err != nil {
		t.Fatal(err)
	}
	w.session = filepath.Join(w.home, "session.json")
	w.write(t, w.session, "{}")
	w.kept = cache.In(filepath.Join(w.home, "cache"))
	now := stamp.Now(file)
	now.SignIns = stamp.Files(w.session)
	w.entry = cache.Entry{
		ServerURL: ordersURL, Stamp: now,
		Token: secret.New("the-token<&>"), SignedAt: time.Now().Add(-time.Minute),
	}
	w.put(t)
	return w
}

func (w *world) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) put(t *testing.T) {
	t.Helper()
	unlock, err := w.kept.Lock(t.Context(), w.entry.ServerURL, func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := w.kept.Put(w.entry); err != nil {
		t.Fatal(err)
	}
}

// cacheFile is the file of the one entry.
func (w *world) cacheFile(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.kept.Dir(), "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	return files[0]
}

// ask is answer as init calls it.
func ask(input []byte) ([]byte, bool) {
	file, err := stamp.ReadConfig()
	if err != nil {
		return nil, false
	}
	return answer(input, file)
}

func TestAnswer(t *testing.T) {
	newWorld(t)
	want := `{"SecretType":"password","SecretID":"` + ordersURL + `","ServerURL":"` + ordersURL + `","Secret":"the-token<&>"}`
	for _, input := range []string{
		request,
		`{"SecretType":"password","SecretID":"` + ordersURL + `"}`,
		` {"X":[{}],"ServerURL":"` + ordersURL + `","SecretID":"other","SecretType":"password"}` + "\n",
	} {
		if reply, ok := ask([]byte(input)); !ok || string(reply) != want {
			t.Errorf("%s: %v, %s", input, ok, reply)
		}
	}
}

// Every get of these goes the regular way, which knows what to say.
func TestAnswerDeclinesRequests(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ name, url, request string }{
		{"another Server URL", "", strings.ReplaceAll(request, "dba@", "DBA@")},
		{"another type", "", strings.ReplaceAll(request, "password", "generic")},
		{"no JSON", "", request[:len(request)-1]},
		{"nothing", "", ""},
		{"no type", "", `{"ServerURL":"` + ordersURL + `"}`},
		{"an id that is no text", "", strings.ReplaceAll(request, ":3306", "\xff")},
		{"half a surrogate pair", "", strings.ReplaceAll(request, ":3306", `\ud800`)},
		// There is an entry for these, and still they are nobody's servers.
		{"a socket", "root@/var%2Frun%2Fmysqld.sock", ""},
		{"a named pipe", `root@\\.\mysql`, ""},
		{"a tunnel's password", "ssh://me@orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com:22", ""},
		{"a key file", "file:/home/me/.ssh/id_rsa", ""},
		{"no URL", "not a url", ""},
		{"nothing at all", "", `{"SecretType":"password","ServerURL":""}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := tc.request
			if tc.url != "" {
				other := *w
				other.entry.ServerURL = tc.url
				other.put(t)
				req = string(testbed.Shell{}.Request(tc.url))
				if _, err := w.kept.Get(tc.url); err != nil {
					t.Fatal(err)
				}
			}
			if reply, ok := ask([]byte(req)); ok || reply != nil {
				t.Errorf("got %s", reply)
			}
		})
	}
	if _, ok := ask([]byte(request)); !ok {
		t.Error("none of this should have touched the entry")
	}
}

func TestAnswerDeclinesWorlds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, w *world)
	}{
		{"no entry", func(t *testing.T, w *world) {
			if _, err := w.kept.Delete(ordersURL); err != nil {
				t.Fatal(err)
			}
		}},
		{"a damaged entry", func(t *testing.T, w *world) { w.write(t, w.cacheFile(t), "{") }},
		{"an entry that others can read", func(t *testing.T, w *world) {
			if runtime.GOOS == "windows" {
				w.write(t, w.cacheFile(t), "{") // modes say nothing there
			}
			if err := os.Chmod(w.cacheFile(t), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"an old token", func(t *testing.T, w *world) {
			w.entry.SignedAt = time.Now().Add(-cache.MaxAge - time.Second)
			w.put(t)
		}},
		{"a token from the future", func(t *testing.T, w *world) {
			w.entry.SignedAt = time.Now().Add(time.Minute)
			w.put(t)
		}},
		{"credentials that are about to expire", func(t *testing.T, w *world) {
			w.entry.Expires = time.Now().Add(cache.Margin - time.Second)
			w.put(t)
		}},
		{"another configuration", func(t *testing.T, w *world) { w.write(t, w.config, "cache: false\n") }},
		{"no configuration any more", func(t *testing.T, w *world) {
			t.Setenv(stamp.EnvConfig, "")
		}},
		{"a configuration that is missing", func(t *testing.T, w *world) {
			if err := os.Remove(w.config); err != nil {
				t.Fatal(err)
			}
		}},
		{"a configuration that can't be read", func(t *testing.T, w *world) {
			t.Setenv(stamp.EnvConfig, w.home)
		}},
		{"another identity", func(t *testing.T, w *world) { t.Setenv("AWS_PROFILE", "other") }},
		{"changed AWS files", func(t *testing.T, w *world) {
			w.write(t, filepath.Join(w.home, "aws-config"), "[default]\nregion = eu-west-1\n")
		}},
		{"a sign-in that is over", func(t *testing.T, w *world) {
			if err := os.Remove(w.session); err != nil {
				t.Fatal(err)
			}
		}},
		{"another sign-in", func(t *testing.T, w *world) { w.write(t, w.session, `{"other":1}`) }},
		{"an inventory", func(t *testing.T, w *world) {
			path, err := inventory.Path()
			if err == nil {
				err = os.MkdirAll(filepath.Dir(path), 0o700)
			}
			if err != nil {
				t.Fatal(err)
			}
			w.write(t, path, "")
		}},
		{"another cache", func(t *testing.T, w *world) { t.Setenv(disk.EnvCache, filepath.Join(w.home, "none")) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if _, ok := ask([]byte(request)); !ok {
				t.Fatal("no answer before the change either")
			}
			tc.change(t, w)
			if reply, ok := ask([]byte(request)); ok || reply != nil {
				t.Errorf("got %s", reply)
			}
		})
	}
}
