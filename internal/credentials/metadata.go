package credentials

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// firstAnswer bounds the first question to the EC2 metadata service, which takes two requests of
// at most half a second each (the SDK's own limit): on EC2 they are answered in milliseconds,
// elsewhere nobody answers at all. In a container behind a hop limit of 1 the first one goes
// unanswered, and the SDK falls back to IMDSv1.
const firstAnswer = 1200 * time.Millisecond

// metadata is the EC2 metadata service, asked in a way that ends soon where there is none. The
// SDK's own client tries again and again for 4 to 5 seconds.
type metadata struct {
	cfg     aws.Config
	machine machine

	once   sync.Once
	client *imds.Client
}

// noMetadataError marks that the search for credentials ended at the metadata service, its last
// resort, and found nothing there.
type noMetadataError struct{ err error }

func (e *noMetadataError) Error() string { return e.err.Error() }
func (e *noMetadataError) Unwrap() error { return e.err }

// GetMetadata implements ec2rolecreds.GetMetadataAPIClient.
func (m *metadata) GetMetadata(
	ctx context.Context, in *imds.GetMetadataInput, options ...func(*imds.Options),
) (*imds.GetMetadataOutput, error) {
	m.once.Do(func() {
		m.client = imds.NewFromConfig(m.cfg, func(o *imds.Options) {
			m.machine.set(o)
			// Try again after an answer that asks for it, never after silence.
			o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
				s.MaxBackoff = 100 * time.Millisecond
				s.Retryables = []retry.IsErrorRetryable{
					retry.NoRetryCanceledError{},
					retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{429: {}, 500: {}, 502: {}, 503: {}, 504: {}}},
					retry.RetryableError{},
				}
			})
			o.DisableDefaultMaxBackoff = true
		})
	})
	// The list of roles is asked for first; its path ends with a slash, a role's doesn't.
	if !strings.HasSuffix(in.Path, "/") {
		// Somebody is there, so that silence is worth another question, as the SDK has it.
		return m.client.GetMetadata(ctx, in, append(options, func(o *imds.Options) {
			o.Retryer = retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Second)
		})...)
	}
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	out, err := m.client.GetMetadata(ctx, in, options...)
	if err != nil {
		cancel()
		return nil, &noMetadataError{err}
	}
	// The body is still to be read under ctx.
	time.AfterFunc(firstAnswer, cancel)
	return out, nil
}

// set says where the metadata service is asked.
func (m machine) set(o *imds.Options) {
	o.Endpoint = m.Endpoint
	if m.Off {
		o.ClientEnableState = imds.ClientDisabled
	}
	if m.V1Off {
		o.EnableFallback = aws.FalseTernary
	}
	_ = o.EndpointMode.SetFromString(m.EndpointMode) // what it doesn't know means IPv4
}
