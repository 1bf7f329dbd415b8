package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	loginQuestion = "AWS session corp is over. Log in now? [Y/n]"
	mfaDevice     = "arn:aws:iam::123456789012:mfa/dba"
	mfaQuestion   = "mysql-secret-store-rds: MFA code of " + mfaDevice + " (AWS profile mfa):"
	loggedOut     = `the AWS login of profile "sso" has expired or was never made: run: mysql-secret-store-rds login sso, or: with AWS CLI v2:  aws sso login --profile sso`
)

// askBed returns a bed whose profile sso has a session that is over, and whose profile mfa wants a
// code.
func askBed(t *testing.T) (*bed, []string) {
	t.Helper()
	b := startBed(t)
	config := ssoSession + ssoProfile("sso") +
		"[profile mfa]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = default\nmfa_serial = " + mfaDevice + "\n"
	writeHome(t, b, ".aws/config", config)
	return b, append(b.env(), "AWS_PROFILE=sso")
}

func ssoProfile(name string) string {
	return fmt.Sprintf("[profile %s]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dba\n", name)
}

func writeHome(t *testing.T, b *bed, name, text string) {
	t.Helper()
	file := filepath.Join(b.home, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// getOnScreen is a shell command that calls get as MySQL Shell does, up to 9.3 or from 9.4 on: both
// streams in one file, and the terminal for nobody but who opens it.
func getOnScreen(t *testing.T, b *bed, before94 bool, file string) string {
	t.Helper()
	sh := b.shell(nil)
	sh.Before94 = before94
	request := file + ".request"
	writeHome(t, b, request, string(sh.Request("dba@"+orders+":3306")))
	return fmt.Sprintf("cat %[1]s/%[2]s | LC_ALL=en_US.UTF-8 %[3]s get >%[1]s/%[4]s 2>&1", b.home, request, b.helper, file)
}

// reply is what get has written.
func reply(t *testing.T, b *bed, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.home, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func wantToken(t *testing.T, b *bed, file string) {
	t.Helper()
	if got := reply(t, b, file); !strings.HasPrefix(got, `{"SecretType":"password",`) || !strings.Contains(got, `"Secret":"`+orders) ||
		!strings.HasSuffix(got, "}") {
		t.Errorf("MySQL Shell gets %.200q", got)
	}
}

// TestGetLogsIn: get asks on the terminal, goes through the device flow there, and answers; its
// reply has nothing of all that.
func TestGetLogsIn(t *testing.T) {
	t.Parallel()
	for _, before94 := range []bool{true, false} {
		t.Run(fmt.Sprintf("before94=%v", before94), func(t *testing.T) {
			t.Parallel()
			b, env := askBed(t)
			s := newScreen(t, env, getOnScreen(t, b, before94, "out"))
			s.wait(loginQuestion)
			s.press("Enter")
			s.wait("SSO session corp: confirm the code ", "/device?user_code=", "waiting …")
			b.aws.ApproveDevice()
			s.wait("SSO session corp: logged in until ", "exit code 0")
			wantToken(t, b, "out")
			if n := b.aws.Calls("StartDeviceAuthorization"); n != 1 {
				t.Errorf("%d device flows", n)
			}
		})
	}
}

// TestGetTakesNo: after a no get says what it says without a terminal, and asks nothing of AWS.
func TestGetTakesNo(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	s := newScreen(t, env, getOnScreen(t, b, false, "out"))
	s.wait(loginQuestion)
	s.press("maybe", "Enter")
	s.until("the question twice", func(shown string) bool { return strings.Count(shown, loginQuestion) == 2 })
	s.press("n", "Enter")
	s.wait("exit code 1")
	if got := reply(t, b, "out"); got != loggedOut || b.aws.Calls("RegisterClient") != 0 {
		t.Errorf("got %q", got)
	}
}

// TestCtrlCEndsAQuestion: get ends at once, on a line of its own, whatever it waits for.
func TestCtrlCEndsAQuestion(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	for _, tc := range []struct {
		profile   string
		questions []string
		want      string
	}{
		{"sso", []string{loginQuestion}, loggedOut},
		{"sso", []string{loginQuestion, "waiting …"}, loggedOut},
		{"mfa", []string{mfaQuestion}, `the AWS profile "mfa" wants an MFA code, and none was typed: run: mysql-secret-store-rds login mfa`},
	} {
		s := newScreen(t, append(env, "AWS_PROFILE="+tc.profile), getOnScreen(t, b, false, "out"))
		for i, question := range tc.questions {
			if s.wait(question); i < len(tc.questions)-1 {
				s.press("y", "Enter")
			}
		}
		began := time.Now()
		s.press("C-c")
		shown := s.wait("\nexit code 1") // at the beginning of a line
		if got := reply(t, b, "out"); got != tc.want || time.Since(began) > 3*time.Second {
			t.Errorf("%q after %v:\n%s", got, time.Since(began), shown)
		}
	}
}

// TestNobodyIsAskedFromTheBackground: it would stop the process, and MySQL Shell wait for ever.
func TestNobodyIsAskedFromTheBackground(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	s := newScreen(t, env, "set -m\n("+getOnScreen(t, b, false, "out")+") &\nwait $!")
	shown := s.wait("exit code 1")
	if got := reply(t, b, "out"); got != loggedOut || strings.Contains(shown, "Log in now") {
		t.Errorf("got %q:\n%s", got, shown)
	}
	s = newScreen(t, append(env, "AWS_PROFILE=mfa"), "set -m\n("+getOnScreen(t, b, false, "out")+") &\nwait $!")
	s.wait("exit code 1")
	if got := reply(t, b, "out"); !strings.Contains(got, "wants an MFA code, and there is no terminal to ask for it on") {
		t.Errorf("got %q", got)
	}
}

// TestAPersonsTimeIsNotTheMachines: the configuration's timeout doesn't count it.
func TestAPersonsTimeIsNotTheMachines(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	writeHome(t, b, ".config/mysql-secret-store-rds/config.yaml", "timeout: 2s\n")
	s := newScreen(t, env, getOnScreen(t, b, false, "out"))
	m := newScreen(t, append(env, "AWS_PROFILE=mfa"), getOnScreen(t, b, true, "mfa"))
	s.wait(loginQuestion)
	m.wait(mfaQuestion)
	time.Sleep(4 * time.Second)
	s.press("Enter")
	s.wait("waiting …")
	m.press("123456", "Enter")
	m.wait("exit code 0")
	time.Sleep(4 * time.Second)
	b.aws.ApproveDevice()
	s.wait("exit code 0")
	wantToken(t, b, "out")
	wantToken(t, b, "mfa")
}

// TestTimeoutCountsWhatAWSTakes also after the answer.
func TestTimeoutCountsWhatAWSTakes(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	writeHome(t, b, ".config/mysql-secret-store-rds/config.yaml", "timeout: 1s\n")
	b.aws.Delay("RegisterClient", 20*time.Second)
	s := newScreen(t, env, getOnScreen(t, b, false, "out"))
	s.wait(loginQuestion)
	time.Sleep(1500 * time.Millisecond)
	began := time.Now()
	s.press("Enter")
	s.wait("exit code 1")
	if got := reply(t, b, "out"); time.Since(began) > 5*time.Second || !strings.HasPrefix(got, "no AWS credentials for ") {
		t.Errorf("%q after %v", got, time.Since(began))
	}
}

// TestMFACodes: blanks are dropped, six digits wanted, and a refused code gets another try.
func TestMFACodes(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	b.aws.MFAOnce = true
	s := newScreen(t, append(env, "AWS_PROFILE=mfa"), getOnScreen(t, b, false, "out"))
	s.wait(mfaQuestion)
	s.press("12345", "Enter")
	s.wait("A code has six digits.")
	s.press("12345x", "Enter")
	s.until("the question three times", func(shown string) bool { return strings.Count(shown, mfaQuestion) == 3 })
	if n := b.aws.Calls("AssumeRole"); n != 0 {
		t.Fatalf("AWS was asked %d times", n)
	}
	s.press("000000", "Enter")
	s.wait("AWS refused that code. Each one works once")
	s.press("000 000", "Enter")
	s.wait("That is the code that AWS refused.")
	s.press(" 123 456 ", "Enter")
	s.wait("exit code 0")
	wantToken(t, b, "out")
	if n := b.aws.Calls("AssumeRole"); n != 2 {
		t.Errorf("AWS was asked %d times", n)
	}
}

// TestThreeMFACodes: no fourth try.
func TestThreeMFACodes(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	s := newScreen(t, append(env, "AWS_PROFILE=mfa"), getOnScreen(t, b, false, "out"))
	for i, code := range []string{"000000", "111111", "222222"} {
		s.until("the next question", func(shown string) bool { return strings.Count(shown, mfaQuestion) == i+1 })
		s.press(code, "Enter")
	}
	s.wait("exit code 1")
	const want = "AWS refused the MFA code; each one works once, and for half a minute: wait for the next one: run: mysql-secret-store-rds login mfa"
	if got := reply(t, b, "out"); got != want || b.aws.Calls("AssumeRole") != 3 {
		t.Errorf("got %q after %d calls", got, b.aws.Calls("AssumeRole"))
	}
}

// TestOneProcessAsks: the other one, on another terminal, waits for the result.
func TestOneProcessAsks(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	writeHome(t, b, ".config/mysql-secret-store-rds/config.yaml", "timeout: 2s\n")
	for _, tc := range []struct {
		profile, question string
		answer            []string
	}{{"sso", loginQuestion, []string{"y", "Enter"}}, {"mfa", mfaQuestion, []string{"123456", "Enter"}}} {
		env := append(env, "AWS_PROFILE="+tc.profile)
		first := newScreen(t, env, getOnScreen(t, b, false, "one"))
		first.wait(tc.question)
		second := newScreen(t, env, getOnScreen(t, b, true, "two"))
		other := newScreen(t, env, b.helper+" token dba@"+single+":3306 >"+b.home+"/three")
		time.Sleep(4 * time.Second)
		for _, s := range []*screen{second, other} {
			if shown := s.run("capture-pane", "-p"); strings.Contains(shown, tc.question) || strings.Contains(shown, "exit code") {
				t.Errorf("%s: the other one doesn't wait:\n%s", tc.profile, shown)
			}
		}
		first.press(tc.answer...)
		if tc.profile == "sso" {
			first.wait("waiting …")
			b.aws.ApproveDevice()
		}
		for _, s := range []*screen{first, second, other} {
			s.wait("exit code 0")
		}
		wantToken(t, b, "one")
		wantToken(t, b, "two")
		if got := reply(t, b, "three"); !strings.HasPrefix(got, single) {
			t.Errorf("%s: token prints %.100q", tc.profile, got)
		}
		run(t, env, b.helper, "cache", "clear")
	}
	if flows, codes := b.aws.Calls("StartDeviceAuthorization"), b.aws.Calls("AssumeRole"); flows != 1 || codes != 1 {
		t.Errorf("%d device flows, %d codes", flows, codes)
	}
}

// TestALoginElsewhereAnswers: who has been asked, and logs in by another command, need not answer.
func TestALoginElsewhereAnswers(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	s := newScreen(t, env, getOnScreen(t, b, false, "out"))
	s.wait(loginQuestion)
	b.aws.ApproveAfter(1)
	run(t, env, b.helper, "login", "corp")
	s.wait("\nexit code 0")
	wantToken(t, b, "out")
}

// TestALoginUnderWayIsJoined: who is asked while another command waits for the browser, or comes
// then, waits for that one's result.
func TestALoginUnderWayIsJoined(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	writeHome(t, b, ".config/mysql-secret-store-rds/config.yaml", "timeout: 2s\n")
	asked := newScreen(t, env, getOnScreen(t, b, false, "asked"))
	asked.wait(loginQuestion)
	login := newScreen(t, env, b.helper+" login corp")
	login.wait("waiting …")
	asked.press("y", "Enter")
	const joins = "Another process is logging in to AWS session corp"
	asked.wait(joins)
	later := newScreen(t, append(env, "MYSQL_SECRET_STORE_RDS_CACHE_DIR="+b.home+"/other"), getOnScreen(t, b, false, "later"))
	again := newScreen(t, env, b.helper+" login corp")
	again.wait("another process is logging in")
	time.Sleep(3 * time.Second)
	b.aws.ApproveDevice()
	for _, s := range []*screen{asked, login, later, again} {
		s.wait("exit code 0")
	}
	wantToken(t, b, "asked")
	wantToken(t, b, "later")
	if shown := later.run("capture-pane", "-p"); strings.Contains(shown, loginQuestion) {
		t.Errorf("asked, too:\n%s", shown)
	}
	if n := b.aws.Calls("StartDeviceAuthorization"); n != 1 {
		t.Errorf("%d device flows", n)
	}
}

// TestCommandsLogIn: a person's commands ask as get does, and go on.
func TestCommandsLogIn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ command, want string }{
		"token":    {"token dba@" + orders + ":3306 | cut -c1-6", "orders"},
		"doctor":   {"doctor dba@" + orders + ":3306", "assumed-role/AWSReservedSSO_dba"},
		"discover": {"discover --profile sso", "1 account"},
		"explain":  {"explain --online dba@" + orders + ":3306", "assumed-role/AWSReservedSSO_dba"},
		"connect":  {"connect dba@" + orders + ":3306", "--host=orders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, env := askBed(t)
			b.aws.SetServers("123456789012", "eu-west-1", someServers("123456789012", "eu-west-1", "aaaaaaaaaaaa"))
			b.aws.ApproveAfter(1)
			s := newScreen(t, env, b.helper+" "+tc.command)
			s.wait(loginQuestion)
			s.press("Enter")
			s.run("resize-window", "-x", "200", "-y", "60")
			s.wait("SSO session corp: logged in until ", tc.want, "exit code ")
			if n := b.aws.Calls("StartDeviceAuthorization"); n != 1 {
				t.Errorf("%d device flows", n)
			}
		})
	}
}

