// The question, put to many profiles at once.

package learn

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/discover"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

const (
	// parallel is how many profiles are asked at once.
	parallel = 32
	// slow is when a profile counts as slow: nobody waits for it any more, except at the end.
	slow = time.Second
	// keepTime is how long another process may write the inventory.
	keepTime = time.Second
	// grace is how long the one who signs where nobody knows better is waited for, when another
	// profile has the server: as long as an answer takes.
	grace = 500 * time.Millisecond
)

// asking is one question under way.
type asking struct {
	Question
	Options
	identity string // of the AWS files and the environment, on which all answers depend
	state    string // stands for all that the profiles' answers depend on
	client   *credentials.Client
	known    []inventory.Account
	groups   []*group
	// preferred is the profile of AWS_PROFILE, unless it is known already that it hasn't the server.
	preferred *target
	signer    *target   // the one of Question.Signer, if it is to be asked first
	changed   time.Time // when the AWS files were last written
	letGo     func()    // of the lock
	slots     *discover.Slots
	wg        sync.WaitGroup // of all that are being asked

	mu      sync.Mutex // of what follows, and of targets and groups
	answers []Answer
	ids     map[string]string // of accounts in the server's region, by number
	asked   map[string]string // the profile that has answered for an account, by number
	learned []discover.Learned
	owner   *target // the one that has the server
	won     func()  // ends the asking of all others
	over    bool    // it has been ended, and the owner stays
	waiting bool    // for the signer, within the time of grace
	stopped string  // why nobody else is asked who needs a code, or ""
}

func newAsking(q Question, o Options) *asking {
	o.Limit = cmp.Or(o.Limit, DefaultLimit)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &asking{
		Question: q, Options: o, identity: stamp.Identity(), client: credentials.NewClient(parallel),
		slots: discover.NewSlots(parallel, slow),
		ids:   map[string]string{}, asked: map[string]string{},
	}
}

func (a *asking) files() (*profiles.Set, error) { return a.Set, nil }

func (a *asking) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return credentials.WithTimeout(ctx, a.Limit)
}

// run asks until somebody has the server, or everybody has answered. inTime is ctx with the limit.
func (a *asking) run(ctx, inTime context.Context) Report {
	// Its own limit, and not only a context's end, reaches those who wait for a person.
	probing, cancel := a.limit(inTime)
	defer cancel()
	a.won = cancel
	if a.decided(probing) {
		if a.winner() == nil && ctx.Err() == nil {
			a.noteNobody(a.person())
		}
		return a.report(ctx, inTime)
	}
	a.ask(probing, a.with(nothing), nothing)
	if a.winner() == nil && probing.Err() == nil {
		a.doubt()
		a.ask(probing, a.with(nothing), nothing)
	}
	sessions, codes := a.withPerson()
	if len(sessions)+len(codes) > 0 && probing.Err() == nil {
		a.noteNobody(false)
		a.letGo() // nobody else waits for a person's answer
	}
	if len(sessions) > 0 && sessions[0].targets[0].profile == a.Signer { // no other login may be needed
		a.ask(probing, sessions[:1], login)
	}
	a.ask(probing, sessions, login)
	for _, g := range codes {
		a.ask(probing, []*group{g}, code)
	}
	a.waitForSlow(probing)
	if a.winner() == nil && ctx.Err() == nil {
		a.noteNobody(a.person())
	}
	return a.report(ctx, inTime)
}

