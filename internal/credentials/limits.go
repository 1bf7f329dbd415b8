package credentials

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mysql-secret-store-rds/internal/disk"
)

const (
	// maxAnswer is much more than a page of a hundred servers has, in bytes.
	maxAnswer = 4 << 20
	// maxProcess is much more than credentials are.
	maxProcess = 1 << 20
)

// maxHops is how many redirects are followed; AWS's services make none, and the SDK follows them
// without an end.
const maxHops = 5

var errRedirects = errors.New("AWS: it redirects in a circle")

// limitAnswers makes an SDK client refuse answers of more than [maxAnswer], which it would read
// whole, and more redirects than [maxHops].
func limitAnswers(s *middleware.Stack) error {
	limit := middleware.DeserializeMiddlewareFunc("LimitAnswer", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		ctx, circle := limitHops(ctx)
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if circle() {
			return out, metadata, errRedirects
		}
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response != nil && response.Body != nil {
			response.Body = &answer{ReadCloser: response.Body, left: maxAnswer}
		}
		return out, metadata, err
	})
	return s.Deserialize.Add(limit, middleware.After)
}

// limitHops ends what is done with the context when it takes more than maxHops redirects; circle
// reports whether it did.
func limitHops(ctx context.Context) (limited context.Context, circle func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	var requests atomic.Int32
	trace := &httptrace.ClientTrace{GetConn: func(string) {
		if requests.Add(1) > maxHops {
			cancel()
		}
	}}
	return httptrace.WithClientTrace(ctx, trace), func() bool { return requests.Load() > maxHops }
}

// answer is a body that may have so many bytes more.
type answer struct {
	io.ReadCloser
	left int64
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if a.left -= int64(n); a.left < 0 {
		return 0, &disk.TooLargeError{What: "the answer", Limit: maxAnswer}
	}
	return n, err
}

// limited is an HTTP client with that limit, for those of the SDK's clients that have no such
// stack.
type limited struct{ aws.HTTPClient }

func (l limited) Do(r *http.Request) (*http.Response, error) {
	response, err := l.HTTPClient.Do(r)
	if response != nil && response.Body != nil {
		response.Body = &answer{ReadCloser: response.Body, left: maxAnswer}
	}
	return response, err
}
