package cabundle

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	telAviv = "il-central-1"
	amazon  = "https://truststore.pki.rds.amazonaws.com/il-central-1/il-central-1-bundle.pem"
)

// later are the commercial regions that came after the bundle's data, those of the SDK's
// partitions.json 1.48 that are open.
var later = []string{
	"ap-east-2", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "il-central-1", "mx-central-1",
}

// elsewhere are the regions of the other partitions that have a bundle.
var elsewhere = map[string]string{
	"us-gov-east-1": "aws-us-gov", "us-gov-west-1": "aws-us-gov", "cn-north-1": "aws-cn", "cn-northwest-1": "aws-cn",
}

func TestAddress(t *testing.T) {
	t.Parallel()
	const gov, china = "https://truststore.pki.us-gov-west-1.rds.amazonaws.com/", "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/"
	for _, tt := range []struct{ partition, region, want string }{
		{"aws", telAviv, amazon},
		{"aws", "eu-west-1", "https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem"},
		{"aws-us-gov", "us-gov-east-1", gov + "us-gov-east-1/us-gov-east-1-bundle.pem"},
		{"aws-us-gov", "us-gov-west-1", gov + "us-gov-west-1/us-gov-west-1-bundle.pem"},
		{"aws", "us-gov-west-1", gov + "us-gov-west-1/us-gov-west-1-bundle.pem"}, // of a global writer
		{"aws-cn", "cn-north-1", china + "cn-north-1/cn-north-1-bundle.pem"},
		{"aws-cn", "cn-northwest-1", china + "cn-northwest-1/cn-northwest-1-bundle.pem"},
		{"aws-eusc", "eusc-de-east-1", ""}, {"aws-iso", "us-iso-east-1", ""}, {"aws-iso-b", "us-isob-east-1", ""},
		{"aws-iso-e", "eu-isoe-west-1", ""}, {"aws-iso-f", "us-isof-south-1", ""},
		{"aws-au", "ap-southeast-2", ""}, {"aws-uk", "eu-west-2", ""}, {"aws-cn", telAviv, ""}, {"aws", "cn-north-1", ""},
		{"aws-us-gov", "eu-west-1", ""}, {"", "", ""}, {"aws", "", ""}, {"", "evil-1", ""}, {"", "global", ""},
		{"aws", "eu-west-1/../x", ""}, {"aws", "../eu-west-1", ""}, {"aws", "eu-west-1\n", ""}, {"aws", "EU-WEST-1", ""},
	} {
		if got := Address(tt.partition, tt.region); got != tt.want {
			t.Errorf("Address(%q, %q) = %q, not %q", tt.partition, tt.region, got, tt.want)
		}
	}
}

// TestAddressWhereNotCovered: a region without authorities has an address.
func TestAddressWhereNotCovered(t *testing.T) {
	t.Parallel()
	for _, region := range later {
		if Covers("aws", region) || Address("aws", region) == "" {
			t.Errorf("%s: covered %v, address %q", region, Covers("aws", region), Address("aws", region))
		}
	}
	for region, partition := range elsewhere {
		if Covers(partition, region) || Address(partition, region) == "" {
			t.Errorf("%s: covered %v, address %q", region, Covers(partition, region), Address(partition, region))
		}
	}
}

// TestRegionsInTheDocuments: the regions without authorities, and where theirs are, are in the
// documentation.
func TestRegionsInTheDocuments(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/certificates.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, region := range later {
		names[region] = "aws"
	}
	maps.Copy(names, elsewhere)
	for region, partition := range names {
		at, err := url.Parse(Address(partition, region))
		if err != nil {
			t.Fatal(err)
		}
		row := regexp.MustCompile("(?m)^\\|.*`" + region + "`.*\\| `" + regexp.QuoteMeta(at.Host) + "` *\\|$")
		if !row.Match(text) {
			t.Errorf("docs/certificates.md has no row with %s and %s", region, at.Host)
		}
	}
}

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// template is a certificate that is good for a day.
func template(name string, change func(*x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Test"}},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	if change != nil {
		change(c)
	}
	return c
}

