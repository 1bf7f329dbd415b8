// A server that nobody knows: AWS is asked whose it is.

package password

import (
	"cmp"
	"context"
	"errors"
	"time"

	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/learn"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

// Learn is [Engine.Resolve], by the aliases that the host has now, and asks AWS whose the server is
// if nobody knows; with anew, also the profiles that were refused lately. The report is nil when
// nobody was asked. A saved password is no matter here.
func (e *Engine) Learn(
	ctx context.Context, req Request, anew bool,
) (resolve.Resolution, *learn.Report, error) {
	j := e.job(req)
	var err error
	j.res, err = e.ResolveBy(ctx, req, nil)
	switch {
	case err != nil && j.res.Unknown:
		j.unresolved = err
	case err != nil || !j.res.Ours():
		return j.res, nil, err
	}
	err = j.learn(ctx, nothingSaved(ctx), anew)
	return j.res, j.asked, err
}

// learn asks AWS whose the server is, if nobody knows that, and resolves it anew by the answer. It is
// no error that AWS doesn't tell: then whoever signs where nothing else is said may be the right one,
// unless something is missing even for that.
func (j *job) learn(ctx context.Context, saved *question, anew bool) error {
	if err := j.learnIfUnknown(ctx, saved, anew); err != nil {
		return err
	}
	if j.unresolved == nil {
		return j.lookAgain(ctx)
	}
	missing, ok := errors.AsType[*resolve.Error](j.unresolved)
	if !ok || j.asked == nil {
		return j.unresolved
	}
	p := missing.Problem
	p.Text += "; " + j.asked.Line()
	return &resolve.Error{Problem: p}
}

func (j *job) learnIfUnknown(ctx context.Context, saved *question, anew bool) error {
	if !j.res.Unknown || j.cfg.Learn == 0 {
		return nil
	}
	o, err := j.learnOptions()
	if err != nil || len(o.Set.Names()) == 0 {
		return nil
	}
	said := func() string { return "" }
	if j.Catch != nil {
		said = j.Catch()
	}
	o.Anew, o.Code, o.Login = anew, saved.first(j.Code), saved.firstLogin(j.Login)
	asked, signer := resolve.FromEnvironment(), j.signer()
	if _, there := o.Set.Profile(asked.Environment); asked.Environment != "" && !there || signer == "" {
		return nil // signing says that it isn't there; or these are no profile's keys, but the environment's
	}
	report, err := learn.Ask(ctx, learn.Question{
		Endpoint: j.res.Endpoint, Region: j.res.Target.Region, Prefer: asked.Environment, Signer: signer,
	}, o)
	if err != nil {
		j.Log.Warn("nobody was asked whose the server is", "reason", err)
		return nil
	}
	j.asked = &report
	if !report.Found {
		j.Log.Info("nobody has the server", "host", j.res.Endpoint.Host, "asked", report.Line())
		if j.unresolved != nil {
			return nil
		}
		return j.hopeless(report, signer, said)
	}
	j.Log.Info("learned whose the server is", "host", j.res.Endpoint.Host, "account", report.Account.Number,
		"aws_profile", report.Account.Profile, "asked", report.Line())
	j.unresolved = nil
	return j.resolveBy(ctx, report)
}

// learnOptions returns what package learn needs of the world. An error is AWS files that can't be
// read, of which signing says what is wrong, or that there is no place for what is learned.
func (j *job) learnOptions() (o learn.Options, err error) {
	o = learn.Options{
		Assigned: j.cfg.Assigned(), Store: j.keeping(), Limit: j.cfg.Learn, User: j.res.Target.User, Log: j.Log,
	}
	if o.Set, err = j.files(); err == nil {
		o.Path, err = inventory.Path()
	}
	return o, err
}

// resolveBy resolves the server anew by what was learned.
func (j *job) resolveBy(ctx context.Context, report learn.Report) (err error) {
	known := &learned{report: report}
	defer known.Close()
	j.now = stamp.Now(j.file)
	j.res, err = j.resolve(ctx, j.req, j.res.Hops, known)
	return err
}

// lookAgain asks AWS about a server that discover hasn't seen, in an account that is known, after it
// has refused a token: its password may be managed, its port another one, or IAM authentication off.
func (j *job) lookAgain(ctx context.Context) error {
	t := j.res.Target
	if j.res.Outcome != resolve.ToToken || j.res.Server != nil || j.res.OnlyIAM || j.res.Unread != nil ||
		t.Profile == "" || t.RoleARN != "" || j.cfg.Learn == 0 ||
		!j.Cache.Note(refusedKey(j.req.ID)).Holds("", time.Now(), rotationTime) {
		return nil
	}
	o, err := j.learnOptions()
	if err != nil {
		return nil
	}
	report, err := learn.Look(ctx, learn.Question{Endpoint: j.res.Endpoint, Region: t.Region}, t.Profile, o)
	if err != nil || !report.Found {
		return nil
	}
	j.Log.Info("learned what the server is, as it has refused a token", "host", j.res.Endpoint.Host)
	return j.resolveBy(ctx, report)
}

// hopeless is the error of a server for which whoever would sign couldn't: as its credentials can't be
// had, or are of another account, so that the token would be refused. Said gives the last line of the
// programs that were run.
func (j *job) hopeless(report learn.Report, signer string, said func() string) error {
	e := &SignError{Resolution: j.res, Config: j.cfg, Asked: report.Line()}
	if report.Excludes(signer) {
		e.Err = credentials.ErrNoCredentials
		return e
	}
	e.Err = report.Failure(signer)
	_, process := errors.AsType[*credentials.ProcessError](e.Err)
	switch {
	case e.Err == nil:
		return nil
	case report.Alone(signer):
		e.Said = said()
	case process:
		return nil // whose last line it was isn't known
	}
	return e
}

// signer is the profile that signs where nobody knows better, or "".
func (j *job) signer() string {
	return credentials.New(Source(j.res.Target), credentials.Options{Files: j.files}).Profile()
}

// learned is an inventory with what was just learned, which perhaps couldn't be written.
type learned struct {
	inventory.User
	report learn.Report
}

func (l *learned) Server(host string) (inventory.Server, bool, error) {
	if s := l.report.Server; s.Host == server.NormalHost(host) {
		s.Profile = cmp.Or(s.Profile, l.report.Account.Profile)
		return s, true, nil
	}
	return l.User.Server(host)
}

func (l *learned) Account(hostID, region string) (inventory.Account, bool, error) {
	if a := l.report.Account; a.HostID == hostID && a.Region == region {
		return a, true, nil
	}
	return l.User.Account(hostID, region)
}
