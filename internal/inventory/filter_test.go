package inventory

import (
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/server"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	servers := []Server{
		{Host: "old.x", Name: "old", Account: "1", Region: "r", Seen: seen.Add(-time.Hour), Engine: "mysql", Profile: "team/Prod"},
		{Host: "d.x", Name: "b", Account: "2", Region: "a", Seen: seen, Status: "available", Tags: map[string]string{"Env": "Prod"}},
		{Host: "c.x", Name: "a", Account: "2", Region: "a", Seen: seen, Cluster: "orders"},
		{Host: "b.x", Name: "z", Account: "1", Region: "b", Seen: seen, Engine: "mariadb", EngineVersion: "11.4", Kind: server.Reader},
		{Host: "a.x", Name: "z", Account: "1", Region: "b", Seen: seen, Engine: "mysql"},
	}
	for _, tc := range []struct{ words, want string }{
		{"", "a.x b.x c.x d.x old.x"},
		{"MYSQL", "a.x old.x"},
		{"mysql 1 b", "a.x"},
		{"prod", "d.x old.x"},
		{"env=prod", "d.x"},
		{"11.4", "b.x"},
		{"reader", "b.x"},
		{"INSTANCE mysql", "a.x old.x"},
		{"env=p*", "d.x"},
		{"t*prod", "old.x"},
		{"*prod", "d.x old.x"},
		{"ORD", "c.x"},
		{"ord?", ""},
		{"[", ""},
		{"avail", "d.x"},
		{"nothing", ""},
	} {
		var got []string
		for _, s := range Filter(servers, strings.Fields(tc.words)) {
			got = append(got, s.Host)
		}
		if d := cmp.Diff(tc.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s: %s", tc.words, d)
		}
	}
}

// matchesPlainly is what Filter asks of a server, one field after the other.
func matchesPlainly(s Server, word string) bool {
	fields := []string{
		s.Host, s.Name, s.Cluster, s.Engine, s.Engine + " " + s.EngineVersion, s.Kind.String(), s.Account, s.Region,
		s.Profile, s.Status,
	}
	for k, v := range s.Tags {
		fields = append(fields, v, k+"="+v)
	}
	return slices.ContainsFunc(fields, func(f string) bool {
		whole, err := path.Match(fold(word), fold(f))
		return strings.Contains(fold(f), fold(word)) || err == nil && whole
	})
}

// TestFilterAsPlainly: what servers have in common is looked at once, with the result that looking
// at each would have.
func TestFilterAsPlainly(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	var servers []Server
	for range 60 {
		s := Server{
			Host: pick("orders.x", "shop-1.x", "b.x"), Name: pick("orders", "shop-1", ""), Cluster: pick("", "Led/ger"),
			Engine: pick("mysql", "mariadb", ""), EngineVersion: pick("8.4", "mysql", ""),
			Kind: server.EndpointKind(r.IntN(3)), Account: pick("1", "22"), Region: pick("eu-west-1", "eu"),
			Profile: pick("", "Prod/DBA", "dev*"), Status: pick("available", "stopped", ""), Tags: map[string]string{},
		}
		for range r.IntN(3) {
			s.Tags[pick("team", "Env", "mysql", "")] = pick("Orders", "8.4", "", "a b", "Ä/ö", "x=y", `\*`)
		}
		servers = append(servers, s)
	}
	parts := []string{
		"orders", "MYSQL", "8.4", " ", "=", "team", "env", "*", "*", "?", "[a-z]", "[", "]", `\`, "/", "ä", "dba",
		"e", "s", "1", "prod", "writer", "",
	}
	matching := 0
	for range 2000 {
		words := make([]string, 1+r.IntN(2))
		for n := range words {
			for range 1 + r.IntN(4) {
				words[n] += parts[r.IntN(len(parts))]
			}
		}
		want := Filter(slices.DeleteFunc(slices.Clone(servers), func(s Server) bool {
			return slices.ContainsFunc(words, func(w string) bool { return !matchesPlainly(s, w) })
		}), nil)
		if d := cmp.Diff(want, Filter(servers, words)); d != "" {
			t.Fatalf("%q: %s", words, d)
		}
		if len(want) > 0 {
			matching++
		}
	}
	if matching < 300 {
		t.Errorf("only %d of the filters match anything", matching)
	}
}
