package advice

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"servers", "rules", "accounts", "role", "prod"}
	for word, want := range map[string]string{
		"server": "servers", "severs": "servers", "account": "accounts", "acounts": "accounts", "rule": "rules",
		"prot": "prod", "rode": "role", // the first of two
		"rloe": "role", "orle": "role", "acocunts": "accounts", "plor": "",
		"gone": "", "xyzzy": "", "": "", "servers": "servers", "serv": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := Nearest("word", nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