// TestConnectTakesNo: without a login there is nothing to connect with, and the Shell isn't begun.
func TestConnectTakesNo(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	s := newScreen(t, env, b.helper+" connect dba@"+orders+":3306")
	s.wait(loginQuestion)
	s.press("n", "Enter")
	if shown := s.wait("error: the AWS login of profile", "exit code 1"); strings.Contains(shown, "--host") {
		t.Errorf("the Shell was begun:\n%s", shown)
	}
}

// TestDiscoverAsksOnceForASession: one question and one device flow, or one line, for 26 profiles.
func TestDiscoverAsksOnceForASession(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	b.aws.SetServers("123456789012", "eu-west-1", someServers("123456789012", "eu-west-1", "aaaaaaaaaaaa"))
	text := ssoSession
	for i := range 26 {
		text += ssoProfile(fmt.Sprintf("account%02d", i))
	}
	writeHome(t, b, ".aws/config", text)
	s := newScreen(t, env, b.helper+" discover --profile 'account*'")
	s.wait(loginQuestion)
	time.Sleep(time.Second)
	s.run("resize-window", "-x", "200", "-y", "24") // before the long line comes
	s.press("n", "Enter")
	const line = "warning: the AWS login of SSO session corp has expired or was never made (26 profiles): run: " +
		"mysql-secret-store-rds login corp"
	if shown := s.wait(line, "exit code 1"); strings.Count(shown, "warning:") != 1 || strings.Count(shown, loginQuestion) != 1 {
		t.Errorf("more than one line or question:\n%s", shown)
	}

	s = newScreen(t, env, b.helper+" discover --profile 'account*'")
	s.wait(loginQuestion)
	s.press("y", "Enter")
	s.wait("waiting …")
	b.aws.ApproveDevice()
	shown := s.wait("3 servers (3 new", "exit code 0")
	if strings.Contains(shown, "warning") || strings.Count(shown, loginQuestion) != 1 || b.aws.Calls("StartDeviceAuthorization") != 1 {
		t.Errorf("%d device flows:\n%s", b.aws.Calls("StartDeviceAuthorization"), shown)
	}
}

