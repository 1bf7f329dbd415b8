package sso

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzRead: whatever is in a token's file, it is a token with an end, or none.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "{}", "null", "[]", `{"accessToken":"a","expiresAt":"2026-03-01T12:00:00Z"}`, `{"expiresAt":1}`,
		`{"accessToken":"a","expiresAt":"0001-01-01T00:00:00Z","refreshToken":"r"}`, `{"expiresAt":"2026-03-01T12:00:00UTC"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "token.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		token, ends := read(path)
		if token == (tokenFile{}) && !ends.IsZero() {
			t.Fatalf("%q is no token, and ends %v", text, ends)
		}
		if again, err := time.Parse(time.RFC3339, token.ExpiresAt); err == nil && !again.Equal(ends) {
			t.Fatalf("%q ends %v, not %v", text, again, ends)
		}
		NeedsRefresh(path)
	})
}
