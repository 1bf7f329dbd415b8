package credentials

import (
	"context"
	"sync"
	"time"
)

// deadlineKey is the key of a context's nearest [deadline].
type deadlineKey struct{}

// deadline is a context with a time limit that can be paused.
type deadline struct {
	context.Context // the parent
	done            chan struct{}

	mu     sync.Mutex
	err    error         // once it is done
	timer  *time.Timer   // runs unless paused
	end    time.Time     // unless paused
	left   time.Duration // while paused
	pauses int           // that are under way
}

// WithTimeout is [context.WithTimeout] for what AWS takes: the time that a person takes, see
// [Pause], doesn't count.
func WithTimeout(parent context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	d := &deadline{Context: parent, done: make(chan struct{}), end: time.Now().Add(timeout)}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer = time.AfterFunc(timeout, d.expire)
	stop := context.AfterFunc(parent, func() { d.finish(parent.Err()) }) // which waits for the lock
	return d, func() {
		stop()
		d.finish(context.Canceled)
	}
}

// Pause stops the clocks of all of ctx's limits that [WithTimeout] has set, until resume is called.
func Pause(ctx context.Context) (resume func()) {
	var paused []*deadline
	for {
		d, ok := ctx.Value(deadlineKey{}).(*deadline)
		if !ok {
			break
		}
		d.pause()
		paused = append(paused, d)
		ctx = d.Context
	}
	return sync.OnceFunc(func() {
		for _, d := range paused {
			d.resume()
		}
	})
}

// unhidden returns a context that ends with ctx's limit, too: [aws.CredentialsCache] hides the end
// of a context from its provider, but not what is in it.
func unhidden(ctx context.Context) (context.Context, context.CancelFunc) {
	whole, cancel := context.WithCancel(ctx)
	if d, ok := ctx.Value(deadlineKey{}).(*deadline); ok {
		stop := context.AfterFunc(d, cancel)
		return whole, func() { stop(); cancel() }
	}
	return whole, cancel
}

func (d *deadline) pause() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pauses++; d.pauses == 1 {
		d.timer.Stop()
		d.left = time.Until(d.end)
	}
}

func (d *deadline) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pauses--; d.pauses == 0 && d.err == nil {
		d.end = time.Now().Add(d.left)
		d.timer = time.AfterFunc(d.left, d.expire)
	}
}

func (d *deadline) expire() {
	d.mu.Lock()
	early := d.pauses > 0 || time.Now().Before(d.end) // a pause came between
	d.mu.Unlock()
	if !early {
		d.finish(context.DeadlineExceeded)
	}
}

func (d *deadline) finish(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	d.err = err
	d.timer.Stop()
	close(d.done)
}

// Deadline implements [context.Context]. What it returns may be put off by a pause.
func (d *deadline) Deadline() (time.Time, bool) {
	d.mu.Lock()
	end := d.end
	if d.pauses > 0 {
		end = time.Now().Add(d.left)
	}
	d.mu.Unlock()
	if parent, ok := d.Context.Deadline(); ok && parent.Before(end) {
		end = parent
	}
	return end, true
}

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} { return d.done }

// Err implements [context.Context].
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Value implements [context.Context].
func (d *deadline) Value(key any) any {
	if key == (deadlineKey{}) {
		return d
	}
	return d.Context.Value(key)
}