// decided asks the profile of AWS_PROFILE, which signs where nobody knows better, and reports whether
// nobody else is to be asked: not, if it says that its account hasn't the server. Nor is a person, who
// will be when it signs.
func (a *asking) decided(ctx context.Context) bool {
	t := a.preferred
	if t == nil {
		return false
	}
	alone := &group{targets: []*target{t}}
	if t.needs == nothing {
		a.ask(ctx, []*group{alone}, nothing)
		a.waitForSlow(ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	hasNot := a.answers[t.at].Said == HasNot
	for _, g := range a.groups {
		g.answered = g.answered || hasNot && slices.Contains(g.targets, t)
		for _, other := range g.targets {
			if !hasNot && other != t && a.owner == nil {
				a.answers[other.at].set(NoNeed, "AWS_PROFILE says who signs", "")
			}
		}
	}
	return !hasNot
}

// person reports whether there is one to be asked for anything.
func (a *asking) person() bool { return a.Code != nil || a.Login != nil }

// withPerson returns the groups that can be asked once a person has logged in, or typed a code.
func (a *asking) withPerson() (sessions, codes []*group) {
	if a.Login != nil {
		sessions = a.with(login)
	}
	if a.Code != nil {
		codes = a.with(code)
	}
	return sessions, codes
}

// with returns the groups that have no answer yet, and a profile that needs so much of a person.
func (a *asking) with(needs need) []*group {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []*group
	for _, g := range a.groups {
		wanted := func(t *target) bool { return t.needs == needs }
		if !g.answered && !g.doubtful && slices.ContainsFunc(g.targets, wanted) {
			list = append(list, g)
		}
	}
	return list
}

// doubt has those be asked whose account was another one, and may have changed.
func (a *asking) doubt() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.groups {
		if g.doubtful {
			t := g.targets[0]
			g.doubtful, a.answers[t.at] = false, Answer{Profile: t.profile}
		}
	}
}

// ask asks the profiles of groups that need so much of a person whether they have the server, and
// then, if nobody has, those who have answered for any server of their account.
func (a *asking) ask(ctx context.Context, groups []*group, needs need) {
	round(a, ctx, groups, needs != nothing, func(g *group) { a.askGroup(ctx, g, needs) })
	round(a, ctx, a.unlisted(), needs != nothing, func(t *target) { a.list(ctx, t) })
}

// round does something for each of a list, so many at once. It returns when all are through but
// those that are slow, or when ctx ends. Who waits for a person isn't slow.
func round[T any](a *asking, ctx context.Context, list []T, person bool, do func(T)) {
	var quick sync.WaitGroup
	for _, one := range list {
		if ctx.Err() != nil || a.slots.Acquire(ctx) != nil {
			break
		}
		quick.Add(1)
		a.wg.Go(func() {
			defer a.slots.Hold(ctx, person, quick.Done)()
			do(one)
		})
	}
	wait(ctx, &quick)
}

// wait waits for a group, or ctx's end.
func wait(ctx context.Context, wg *sync.WaitGroup) {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// waitForSlow waits for those that are slow, and asks them for any server if they have answered.
func (a *asking) waitForSlow(ctx context.Context) {
	for again := true; again && ctx.Err() == nil; {
		wait(ctx, &a.wg)
		list := a.unlisted()
		round(a, ctx, list, false, func(t *target) { a.list(ctx, t) })
		again = len(list) > 0
	}
}

// askGroup asks the profiles of an account until one of them answers.
func (a *asking) askGroup(ctx context.Context, g *group, needs need) {
	for ctx.Err() == nil {
		t := a.next(g, needs)
		if t == nil {
			return
		}
		if answered := a.probe(ctx, t, needs); answered {
			a.mu.Lock()
			g.answered = true
			a.mu.Unlock()
		}
	}
}

// next returns the next profile of an account that needs so much of a person; nil when there is
// none, or one has answered.
func (a *asking) next(g *group, needs need) *target {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range g.targets {
		if needs == code && a.stopped != "" {
			break
		}
		if !g.answered && t.needs == needs && !t.tried[needs] {
			t.tried[needs] = true
			return t
		}
	}
	return nil
}

// probe asks one profile whether it has the server, and reports whether it answered.
func (a *asking) probe(ctx context.Context, t *target, needs need) (answered bool) {
	if t == a.signer {
		defer a.signerIsThrough()
	}
	if a.refusedBefore(t) {
		return false
	}
	p := a.provider(t, needs)
	cfg, err := p.Config(ctx)
	var keys aws.Credentials
	if err == nil {
		keys, err = a.keys(ctx, p, &cfg)
		a.noKeys(t, err)
	}
	if err != nil {
		a.failed(ctx, t, p, err)
		return false
	}
	if known := a.setAccount(t, keys.AccountID); known != "" {
		a.answer(t, NoNeed, known, "")
		return true
	}
	sight, err := discover.Look(ctx, cfg, a.Endpoint, t.region, time.Now())
	if err != nil && isExpired(p.Explain(ctx, err)) && p.Forget() {
		if _, err = a.keys(ctx, p, &cfg); err == nil {
			sight, err = discover.Look(ctx, cfg, a.Endpoint, t.region, time.Now())
		}
	}
	if err != nil {
		a.failed(ctx, t, p, err)
		return false
	}
	a.seen(t, sight, p)
	return true
}

// noKeys keeps why the credentials couldn't be had, if nobody can help, and more time is of no use.
func (a *asking) noKeys(t *target, err error) {
	for _, other := range []error{credentials.ErrSSOLogin, credentials.ErrNoTerminal, credentials.ErrNoCode,
		credentials.ErrAskedElsewhere, credentials.ErrTimeout, credentials.ErrInterrupted} {
		if errors.Is(err, other) {
			return
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[t.at].failure = err
}

// isExpired reports whether AWS says that kept credentials are over before their time.
func isExpired(err error) bool {
	api, ok := errors.AsType[*credentials.APIError](err)
	return ok && strings.HasPrefix(api.Code, "ExpiredToken")
}

// keys has cfg use a profile's credentials as they are now: asked for here, and once, they end with
// ctx.
func (a *asking) keys(ctx context.Context, p *credentials.Provider, cfg *aws.Config) (aws.Credentials, error) {
	keys, err := p.Retrieve(ctx)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, err })
	return keys, err
}

// setAccount notes the account that the credentials are of, if they say so. It returns why that
// needs no question, or "".
func (a *asking) setAccount(t *target, number string) string {
	if !server.IsAccountNumber(number) {
		return ""
	}
	a.mu.Lock()
	t.account, a.answers[t.at].Account = number, number
	other := a.asked[number]
	a.mu.Unlock()
	if other != "" {
		return sameAccount(other)
	}
	return a.otherID(number, t.region)
}

// seen notes what a profile has seen of its account: the first who has the server is the winner.
func (a *asking) seen(t *target, s *discover.Sight, p *credentials.Provider) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.sight, t.provider = s, p
	if s.Account != "" {
		t.account = s.Account
		a.answers[t.at].Account = s.Account
	}
	if a.over {
		return // its answer came too late
	}
	if s.Has {
		a.answers[t.at].set(HasIt, "", "")
		if a.owner == nil || t == a.signer {
			a.owner = t
		}
		a.settle()
		return
	}
	a.answers[t.at].set(HasNot, "", "")
	if t.account != "" {
		a.asked[t.account] = t.profile
	}
	if len(s.HostIDs) == 0 || t.account == "" || a.Endpoint.Kind == server.GlobalWriter {
		return
	}
	if a.ids[t.account] == "" {
		a.learned = append(a.learned, discover.Learned{
			Profile: t.profile, Account: t.account, Partition: s.Partition, Region: s.Region, HostIDs: s.HostIDs,
			Why: "it was asked for " + a.Endpoint.Host + ", and has other servers",
		})
	}
	a.ids[t.account] = s.HostIDs[0]
	a.answers[t.at].Why = "its account has the id " + s.HostIDs[0] + " in " + s.Region
}

// settle ends the asking if somebody has the server. Who signed for it until now, without a word, is
// let go on if its answer comes in time. The caller holds the lock.
func (a *asking) settle() {
	s := a.signer
	switch {
	case a.owner == nil || a.over:
	case s == nil || s == a.owner || s.through:
		a.over = true
		a.won()
	case !a.waiting:
		a.waiting = true
		time.AfterFunc(grace, a.signerIsThrough)
	}
}

// signerIsThrough ends the waiting for the signer.
func (a *asking) signerIsThrough() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.signer.through = true
	a.settle()
}

