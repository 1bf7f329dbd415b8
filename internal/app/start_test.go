package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/testbed"
)

// TestStart runs docs/start.md: each part of it that has a transcript, in a world of its own, in a
// terminal of 80 columns. A file is written where the text names it before a block; a line that
// begins with "$ " is typed, and what follows is what the program has to say. There, "…" stands for
// anything, and a line may be broken where it has a blank.
func TestStart(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the transcripts are of Linux: other systems have other folders and helpers")
	}
	peer(t, "tmux")
	text, err := os.ReadFile("../../docs/start.md")
	if err != nil {
		t.Fatal(err)
	}
	// Which world, and who can log in where at the end of it.
	worlds := map[string]struct {
		prepare func(*testing.T, *bed)
		url     string
	}{
		"Switch it on":                  {notYetSetUp, ""},
		"An SSO fleet behind a bastion": {ssoFleet, "dba@" + orders + ":3306"},
		"Passwords here, IAM there":     {passwordsAndIAM, "dba@" + orders + ":3306"},
		"One account, one server":       {oneServer, "dba@" + shop + ":3306"},
	}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		if !strings.Contains(body, "```console\n") {
			continue
		}
		world, ok := worlds[title]
		if !ok {
			t.Errorf("there is no world for %q", title)
			continue
		}
		delete(worlds, title)
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			b := startBed(t)
			world.prepare(t, b)
			runTranscript(t, b, body)
			if world.url != "" {
				logIn(t, b, world.url)
			}
		})
	}
	for title := range worlds {
		t.Errorf("start.md has no transcript in %q", title)
	}
}

var (
	docBlock  = regexp.MustCompile("(?s)(?:`~/([^`\n]+)`(?:[^`\n]|\n[^`\n])*\n\n)?```(\\w+)\n(.*?)```")
	docAnswer = regexp.MustCompile(`(?m)^(.*\[[Yy]/[Nn]\]) *(.*)$`)
)

func runTranscript(t *testing.T, b *bed, text string) {
	t.Helper()
	for _, block := range docBlock.FindAllStringSubmatch(text, -1) {
		switch file, kind, content := block[1], block[2], block[3]; {
		case file != "":
			writeAtHome(t, b, file, content)
		case kind == "console":
			for _, command := range strings.Split("\n"+content, "\n$ ")[1:] {
				typed, want, _ := strings.Cut(strings.ReplaceAll(command, "\\\n", ""), "\n")
				checkCommand(t, b, typed, want)
			}
		}
	}
}

