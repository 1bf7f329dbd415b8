package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
)

// noon is in the local time zone, in which findings tell the time.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local)

func checkAWS(a AWS) []string {
	var list []Finding
	CheckAWS(a, func(f Finding) { list = append(list, f) })
	return lines(list, func(Finding) bool { return true })
}

// TestAWS: what lasts how long, from files alone.
func TestAWS(t *testing.T) {
	newHome(t, "[profile a]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n"+
		"[profile b]\nsso_session = corp\n[profile c]\nsso_session = lab\n[profile d]\nsso_session = new\n"+
		"[sso-session corp]\nsso_region = r\nsso_start_url = u\n[sso-session lab]\n[sso-session new]\n")
	t.Setenv("AWS_PROFILE", "a")
	for session, ends := range map[string]time.Time{"corp": noon.Add(3*time.Hour + 20*time.Minute), "lab": noon.Add(-26 * time.Hour)} {
		file := sso.File(profiles.SSOSession{Name: session})
		text := fmt.Sprintf(`{"accessToken": "x", "expiresAt": %q}`, ends.UTC().Format(time.RFC3339))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	set, err := profiles.Load(profiles.Default())
	if err != nil {
		t.Fatal(err)
	}
	got := checkAWS(AWS{
		Profiles: set, Now: noon,
		Kept: []cache.Credentials{
			{Profile: "a", Who: "dba", AccountID: acct, Expires: noon.Add(40 * time.Minute)},
			{Profile: "b", Who: "arn:aws:iam::" + other + ":role/dba", AccountID: other, Expires: noon.Add(-time.Minute)},
		},
		Accounts: []inventory.Account{{Number: acct, Seen: noon.Add(-50 * time.Hour)}, {Number: acct, Seen: noon.Add(-3 * time.Hour)}},
		Servers:  make([]inventory.Server, 7),
	})
	want := []string{
		"ok profiles: 4 AWS profiles; where nothing names one: AWS profile a (AWS_PROFILE)",
		"ok session: AWS session corp (2 profiles): good for 3h20m, until 15:20",
		"warn session: AWS session lab (1 profile): over since 10:00 on 2026-11-19",
		"warn session: AWS session new (1 profile): nobody is logged in",
		"ok kept: dba (profile a, account 123456789012): good for 40m, until 12:40",
		"ok kept: arn:aws:iam::210987654321:role/dba (profile b): over since 11:59; asked for anew when they are needed",
		"ok inventory: 7 servers in 1 account, believed; read 3h0m ago",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestInventoryIsJudged: its age, and whether it is believed.
func TestInventoryIsJudged(t *testing.T) {
	newHome(t, "")
	set, err := profiles.Load(profiles.Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		make func(a *AWS)
		want string
	}{
		{func(a *AWS) { a.InventoryErr = inventory.ErrAbsent }, "ok inventory: none so far"},
		{func(a *AWS) { a.InventoryErr = &inventory.UntrustedError{File: "x", Reason: "damaged"} }, "warn inventory: not believed: x: damaged"},
		{func(a *AWS) { a.Accounts = []inventory.Account{{Number: acct, Seen: noon.AddDate(0, 0, -40)}} },
			"warn inventory: 0 servers in 1 account, believed; read 40 days ago: newer servers may be missing"},
	} {
		a := AWS{Profiles: set, Now: noon}
		tc.make(&a)
		got := checkAWS(a)
		if len(got) != 2 || !strings.HasPrefix(got[0], "warn profiles: none in ") || !strings.HasPrefix(got[1], tc.want) {
			t.Errorf("%q, want %s", got, tc.want)
		}
	}
}
