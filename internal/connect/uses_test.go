package connect

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzReadUses: whatever is in the file, the next connection can be counted.
func FuzzReadUses(f *testing.F) {
	for _, text := range []string{"", "{}", "null", `{"a":1}`, `{"a":"b"}`, "[]",
		`{"a":1e99}`, `{"a":9223372036854775807}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "uses.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if ReadUses(path) == nil {
			t.Fatalf("%q has no counts to add to", text)
		}
		if err := Count(t.Context(), path, "db.example.com", "dba", time.Now()); err != nil {
			t.Fatal(err)
		}
		if ReadUses(path)["db.example.com"].Count == 0 {
			t.Fatalf("after %q nothing is counted", text)
		}
	})
}
