package discover

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// slowOnes is how many may go on without a slot, for each slot that there is.
const slowOnes = 4

// Slots bound how many are asked at once, so that those that take long hold up nobody.
type Slots struct {
	quick, slow *semaphore.Weighted
	late        time.Duration
}

// NewSlots returns so many slots. What goes on for longer than late gives its slot up.
func NewSlots(n int, late time.Duration) *Slots {
	return &Slots{semaphore.NewWeighted(int64(n)), semaphore.NewWeighted(int64(slowOnes * n)), late}
}

// Acquire waits for a slot; an error is ctx's end.
func (s *Slots) Acquire(ctx context.Context) error { return s.quick.Acquire(ctx, 1) }

// Release gives back a slot that isn't held by Hold.
func (s *Slots) Release() { s.quick.Release(1) }

// Hold returns the function that ends what a slot was acquired for. Then, or before if it takes
// long, within bounds, the slot is given back and released is called, once. What waits for a person
// keeps its slot: one person gives one answer after the other.
func (s *Slots) Hold(ctx context.Context, person bool, released func()) (end func()) {
	release := sync.OnceFunc(func() {
		s.Release()
		released()
	})
	if person {
		return release
	}
	holding, ended := context.WithCancel(ctx)
	slow := time.AfterFunc(s.late, func() {
		if s.slow.Acquire(holding, 1) != nil {
			return // it has ended before there were few enough slow ones
		}
		release()
		<-holding.Done()
		s.slow.Release(1)
	})
	return func() {
		slow.Stop()
		ended()
		release()
	}
}