// logIn does what MySQL Shell does with a Server URL.
func logIn(t *testing.T, b *bed, url string) {
	t.Helper()
	ctx, cancel := testContext(t)
	defer cancel()
	db, err := b.shell(b.env()).Login(ctx, url, b.rds)
	if err != nil {
		t.Fatalf("%s: %v %v", url, err, b.rds.Refusals())
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// checkCommand types a command, answers what it asks, and compares what it says.
func checkCommand(t *testing.T, b *bed, typed, want string) {
	t.Helper()
	s := newScreenOf(t, docsWidth, append(b.env(), "NO_COLOR=1", "SHELL=/bin/bash"), typed)
	for _, question := range docAnswer.FindAllStringSubmatch(want, -1) {
		s.wait(question[1])
		if question[2] != "" {
			s.press(question[2])
		}
		s.press("Enter")
	}
	s.wait("exit code ")
	got, code, _ := strings.Cut(s.printed(), "exit code ")
	got = strings.NewReplacer(b.home, "/home/dba", b.folder, "/usr/bin").Replace(got)
	if strings.TrimSpace(code) != "0" || !asDocumented(want).MatchString(got) {
		t.Errorf("$ %s\nstart.md says:\n%s\nthe program, with exit code %s:\n%s", typed, want, strings.TrimSpace(code), got)
	}
}

// asDocumented matches what a transcript's output stands for.
func asDocumented(want string) *regexp.Regexp {
	var pattern strings.Builder
	for i, part := range strings.Split(want, "…") {
		if i > 0 {
			pattern.WriteString(`.*?`)
		}
		words := strings.Fields(part)
		for i, word := range words {
			words[i] = regexp.QuoteMeta(word)
		}
		begin, end := part != strings.TrimLeft(part, " \n"), part != strings.TrimRight(part, " \n")
		pattern.WriteString(blank(begin) + strings.Join(words, `\s+`) + blank(end))
	}
	return regexp.MustCompile(`(?s)^\s*` + pattern.String() + `\s*$`)
}

func blank(there bool) string {
	if there {
		return `\s*`
	}
	return ""
}

func TestAsDocumented(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want, got string
		match     bool
	}{
		{"one  two\n", "one\n  two\n\n", true},
		{"one two\n", "onetwo\n", false},
		{"one two\n", "one two three\n", false},
		{"read in …\nend\n", "read in 1.2s\nend", true},
		{"a…c\n", "abbc", true},
		{"…\n", "anything\nat all\n", true},
		{"a.c\n", "abc", false},
	} {
		if got := asDocumented(tc.want).MatchString(tc.got); got != tc.match {
			t.Errorf("%q, %q: %v", tc.want, tc.got, got)
		}
	}
}

func writeAtHome(t *testing.T, b *bed, file, text string) {
	t.Helper()
	path := filepath.Join(b.home, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// notYetSetUp is a machine on which a package has just put the program beside MySQL Shell.
func notYetSetUp(t *testing.T, b *bed) {
	t.Helper()
	for _, file := range []string{b.helper, filepath.Join(b.home, ".aws", "credentials")} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(program, b.helper); err != nil {
		t.Fatal(err)
	}
	if _, err := testbed.Install(fakeHelper, b.folder, "login-path"); err != nil { // MySQL Shell's own
		t.Fatal(err)
	}
	b.keys.Add(testbed.Key{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		Owner: "arn:aws:iam::111111111111:user/dba"})
}

// setUp is the same after setup.
func setUp(t *testing.T, b *bed) {
	t.Helper()
	notYetSetUp(t, b)
	run(t, append(b.env(), "SHELL=/bin/bash"), b.helper, "setup", "--yes")
}

func ssoFleet(t *testing.T, b *bed) {
	t.Helper()
	setUp(t, b)
	b.aws.ApproveAfter(2)
	for account, id := range map[string]string{"111111111111": "abcdefghijkl", "222222222222": "mnopqrstuvwx"} {
		b.aws.SetServers(account, "eu-west-1", someServers(account, "eu-west-1", id))
	}
}

func passwordsAndIAM(t *testing.T, b *bed) {
	t.Helper()
	setUp(t, b)
	servers := someServers("111111111111", "eu-west-1", "abcdefghijkl")
	servers.Instances = append(servers.Instances, testbed.DBInstance{
		Identifier: "legacy", ResourceID: "db-LEGACY", Engine: "mysql", EngineVersion: "8.0.40",
		Host: "legacy.abcdefghijkl.eu-west-1.rds.amazonaws.com",
	})
	b.aws.SetServers("111111111111", "eu-west-1", servers)
	ctx, cancel := testContext(t)
	defer cancel()
	keeper := b.shell(b.env())
	keeper.Helper = filepath.Join(b.folder, "mysql-secret-store-login-path")
	const saved = "app@legacy.abcdefghijkl.eu-west-1.rds.amazonaws.com:3306"
	if reply, err := keeper.Call(ctx, "store", keeper.Request(saved, "a password")); err != nil || reply.ExitCode != 0 {
		t.Fatalf("store: %+v, %v", reply, err)
	}
}

func oneServer(t *testing.T, b *bed) {
	t.Helper()
	setUp(t, b)
	// MySQL Shell's stand-in fails unless it is called with what IAM needs.
	script := "#!/bin/sh\nif test \"$1\" = --version; then echo 'mysqlsh   Ver 9.6.0 (a stand-in)'; exit; fi\n"
	for _, arg := range []string{"--user=dba", "--auth-method=mysql_clear_password", "--ssl-mode=VERIFY_IDENTITY"} {
		script += fmt.Sprintf("case \" $* \" in *' %s '*) ;; *) echo 'no %s'; exit 1;; esac\n", arg, arg)
	}
	writeProgram(t, filepath.Join(b.folder, "mysqlsh"), script)
}
