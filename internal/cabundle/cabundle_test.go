package cabundle

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/disk"
)

// made is the day on which rds.pem was made. What it holds is checked as of then: the same code
// must not fail because years have passed.
var made = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// regions are those with authorities in the package, three each.
var regions = []string{
	"af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1",
	"ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ca-central-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1",
	"eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "me-central-1", "me-south-1", "sa-east-1", "us-east-1", "us-east-2",
	"us-west-1", "us-west-2",
}

// item is a certificate and the comment that stands before it.
type item struct {
	comment string
	cert    *x509.Certificate
}

// items takes PEM() apart, and checks that it has nothing besides.
func items(t *testing.T) []item {
	t.Helper()
	parts := strings.Split(string(PEM()), "\n\n")
	if want := "had not expired on " + made.Format(time.DateOnly) + "."; !strings.HasPrefix(parts[0], "# ") || !strings.HasSuffix(parts[0], want) {
		t.Errorf("it begins with %q, and not with a comment that ends in %q", parts[0], want)
	}
	var list []item
	for _, part := range parts[1:] {
		comment, text, _ := strings.Cut(part, "\n")
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) != 0 || len(bytes.TrimSpace(rest)) != 0 {
			t.Fatalf("not a comment and a certificate: %q", part)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatalf("%s: %v", comment, err)
		}
		list = append(list, item{comment, cert})
	}
	return list
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	list := items(t)
	// README.md: 120 in the package, 28 of them expired.
	if len(list) != 92 {
		t.Errorf("%d certificates, not 92", len(list))
	}
	seen := map[string]string{}
	for _, i := range list {
		c, name := i.cert, i.cert.Subject.CommonName
		if want := fmt.Sprintf("# %s, until %s", name, c.NotAfter.UTC().Format(time.DateOnly)); i.comment != want {
			t.Errorf("comment %q, not %q", i.comment, want)
		}
		if !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
			t.Errorf("%s is not an authority", name)
		}
		if made.Before(c.NotBefore) || !made.Before(c.NotAfter) {
			t.Errorf("%s was valid from %v to %v only", name, c.NotBefore, c.NotAfter)
		}
		// A root, whose signature holds: nobody has touched its key or its name.
		if err := c.CheckSignatureFrom(c); err != nil || !bytes.Equal(c.RawIssuer, c.RawSubject) {
			t.Errorf("%s is not a root: %v", name, err)
		}
		for _, key := range []string{string(c.Raw), string(c.RawSubject), string(c.RawSubjectPublicKeyInfo)} {
			if first, twice := seen[key]; twice {
				t.Errorf("%s is, in part, the same as %s", name, first)
			}
			seen[key] = name
		}
	}
	if !slices.IsSortedFunc(list, func(a, b item) int { return strings.Compare(a.cert.Subject.CommonName, b.cert.Subject.CommonName) }) {
		t.Error("not sorted by name")
	}
}

