package credentials

import (
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Client is one HTTP client for many providers, and for what is done with their credentials.
type Client struct {
	// HTTP is for [Options]. The SDK copies it for each service's client, without its connections.
	HTTP   *awshttp.BuildableClient
	shared aws.HTTPClient // the same, frozen: nothing copies it
}

// NewClient returns a client for so many calls at once.
func NewClient(parallel int) Client {
	const timeout = 3100 * time.Millisecond // as the SDK sets it (aws/defaults), unless the client is frozen
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = timeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout, t.MaxIdleConnsPerHost = timeout, parallel
		})
	return Client{client, client.Freeze()}
}

// Share has a configuration that a provider with this client returned use the connections of all
// others, unless the profile knows AWS by certificate authorities of its own (ca_bundle).
func (c Client) Share(cfg *aws.Config) {
	if cfg.HTTPClient == c.HTTP {
		cfg.HTTPClient = c.shared
	}
}
