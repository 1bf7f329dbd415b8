package cache

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

// envHolder makes the test binary a process that takes the lock in the folder of that name, says
// so, and keeps it until it is killed.
const envHolder = "CACHE_TEST_LOCK_HOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envHolder); dir != "" {
		if _, err := (Store{dir}).Lock(context.Background(), ordersURL, never); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the test at the latest
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	ordersURL = "dba@orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com:3306"
	// The first half of its SHA-256, by sha256sum.
	ordersFile = "acd8c509af8d441dcbc8c200080e9fe4.json"

	token = `orders:3306?Action=connect&X-Amz-Signature=5f0c<>"\é`
)

var signedAt = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func testEntry() Entry {
	return Entry{
		ServerURL: ordersURL,
		Target: server.Target{
			Host: "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com", Port: 3306, User: "dba", Region: "eu-west-1",
			Profile: "prod", RoleARN: "arn:aws:iam::123456789012:role/dba", ExternalID: "X1", RoleSessionName: "nightly",
		},
		Stamp: stamp.Stamp{
			Config: "1-0000abcd-10-17f", Inventory: "none", Identity: "0123456789abcdef",
			SignIns: []stamp.File{{Path: "/nowhere/session.json", State: "none"}},
		},
		Hops:  []string{"db.example.com", "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"},
		Token: secret.New(token), SignedAt: signedAt, Expires: signedAt.Add(time.Hour), Source: "SharedConfigCredentials",
	}
}

var reveal = cmp.Transformer("reveal", secret.Text.Reveal)

func never() bool { return false }

func testStore(t *testing.T) Store {
	t.Helper()
	s := In(filepath.Join(t.TempDir(), "cache"))
	if err := disk.MakeDir(s.Dir(), isOurs); err != nil {
		t.Fatal(err)
	}
	return s
}

// mustLock takes the lock, however many others let it go first.
func mustLock(t *testing.T, s Store) (unlock func()) {
	for {
		unlock, err := s.Lock(t.Context(), ordersURL, never)
		if err == nil {
			return unlock
		}
		if !errors.Is(err, disk.ErrLetGo) {
			t.Error(err)
			return func() {}
		}
	}
}

func put(t *testing.T, s Store, e Entry) {
	t.Helper()
	if err := s.Put(e); err != nil {
		t.Fatal(err)
	}
}

// names lists a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}

