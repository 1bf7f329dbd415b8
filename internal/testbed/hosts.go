package testbed

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// An Authority makes certificates for the hosts that [Hosts] answers for.
type Authority struct {
	PEM []byte // its own certificate, for AWS_CA_BUNDLE

	key  *ecdsa.PrivateKey
	cert *x509.Certificate

	mu    sync.Mutex
	hosts map[string]*tls.Certificate
}

// NewAuthority makes a certificate authority.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "testbed"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &Authority{PEM: text, key: key, cert: cert, hosts: map[string]*tls.Certificate{}}, nil
}

// certificate returns the one for the host that a client asks for.
func (a *Authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	host := hello.ServerName
	if known, ok := a.hosts[host]; ok {
		return known, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.hosts) + 2)), Subject: pkix.Name{CommonName: "host"},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter, DNSNames: []string{host},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	a.hosts[host] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
	return a.hosts[host], nil
}

// Hosts is a proxy for HTTPS that reaches nobody: whatever host is asked for, a handler answers, so
// that programs can call AWS by its own host names. The handler also answers at URL itself.
type Hosts struct {
	URL  string // for HTTPS_PROXY
	http *httptest.Server
	tls  *http.Server
}

// StartHosts starts a proxy. A request's Host is the host that was asked for.
func (a *Authority) StartHosts(handler http.Handler) *Hosts {
	tunnels := &connections{accepted: make(chan net.Conn), closed: make(chan struct{})}
	settings := &tls.Config{GetCertificate: a.certificate}
	h := &Hosts{tls: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	h.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			handler.ServeHTTP(w, r)
			return
		}
		conn, rest, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
			_ = conn.Close() // the client has gone
			return
		}
		tunnels.accept(tls.Server(buffered{conn, rest.Reader}, settings))
	}))
	h.URL = h.http.URL
	go func() { _ = h.tls.Serve(tunnels) }() // ends with Close
	return h
}

// Close ends the proxy and its connections.
func (h *Hosts) Close() {
	_ = h.tls.Close()
	h.http.Close()
}

// buffered is a connection of which the beginning has been read ahead.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

// connections is a listener for connections that are there already.
type connections struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (c *connections) accept(conn net.Conn) {
	select {
	case c.accepted <- conn:
	case <-c.closed:
		_ = conn.Close()
	}
}

func (c *connections) Accept() (net.Conn, error) {
	select {
	case conn := <-c.accepted:
		return conn, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

func (c *connections) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *connections) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