// unlisted returns the profiles that have answered, and whose account's id is still not known.
func (a *asking) unlisted() []*target {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []*target
	if a.owner != nil || a.Endpoint.Kind == server.GlobalWriter {
		return nil
	}
	for _, g := range a.groups {
		for _, t := range g.targets {
			if t.sight != nil && len(t.sight.HostIDs) == 0 && !t.listed {
				t.listed = true
				list = append(list, t)
			}
		}
	}
	return list
}

// list asks a profile for any server of its account: one that was created a minute ago may not be
// known everywhere, and the account's id is enough.
func (a *asking) list(ctx context.Context, t *target) {
	s := *t.sight
	if err := s.List(ctx); err != nil {
		if ctx.Err() == nil {
			a.Log.Warn("no other server of the account is known", "profile", t.profile,
				"reason", t.provider.Explain(ctx, err))
		}
		return
	}
	a.seen(t, &s, t.provider)
}

// winner returns the profile that has the server, or nil.
func (a *asking) winner() *target {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owner
}

// report is what came of it. What was learned is kept.
func (a *asking) report(ctx, inTime context.Context) Report {
	r := Report{Answers: a.said(ctx)}
	a.mu.Lock()
	owner, learned := a.owner, slices.Clone(a.learned)
	for i, one := range r.Answers {
		r.Answers[i].elsewhere = a.hasOtherID(one.Account)
	}
	a.mu.Unlock()
	if owner != nil {
		mine := a.complete(inTime, owner)
		r.Found, r.Server = true, mine.Server
		r.Account = inventory.Account{
			Number: mine.Account, Region: mine.Region, Partition: mine.Partition, Profile: mine.Profile,
			Profiles: append([]string{mine.Profile}, mine.Others...), Why: mine.Why, Seen: time.Now(),
		}
		if len(mine.HostIDs) > 0 {
			r.Account.HostID = mine.HostIDs[0]
		}
		learned = append(learned, mine)
	}
	a.keep(ctx, learned)
	return r
}

// complete asks for what one call hasn't told of the server.
func (a *asking) complete(ctx context.Context, t *target) discover.Learned {
	srv, found, err := t.sight.Complete(ctx)
	if err != nil {
		a.Log.Warn("not all is known of the server", "profile", t.profile, "reason", t.provider.Explain(ctx, err))
	}
	one := discover.Learned{
		Profile: t.profile, Account: t.account, Partition: t.sight.Partition, Region: t.sight.Region,
		HostIDs: t.sight.HostIDs, Why: "it has " + a.Endpoint.Host + ", and was asked when that was first used",
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.groups {
		for _, other := range g.targets {
			if other != t && other.account == t.account && t.account != "" && a.answers[other.at].Said != Refused {
				one.Others = append(one.Others, other.profile)
			}
		}
	}
	if found {
		srv.Profile = t.profile
		one.Server = srv
	}
	return one
}

// keep writes what was learned into the inventory. Where that isn't possible, it is learned again.
func (a *asking) keep(ctx context.Context, learned []discover.Learned) {
	if len(learned) == 0 {
		return
	}
	// The answer is there, and what it cost isn't to be wasted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if err := discover.Keep(ctx, a.Path, time.Now(), a.Assigned, learned); err != nil {
		a.Log.Warn("what was learned of the server is not kept", "reason", err)
	}
}