// within fails the test when f blocks.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("still blocked after %v", limit)
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		expires time.Duration // of the credentials, after signing; 0 for never
		until   time.Duration // after signing
	}{
		{"credentials that don't expire", 0, 14 * time.Minute},
		{"credentials that outlive the token", 16 * time.Minute, 14 * time.Minute},
		{"credentials that give as long as the token", 15 * time.Minute, 14 * time.Minute},
		{"credentials that expire a nanosecond sooner", 15*time.Minute - 1, 14*time.Minute - 1},
		{"credentials that expire first", 10 * time.Minute, 9 * time.Minute},
		{"credentials that were about to expire", 30 * time.Second, -30 * time.Second},
		{"credentials that had expired", -time.Hour, -61 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := Entry{SignedAt: signedAt}
			if tc.expires != 0 {
				e.Expires = signedAt.Add(tc.expires)
			}
			until := signedAt.Add(tc.until)
			if got := e.FreshUntil(); !got.Equal(until) {
				t.Errorf("fresh until %v after signing, want %v", got.Sub(signedAt), tc.until)
			}
			for _, at := range []struct {
				name string
				now  time.Time
				want bool
			}{
				{"just before it was signed", signedAt.Add(-1), false},
				{"when it was signed", signedAt, tc.until > 0},
				{"just before the end", until.Add(-1), tc.until > 0},
				{"at the end", until, false},
				{"a day later", until.Add(24 * time.Hour), false},
			} {
				if got := e.Fresh(at.now); got != at.want {
					t.Errorf("%s: fresh is %v, want %v", at.name, got, at.want)
				}
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	session := filepath.Join(t.TempDir(), "session.json")
	kept := testEntry()
	kept.Stamp.SignIns = stamp.Files(session) // none
	for _, tc := range []struct {
		name             string
		change           func(e *Entry, now *stamp.Stamp)
		at               time.Time
		answers, forThis bool
	}{
		{"as it was", func(*Entry, *stamp.Stamp) {}, signedAt, true, true},
		{"other configuration", func(_ *Entry, now *stamp.Stamp) { now.Config = "1-0000abcd-10-180" }, signedAt, false, true},
		{"other inventory", func(_ *Entry, now *stamp.Stamp) { now.Inventory = "17-80" }, signedAt, false, true},
		{"other identity", func(_ *Entry, now *stamp.Stamp) { now.Identity = "fedcba9876543210" }, signedAt, false, false},
		{"other sign-in", func(e *Entry, _ *stamp.Stamp) { e.Stamp.SignIns = []stamp.File{{Path: session, State: "17-80"}} }, signedAt, false, false},
		{"too old", func(*Entry, *stamp.Stamp) {}, signedAt.Add(MaxAge), false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, now := kept, kept.Stamp
			tc.change(&e, &now)
			if got := e.Answers(now, tc.at); got != tc.answers {
				t.Errorf("Answers: %v", got)
			}
			if got := e.SignedFor(e.Target, now, tc.at); got != tc.forThis {
				t.Errorf("SignedFor: %v", got)
			}
			if e.SignedFor(server.Target{Host: "other"}, now, tc.at) {
				t.Error("a token for another target")
			}
		})
	}
}

func TestPutGet(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*Entry)
	}{
		{"everything", func(*Entry) {}},
		{"no alias", func(e *Entry) { e.Hops = nil }},
		{"credentials that don't expire", func(e *Entry) { e.Expires = time.Time{} }},
		{"another time zone", func(e *Entry) { e.SignedAt = e.SignedAt.In(time.FixedZone("", -34200)) }},
		{"the least there can be", func(e *Entry) {
			*e = Entry{ServerURL: e.ServerURL, Token: e.Token, SignedAt: e.SignedAt}
		}},
		{"an odd Server URL", func(e *Entry) { e.ServerURL = "te%21st%00/../é\u2028<&>@[fe80::1%25eth0]:3306" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := testStore(t)
			want := testEntry()
			tc.change(&want)
			put(t, s, want)
			got, err := s.Get(want.ServerURL)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, reveal); diff != "" {
				t.Errorf("-put +got:\n%s", diff)
			}
			if want.Expires.IsZero() != got.Expires.IsZero() {
				t.Errorf("Expires is %v, want %v", got.Expires, want.Expires)
			}
		})
	}
}

