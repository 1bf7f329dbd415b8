package advice

import (
	"os/exec"
	"testing"
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
