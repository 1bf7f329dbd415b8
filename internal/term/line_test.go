package term

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFirstLine(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                         "",
		"\n one \r\ntwo":           "one",
		strings.Repeat("x", 1000):  strings.Repeat("x", 1000),
		strings.Repeat("é", 1000):  strings.Repeat("é", 1000),
		strings.Repeat("é", 1001):  strings.Repeat("é", 1000) + "…",
		strings.Repeat("x", 5<<20): strings.Repeat("x", 1000) + "…",
	} {
		if got := FirstLine(s); got != want || utf8.RuneCountInString(got) > maxLine+1 {
			t.Errorf("%.20q: %.2000q", s, got)
		}
	}
}
