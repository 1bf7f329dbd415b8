package connect

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	ours := Server{User: "dba", Host: "db.example", Port: 3307, TLS: true, IAM: true, Same: true, CA: "/ca.pem"}
	with := func(change func(*Server)) Server {
		s := ours
		change(&s)
		return s
	}
	plain := func(s *Server) { s.IAM, s.TLS = false, false }
	classic := func(s *Server) { s.IAM, s.TLS, s.Classic = false, false, true }
	alias := func(s *Server) { s.Same = false }
	tunnel := func(s *Server) { s.SSH = "me@bastion" }
	more := func(s *Server) { s.Schema, s.Args, s.Extra = "shop", []string{"--sql"}, []string{"-e", "select 1"} }
	for _, tc := range []struct {
		name   string
		kind   ClientKind
		server Server
		want   []string // after the program, user, host and port
	}{
		{"MySQL Shell", Shell, ours, []string{"--mysql", "--auth-method=mysql_clear_password", "--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=/ca.pem", "--credential-store-helper=rds"}},
		{"an alias", Shell, with(alias), []string{"--mysql", "--auth-method=mysql_clear_password", "--ssl-mode=VERIFY_CA", "--ssl-ca=/ca.pem", "--credential-store-helper=rds"}},
		{"a tunnel", Shell, with(tunnel), []string{"--mysql", "--auth-method=mysql_clear_password", "--ssl-mode=VERIFY_CA", "--ssl-ca=/ca.pem", "--ssh=me@bastion", "--credential-store-helper=rds"}},
		// Without a token nothing is sent in clear.
		{"a password", Shell, with(plain), []string{"--credential-store-helper=rds"}},
		{"a password of RDS", Shell, with(classic), []string{"--mysql", "--credential-store-helper=rds"}},
		{"more", Shell, with(more), []string{"--mysql", "--auth-method=mysql_clear_password", "--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=/ca.pem", "--credential-store-helper=rds",
			"--schema=shop", "--sql", "-e", "select 1"}},
		{"MariaDB", MariaDB, ours, []string{"--ssl-ca=/ca.pem", "--ssl-verify-server-cert"}},
		// What the configuration has for MySQL Shell is not for others.
		{"MariaDB and more", MariaDB, with(more), []string{"--ssl-ca=/ca.pem", "--ssl-verify-server-cert", "--database=shop", "-e", "select 1"}},
		{"MySQL", MySQL, ours, []string{"--enable-cleartext-plugin", "--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=/ca.pem"}},
		{"MySQL and an alias", MySQL, with(alias), []string{"--enable-cleartext-plugin", "--ssl-mode=VERIFY_CA", "--ssl-ca=/ca.pem"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := Client{tc.kind, "/bin/client"}.Command(tc.server)
			want := []string{"/bin/client"}
			if tc.kind != Shell {
				want = append(want, "--no-defaults")
			}
			want = append(append(want, "--user=dba", "--host=db.example", "--port=3307"), tc.want...)
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("%v: %s", err, d)
			}
		})
	}
	for _, tc := range []struct {
		kind   ClientKind
		server Server
		want   error
	}{
		{MariaDB, with(tunnel), ErrSSH},
		{MySQL, with(tunnel), ErrSSH},
		{MariaDB, with(plain), ErrNoTokens},
		{MySQL, with(plain), ErrNoTokens},
		// It would send the token to whoever holds the port, in clear.
		{MariaDB, with(alias), ErrUnverified},
	} {
		if args, err := (Client{tc.kind, "x"}).Command(tc.server); !errors.Is(err, tc.want) || args != nil {
			t.Errorf("client %d: %q, %v, want %v", tc.kind, args, err, tc.want)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := Find(); !errors.Is(err, ErrNoClient) {
		t.Errorf("got %v", err)
	}
	program := func(name, says string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+says+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("needs a shell")
	}
	// Each comes before those that were there.
	var want []Client
	for _, tc := range []struct {
		name, says string
		kind       ClientKind
	}{
		{"mysql", "mysql from 11.4.7-MariaDB, client 15.2", MariaDB},
		{"mysql", "mysql  Ver 8.4.6 for Linux on x86_64", MySQL},
		{"mariadb", "", MariaDB},
		{"mysqlsh", "", Shell},
	} {
		path := program(tc.name, tc.says)
		switch {
		case tc.kind == Shell: // which does all that the others do
			want = []Client{{tc.kind, path}}
		case len(want) > 0 && want[0].Path == path:
			want[0].Kind = tc.kind
		default:
			want = append([]Client{{tc.kind, path}}, want...)
		}
		got, err := Find()
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v, %s", tc.name, err, d)
		}
		self, err := os.Executable()
		if err != nil || !OnPath(tc.name, want[0].Path) || OnPath(tc.name, self) || OnPath("nothing", self) {
			t.Errorf("%s is not on PATH, or something else is: %v", tc.name, err)
		}
	}
}

// TestUses: connections are counted, and a file that can't be believed begins anew.
func TestUses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "uses.json")
	count := func(hosts ...string) {
		t.Helper()
		for _, h := range hosts {
			if err := Count(t.Context(), path, h, "", time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	count("a", "b", "a")
	if d := cmp.Diff(Uses{"a": {Count: 2}, "b": {Count: 1}}, ReadUses(path)); d != "" {
		t.Error(d)
	}
	if err := os.WriteFile(path, []byte(`{"a":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ReadUses(path); len(got) > 0 {
		t.Errorf("of a damaged file: %v", got)
	}
	count("c")
	if d := cmp.Diff(Uses{"c": {Count: 1}}, ReadUses(path)); d != "" {
		t.Error(d)
	}
}

// TestCountTogether: connections that are opened at once are all counted.
func TestCountTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "uses.json")
	const connections = 20
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			if err := Count(t.Context(), path, "a", "", time.Time{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if d := cmp.Diff(Uses{"a": {Count: connections}}, ReadUses(path)); d != "" {
		t.Error(d)
	}
}

// TestUsers: who was used where is remembered, beside counts of releases that knew none.
func TestUsers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "uses.json")
	if err := os.WriteFile(path, []byte(`{"a":3,"b":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)
	if got := ReadUses(path).LastUser(); got != "" {
		t.Errorf("nobody was used, and the last one is %q", got)
	}
	for i, use := range []struct{ host, user string }{{"b", "app"}, {"a", "dba"}, {"c", "root"}, {"a", "admin"}} {
		if err := Count(t.Context(), path, use.host, use.user, now.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	got := ReadUses(path)
	want := Uses{
		"a": {Count: 5, User: "admin", Last: now.Add(3 * time.Minute)},
		"b": {Count: 2, User: "app", Last: now},
		"c": {Count: 1, User: "root", Last: now.Add(2 * time.Minute)},
	}
	if d := cmp.Diff(want, got); d != "" || got.LastUser() != "admin" {
		t.Errorf("the last one is %q, %s", got.LastUser(), d)
	}
}
