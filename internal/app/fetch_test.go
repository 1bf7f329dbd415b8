package app_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	telAviv  = "db.abcdefghijkl.il-central-1.rds.amazonaws.com"
	govCloud = "db.cluster-abcdefghijkl.rds.us-gov-east-1.amazonaws.com"
	beijing  = "db.abcdefghijkl.rds.cn-north-1.amazonaws.com.cn"
	iso      = "db.abcdefghijkl.rds.us-iso-east-1.c2s.ic.gov"
)

// truststore stands for Amazon's hosts with bundles: a proxy on this machine leads to it, and its
// authority is in a file. No verification is switched off for it.
type truststore struct {
	proxy string // its address
	ca    string // the file

	mu      sync.Mutex
	asked   []string // for connections to what
	handler http.HandlerFunc
}

func startTruststore(t *testing.T, names ...string) *truststore {
	t.Helper()
	s := &truststore{ca: filepath.Join(t.TempDir(), "web.pem")}
	root, rootKey := webCertificate(t, "web authority", nil, nil, nil)
	leaf, leafKey := webCertificate(t, "web", names, root, rootKey)
	if err := os.WriteFile(s.ca, pemOf(root), 0o600); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		handler := s.handler
		s.mu.Unlock()
		handler(w, r)
	}))
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	web.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}}}
	web.StartTLS()
	t.Cleanup(web.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s.proxy = "http://" + listener.Addr().String()
	go s.tunnel(listener, web.Listener.Addr().String())
	return s
}

// tunnel leads every CONNECT to one address.
func (s *truststore) tunnel(listener net.Listener, to string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			from := bufio.NewReader(client)
			r, err := http.ReadRequest(from)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.asked = append(s.asked, r.Method+" "+r.Host)
			s.mu.Unlock()
			server, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer server.Close()
			fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n")
			go func() { _, _ = io.Copy(server, from) }()
			_, _ = io.Copy(client, server)
		}()
	}
}

// answers sets what it says from now on, and forgets what it was asked.
func (s *truststore) answers(handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler, s.asked = handler, nil
}

func (s *truststore) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// env is a user's with the proxy, and the authority in a variable.
func (s *truststore) env(b *bed, variable string) []string {
	return append(b.env(), "HTTPS_PROXY="+s.proxy, variable+"="+s.ca)
}

