package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/testbed"
)

// strangerBed is a bed where nobody knows whose the server orders is: AWS has it in the account
// given. There are three accounts under the SSO session corp, which is over, one that wants an MFA
// code, and the default profile's, which has another id.
func strangerBed(t *testing.T, account string) *bed {
	t.Helper()
	b := startBed(t)
	text := ssoSession
	for i := range 3 {
		text += fmt.Sprintf("[profile sso%d]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = %[1]d%[1]d%[1]d%[1]d%[1]d%[1]d%[1]d%[1]d%[1]d%[1]d%[1]d%[1]d\nsso_role_name = dba\n", i+1)
	}
	text += "[profile mfa]\nrole_arn = arn:aws:iam::444444444444:role/one\nsource_profile = default\nmfa_serial = " + mfaDevice + "\n"
	writeHome(t, b, ".aws/config", text)
	b.aws.SetServers("123456789012", "eu-west-1", someServers("123456789012", "eu-west-1", "cccccccccccc"))
	b.aws.SetServers("111111111111", "eu-west-1", someServers("111111111111", "eu-west-1", "aaaaaaaaaaaa"))
	b.aws.SetServers(account, "eu-west-1", someServers(account, "eu-west-1", "abcdefghijkl"))
	b.aws.ApproveAfter(1)
	return b
}

// TestLearnAsksForTheLogin: the person at the terminal is asked once for a session, and for no code
// that isn't needed.
func TestLearnAsksForTheLogin(t *testing.T) {
	t.Parallel()
	for _, before94 := range []bool{true, false} {
		t.Run(fmt.Sprintf("before94=%v", before94), func(t *testing.T) {
			t.Parallel()
			b := strangerBed(t, "222222222222")
			s := newScreen(t, b.env(), getOnScreen(t, b, before94, "out"))
			s.wait(loginQuestion)
			s.press("Enter")
			shown := s.wait("SSO session corp: logged in until ", "exit code 0")
			wantToken(t, b, "out")
			if strings.Count(shown, loginQuestion) != 1 || strings.Contains(shown, mfaQuestion) {
				t.Errorf("asked for more than one login:\n%s", shown)
			}
			if n := b.aws.Calls("StartDeviceAuthorization"); n != 1 {
				t.Errorf("%d device flows", n)
			}
		})
	}
}

// TestLearnAsksForTheCode: last, when nobody else has the server.
func TestLearnAsksForTheCode(t *testing.T) {
	t.Parallel()
	b := strangerBed(t, "444444444444")
	s := newScreen(t, b.env(), b.helper+" token dba@"+orders+":3306 | cut -c1-6")
	s.wait(loginQuestion)
	s.press("y", "Enter")
	s.wait(mfaQuestion)
	s.press("123456", "Enter")
	s.wait("orders", "exit code 0")
	if n := b.aws.Calls("AssumeRole"); n != 1 {
		t.Errorf("%d AssumeRole calls", n)
	}
}

// TestLearnTakesNo: whoever declines a login isn't asked for anything else, and reads who wasn't
// asked.
func TestLearnTakesNo(t *testing.T) {
	t.Parallel()
	b := strangerBed(t, "444444444444")
	s := newScreen(t, b.env(), getOnScreen(t, b, false, "out"))
	s.wait(loginQuestion)
	s.press("n", "Enter")
	shown := s.wait("exit code 1")
	const want = "no AWS profile known for account id abcdefghijkl (eu-west-1); asked 1 profile; not asked: " +
		"sso1, sso2, sso3 (SSO session corp is over), mfa (MFA): run: mysql-secret-store-rds discover"
	if got := reply(t, b, "out"); !strings.HasPrefix(got, want) || strings.Contains(shown, mfaQuestion) {
		t.Errorf("got %q:\n%s", got, shown)
	}
}

// TestLearnAsksNobodyWithoutATerminal: it says who couldn't be asked.
func TestLearnAsksNobodyWithoutATerminal(t *testing.T) {
	t.Parallel()
	b := strangerBed(t, "444444444444")
	ctx, cancel := testContext(t)
	defer cancel()
	_, err := b.shell(b.env()).Get(ctx, "dba@"+orders+":3306")
	const want = "asked 1 profile; not asked: sso1, sso2, sso3 (SSO session corp is over), mfa (MFA)"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// TestLearnAmongManyProfiles: the one of 300 that has the server, behind a role, with servers of the
// same name in all other accounts.
func TestLearnAmongManyProfiles(t *testing.T) {
	t.Parallel()
	fleet := testbed.Fleet{Accounts: 300, Regions: []string{"eu-west-1"}, EndpointsPerRegion: 6}
	account := fleet.Account(237)
	host := "cl0000.cluster-" + fleet.HostID(account, "eu-west-1") + ".eu-west-1.rds.amazonaws.com"
	b := startBed(t)
	b.aws.AddFleet(fleet)
	writeHome(t, b, ".aws/config", string(fleet.Config(testbed.Key{ID: keyID, Secret: keySecret})))
	if err := os.Remove(filepath.Join(b.home, ".aws", "credentials")); err != nil { // of the default profile
		t.Fatal(err)
	}
	writeHome(t, b, ".config/mysql-secret-store-rds/config.yaml", "timeout: 1m\nlearn: 40s\n") // bench says how fast it is
	ctx, cancel := testContext(t)
	defer cancel()
	for _, before94 := range []bool{true, false} { // the second one finds the account known
		sh := b.shell(b.env())
		sh.Before94 = before94
		token, err := sh.Get(ctx, fmt.Sprintf("dba%v@%s", before94, host))
		if err != nil || !strings.HasPrefix(token, host+":3306?") {
			t.Fatalf("%.100s, %v", token, err)
		}
	}
	if n := b.aws.Calls("DescribeDBClusters"); n > 301 { // the source's, too
		t.Errorf("AWS was asked %d times", n)
	}
	if n := b.aws.CallsBy(account, "DescribeDBClusters"); n != 1 {
		t.Errorf("the account was asked %d times", n)
	}
}

// TestAskedFits: who was asked, in lines as wide as the terminal.
func TestAskedFits(t *testing.T) {
	t.Parallel()
	for _, columns := range widths {
		b := strangerBed(t, "444444444444")
		s := newScreenOf(t, columns, b.env(), b.helper+" explain --online dba@stranger.zzzzzzzzzzzz.eu-west-1.rds.amazonaws.com")
		s.wait("Log in now?")
		s.press("n", "Enter")
		s.wait("exit code 1")
		printed := s.printed()
		save(t, printed, fmt.Sprintf("asked-%d", columns))
		checkWrapped(t, printed, columns, regexp.MustCompile(`^  accounts: \{zzzzzzzzzzzz: PROFILE\}$`))
		if !strings.Contains(printed, "Asked whose the server is: asked 1 profile") {
			t.Errorf("%d columns:\n%s", columns, printed)
		}
	}
}
