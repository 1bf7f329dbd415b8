package sso

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"

	"mysql-secret-store-rds/internal/profiles"
)

// TestFile: the SDK and the AWS CLI have to find the file, too.
func TestFile(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HOME", "USERPROFILE"} {
		t.Setenv(name, home)
	}
	for key, session := range map[string]profiles.SSOSession{
		"corp":           {Name: "corp", StartURL: "https://corp"},
		"https://legacy": {StartURL: "https://legacy"},
	} {
		want, err := ssocreds.StandardCachedTokenFilepath(key)
		if got := File(session); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", key, got, want, err)
		}
	}
}

func tokenUntil(t *testing.T, path string, ends time.Time) {
	t.Helper()
	token := tokenFile{AccessToken: "a", ClientID: "c", RefreshToken: "r", RegistrationExpiresAt: "2099-01-01T00:00:00Z", ExpiresAt: ends.UTC().Format(time.RFC3339)}
	if err := write(t.Context(), path, token); err != nil {
		t.Fatal(err)
	}
}

func TestUntil(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "token.json")
	if !Until(path).IsZero() || NeedsRefresh(path) {
		t.Error("a token where there is none")
	}
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	tokenUntil(t, path, ends)
	if got := Until(path); !got.Equal(ends) || NeedsRefresh(path) {
		t.Errorf("got %v", got)
	}
	tokenUntil(t, path, time.Now().Add(-time.Minute))
	if !NeedsRefresh(path) {
		t.Error("one that is over needs no refresh")
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !Until(path).IsZero() || NeedsRefresh(path) {
		t.Error("a damaged one is good, or can be refreshed")
	}
}

// TestLoginWaitsForARefresh: both have one lock, so that a refresh under way doesn't overwrite a
// new login, which isn't lost either.
func TestLoginWaitsForARefresh(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token.json")
	tokenUntil(t, path, time.Now().Add(-time.Minute))
	unlock, err := lockRefresh(t.Context(), path)
	if err != nil || unlock == nil {
		t.Fatal(err)
	}
	refreshed := false
	time.AfterFunc(50*time.Millisecond, func() {
		defer unlock()
		refreshed = true
		if err := os.WriteFile(path, []byte(`{"accessToken":"refreshed"}`), 0o600); err != nil {
			t.Error(err)
		}
	})
	if err := write(t.Context(), path, tokenFile{AccessToken: "new"}); err != nil {
		t.Fatal(err)
	}
	if token, _ := read(path); !refreshed || token.AccessToken != "new" {
		t.Errorf("refreshed first: %v; kept: %q", refreshed, token.AccessToken)
	}
}

// TestLoginIsNotLost: what a person has allowed is kept, whoever holds the lock.
func TestLoginIsNotLost(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token.json")
	tokenUntil(t, path, time.Now().Add(-time.Minute))
	unlock, err := lockRefresh(t.Context(), path)
	if err != nil || unlock == nil {
		t.Fatal(err)
	}
	defer unlock()
	waiting, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := write(waiting, path, tokenFile{AccessToken: "new"}); err != nil {
		t.Fatal(err)
	}
	if token, _ := read(path); token.AccessToken != "new" {
		t.Errorf("kept: %q", token.AccessToken)
	}
}
