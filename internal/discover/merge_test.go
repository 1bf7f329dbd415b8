package discover

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
)

func TestPreferred(t *testing.T) {
	t.Parallel()
	reached := func(decisions ...decision) (list []candidate) {
		for i, v := range decisions {
			list = append(list, candidate{profile: string(rune('a' + i)), decision: v})
		}
		return list
	}
	const before = "as before: this time nothing was learned about it"
	for _, tc := range []struct {
		name     string
		assigned string
		reached  []candidate
		before   []string
		held     bool
		want     []string
		why      string
	}{
		{"nobody", "", nil, nil, false, nil, ""},
		{"only one", "", reached(notAsked), nil, false, []string{"a"}, "the only profile for it"},
		{"only one, again", "", reached(notAsked), []string{"a"}, false, []string{"a"}, "the only profile for it"},
		{"settled", "z", reached(mayNotConnect, mayConnect), []string{"a"}, false, []string{"z", "b", "a"}, Assigned},
		{"the second may", "", reached(mayNotConnect, mayConnect, mayNotAsk), nil, false, []string{"b", "c", "a"},
			"b may connect (iam:SimulatePrincipalPolicy)"},
		{"not reached this time", "", reached(mayNotAsk), []string{"x", "a"}, false, []string{"x", "a"}, before},
		{"not reached, and another may", "", reached(mayConnect), []string{"x", "a"}, false, []string{"a", "x"},
			"a may connect (iam:SimulatePrincipalPolicy)"},
		{"not reached, and another may not", "", reached(mayNotConnect), []string{"a", "x"}, false, []string{"x", "a"},
			"first of x in the AWS configuration; a may not connect (iam:SimulatePrincipalPolicy)"},
		{"interrupted before it was asked", "", reached(notAsked, notAsked), []string{"b", "a"}, true, []string{"b", "a"}, before},
		{"interrupted, but it may not", "", reached(notAsked, mayNotConnect), []string{"b", "a"}, true, []string{"a", "b"},
			"first of a in the AWS configuration; b may not connect (iam:SimulatePrincipalPolicy)"},
		{"one may ask, one may not", "", reached(noAnswer, mayNotAsk), nil, false, []string{"a", "b"},
			"first of a, b in the AWS configuration; iam:SimulatePrincipalPolicy gave no answer"},
	} {
		got, why := preferred(tc.assigned, tc.reached, tc.before, nil, tc.held)
		if d := cmp.Diff(tc.want, got) + cmp.Diff(tc.why, why); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
}

// TestRolesFirst: a profile that assumes a role comes before the one that it is built on.
func TestRolesFirst(t *testing.T) {
	t.Parallel()
	keys := func(d decision) candidate { return candidate{"keys", d, ""} }
	role := func(d decision) candidate { return candidate{"role", d, "keys"} }
	sso := func(d decision) candidate { return candidate{"sso", d, ""} }
	for _, tc := range []struct {
		name    string
		reached []candidate
		want    []string
		why     string
	}{
		{"the keys stand first", []candidate{keys(mayNotAsk), role(mayNotAsk)}, []string{"role", "keys"},
			"role assumes a role with the credentials of keys; iam:SimulatePrincipalPolicy is not allowed"},
		{"both may", []candidate{keys(mayConnect), role(mayConnect)}, []string{"role", "keys"}, "role may connect (iam:SimulatePrincipalPolicy)"},
		{"only the keys may", []candidate{keys(mayConnect), role(mayNotConnect)}, []string{"keys", "role"}, "keys may connect (iam:SimulatePrincipalPolicy)"},
		{"others stay", []candidate{keys(notAsked), sso(notAsked), role(notAsked)}, []string{"sso", "role", "keys"},
			"first of sso, role, keys in the AWS configuration; iam:SimulatePrincipalPolicy gave no answer"},
		{"the keys reach another account", []candidate{sso(notAsked), role(notAsked)}, []string{"sso", "role"},
			"first of sso, role in the AWS configuration; iam:SimulatePrincipalPolicy gave no answer"},
	} {
		got, why := preferred("", rolesFirst(tc.reached), nil, nil, false)
		if d := cmp.Diff(tc.want, got) + cmp.Diff(tc.why, why); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
}

// TestAssignedByNumber: accounts: in the configuration settles it by id, or else by number.
func TestAssignedByNumber(t *testing.T) {
	t.Parallel()
	known := knownProfiles{
		assigned: map[string]string{"111111111111": "number", "abcdefghijkl": "id"},
		callers:  map[string][]candidate{one: {{profile: "a"}}},
	}
	for id, want := range map[string]string{"abcdefghijkl": "id", "another": "number"} {
		got, why := known.of(inventory.Account{HostID: id, Number: "111111111111"})
		if got[0] != want || why != Assigned {
			t.Errorf("%s: %s, %s; want %s", id, got, why, want)
		}
	}
}

func TestMergeAccounts(t *testing.T) {
	t.Parallel()
	later := now.Add(time.Hour)
	account := func(id, region, number, profile, why string) inventory.Account {
		return inventory.Account{HostID: id, Region: region, Number: number, Profile: profile, Profiles: []string{profile},
			Why: why, Full: true, Seen: now}
	}
	old := []inventory.Account{
		account("other", west, two, "p", "whatever was said"),
		account("settled", west, two, "q", Assigned),
		account("moved", west, two, "p", "x"),
		account("partly", west, one, "a", "x"),
		account("elsewhere", east, one, "a", "x"),
		account("orphan", west, three, "none", "x"),
	}
	scanned := []*accountRegion{
		{listing: newListing(regionKey{one, west}, "aws", 0, now), answered: true},
		{listing: newListing(regionKey{one, "us-west-2"}, "", 0, now)},
	}
	scanned[0].hostIDs = map[string]bool{"new": true, "moved": true}
	known := knownProfiles{
		configured: []string{"a", "p", "q"},
		callers:    map[string][]candidate{one: {{profile: "a", decision: notAsked}}},
		account:    map[string]string{"a": one},
	}
	const only = "the only profile for it"
	read := func(id string) inventory.Account {
		return inventory.Account{HostID: id, Region: west, Number: one, Partition: "aws", Profile: "a", Profiles: []string{"a"},
			Why: only, Seen: later}
	}
	partly := read("partly")
	partly.Partition = ""
	want := []inventory.Account{
		read("moved"), read("new"), partly, account("elsewhere", east, one, "a", only),
		account("other", west, two, "p", "whatever was said"),
		account("settled", west, two, "q", "as before: this time nothing was learned about it"),
	}
	if d := cmp.Diff(want, mergeAccounts(old, scanned, known, later)); d != "" {
		t.Error(d)
	}
}

func TestMergeServers(t *testing.T) {
	t.Parallel()
	server := func(host, account, status string, seen time.Time) inventory.Server {
		return inventory.Server{Host: host, Account: account, Region: west, HostID: "i", Status: status, Seen: seen}
	}
	later := now.Add(time.Hour)
	old := []inventory.Server{
		server("b", one, "up", now), server("d", one, "up", now), server("e", two, "up", now), server("f", one, "up", now),
		server("h", two, "up", now),
	}
	found := []inventory.Server{
		server("a", one, "up", later), server("d", one, "down", later), server("f", one, "up", later), server("g", two, "up", later),
	}
	want := []inventory.Server{
		server("a", one, "up", later), server("d", one, "down", later), server("e", two, "up", now), server("f", one, "up", later),
		server("g", two, "up", later), server("h", two, "up", now),
	}
	got, n := mergeServers(old, found, map[regionKey]bool{{one, west}: true})
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(changes{added: 2, gone: 1, changed: 1}, n, cmp.AllowUnexported(changes{})); d != "" {
		t.Error(d)
	}
}
