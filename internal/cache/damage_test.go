package cache

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"
)

// TestDamage: whichever bit is flipped, and wherever a file is cut off, in what is kept, it counts
// as absent. A token or a key with another letter in it would be refused by the server only.
func TestDamage(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	put(t, s, testEntry())
	mustPutCredentials(t, s, sample("k1", "prod"))
	at := time.Now()
	if err := s.PutNote(Note{Key: "k1", At: at}); err != nil {
		t.Fatal(err)
	}
	for _, kept := range []struct {
		path string
		read func() error
	}{
		{s.path(ordersURL, tokenExt), func() error { _, err := s.Get(ordersURL); return err }},
		{s.path("k1", credentialsExt), func() error { _, err := s.Credentials("k1"); return err }},
		{s.path("k1", noteExt), func() error {
			if !s.Note("k1").At.Equal(at) {
				return ErrAbsent
			}
			return nil
		}},
	} {
		valid, err := os.ReadFile(kept.path)
		if err != nil {
			t.Fatal(err)
		}
		check := func(content []byte, what string, n int) {
			t.Helper()
			if err := os.WriteFile(kept.path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := kept.read(); !errors.Is(err, ErrAbsent) {
				t.Errorf("%s: %s %d: %v", kept.path, what, n, err)
			}
		}
		for bit := range 8 * len(valid) {
			damaged := slices.Clone(valid)
			damaged[bit/8] ^= 1 << (bit % 8)
			if sealed(damaged) {
				t.Errorf("%s: bit %d makes no difference", kept.path, bit)
			}
			if bit%13 == 0 {
				check(damaged, "bit", bit)
			}
		}
		for n := 0; n < len(valid); n += 7 {
			check(valid[:n], "cut off at", n)
		}
		if err := errors.Join(os.WriteFile(kept.path, valid, 0o600), kept.read()); err != nil {
			t.Errorf("%s as it was: %v", kept.path, err)
		}
	}
}