func isAuthority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

// newAuthority makes a root; change may be nil.
func newAuthority(t *testing.T, name string, change func(*x509.Certificate)) authority {
	t.Helper()
	c := template(name, func(c *x509.Certificate) {
		isAuthority(c)
		if change != nil {
			change(c)
		}
	})
	key, der := certificate(t, c, nil)
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{c, key}
}

// certificate signs c, by itself without an issuer.
func certificate(t *testing.T, c *x509.Certificate, by *authority) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = &authority{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func (a authority) pem() string { return inPEM("CERTIFICATE", a.cert.Raw) }

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// served is a server of Amazon's: the transport leads every host to it, over verified TLS. The
// certificate is for host.
func served(t *testing.T, host string, handler http.HandlerFunc) *http.Transport {
	t.Helper()
	root := newAuthority(t, "web authority", nil)
	key, der := certificate(t, template("web", func(c *x509.Certificate) { c.DNSNames = []string{host} }), &root)
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	via := transport(t)
	via.TLSClientConfig.RootCAs = x509.NewCertPool()
	via.TLSClientConfig.RootCAs.AddCert(root.cert)
	via.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}
	t.Cleanup(via.CloseIdleConnections)
	return via
}

// transport is Fetch's own, without a proxy of this machine.
func transport(t *testing.T) *http.Transport {
	t.Helper()
	via, err := Transport()
	if err != nil {
		t.Fatal(err)
	}
	via.Proxy = nil
	return via
}

const host = "truststore.pki.rds.amazonaws.com"

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestFetch(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	one, two := newAuthority(t, "Amazon RDS il-central-1 Root CA RSA2048 G1", nil), newAuthority(t, "another", nil)
	want := "# Amazon's\n" + one.pem() + "\n" + two.pem()
	via := served(t, host, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if got := "https://" + r.Host + r.URL.String(); got != amazon || r.Method != http.MethodGet || r.Header.Get("Cookie")+r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s %v", r.Method, got, r.Header)
		}
		_, _ = io.WriteString(w, want)
	})
	got, list, err := Fetch(t.Context(), via, telAviv)
	if err != nil || string(got) != want || len(list) != 2 || asked.Load() != 1 {
		t.Fatalf("%d bytes, %d certificates, %d requests, %v", len(got), len(list), asked.Load(), err)
	}
	if !list[0].Equal(one.cert) || !list[1].Equal(two.cert) {
		t.Errorf("not the certificates that were sent: %v, %v", list[0].Subject, list[1].Subject)
	}
	// Our own bundle is one, as of the day that it was made.
	if list, err := Parse(PEM(), made); err != nil || len(list) != 92 {
		t.Errorf("%d certificates, %v", len(list), err)
	}
}

func TestFetchTakesOnlyAuthorities(t *testing.T) {
	t.Parallel()
	good := newAuthority(t, "good", nil)
	one := func(change func(*x509.Certificate)) string {
		_, der := certificate(t, template("bad", change), nil)
		return inPEM("CERTIFICATE", der)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"nothing": {"", "there is no certificate in it: it is not PEM"},
		"a page":  {"<html>please log in</html>", "there is no certificate in it: it is not PEM"},
		"DER":     {string(good.cert.Raw), "there is no certificate in it: it is not PEM"},
		"a key":   {good.pem() + inPEM("PRIVATE KEY", []byte("x")), `something else in it than certificates: "PRIVATE KEY"`},
		"headers": {strings.Replace(good.pem(), "\n", "\nProc-Type: 4,ENCRYPTED\n\n", 1), "something else in it than certificates"},
		"cut off": {good.pem() + good.pem()[:200], "it is damaged: 1 of 2 certificates in it are whole"},
		"half":    {good.pem()[:200], "it is damaged: 0 of 1 certificates in it are whole"},
		"changed": {good.pem() + strings.Replace(good.pem(), "\nM", "\n!", 1) + good.pem(), "it is damaged: 2 of 3 certificates in it are whole"},
		"no DER":  {good.pem() + inPEM("CERTIFICATE", []byte("x")), "certificate 2 of 2 in it is damaged: "},
		"expired": {good.pem() + one(func(c *x509.Certificate) {
			isAuthority(c)
			c.NotAfter = time.Date(2024, 8, 22, 17, 8, 50, 0, time.UTC)
			c.NotBefore = c.NotAfter.AddDate(-5, 0, 0)
		}), `certificate 2 of 2 in it ("CN=bad,O=Test") expired on 2024-08-22, by this machine's clock`},
		"not yet": {one(func(c *x509.Certificate) {
			isAuthority(c)
			c.NotBefore, c.NotAfter = time.Date(2998, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
		}), "is good from 2998-01-02 on, by this machine's clock not yet"},
		"a server's":   {good.pem() + one(nil), `certificate 2 of 2 in it ("CN=bad,O=Test") is not an authority's`},
		"may not sign": {one(func(c *x509.Certificate) { isAuthority(c); c.KeyUsage = x509.KeyUsageCRLSign }), "is not an authority's"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, list, err := Fetch(t.Context(), served(t, host, says(tt.text)), telAviv)
			if text != nil || list != nil || err == nil || !strings.HasPrefix(err.Error(), amazon+": not taken: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q, %d, %v", text, len(list), err)
			}
		})
	}
}

