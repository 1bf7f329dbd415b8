package testbed

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
)

// hostsClient is a client of the proxy that trusts an authority.
func hostsClient(t *testing.T, h *Hosts, authority []byte) *http.Client {
	t.Helper()
	proxy, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	authority, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	h := authority.StartHosts(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %v", r.Host, r.URL.Path, r.TLS != nil)
	}))
	defer h.Close()
	client := hostsClient(t, h, authority.PEM)
	for _, tc := range []struct{ url, want string }{
		{"https://sts.eu-west-1.amazonaws.com/x", "sts.eu-west-1.amazonaws.com /x true"},
		{"https://sts.eu-west-1.amazonaws.com/again", "sts.eu-west-1.amazonaws.com /again true"},
		{"https://oidc.us-east-1.amazonaws.com/", "oidc.us-east-1.amazonaws.com / true"},
		{h.URL + "/one", h.URL[len("http://"):] + " /one false"},
	} {
		r, err := client.Get(tc.url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || string(body) != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.url, body, err, tc.want)
		}
	}
	other, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := hostsClient(t, h, other.PEM).Get("https://sts.eu-west-1.amazonaws.com/"); err == nil {
		_ = r.Body.Close()
		t.Error("another authority's certificates were taken")
	}
}
