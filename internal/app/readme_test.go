package app_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/connect"
)

// sources returns the text of the product's Go files but for those of some packages, with quotes as
// they are printed.
func sources(t *testing.T, without ...string) string {
	t.Helper()
	var all strings.Builder
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || slices.Contains(append(without, "testbed"), filepath.Base(filepath.Dir(f))) {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return strings.NewReplacer(`\"`, `"`, "%q", `"x"`).Replace(all.String())
}

// messageHeadings returns troubleshooting.md's headings that are messages of this program: the code
// in them.
func messageHeadings(t *testing.T) (messages []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	ours, _, ok := strings.Cut(string(text), "## What MySQL Shell says")
	if !ok {
		t.Fatal("troubleshooting.md has no part about MySQL Shell's messages")
	}
	for _, m := range regexp.MustCompile("(?m)^### `(.*?)`").FindAllStringSubmatch(ours, -1) {
		messages = append(messages, m[1])
	}
	if len(messages) < 60 {
		t.Fatalf("only %d messages", len(messages))
	}
	return messages
}

var messageWords = regexp.MustCompile(`[A-Za-z][a-z,' ]{11,}[a-z]`)

// TestDocumentedMessages: each message that troubleshooting.md has a heading for is one that the
// program can print.
func TestDocumentedMessages(t *testing.T) {
	t.Parallel()
	code := sources(t)
	ofProfiles := strings.ReplaceAll(code, "%s", "profile") // credentials.Whose says of whom
	for _, message := range messageHeadings(t) {
		for _, part := range messageWords.FindAllString(message, -1) {
			if part = strings.TrimSpace(part); !strings.Contains(code, part) && !strings.Contains(ofProfiles, part) {
				t.Errorf("troubleshooting.md quotes %q (%s), which the program doesn't say", part, message)
			}
		}
	}
}

// TestMessagesAreDocumented: each problem that the program has advice for, and that begins with
// words of its own, has a heading in troubleshooting.md, which is found by these words. Mistakes in
// a command's arguments, of package cli, tell all there is to tell.
func TestMessagesAreDocumented(t *testing.T) {
	t.Parallel()
	headings := messageHeadings(t)
	for i, h := range headings {
		h, _, _ = strings.Cut(strings.ReplaceAll(h, "(", "…"), "…")
		headings[i] = strings.TrimRight(h, " :,")
	}
	problem := regexp.MustCompile("advice\\.Problemf\\(\"([a-zA-Z](?:[^%\"(:\n]|\"x\")+)")
	found := problem.FindAllStringSubmatch(sources(t, "cli"), -1)
	if len(found) < 15 {
		t.Errorf("only %d messages", len(found))
	}
	for _, m := range found {
		message := strings.TrimSpace(m[1])
		if !slices.ContainsFunc(headings, func(h string) bool {
			return strings.Count(h, " ") > 1 && strings.HasPrefix(message, h) || strings.HasPrefix(h, message)
		}) {
			t.Errorf("troubleshooting.md has no heading for %q", message)
		}
	}
}

// TestStartByHand: the line to connect by hand says what connect says.
func TestStartByHand(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/start.md")
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
			t.Errorf("start.md's line by hand has no %s", arg)
		}
	}
}

// TestReadmeInstall: README says how to make each package there is, and that there is no release as
// long as the project has no address.
func TestReadmeInstall(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	address, err := os.ReadFile("../../packaging/address")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there are no packages here")
	}
	if err != nil {
		t.Fatal(err)
	}
	released := !strings.Contains(string(address), "//project.invalid/") // RFC 2606: nobody's
	if says := !strings.Contains(string(readme), "There is no release yet"); says != released {
		t.Errorf("packaging/address is %s; README says that there is a release: %v", address, says)
	}
	if released && !strings.Contains(string(readme), strings.TrimSpace(string(address))) {
		t.Errorf("README doesn't say where the project is: %s", address)
	}
	goreleaser, err := os.ReadFile("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	formats := regexp.MustCompile(`- formats: \[(deb.*)\]`).FindSubmatch(goreleaser)
	if formats == nil {
		t.Fatal(".goreleaser.yaml makes no packages")
	}
	for _, format := range strings.Split(string(formats[1]), ", ") {
		if !regexp.MustCompile(`(?m)^sudo .* \./dist/mysql-secret-store-rds\S*\.` + format + `\b`).Match(readme) {
			t.Errorf("README doesn't install the %s", format)
		}
	}
}