func TestFetchTakesOnlyAnswers(t *testing.T) {
	t.Parallel()
	good := newAuthority(t, "good", nil).pem()
	var plain atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		plain.Add(1)
		_, _ = io.WriteString(w, good)
	}))
	t.Cleanup(other.Close)
	status := func(code int, location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, good)
		}
	}
	for name, tt := range map[string]struct {
		host    string
		handler http.HandlerFunc
		want    string
	}{
		"404":                {host, status(404, ""), "404 Not Found: Amazon has no bundle of that region there, or a proxy refuses it"},
		"403":                {host, status(403, ""), "403 Forbidden: Amazon has no bundle"},
		"500":                {host, status(500, ""), "500 Internal Server Error"},
		"204":                {host, status(204, ""), "204 No Content"},
		"to plain HTTP":      {host, status(302, other.URL), "302 Found, and a redirection is not followed (to "},
		"to another host":    {host, status(301, "https://evil.example/x"), `301 Moved Permanently, and a redirection is not followed (to "https://evil.example/x")`},
		"no end":             {host, endless, "the answer: more than 256 KB"},
		"another's name":     {"truststore.pki.rds.amazonaws.com.evil.example", says(good), "not taken, as it can't be verified who answers: "},
		"cut off in the air": {host, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, amazon + ": "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, list, err := Fetch(t.Context(), served(t, tt.host, tt.handler), telAviv)
			if text != nil || list != nil || err == nil || !strings.HasPrefix(err.Error(), amazon+": ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q, %d, %v", text, len(list), err)
			}
		})
	}
	t.Cleanup(func() {
		if n := plain.Load(); n != 0 {
			t.Errorf("a redirection was followed %d times", n)
		}
	})
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(bytes.Repeat([]byte("# more\n"), 1000)); err != nil {
			return
		}
	}
}

// TestFetchVerifies: nobody's certificate is good but one of an authority that is trusted.
func TestFetchVerifies(t *testing.T) {
	t.Parallel()
	via := served(t, host, says(newAuthority(t, "good", nil).pem()))
	via.TLSClientConfig.RootCAs = x509.NewCertPool()
	if _, _, err := Fetch(t.Context(), via, telAviv); err == nil || !strings.Contains(err.Error(), "it can't be verified who answers: x509: certificate signed by unknown authority; ") {
		t.Error(err)
	}
	own := transport(t).TLSClientConfig
	if own.InsecureSkipVerify || own.VerifyConnection != nil || own.MinVersion < tls.VersionTLS12 || own.ServerName != "" {
		t.Errorf("%+v", own)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestFetchWaitsNoLonger: a server that says nothing, or not all of it, is given up.
func TestFetchWaitsNoLonger(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]roundTripper{
		"nothing": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"not all": func(r *http.Request) (*http.Response, error) {
			body := io.MultiReader(strings.NewReader("-----BEGIN CERT"), waiting{r.Context()})
			return &http.Response{StatusCode: 200, Body: io.NopCloser(body)}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, _, err := Fetch(t.Context(), answer, telAviv)
				if want := amazon + ": no whole answer within 20s: check the network, HTTPS_PROXY"; err == nil || err.Error() != want {
					t.Error(err)
				}
				if took := time.Since(began); took != Patience {
					t.Errorf("it took %v", took)
				}
				// Ctrl-C ends it at once.
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, _, err := Fetch(ctx, answer, telAviv); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != Patience+time.Second {
					t.Error(err, time.Since(began))
				}
			})
		})
	}
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

