package advice

import (
	"os/exec"
	"strings"
	"testing"
	"unicode"
)

// TestWord has a real shell read the words back.
func TestWord(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh on this machine to read the words")
	}
	for text, want := range map[string]string{
		"prod-dba": "prod-dba", "a@b.c:3306": "a@b.c:3306", "": "''", "my profile": "'my profile'", "it's": `'it'\''s'`,
		"$HOME": "'$HOME'", "~x": "'~x'", "a\nb": "'a\nb'", "-n": "-n", "`id`": "'`id`'", `\`: `'\'`, "é": "'é'",
	} {
		got := Word(text)
		if got != want {
			t.Errorf("Word(%q) = %s, want %s", text, got, want)
		}
		if out, err := exec.Command(sh, "-c", "printf %s "+got).Output(); text != "-n" && (err != nil || string(out) != text) {
			t.Errorf("the shell reads %s as %q, %v", got, out, err)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	if got := Words("list-servers", "prod-*", "it's"); got != `list-servers 'prod-*' 'it'\''s'` {
		t.Error(got)
	}
	if got := Words(); got != "" {
		t.Errorf("of none: %q", got)
	}
}

// TestWordThatDoesNotPrint: a shell reads the same, and nothing of it does anything to a terminal.
func TestWordThatDoesNotPrint(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh on this machine to read the words")
	}
	for _, text := range []string{
		"\x1b[201~", "a\x1b[201~;touch x\n", "\t", "it's\r%s\\", "\u009b31m", "a\u202eb\u2028\u2029", "\xff'\xfe",
		"\x7f$HOME`id`", "\ufffd",
	} {
		word := Word(text)
		if strings.ContainsFunc(word, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q is shown as %q", text, word)
		}
		if out, err := exec.Command(sh, "-c", "printf %s "+word).Output(); err != nil || string(out) != text {
			t.Errorf("the shell reads %s as %q, %v", word, out, err)
		}
	}
	if got, want := Word("a\x1bb"), `'a'"$(printf '\033')"'b'`; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}
