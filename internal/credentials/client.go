package credentials

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Client is one HTTP client for many providers and for what is done with their credentials, so that
// they share connections; those that know AWS by other certificate authorities (ca_bundle) have one
// of their own. A nil Client is one that the SDK makes for each service.
type Client struct {
	build    *awshttp.BuildableClient // which the SDK copies for each service's client, without its connections
	shared   aws.HTTPClient           // the same, frozen: nothing copies it
	trusting sync.Map                 // aws.HTTPClient by the file with the authorities
}

// NewClient returns a client for so many calls at once.
func NewClient(parallel int) *Client {
	const timeout = 3100 * time.Millisecond // as the SDK sets it (aws/defaults), unless the client is frozen
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = timeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout, t.MaxIdleConnsPerHost = timeout, parallel
		})
	return &Client{build: client, shared: client.Freeze()}
}
