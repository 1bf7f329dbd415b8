// Package credentials finds the AWS credentials of a profile or a role, and keeps temporary ones
// between calls: a hundred processes that need the same make one call to AWS. With package discover
// and package sso it is the door to AWS; its errors say what a person can do.
package credentials

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

// Source says whose credentials.
type Source struct {
	Profile string // of the AWS configuration; "": the AWS CLI's own order decides
	Region  string // where STS is asked, if the profile names no region
	// A role to assume with the profile's credentials; "" for none.
	RoleARN, ExternalID, RoleSessionName string
	// User is whom a role's session is named after (mysql-<user>), where nothing else names it. It
	// is no part of what the credentials are: they serve every database user.
	User string
}

// Options are what a [Provider] needs of the world.
type Options struct {
	Store cache.Store // keeps what expires; the zero Store keeps nothing
	// Code asks a person for the code of a profile's MFA device; see [Dialogue.Code]. Without it,
	// and when it says [ErrNoTerminal], a profile that wants one is an error.
	Code func(ctx context.Context, profile, serial string) (string, error)
	// Login has a person log in to a session that is over; see [Dialogue.Login]. Without it that is
	// an [ErrSSOLogin].
	Login func(ctx context.Context, cfg aws.Config, s profiles.SSOSession) error
	Files func() (*profiles.Set, error) // the AWS configuration; nil reads it when it is needed
	Log   *slog.Logger                  // nil logs nothing
	Left  time.Duration                 // how long kept credentials must be good; 0: [cache.RenewBefore]
	// Timeout is what the caller's contexts allow, for the words of [ErrTimeout].
	Timeout time.Duration
	Client  *Client // shared by several providers; nil: one of its own
}

// Provider returns one source's credentials. It is an [aws.CredentialsProvider] that asks another
// one only when nothing good is kept.
type Provider struct {
	source Source
	Options

	once    sync.Once
	set     *profiles.Set // the AWS configuration; an empty one when it can't be read
	plan    plan
	planErr error

	key   string    // "" when nothing is kept about this source
	keeps bool      // whether that is the credentials themselves
	only  *Provider // of the one profile that there is, for when there is nothing else
	using *Provider // only, once it was needed

	loaded atomic.Pointer[loaded] // by Config, for the next time that AWS is asked

	codes sync.Map // MFA codes that were typed, by serial number
	clock clock
}

