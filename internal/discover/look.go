package discover

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// slowLogins is how many logins may be under way, for each thing that is done at once, after they have given up their turns.
const slowLogins = 4

// pair is one account in one region, and who reaches it.
type pair struct {
	account   string
	partition string
	region    string
	guessed   bool // the region comes from the partition's list; it may be disabled

	// Of the look that is under way.
	waiting  []*reach // who could read what is left
	working  bool     // somebody does
	tried    bool     // somebody has
	pending  []operation
	failures map[string]failure // by operation
	gathered *gathered

	reading reading
}

// failure is what the first profile that tried an operation got for it.
type failure struct {
	by  *reach
	err error
}

// look is a tour of all profiles: who they are, and what the accounts that they reach have in each region. An account
// and region is read as soon as one profile is known that reaches it, so that one which is slow, or waits for a
// person, holds up no other.
type look struct {
	*run
	turns  chan struct{} // one for each thing that is done at once
	slow   chan struct{} // one for each login that has given its turn up
	others crowd         // what the profiles that ask a person wait for
	wg     sync.WaitGroup

	mu         sync.Mutex // of what follows
	identified int
	tried      int // of pairs
	reached    []*reach
	pairs      map[string]*pair
	lists      map[string]*regionList // by account
}

// regionList is the list of an account's enabled regions.
type regionList struct {
	mu      sync.Mutex // held while one profile asks for it
	known   bool
	regions []string
}

// look gives the profiles that AWS knows and what was read, both in the order of profiles.
func (r *run) look(ctx context.Context) ([]*reach, []*pair) {
	l := &look{
		run: r, turns: make(chan struct{}, r.in.Parallel), slow: make(chan struct{}, slowLogins*r.in.Parallel), others: crowd{gone: make(chan struct{})},
		pairs: map[string]*pair{}, lists: map[string]*regionList{},
	}
	if len(r.in.Profiles) > 0 {
		l.tell(nil)
	}
	l.others.enter()
	l.visit(ctx, func(p Profile) bool { return !p.Asks })
	l.others.leave()
	select {
	case <-l.others.gone:
		l.visit(ctx, func(p Profile) bool { return p.Asks })
	case <-ctx.Done():
	}
	l.wg.Wait()
	slices.SortFunc(l.reached, func(a, b *reach) int { return a.place - b.place })
	pairs := make([]*pair, 0, len(l.pairs))
	for _, p := range l.pairs {
		pairs = append(pairs, p)
	}
	first := map[string]int{} // profile of each account
	for _, a := range slices.Backward(l.reached) {
		first[a.account] = a.place
	}
	slices.SortFunc(pairs, func(a, b *pair) int {
		return cmp.Or(first[a.account]-first[b.account], cmp.Compare(a.region, b.region))
	})
	for _, p := range pairs {
		r.close(ctx, p)
	}
	return l.reached, pairs
}

// visit begins with some of the profiles, one after the other.
func (l *look) visit(ctx context.Context, which func(Profile) bool) {
	for i, p := range l.in.Profiles {
		if !which(p) {
			continue
		}
		if !l.turn(ctx) {
			return
		}
		l.others.enter()
		l.wg.Go(func() {
			defer l.mayBeSlow(p)()
			a := l.identity(ctx, p)
			if a == nil {
				l.tell(func() { l.identified++ })
				return
			}
			a.place = i
			regions, guessed := l.regions(ctx, a)
			l.tell(func() {
				l.identified++
				l.reached = append(l.reached, a)
				for _, region := range regions {
					l.offer(ctx, a, region, guessed)
				}
			})
		})
	}
}

// mayBeSlow lets a login that takes long give its turn to the next one, and counts it as gone, so that nobody waits for
// it; end is to be called at its end. Those that ask a person keep their turns: one person gives one code after the other.
func (l *look) mayBeSlow(p Profile) (end func()) {
	leave := sync.OnceFunc(func() {
		<-l.turns
		l.others.leave()
	})
	if p.Asks {
		return leave
	}
	ended, slow := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(slow)
		select {
		case <-ended:
			return
		case <-time.After(l.in.Slow):
		}
		select {
		case <-ended:
		case l.slow <- struct{}{}: // else there are so many that it keeps its turn
			leave()
			<-ended
			<-l.slow
		}
	}()
	return func() {
		close(ended)
		<-slow
		leave()
	}
}

// turn waits for one; without one, ctx has ended.
func (l *look) turn(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case l.turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// tell notes something, and tells how far the look is.
func (l *look) tell(note func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if note != nil {
		note()
	}
	progress := Progress{Done: l.identified, Total: len(l.in.Profiles), What: "profiles"}
	if l.identified == len(l.in.Profiles) {
		progress = Progress{Done: l.tried, Total: len(l.pairs), What: "regions"}
	}
	l.progress(progress)
}

// offer says that a profile could read an account in a region. The caller holds the lock.
func (l *look) offer(ctx context.Context, a *reach, region string, guessed bool) {
	key := place(a.account, region)
	p := l.pairs[key]
	if p == nil {
		p = &pair{
			account: a.account, partition: a.partition, region: region, guessed: guessed,
			pending: slices.Clone(operations), failures: map[string]failure{},
		}
		p.gathered = newGathered(l.run, p)
		l.pairs[key] = p
	}
	p.guessed = p.guessed && guessed
	p.waiting = append(p.waiting, a)
	if p.working {
		return
	}
	p.working = true
	l.others.enter()
	l.wg.Go(func() {
		defer l.others.leave()
		l.work(ctx, p)
	})
}

// work reads an account and region with one profile after the other, until nothing is left to read or nobody to try.
func (l *look) work(ctx context.Context, p *pair) {
	for {
		l.mu.Lock()
		if len(p.waiting) == 0 || p.reading.full {
			p.waiting, p.working = nil, false
			l.mu.Unlock()
			return
		}
		by := p.waiting[0]
		p.waiting = p.waiting[1:]
		l.mu.Unlock()
		if !l.turn(ctx) {
			return
		}
		l.read(ctx, p, by)
		l.tell(func() {
			if !p.tried {
				p.tried = true
				l.tried++
			}
		})
		<-l.turns
	}
}

// regions are those where a profile is to look.
func (l *look) regions(ctx context.Context, a *reach) (regions []string, guessed bool) {
	if !l.in.AllRegions {
		return a.regions, false
	}
	l.mu.Lock()
	list := l.lists[a.account]
	if list == nil {
		list = &regionList{}
		l.lists[a.account] = list
	}
	l.mu.Unlock()
	list.mu.Lock()
	defer list.mu.Unlock()
	if !list.known {
		list.regions, list.known = l.enabledRegions(ctx, a)
	}
	if !list.known {
		return partitions[a.partition], true
	}
	return list.regions, false
}

// crowd counts what is under way.
type crowd struct {
	mu   sync.Mutex
	n    int
	gone chan struct{} // closed when there is nothing for the first time
	once sync.Once
}

func (c *crowd) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 {
		c.once.Do(func() { close(c.gone) })
	}
}
