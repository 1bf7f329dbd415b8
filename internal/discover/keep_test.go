package discover

import (
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
)

func TestPreferred(t *testing.T) {
	t.Parallel()
	reached := func(verdicts ...verdict) (list []candidate) {
		for i, v := range verdicts {
			list = append(list, candidate{string(rune('a' + i)), v})
		}
		return list
	}
	const before = "as before: this time nothing was learned about it"
	for _, tc := range []struct {
		name    string
		settled string
		reached []candidate
		before  []string
		held    bool
		want    []string
		why     string
	}{
		{"nobody", "", nil, nil, false, nil, ""},
		{"only one", "", reached(unasked), nil, false, []string{"a"}, "the only profile for it"},
		{"only one, again", "", reached(unasked), []string{"a"}, false, []string{"a"}, "the only profile for it"},
		{"settled", "z", reached(mayNot, mayConnect), []string{"a"}, false, []string{"z", "b", "a"}, settledWhy},
		{"the second may", "", reached(mayNot, mayConnect, notAllowed), nil, false, []string{"b", "c", "a"},
			"b may connect (iam:SimulatePrincipalPolicy)"},
		{"not reached this time", "", reached(notAllowed), []string{"x", "a"}, false, []string{"x", "a"}, before},
		{"not reached, and another may", "", reached(mayConnect), []string{"x", "a"}, false, []string{"a", "x"},
			"a may connect (iam:SimulatePrincipalPolicy)"},
		{"not reached, and another may not", "", reached(mayNot), []string{"a", "x"}, false, []string{"x", "a"},
			"first of x in the AWS configuration; a may not connect (iam:SimulatePrincipalPolicy)"},
		{"interrupted before it was asked", "", reached(unasked, unasked), []string{"b", "a"}, true, []string{"b", "a"}, before},
		{"interrupted, but it may not", "", reached(unasked, mayNot), []string{"b", "a"}, true, []string{"a", "b"},
			"first of a in the AWS configuration; b may not connect (iam:SimulatePrincipalPolicy)"},
		{"one may ask, one may not", "", reached(noAnswer, notAllowed), nil, false, []string{"a", "b"},
			"first of a, b in the AWS configuration; iam:SimulatePrincipalPolicy gave no answer"},
	} {
		got, why := preferred(tc.settled, tc.reached, tc.before, nil, tc.held)
		if d := cmp.Diff(tc.want, got) + cmp.Diff(tc.why, why); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
}

func TestMergeAccounts(t *testing.T) {
	t.Parallel()
	later := now.Add(time.Hour)
	account := func(id, region, number, profile, why string) inventory.Account {
		return inventory.Account{ID: id, Region: region, Number: number, Profile: profile, Profiles: []string{profile},
			Why: why, Full: true, Seen: now}
	}
	old := []inventory.Account{
		account("other", west, two, "p", "whatever was said"),
		account("settled", west, two, "q", settledWhy),
		account("moved", west, two, "p", "x"),
		account("partly", west, one, "a", "x"),
		account("elsewhere", east, one, "a", "x"),
		account("orphan", west, three, "none", "x"),
	}
	pairs := []*pair{
		{account: one, region: west, partition: "aws", reading: reading{some: true, ids: []string{"new", "moved"}}},
		{account: one, region: "us-west-2", reading: reading{}},
	}
	known := profiles{
		configured: []string{"a", "p", "q"},
		reached:    map[string][]candidate{one: {{"a", unasked}}},
		account:    map[string]string{"a": one},
	}
	const only = "the only profile for it"
	read := func(id string) inventory.Account {
		return inventory.Account{ID: id, Region: west, Number: one, Partition: "aws", Profile: "a", Profiles: []string{"a"},
			Why: only, Seen: later}
	}
	partly := read("partly")
	partly.Partition = ""
	want := []inventory.Account{
		read("moved"), read("new"), partly, account("elsewhere", east, one, "a", only),
		account("other", west, two, "p", "whatever was said"),
		account("settled", west, two, "q", "as before: this time nothing was learned about it"),
	}
	if d := cmp.Diff(want, mergeAccounts(old, pairs, known, later)); d != "" {
		t.Error(d)
	}
}

func TestMergeServers(t *testing.T) {
	t.Parallel()
	server := func(host, account, status string, seen time.Time) inventory.Server {
		return inventory.Server{Host: host, Account: account, Region: west, ID: "i", Status: status, Seen: seen}
	}
	later := now.Add(time.Hour)
	old := []inventory.Server{
		server("b", one, "up", now), server("d", one, "up", now), server("e", two, "up", now), server("f", one, "up", now),
		server("h", two, "up", now),
	}
	found := []packed{pack(server("a", one, "up", later)), pack(server("d", one, "down", later)), pack(server("f", one,
		"up", later)), pack(server("g", two, "up", later))}
	want := []inventory.Server{
		server("a", one, "up", later), server("d", one, "down", later), server("e", two, "up", now), server("f", one, "up", later),
		server("g", two, "up", later), server("h", two, "up", now),
	}
	m := merging{full: map[string]bool{place(one, west): true}}
	sequence := func(err error) iter.Seq2[inventory.Server, error] {
		return func(yield func(inventory.Server, error) bool) {
			for _, s := range old {
				if !yield(s, nil) {
					return
				}
			}
			if err != nil {
				yield(inventory.Server{}, err)
			}
		}
	}
	all := m.servers(sequence(nil), found)
	for range 2 { // it can be gone through again
		var got []inventory.Server
		for s, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if m.known != 6 || m.new != 2 || m.gone != 1 || m.changed != 1 {
			t.Errorf("%+v", m)
		}
	}
	broken := errors.New("broken")
	var last error
	for _, last = range m.servers(sequence(broken), found) {
	}
	if last != broken {
		t.Errorf("got %v", last)
	}
	for range all {
		break // and be left
	}
}
