package credentials

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// MaxSkew is how far this machine's clock may be from AWS's: RDS and STS refuse signatures that are
// more than 5 minutes off (IAM user guide, "Elements of an AWS API request signature").
const MaxSkew = 4 * time.Minute

// ClockError is a clock that is too far from AWS's for a signature to be accepted.
type ClockError struct{ Ahead time.Duration } // negative: behind

func (e *ClockError) Error() string {
	way := "ahead of"
	if e.Ahead < 0 {
		way = "behind"
	}
	return fmt.Sprintf("this machine's clock is %v %s AWS's, which refuses what is signed more than 5 minutes off",
		e.Ahead.Abs().Round(time.Second), way)
}

// clock notes what time it is where AWS answers.
type clock struct{ ahead atomic.Int64 }

// options add the noting to an SDK client. The SDK itself corrects its requests by what it sees
// in the same header; that doesn't help a token, which RDS checks against its own clock.
func (c *clock) options() []func(*middleware.Stack) error {
	note := middleware.DeserializeMiddlewareFunc("NoteClock",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
			middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response != nil {
				if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
					c.ahead.Store(int64(time.Since(date)))
				}
			}
			return out, metadata, err
		})
	add := func(s *middleware.Stack) error { return s.Deserialize.Add(note, middleware.After) }
	return []func(*middleware.Stack) error{add}
}

// wrong returns a [*ClockError] if AWS's answers say so.
func (c *clock) wrong() error {
	if ahead := time.Duration(c.ahead.Load()); ahead.Abs() > MaxSkew {
		return &ClockError{ahead}
	}
	return nil
}
