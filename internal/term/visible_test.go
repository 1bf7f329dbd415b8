package term

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// hidden are characters that must not be shown, and an "ok" that may.
const hidden = "\x00\x07\x1b[201~\x7f\u0080\u009b31m\u00ad\u061c\u200b" +
	"\u200e\u202e\u2028\u2029\u2066\ufeff\U000e0041\xff ok é 日本 ȺK"

func TestNothingHidden(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]string{"Visible": Visible(hidden), "Text": Text(hidden)} {
		if i := strings.IndexFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%s shows %+q", name, shown)
		}
		if !strings.HasSuffix(shown, " ok é 日本 ȺK") || strings.Count(shown, "\ufffd") != 17 {
			t.Errorf("%s: %+q", name, shown)
		}
	}
	if got := Visible("a\tb\nc\rd"); got != "a\ufffdb\ufffdc\ufffdd" {
		t.Errorf("Visible: %q", got)
	}
	if got := Text("a\tb\nc\rd"); got != "a\tb\nc\ufffdd" {
		t.Errorf("Text: %q", got)
	}
}

// TestJSON: the text is shown as ASCII shows it, and means what it meant.
func TestJSON(t *testing.T) {
	t.Parallel()
	checkJSON(t, hidden)
}

func FuzzJSON(f *testing.F) {
	f.Add(hidden)
	f.Fuzz(func(t *testing.T, s string) { checkJSON(t, s) })
}

func checkJSON(t *testing.T, s string) {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string][]string{s: {s}}); err != nil {
		t.Fatal(err)
	}
	text := JSON(b.String())
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%+q is shown as %+q", s, text)
	}
	var plain, shown map[string][]string
	if err := json.Unmarshal([]byte(b.String()), &plain); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatalf("%+q: %v", s, err)
	}
	for key, values := range plain {
		if got := shown[key]; len(got) != 1 || got[0] != values[0] {
			t.Errorf("%+q became %+q", plain, shown)
		}
	}
}
