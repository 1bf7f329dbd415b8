package password

import (
	"context"
	"errors"
	"sync"
	"time"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/learn"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/stamp"
)

// job is one request under way.
type job struct {
	*Engine
	req     Request
	now     stamp.Stamp
	res     resolve.Resolution
	files   func() (*profiles.Set, error) // the AWS configuration, read once
	asked   *learn.Report                 // when AWS was asked whose the server is
	haveOld bool                          // a token that isn't young, and good for when no new one can be had
	warned  bool                          // of an entry that can't be trusted
	// unresolved is what is missing for res, if AWS may know it.
	unresolved error
}

func (e *Engine) job(req Request) *job {
	return &job{Engine: e, req: req, now: stamp.Now(e.file), files: sync.OnceValues(func() (*profiles.Set, error) {
		return profiles.Load(profiles.Default())
	})}
}

// kept reads the cache; what is there but not to be trusted is logged.
func (j *job) kept() (cache.Entry, bool) {
	kept, err := j.Cache.Get(j.req.ID)
	if err != nil && err != cache.ErrAbsent && !j.warned {
		j.Log.Warn("cache entry not used", "reason", err)
		j.warned = true
	}
	return kept, err == nil
}

// hit returns the kept token, if it is young and what would be signed now.
func (j *job) hit() (cache.Entry, bool) {
	kept, have := j.old()
	return kept, have && kept.Young(time.Now())
}

// old returns the kept token, if it is what would be signed now, as long as it is good at all.
func (j *job) old() (cache.Entry, bool) {
	kept, have := j.kept()
	return kept, have && kept.SignedFor(j.res.Target, j.now, time.Now())
}

// renewLimit is how long a new token may take while an older one is good: long enough for AWS.
const renewLimit = 3 * time.Second

// signOnce signs, one process at a time for each Server URL; the others wait for what that one
// keeps. An older token that is still good is used when that fails.
func (j *job) signOnce(ctx context.Context) (Answer, error) {
	_, j.haveOld = j.old()
	if j.haveOld {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, renewLimit)
		defer cancel()
	}
	a, err := j.signLocked(ctx)
	if _, off := errors.AsType[*OffError](err); err == nil || off {
		return a, err
	}
	if old, have := j.old(); have {
		j.Log.Warn("an older token is handed out, as there is no new one", "reason", advice.Of(ForLog(err)).Text)
		return j.answer(old, "cached token"), nil
	}
	return a, err
}

func (j *job) signLocked(ctx context.Context) (Answer, error) {
	var hit cache.Entry
	enough := j.enough(ctx)
	leave := false // the lock to who has it
	unlock, err := j.Cache.Lock(ctx, j.req.ID, func() (ok bool) {
		if hit, ok = j.hit(); !ok {
			leave = enough()
		}
		return ok || leave
	})
	switch {
	case ctx.Err() != nil:
		provider := credentials.New(Source(j.res.Target), credentials.Options{Timeout: j.cfg.Timeout})
		return Answer{}, Failed(j.res, j.cfg, provider.TimedOut())
	case err != nil:
		j.Log.Warn("signing without the lock", "reason", err)
	case unlock == nil && leave:
	case unlock == nil:
		return j.answer(hit, "cached token"), nil
	default:
		defer unlock()
		if hit, ok := j.hit(); ok {
			return j.answer(hit, "cached token"), nil
		}
	}
	a, err := j.savedOrOurs(ctx)
	switch {
	case err != nil || a.Saved != nil || a.Outcome != resolve.ToToken:
	case unlock != nil:
		j.keep(a.Token)
	default:
		j.ifFree(func() { j.keep(a.Token) })
	}
	return a, err
}

// enough returns what reports whether the process that signs for the same server has been waited
// for long enough: it is asking a person for what this one needs, too, and who waits for that waits
// better without the lock; or half of the time is gone. The AWS configuration is read only when it
// takes longer than a signing does.
func (j *job) enough(ctx context.Context) func() bool {
	began := time.Now()
	half := began.Add(time.Hour)
	if end, ok := ctx.Deadline(); ok {
		half = began.Add(time.Until(end) / 2)
	}
	provider := credentials.New(Source(j.res.Target), credentials.Options{Store: j.Cache})
	return func() bool {
		return time.Now().After(half) || time.Since(began) > 500*time.Millisecond && provider.Asked()
	}
}

// cleanUp is how long a signature that isn't wanted any more may take to end.
const cleanUp = 300 * time.Millisecond

