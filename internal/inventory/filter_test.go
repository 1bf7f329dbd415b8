package inventory

import (
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
