package cabundle

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/server"
)

// Patience is how long [Fetch] waits for all of an answer.
const Patience = 20 * time.Second

// maxFetched is some fifty times what a region's bundle has, in bytes.
const maxFetched = 256 << 10

// Address returns where Amazon publishes the bundle for the RDS servers of a region, or "" where
// that isn't known: for partitions but aws, aws-us-gov and aws-cn, a region that is none of the
// partition's, and what is no region's name.
//
// Source: RDS user guide, "Using SSL/TLS to encrypt a connection", of AWS and of AWS China.
func Address(partition, region string) string {
	of := server.Partition(region)
	// The name of a global writer, which has no region, says no more than amazonaws.com.
	if of != partition && !(of == "aws-us-gov" && partition == "aws") {
		return ""
	}
	host := ""
	switch of {
	case "aws":
		host = "truststore.pki.rds.amazonaws.com"
	case "aws-us-gov":
		host = "truststore.pki.us-gov-west-1.rds.amazonaws.com"
	case "aws-cn":
		host = "rds-truststore.s3.cn-north-1.amazonaws.com.cn"
	default:
		return ""
	}
	return "https://" + host + "/" + region + "/" + region + "-bundle.pem"
}

// FetchError is a bundle that can't be had.
type FetchError struct {
	Address string
	Reason  string
	Err     error // what the reason words, or nil
}

func (e *FetchError) Error() string { return e.Address + ": " + e.Reason }

func (e *FetchError) Unwrap() error { return e.Err }

// Fetch gets the bundle of a region from its [Address]. What it returns has passed [Parse]. It
// follows no redirection. The error is a [*FetchError], or ctx's. Via is nil for [Transport].
func Fetch(
	ctx context.Context, via http.RoundTripper, region string,
) (text []byte, list []*x509.Certificate, err error) {
	address := Address(server.Partition(region), region)
	if address == "" {
		return nil, nil, fmt.Errorf("no address is known of a bundle for %q", region)
	}
	failed := func(reason string, err error) ([]byte, []*x509.Certificate, error) {
		return nil, nil, &FetchError{address, reason, err}
	}
	if via == nil {
		transport, err := Transport()
		if err != nil {
			return nil, nil, err
		}
		defer transport.CloseIdleConnections()
		via = transport
	}
	inTime, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	text, err = get(inTime, via, address)
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case err != nil:
		return failed(reason(err), err)
	}
	if list, err = Parse(text, time.Now()); err != nil {
		return failed("not taken: "+err.Error(), err)
	}
	return text, list, nil
}

// get returns what is at an address.
func get(ctx context.Context, via http.RoundTripper, address string) ([]byte, error) {
	client := http.Client{
		Transport:     via,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", about.Name)
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, statusError{answer.StatusCode, answer.Header.Get("Location")}
	}
	text, err := disk.ReadAtMost(answer.Body, "the answer", maxFetched)
	if err == nil {
		err = ctx.Err() // a server that notices the end of our patience may call that the end of its answer
	}
	return text, err
}

// statusError is an answer that has no bundle.
type statusError struct {
	code     int
	location string
}

func (e statusError) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", e.code, http.StatusText(e.code)))
	switch {
	case e.location != "":
		return fmt.Sprintf("%s, and a redirection is not followed (to %.200q)", text, e.location)
	case e.code == http.StatusNotFound, e.code == http.StatusForbidden: // which S3 says of what it hasn't
		return text + ": Amazon has no bundle of that region there, or a proxy refuses it"
	}
	return text
}

// reason words what went wrong on the way.
func reason(err error) string {
	inner := err
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		inner = wrapped.Err // the address is said already
	}
	invalid, isInvalid := errors.AsType[*tls.CertificateVerificationError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case isInvalid:
		return fmt.Sprintf("not taken, as it can't be verified who answers: %v; "+
			"if that is a proxy of your network, AWS_CA_BUNDLE names a file with its authority", invalid.Err)
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout():
		return fmt.Sprintf("no whole answer within %v: check the network, HTTPS_PROXY", Patience)
	}
	return strings.Join(strings.Fields(inner.Error()), " ")
}

// Transport is what [Fetch] uses: TLS 1.2 or later, verified with the system's authorities or, as
// with the AWS SDK, with those of the file that AWS_CA_BUNDLE names, and the proxy of HTTPS_PROXY.
func Transport() (*http.Transport, error) {
	const env = "AWS_CA_BUNDLE"
	var roots *x509.CertPool
	if file := os.Getenv(env); file != "" {
		text, err := disk.ReadForeign(file, maxFile)
		if err != nil {
			if of, ok := errors.AsType[*fs.PathError](err); ok {
				err = of.Err
			}
			return nil, fmt.Errorf("%s names %s, which can't be read: %w", env, file, err)
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s names %s, in which there is no certificate (PEM)", env, file)
		}
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxFetched,
	}, nil
}

// Parse takes a bundle apart. Everything in it has to be the certificate of an authority, whole and
// good at now. Text between the certificates is passed over, as other programs do.
func Parse(text []byte, now time.Time) ([]*x509.Certificate, error) {
	blocks, err := blocks(text)
	if err != nil {
		return nil, err
	}
	list := make([]*x509.Certificate, 0, len(blocks))
	for i, block := range blocks {
		c, err := x509.ParseCertificate(block)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of %d in it is damaged: %w", i+1, len(blocks), err)
		}
		if fault := fault(c, now); fault != "" {
			return nil, fmt.Errorf("certificate %d of %d in it (%.200q) %s", i+1, len(blocks), c.Subject, fault)
		}
		list = append(list, c)
	}
	return list, nil
}

// fault says why a certificate is not the one of an authority that is good at now, or "".
func fault(c *x509.Certificate, now time.Time) string {
	switch {
	case !c.BasicConstraintsValid || !c.IsCA, c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return "is not an authority's"
	case now.After(c.NotAfter):
		return "expired on " + Day(c.NotAfter) + ", by this machine's clock"
	case now.Before(c.NotBefore):
		return "is good from " + Day(c.NotBefore) + " on, by this machine's clock not yet"
	}
	return ""
}

// Day is a date as this package writes it: 2061-05-18.
func Day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// blocks returns the certificates of a PEM text, undecoded, of which there has to be one. Anything
// else that PEM can hold is an error, and so is a certificate that isn't whole.
func blocks(text []byte) (list [][]byte, err error) {
	begun := bytes.Count(text, []byte("-----BEGIN "))
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			return nil, fmt.Errorf("there is something else in it than certificates: %.40q", block.Type)
		}
		list = append(list, block.Bytes)
	}
	switch {
	case begun == 0:
		return nil, errors.New("there is no certificate in it: it is not PEM")
	case len(list) != begun:
		return nil, fmt.Errorf("it is damaged: %d of %d certificates in it are whole", len(list), begun)
	}
	return list, nil
}