// TestNames: who the authorities are, so that none gets in by the digest alone.
func TestNames(t *testing.T) {
	t.Parallel()
	want := []string{
		"Amazon Root CA 1", "Amazon Root CA 2", "Amazon Root CA 3", "Amazon Root CA 4", "Starfield Services Root Certificate Authority - G2",
	}
	for _, region := range append([]string{"Beta us-east-1", "Preview us-east-2"}, regions...) {
		for _, key := range []string{"ECC384", "RSA2048", "RSA4096"} {
			want = append(want, "Amazon RDS "+region+" Root CA "+key+" G1")
		}
	}
	var got []string
	for _, i := range items(t) {
		got = append(got, i.cert.Subject.CommonName)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// TestValidToday: a region that is covered has an authority that is good now. This will be true
// until 2121.
func TestValidToday(t *testing.T) {
	t.Parallel()
	list := items(t)
	for _, region := range regions {
		if !slices.ContainsFunc(list, func(i item) bool {
			return strings.HasPrefix(i.cert.Subject.CommonName, "Amazon RDS "+region+" ") && time.Now().Before(i.cert.NotAfter)
		}) {
			t.Errorf("all authorities of %s have expired", region)
		}
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256(PEM())
	if got := hex.EncodeToString(sum[:]); got != Digest {
		t.Errorf("rds.pem has the digest %s, not %s", got, Digest)
	}
}

// TestPEMIsACopy: a caller can't change the authorities of another one.
func TestPEMIsACopy(t *testing.T) {
	t.Parallel()
	clear(PEM())
	if got := PEM(); string(got) != bundle || got[0] != '#' {
		t.Error("the bundle has changed")
	}
}

func TestPool(t *testing.T) {
	t.Parallel()
	want := x509.NewCertPool()
	for _, i := range items(t) {
		want.AddCert(i.cert)
		if _, err := i.cert.Verify(x509.VerifyOptions{Roots: Pool(), CurrentTime: made}); err != nil {
			t.Errorf("%s: %v", i.cert.Subject.CommonName, err)
		}
	}
	pool := Pool()
	if !pool.Equal(want) {
		t.Error("the pool doesn't have the certificates of the bundle")
	}
	pool.AddCert(&x509.Certificate{Raw: []byte("another")})
	if !Pool().Equal(want) {
		t.Error("one caller's addition is in the next one's pool")
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, region := range regions {
		if !Covers("aws", region) {
			t.Errorf("%s isn't covered", region)
		}
	}
	for _, c := range []struct{ partition, region string }{
		{"aws-cn", "cn-north-1"}, {"aws-cn", "cn-northwest-1"}, {"aws-us-gov", "us-gov-west-1"}, {"aws-us-gov", "us-gov-east-1"},
		{"aws-iso", "us-iso-east-1"}, {"aws-eusc", "eusc-de-east-1"}, {"aws", "cn-north-1"}, {"aws", "us-gov-west-1"},
		{"aws-cn", "eu-west-1"}, {"", "eu-west-1"},
		// Later ones.
		{"aws", "il-central-1"}, {"aws", "ca-west-1"}, {"aws", "ap-southeast-5"}, {"aws", "mx-central-1"},
		// No regions, though the text is there.
		{"aws", ""}, {"aws", "global"}, {"aws", "us-east"}, {"aws", "east-1"}, {"aws", "us-east-1 "}, {"aws", "Beta us-east-1"},
		{"aws", "Beta"}, {"aws", "us-east-1 Root CA ECC384 G1, until 2121-05-25\n"}, {"aws", "2019"},
	} {
		if Covers(c.partition, c.region) {
			t.Errorf("%q in %q is covered", c.region, c.partition)
		}
	}
}

// TestOpenSSL: another program reads the same names and days.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	openssl := peer(t, "openssl")
	file := filepath.Join(t.TempDir(), "rds.pem")
	if err := Write(file); err != nil {
		t.Fatal(err)
	}
	pkcs7, err := exec.CommandContext(t.Context(), openssl, "crl2pkcs7", "-nocrl", "-certfile", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	show := exec.CommandContext(t.Context(), openssl, "pkcs7", "-print_certs", "-text", "-noout")
	show.Stdin = bytes.NewReader(pkcs7)
	text, err := show.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	// Versions differ in the blanks around "=".
	for _, m := range regexp.MustCompile(`Not After *: (.*)\n *Subject: .*\bCN ?= ?([^,\n]+)`).FindAllStringSubmatch(string(text), -1) {
		until, err := time.Parse("Jan _2 15:04:05 2006 MST", m[1])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("# %s, until %s", m[2], until.Format(time.DateOnly)))
	}
	for _, i := range items(t) {
		want = append(want, i.comment)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("openssl (-rds.pem +openssl):\n%s", diff)
	}
}

// peer finds a program to compare with. Where MYSQL_SECRET_STORE_RDS_TEST_PEERS is "required",
// having none is a failure.
func peer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	why := fmt.Sprintf("no %s on this machine; install it to compare with it", name)
	if os.Getenv("MYSQL_SECRET_STORE_RDS_TEST_PEERS") == "required" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// holdsBundle checks that file is the bundle, for everybody to read, and alone in its folder but
// for others.
func holdsBundle(t *testing.T, file string, others ...string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != bundle {
		t.Errorf("%s has %d bytes, which are not the bundle", file, len(data))
	}
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode(); runtime.GOOS != "windows" && mode != 0o644 {
		t.Errorf("%s has the mode %v", file, mode)
	}
	got, want := names(t, filepath.Dir(file)), append([]string{filepath.Base(file)}, others...)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}

func TestWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a", "b", "rds.pem")
	if err := Write(file); err != nil {
		t.Fatal(err)
	}
	holdsBundle(t, file)

	// Written once, it stays.
	if err := os.Chtimes(file, made, made); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(file); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || !after.ModTime().Equal(made) {
		t.Error("a good file was written again")
	}
}

func TestWriteRepairs(t *testing.T) {
	t.Parallel()
	changed := []byte(strings.Replace(bundle, "MII", "MIJ", 1))
	for name, content := range map[string][]byte{
		"empty": nil, "cut": []byte(bundle[:len(bundle)/2]), "longer": []byte(bundle + "\n"), "changed": changed, "another": []byte("# mine\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "rds.pem")
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Write(file); err != nil {
				t.Fatal(err)
			}
			holdsBundle(t, file)
		})
	}
}

// TestWriteReplaces: whoever reads the old file goes on with all of it.
func TestWriteReplaces(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows replaces no file that is open")
	}
	file := filepath.Join(t.TempDir(), "rds.pem")
	if err := os.WriteFile(file, []byte("an older bundle"), 0o644); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := Write(file); err != nil {
		t.Fatal(err)
	}
	old := make([]byte, 100)
	if n, err := reader.Read(old); err != nil || string(old[:n]) != "an older bundle" {
		t.Errorf("the reader of the old file gets %q, %v", old[:n], err)
	}
	holdsBundle(t, file)
}