// webCertificate makes a certificate, without an issuer that of an authority.
func webCertificate(t *testing.T, name string, hosts []string, by *x509.Certificate, byKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	if by == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		by, byKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c, key
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// try runs the program; code is its exit code.
func try(t *testing.T, env []string, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := testContext(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

const commercialHost, govHost, chinaHost = "truststore.pki.rds.amazonaws.com",
	"truststore.pki.us-gov-west-1.rds.amazonaws.com", "rds-truststore.s3.cn-north-1.amazonaws.com.cn"

// TestFetchedAuthorities: where the program has no authorities for a region, it says which, where
// Amazon's are and what to write; --fetch gets them, and from then on they are used.
func TestFetchedAuthorities(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	s := startTruststore(t, commercialHost, govHost, chinaHost)
	root, _ := webCertificate(t, "Amazon RDS Root CA \x1b[31m", nil, nil, nil)
	for i, tt := range []struct{ host, region, web, variable string }{
		{telAviv, "il-central-1", commercialHost, "AWS_CA_BUNDLE"},
		{govCloud, "us-gov-east-1", govHost, "AWS_CA_BUNDLE"},
		{beijing, "cn-north-1", chinaHost, "SSL_CERT_FILE"},
	} {
		env := s.env(b, tt.variable)
		path := "/" + tt.region + "/" + tt.region + "-bundle.pem"
		s.answers(func(w http.ResponseWriter, r *http.Request) {
			if r.Host != tt.web || r.URL.String() != path {
				t.Errorf("it asks for https://%s%s", r.Host, r.URL)
			}
			_, _ = w.Write(pemOf(root))
		})
		for _, args := range [][]string{{"ca-bundle", "dba@" + tt.host}, {"connect", "--print", "dba@" + tt.host}} {
			_, stderr, code := try(t, env, b.helper, args...)
			for _, want := range []string{
				" are not for " + tt.region + " (", "hint: mysql-secret-store-rds ca-bundle --fetch " + tt.region + "\n",
				"https://" + tt.web + path + " yourself, and write into ", "accounts: {abcdefghijkl: {ssl_ca: /path/to/bundle.pem}}\n",
			} {
				if code != 1 || !strings.Contains(stderr, want) {
					t.Errorf("%v: %d, without %q: %s", args, code, want, stderr)
				}
			}
		}
		// MySQL Shell gets its token, and the network no question.
		if got, err := b.shell(env).Get(t.Context(), "dba@"+tt.host+":3306"); err != nil || !strings.HasPrefix(got, tt.host+":3306") {
			t.Errorf("get: %.100s %v", got, err)
		}
		if asked := s.requests(); len(asked) > 0 {
			t.Errorf("nobody said --fetch, and it asks %v", asked)
		}

		stdout, stderr, code := try(t, env, b.helper, "ca-bundle", "--fetch", tt.region)
		file := filepath.Join(b.home, ".config", "mysql-secret-store-rds", "rds-ca-bundle-"+tt.region+".pem")
		for _, want := range []string{
			"https://" + tt.web + path + " has 1 certificate authority:\n\nCN=Amazon RDS Root CA ", fmt.Sprintf("SHA-256 %x\n", sha256.Sum256(root.Raw)),
			"good until " + root.NotAfter.UTC().Format(time.DateOnly), "Kept in " + file + "\n",
		} {
			if code != 0 || stderr != "" || !strings.Contains(stdout, want) || strings.Contains(stdout, "\x1b") {
				t.Errorf("--fetch %s: %d, without %q: %q %s", tt.region, code, want, stdout, stderr)
			}
		}
		if got, want := s.requests(), []string{"CONNECT " + tt.web + ":443"}; !slices.Equal(got, want) {
			t.Errorf("it asks %v, not %v", got, want)
		}
		if data, err := os.ReadFile(file); err != nil || !bytes.Equal(data, pemOf(root)) {
			t.Errorf("%s: %q, %v", file, data, err)
		}
		if got := run(t, env, b.helper, "ca-bundle", "dba@"+tt.host); got != file+"\n" {
			t.Errorf("ca-bundle: %q", got)
		}
		if got := run(t, env, b.helper, "ca-bundle", "--print", tt.host); got != string(pemOf(root)) {
			t.Errorf("ca-bundle --print: %q", got)
		}
		if got := run(t, env, b.helper, "connect", "--print", "dba@"+tt.host); !strings.Contains(got, " --ssl-ca="+file) {
			t.Errorf("connect: %q", got)
		}
		if files, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(files) != i+1 {
			t.Errorf("files: %q", files)
		}
	}
	// The other servers have their own as before.
	if got := run(t, b.env(), b.helper, "ca-bundle", "dba@"+orders); !strings.HasSuffix(got, "/rds-ca-bundle.pem\n") {
		t.Errorf("ca-bundle: %q", got)
	}
}

// TestFetchedAuthoritiesVerify: what was fetched is what doctor verifies a server with.
func TestFetchedAuthoritiesVerify(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	s := startTruststore(t, commercialHost)
	s.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b.rds.CAPEM) })
	env := s.env(b, "AWS_CA_BUNDLE")
	folder := filepath.Join(b.home, ".config", "mysql-secret-store-rds")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("servers: {'127.0.0.1:%d': {endpoint: '%s:3306'}}\n", b.rds.Port(), orders)
	if err := os.WriteFile(filepath.Join(folder, "config.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	doctor := func() string {
		stdout, _, _ := try(t, env, b.helper, "doctor", "--shell", filepath.Join(b.folder, "mysqlsh"), fmt.Sprintf("dba@127.0.0.1:%d", b.rds.Port()))
		return stdout
	}
	if got := doctor(); !strings.Contains(got, "  fail  tls            the certificate is not of an authority in the bundle (it is signed by CN=testbed authority)") ||
		!strings.Contains(got, "mysql-secret-store-rds ca-bundle --fetch eu-west-1\n") {
		t.Errorf("before: %s", got)
	}
	run(t, env, b.helper, "ca-bundle", "--fetch", "eu-west-1")
	got := doctor()
	for _, want := range []string{"  ok    tls            TLS 1.3, certificate good until ", "/rds-ca-bundle-eu-west-1.pem)\n", "  ok    token          accepted: logged in as dba@"} {
		if !strings.Contains(got, want) {
			t.Errorf("after: without %q: %s", want, got)
		}
	}
}

// TestDoctorSaysWhereAuthoritiesAre: of a region that has none here, doctor says the address, the
// command and the line of configuration, also when it can't connect.
func TestDoctorSaysWhereAuthoritiesAre(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	folder := filepath.Join(b.home, ".config", "mysql-secret-store-rds")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string][]string{
		telAviv: {
			"warn  tls            not checked: the bundle has no authorities for il-central-1; they are at https://" + commercialHost + "/il-central-1/il-central-1-bundle.pem: ",
			"mysql-secret-store-rds ca-bundle --fetch il-central-1\n", "ssl_ca: /path/to/ca.pem",
		},
		iso: {"warn  tls            not checked: the bundle has no authorities for us-iso-east-1 (aws-iso); name a file that has", "ssl_ca: /path/to/ca.pem"},
	} {
		for _, port := range []int{b.rds.Port(), 9} {
			text := fmt.Sprintf("servers: {'127.0.0.1:%d': {endpoint: '%s:3306'}}\n", port, host)
			if err := os.WriteFile(filepath.Join(folder, "config.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, _, _ := try(t, b.env(), b.helper, "doctor", "--shell", filepath.Join(b.folder, "mysqlsh"), fmt.Sprintf("dba@127.0.0.1:%d", port))
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%s, port %d: without %q: %s", host, port, w, got)
				}
			}
		}
	}
}

