package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/server"
)

var seen = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

const (
	id   = "abcdefghijkl"
	host = "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"
)

func inOrder(servers []Server) []Server {
	return slices.SortedFunc(slices.Values(servers), func(a, b Server) int { return strings.Compare(a.Host, b.Host) })
}

// write writes an inventory and gives its path.
func write(tb testing.TB, accounts []Account, servers []Server) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "inventory.txt")
	if err := Write(path, accounts, inOrder(servers)); err != nil {
		tb.Fatal(err)
	}
	return path
}

func open(tb testing.TB, path string) *Inventory {
	tb.Helper()
	inv, err := Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = inv.Close() })
	return inv
}

// fleet makes up n servers of n/20 accounts and regions.
func fleet(n int) ([]Account, []Server) {
	random := rand.New(rand.NewPCG(1, 2))
	var accounts []Account
	var servers []Server
	for i := range n {
		if i%20 == 0 {
			accounts = append(accounts, Account{
				HostID: fmt.Sprintf("c%011x", random.Int64N(1<<44)), Region: "eu-west-1", Number: fmt.Sprintf("%012d", random.Int64N(1e12)),
				Partition: "aws", Profile: fmt.Sprintf("p%d", i), Profiles: []string{fmt.Sprintf("p%d", i)},
				Why: "the only profile for it", Seen: seen, Full: true,
			})
		}
		a := accounts[len(accounts)-1]
		s := Server{
			Host: fmt.Sprintf("db%d-%d.%s.eu-west-1.rds.amazonaws.com", random.IntN(1e6), i, a.HostID), Port: 3306, Name: fmt.Sprintf("db%d", i),
			Engine: "mysql", EngineVersion: "8.4.6", Status: "available", ResourceID: fmt.Sprintf("db-%026d", i), IAM: i%2 == 0,
			MasterUser: "admin", Account: a.Number, Region: a.Region, Partition: "aws", HostID: a.HostID, Profile: a.Profile, Seen: seen,
		}
		if i%500 == 0 { // some lines are longer than what is read at once
			s.Tags = map[string]string{"note": strings.Repeat("x", random.IntN(90_000))}
		}
		servers = append(servers, s)
	}
	return accounts, servers
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	accounts := []Account{
		{HostID: id, Region: "eu-west-1", Number: "123456789012", Partition: "aws", Profile: "prod", Profiles: []string{"prod",
			"ro"}, Why: "prod may", Seen: seen, Full: true},
		{HostID: id, Region: "us-east-1", Number: "999999999999", Profile: "other", Profiles: []string{"other"}, Seen: seen},
	}
	servers := []Server{
		{
			Host: host, Port: 3307, Kind: server.Writer, Name: "orders", Cluster: "orders", Engine: "aurora-mysql", EngineVersion: "8.0",
			Status: "available", ResourceID: "cluster-X", IAM: true, MasterUser: "admin", MasterSecretARN: "arn:aws:secretsmanager:x",
			Tags: map[string]string{"a\tb": "c\nd", "": "€"}, Account: "123456789012", Region: "eu-west-1", Partition: "aws",
			HostID: id, Profile: "prod", Seen: seen,
		},
		{Host: "g.global-zzz.global.rds.amazonaws.com", Kind: server.GlobalWriter, Region: "us-east-1", Account: "1",
			Profile: "mine", Seen: seen},
	}
	inv := open(t, write(t, accounts, servers))
	gotAccounts, gotServers, err := inv.All()
	if err != nil {
		t.Fatal(err)
	}
	servers = []Server{servers[1], servers[0]}
	if d := cmp.Diff(accounts, gotAccounts) + cmp.Diff(servers, gotServers); d != "" {
		t.Error(d)
	}
	for _, s := range servers {
		got, ok, err := inv.Server(strings.ToUpper(s.Host) + ".")
		if d := cmp.Diff(s, got); d != "" || !ok || err != nil {
			t.Error(ok, err, d)
		}
	}
	got, ok, err := inv.Account(id, "us-east-1")
	if d := cmp.Diff(accounts[1], got); d != "" || !ok || err != nil {
		t.Error(ok, err, d)
	}
	for _, h := range []string{"", "a", "~", "orders", host + "x", host[1:], "\t", host + "\t"} {
		if s, ok, err := inv.Server(h); ok || err != nil {
			t.Errorf("%q: %v, %v", h, s, err)
		}
	}
	if a, ok, err := inv.Account(id, ""); ok || err != nil {
		t.Error(a, err)
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	inv := open(t, write(t, nil, nil))
	if _, ok, err := inv.Server(host); ok || err != nil {
		t.Error(ok, err)
	}
	if a, s, err := inv.All(); len(a)+len(s) > 0 || err != nil {
		t.Error(a, s, err)
	}
}

// Lookups answer as a map would.
func TestLookups(t *testing.T) {
	t.Parallel()
	accounts, servers := fleet(40_000)
	inv := open(t, write(t, accounts, servers))
	for i, s := range servers {
		if i%100 != 0 {
			continue
		}
		got, ok, err := inv.Server(s.Host)
		if d := cmp.Diff(s, got); d != "" || !ok || err != nil {
			t.Fatal(s.Host, ok, err, d)
		}
		if got, ok, err := inv.Server("x" + s.Host); ok || err != nil {
			t.Fatal(got, err)
		}
	}
	for _, a := range accounts {
		got, ok, err := inv.Account(a.HostID, a.Region)
		if d := cmp.Diff(a, got); d != "" || !ok || err != nil {
			t.Fatal(a, ok, err, d)
		}
	}
	gotAccounts, gotServers, err := inv.All()
	if len(gotAccounts) != len(accounts) || len(gotServers) != len(servers) || err != nil {
		t.Error(len(gotAccounts), len(gotServers), err)
	}
}

func TestUntrusted(t *testing.T) {
	t.Parallel()
	good := write(t, []Account{{HostID: id, Region: "eu-west-1", Profile: "prod"}, {HostID: "zzz", Region: "eu-west-1", Profile: "other"}},
		[]Server{{Host: host, HostID: id, Region: "eu-west-1"}})
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	join := func(order ...int) []byte {
		var b []byte
		for _, i := range order {
			b = append(b, lines[i]...)
		}
		return b
	}
	for _, tc := range []struct {
		name   string
		data   []byte
		mode   os.FileMode
		reason string
	}{
		{"no inventory", []byte("hello\n"), 0o600, "no inventory"},
		{"empty", nil, 0o600, "no inventory"},
		{"readable by others", data, 0o644, "others may use it"},
		{"of another version", bytes.Replace(data, []byte(header), []byte(magic+"2\n"), 1), 0o600, "another version"},
		{"cut off", data[:len(data)-1], 0o600, "cut off"},
		{"cut off in the middle", data[:len(data)/2], 0o600, "cut off"},
		{"a line too few", join(0, 1, 3, 4), 0o600, "2 records"},
		{"not in order", join(0, 2, 1, 3, 4), 0o600, "not in order"},
		{"a line twice", join(0, 1, 1, 3, 4), 0o600, "not in order"},
		{"another profile", bytes.Replace(data, []byte(`"prod"`), []byte(`"prad"`), 1), 0o600, "damaged"},
		{"another host", bytes.Replace(data, []byte("s orders"), []byte("s sorder"), 1), 0o600, "damaged"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && tc.mode != 0o600 {
				t.Skip("mode bits say nothing")
			}
			path := filepath.Join(t.TempDir(), "inventory.txt")
			if err := errors.Join(os.WriteFile(path, tc.data, tc.mode), os.Chmod(path, tc.mode)); err != nil {
				t.Fatal(err)
			}
			inv, err := Open(path)
			if err == nil {
				defer inv.Close()
				_, _, err = inv.All()
				if s, ok, _ := inv.Server(host); ok && s.Profile != "prod" {
					t.Errorf("a lookup gives %+v", s)
				}
			}
			if _, ok := errors.AsType[*UntrustedError](err); !ok || !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("got %v, want %q", err, tc.reason)
			}
		})
	}
	_, err = Open(filepath.Join(t.TempDir(), "none"))
	if _, ok := errors.AsType[*UntrustedError](err); ok || !errors.Is(err, ErrAbsent) {
		t.Errorf("no file is no damage: %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	path := write(t, nil, []Server{{Host: "kept"}})
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, servers := range map[string][]Server{
		"out of order": {{Host: "b"}, {Host: "a"}},
		"twice":        {{Host: "a"}, {Host: "a", Port: 1}},
		"a tab":        {{Host: "a\tb"}},
		"no such kind": {{Host: "a"}, {Host: "b", Kind: 99}},
		"too long":     {{Host: "a", Name: strings.Repeat("x", maxLine)}},
	} {
		if err := Write(path, nil, servers); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was touched: %s, then %s (%v)", before, after, err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "inventory.txt")
	var count atomic.Int32
	done := make(chan error)
	for range 4 {
		go func() {
			unlock, err := Lock(t.Context(), path)
			if err == nil {
				if n := count.Add(1); n != 1 {
					err = fmt.Errorf("%d at once", n)
				}
				time.Sleep(20 * time.Millisecond)
				count.Add(-1)
				unlock()
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
}

// Whatever happens to the file: a lookup gives the record that was written, or none.
func FuzzDamage(f *testing.F) {
	accounts, servers := fleet(60)
	path := write(f, accounts, servers)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	want := map[string]Server{}
	for _, s := range servers {
		want[s.Host] = s
	}
	f.Add(uint32(0), uint32(0), []byte(nil))
	f.Add(uint32(0), uint32(len(good)), []byte("a\nb\tc\n"))
	f.Add(uint32(200), uint32(1), []byte("X"))
	f.Add(uint32(36), uint32(500), good[36:200])
	f.Add(uint32(len(good)), uint32(0), []byte("end\t3\n"))
	f.Fuzz(func(t *testing.T, at, n uint32, insert []byte) {
		from := min(int(at), len(good))
		to := min(from+int(n), len(good))
		data := slices.Concat(good[:from], insert, good[to:])
		path := filepath.Join(t.TempDir(), "inventory.txt")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		inv, err := Open(path)
		if err != nil {
			if _, ok := errors.AsType[*UntrustedError](err); !ok {
				t.Errorf("%v is no UntrustedError", err)
			}
			return
		}
		defer inv.Close()
		check := func(s Server) {
			w := want[s.Host]
			if s.Profile == "" { // its account's line is gone
				w.Profile = ""
			}
			if d := cmp.Diff(w, s); d != "" {
				t.Errorf("a wrong record: %s", d)
			}
		}
		for h := range want {
			s, ok, err := inv.Server(h)
			if ok {
				check(s)
			}
			if bytes.Equal(data, good) && (!ok || err != nil) {
				t.Errorf("%s: %v, %v", h, ok, err)
			}
		}
		if _, all, err := inv.All(); err == nil {
			for _, s := range all {
				check(s)
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	accounts, servers := fleet(40_000)
	path := write(b, accounts, servers)
	for i := 0; b.Loop(); i++ {
		inv, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if _, ok, err := inv.Server(servers[i*31%len(servers)].Host); !ok || err != nil {
			b.Fatal(ok, err)
		}
		_ = inv.Close()
	}
}

func BenchmarkAll(b *testing.B) {
	accounts, servers := fleet(40_000)
	for i := range servers {
		servers[i].Tags = map[string]string{"env": "prod"}
	}
	inv := open(b, write(b, accounts, servers))
	for b.Loop() {
		if _, all, err := inv.All(); len(all) != len(servers) || err != nil {
			b.Fatal(len(all), err)
		}
	}
}

// TestPartial: of a global writer whose cluster's region hasn't been read, nobody says whether it
// takes tokens.
func TestPartial(t *testing.T) {
	t.Parallel()
	writer := Server{Host: "world.global-zzzzzzzzzzzz.global.rds.amazonaws.com", Kind: server.GlobalWriter, Name: "world"}
	whole := writer
	whole.ResourceID = "cluster-W"
	for want, s := range map[string]Server{
		`{"kind":"global-writer","host":"world.global-zzzzzzzzzzzz.global.rds.amazonaws.com","name":"world"}`:                                       writer,
		`{"kind":"global-writer","iam":false,"host":"world.global-zzzzzzzzzzzz.global.rds.amazonaws.com","name":"world","resource_id":"cluster-W"}`: whole,
	} {
		data, err := json.Marshal(s)
		if err != nil || string(data) != want {
			t.Errorf("%s, %v", data, err)
		}
		var back Server
		if err := json.Unmarshal(data, &back); err != nil || !cmp.Equal(back, s) {
			t.Errorf("%+v, %v", back, err)
		}
	}
}

// A line that is of no kind is an account to nobody: the file is damaged.
func TestLineOfNoKind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "inventory.txt")
	data := []byte(`{"id":"abcdefghijkl","region":"eu-west-1","profile":"other"}`)
	text := header
	for _, key := range []string{"abc", "b abcdefghijkl eu-west-1"} {
		text += fmt.Sprintf("%s\t%08x\t%s\n", key, checksum([]byte(key), data), data)
	}
	if err := os.WriteFile(path, []byte(text+trailer+"2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer inv.Close()
	if accounts, err := inv.Accounts(); err == nil {
		t.Errorf("Accounts: %v", accounts)
	}
	if accounts, servers, err := inv.All(); err == nil {
		t.Errorf("All: %v, %v", accounts, servers)
	}
}