// New returns the provider for a source. It reads nothing yet.
func New(s Source, o Options) *Provider {
	if o.Files == nil {
		o.Files = func() (*profiles.Set, error) { return profiles.Load(profiles.Default()) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Left == 0 {
		o.Left = cache.RenewBefore
	}
	return &Provider{source: s, Options: o}
}

// prepare reads the AWS configuration, once, and works out how the credentials are got, and what may
// be kept and where.
func (p *Provider) prepare() {
	p.once.Do(func() {
		var unread error
		if p.set, unread = p.Files(); unread != nil {
			p.Log.Warn("AWS configuration not read", "reason", unread)
			p.set = &profiles.Set{}
		}
		if p.plan, p.planErr = newPlan(p.source, p.set, unread); p.planErr != nil {
			return
		}
		if p.plan.Base.Kind == profiles.None && p.source.Unnamed() {
			// One that says nothing but to ask the machine would ask it twice.
			if names := p.set.Names(); len(names) == 1 && names[0] != p.plan.Profile && givesOwn(p.set.Kind(names[0])) {
				other := p.source
				other.Profile = names[0]
				p.only = New(other, p.Options)
			}
		}
		if p.keeps = p.plan.expires(); p.keeps || p.plan.sessionKeys() {
			p.key = p.plan.key()
		}
	})
}

func givesOwn(k profiles.CredentialKind) bool {
	return k != profiles.None && k != profiles.CredentialSource
}

// SignIns returns the files of the sign-ins that the credentials of Retrieve came from: an SSO
// session, a web identity, a console login.
func (p *Provider) SignIns() []string {
	if p.using != nil {
		return p.using.SignIns()
	}
	p.prepare()
	return p.plan.signIns()
}

// Key stands in the cache for the credentials that Retrieve gave; it is "" when nothing is kept
// about them.
func (p *Provider) Key() string {
	if p.using != nil {
		return p.using.Key()
	}
	p.prepare()
	return p.key
}

// Temporary reports whether the credentials are some that AWS makes for a time, so that getting
// them ahead of time is of use.
func (p *Provider) Temporary() bool {
	p.prepare()
	return p.plan.expires()
}

// Profile is the name of the profile whose credentials Retrieve gave, or "" when they are of none.
func (p *Provider) Profile() string {
	if p.using != nil {
		return p.using.Profile()
	}
	p.prepare()
	return p.plan.Profile
}

// Whose names the source, or the only profile that there is where the source would come to that.
func (p *Provider) Whose() Whose {
	p.prepare()
	if p.only != nil {
		return p.only.Whose()
	}
	return p.plan.whose()
}

// Forget drops what is kept of the source, and says whether there was anything: what AWS refuses
// has to be asked for anew.
func (p *Provider) Forget() bool {
	p.prepare()
	if p.only != nil && p.only.Forget() {
		return true
	}
	if _, ok := p.kept(); !ok {
		return false
	}
	if err := p.Store.DeleteCredentials(p.key); err != nil {
		p.Log.Warn("kept credentials stay", "reason", err)
		return false
	}
	return true
}

// Kept returns the credentials that are kept and would be used now; it asks nobody.
func (p *Provider) Kept() (cache.Credentials, bool) {
	p.prepare()
	c, ok := p.kept()
	return c, ok && c.Usable(time.Now(), 0)
}

// Caller is whose credentials these are, in AWS's eyes.
type Caller struct{ ARN, Account string }

// WhoAmI asks STS whose credentials these are (sts:GetCallerIdentity, which nobody can be denied).
// Errors are this package's.
func (p *Provider) WhoAmI(ctx context.Context) (Caller, error) {
	cfg, err := p.Config(ctx)
	if err != nil {
		return Caller{}, err
	}
	if cfg.Region == "" {
		cfg.Region = p.source.Region
	}
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return Caller{}, p.Explain(ctx, err)
	}
	return Caller{term.FirstLine(aws.ToString(out.Arn)), term.FirstLine(aws.ToString(out.Account))}, nil
}

// Signer says in a few words whose credentials these would be, as far as the settings and the AWS
// files tell; known is false when they tell of none, so that only this machine's role is left.
func (p *Provider) Signer() (who string, known bool) {
	p.prepare()
	if p.plan.Origin != ofProfile || !p.source.Unnamed() {
		return p.source.signer(p.plan), true
	}
	if p.only != nil {
		return "AWS profile " + p.only.source.Profile + ", the only one, unless this machine has a role", true
	}
	if _, ok := p.set.Profile(p.plan.Profile); !ok {
		return "this machine's role, if it has one", false
	}
	return p.source.signer(p.plan), true
}

// Unused says which credentials of the profile lie there unused, as others come first, or gives "".
func (p *Provider) Unused() string {
	p.prepare()
	return p.set.Unused(p.plan.Profile)
}

// Retrieve implements [aws.CredentialsProvider]. Kept credentials that are good for less than
// Options.Left are renewed first, and used all the same if that fails while they are good. It ends
// when ctx does; its errors are this package's.
func (p *Provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	p.prepare()
	if p.only != nil {
		if c, ok := p.only.fresh(); ok {
			p.using = p.only
			return c, nil
		}
	}
	if c, ok := p.fresh(); ok {
		p.loaded.Store(nil)
		return c, nil
	}
	creds, err := p.renew(ctx)
	if errors.Is(err, ErrNoCredentials) && p.only != nil {
		p.using = p.only
		return p.only.Retrieve(ctx)
	}
	return creds, p.failed(err)
}

// failed adds whose credentials they are to an error of this package.
func (p *Provider) failed(err error) error {
	if _, already := errors.AsType[*Error](err); err == nil || already {
		return err
	}
	return &Error{err, p.Whose(), p.Timeout, p.set.Absent()}
}

// TimedOut returns the error of having waited too long for these credentials.
func (p *Provider) TimedOut() error { return p.failed(ErrTimeout) }

// fresh returns kept credentials that need no renewal.
func (p *Provider) fresh() (aws.Credentials, bool) {
	p.prepare()
	c, ok := p.kept()
	return toAWS(c), ok && c.Usable(time.Now(), p.Left)
}

// kept returns what is kept of the source, usable or not.
func (p *Provider) kept() (cache.Credentials, bool) {
	if !p.keeps {
		return cache.Credentials{}, false
	}
	c, err := p.Store.Credentials(p.key)
	if err != nil && err != cache.ErrAbsent {
		p.Log.Warn("kept credentials not used", "reason", err)
	}
	return c, err == nil
}

// renew obtains credentials. Where that fails it returns the kept ones, which may be old, and good
// for a while, or what another process has just got.
func (p *Provider) renew(ctx context.Context) (aws.Credentials, error) {
	creds, err := p.withPerson(ctx)
	if err == nil {
		return creds, nil
	}
	old, have := p.lasting()
	if !have {
		return aws.Credentials{}, err
	}
	p.Log.Warn("kept credentials used, as there are no new ones", "expires", old.Expires, "reason", err)
	return toAWS(old), nil
}

// lasting returns kept credentials that are good for another token.
func (p *Provider) lasting() (cache.Credentials, bool) {
	c, ok := p.kept()
	return c, ok && c.Usable(time.Now(), cache.Margin)
}

// obtainOnce obtains credentials, one process at a time for those that can be kept.
func (p *Provider) obtainOnce(ctx context.Context) (aws.Credentials, error) {
	if !p.keeps {
		return p.obtain(ctx)
	}
	var given aws.Credentials
	unlock, err := p.Store.LockCredentials(ctx, p.key, p.wait(ctx), func() (ok bool) {
		given, ok = p.fresh()
		return ok
	})
	switch {
	case ctx.Err() != nil:
		if c, ok := p.fresh(); ok { // at the last moment
			return c, nil
		}
		return aws.Credentials{}, ended(ctx)
	case err != nil:
		p.Log.Warn("asking AWS without the lock", "reason", err)
	case unlock == nil:
		return given, nil
	default:
		defer unlock()
		if c, ok := p.fresh(); ok {
			return c, nil
		}
	}
	creds, err := p.obtain(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	if creds.CanExpire && creds.SessionToken != "" {
		p.keep(creds, unlock != nil)
	}
	return creds, nil
}

// patience is how long another process may take to obtain the same credentials: as long as this
// call may take. One that dies lets go at once.
func patience(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end)
	}
	return time.Minute
}

