package credentials

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/profiles"
)

// files is an AWS configuration in lines, so that it can be changed.
type files struct {
	config, credentials []string
	env                 map[string]string
	profile             string // that the source names
}

func (f files) clone() files {
	env := map[string]string{}
	for k, v := range f.env {
		env[k] = v
	}
	return files{slices.Clone(f.config), slices.Clone(f.credentials), env, f.profile}
}

func (f files) String() string {
	return fmt.Sprintf("profile %q, %v\n-- config --\n%s\n-- credentials --\n%s", f.profile, f.env,
		strings.Join(f.config, "\n"), strings.Join(f.credentials, "\n"))
}

// theirs is a process that says what the AWS CLI would sign with.
type theirs struct {
	in  *json.Encoder
	out *bufio.Reader
}

// startTheirs starts testdata/signs.py.
func startTheirs(t *testing.T) theirs {
	t.Helper()
	const python = "/usr/bin/python3"
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "signs.py"))
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin"}
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err == nil {
		p := theirs{json.NewEncoder(in), bufio.NewReader(out)}
		t.Cleanup(func() {
			_ = in.Close()
			_, _ = io.Copy(io.Discard, out)
			_ = cmd.Wait()
		})
		if _, err = p.ask(files{}); err == nil {
			return p
		}
	}
	const text = "no AWS CLI in /usr/bin/python3"
	if os.Getenv("MYSQL_SECRET_STORE_RDS_TEST_PEERS") == "required" {
		t.Fatal(text)
	}
	t.Skip(text)
	return theirs{}
}

// ask returns a sum of what the CLI would sign with, or "" where it refuses.
func (p theirs) ask(f files) (string, error) {
	env := f.env
	if env == nil {
		env = map[string]string{}
	}
	err := p.in.Encode(map[string]any{
		"config": strings.Join(f.config, "\n"), "credentials": strings.Join(f.credentials, "\n"), "profile": f.profile, "env": env,
	})
	line, readErr := p.out.ReadString('\n')
	if err != nil || readErr != nil {
		return "", fmt.Errorf("%v, %v", err, readErr)
	}
	var sum string
	return sum, json.Unmarshal([]byte(line), &sum)
}

var (
	roles    = []string{"arn:aws:iam::111111111111:role/one", "arn:aws:iam::222222222222:role/two"}
	names    = []string{"default", "a", "b", "'a b'", `"c"`}
	settings = map[string][]string{
		"role_arn": roles, "source_profile": {"a", "b", "a b", "c", "default"}, "external_id": {"xx", "yy"}, "role_session_name": {"me", "you"},
		"duration_seconds": {"1000", "2000"}, "credential_source": {"Environment"}, "region": {"eu-west-1", "us-east-1"},
		"aws_access_key_id": {"AKIAX", "AKIAY"}, "aws_secret_access_key": {"sx", "sy"}, "aws_session_token": {"tx", "ty"}, "aws_security_token": {"tz"},
		"credential_process": {"p x", `"p" 'x y'`, "p\n  x", "p # x"}, "sso_session": {"s", "s t"}, "sso_account_id": {"1", "2"}, "sso_role_name": {"r", "q"},
		"sso_start_url": {"https://u", "https://v"}, "sso_region": {"eu-west-1", "eu-west-2"}, "web_identity_token_file": {"FILE1", "FILE2"},
	}
	variables = map[string][]string{
		"AWS_ACCESS_KEY_ID": {"AKIAE", "AKIAF"}, "AWS_SECRET_ACCESS_KEY": {"se", "sf"}, "AWS_SESSION_TOKEN": {"te", "tf"}, "AWS_PROFILE": {"a", "b", "a b"},
		"AWS_ROLE_ARN": roles, "AWS_WEB_IDENTITY_TOKEN_FILE": {"FILE1", "FILE2"}, "AWS_ROLE_SESSION_NAME": {"pod"}, "AWS_DEFAULT_PROFILE": {"a", "c"},
	}
)

// generator makes AWS configurations, and changes them.
type generator struct {
	*rand.Rand
	tokens map[string]string // files of web identities, by the names that stand for them
}

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

func (g generator) setting() string {
	name := pick(g, slices.Sorted(maps.Keys(settings)))
	value := pick(g, settings[name])
	if file, ok := g.tokens[value]; ok {
		value = file
	}
	return name + pick(g, []string{" = ", "=", ": "}) + value
}

func (g generator) section(config bool) []string {
	name := pick(g, names)
	heading := "[" + strings.Trim(name, `'"`) + "]"
	if config && name != "default" {
		heading = "[profile " + name + "]"
	}
	if config && g.IntN(4) == 0 {
		heading = "[sso-session " + pick(g, []string{"s", "'s t'"}) + "]"
	}
	lines := []string{heading}
	had := map[string]bool{}
	for range 1 + g.IntN(5) {
		line := g.setting()
		if name := line[:strings.IndexAny(line, "=:")]; !had[strings.TrimSpace(name)] {
			had[strings.TrimSpace(name)] = true
			lines = append(lines, line)
		}
	}
	return lines
}