func TestPutLeavesOneFile(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	// What a process left behind that was killed in the middle of a Put.
	if err := os.WriteFile(s.path(ordersURL, ".tmp"), []byte(`{"token":"ha`), 0o444); err != nil {
		t.Fatal(err)
	}
	e := testEntry()
	put(t, s, e)
	e.Token = secret.New("second")
	put(t, s, e)
	if diff := cmp.Diff([]string{ordersFile}, names(t, s.Dir())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got, err := s.Get(ordersURL)
	if err != nil {
		t.Fatal(err)
	}
	if got.Token.Reveal() != "second" {
		t.Errorf("the first token is still there")
	}
}

func TestPutFails(t *testing.T) {
	t.Parallel()
	t.Run("no folder", func(t *testing.T) {
		t.Parallel()
		s := Store{filepath.Join(t.TempDir(), "none")}
		if err := s.Put(testEntry()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	// The token must not stay behind in a file that nothing reads, lists or erases.
	t.Run("a folder in its place", func(t *testing.T) {
		t.Parallel()
		s := testStore(t)
		if err := os.Mkdir(s.path(ordersURL, ".json"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(testEntry()); err == nil {
			t.Error("no error")
		}
		if diff := cmp.Diff([]string{ordersFile}, names(t, s.Dir())); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// Server URLs are the Shell's, letter for letter: nothing about them is normalised.
func TestServerURLsAreKeptApart(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	urls := []string{"dba@h:3306", "DBA@h:3306", "dba@H:3306", "dba@h", "dba@h:3306 ", "dba@h.:3306"}
	for _, u := range urls {
		e := testEntry()
		e.ServerURL, e.Token = u, secret.New("token of "+u)
		put(t, s, e)
	}
	for _, u := range urls {
		if e, err := s.Get(u); err != nil || e.Token.Reveal() != "token of "+u {
			t.Errorf("%q: %v, %v", u, e.Token.Reveal(), err)
		}
	}
}

// edit returns the content of an entry's file with some members changed; nil removes one.
func edit(t *testing.T, valid []byte, changes map[string]any) []byte {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(valid, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range changes {
		if _, there := members[name]; !there {
			t.Fatalf("the file has no %s", name)
		}
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	delete(members, "checksum")
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return Seal(b)
}

// pad makes an entry n bytes long.
func pad(b []byte, n int) []byte {
	_, rest, _ := bytes.Cut(b, []byte(","))
	return Seal(slices.Concat([]byte("{"), bytes.Repeat([]byte{' '}, n-len(b)), rest))
}

// untrusted is a file in the place of an entry. spoil gets the entry's path and its content.
type untrusted struct {
	name   string
	reason string // a part of it
	spoil  func(t *testing.T, path string, valid []byte) error
}

// check: Get refuses the file, List says so, Delete removes it, and nothing hangs.
func (u untrusted) check(t *testing.T) {
	t.Helper()
	s := testStore(t)
	put(t, s, testEntry())
	path := s.path(ordersURL, ".json")
	valid, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := u.spoil(t, path, valid); err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, func() {
		_, err := s.Get(ordersURL)
		var refused *disk.UntrustedError
		switch {
		case !errors.As(err, &refused):
			t.Errorf("get: %v, want an UntrustedError", err)
			return
		case refused.File != path || !strings.Contains(refused.Reason, u.reason):
			t.Errorf("get: %v", err)
		case !errors.Is(err, ErrAbsent):
			t.Errorf("%v is not ErrAbsent", err)
		case strings.Contains(err.Error(), "X-Amz"):
			t.Errorf("%v shows the token", err)
		}
		urls, problems := s.List()
		if len(urls) != 0 || len(problems) != 1 || !errors.Is(problems[0], ErrAbsent) {
			t.Errorf("list: %q, %v", urls, problems)
		}
		if found, err := s.Delete(ordersURL); found || err != nil {
			t.Errorf("delete: %v, %v", found, err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("still there: %v", err)
		}
	})
}

func TestUntrusted(t *testing.T) {
	t.Parallel()
	content := func(f func(t *testing.T, valid []byte) []byte) func(*testing.T, string, []byte) error {
		return func(t *testing.T, path string, valid []byte) error {
			return os.WriteFile(path, f(t, valid), 0o600)
		}
	}
	changed := func(name string, value any) func(*testing.T, string, []byte) error {
		return content(func(t *testing.T, valid []byte) []byte { return edit(t, valid, map[string]any{name: value}) })
	}
	for _, u := range []untrusted{
		{"empty", "damaged", content(func(*testing.T, []byte) []byte { return nil })},
		{"no JSON", "damaged", content(func(*testing.T, []byte) []byte { return []byte("X-Amz-Signature=1") })},
		{"truncated", "damaged", content(func(_ *testing.T, v []byte) []byte { return v[:len(v)-1] })},
		{"something after it", "damaged", content(func(_ *testing.T, v []byte) []byte { return append(v, '}') })},
		{"too large", "damaged", content(func(_ *testing.T, v []byte) []byte { return pad(v, maxBytes+1) })},
		{"a wrong type", "damaged", changed("token", 5)},
		{"no time", "damaged", changed("signed_at", "X-Amz-Date")},
		{"null", "damaged", content(func(*testing.T, []byte) []byte { return []byte("null") })},
		{"an older version", "version 0, not 1", changed("version", nil)},
		{"a later version", "version 2, not 1", changed("version", 2)},
		{"another Server URL", "another Server URL", changed("server_url", "DBA"+ordersURL[3:])},
		{"no Server URL", "incomplete", changed("server_url", nil)},
		{"no token", "incomplete", changed("token", "")},
		{"no date", "incomplete", changed("signed_at", nil)},
		{"a folder", "not a regular file", func(_ *testing.T, path string, _ []byte) error { return os.Mkdir(path, 0o700) }},
	} {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			u.check(t)
		})
	}
}

// The controls of TestUntrusted: what it spoils is good as it is, and so is a file of the
// largest size.
func TestTrusted(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, maxBytes} {
		s := testStore(t)
		put(t, s, testEntry())
		path := s.path(ordersURL, ".json")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b = edit(t, b, nil)
		if err := os.WriteFile(path, pad(b, max(size, len(b))), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ordersURL); err != nil {
			t.Errorf("size %d: %v", size, err)
		} else if diff := cmp.Diff(testEntry(), got, reveal); diff != "" {
			t.Errorf("size %d: -want +got:\n%s", size, diff)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	other := testEntry()
	other.ServerURL = "dba@other:3306"
	put(t, s, testEntry())
	put(t, s, other)
	for i, want := range []bool{true, false} {
		if found, err := s.Delete(ordersURL); found != want || err != nil {
			t.Errorf("delete %d: %v, %v", i+1, found, err)
		}
	}
	if _, err := s.Get(other.ServerURL); err != nil {
		t.Errorf("the other entry: %v", err)
	}
	// What a process left behind that was killed in the middle of a Put holds a token, too.
	put(t, s, testEntry())
	if err := os.WriteFile(s.path(ordersURL, ".tmp"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Delete(ordersURL); !found || err != nil {
		t.Errorf("delete: %v, %v", found, err)
	}
	if diff := cmp.Diff([]string{filepath.Base(s.path(other.ServerURL, ".json"))}, names(t, s.Dir())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	put(t, s, testEntry())
	unlock := mustLock(t, s)
	defer unlock()
	lock := filepath.Base(s.path(ordersURL, ".lock"))
	// The lock is still needed, and the rest is somebody else's: its names only look like ours.
	theirs := []string{
		"README", strings.Repeat("a", 31) + ".json", strings.Repeat("a", 33) + ".json", strings.Repeat("A", 32) + ".json",
		strings.Repeat("a", 32), strings.Repeat("a", 32) + ".json.bak", strings.Repeat("g", 32) + ".json", "x.tmp",
	}
	ours := []string{strings.Repeat("0", 32) + ".json", strings.Repeat("a", 32) + ".tmp"}
	for _, name := range append(ours, theirs...) {
		if err := os.WriteFile(filepath.Join(s.Dir(), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Clear(); err != nil {
		t.Error(err)
	}
	want := append([]string{lock}, theirs...)
	slices.Sort(want)
	if diff := cmp.Diff(want, names(t, s.Dir())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// What can't be removed must not pass for gone.
	if err := os.MkdirAll(filepath.Join(s.path(ordersURL, ".json"), "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Clear(); err == nil {
		t.Error("a folder that isn't empty was cleared")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	e := testEntry()
	for _, u := range []string{"b@h", "a@h", "C@h"} {
		e.ServerURL = u
		put(t, s, e)
	}
	valid, err := os.ReadFile(s.path("a@h", ".json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"copy.json": valid, "damaged.json": []byte("{"), // these are problems, the rest is nobody's
		"README": valid, "x.json.bak": valid, "y.tmp": valid, "z.lock": nil, ".json.swp": nil,
	} {
		if err := os.WriteFile(filepath.Join(s.Dir(), name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.Dir(), "folder.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	urls, problems := s.List()
	if diff := cmp.Diff([]string{"C@h", "a@h", "b@h"}, urls); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var got []string
	for _, p := range problems {
		got = append(got, filepath.Base(p.Error()))
	}
	want := []string{"copy.json: holds another Server URL", "damaged.json: damaged", "folder.json: not a regular file"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems, -want +got:\n%s", diff)
	}
}

func TestNoFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		store  Store
		broken bool // List and Clear say so
		locked bool // Lock has an error
	}{
		{"not made yet", Store{filepath.Join(t.TempDir(), "a", "b")}, false, false},
		{"nowhere", Store{}, false, true}, // no home to put it in
		{"a file", Store{file}, true, true},
		{"below a file", Store{filepath.Join(file, "x")}, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := tc.store.Get(ordersURL); !errors.Is(err, ErrAbsent) {
				t.Errorf("get: %v", err)
			}
			if found, err := tc.store.Delete(ordersURL); found || err != nil {
				t.Errorf("delete: %v, %v", found, err)
			}
			if err := tc.store.Clear(); (err != nil) != tc.broken {
				t.Errorf("clear: %v", err)
			}
			if urls, problems := tc.store.List(); len(urls) > 0 || (len(problems) > 0) != tc.broken {
				t.Errorf("list: %v, %v", urls, problems)
			}
			unlock, err := tc.store.Lock(t.Context(), ordersURL, never)
			if (err != nil) != tc.locked || (unlock != nil) == tc.locked {
				t.Errorf("lock: %v", err)
			}
			if unlock != nil {
				unlock()
			}
		})
	}
}

func TestOpen(t *testing.T) {
	t.Setenv("HOME", filepath.FromSlash("/home/dba"))
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("LocalAppData", filepath.FromSlash("/home/dba"))
	t.Setenv(disk.EnvCache, "")
	s, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"darwin": "/home/dba/Library/Caches", "windows": `\home\dba`}[runtime.GOOS]
	if want == "" {
		want = "/home/dba/.cache"
	}
	if want = filepath.Join(want, "mysql-secret-store-rds"); s.Dir() != want {
		t.Errorf("got %s, want %s", s.Dir(), want)
	}
	t.Setenv(disk.EnvCache, "named")
	if s, err := Open(); err != nil || s.Dir() != "named" {
		t.Errorf("named: %q, %v", s.Dir(), err)
	}
	for _, name := range []string{"HOME", "LocalAppData", disk.EnvCache} {
		t.Setenv(name, "")
	}
	if _, err := Open(); err == nil {
		t.Error("a cache without a home")
	}
}

// The exclusion holds between processes by flock, which is per open file: goroutines will do.
func TestLockExcludes(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	const goroutines, rounds = 8, 10
	var inside, total atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				unlock := mustLock(t, s)
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				before := total.Load()
				runtime.Gosched()
				total.Store(before + 1)
				inside.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if n := total.Load(); n != goroutines*rounds {
		t.Errorf("counted to %d, want %d", n, goroutines*rounds)
	}
	if left := names(t, s.Dir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The last holder removes the lock file. Whoever had opened it just before and locks it just
// after would keep nobody out.
func TestLockOnRemovedFile(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	for range 200 {
		var wg sync.WaitGroup
		wg.Go(mustLock(t, s))
		second := mustLock(t, s)
		wg.Wait()
		third := flock.New(s.path(ordersURL, ".lock"))
		if locked, err := third.TryLock(); err != nil || locked {
			t.Fatalf("a third holder beside the second: %v, %v", locked, err)
		}
		second()
	}
}

func TestLocksOfServersAreApart(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	unlock, err := s.Lock(t.Context(), ordersURL, never)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ready := func() bool {
		t.Error("another server's lock is waited for")
		return true
	}
	other, err := s.Lock(t.Context(), "dba@other:3306", ready)
	if err != nil {
		t.Fatal(err)
	}
	if other != nil {
		other()
	}
}

func TestLockReady(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	unlock, err := s.Lock(t.Context(), ordersURL, never)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	second, err := s.Lock(t.Context(), ordersURL, func() bool { asked++; return asked == 3 })
	if err != nil || second != nil {
		t.Errorf("got a lock: %v, error %v; want neither", second != nil, err)
	}
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
	// It was the first holder's all the time, and can be had afterwards.
	unlock()
	third, err := s.Lock(t.Context(), ordersURL, func() bool { return true })
	if err != nil || third == nil {
		t.Fatalf("a free lock wasn't taken: %v", err)
	}
	third()
}

// waiting starts a Lock, and comes back when it waits for somebody else's.
func waiting(t *testing.T, s Store, ready func() bool) (result func() (unlock func(), err error)) {
	t.Helper()
	waits := make(chan struct{})
	var once sync.Once
	type outcome struct {
		unlock func()
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		unlock, err := s.Lock(t.Context(), ordersURL, func() bool {
			once.Do(func() { close(waits) })
			return ready()
		})
		done <- outcome{unlock, err}
	}()
	<-waits
	return func() (func(), error) {
		o := <-done
		return o.unlock, o.err
	}
}

// A holder that ends without a token has failed: those who waited don't queue up to fail, too.
func TestLockLetGo(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := testStore(t)
		unlock := mustLock(t, s)
		var results []func() (func(), error)
		for range 3 {
			results = append(results, waiting(t, s, never))
		}
		unlock()
		for _, result := range results {
			if unlock, err := result(); unlock != nil || !errors.Is(err, disk.ErrLetGo) {
				t.Fatalf("got a lock: %v, error %v; want disk.ErrLetGo", unlock != nil, err)
			}
		}
		if left := names(t, s.Dir()); len(left) != 0 {
			t.Fatalf("left behind: %v", left)
		}
	}
}

// A holder that ends with a token has done the work of those who waited.
func TestLockDone(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	unlock := mustLock(t, s)
	result := waiting(t, s, func() bool {
		_, err := s.Get(ordersURL)
		return err == nil
	})
	put(t, s, testEntry())
	unlock()
	unlock, err := result()
	if err != nil {
		t.Error(err)
	}
	if unlock != nil {
		unlock()
	}
}

// A holder that is stopped, or asks a person something, is waited for only so long.
func TestLockPatience(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	synctest.Test(t, func(t *testing.T) {
		unlock := mustLock(t, s)
		defer unlock()
		start := time.Now()
		if second, err := s.Lock(t.Context(), ordersURL, never); second != nil || !errors.Is(err, disk.ErrLetGo) {
			t.Errorf("got a lock: %v, error %v; want disk.ErrLetGo", second != nil, err)
		}
		if took := time.Since(start); took != maxWait {
			t.Errorf("after %v, want %v", took, maxWait)
		}
	})
}

func TestLockContext(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	unlock, err := s.Lock(t.Context(), ordersURL, never)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	within(t, 20*time.Second, func() {
		if second, err := s.Lock(ctx, ordersURL, never); second != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got a lock: %v, error %v; want the context's", second != nil, err)
		}
	})
}

func TestLockOfKilledProcess(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), envHolder+"="+s.Dir())
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	if unlock, err := s.Lock(t.Context(), ordersURL, func() bool { return true }); err != nil || unlock != nil {
		t.Fatalf("the lock could be had beside the other process: %v", err)
	}
	result := waiting(t, s, never)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the other process ended by itself")
	}
	// It has left its file behind, and nobody else has failed: one who waited goes on in its place.
	within(t, 20*time.Second, func() {
		unlock, err := result()
		if err != nil {
			t.Error(err)
			return
		}
		unlock()
	})
	// Nor is one kept out who comes later.
	if err := os.WriteFile(s.path(ordersURL, ".lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := s.Lock(t.Context(), ordersURL, never)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// Readers take no lock: they must see one whole entry or another.
func TestOnlyWholeEntries(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	version := func(i int) Entry {
		e := testEntry()
		e.Stamp.Identity = fmt.Sprint(i)
		e.Token = secret.New(strings.Repeat(fmt.Sprint(i%10), 1000+500*i))
		e.SignedAt = signedAt.Add(time.Duration(i) * time.Second)
		return e
	}
	put(t, s, version(0))
	check := func() {
		e, err := s.Get(ordersURL)
		if err != nil {
			t.Error(err)
			return
		}
		var i int
		if _, err := fmt.Sscan(e.Stamp.Identity, &i); err != nil {
			t.Error(err)
			return
		}
		if diff := cmp.Diff(version(i), e, reveal); diff != "" {
			t.Errorf("a mixture:\n%s", diff)
		}
	}
	const writers, rounds = 6, 8
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for r := range rounds {
				unlock := mustLock(t, s)
				if err := s.Put(version(1 + w*rounds + r)); err != nil {
					t.Error(err)
				}
				unlock()
				check()
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					check()
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if diff := cmp.Diff([]string{ordersFile}, names(t, s.Dir())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An Entry is passed around and logged: its token must not come along.
func TestTokenIsNotPrinted(t *testing.T) {
	t.Parallel()
	e := testEntry()
	e.Token = secret.New("TOPSECRET")
	type holder struct{ unexported Entry }
	var out bytes.Buffer
	for _, v := range []any{e, &e, []Entry{e}, map[string]Entry{"e": e}, holder{e}, &holder{e}} {
		for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "d", "p", "T"} {
			fmt.Fprintf(&out, "%"+verb+"\n", v)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("entry", "entry", v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	if !strings.Contains(out.String(), "orders.cluster-") {
		t.Fatal("nothing of the entry was printed")
	}
	hexed := hex.EncodeToString([]byte("TOPSECRET"))
	if text := strings.ToLower(out.String()); strings.Contains(text, "topsecret") || strings.Contains(text, hexed) {
		t.Errorf("the token was printed:\n%s", out.String())
	}
}
