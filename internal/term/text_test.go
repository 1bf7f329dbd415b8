package term

import "testing"

func TestShorten(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{
		{"orders", 6, "orders"}, {"orders-prod", 6, "ord…od"}, {"orders", 5, "or…rs"}, {"Bücher-本", 4, "Bü…本"},
		{"orders", 2, "o…"}, {"orders", 1, "o"}, {"orders", 0, ""}, {"", 0, ""},
	} {
		if got := Shorten(tc.text, tc.width); got != tc.want {
			t.Errorf("%q in %d: %q, not %q", tc.text, tc.width, got, tc.want)
		}
	}
	for width, want := range map[int]string{
		30: "orders.abc.eu-west-1.rds", 20: "orders.abc.eu-west-…", 8: "orders.…", 7: "orders", 6: "orders", 5: "or…rs",
	} {
		if got := ShortenHost("orders.abc.eu-west-1.rds", width); got != want {
			t.Errorf("in %d: %q, not %q", width, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 0, "one two three"}, {"one two three", 13, "one two three"},
		{"one two three", 12, "one two\n  three"}, {"one two three", 5, "one\n  two\n  three"},
		{"hint: /a/very/long/path it is", 10, "hint:\n  /a/very/long/path\n  it is"},
		{"  ok    name  a text", 14, "  ok    name \n  a text"},
		{"Bücher für alle", 10, "Bücher für\n  alle"},
	} {
		if got := Wrap(tc.text, tc.width, "  "); got != tc.want {
			t.Errorf("%q in %d: %q, not %q", tc.text, tc.width, got, tc.want)
		}
	}
}