// TestFetchAsksNobodyElse: what is no region with a bundle is never part of an address.
func TestFetchAsksNobodyElse(t *testing.T) {
	t.Parallel()
	via := roundTripper(func(r *http.Request) (*http.Response, error) {
		t.Errorf("it asks %s", r.URL)
		return nil, errors.New("no")
	})
	for _, region := range []string{
		"", ".", "global", "evil-1", "../eu-west-1", "eu-west-1/../../x", "eu-west-1@evil.example", "eu-west-1#", "eu-west-1?x", "eu-west-1 ",
		"EU-WEST-1", "eu-west-1\x00", "eu-we\u212at-1", "%2e%2e-x-1", "us-iso-east-1", "eusc-de-east-1", "eu-" + strings.Repeat("a", 100) + "-1",
	} {
		if _, _, err := Fetch(t.Context(), via, region); err == nil || !strings.HasPrefix(err.Error(), "no address is known of a bundle for ") {
			t.Errorf("%q: %v", region, err)
		}
		if Address("aws", region) != "" {
			t.Errorf("%q has an address", region)
		}
	}
}

// TestTransportTrusts: the file of AWS_CA_BUNDLE counts alone, and has to be one.
func TestTransportTrusts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "own.pem")
	own := newAuthority(t, "own", nil)
	if err := os.WriteFile(file, []byte(own.pem()), 0o600); err != nil {
		t.Fatal(err)
	}
	want := x509.NewCertPool()
	want.AddCert(own.cert)
	t.Setenv("AWS_CA_BUNDLE", file)
	if via, err := Transport(); err != nil || !via.TLSClientConfig.RootCAs.Equal(want) {
		t.Errorf("not the file's authorities, %v", err)
	}
	t.Setenv("AWS_CA_BUNDLE", "")
	if via, err := Transport(); err != nil || via.TLSClientConfig.RootCAs != nil {
		t.Errorf("not the system's authorities, %v", err)
	}
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		empty:                      "AWS_CA_BUNDLE names " + empty + ", in which there is no certificate (PEM)",
		filepath.Join(dir, "gone"): "AWS_CA_BUNDLE names " + filepath.Join(dir, "gone") + ", which can't be read", dir: "AWS_CA_BUNDLE names " + dir + ", which can't be read",
	} {
		t.Setenv("AWS_CA_BUNDLE", path)
		if _, _, err := Fetch(t.Context(), nil, telAviv); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestKeep: a fetched bundle is a file of its own beside the embedded one, and whoever asks for its
// region gets it.
func TestKeep(t *testing.T) {
	setHome(t, t.TempDir())
	first, second := newAuthority(t, "first", nil).pem(), newAuthority(t, "second", nil).pem()
	if path, err := Kept(telAviv); path != "" || !errors.Is(err, os.ErrNotExist) || AllKept() != nil {
		t.Errorf("before: %q, %v, %v", path, err, AllKept())
	}
	for _, text := range []string{first, first, second} {
		path, err := Keep(telAviv, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		beside, _ := Path()
		if want := filepath.Join(filepath.Dir(beside), "rds-ca-bundle-il-central-1.pem"); path != want {
			t.Errorf("%s, not %s", path, want)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != text {
			t.Errorf("%q, %v", data, err)
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o644 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if again, err := Kept(telAviv); again != path || err != nil {
			t.Errorf("%q, %v", again, err)
		}
		if diff := cmp.Diff([]string{filepath.Base(path)}, names(t, filepath.Dir(path))); diff != "" {
			t.Error(diff)
		}
	}
	if path, err := Kept("ca-west-1"); path != "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another region: %q, %v", path, err)
	}
	path, _ := Path()
	if err := Write(path); err != nil {
		t.Fatal(err)
	}
	for _, stranger := range []string{"rds-ca-bundle-evil.pem", "rds-ca-bundle-ca-west-1.txt", "x-ca-bundle-ca-west-1.pem"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), stranger), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, _ := KeptPath(telAviv)
	if diff := cmp.Diff([]string{kept}, AllKept()); diff != "" {
		t.Error(diff)
	}
}

// TestKeptThatMustNotBeUsed: a file that others could have written, or that has no certificate.
func TestKeptThatMustNotBeUsed(t *testing.T) {
	setHome(t, t.TempDir())
	good := newAuthority(t, "good", nil).pem()
	path, err := Keep(telAviv, []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "# none", good[:100], good + good[:100]} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := Kept(telAviv); got != "" || err == nil || errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := errors.Join(os.WriteFile(path, []byte(good), 0o644), os.Chmod(path, 0o646)); err != nil {
		t.Fatal(err)
	}
	if got, err := Kept(telAviv); got != "" || err == nil || !strings.Contains(err.Error(), "can be changed by everybody") {
		t.Errorf("%q, %v", got, err)
	}
	// Fetched again, it is good.
	if _, err := Keep(telAviv, []byte(good)); err != nil {
		t.Fatal(err)
	}
	if got, err := Kept(telAviv); got != path || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestKeepErrors(t *testing.T) {
	home := t.TempDir()
	setHome(t, home)
	for _, region := range []string{"", "..", "../../x", "evil-1", "eu-west-1/x", "global"} {
		for name, err := range map[string]error{"Keep": second(Keep(region, nil)), "Kept": second(Kept(region)), "KeptPath": second(KeptPath(region))} {
			if err == nil || !strings.Contains(err.Error(), "is no AWS region") {
				t.Errorf("%s(%q): %v", name, region, err)
			}
		}
	}
	// A folder that can't be: a file is in its place.
	path, _ := Path()
	if err := os.MkdirAll(filepath.Dir(filepath.Dir(path)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(path), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Keep(telAviv, []byte("x")); err == nil || !strings.HasPrefix(err.Error(), "keep certificate authorities: ") {
		t.Error(err)
	}
	if got, err := Kept(telAviv); got != "" || err == nil {
		t.Errorf("%q, %v", got, err)
	}
	if data, err := os.ReadFile(filepath.Dir(path)); err != nil || string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
}

func second(_ string, err error) error { return err }

// FuzzParse: what is taken, other programs take, too: all of it, and nothing that is no authority.
func FuzzParse(f *testing.F) {
	first, _, _ := strings.Cut(bundle[strings.Index(bundle, "-----BEGIN"):], "\n\n")
	for _, text := range []string{
		"", first, first + "\n" + first, "# mine\n" + first, first[:200], first + first, "<html>", strings.Replace(first, "MII", "MIJ", 1),
		strings.Replace(first, "CERTIFICATE", "PRIVATE KEY", 2), strings.Replace(first, "\n", "\nA: b\n\n", 1), strings.ReplaceAll(first, "\n", "\r\n"),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse([]byte(text), made)
		if (err == nil) != (len(list) > 0) {
			t.Fatalf("%d certificates, %v", len(list), err)
		}
		pool, want := x509.NewCertPool(), x509.NewCertPool()
		if err != nil {
			return
		}
		pool.AppendCertsFromPEM([]byte(text))
		for _, c := range list {
			want.AddCert(c)
			if !c.IsCA || made.After(c.NotAfter) || made.Before(c.NotBefore) {
				t.Fatalf("%s is taken", c.Subject)
			}
		}
		if !pool.Equal(want) {
			t.Fatal("another program would take other certificates")
		}
	})
}
