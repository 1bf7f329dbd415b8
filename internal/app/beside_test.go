package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/testbed"
)

// TestBesideTheCLI asks the AWS CLI and this program for credentials with each configuration of the
// corpus, testdata/beside: both have to find the same keys, by the same calls of AWS, or to refuse.
// What the right answer is, nobody has written down: the CLI says it.
func TestBesideTheCLI(t *testing.T) {
	t.Parallel()
	cli := findCLI(t)
	cases := append(readBesideCases(t), mixtures(200)...)
	authority, err := testbed.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	drivers := cli.start(t, runtime.GOMAXPROCS(0))
	for i, c := range cases {
		if testbed.Race() && i%8 != 0 {
			continue // one process asks for one thing: there is little to find in so many
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !cli.atLeast(c.needs) {
				t.Skipf("the AWS CLI %s doesn't know this; %s does", cli.version, c.needs)
			}
			theirs := c.play(t, authority, func(s *stage) answer {
				driver := <-drivers
				defer func() { drivers <- driver }()
				code, stdout, stderr := driver.run(t, s.env, s.home, c.exportArgs())
				return exported(code, stdout, stderr)
			})
			ours := c.play(t, authority, func(s *stage) answer { return ourAnswer(t, s, c.profile) })
			c.compare(t, theirs, ours)
		})
	}
}

// TestBesideDriver: the CLI's commands that are run in forks of one process, for speed, answer as
// the CLI itself does.
func TestBesideDriver(t *testing.T) {
	t.Parallel()
	cli := findCLI(t)
	authority, err := testbed.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	drivers := cli.start(t, 1)
	driver := <-drivers
	for i, c := range readBesideCases(t) {
		if i%60 != 0 || !cli.atLeast(c.needs) {
			continue
		}
		forked := c.play(t, authority, func(s *stage) answer {
			code, stdout, stderr := driver.run(t, s.env, s.home, c.exportArgs())
			return exported(code, stdout, stderr)
		})
		alone := c.play(t, authority, func(s *stage) answer {
			cmd := exec.CommandContext(t.Context(), cli.aws, c.exportArgs()...)
			cmd.Env, cmd.Dir = s.env, s.home
			testbed.NoTerminal(cmd)
			code, stdout, stderr := finish(t, cmd)
			return exported(code, stdout, stderr)
		})
		forked.said, alone.said = "", "" // they have two homes
		if diff := cmp.Diff(alone, forked, cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("%s, -the CLI +its fork:\n%s", c.name, diff)
		}
	}
}

// TestBesideTheCLIProfiles: both know the same profiles.
func TestBesideTheCLIProfiles(t *testing.T) {
	t.Parallel()
	cli := findCLI(t)
	authority, err := testbed.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	drivers := cli.start(t, 1)
	driver := <-drivers
	for _, c := range readBesideCases(t) {
		kind, _, _ := strings.Cut(c.name, "-")
		if c.differs != "" || !slices.Contains(strings.Fields("section file key value merge comment nested path"), kind) {
			continue
		}
		var theirs, ours []string
		refused := c.play(t, authority, func(s *stage) answer {
			code, stdout, stderr := driver.run(t, s.env, s.home, []string{"configure", "list-profiles"})
			theirs = plainNames(stdout)
			return answer{refused: code != 0, said: stderr}
		}).refused
		if refused {
			continue // the file; what we make of that one is TestBesideTheCLI's
		}
		c.play(t, authority, func(s *stage) answer {
			cmd := exec.CommandContext(t.Context(), program, "__complete", "token", "dba@"+orders, "--profile", "")
			cmd.Env, cmd.Dir = s.env, s.home
			_, stdout, _ := finish(t, cmd)
			ours = plainNames(stdout)
			return answer{}
		})
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s: %s\nprofiles, -the CLI's +ours:\n%s", c.name, c.rule, diff)
		}
	}
}

// plainNames returns the lines that are names of letters, digits and blanks: not every other one
// may be offered to a shell.
func plainNames(text string) []string {
	names := plainName.FindAllString(text, -1)
	slices.Sort(names)
	return names
}

var plainName = regexp.MustCompile(`(?m)^[A-Za-z0-9]+( [A-Za-z0-9]+)*$`)

// answer is what a program makes of a configuration.
type answer struct {
	refused bool
	said    string // on stderr
	key     testbed.Key
	token   string   // an RDS token, of our program
	calls   []string // of AWS, as the stand-in has heard them
}

// compare holds two answers against each other.
func (c besideCase) compare(t *testing.T, theirs, ours answer) {
	t.Helper()
	diff := differs(theirs, ours)
	switch {
	case diff != "" && c.differs == "":
		t.Errorf("%s\n%s\nthe CLI: %s\nwe: %s", c.rule, diff, theirs, ours)
	case diff == "" && c.differs != "":
		t.Errorf("%s\nboth answer the same, although: %s", c.rule, c.differs)
	}
}

