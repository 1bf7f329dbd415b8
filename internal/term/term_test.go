package term

import (
	"strings"
	"testing"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                               "",
		"orders-prod ~":                  "orders-prod ~",
		"Bücher 本":                       "Bücher 本",
		"a\x1b[2Jb\x00c\td\ne\x7ff":      "a\ufffd[2Jb\ufffdc\ufffdd\ufffde\ufffdf",
		"\u0085\u009b1m\u200b\u202e\xff": "\ufffd\ufffd1m\ufffd\ufffd\ufffd",
	} {
		if got := Visible(s); got != want {
			t.Errorf("%q: %q, not %q", s, got, want)
		}
	}
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		"":                                       "",
		"one\ntwo\n\n \x07\n":                    "two",
		"10%\r100%\r":                            "100%",
		"\x1b[31mno\x1b[0m \x1b[1;2Hsession\x1b": "no session",
		strings.Repeat("ä", 300):                 strings.Repeat("ä", 200),
	} {
		if got := LastLine(output); got != want {
			t.Errorf("%q: %q, not %q", output, got, want)
		}
	}
}
