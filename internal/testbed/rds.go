package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

// RDS is an RDS-like server: the real MySQL protocol over TLS with its own certificate
// authority. Like RDS for a user IDENTIFIED WITH AWSAuthenticationPlugin, it asks the client to
// switch to mysql_clear_password and takes a valid token for the user's name, and nothing else.
type RDS struct {
	Addr  string // 127.0.0.1:port
	CAPEM []byte // the authority's certificate

	keys     *Keys
	listener net.Listener
	tls      *tls.Config
	roots    *x509.CertPool
	wg       sync.WaitGroup

	mu        sync.Mutex
	endpoints []Endpoint
	conns     map[net.Conn]bool
	logins    []string
	refusals  []string
	users     map[string]bool // IDENTIFIED WITH AWSAuthenticationPlugin; nil: everyone is
	pluginOff bool
	skew      time.Duration
}

// StartRDS starts a server that stands for the endpoints.
func StartRDS(keys *Keys, endpoints ...Endpoint) (*RDS, error) {
	r := &RDS{keys: keys, endpoints: endpoints, conns: map[net.Conn]bool{}}
	if err := r.makeCertificates(); err != nil {
		return nil, err
	}
	var err error
	if r.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	r.Addr = r.listener.Addr().String()
	r.wg.Go(r.accept)
	return r, nil
}

// Close ends the server and its connections.
func (r *RDS) Close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// Port is the port it listens on.
func (r *RDS) Port() int { return r.listener.Addr().(*net.TCPAddr).Port }

// Logins lists the users who came in, Refusals why the others didn't.
func (r *RDS) Logins() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.logins...)
}

// Refusals lists, in order, the reasons of each refused login.
func (r *RDS) Refusals() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.refusals...)
}

// SetUsers says which database users take tokens. Until then, all do. The server asks the others
// for a native password, which nothing matches: those that don't exist, and those with a password.
func (r *RDS) SetUsers(names ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users = map[string]bool{}
	for _, name := range names {
		r.users[name] = true
	}
}

// UnloadPlugin makes the server one without IAM authentication (RDS user guide, "Creating a
// database account using IAM authentication").
func (r *RDS) UnloadPlugin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pluginOff = true
}

// SetSkew sets the server's clock against the machine's.
func (r *RDS) SetSkew(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.skew = d
}

func (r *RDS) accept() {
	// The default method is one of MySQL's own, so that a client has to be asked to switch.
	conf := server.NewServerWithAuth("8.0.40-testbed", mysql.DEFAULT_COLLATION_ID, mysql.AUTH_NATIVE_PASSWORD, nil,
		r.tls, tokenAuth{r})
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns[conn] = true
		r.mu.Unlock()
		r.wg.Go(func() {
			defer func() {
				_ = recover() // go-mysql trusts the lengths that a client sends
				_ = conn.Close()
				r.mu.Lock()
				delete(r.conns, conn)
				r.mu.Unlock()
			}()
			session := &session{}
			c, err := conf.NewCustomizedConn(conn, accounts{r}, session)
			if err != nil {
				return // refused, or no MySQL client: the X protocol is tried on this port, too
			}
			session.user = c.GetUser()
			for c.HandleCommand() == nil && !c.Closed() {
			}
		})
	}
}

// accounts sends users to tokenAuth by the plugin that they have, as a user that doesn't exist is
// no different from one with the wrong password.
type accounts struct{ r *RDS }

func (a accounts) GetCredential(user string) (server.Credential, bool, error) {
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	plugin := mysql.AUTH_CLEAR_PASSWORD
	switch {
	case a.r.users != nil && !a.r.users[user]:
		plugin = mysql.AUTH_NATIVE_PASSWORD
	case a.r.pluginOff:
		return server.Credential{}, false, mysql.NewError(mysql.ER_PLUGIN_IS_NOT_LOADED,
			"Plugin 'AWSAuthenticationPlugin' is not loaded")
	}
	return server.Credential{Passwords: []string{"not used"}, AuthPluginName: plugin}, true, nil
}
func (accounts) OnAuthSuccess(*server.Conn) error         { return nil }
func (accounts) OnAuthFailure(*server.Conn, error)        {}
func (tokenAuth) Validate(method string) (supported bool) { return true }

// tokenAuth checks passwords as IAM tokens.
type tokenAuth struct{ r *RDS }

func (a tokenAuth) Authenticate(c *server.Conn, plugin string, data []byte) error {
	err := fmt.Errorf("%s is no user with AWSAuthenticationPlugin", c.GetUser())
	if plugin == mysql.AUTH_CLEAR_PASSWORD {
		err = a.check(c, strings.TrimSuffix(string(data), "\x00"))
	}
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	if err != nil {
		a.r.refusals = append(a.r.refusals, err.Error())
		return server.ErrAccessDenied
	}
	a.r.logins = append(a.r.logins, c.GetUser())
	return nil
}

func (a tokenAuth) check(c *server.Conn, token string) error {
	if _, encrypted := c.Conn.Conn.(*tls.Conn); !encrypted {
		return fmt.Errorf("a token over a connection without TLS")
	}
	a.r.mu.Lock()
	endpoints, now := a.r.endpoints, time.Now().Add(a.r.skew)
	a.r.mu.Unlock()
	return a.r.keys.VerifyToken(token, c.GetUser(), endpoints, now)
}

// session answers the statements with which clients begin, and a few to see who one is.
type session struct {
	server.EmptyHandler
	user string
}

func (s *session) UseDB(string) error { return nil }

func (s *session) HandleQuery(query string) (*mysql.Result, error) {
	q := strings.ToLower(strings.TrimRight(strings.TrimSpace(query), "; "))
	answers := map[string]any{
		"select 1":                    "1",
		"select @@sql_mode":           "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES",
		"select @@version":            "8.0.40-testbed",
		"select version()":            "8.0.40-testbed",
		"select @@version_comment":    "RDS-like test server",
		"select schema()":             nil,
		"select database()":           nil,
		"select current_user()":       s.user + "@%",
		"select user()":               s.user + "@localhost",
		"select @@max_allowed_packet": "67108864",
		"show schemas":                "information_schema",
		"show databases":              "information_schema",
		"select concat(@@version, ' ', @@version_comment)": "8.0.40-testbed RDS-like test server",
	}
	q = strings.TrimSuffix(q, " limit 1")
	if strings.HasPrefix(q, "set ") {
		return nil, nil
	}
	value, ok := answers[q]
	if !ok {
		return nil, mysql.NewError(mysql.ER_NOT_SUPPORTED_YET, "the test server doesn't know this statement")
	}
	name := strings.TrimPrefix(q, "select ")
	rows, err := mysql.BuildSimpleTextResultset([]string{name}, [][]any{{value}})
	if err != nil {
		return nil, err
	}
	return mysql.NewResult(rows), nil
}

// TLS is a client's configuration that trusts the server's authority for the host.
func (r *RDS) TLS(host string) *tls.Config {
	return &tls.Config{RootCAs: r.roots, ServerName: host, MinVersion: tls.VersionTLS12}
}

func (r *RDS) makeCertificates() error {
	now := time.Now()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "testbed authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "testbed"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	for _, e := range r.endpoints {
		leaf.DNSNames = append(leaf.DNSNames, e.Host)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	r.CAPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	r.roots = x509.NewCertPool()
	r.roots.AppendCertsFromPEM(r.CAPEM)
	r.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion: tls.VersionTLS12}
	return nil
}