// differs says how two answers differ, or "".
func differs(theirs, ours answer) string {
	switch {
	case theirs.refused && ours.refused:
		return ""
	case theirs.refused:
		return "the CLI refuses, we don't"
	case ours.refused:
		return "we refuse, the CLI doesn't"
	}
	if diff := cmp.Diff(theirs.calls, ours.calls); diff != "" {
		return "AWS was asked, -the CLI +we:\n" + diff
	}
	var keys testbed.Keys
	keys.Add(theirs.key)
	if err := keys.VerifyToken(ours.token, "dba", endpoints[:1], time.Now()); err != nil {
		return "our token isn't signed with the CLI's keys: " + err.Error()
	}
	return ""
}

// String is for a person. The secrets are the stand-in's.
func (a answer) String() string {
	var b strings.Builder
	switch {
	case a.refused:
		fmt.Fprintf(&b, "refused: %s", strings.TrimSpace(a.said))
	case a.key.ID != "":
		fmt.Fprintf(&b, "key %s", a.key.ID)
	default:
		fmt.Fprintf(&b, "token %s", a.token[:min(len(a.token), 250)])
	}
	for _, call := range a.calls {
		b.WriteString("\n\t" + call)
	}
	return b.String()
}

// exported reads what "aws configure export-credentials" answers. It may print what no program can
// use, such as a key that is a list of settings.
func exported(code int, stdout, stderr string) answer {
	if code != 0 {
		return answer{refused: true, said: stderr}
	}
	var out struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		return answer{refused: true, said: fmt.Sprintf("what it prints is no credentials: %q: %v", stdout, err)}
	}
	key := testbed.Key{ID: out.AccessKeyId, Secret: out.SecretAccessKey, SessionToken: out.SessionToken}
	return answer{key: key, said: stderr}
}

// ourAnswer asks the program for a token.
func ourAnswer(t *testing.T, s *stage, profile string) answer {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("learn: off\n"), 0o600); err != nil { // it is about who signs
		t.Fatal(err)
	}
	args := []string{"token", "dba@" + orders + ":3306"}
	if profile != "" {
		args = append(args, "--profile", profile)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env, cmd.Dir = append(slices.Clone(s.env), stamp.EnvConfig+"="+config), s.home
	testbed.NoTerminal(cmd)
	code, stdout, stderr := finish(t, cmd)
	return answer{refused: code != 0, said: stderr, token: strings.TrimSpace(stdout)}
}

// finish runs a command, for half a minute at most.
func finish(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &err
	timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	failed := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(failed)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

// stage is where a case is played for one program: a home with the files, and the environment.
type stage struct {
	home string
	env  []string
}

// play has one program answer a case, in a home of its own, before a stand-in of its own.
func (c besideCase) play(t *testing.T, authority *testbed.Authority, ask func(*stage) answer) answer {
	t.Helper()
	stand := &besideAWS{}
	hosts := authority.StartHosts(stand)
	defer hosts.Close()
	home, err := os.MkdirTemp(t.TempDir(), "home")
	if err != nil {
		t.Fatal(err)
	}
	fill := placeholders{home: home, url: hosts.URL, now: time.Now()}
	for _, f := range append(c.files, besideFile{path: "ca.pem", text: string(authority.PEM)}, keysProgram) {
		f.write(t, fill)
	}
	env := []string{
		"HOME=" + home, "PATH=" + filepath.Join(home, "bin") + ":/usr/bin:/bin", "TMPDIR=" + os.TempDir(),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CA_BUNDLE=" + filepath.Join(home, "ca.pem"),
		"HTTPS_PROXY=" + hosts.URL, "HTTP_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1,localhost",
		"AWS_MAX_ATTEMPTS=1", "GORACE=atexit_sleep_ms=0",
	}
	for _, v := range c.env {
		env = append(env, fill.in(v))
	}
	a := ask(&stage{home, env})
	a.calls = stand.heard()
	return a
}

// keysProgram is a credential_process whose keys are a function of its arguments.
var keysProgram = besideFile{path: "bin/keys", text: `#!/bin/sh
sum=$(printf '<%s>' "$@" | cksum | tr -d ' ')
printf '{"Version": 1, "AccessKeyId": "AKIA%s", "SecretAccessKey": "secret-%s"}' "$sum" "$sum"
`}

// placeholders are what a case's texts can name: {HOME}; {URL}, below which /one and /two are other
// addresses of AWS; {DPOP}; and times such as {+1h}, or {-1h 2006-01-02} in a layout of its own,
// which has to end before the offset of a zone.
type placeholders struct {
	home, url string
	now       time.Time
}

var timePlaceholder = regexp.MustCompile(`\{([+-]\d+[hms])(?: ([^{}]*))?\}`)

func (p placeholders) in(text string) string {
	text = strings.NewReplacer("{HOME}", p.home, "{URL}", p.url, "{DPOP}", dpopKey()).Replace(text)
	return timePlaceholder.ReplaceAllStringFunc(text, func(s string) string {
		m := timePlaceholder.FindStringSubmatch(s)
		d, err := time.ParseDuration(m[1])
		if err != nil {
			return s
		}
		if m[2] == "" {
			m[2] = "2006-01-02T15:04:05Z"
		}
		return p.now.Add(d).UTC().Format(m[2])
	})
}

// dpopKey is the key that "aws login" has made for a session, as text in JSON.
var dpopKey = sync.OnceValue(func() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return strings.ReplaceAll(string(text), "\n", `\n`)
})
