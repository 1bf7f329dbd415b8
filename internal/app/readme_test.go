package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/connect"
	"mysql-secret-store-rds/internal/testbed"
)

// TestReadmeTranscript: what README shows is what the program prints. With UPDATE_SCRIPTS set, it
// is written there.
func TestReadmeTranscript(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	cfg := filepath.Join(b.home, ".config", "mysql-secret-store-rds", "config.yaml")
	if err := os.MkdirAll(filepath.Dir(cfg), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		cfg:                                     "accounts:\n  abcdefghijkl: prod-dba\n",
		filepath.Join(b.home, ".aws", "config"): "[profile prod-dba]\naws_access_key_id = " + keyID + "\naws_secret_access_key = " + keySecret + "\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"login-path", "keychain"} { // the default one on Linux, and on macOS
		if _, err := testbed.Install(fakeHelper, b.folder, name); err != nil {
			t.Fatal(err)
		}
	}
	got := run(t, b.env(), b.helper, "explain", "dba@"+orders+":3306")
	got = strings.NewReplacer(b.home, "/home/dba", b.folder, "/usr/bin", "keychain", "login-path").Replace(got)

	const readme = "../../README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)(```console\n\\$ mysql-secret-store-rds explain [^\n]*\n)(.*?)(```)")
	shown := block.FindSubmatch(text)
	if shown == nil {
		t.Fatal("README shows no explain")
	}
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		text = block.ReplaceAll(text, []byte("${1}"+strings.ReplaceAll(got, "$", "$$")+"${3}"))
		if err := os.WriteFile(readme, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(shown[2]), got); diff != "" {
		t.Errorf("README and the program differ (-README +program); UPDATE_SCRIPTS=1 go test ./internal/app mends it:\n%s", diff)
	}
}

// TestDocumentedMessages: each message that troubleshooting.md has a heading for is one that the
// program can print.
func TestDocumentedMessages(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	ours, _, ok := strings.Cut(string(text), "## What MySQL Shell says")
	if !ok {
		t.Fatal("troubleshooting.md has no part about MySQL Shell's messages")
	}
	var source strings.Builder
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || strings.HasPrefix(f, "../testbed/") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	code := strings.NewReplacer("\\\"", "\"", "%q", "\"x\"").Replace(source.String())
	ofProfiles := strings.ReplaceAll(code, "%s", "profile") // credentials.Whose says of whom
	words := regexp.MustCompile(`[A-Za-z][a-z,' ]{11,}[a-z]`)
	headings := regexp.MustCompile("(?m)^\\*\\*`(.*?)`").FindAllStringSubmatch(ours, -1)
	if len(headings) < 15 {
		t.Fatalf("only %d messages", len(headings))
	}
	for _, h := range headings {
		for _, part := range words.FindAllString(h[1], -1) {
			if part = strings.TrimSpace(part); !strings.Contains(code, part) && !strings.Contains(ofProfiles, part) {
				t.Errorf("troubleshooting.md quotes %q, which the program doesn't say", part)
			}
		}
	}
}

// TestReadmeByHand: the line to connect by hand says what connect says.
func TestReadmeByHand(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("(?s)\nmysqlsh dba@.*?```").Find(text)
	args, err := connect.Client{Kind: connect.Shell}.Command(connect.Server{IAM: true, Same: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		switch name {
		case "", "--user", "--host", "--credential-store-helper": // the Server URL, and what setup has switched on
			continue
		case "--ssl-ca":
			arg = name
		}
		if !strings.Contains(string(line), " "+arg) {
			t.Errorf("README's line by hand has no %s", arg)
		}
	}
}
