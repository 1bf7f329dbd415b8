package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/inventory"
)

func TestMatchServers(t *testing.T) {
	t.Parallel()
	servers := []inventory.Server{{Host: "shop.a", Port: 3307}, {Host: "world.global"}, {Host: "orders.a", Port: 3306}}
	for typed, want := range map[string][]string{
		"":           {"shop.a", "world.global", "orders.a"},
		"SH":         {"shop.a"},
		"dba@sh":     {"dba@shop.a:3307"},
		"dba@World":  {"dba@world.global:3306"}, // its port isn't known
		"@o":         {"@orders.a:3306"},
		"shop.a:33":  nil,
		"dba@nobody": nil,
	} {
		if d := cmp.Diff(want, matchServers(servers, typed)); d != "" {
			t.Errorf("%q: %s", typed, d)
		}
	}
}