// TestFetchThatFails keeps nothing, says what is wrong, and leaves what was fetched before.
func TestFetchThatFails(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	s := startTruststore(t, commercialHost)
	evil := startTruststore(t, "evil.example")
	root, _ := webCertificate(t, "good", nil, nil, nil)
	good := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(pemOf(root)) }
	evil.answers(good)
	s.answers(good)
	env := s.env(b, "AWS_CA_BUNDLE")
	file := filepath.Join(b.home, ".config", "mysql-secret-store-rds", "rds-ca-bundle-ca-west-1.pem")
	untrusted := append(slices.Clone(env), "AWS_CA_BUNDLE=")
	none := append(slices.Clone(env), "AWS_CA_BUNDLE=/nonexistent/ca.pem")
	secret := append(slices.Clone(env), "HTTPS_PROXY=ftp://user:Pa55word@127.0.0.1:9")
	alone := append(slices.Clone(env), "HTTPS_PROXY=http://user:Pa55word@127.0.0.1:9")
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for _, earlier := range []bool{false, true} {
		for _, tt := range []struct {
			name    string
			env     []string
			handler http.HandlerFunc
			region  string
			want    string
		}{
			{"a page", env, says("<html>"), "", "not taken: there is no certificate in it: it is not PEM"},
			{"gone", env, http.NotFound, "", "404 Not Found: Amazon has no bundle of that region there"},
			{"another way", env, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://"+r.Host+"/x", http.StatusFound)
			}, "", "302 Found, and a redirection is not followed"},
			{"another server", evil.env(b, "AWS_CA_BUNDLE"), good, "", "it can't be verified who answers: x509: certificate is valid for evil.example, not " + commercialHost},
			{"nobody's authority", untrusted, good, "", "it can't be verified who answers: x509: certificate signed by unknown authority"},
			{"no file", none, good, "", "AWS_CA_BUNDLE names /nonexistent/ca.pem, which can't be read: no such file or directory"},
			{"no proxy", alone, good, "", "connection refused"},
			{"another kind of proxy", secret, good, "", "proxy"},
			{"no region", env, good, "../ca-west-1", `"../ca-west-1" is no AWS region`},
			{"nothing", env, good, "-", `"-" is no AWS region`},
			{"no address", env, good, "us-iso-east-1", "no address is known of a bundle for us-iso-east-1 (aws-iso)"},
		} {
			region := tt.region
			if region == "" {
				region = "ca-west-1"
			}
			s.answers(tt.handler)
			stdout, stderr, code := try(t, tt.env, b.helper, "ca-bundle", "--fetch", region)
			if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "error: ") || !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, "\nhint: ") {
				t.Errorf("%s: %d %q %s", tt.name, code, stdout, stderr)
			}
			if strings.Contains(stderr, "Pa55word") {
				t.Errorf("%s: it tells the password: %s", tt.name, stderr)
			}
			data, err := os.ReadFile(file)
			if earlier != (err == nil) || earlier && !bytes.Equal(data, pemOf(root)) {
				t.Errorf("%s: %s: %q, %v", tt.name, file, data, err)
			}
			if tt.region == "" && earlier != strings.Contains(stderr, "the bundle that was fetched before is unchanged: "+file) && tt.name != "no file" {
				t.Errorf("%s: %s", tt.name, stderr)
			}
		}
		s.answers(good)
		run(t, env, b.helper, "ca-bundle", "--fetch", "ca-west-1")
	}
	for _, args := range [][]string{{"--print"}, {"--path"}, {"dba@" + orders}} {
		if _, stderr, code := try(t, env, b.helper, append([]string{"ca-bundle", "--fetch", "ca-west-1"}, args...)...); code != 1 || !strings.Contains(stderr, "--fetch goes with a region and nothing else") {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
}

// TestFetchIntoAFolderThatCanNotBeWritten says so.
func TestFetchIntoAFolderThatCanNotBeWritten(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	s := startTruststore(t, commercialHost)
	root, _ := webCertificate(t, "good", nil, nil, nil)
	s.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(pemOf(root)) })
	folder := filepath.Join(b.home, ".config", "mysql-secret-store-rds")
	fetch := func(want string) {
		t.Helper()
		_, stderr, code := try(t, s.env(b, "AWS_CA_BUNDLE"), b.helper, "ca-bundle", "--fetch", "ca-west-1")
		if code != 1 || !strings.Contains(stderr, "error: keep certificate authorities: ") || !strings.Contains(stderr, want) {
			t.Errorf("%d %s", code, stderr)
		}
	}
	if err := os.MkdirAll(filepath.Join(folder, "rds-ca-bundle-ca-west-1.pem"), 0o700); err != nil {
		t.Fatal(err)
	}
	fetch("not a regular file")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // whom no mode keeps out
		if err := os.WriteFile(folder, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		fetch("not a directory")
		return
	}
	if err := os.Mkdir(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	fetch("permission denied")
}

// TestFetchThatHangs ends by itself.
func TestFetchThatHangs(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	s := startTruststore(t, commercialHost)
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "-----BEGIN")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	began := time.Now()
	_, stderr, code := try(t, s.env(b, "AWS_CA_BUNDLE"), b.helper, "ca-bundle", "--fetch", "ca-west-1")
	if took := time.Since(began); code != 1 || !strings.Contains(stderr, "no whole answer within 20s") || took > 40*time.Second {
		t.Errorf("%d after %v: %s", code, took, stderr)
	}
}
