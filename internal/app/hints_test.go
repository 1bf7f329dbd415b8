//go:build unix

package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"mysql-secret-store-rds/internal/config"
)

// TestHintsCanBePasted: every command in a hint is one that a shell reads and that takes what is in
// it, and what goes into the configuration is what may stand there.
func TestHintsCanBePasted(t *testing.T) {
	t.Parallel()
	sh := peer(t, "sh")
	b := startBed(t)
	stubs := t.TempDir() // commands that others have, or that change this machine
	for _, name := range []string{"aws", "sudo"} {
		writeProgram(t, filepath.Join(stubs, name), "#!/bin/sh\nexit 0\n")
	}
	awsConfig := "[profile prod-dba]\nregion = eu-west-1\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = default\n" +
		"[profile mistyped]\nrole_arn = arn:aws:iam::123456789012:role/two\nsource_profile = prod-db\n" +
		"[profile it's sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dba\n" +
		"[sso-session corp]\nsso_start_url = https://testbed.awsapps.com/start\nsso_region = eu-west-1\n"
	if err := os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(awsConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	const china = "shop.cccccccccccc.rds.cn-north-1.amazonaws.com.cn"
	file := filepath.Join(t.TempDir(), "config.yaml")
	count := 0
	for _, tc := range []struct {
		config, profile string
		args            []string
	}{
		{args: []string{"explian", "dba@it's"}}, {args: []string{"discver", "prod dba"}}, {args: []string{"list-server", "--profile", "x"}},
		{args: []string{"dcotor", "dba:secret@orders"}}, {args: []string{"token", "user@/tmp/socket"}}, {args: []string{"token"}},
		{args: []string{"explain", "x"}}, {args: []string{"doctor", "a", "b"}}, {args: []string{"ca-bundle", "a", "b"}},
		{args: []string{"cache", "lst"}}, {args: []string{"cache"}}, {args: []string{"completion", "bsh"}},
		{args: []string{"list-servers"}}, {args: []string{"connect", "orders"}}, {args: []string{"connect", "--user", "x", "dba@db.example.com"}},
		{args: []string{"connect", "root@/tmp/it's"}}, {args: []string{"discover", "it's"}}, {args: []string{"discover", "--profile", "it's ss"}},
		{args: []string{"login", "prod-db"}}, {args: []string{"logout", "prod-db"}}, {args: []string{"login", "gone"}},
		{args: []string{"token", "dba@db.example.com"}}, {args: []string{"discover", "--region", "x"}},
		{profile: "prod-db", args: []string{"token", "dba@" + orders}}, {profile: "mistyped", args: []string{"token", "dba@" + orders}},
		{profile: "it's sso", args: []string{"token", "dba@" + orders}}, {profile: "gone", args: []string{"token", "dba@" + orders}},
		{args: []string{"connect", "dba@" + china}}, {args: []string{"ca-bundle", "dba@" + china}},
		{config: "accounts: {cccccccccccc: prod-dba}", args: []string{"ca-bundle", "dba@" + china}},
		{config: "accounts: {x: prod-dba}", args: []string{"ca-bundle", "dba@" + china}},
		{config: "accounts: {abcdefghijkl: prod-db}", args: []string{"token", "dba@" + orders}},
		{config: "defaults: {aws_profile: prod-db}", args: []string{"token", "dba@" + orders}},
		{config: "servers: {db.example.com: {aws_profile: x}}", args: []string{"token", "dba@db.example.com"}},
		{config: "servers: {localhost: {aws_profile: x}}", args: []string{"token", "dba@localhost"}},
		{config: "defaults: {user: dba}", args: []string{"connect", "root@" + orders}},
		{config: "my.example.com: {aws_profile: my profile}", args: []string{"explain", "dba@" + orders}},
	} {
		env := append(b.env(), "PATH="+stubs+":"+b.folder+":"+os.Getenv("PATH"), "AWS_PROFILE="+tc.profile)
		if tc.profile == "" {
			env = env[:len(env)-1]
		}
		if tc.config != "" {
			if err := os.WriteFile(file, []byte(tc.config), 0o600); err != nil {
				t.Fatal(err)
			}
			env = append(env, "MYSQL_SECRET_STORE_RDS_CONFIG="+file)
		}
		ctx, cancel := testContext(t)
		cmd := exec.CommandContext(ctx, b.helper, tc.args...)
		cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Setsid: true}
		out, _ := cmd.CombinedOutput() // it fails
		cancel()
		for _, hint := range regexp.MustCompile(`(?m)^hint: (.*)$`).FindAllStringSubmatch(string(out), -1) {
			count++
			if where, paste, ok := strings.Cut(hint[1], ":  "); strings.HasPrefix(where, "with AWS CLI") {
				pasteCommand(t, sh, env, paste)
			} else if ok && where != "write there instead" { // into an AWS file
				pasteYAML(t, where, paste)
			} else if regexp.MustCompile(`^(mysql|aws|export|unset|sudo|ls|mv)`).MatchString(hint[1]) {
				pasteCommand(t, sh, env, hint[1])
			}
		}
		if !strings.Contains(string(out), "hint: ") {
			t.Errorf("%q: no hint: %s", tc.args, out)
		}
	}
	if count < 35 {
		t.Errorf("only %d hints", count)
	}
}

// pasteCommand runs a hint: it may fail, but not because of how it is written.
func pasteCommand(t *testing.T, sh string, env []string, hint string) {
	t.Helper()
	ctx, cancel := testContext(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, sh, "-c", hint)
	cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Setsid: true}
	// The login of an SSO session would wait for a person.
	if strings.Contains(hint, " login ") {
		cmd = exec.CommandContext(ctx, sh, "-n", "-c", hint)
	}
	out, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() > 1 {
		t.Errorf("%s: %v: %s", hint, err, out)
	}
	if regexp.MustCompile(`unknown flag|is no command|takes |not a Server URL|is no AWS region|syntax error|not found`).Match(out) {
		t.Errorf("%s: %s", hint, out)
	}
}

// pasteYAML puts a hint's text where it says.
func pasteYAML(t *testing.T, where, paste string) {
	t.Helper()
	text := ""
	section := regexp.MustCompile(`, under (\w+)$`).FindStringSubmatch(where)
	switch {
	case section != nil:
		text = section[1] + ":\n  " + paste
	case strings.Contains(where, "write in"), strings.Contains(where, "or none"):
		text = paste
	case regexp.MustCompile(`set in accounts: (\w+) .*`).MatchString(where) && strings.HasPrefix(paste, "cccccccccccc: ") || strings.HasPrefix(paste, "abcdefghijkl: "):
		text = "accounts:\n  " + paste
	default:
		text = "servers:\n  a.example.com:\n    " + paste
	}
	if strings.Contains(paste, "NAME.ID.REGION") || strings.HasPrefix(paste, "{") { // to be filled in; a policy
		return
	}
	if _, err := config.Parse("config.yaml", []byte(text)); err != nil {
		t.Errorf("%s: %s: %v", where, paste, err)
	}
}
