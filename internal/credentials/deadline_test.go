package credentials

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestPauseStopsTheClock: a person's time counts for none of the limits around a question.
func TestPauseStopsTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outer, cancel := WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		between, stop := context.WithCancel(outer)
		defer stop()
		inner, end := WithTimeout(between, 5*time.Second)
		defer end()
		time.Sleep(4 * time.Second)
		resume := Pause(inner)
		again := Pause(inner) // somebody else asks, too
		time.Sleep(time.Minute)
		resume()
		resume()
		time.Sleep(time.Minute)
		again()
		time.Sleep(999 * time.Millisecond)
		if inner.Err() != nil {
			t.Fatal("over, 4.999 s of 5 s after the beginning")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if err := inner.Err(); !errors.Is(err, context.DeadlineExceeded) || outer.Err() != nil {
			t.Errorf("after 5.001 s: %v, and around it %v", err, outer.Err())
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if err := between.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after 20.001 s: %v", err)
		}
	})
}

// TestPauseDoesNotOutliveCtrlC: a limit that is paused ends with its parent, and tells no deadline
// that is past.
func TestPauseDoesNotOutliveCtrlC(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent, interrupt := context.WithCancel(t.Context())
		ctx, cancel := WithTimeout(parent, time.Second)
		defer cancel()
		resume := Pause(ctx)
		defer resume()
		time.Sleep(time.Minute)
		if at, ok := ctx.Deadline(); !ok || time.Until(at) != time.Second {
			t.Errorf("a second is left, and it says %v", time.Until(at))
		}
		interrupt()
		synctest.Wait()
		if ctx.Err() != context.Canceled {
			t.Errorf("after Ctrl-C: %v", ctx.Err())
		}
	})
}
