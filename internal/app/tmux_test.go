package app_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// screen is a terminal that a program runs in, as a person would see it.
type screen struct {
	t      *testing.T
	tmux   string
	socket string
}

// newScreen runs a shell command in a terminal of 100 by 24.
func newScreen(t *testing.T, env []string, command string) *screen {
	t.Helper()
	return newScreenOf(t, 100, env, command)
}

// newScreenOf is newScreen with so many columns.
func newScreenOf(t *testing.T, columns int, env []string, command string) *screen {
	t.Helper()
	s := &screen{t: t, tmux: peer(t, "tmux"), socket: filepath.Join(t.TempDir(), "tmux")}
	script := filepath.Join(t.TempDir(), "run.sh")
	var text strings.Builder
	text.WriteString("#!/bin/sh\ntrap : INT\n") // Ctrl-C is for the program
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&text, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	text.WriteString(command + "\necho \"exit code $?\"\nsleep 60\n")
	writeProgram(t, script, text.String())
	s.run("-f", os.DevNull, "new-session", "-d", "-x", strconv.Itoa(columns), "-y", "24", "sh "+script)
	t.Cleanup(func() { s.run("kill-server") })
	return s
}

func (s *screen) run(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(s.tmux, append([]string{"-S", s.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// press sends keys in tmux's words: text, Enter, Up, C-c.
func (s *screen) press(keys ...string) {
	s.t.Helper()
	s.run(append([]string{"send-keys"}, keys...)...)
}

// wait waits until the screen has all the texts, and gives it.
func (s *screen) wait(texts ...string) string {
	s.t.Helper()
	return s.until(fmt.Sprintf("all of %q", texts), func(shown string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(shown, text) })
	})
}

// until waits until the screen is as it should be, and gives it.
func (s *screen) until(want string, is func(shown string) bool) string {
	s.t.Helper()
	var shown string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if shown = s.run("capture-pane", "-p"); is(shown) {
			return shown
		}
	}
	s.t.Fatalf("the screen never had %s:\n%s", want, shown)
	return ""
}

// pickerBed returns a bed with six known servers, and a stand-in for mysqlsh that says how it was
// called.
func pickerBed(t *testing.T) (*bed, []string) {
	t.Helper()
	b, env := roleEnv(t)
	for i, id := range []string{"aaaaaaaaaaaa", "bbbbbbbbbbbb"} {
		b.aws.SetServers("123456789012", []string{"eu-west-1", "us-east-1"}[i], someServers("123456789012", []string{"eu-west-1", "us-east-1"}[i], id))
	}
	bin := filepath.Join(b.home, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	writeProgram(t, filepath.Join(bin, "mysqlsh"), "#!/bin/sh\nfor a in \"$@\"; do echo \"called with $a\"; done\n")
	env = append(env, "PATH="+bin+":"+os.Getenv("PATH"))
	run(t, env, b.helper, "discover", "--profile", "role", "--region", "eu-west-1,us-east-1")
	return b, env
}

func TestPicker(t *testing.T) {
	t.Parallel()
	b, env := pickerBed(t)
	s := newScreen(t, env, b.helper+" connect")
	first := s.wait("Server? (6/6)", "> ")
	if strings.Count(first, ".rds.amazonaws.com") != 6 {
		t.Errorf("not six servers:\n%s", first)
	}
	s.press("shop bbb")
	s.wait("Server? (1/6) shop bbb", "> shop.bbbbbbbbbbbb.us-east-1.rds.amazonaws.com")
	s.press("Enter")
	s.wait("Database user for shop.bbbbbbbbbbbb.us-east-1.rds.amazonaws.com [")
	s.press("Enter")
	last := s.wait("exit code 0", "called with --host=shop.bbbbbbbbbbbb.us-east-1.rds.amazonaws.com", "called with --port=3307")
	if strings.Contains(last, "Server?") {
		t.Errorf("the picker is still there:\n%s", last)
	}

	// The one that was used comes first now; arrows move, Backspace widens.
	s = newScreen(t, env, b.helper+" connect")
	s.wait("Server? (6/6)", "> shop.bbbbbbbbbbbb.us-east-1.rds.amazonaws.com")
	s.press("Down", "Down", "Up", "Up")
	s.wait("> shop.bbbbbbbbbbbb")
	s.press("zzz")
	s.wait("Server? (0/6) zzz")
	s.press("Enter", "BSpace", "BSpace", "BSpace") // of nothing nothing is picked
	s.wait("Server? (6/6)")
	s.press("C-c")
	s.wait("exit code 1")
}

// TestPickerFinds: what is typed finds what connect's own filter does, and what was used stays the
// first of those that have it.
func TestPickerFinds(t *testing.T) {
	t.Parallel()
	b, env := pickerBed(t)
	run(t, env, b.helper, "connect", "--user", "dba", "orders.cluster-ro-bbbbbbbbbbbb.us-east-1.rds.amazonaws.com")
	s := newScreen(t, env, b.helper+" connect")
	s.wait("Server? (6/6)", "> orders.cluster-ro-bbbbbbbbbbbb")
	s.press("orders")
	shown := s.wait("Server? (4/6) orders", "> orders.cluster-ro-bbbbbbbbbbbb")
	if strings.Contains(shown, "shop.") {
		t.Errorf("shop has no orders:\n%s", shown)
	}
	s.press("C-u", "team=WEB")
	s.wait("Server? (2/6) team=WEB", "> shop.aaaaaaaaaaaa")
	s.press("C-u", "123456789012 us-east-1")
	s.wait("Server? (3/6) 123456789012 us-east-1", "> orders.cluster-ro-bbbbbbbbbbbb")
	s.press("C-u", "End")
	s.wait("> shop.")
	s.press("Home")
	s.wait("> orders.cluster-ro-bbbbbbbbbbbb")
	s.press("PPage", "NPage")
	s.wait("> shop.")
	s.press("C-c")
	s.wait("exit code 1")
}

// TestPickerIsResized: the list is drawn anew in the terminal's new size, nothing is left of the
// old one, and all goes at the end.
func TestPickerIsResized(t *testing.T) {
	t.Parallel()
	b, env := pickerBed(t)
	s := newScreen(t, env, "echo before; "+b.helper+" connect; echo after")
	s.wait("Server? (6/6)", "> orders.")
	for _, size := range [][2]string{{"40", "24"}, {"40", "4"}, {"120", "30"}, {"60", "10"}} {
		s.run("resize-window", "-x", size[0], "-y", size[1])
		rows, _ := strconv.Atoi(size[1])
		want := min(6, rows-1)
		s.until(fmt.Sprintf("the picker alone at %s", size), func(shown string) bool {
			return strings.Count(shown, "Server? (6/6)") == 1 && strings.Count(shown, "\n  ")+strings.Count(shown, "\n> ") == want &&
				strings.HasPrefix(shown, "Server?") && strings.Count(strings.TrimSpace(shown), "\n") == want
		})
	}
	s.press("End")
	s.wait("> shop.")
	s.press("Escape")
	if last := s.wait("before", "after", "exit code 0"); strings.Contains(last, "shop.") || strings.Contains(last, "Server?") {
		t.Errorf("the picker is still there:\n%s", last)
	}
}

// TestPickerIsPlain: no colour where the user wants none.
func TestPickerIsPlain(t *testing.T) {
	t.Parallel()
	b, env := pickerBed(t)
	for _, tc := range []struct {
		env    string
		colour bool
	}{{"NO_COLOR=", true}, {"NO_COLOR=1", false}} {
		s := newScreen(t, append(env, tc.env), b.helper+" connect orders")
		s.wait("Server? (4/4)")
		if coloured := strings.Contains(s.run("capture-pane", "-p", "-e"), "\x1b[7m"); coloured != tc.colour {
			t.Errorf("%s: coloured: %v", tc.env, coloured)
		}
		s.press("Escape")
		s.wait("exit code 1")
	}
}

// TestUserOnTheTerminal: where nobody names a user, a person does, and isn't asked again on that
// server; on another one the last user is suggested. Ctrl-C connects nobody.
func TestUserOnTheTerminal(t *testing.T) {
	t.Parallel()
	b, env := pickerBed(t)
	connect := func(what string) *screen { return newScreen(t, env, b.helper+" connect "+what) }
	s := connect("shop us-east-1")
	s.wait("Database user for shop.bbbbbbbbbbbb.us-east-1.rds.amazonaws.com [")
	s.press("dba", "Enter")
	s.wait("exit code 0", "Connecting as dba to shop.bbbbbbbbbbbb", "called with --user=dba")
	s = connect("shop us-east-1")
	s.wait("exit code 0", "Connecting as dba to shop.bbbbbbbbbbbb", "(the user: as the last time)")
	s = connect("shop eu-west-1")
	s.wait("Database user for shop.aaaaaaaaaaaa.eu-west-1.rds.amazonaws.com [dba]:")
	s.press("C-c")
	if shown := s.wait("exit code 1"); strings.Contains(shown, "called with") {
		t.Errorf("connected all the same:\n%s", shown)
	}
	s = connect("shop eu-west-1")
	s.wait("[dba]:")
	s.press("Enter")
	s.wait("exit code 0", "called with --user=dba", "called with --host=shop.aaaaaaaaaaaa")

	// A short name that several servers have is picked on the terminal, by every command.
	s = newScreen(t, env, b.helper+" explain app@orders")
	s.wait("Server? (2/2)", "orders.cluster-aaaaaaaaaaaa", "orders.cluster-bbbbbbbbbbbb")
	s.press("bbb")
	s.wait("Server? (1/2)")
	s.press("Enter")
	s.wait("exit code 0", "app@orders.cluster-bbbbbbbbbbbb.us-east-1")
}

// TestPickerHasTheConfiguration: tunnels and other servers of the configuration can be picked.
func TestPickerHasTheConfiguration(t *testing.T) {
	t.Parallel()
	b, env := pickerBed(t)
	cfg := filepath.Join(b.home, ".config", "mysql-secret-store-rds", "config.yaml")
	writeProgram(t, cfg, "servers:\n  127.0.0.1:13306: {endpoint: 'shop.bbbbbbbbbbbb.us-east-1.rds.amazonaws.com:3307', db_user: dba}\n")
	s := newScreen(t, env, b.helper+" connect")
	s.wait("Server? (7/7)", "127.0.0.1")
	s.press("tunnel")
	s.wait("Server? (1/7)", "> 127.0.0.1")
	s.press("Enter")
	s.wait("exit code 0", "called with --host=127.0.0.1", "called with --port=13306", "called with --user=dba")
}

// TestMFAOnTheTerminal: MySQL Shell's own pipes are not used, and what is typed reaches us.
func TestMFAOnTheTerminal(t *testing.T) {
	t.Parallel()
	b, env := roleEnv(t)
	config := filepath.Join(b.home, ".aws", "config")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, "mfa_serial = arn:aws:iam::123456789012:mfa/dba\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newScreen(t, env, b.helper+" login role")
	s.wait("MFA code of arn:aws:iam::123456789012:mfa/dba (AWS profile role):")
	s.press("123456", "Enter")
	s.wait("role: good until ", "exit code 0")
}

// TestResultsWaitForTheAnswer: what login says of other profiles doesn't end the line on which a
// code is asked for.
func TestResultsWaitForTheAnswer(t *testing.T) {
	t.Parallel()
	b, env := roleEnv(t)
	b.aws.Delay("AssumeRole", 2*time.Second) // until after the question
	config := "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = default\n" +
		"[profile mfa]\nrole_arn = arn:aws:iam::123456789012:role/two\nsource_profile = default\nmfa_serial = arn:aws:iam::123456789012:mfa/dba\n"
	if err := os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	const question = "MFA code of arn:aws:iam::123456789012:mfa/dba (AWS profile mfa):"
	s := newScreen(t, env, b.helper+" login mfa role")
	s.wait(question)
	for b.aws.Calls("AssumeRole") == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(3 * time.Second) // role has its credentials by now
	if shown := s.wait(question); strings.Contains(shown, "good until") {
		t.Errorf("an answer would stand behind a result:\n%s", shown)
	}
	s.press("123456", "Enter")
	s.wait("role: good until ", "mfa: good until ", "exit code 0")
}

// TestProgressBar: a bar on a terminal, and nothing of it afterwards.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	b, env := roleEnv(t)
	b.aws.SetServers("123456789012", "eu-west-1", someServers("123456789012", "eu-west-1", "aaaaaaaaaaaa"))
	b.aws.Delay("DescribeDBClusters", 2*time.Second)
	s := newScreen(t, env, b.helper+" discover --profile role --region eu-west-1,us-east-1,us-west-2")
	s.wait("[", "] ", "/3 regions")
	last := s.wait("exit code 0", "3 servers (3 new")
	if strings.Contains(last, "/3 regions") {
		t.Errorf("the bar is still there:\n%s", last)
	}
	// Ctrl-C keeps what was found, and says so.
	b.aws.Delay("DescribeDBInstances", 30*time.Second)
	s = newScreen(t, env, b.helper+" discover --profile role --region eu-west-1")
	s.wait("/1 regions")
	s.press("C-c")
	s.wait("exit code ", "Interrupted")
	if got := run(t, env, b.helper, "list-servers"); !strings.Contains(got, "shop.aaaaaaaaaaaa") {
		t.Errorf("lost: %s", got)
	}
}

// TestSetupAsks: the plan first, then the question; no answer but yes does anything.
func TestSetupAsks(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	shell := filepath.Join(b.home, "shell")
	if err := os.Mkdir(shell, 0o700); err != nil {
		t.Fatal(err)
	}
	writeProgram(t, filepath.Join(shell, "mysqlsh"), standIn)
	helper := filepath.Join(shell, "mysql-secret-store-rds")
	for _, answer := range []string{"Enter", "n", "C-c"} {
		s := newScreen(t, b.env(), b.helper+" setup --shell "+filepath.Join(shell, "mysqlsh"))
		s.wait("to do    set credentialStore.helper to rds", "Do this? [y/N]")
		if s.press(answer); answer == "n" {
			s.press("Enter")
		}
		s.wait("exit code 1")
		if _, err := os.Lstat(helper); err == nil {
			t.Fatalf("after %s the helper is there", answer)
		}
	}
	s := newScreen(t, b.env(), b.helper+" setup --shell "+filepath.Join(shell, "mysqlsh"))
	s.wait("Do this? [y/N]")
	s.press("y", "Enter")
	s.wait("done ", "MySQL Shell asks this helper from its next start on.", "exit code 0")
	if got := run(t, b.env(), helper, "version"); !strings.HasPrefix(got, "mysql-secret-store-rds ") {
		t.Errorf("the helper says %q", got)
	}
}

// TestDoctorInColour: on a terminal, unless NO_COLOR says otherwise.
func TestDoctorInColour(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	for _, tc := range []struct {
		env    string
		colour bool
	}{{"NO_COLOR=", true}, {"NO_COLOR=1", false}} {
		s := newScreen(t, append(b.env(), tc.env), b.helper+" doctor --shell "+filepath.Join(b.folder, "mysqlsh"))
		s.wait("option         credentialStore.helper is not set", "exit code 1")
		if coloured := strings.Contains(s.run("capture-pane", "-p", "-e"), "\x1b[31mfail"); coloured != tc.colour {
			t.Errorf("%s: coloured: %v", tc.env, coloured)
		}
	}
}

// TestMFADuringDiscover: the question comes when everything else has been read, on a line of its
// own, and Ctrl-C keeps that.
func TestMFADuringDiscover(t *testing.T) {
	t.Parallel()
	b, env := roleEnv(t)
	config := filepath.Join(b.home, ".aws", "config")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	more := "region = eu-west-1\n[profile mfa]\nregion = eu-west-1\nrole_arn = arn:aws:iam::123456789012:role/two\nsource_profile = role\nmfa_serial = arn:aws:iam::123456789012:mfa/dba\n"
	if err := os.WriteFile(config, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.aws.SetServers("123456789012", "eu-west-1", someServers("123456789012", "eu-west-1", "aaaaaaaaaaaa"))
	s := newScreen(t, env, b.helper+" discover --profile mfa --profile role")
	shown := s.wait("mysql-secret-store-rds: MFA code of arn:aws:iam::123456789012:mfa/dba (AWS profile mfa):")
	if strings.Contains(shown, "profiles,") {
		t.Errorf("the bar is still there:\n%s", shown)
	}
	s.press("C-c")
	s.wait("exit code 0", "Interrupted")
	if got := run(t, env, b.helper, "list-servers"); !strings.Contains(got, "shop.aaaaaaaaaaaa") {
		t.Errorf("lost: %s", got)
	}
}
