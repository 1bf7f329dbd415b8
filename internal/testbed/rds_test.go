package testbed

import (
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
)

func startRDS(t *testing.T) (r *RDS, key Key) {
	t.Helper()
	keys, long, _ := newKeys()
	r, err := StartRDS(keys, endpoints...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, long
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// mustServe logs in and asks something.
func mustServe(t *testing.T, r *RDS, key Key) {
	t.Helper()
	db, err := Connect(testContext(t), "dba", ordersHost, 3306, buildToken(t, key, ordersHost+":3306", "eu-west-1", "dba"), r)
	if err != nil {
		t.Fatalf("%v; refused: %q", err, r.Refusals())
	}
	defer db.Close()
	var who string
	if err := db.QueryRowContext(testContext(t), "select current_user()").Scan(&who); err != nil || who != "dba@%" {
		t.Errorf("logged in as %q, %v", who, err)
	}
}

func mustRefuse(t *testing.T, r *RDS, password, why string) {
	t.Helper()
	db, err := Connect(testContext(t), "dba", ordersHost, 3306, password, r)
	if err == nil {
		db.Close()
		t.Fatal("logged in")
	}
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) || refused.Number != 1045 || string(refused.SQLState[:]) != "28000" {
		t.Errorf("got %v, want 1045", err)
	}
	if all := r.Refusals(); len(all) == 0 || !strings.Contains(all[len(all)-1], why) {
		t.Errorf("refused for %q, want %q", all, why)
	}
}

func TestRDSLogin(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	mustServe(t, r, key)
	token := buildToken(t, key, ordersHost+":3306", "eu-west-1", "dba")
	mustRefuse(t, r, token[:len(token)-1]+"x", "the signature doesn't match")
	mustRefuse(t, r, "hunter2", ` is "", not "`)
	mustRefuse(t, r, buildToken(t, key, ordersHost+":3306", "eu-west-1", "root"), `DBUser is "root", not "dba"`)
	mustServe(t, r, key)
	if diff := cmp.Diff([]string{"dba", "dba"}, r.Logins()); diff != "" {
		t.Errorf("logins, -want +got:\n%s", diff)
	}
	if n := len(r.Refusals()); n != 3 {
		t.Errorf("%d refusals, want 3", n)
	}
}

// Users, the plugin and the clock are what the test makes them.
func TestRDSSettings(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	token := buildToken(t, key, ordersHost+":3306", "eu-west-1", "dba")
	r.SetUsers("DBA")
	mustRefuse(t, r, token, "dba is no user with AWSAuthenticationPlugin")
	r.SetUsers("dba")
	mustServe(t, r, key)
	r.SetSkew(16 * time.Minute)
	mustRefuse(t, r, token, "signed 16m")
	r.SetSkew(0)
	r.UnloadPlugin()
	_, err := Connect(testContext(t), "dba", ordersHost, 3306, token, r)
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) || refused.Number != 1524 {
		t.Errorf("got %v, want 1524", err)
	}
}

// A token with a large session token is longer than a small packet.
func TestRDSLongToken(t *testing.T) {
	t.Parallel()
	keys, _, _ := newKeys()
	r, err := StartRDS(keys, endpoints...)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustServe(t, r, keys.Issue("arn:aws:sts::123456789012:assumed-role/a/b", time.Hour, 12000))
}

