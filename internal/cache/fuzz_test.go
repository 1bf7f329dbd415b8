package cache

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/secret"
)

// splice puts other bytes in the place of some.
func splice(good []byte, at, n uint16, insert []byte) []byte {
	from := min(int(at), len(good))
	to := min(from+int(n), len(good))
	return slices.Concat(good[:from], insert, good[to:])
}

func seedSplices(f *testing.F) {
	f.Add(uint16(0), uint16(0), []byte(nil))
	f.Add(uint16(0), uint16(1), []byte(nil))
	f.Add(uint16(0), uint16(9999), []byte("{}"))
	f.Add(uint16(0), uint16(9999), []byte("null"))
	f.Add(uint16(0), uint16(9999), []byte("[[[["))
}

// FuzzDamage: a token's file that was changed is absent, or says what it said.
func FuzzDamage(f *testing.F) {
	want := testEntry()
	store := In(f.TempDir())
	path := store.path(ordersURL, tokenExt)
	if err := store.Put(want); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	seedSplices(f)
	f.Fuzz(func(t *testing.T, at, n uint16, insert []byte) {
		store := In(t.TempDir())
		if err := os.WriteFile(store.path(ordersURL, tokenExt), splice(good, at, n, insert), 0o600); err != nil {
			t.Fatal(err)
		}
		switch got, err := store.Get(ordersURL); {
		case errors.Is(err, ErrAbsent):
		case err != nil:
			t.Fatalf("%v (%T) is no ErrAbsent", err, err)
		default:
			if diff := cmp.Diff(want, got, reveal); diff != "" {
				t.Fatalf("a damaged entry is believed (-want +got):\n%s", diff)
			}
		}
	})
}

// FuzzDamageCredentials: the same for kept credentials.
func FuzzDamageCredentials(f *testing.F) {
	want := Credentials{
		Key: "key", Source: "AssumeRoleProvider", Profile: "prod", AccessKeyID: "ASIATESTBED", Expires: signedAt,
		Secret: secret.New("planted-secret"), ObtainedAt: signedAt, SessionToken: secret.New("planted-session"),
	}
	store := In(f.TempDir())
	if err := store.PutCredentials(want); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(store.path(want.Key, credentialsExt))
	if err != nil {
		f.Fatal(err)
	}
	seedSplices(f)
	f.Fuzz(func(t *testing.T, at, n uint16, insert []byte) {
		store := In(t.TempDir())
		if err := os.WriteFile(store.path(want.Key, credentialsExt), splice(good, at, n, insert), 0o600); err != nil {
			t.Fatal(err)
		}
		switch got, err := store.Credentials(want.Key); {
		case errors.Is(err, ErrAbsent):
		case err != nil:
			t.Fatalf("%v (%T) is no ErrAbsent", err, err)
		default:
			if diff := cmp.Diff(want, got, reveal); diff != "" {
				t.Fatalf("damaged credentials are believed (-want +got):\n%s", diff)
			}
		}
	})
}