// typical are profiles that give credentials that are kept, for the changes to meet some.
var typical = []string{
	"[profile a]\nrole_arn = " + roles[0] + "\nsource_profile = b\nexternal_id = xx\n[profile b]\naws_access_key_id = AKIAX\naws_secret_access_key = sx",
	"[profile a]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://u",
	"[profile a]\nsso_start_url = https://u\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = r",
	"[profile a]\ncredential_process = p x",
	"[profile a]\nrole_arn = " + roles[0] + "\nweb_identity_token_file = FILE1",
	"[profile a]\nrole_arn = " + roles[1] + "\ncredential_source = Environment",
	"[profile a]\nrole_arn = " + roles[0] + "\nsource_profile = b\n[profile b]\nrole_arn = " + roles[1] + "\nsource_profile = 'a b'\n[profile \"'a b'\"]\ncredential_process = p",
}

func (g generator) files() files {
	f := files{env: map[string]string{}, profile: pick(g, []string{"", "", "a", "a", "b", "a b"})}
	if g.IntN(4) > 0 {
		text := strings.ReplaceAll(pick(g, typical), "FILE1", g.tokens["FILE1"])
		f.config, f.profile = strings.Split(text, "\n"), "a"
	}
	for range g.IntN(3) {
		f.config = append(f.config, g.section(true)...)
	}
	for range g.IntN(2) {
		f.credentials = append(f.credentials, g.section(false)...)
	}
	for range g.IntN(3) {
		g.variable(f)
	}
	return f
}

func (g generator) variable(f files) {
	name := pick(g, slices.Sorted(maps.Keys(variables)))
	value := pick(g, variables[name])
	if file, ok := g.tokens[value]; ok {
		value = file
	}
	f.env[name] = value
}

// change changes one thing.
func (g generator) change(f files) files {
	f = f.clone()
	lines := &f.config
	if g.IntN(4) == 0 {
		lines = &f.credentials
	}
	if g.IntN(6) == 0 || len(*lines) == 0 {
		if g.variable(f); g.IntN(3) == 0 {
			clear(f.env)
		}
		return f
	}
	at := g.IntN(len(*lines))
	switch g.IntN(5) {
	case 0:
		*lines = slices.Delete(*lines, at, at+1)
	case 1:
		*lines = slices.Insert(*lines, at+1, g.setting())
	case 2:
		*lines = append(*lines, g.section(lines == &f.config)...)
	case 3:
		if !strings.HasPrefix((*lines)[at], "[") {
			(*lines)[at] = g.setting()
		}
	default:
		name, _, ok := strings.Cut((*lines)[at], "=")
		if values := settings[strings.TrimSpace(name)]; ok && len(values) > 0 {
			value := pick(g, values)
			if file, ok := g.tokens[value]; ok {
				value = file
			}
			(*lines)[at] = name + "= " + value
		}
	}
	return f
}

// ourKey returns the key under which our credentials would be kept, or "" when they aren't.
func ourKey(f files) (key string, err error) {
	for name, value := range f.env {
		if err := os.Setenv(name, value); err != nil {
			return "", err
		}
		defer os.Unsetenv(name)
	}
	of := profiles.Default()
	for file, lines := range map[string][]string{of.Config: f.config, of.Credentials: f.credentials} {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			return "", err
		}
	}
	set, err := profiles.Load(of)
	if err != nil {
		return "", err
	}
	p, err := newPlan(Source{Profile: f.profile, Region: "eu-west-1"}, set, nil)
	if err != nil || !p.expires() {
		return "", err
	}
	return p.key(), nil
}

// TestWhatSignsChangesTheKey: ten thousand times something changes. Where the AWS CLI then signs
// with something else, credentials that were kept before aren't ours any more.
func TestWhatSignsChangesTheKey(t *testing.T) {
	newHome(t, "")
	cli := startTheirs(t)
	home := t.TempDir()
	g := generator{rand.New(rand.NewPCG(11, 26)), map[string]string{}}
	for _, name := range []string{"FILE1", "FILE2"} {
		g.tokens[name] = filepath.Join(home, name)
		if err := os.WriteFile(g.tokens[name], []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changes, kept, others := 0, 0, 0
	for changes < 10_000 {
		before := g.files()
		sum, err := cli.ask(before)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ourKey(before)
		if sum == "" || key == "" || err != nil {
			changes++
			continue
		}
		for range 40 {
			changes++
			now := g.change(before)
			nowSum, err := cli.ask(now)
			if err != nil {
				t.Fatal(err)
			}
			nowKey, _ := ourKey(now)
			if kept++; nowSum != sum {
				others++
			}
			if nowSum != "" && nowSum != sum && nowKey == key {
				t.Fatalf("the AWS CLI signs with something else, and we with what was kept.\nBefore: %s\nNow: %s", before, now)
			}
		}
	}
	t.Logf("%d changes, %d of them of what was kept, %d of these to something else", changes, kept, others)
	if others < 1000 {
		t.Errorf("only %d changes that matter", others)
	}
}
