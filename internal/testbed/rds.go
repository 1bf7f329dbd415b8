package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
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
// SetPassword makes users who have a password instead.
type RDS struct {
	Addr    string // a loopback address and a port
	CAPEM   []byte // the authority's certificate
	CertPEM []byte // the server's own, with its key, for another server by the same names
	KeyPEM  []byte

	keys     *Keys
	listener net.Listener
	tls      *tls.Config
	roots    *x509.CertPool
	wg       sync.WaitGroup

	mu        sync.Mutex
	encrypted *server.Server // speaks the protocol
	clear     *server.Server // the same without TLS
	endpoints []Endpoint
	conns     map[net.Conn]bool
	logins    []string
	refusals  []string
	users     map[string]bool // IDENTIFIED WITH AWSAuthenticationPlugin; nil: everyone is
	passwords map[string]password
	pluginOff bool
	tlsOff    bool
	skew      time.Duration
}

// StartRDS starts a server that stands for the endpoints, on 127.0.0.1 and a port that is free.
func StartRDS(keys *Keys, endpoints ...Endpoint) (*RDS, error) {
	return StartRDSAt("127.0.0.1:0", keys, endpoints...)
}

// StartRDSAt is StartRDS on a loopback address of one's choice, for clients that insist on a port.
func StartRDSAt(addr string, keys *Keys, endpoints ...Endpoint) (*RDS, error) {
	r := &RDS{keys: keys, endpoints: endpoints, conns: map[net.Conn]bool{}, passwords: map[string]password{}}
	if err := r.makeCertificates(); err != nil {
		return nil, err
	}
	r.renew()
	var err error
	if r.listener, err = net.Listen("tcp", addr); err != nil {
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

// TurnOffTLS makes the server one that offers no TLS to those who connect from now on, and asks for
// the token all the same.
func (r *RDS) TurnOffTLS() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tlsOff = true
}

// renew makes new servers of go-mysql's. They remember who has logged in with
// caching_sha2_password, and what with.
func (r *RDS) renew() {
	speak := func(settings *tls.Config) *server.Server {
		// The default method is one of MySQL's own, so that a client has to be asked to switch.
		return server.NewServerWithAuth("8.0.40-testbed", mysql.DEFAULT_COLLATION_ID, mysql.AUTH_NATIVE_PASSWORD,
			nil, settings, authentication{r})
	}
	r.encrypted, r.clear = speak(r.tls), speak(nil)
}

func (r *RDS) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns[conn] = true
		speaks, settings := r.encrypted, r.tls
		if r.tlsOff {
			speaks, settings = r.clear, nil
		}
		r.mu.Unlock()
		r.wg.Go(func() { r.serve(conn, speaks, settings) })
	}
}

func (r *RDS) serve(conn net.Conn, speaks *server.Server, settings *tls.Config) {
	relay := &relay{client: conn, settings: settings, trust: r.TLS("localhost")}
	near := relay.pipe()
	defer func() {
		_ = recover() // go-mysql trusts the lengths that a client sends
		_ = near.Close()
		_ = conn.Close()
		r.mu.Lock()
		delete(r.conns, conn)
		r.mu.Unlock()
	}()
	r.wg.Go(relay.run)
	session := &session{}
	c, err := speaks.NewCustomizedConn(near, accounts{r, relay}, session)
	if err != nil {
		return // refused, or no MySQL client: the X protocol is tried on this port, too
	}
	session.user = c.GetUser()
	for c.HandleCommand() == nil && !c.Closed() {
	}
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
		SubjectKeyId: []byte(rand.Text()), // by which a client tells it from others of that name
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
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
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	r.CertPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	r.KeyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	r.CAPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	r.roots = x509.NewCertPool()
	r.roots.AppendCertsFromPEM(r.CAPEM)
	r.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion: tls.VersionTLS12}
	return nil
}