func TestRDSRefusesWithoutTLS(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr = "dba", "tcp", r.Addr
	cfg.Passwd = buildToken(t, key, ordersHost+":3306", "eu-west-1", "dba")
	cfg.AllowCleartextPasswords = true
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var refused *mysql.MySQLError
	if err := db.PingContext(testContext(t)); !errors.As(err, &refused) || refused.Number != 1045 {
		t.Errorf("got %v, want 1045", err)
	}
	if diff := cmp.Diff([]string{"a token over a connection without TLS"}, r.Refusals()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A client that verifies the name finds the server's certificate to be for its endpoints only.
func TestRDSCertificate(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	host := "evil" + ordersHost
	_, err := Connect(testContext(t), "dba", host, 3306, buildToken(t, key, host+":3306", "eu-west-1", "dba"), r)
	var wrongName x509.HostnameError
	if !errors.As(err, &wrongName) {
		t.Errorf("got %v", err)
	}
	if len(r.Refusals())+len(r.Logins()) > 0 {
		t.Error("the token was sent nevertheless")
	}
}

// packet is a MySQL packet that follows the server's greeting.
func packet(payload string) string {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(len(payload)))
	b[3] = 1
	return string(b[:]) + payload
}

// Whatever comes, the others are served: MySQL Shell itself tries the X protocol first.
func TestRDSSurvives(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	const (
		// CLIENT_PROTOCOL_41 and CLIENT_SECURE_CONNECTION, and CLIENT_SSL besides.
		plain = "\x00\x82\x00\x00\x00\x00\x00\x01\x2d"
		ssl   = "\x00\x8a\x00\x00\x00\x00\x00\x01\x2d"
		// CLIENT_CONNECT_WITH_DB, CLIENT_PLUGIN_AUTH, CLIENT_CONNECT_ATTRS.
		more = "\x08\x82\x18\x00\x00\x00\x00\x01\x2d"
	)
	reserved := strings.Repeat("\x00", 23)
	for name, bytes := range map[string]string{
		"nothing":                 "",
		"X protocol: get":         "\x01\x00\x00\x00\x01",
		"X protocol: set":         "\x0f\x00\x00\x00\x02\x0a\x0c\x0a\x0a\x0a\x03tls\x12\x03\x08\x01\x10\x01",
		"HTTP":                    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"TLS at once":             "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
		"half a header":           "\x20\x00",
		"half a packet":           "\x20\x00\x00\x01" + plain,
		"a huge packet":           "\xff\xff\xff\x01" + plain,
		"an empty packet":         packet(""),
		"a short packet":          packet("\x00\x82"),
		"gibberish after TLS":     packet(ssl+reserved) + "gibberish",
		"no end of the user":      packet(plain + reserved + "dba"),
		"no password":             packet(plain + reserved + "dba\x00"),
		"a password too long":     packet(plain + reserved + "dba\x00\xf0short"),
		"no end of the database":  packet(more + reserved + "dba\x00\x00db"),
		"no end of the plugin":    packet(more + reserved + "dba\x00\x00db\x00plugin"),
		"half the attributes":     packet(more + reserved + "dba\x00\x00db\x00mysql_clear_password\x00\xf0x"),
		"an attribute's length":   packet(more + reserved + "dba\x00\x00db\x00mysql_clear_password\x00\xfe"),
		"an old client":           packet("\x05\xa6\x0f\x00\x00\x01root\x00"),
		"a command before a word": packet("\x03select 1"),
	} {
		for _, closes := range []bool{true, false} {
			c, err := net.Dial("tcp", r.Addr)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, _ = io.WriteString(c, bytes) // the server may have had enough
			if !closes {
				defer c.Close()
				continue
			}
			// Half closed, so that the server has read it all when the answer ends.
			_ = c.(*net.TCPConn).CloseWrite()
			if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			var timeout net.Error
			if _, err := io.Copy(io.Discard, c); errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("%s: the server keeps the connection", name)
			}
			c.Close()
		}
		mustServe(t, r, key)
	}
	if n := len(r.Logins()); n == 0 || len(r.Refusals()) > 0 {
		t.Errorf("%d logins; refused: %q", n, r.Refusals())
	}
}

func TestRDSManyAtOnce(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	const clients = 10
	token := buildToken(t, key, ordersHost+":3306", "eu-west-1", "dba")
	ctx := testContext(t)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			db, err := Connect(ctx, "dba", ordersHost, 3306, token, r)
			if err != nil {
				t.Error(err)
				return
			}
			db.Close()
		})
	}
	wg.Wait()
	if n := len(r.Logins()); n != clients {
		t.Errorf("%d logins, want %d", n, clients)
	}
}

func TestRDSClose(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	silent, err := net.Dial("tcp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	db, err := Connect(testContext(t), "dba", ordersHost, 3306, buildToken(t, key, ordersHost+":3306", "eu-west-1", "dba"), r)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Close()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("still open")
	}
	if err := db.PingContext(testContext(t)); err == nil {
		t.Error("still there")
	}
}

// What MySQL Shell and the usual clients begin with; see "A session's first words" in the notes
// on the protocol.
func TestRDSFirstWords(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	db, err := Connect(testContext(t), "te st", ordersHost, 3306, buildToken(t, key, ordersHost+":3306", "eu-west-1", "te st"), r)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text := func(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
	for statement, want := range map[string]sql.NullString{
		"select @@sql_mode;": text("ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES"),
		"show schemas":       text("information_schema"),
		"select concat(@@version, ' ', @@version_comment)": text("8.0.40-testbed RDS-like test server"),
		"select schema()":                        {},
		"SELECT  1":                              {}, // not one of them: two spaces
		"  SELECT CURRENT_USER() ; ":             text("te st@%"),
		"select @@version_comment limit 1":       text("RDS-like test server"),
		"select user()":                          text("te st@localhost"),
		"select drop_everything from everything": {},
	} {
		known := statement != "SELECT  1" && !strings.Contains(statement, "drop")
		var got sql.NullString
		err := db.QueryRowContext(testContext(t), statement).Scan(&got)
		if known != (err == nil) {
			t.Errorf("%s: %v", statement, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", statement, diff)
		}
	}
	if _, err := db.ExecContext(testContext(t), "SET NAMES utf8mb4"); err != nil {
		t.Error(err)
	}
}
