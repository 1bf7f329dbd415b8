// Package password is the engine: from a Server URL to the password that opens the server now, kept
// or made. It knows neither MySQL Shell's protocol nor any stream.
package password

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

// Options are what an [Engine] needs of the world.
type Options struct {
	Log   *slog.Logger
	Cache cache.Store // the zero Store keeps nothing
	// Code and Login ask a person for an MFA code, and for a login; see [credentials.Options].
	Code  func(ctx context.Context, profile, serial string) (string, error)
	Login func(ctx context.Context, cfg aws.Config, s profiles.SSOSession) error
	// Catch keeps what programs write to stderr out of ours from now on; its result returns their
	// last line. nil catches nothing.
	Catch func() (last func() string)
	// Saved asks the helper that was used before for a password that a person has saved for this
	// very server and user. It returns that helper's reply, byte for byte. nil asks nobody.
	Saved func(ctx context.Context) (reply []byte, found bool)
}

// Engine makes passwords by one configuration, or finds them in the cache.
type Engine struct {
	Options
	file stamp.ConfigFile
	cfg  *config.Config // nil until it is needed: a hit needs none
}

// New returns the engine for a configuration file.
func New(file stamp.ConfigFile, o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Engine{Options: o, file: file}
}

// Request asks for the password of a Server URL.
type Request struct {
	ID  string     // the Server URL, letter for letter
	URL server.URL // the same, taken apart
}

// Answer says who has the password, and what it is.
type Answer struct {
	Outcome resolve.Outcome
	Reason  string      // why it isn't a token, for a person
	Saved   []byte      // a saved password: the reply of [Options.Saved]
	Token   cache.Entry // when Outcome is resolve.ToToken and nothing is saved
	Managed secret.Text // when Outcome is resolve.ToSecret and nothing is saved
}

// Password is the one that we made or read; nothing is saved then.
func (a Answer) Password() secret.Text {
	if a.Outcome == resolve.ToSecret {
		return a.Managed
	}
	return a.Token.Token
}

// Config returns the configuration; the error is a [*config.Error].
func (e *Engine) Config() (*config.Config, error) {
	if e.cfg == nil {
		cfg, err := config.Parse(e.file.Path, e.file.Data)
		if err != nil {
			return nil, err
		}
		e.cfg = cfg
	}
	return e.cfg, nil
}

// Get returns the password for a server: the token that is kept, if it is young; else the one that
// a person has saved; else a new token. An error is a [*SignError], an [*OffError], an
// [*UnreadError], or what [Engine.Resolve] returns.
func (e *Engine) Get(ctx context.Context, req Request) (Answer, error) {
	j := e.job(req)
	kept, have := j.kept()
	if have && kept.Answers(j.now, time.Now()) {
		return j.answer(kept, "cached token"), nil
	}
	cfg, err := e.Config()
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := credentials.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	res, err := e.ResolveBy(ctx, req, freshHops(kept, have))
	switch {
	case err != nil && !res.Unknown:
		return Answer{}, err
	case err != nil:
		j.res, j.unresolved = res, err
		return j.savedOrOurs(ctx)
	}
	if !res.Ours() {
		return Answer{Outcome: res.Outcome, Reason: res.Reason}, nil
	}
	j.res = res
	if unread := j.unread(); unread != nil {
		if reply, found := j.askSaved(ctx).wait(); found {
			return j.saved(reply), nil
		}
		return Answer{}, unread
	}
	if res.Outcome == resolve.ToSecret {
		j.dropToken()
		return j.savedOrOurs(ctx)
	}
	if !cfg.Cache {
		if err := e.Cache.Clear(); err != nil {
			e.Log.Warn("old cache entries stay", "reason", err)
		}
		return j.savedOrOurs(ctx)
	}
	if hit, ok := j.hit(); ok {
		j.restamp(hit)
		return j.answer(hit, "cached token"), nil
	}
	return j.signOnce(ctx)
}

// Drop drops the token that is kept for a server, and the credentials that signed it: the server
// may have refused it because of those. It reports whether there was one, and how the aliases of
// its host were, for [Engine.ResolveBy]. An error is something that is there and stays.
func (e *Engine) Drop(req Request) (dropped bool, hops []string, err error) {
	j := &job{Engine: e, req: req}
	kept, _ := j.kept()
	if dropped, err = e.Cache.Delete(req.ID); err == nil {
		err = e.Cache.DeleteCredentials(kept.Credentials)
	}
	return dropped, kept.Hops, err
}

// Resolve finds out who has the password of a server. An error is a [*resolve.Error] or a
// [*config.Error].
func (e *Engine) Resolve(ctx context.Context, req Request) (resolve.Resolution, error) {
	kept, err := e.Cache.Get(req.ID)
	return e.ResolveBy(ctx, req, freshHops(kept, err == nil))
}

// ResolveBy is [Engine.Resolve] with the aliases that the host had a moment ago.
func (e *Engine) ResolveBy(ctx context.Context, req Request, hops []string) (resolve.Resolution, error) {
	known := &inventory.User{}
	defer known.Close()
	return e.resolve(ctx, req, hops, known)
}

// freshHops are the aliases that led to a token while it is fresh: a hit must not touch the
// network.
func freshHops(kept cache.Entry, have bool) []string {
	if have && kept.Fresh(time.Now()) {
		return kept.Hops
	}
	return nil
}

// resolve doesn't look up again the aliases that are known from hops.
func (e *Engine) resolve(
	ctx context.Context, req Request, hops []string, known resolve.Known,
) (resolve.Resolution, error) {
	cfg, err := e.Config()
	if err != nil {
		return resolve.Resolution{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	cname := func(ctx context.Context, host string) (string, error) {
		for i, hop := range hops {
			if hop == host && i+1 < len(hops) {
				return hops[i+1], nil
			}
		}
		return resolve.LookupCNAME(ctx, host)
	}
	return resolve.FromEnvironment().URL(ctx, req.URL, cfg, known, cname)
}

// Resolve finds out who has the password of a server, by the configuration, the environment and the
// user's inventory.
func Resolve(ctx context.Context, u server.URL, cfg *config.Config, cname resolve.CNAME) (resolve.Resolution, error) {
	known := &inventory.User{}
	defer known.Close()
	return resolve.FromEnvironment().URL(ctx, u, cfg, known, cname)
}

// Source returns whose credentials sign for a target.
func Source(t server.Target) credentials.Source {
	return credentials.Source{
		Profile: t.Profile, Region: t.Region, RoleARN: t.RoleARN, ExternalID: t.ExternalID,
		RoleSessionName: t.RoleSessionName, User: t.User,
	}
}
