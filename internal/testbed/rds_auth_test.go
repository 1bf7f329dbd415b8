package testbed

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
)

const (
	sha2   = "caching_sha2_password"
	native = "mysql_native_password"
)

// login is Connect as dba.
func login(t *testing.T, r *RDS, password string) error {
	t.Helper()
	db, err := Connect(testContext(t), "dba", ordersHost, 3306, password, r)
	if err != nil {
		return err
	}
	return db.Close()
}

// mustLogin logs in with a password, twice: caching_sha2_password has a short way for the second.
func mustLogin(t *testing.T, r *RDS, password string) {
	t.Helper()
	for range 2 {
		if err := login(t, r, password); err != nil {
			t.Fatalf("with %s: %v; refused: %q", password, err, r.Refusals())
		}
	}
}

func TestRDSPasswords(t *testing.T) {
	t.Parallel()
	for _, plugin := range []string{sha2, native} {
		for _, users := range [][]string{nil, {"other"}, {"dba"}} {
			r, key := startRDS(t)
			if users != nil {
				r.SetUsers(users...)
			}
			wrong := "dba: a wrong password for " + plugin
			r.SetPassword("dba", plugin, "first")
			mustRefuse(t, r, "second", wrong)
			mustLogin(t, r, "first")
			mustRefuse(t, r, "second", wrong)
			mustRefuse(t, r, "", wrong)
			mustRefuse(t, r, buildToken(t, key, ordersHost+":3306", "eu-west-1", "dba"), wrong)
			r.SetPassword("dba", plugin, "second")
			mustRefuse(t, r, "first", wrong)
			mustLogin(t, r, "second")
			mustRefuse(t, r, "first", wrong)
			if diff := cmp.Diff([]string{"dba", "dba", "dba", "dba"}, r.Logins()); diff != "" {
				t.Errorf("%s: logins, -want +got:\n%s", plugin, diff)
			}
			if n := len(r.Refusals()); n != 6 {
				t.Errorf("%s: %d refusals, want 6: %q", plugin, n, r.Refusals())
			}
		}
	}
}

// The plugin may change, too, and users with tokens stay as they are.
func TestRDSPasswordsBesideTokens(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	mustServe(t, r, key)
	r.SetPassword("admin", sha2, "hunter2")
	mustServe(t, r, key)
	mustRefuse(t, r, "hunter2", "a password in clear") // which the driver was asked for
	r.SetPassword("dba", native, "one")
	mustLogin(t, r, "one")
	r.SetPassword("dba", sha2, "two")
	mustLogin(t, r, "two")
	r.UnloadPlugin()
	mustLogin(t, r, "two")
	defer func() {
		if recover() == nil {
			t.Error("a plugin that it hasn't got")
		}
	}()
	r.SetPassword("dba", "sha256_password", "x")
}

// loginWithoutTLS is login over a connection in clear.
func loginWithoutTLS(t *testing.T, r *RDS, password string) error {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.Passwd, cfg.Logger = "dba", "tcp", r.Addr, password, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	return db.PingContext(testContext(t))
}

func TestRDSPasswordsWithoutTLS(t *testing.T) {
	t.Parallel()
	refused := func(err error) bool {
		var refused *mysql.MySQLError
		return errors.As(err, &refused) && refused.Number == 1045
	}
	for _, off := range []bool{false, true} { // whether the server has TLS, or the client only doesn't ask for it
		r, _ := startRDS(t)
		if off {
			r.TurnOffTLS()
		}
		r.SetPassword("dba", native, "hunter2")
		if err := loginWithoutTLS(t, r, "hunter2"); err != nil {
			t.Error(err)
		}
		if err := loginWithoutTLS(t, r, "other"); !refused(err) {
			t.Errorf("got %v, want 1045", err)
		}
		r.SetPassword("dba", sha2, "hunter2")
		if loginWithoutTLS(t, r, "hunter2") == nil { // the driver would expect a key, and has no words for this answer
			t.Error("logged in with a password that would need TLS")
		}
		want := []string{"dba: a wrong password for mysql_native_password", "dba: caching_sha2_password would need the password, without TLS"}
		if diff := cmp.Diff(want, r.Refusals()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if off {
			continue
		}
		// Once it has seen the password, the server needn't have it again.
		mustLogin(t, r, "hunter2")
		if err := loginWithoutTLS(t, r, "hunter2"); err != nil {
			t.Error(err)
		}
	}
}

// greet reads the server's greeting, goes over to TLS unless that is nil, and sends the beginning of
// a client that can do so much with what follows. It returns what the server says to that.
func greet(t *testing.T, r *RDS, settings *tls.Config, capabilities, rest string) string {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := readPacket(c); err != nil {
		t.Fatal(err)
	}
	first := capabilities + "\x00\x00\x00\x01\x2d" + strings.Repeat("\x00", 23)
	sequence := byte(1)
	if settings != nil {
		if _, err := io.WriteString(c, packet(first)); err != nil {
			t.Fatal(err)
		}
		c, sequence = tls.Client(c, settings), 2
	}
	answer := []byte(packet(first + rest))
	answer[3] = sequence
	if _, err := c.Write(answer); err != nil {
		t.Fatal(err)
	}
	said, err := readPacket(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(said[4:])
}

// A client of MySQL's that is told to use mysql_clear_password begins with the password.
func TestRDSPasswordInClear(t *testing.T) {
	t.Parallel()
	r, _ := startRDS(t)
	r.SetPassword("dba", sha2, "hunter2")
	const (
		plain, plainTLS   = "\x00\x82\x08\x00", "\x00\x8a\x08\x00" // CLIENT_PLUGIN_AUTH
		lenenc, lenencTLS = "\x00\x82\x28\x00", "\x00\x8a\x28\x00" // and CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
		database          = "\x08\x8a\x28\x00"                     // and CLIENT_CONNECT_WITH_DB
		clearly           = "mysql_clear_password\x00"
		denied            = "\xff\x15\x04#28000"
	)
	long := strings.Repeat("x", 300)
	for _, tc := range []struct {
		name, capabilities, rest string
		clear                    bool
	}{
		{"without TLS", plain, "dba\x00\x08hunter2\x00" + clearly, true},
		{"with TLS", plainTLS, "dba\x00\x08hunter2\x00" + clearly, true},
		{"without its end", plainTLS, "dba\x00\x07hunter2" + clearly, true},
		{"a length that is encoded", lenenc, "dba\x00\x08hunter2\x00" + clearly, true},
		{"a long one", lenencTLS, "dba\x00\xfc\x2c\x01" + long + clearly, true},
		{"a database", database, "dba\x00\x08hunter2\x00db\x00" + clearly, true},
		{"none", lenencTLS, "dba\x00\x01\x00" + clearly, false},
		{"by another plugin", lenencTLS, "dba\x00\x08hunter2\x00mysql_native_password\x00", false},
		{"a user with a token", lenencTLS, "root\x00\x05token" + clearly, false},
	} {
		var settings *tls.Config
		if tc.capabilities[1] == '\x8a' {
			settings = r.TLS(ordersHost)
		}
		before := len(r.Refusals())
		said := greet(t, r, settings, tc.capabilities, tc.rest)
		told := strings.Join(r.Refusals()[before:], ", ")
		if (told == "a password in clear") != tc.clear || tc.clear && !strings.HasPrefix(said, denied) {
			t.Errorf("%s: the server says %q and has refused for %q", tc.name, said, told)
		}
	}
	if len(r.Logins()) > 0 {
		t.Errorf("logged in: %q", r.Logins())
	}
}
