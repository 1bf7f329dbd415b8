// The scan of all profiles: who they are, and what their accounts have in each region.

package discover

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"mysql-secret-store-rds/internal/server"
)

// scan is a scan under way. An account and region is read as soon as one caller is known that
// reaches it, so that a profile which is slow, or waits for a person, holds up no other.
type scan struct {
	*run
	slots      *Slots         // one for each login or read; who logs in slowly no longer counts as active
	wg         sync.WaitGroup // of all logins and reads
	othersDone func()         // called when the profiles that ask nobody are through

	// Guarded by run.mu:
	active     int // logins and reads under way, without the slow logins
	identified int // profiles
	tried      int // accounts and regions
	callers    []*caller
	regions    map[regionKey]*accountRegion
	enabled    map[string]*regionList // by account
}

// scan returns the profiles that AWS knows and what was read, both in the order of profiles.
func (r *run) scan(ctx context.Context) ([]*caller, []*accountRegion) {
	others, othersDone := context.WithCancel(ctx)
	defer othersDone()
	s := &scan{
		run: r, slots: NewSlots(r.in.Parallel, r.in.SlowLogin), othersDone: othersDone,
		regions: map[regionKey]*accountRegion{}, enabled: map[string]*regionList{},
	}
	if len(r.in.Profiles) > 0 {
		s.update(func() {})
	}
	s.begin()
	s.loginAll(ctx, false)
	s.end()
	<-others.Done()
	s.loginAll(ctx, true)
	s.wg.Wait()
	return s.results(ctx)
}

// results returns what the scan has found, and notes what nobody could read.
func (s *scan) results(ctx context.Context) ([]*caller, []*accountRegion) {
	slices.SortFunc(s.callers, func(a, b *caller) int { return a.order - b.order })
	first := map[string]int{} // order of each account's first caller
	for _, c := range slices.Backward(s.callers) {
		first[c.account] = c.order
	}
	scanned := slices.SortedFunc(maps.Values(s.regions), func(a, b *accountRegion) int {
		return cmp.Or(first[a.account]-first[b.account], cmp.Compare(a.region, b.region))
	})
	for _, ar := range scanned {
		if !ar.full {
			s.finish(ar)
			s.reportFailures(ctx, ar)
		}
	}
	return s.callers, scanned
}

// begin counts a login or read as active.
func (s *scan) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active++
}

// end is called at its end.
func (s *scan) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active--; s.active == 0 {
		s.othersDone()
	}
}

// update notes something, and tells how far the scan is.
func (s *scan) update(note func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	note()
	if s.identified < len(s.in.Profiles) {
		s.progress(Progress{Done: s.identified, Total: len(s.in.Profiles), What: "profiles"})
	} else {
		s.progress(Progress{Done: s.tried, Total: len(s.regions), What: "regions"})
	}
}

// loginAll begins with the profiles that may ask a person for a code, or with the others, one after
// the other as slots get free.
func (s *scan) loginAll(ctx context.Context, mfa bool) {
	for i, p := range s.in.Profiles {
		if p.MFA != mfa {
			continue
		}
		if s.slots.Acquire(ctx) != nil {
			return
		}
		s.begin()
		s.wg.Go(func() {
			defer s.slots.Hold(ctx, p.MFA, s.end)()
			s.login(ctx, i, p)
		})
	}
}

// login identifies a profile and queues it for all that it is to read.
func (s *scan) login(ctx context.Context, order int, p Profile) {
	c := s.identify(ctx, p)
	if c == nil {
		s.update(func() { s.identified++ })
		return
	}
	c.order = order
	regions, guessed := c.regions, false
	if s.in.AllRegions {
		regions, guessed = s.allRegions(ctx, c)
	}
	s.update(func() {
		s.identified++
		s.callers = append(s.callers, c)
		for _, region := range regions {
			s.queue(ctx, c, region, guessed)
		}
	})
}

// allRegions returns the regions that a caller's account has enabled; guessed is true when they
// can't be known and are those of the partition.
func (s *scan) allRegions(ctx context.Context, c *caller) (regions []string, guessed bool) {
	s.mu.Lock()
	list := s.enabled[c.account]
	if list == nil {
		list = &regionList{}
		s.enabled[c.account] = list
	}
	s.mu.Unlock()
	if regions, known := list.get(ctx, c.config, s.in.Timeout); known {
		// A text that is no region's name would become part of a host's.
		foreign := func(region string) bool { return server.Partition(region) != c.partition }
		return slices.DeleteFunc(slices.Clone(regions), foreign), false
	}
	return partitions[c.partition], true
}

// queue adds a caller to those who could read an account in a region, and begins to read if nobody
// does. The caller of queue holds the lock.
func (s *scan) queue(ctx context.Context, c *caller, region string, guessed bool) {
	key := regionKey{c.account, region}
	ar := s.regions[key]
	if ar == nil {
		ar = &accountRegion{
			listing: newListing(key, c.partition, s.in.Timeout, s.in.Now), guessed: true,
			pending: slices.Clone(operations), failures: map[string]failure{},
		}
		s.regions[key] = ar
	}
	ar.guessed = ar.guessed && guessed
	ar.callers = append(ar.callers, c)
	if ar.reading {
		return
	}
	ar.reading = true
	s.active++
	s.wg.Go(func() {
		defer s.end()
		s.readAll(ctx, ar)
	})
}

// readAll reads an account and region with one caller after the other.
func (s *scan) readAll(ctx context.Context, ar *accountRegion) {
	for c := s.next(ar); c != nil; c = s.next(ar) {
		if s.slots.Acquire(ctx) != nil {
			return
		}
		s.read(ctx, ar, c)
		s.update(func() {
			if !ar.tried {
				ar.tried = true
				s.tried++
			}
		})
		s.slots.Release()
	}
}

// next returns the next caller in an account and region's queue; nil when there is none, or nothing
// left to read.
func (s *scan) next(ar *accountRegion) *caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ar.callers) == 0 || ar.full {
		ar.callers, ar.reading = nil, false
		return nil
	}
	c := ar.callers[0]
	ar.callers = ar.callers[1:]
	return c
}