// wait is how long this call waits for another process that obtains the same credentials, which may
// have been stopped. Nobody holds that lock while a person is asked.
func (p *Provider) wait(ctx context.Context) time.Duration { return min(askAgain, patience(ctx)/2) }

// askAgain is longer than AWS takes to answer, as a rule.
const askAgain = 4 * time.Second

func (p *Provider) keep(c aws.Credentials, locked bool) {
	if !locked {
		unlock, err := p.Store.TryLock(p.key)
		if err != nil || unlock == nil {
			return
		}
		defer unlock()
	}
	err := p.Store.PutCredentials(cache.Credentials{
		Key: p.key, Profile: p.Profile(), Who: p.plan.role(), AccountID: c.AccountID, Source: c.Source,
		AccessKeyID: c.AccessKeyID, Secret: secret.New(c.SecretAccessKey), SessionToken: secret.New(c.SessionToken),
		ObtainedAt: time.Now(), Expires: c.Expires, SignIns: stamp.Files(p.SignIns()...),
	})
	if err != nil {
		p.Log.Warn("credentials not kept", "reason", err)
	}
}

func toAWS(c cache.Credentials) aws.Credentials {
	return aws.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.Secret.Reveal(), SessionToken: c.SessionToken.Reveal(),
		Source: c.Source, CanExpire: true, Expires: c.Expires, AccountID: c.AccountID,
	}
}