// savedOrOurs returns the password that a person has saved for this very server and user, else ours.
// Both are sought at once, so that it takes no longer than the slower of the two.
func (j *job) savedOrOurs(ctx context.Context) (Answer, error) {
	saved := j.askSaved(ctx)
	if off := Off(j.res); off != nil {
		if reply, found := saved.wait(); found {
			return j.saved(reply), nil
		}
		return Answer{}, off
	}
	signing, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		Answer
		error
	}
	signed := make(chan result, 1)
	go func() {
		own := *j // it may learn more of the server while a saved one is handed out
		a, err := own.obtain(signing, saved)
		signed <- result{a, err}
	}()
	reply, found := saved.wait()
	if !found {
		r := <-signed
		return r.Answer, r.error
	}
	cancel()
	select { // so that its locks are let go
	case <-signed:
	case <-time.After(cleanUp):
	}
	return j.saved(reply), nil
}

// saved logs that a person's own password is handed out.
func (j *job) saved(reply []byte) Answer {
	j.dropToken()
	t := j.res.Target
	j.Log.Info("saved password", "host", t.Host, "port", t.Port, "user", t.User)
	return Answer{Outcome: j.res.Outcome, Saved: reply}
}

// dropToken drops an old token where it isn't one that is handed out: it would be what the next
// erase is about.
func (j *job) dropToken() {
	if _, err := j.Cache.Delete(j.req.ID); err != nil {
		j.Log.Warn("an old token stays", "reason", err)
	}
}

// obtain makes a token, or reads the password. AWS is asked first whose the server is, if nobody knows
// that.
func (j *job) obtain(ctx context.Context, saved *question) (Answer, error) {
	if err := j.learn(ctx, saved, false); err != nil {
		return Answer{}, err
	}
	if !j.res.Ours() { // as the server that was learned may be
		return Answer{Outcome: j.res.Outcome, Reason: j.res.Reason}, nil
	}
	if off := Off(j.res); off != nil {
		return Answer{}, off
	}
	if j.res.Outcome == resolve.ToSecret {
		return j.readSecret(ctx, saved)
	}
	return j.sign(ctx, saved)
}

// sign makes a new token. Nobody is asked for an MFA code or a login before it is clear that one is
// needed, nor while an older token is good.
func (j *job) sign(ctx context.Context, saved *question) (Answer, error) {
	provider, failed := j.provider(saved)
	tok, err := Sign(ctx, j.res.Target, provider)
	if err != nil {
		return Answer{}, failed(err)
	}
	made := j.now
	made.SignIns = stamp.Files(provider.SignIns()...)
	return j.answer(cache.Entry{
		ServerURL: j.req.ID, Target: j.res.Target, Stamp: made, Hops: j.res.Hops,
		Token: tok.Value, SignedAt: tok.SignedAt, Expires: tok.CredentialsExpire, Source: tok.Source,
		Credentials: tok.Credentials, Profile: tok.Profile,
	}, "signed"), nil
}

// keeping is the cache, or with cache: false the store that keeps nothing.
func (j *job) keeping() cache.Store {
	if !j.cfg.Cache {
		return cache.Store{}
	}
	return j.Cache
}

// provider returns the target's credentials. What fails with them, failed makes an error of.
func (j *job) provider(saved *question) (p *credentials.Provider, failed func(error) error) {
	said := func() string { return "" }
	if j.Catch != nil {
		said = j.Catch()
	}
	options := credentials.Options{Log: j.Log, Timeout: j.cfg.Timeout, Files: j.files, Store: j.keeping()}
	if !j.haveOld {
		options.Code, options.Login = saved.first(j.Code), saved.firstLogin(j.Login)
	}
	return credentials.New(Source(j.res.Target), options), func(err error) error {
		e := &SignError{Err: err, Resolution: j.res, Config: j.cfg, Said: said()}
		if j.asked != nil {
			e.Asked = j.asked.Line()
		}
		return e
	}
}

// answer logs whose token it is that is handed out.
func (j *job) answer(e cache.Entry, decision string) Answer {
	j.Log.Info(decision, "host", e.Target.Host, "port", e.Target.Port, "user", e.Target.User, "region", e.Target.Region,
		"aws_profile", e.Target.Profile, "role_arn", e.Target.RoleARN, "source", e.Source, "fresh_until", e.FreshUntil())
	return Answer{Outcome: resolve.ToToken, Token: e}
}

// restamp notes that the present configuration gives a kept token's target, too, so that the next
// call need not parse it. A token that has been erased meanwhile stays erased.
func (j *job) restamp(hit cache.Entry) {
	j.ifFree(func() {
		if kept, have := j.kept(); have && kept.SignedAt.Equal(hit.SignedAt) {
			kept.Stamp.Config, kept.Stamp.Inventory = j.now.Config, j.now.Inventory
			j.keep(kept)
		}
	})
}

// ifFree changes the cache under its lock, unless another process is at work on the entry: what
// that one puts there is as good.
func (j *job) ifFree(change func()) {
	unlock, err := j.Cache.TryLock(j.req.ID)
	if err != nil || unlock == nil {
		return
	}
	defer unlock()
	change()
}

func (j *job) keep(e cache.Entry) {
	if err := j.Cache.Put(e); err != nil {
		j.Log.Warn("token not cached", "reason", err)
	}
}
