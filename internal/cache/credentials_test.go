package cache

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
)

// sample are credentials that were obtained a minute ago and are good for another hour.
func sample(key, profile string) Credentials {
	now := time.Now().Truncate(time.Second)
	return Credentials{
		Key: key, Profile: profile, Who: "arn:aws:iam::123456789012:role/dba", AccessKeyID: "ASIA" + key,
		Secret: secret.New("TOPSECRET-" + key), SessionToken: secret.New("TOPSECRET-session-" + key),
		ObtainedAt: now.Add(-time.Minute), Expires: now.Add(time.Hour), Source: "AssumeRoleProvider", AccountID: "123456789012",
	}
}

func mustPutCredentials(t *testing.T, s Store, c Credentials) {
	t.Helper()
	unlock, err := s.LockCredentials(t.Context(), c.Key, time.Second, never)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := s.PutCredentials(c); err != nil {
		t.Fatal(err)
	}
}

func same(a, b Credentials) bool {
	return a.Key == b.Key && a.Profile == b.Profile && a.Who == b.Who && a.AccessKeyID == b.AccessKeyID && a.Secret.Reveal() == b.Secret.Reveal() &&
		a.SessionToken.Reveal() == b.SessionToken.Reveal() && a.ObtainedAt.Equal(b.ObtainedAt) && a.Expires.Equal(b.Expires) && a.Source == b.Source &&
		a.AccountID == b.AccountID
}

func TestCredentialsAreKept(t *testing.T) {
	t.Parallel()
	s := Store{t.TempDir()}
	if _, err := s.Credentials("k1"); err != ErrAbsent {
		t.Fatalf("%v, want ErrAbsent", err)
	}
	want := sample("k1", "prod")
	mustPutCredentials(t, s, want)
	mustPutCredentials(t, s, sample("k2", "prod"))
	got, err := s.Credentials("k1")
	if err != nil || !same(got, want) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, "TOPSECRET") {
		t.Errorf("printed: %s", text)
	}
	info, err := os.Stat(s.path("k1", credentialsExt))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// What isn't temporary is never written.
	long := sample("k3", "prod")
	long.SessionToken = secret.New("")
	if err := s.PutCredentials(long); err == nil {
		t.Error("long-term keys were kept")
	}
	endless := sample("k3", "prod")
	endless.Expires = time.Time{}
	if err := s.PutCredentials(endless); err == nil {
		t.Error("keys without an end were kept")
	}
	if err := errors.Join(s.DeleteCredentials("k1"), s.DeleteCredentials("k1"), s.DeleteCredentials("")); err != nil {
		t.Error(err)
	}
	if _, err := s.Credentials("k1"); err != ErrAbsent {
		t.Errorf("%v after they were dropped", err)
	}
	if _, err := s.Credentials("k2"); err != nil {
		t.Errorf("the others went, too: %v", err)
	}
}