// TestDiscoverInterruptedWhileItAsks: Ctrl-C ends it at once, and no other question comes.
func TestDiscoverInterruptedWhileItAsks(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	s := newScreen(t, env, b.helper+" discover --profile sso --profile mfa --region eu-west-1")
	s.wait(loginQuestion)
	s.press("C-c")
	if shown := s.wait("Interrupted", "exit code 1"); strings.Contains(shown, "MFA") {
		t.Errorf("asked again:\n%s", shown)
	}
}

// TestASavedPasswordNeedsNoLogin: the question waits until it is known that none is saved.
func TestASavedPasswordNeedsNoLogin(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	const delegate = "#!/bin/sh\ntest \"$1\" = get || exit 0\nsleep 2\n"
	const saved = `{"SecretType":"password","SecretID":"x","ServerURL":"x","Secret":"typed once"}`
	file := filepath.Join(b.folder, "mysql-secret-store-login-path")
	writeProgram(t, file, delegate+"echo '"+saved+"'\n")
	s := newScreen(t, env, getOnScreen(t, b, false, "out"))
	if shown := s.wait("exit code 0"); reply(t, b, "out") != saved || strings.Contains(shown, "Log in now") {
		t.Errorf("got %q:\n%s", reply(t, b, "out"), shown)
	}
	writeProgram(t, file, delegate+"echo 'Could not find the secret'\nexit 1\n")
	began := time.Now()
	s = newScreen(t, env, getOnScreen(t, b, false, "out"))
	s.wait(loginQuestion)
	if time.Since(began) < 2*time.Second {
		t.Error("asked before it was known that no password is saved")
	}
}

// TestSeveralOnOneTerminal: of several in the foreground, one asks.
func TestSeveralOnOneTerminal(t *testing.T) {
	t.Parallel()
	b, env := askBed(t)
	one, two := getOnScreen(t, b, false, "one"), getOnScreen(t, b, true, "two")
	s := newScreen(t, env, "("+one+") & ("+two+") & wait")
	s.wait(loginQuestion)
	time.Sleep(time.Second)
	if shown := s.run("capture-pane", "-p"); strings.Count(shown, loginQuestion) != 1 {
		t.Errorf("asked twice:\n%s", shown)
	}
	s.press("Enter")
	s.wait("waiting …")
	b.aws.ApproveDevice()
	s.wait("exit code 0")
	wantToken(t, b, "one")
	wantToken(t, b, "two")
}
