package paste

import (
	"os"
	"os/exec"
	"path/filepath"
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

// TestSetting: a section that is there already can't be written once more.
func TestSetting(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	for text, there := range map[string]bool{
		"": false, "# accounts:\n": false, "defaults:\n  accounts: 1\n": false, "myaccounts: 1\n": false,
		"accounts:\n  abcdefghijkl: prod\n": true, "timeout: 5s\naccounts : {}\n": true, "\"accounts\": {}\n": true,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want := "write into " + file + `: "accounts: {abcdefghijkl: PROFILE}"`
		if there {
			want = "add to " + file + `, under "accounts:": "abcdefghijkl: PROFILE"`
		}
		if got := Setting(file, "accounts", "abcdefghijkl: PROFILE"); got != want {
			t.Errorf("%q: got %s", text, got)
		}
	}
	if got := Setting("/nowhere/config.yaml", "servers", "x"); got != `write into /nowhere/config.yaml: "servers: {x}"` {
		t.Errorf("without a file: %s", got)
	}
}