func TestCredentialsUsable(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tc := range []struct {
		name     string
		obtained time.Duration
		expires  time.Duration
		want     bool
	}{
		{"good", -time.Minute, time.Hour, true},
		{"just so", -time.Minute, time.Second, true},
		{"over", -time.Hour, 0, false},
		{"from the future", time.Minute, time.Hour, false},
	} {
		if got := (Credentials{ObtainedAt: now.Add(tc.obtained), Expires: now.Add(tc.expires)}).Usable(now, 0); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

// Another source's credentials in the place of the ones asked for would sign as somebody else.
func TestCredentialsUntrusted(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, s Store, path string){
		"another's": func(t *testing.T, s Store, path string) {
			mustPutCredentials(t, s, sample("other", "other"))
			if err := os.Rename(s.path("other", credentialsExt), path); err != nil {
				t.Fatal(err)
			}
		},
		"damaged": func(t *testing.T, s Store, path string) {
			if err := os.WriteFile(path, []byte(`{"version":1`), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"without a key": func(t *testing.T, s Store, path string) {
			data, err := os.ReadFile(path)
			if err := errors.Join(err, os.WriteFile(path, edit(t, data, map[string]any{"secret_access_key": nil}), 0o600)); err != nil {
				t.Fatal(err)
			}
		},
		"of another version": func(t *testing.T, s Store, path string) {
			data, err := os.ReadFile(path)
			if err := errors.Join(err, os.WriteFile(path, edit(t, data, map[string]any{"version": 2}), 0o600)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Store{t.TempDir()}
			mustPutCredentials(t, s, sample("k1", "prod"))
			spoil(t, s, s.path("k1", credentialsExt))
			if c, err := s.Credentials("k1"); !errors.Is(err, ErrAbsent) || err == ErrAbsent || c.AccessKeyID != "" && c.Key == "k1" {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	s, now := Store{t.TempDir()}, time.Now()
	if n := s.Note("k1"); n != (Note{}) || n.Holds("", now, time.Hour) {
		t.Errorf("a note without one: %+v", n)
	}
	want := Note{Key: "k1", At: now, Stamp: "s", Text: "no"}
	if err := s.PutNote(want); err != nil {
		t.Fatal(err)
	}
	n := s.Note("k1")
	if !n.At.Equal(now) || n.Stamp != "s" || n.Text != "no" {
		t.Errorf("got %+v, want %+v", n, want)
	}
	for _, tc := range []struct {
		stamp string
		at    time.Time
		holds bool
	}{
		{"s", now, true}, {"s", now.Add(time.Hour - 1), true}, {"s", now.Add(time.Hour), false},
		{"s", now.Add(-time.Second), false}, {"other", now, false}, {"", now, false},
	} {
		if got := n.Holds(tc.stamp, tc.at, time.Hour); got != tc.holds {
			t.Errorf("stamp %q, %v later: holds is %v", tc.stamp, tc.at.Sub(now), got)
		}
	}
	unlock, err := s.TryLock("k1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutNote(Note{Key: "k1", At: now, Text: "yes"}); err != nil || s.Note("k1").Text != "no" {
		t.Errorf("a note was replaced while another process was at work on it: %v", err)
	}
	unlock()
	if err := s.DeleteCredentials("k1"); err != nil {
		t.Fatal(err)
	}
	if n := s.Note("k1"); n != (Note{}) {
		t.Errorf("still there: %+v", n)
	}
}

func TestDropProfile(t *testing.T) {
	t.Parallel()
	s := Store{t.TempDir()}
	for _, c := range []Credentials{sample("k1", "prod"), sample("k2", "prod"), sample("k3", "stage")} {
		mustPutCredentials(t, s, c)
	}
	for i, e := range []Entry{
		{Target: server.Target{Profile: "prod"}}, {Profile: "prod"}, {Target: server.Target{Profile: "stage"}, Profile: "stage"},
	} {
		e.ServerURL, e.Token, e.SignedAt = fmt.Sprintf("dba@server%d", i), secret.New("t"), time.Now()
		if err := s.Put(e); err != nil {
			t.Fatal(err)
		}
	}
	tokens, kept, err := s.DropProfile("prod")
	if tokens != 2 || kept != 2 || err != nil {
		t.Errorf("%d tokens, %d credentials, %v", tokens, kept, err)
	}
	left, problems := s.AllCredentials()
	urls, more := s.List()
	if len(left) != 1 || left[0].Key != "k3" || len(urls) != 1 || urls[0] != "dba@server2" || len(problems)+len(more) != 0 {
		t.Errorf("left: %v, %v, %v, %v", left, urls, problems, more)
	}
	if err := s.Clear(); err != nil {
		t.Fatal(err)
	}
	if left, _ := s.AllCredentials(); len(left) != 0 {
		t.Errorf("left after Clear: %v", left)
	}
}

// Credentials from the future are of no use, however long they are to be good.
func TestUsableFromTheFuture(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := Credentials{ObtainedAt: now.Add(time.Minute), Expires: now.Add(time.Hour)}
	if c.Usable(now, RenewBefore) {
		t.Error("used")
	}
	if c.ObtainedAt = now; !c.Usable(now, RenewBefore) || c.Usable(now, time.Hour) {
		t.Error("how long they are good doesn't count")
	}
}
