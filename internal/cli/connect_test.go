package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

func TestMatchServers(t *testing.T) {
	t.Parallel()
	servers := []inventory.Server{{Host: "shop.a", Port: 3307}, {Host: "world.global"}, {Host: "orders.a", Port: 3306}}
	user := func(u server.URL) string {
		if u.Host == "orders.a" {
			return "every day"
		}
		return "dev"
	}
	for _, tc := range []struct {
		wantsUser bool
		typed     string
		want      []string
	}{
		{false, "", []string{"shop.a", "world.global", "orders.a"}},
		{false, "SH", []string{"shop.a"}},
		{false, "shop.a:", []string{"shop.a:3307"}},
		{false, "shop.a:33", []string{"shop.a:3307"}},
		{false, "shop.a:34", nil},
		{false, "dba@sh", []string{"dba@shop.a:3307"}},
		{true, "", []string{"dev@shop.a:3307", "dev@world.global:3306", "every%20day@orders.a:3306"}},
		{true, "SH", []string{"dev@shop.a:3307"}},
		{true, "shop.a:33", []string{"dev@shop.a:3307"}},
		{true, "de", []string{"dev@shop.a:3307", "dev@world.global:3306"}},
		{true, "dev@", []string{"dev@shop.a:3307", "dev@world.global:3306", "dev@orders.a:3306"}},
		{true, "dba@sh", []string{"dba@shop.a:3307"}},
		{true, "dba@shop.a:33", []string{"dba@shop.a:3307"}},
		{true, "dba@World", []string{"dba@world.global:3306"}}, // its port isn't known
		{true, "@o", []string{"every%20day@orders.a:3306"}},
		{true, "dba@nobody", nil},
	} {
		if d := cmp.Diff(tc.want, matchServers(servers, tc.typed, tc.wantsUser, user)); d != "" {
			t.Errorf("%q, user wanted: %v: %s", tc.typed, tc.wantsUser, d)
		}
	}
}

// TestPickerFindsAsTheFilter: a word that connect's filter takes is taken in the picker, too.
func TestPickerFindsAsTheFilter(t *testing.T) {
	t.Parallel()
	servers := []inventory.Server{
		{Host: "a.x", Engine: "mysql"},
		{Host: "b.x", Account: "222222222222", Region: "eu-west-1", Status: "stopped", Cluster: "ledger", Tags: map[string]string{"team": "Orders"}},
	}
	index := inventory.NewIndex(servers)
	for _, word := range []string{"222222222222", "eu-west-1", "STOP", "ledger", "team=orders", "led*", "b.x", "B.*"} {
		has := make([]bool, len(servers))
		for i, row := range pickerRows(servers) {
			has[i] = strings.Contains(row.Host+" "+strings.Join(row.Details, " "), word)
		}
		if index.Find(word, has); !cmp.Equal(has, []bool{false, true}) {
			t.Errorf("%q: %v", word, has)
		}
	}
}
