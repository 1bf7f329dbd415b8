package credentials

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os/exec"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
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

// boundedProcess runs a credential_process as the SDK does, but for what it says, which the SDK
// would keep however much it is, and for children that it leaves behind, for which the SDK would
// wait.
type boundedProcess struct {
	processcreds.NewCommandBuilder
	full func() // called when it is too much
}

func (b boundedProcess) NewCommand(ctx context.Context) (*exec.Cmd, error) {
	cmd, err := b.NewCommandBuilder.NewCommand(ctx)
	if err == nil {
		cmd.WaitDelay = endProcess // a child that it leaves behind may keep its stdout
		cmd.Stdout = &disk.Limited{Limit: maxProcess, OnFull: func() {
			b.full()
			_ = cmd.Process.Kill() // it may go on without a reader
		}}
	}
	return cmd, err
}

// bounded returns a provider that runs the source's credential_process with a limit on its output,
// if that is what the SDK has put together; else ok is false.
func (p *Provider) bounded(
	sdks aws.CredentialsProvider, options func(*processcreds.Options),
) (_ aws.CredentialsProvider, ok bool) {
	if p.set == nil || !aws.IsCredentialsProvider(sdks, (*processcreds.Provider)(nil)) {
		return sdks, false
	}
	_, name := p.source.effective()
	run := processcreds.DefaultNewCommandBuilder{Args: []string{p.set.Setting(name, "credential_process")}}
	return aws.NewCredentialsCache(processcreds.NewProviderCommand(
		boundedProcess{run, func() { p.tooMuch.Store(true) }}, options)), true
}

// boundedClient is [Provider.bounded] for what a role is assumed with.
func (p *Provider) boundedClient(
	client stscreds.AssumeRoleAPIClient, options func(*processcreds.Options),
) stscreds.AssumeRoleAPIClient {
	sdks, ok := client.(*sts.Client)
	if !ok {
		return client
	}
	o := sdks.Options()
	if o.Credentials, ok = p.bounded(o.Credentials, options); !ok {
		return client
	}
	return sts.New(o)
}
