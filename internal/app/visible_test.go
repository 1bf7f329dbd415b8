package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"mysql-secret-store-rds/internal/testbed"
)

// TestNothingHiddenIsPrinted: whatever a profile, an AWS answer, the configuration or an argument
// has in it, no command prints a character that could act on the terminal, and JSON says what it is.
func TestNothingHiddenIsPrinted(t *testing.T) {
	t.Parallel()
	const (
		foreign = "x\u009b31m\u202e\u2066\u2028\u2029\u0085\u200bx" // in XML there are no others
		profile = "evil\x1b[201~" + foreign
		host    = "shop.aaaaaaaaaaaa.eu-west-1.rds.amazonaws.com"
	)
	b := startBed(t)
	writeProgram(t, filepath.Join(b.home, ".aws", "config"), strings.Join([]string{
		"[profile " + profile + "]", "region = eu-west-1",
		"aws_access_key_id = " + keyID, "aws_secret_access_key = " + keySecret,
		"[profile other" + profile + "]", "region = eu-west-1",
		"role_arn = arn:aws:iam::123456789012:role/" + foreign, "source_profile = none" + foreign, "",
	}, "\n"))
	config := filepath.Join(b.home, ".config", "mysql-secret-store-rds", "config.yaml")
	servers := someServers("123456789012", "eu-west-1", "aaaaaaaaaaaa")
	shop := &servers.Instances[0]
	shop.EngineVersion, shop.Status, shop.MasterUsername = foreign, foreign, foreign
	shop.Tags = map[string]string{foreign: foreign}
	servers.Instances = append(servers.Instances, testbed.DBInstance{
		Identifier: foreign, Engine: "mysql", EngineVersion: foreign, Host: foreign, Port: 3306, Status: foreign,
	})
	b.aws.SetServers("123456789012", "eu-west-1", servers)
	env := append(b.env(), "AWS_PROFILE="+profile)

	command := func(fails bool, args ...string) string {
		t.Helper()
		cmd := exec.Command(b.helper, args...)
		cmd.Env = env
		var stdout, all bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &all
		err := cmd.Run()
		all.Write(stdout.Bytes())
		if (err != nil) != fails {
			t.Errorf("%q: %v: %q", args, err, all.String())
		}
		for _, r := range all.String() {
			if !unicode.IsPrint(r) && r != '\n' && (r != '\t' || args[0] != "__complete") {
				t.Errorf("%q prints %+q", args, all.String())
				break
			}
		}
		return stdout.String()
	}
	says := func(text, in string) {
		t.Helper()
		if !json.Valid([]byte(in)) || !strings.Contains(in, ascii(text)) {
			t.Errorf("%q is not in %s", text, in)
		}
	}
	command(false, "discover", "--profile", profile)
	says(profile, command(false, "discover", "--json", "--profile", profile))
	command(true, "discover", "--profile", "other"+profile)
	command(true, "discover", "--profile", "no"+profile)
	command(false, "list-servers")
	says(foreign, command(false, "list-servers", "--json"))
	command(false, "list-servers", profile)
	command(false, "explain", "dba@"+host)
	says(profile, command(false, "explain", "--json", "dba@"+host))
	command(false, "explain", "dba"+strings.ReplaceAll(profile, "\x1b", "%1b")+"@"+host)
	command(false, "explain", "--json", "dba"+strings.ReplaceAll(profile, "\x1b", "%1b")+"@"+host)
	command(false, "token", "dba@"+host+":3307")
	command(false, "cache", "list")
	says(profile, command(false, "cache", "list", "--json"))
	command(true, "cache", profile)
	command(true, "login", profile+"z")
	command(false, "login", profile)
	command(true, "login", "other"+profile)
	command(true, "doctor", "--json", "dba@"+host)
	command(true, "doctor", "dba@"+host)
	command(true, "setup", "--yes", "--shell", profile)
	command(false, "__complete", "login", "")
	command(false, "__complete", "explain", "")
	command(false, "logout", profile)
	command(true, "logout", "no"+profile)
	command(true, "completion", profile)
	command(true, profile)
	command(true, "connect", profile)

	line := command(false, "connect", "--print", "--user", profile, host, "--", "--execute", profile)
	out, err := exec.Command("sh", "-c", "set -- "+line+"\nprintf %s \"$2\"").Output()
	if err != nil || string(out) != "--user="+profile {
		t.Errorf("a shell reads %q as %q, %v", line, out, err)
	}
	command(false, "connect", "--print", "--uri", "--user", profile, host)
	writeProgram(t, config, `defaults: {db_user: "dba\e[201~\x9b31m\u202E", schema: "s\e[201~\u202E"}`+"\n")
	command(false, "connect", "--print", host)
	command(false, "connect", "--print", "--uri", host)
	command(false, "explain", "dba@"+host)
	command(false, "__complete", "explain", "")
	writeProgram(t, config, "defaults: {db_user: \x1b[201~\u009b, no\u202e: 1}\n")
	command(true, "explain", "dba@"+host)
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
}

// ascii is a text as JSON has it that is all ASCII.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x20 || r > 0x7e {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// TestLongMessageOfAWS: of 5 MB no more is shown than a person reads.
func TestLongMessageOfAWS(t *testing.T) {
	t.Parallel()
	b, env := roleEnv(t)
	long := strings.Repeat("no ", (3<<20)/6) // in the code, too; an answer of more than 4 MB is refused
	for _, operation := range []string{"AssumeRole", "GetCallerIdentity", "DescribeDBInstances"} {
		b.aws.Break(testbed.Fault{Operation: operation, Status: 403, Code: "AccessDenied" + long, Message: long})
	}
	for _, args := range [][]string{
		{"discover", "--profile", "role", "--region", "eu-west-1"},
		{"discover", "--profile", "default", "--region", "eu-west-1"},
		{"login", "role"}, {"token", "dba@" + orders + ":3306"}, {"explain", "--online", "dba@" + orders + ":3306"},
	} {
		cmd := exec.Command(b.helper, args...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err == nil || len(out) > 8000 || !strings.Contains(string(out), "no no no") {
			t.Errorf("%v: %v: %d bytes: %.300s", args, err, len(out), out)
		}
	}
}
