package term

import (
	"bufio"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestPickerOrder: those that have what was typed stay in their order; those with its letters only
// are offered where there are none, the best first.
func TestPickerOrder(t *testing.T) {
	t.Parallel()
	rows := rowsOf("often-orders-prod", "o-r-d-e-r-s-prod", "Orders-Prod", "order-s-prod", "shop")
	p := newPicker("Server?", rows, func(word string, has []bool) {
		has[4] = has[4] || word == "team=orders" || word == "prod"
	}, false)
	for _, tc := range []struct {
		typed string
		want  []int
	}{
		{"", []int{0, 1, 2, 3, 4}},
		{" ", []int{0, 1, 2, 3, 4}},
		{"orders", []int{0, 2}},
		{"ORDERS prod", []int{0, 2}},
		{"prod", []int{0, 1, 2, 3, 4}},
		{"team=orders", []int{4}},
		{"sh prod", []int{4}},
		{"ordprd", []int{2, 3, 0, 1}},
		{"orders zz", nil},
	} {
		p.typed = tc.typed
		p.filter()
		if d := cmp.Diff(tc.want, p.shown); d != "" {
			t.Errorf("%q: %s", tc.typed, d)
		}
	}
}

// TestPickerShownFirst: what one sees comes before what one would wonder about.
func TestPickerShownFirst(t *testing.T) {
	t.Parallel()
	rows := []Row{{"world", []string{"writer"}}, {"orders", []string{"writer"}}, {"orders", []string{"reader"}}, {"shop", []string{"reader"}}}
	p := newPicker("Server?", rows, func(word string, has []bool) {
		for _, i := range []int{0, 1, 3} {
			has[i] = has[i] || word == "orders"
		}
	}, false)
	for typed, want := range map[string][]int{"orders": {1, 2, 0, 3}, "orders reader": {2, 3}} {
		p.typed = typed
		p.filter()
		if d := cmp.Diff(want, p.shown); d != "" {
			t.Errorf("%q: %s", typed, d)
		}
	}
}

func TestPickerKeys(t *testing.T) {
	t.Parallel()
	p := newPicker("Server?", make([]Row, 10), nil, false)
	p.height, p.width = 4, 20
	for _, tc := range []struct {
		keys string
		at   int
	}{
		{"\x1b[B", 1}, {"\x1b[6~", 5}, {"\x0e", 6}, {"\x1b[6~", 9}, {"\x1b[5~", 5}, {"\x1b[A", 4},
		{"\x10", 3}, {"\x1b[5~", 0},
		{"\x1b[F", 9}, {"\x1b[H", 0}, {"\x1bOF", 9}, {"\x1bOH", 0}, {"\x1b[4~", 9}, {"\x1b[1~", 0},
		{"\x1b[8~", 9}, {"\x1b[7~", 0},
		{"\x1b[1;5C", 0}, // one that isn't known
	} {
		r := bufio.NewReader(strings.NewReader(tc.keys))
		_, _ = r.Peek(1)
		if _, over := p.press(readKey(r)); over || p.at != tc.at || r.Buffered() != 0 {
			t.Errorf("%q: at %d, not %d; over: %v", tc.keys, p.at, tc.at, over)
		}
	}
}

// TestPickerFits: no line is wider than the terminal, nor are there more than it has.
func TestPickerFits(t *testing.T) {
	t.Parallel()
	p := newPicker("Server?", slices.Repeat(rowsOf(strings.Repeat("x", 30)), 30), nil, false)
	for _, size := range [][2]int{{80, 24}, {10, 3}, {1, 1}, {31, 40}} {
		p.width, p.height, p.at = size[0], size[1]-1, 29
		var b strings.Builder
		p.draw(&b)
		lines := strings.Split(strings.NewReplacer("\x1b[H", "", "\x1b[K", "").Replace(b.String()), "\r\n")
		if len(lines) > size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if line, _, _ = strings.Cut(line, "\x1b"); len(line) >= size[0] {
				t.Errorf("%v: %q", size, line)
			}
		}
	}
}

// TestPickerShowsTheDetails: name, profile, region and kind are there from 60 columns on, however
// long the names are; what is cut first is what one needs least.
func TestPickerShowsTheDetails(t *testing.T) {
	t.Parallel()
	long := "customer-orders-production-europe-2024-archive-07"
	rows := []Row{
		{long + ".cluster-ro-abcdefghijkl.ap-southeast-2.rds.amazonaws.com", []string{"AdministratorAccess-123456789012", "ap-southeast-2", "proxy endpoint", "aurora-mysql"}},
		{"shop.abcdefghijkl.eu-west-1.rds.amazonaws.com", []string{"prod", "eu-west-1", "reader", "mysql"}},
	}
	for width, want := range map[int][2]string{
		60:  {"> custom…ve-07  Admin…89012  ap-southeast-2  proxy endpoint", "  shop.abcdef…  prod         eu-west-1       reader"},
		80:  {"", "  shop.abcdefghijkl.eu-…  prod                   eu-west-1       reader"},
		200: {"", "  shop.abcdefghijkl.eu-west-1.rds.amazonaws.com  "},
	} {
		p := newPicker("Server?", rows, nil, false)
		p.width, p.height = width, 23
		var b strings.Builder
		p.draw(&b)
		lines := strings.Split(strings.NewReplacer("\x1b[H", "", "\x1b[K", "", "\x1b[J", "").Replace(b.String()), "\r\n")
		for i, line := range lines[1:] {
			line, _, _ = strings.Cut(line, "\x1b")
			if !strings.HasPrefix(line, want[i]) || utf8.RuneCountInString(line) >= width {
				t.Errorf("%d columns: %q", width, line)
			}
			for _, detail := range rows[i].Details[1:3] {
				if !strings.Contains(line, "  "+detail) {
					t.Errorf("%d columns: %q lacks %s", width, line, detail)
				}
			}
		}
	}
}