// TestWriteOverLink: the file behind a link may be anybody's.
func TestWriteOverLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, other := filepath.Join(dir, "rds.pem"), filepath.Join(dir, "zother.pem")
	if err := os.WriteFile(other, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{other, filepath.Join(dir, "nowhere")} {
		if err := os.Symlink(to, file); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
		if err := Write(file); err != nil {
			t.Fatal(err)
		}
		holdsBundle(t, file, "zother.pem")
		if data, err := os.ReadFile(other); err != nil || string(data) != "# mine\n" {
			t.Errorf("the file behind the link is now %q, %v", data, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	// The bundle itself may be kept elsewhere.
	if err := errors.Join(Write(other), os.Symlink(other, file), Write(file)); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(file); err != nil || to != other {
		t.Errorf("a link to the bundle now leads to %q, %v", to, err)
	}
}

func TestWriteTogether(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new", "rds.pem")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := Write(file); err != nil {
				t.Error(err)
			}
			if data, err := os.ReadFile(file); err != nil || string(data) != bundle {
				t.Errorf("%d bytes, %v", len(data), err)
			}
		})
	}
	all.Wait()
	holdsBundle(t, file)
}

// TestWriteWaits: one writes at a time, and removes what one that was killed has left.
func TestWriteWaits(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rds.pem")
	if err := os.WriteFile(disk.Temporary(file), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := disk.TryMutex(disk.LockFile(file))
	if err != nil || unlock == nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- Write(file) }()
	select {
	case err := <-ended:
		t.Errorf("it didn't wait: %v", err)
	case <-time.After(50 * time.Millisecond):
		unlock()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	holdsBundle(t, file)
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a folder": dir, "in a file": filepath.Join(file, "rds.pem")} {
		err := Write(path)
		if err == nil || !strings.HasPrefix(err.Error(), "write certificate authorities: ") || !strings.Contains(err.Error(), file) && path != dir {
			t.Errorf("%s: %v", name, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "# mine\n" {
		t.Errorf("a file that is no folder is now %q, %v", data, err)
	}
	if diff := cmp.Diff([]string{"file"}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// setHome makes dir the place of os.UserConfigDir() on every platform; "" takes it away.
func setHome(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData", "USERPROFILE", "home"} {
		t.Setenv(name, dir)
	}
}

func TestPath(t *testing.T) {
	home := t.TempDir()
	setHome(t, home)
	file, err := Path()
	if err != nil {
		t.Fatal(err)
	}
	// Not a folder for caches, which is cleaned now and then.
	config, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(config, "mysql-secret-store-rds", "rds-ca-bundle.pem"); file != want || !strings.HasPrefix(file, home) {
		t.Errorf("Path() = %s, not %s", file, want)
	}
	if files := names(t, home); len(files) != 0 {
		t.Errorf("Path() made %v", files)
	}
	if err := Write(file); err != nil {
		t.Fatal(err)
	}
	holdsBundle(t, file)
}

func TestPathWithoutHome(t *testing.T) {
	setHome(t, "")
	if _, err := os.UserConfigDir(); err == nil {
		t.Skip("this platform has a place without the environment")
	}
	if file, err := Path(); file != "" || err == nil || !strings.HasPrefix(err.Error(), "no place for the certificate authorities: ") {
		t.Errorf("Path() = %q, %v", file, err)
	}
}
