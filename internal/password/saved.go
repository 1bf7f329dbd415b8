package password

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
)

// savedLimit is how long the other helper may take to tell whether a password is saved.
const savedLimit = 3 * time.Second

// question is a question to the other helper under way.
type question struct {
	ctx   context.Context // ends when no answer counts as none
	done  chan struct{}   // closed when there is one
	reply []byte
	found bool
}

// askSaved asks whether a person has saved a password, unless the configuration leaves no choice.
func (j *job) askSaved(ctx context.Context) *question {
	if j.Saved == nil || j.res.OnlyIAM {
		return nothingSaved(ctx)
	}
	q := &question{ctx: ctx, done: make(chan struct{})}
	var cancel context.CancelFunc
	q.ctx, cancel = context.WithTimeout(ctx, savedLimit)
	go func() {
		defer cancel()
		defer close(q.done)
		q.reply, q.found = j.Saved(q.ctx)
	}()
	return q
}

// nothingSaved is the question where there is nobody to ask.
func nothingSaved(ctx context.Context) *question {
	q := &question{ctx: ctx, done: make(chan struct{})}
	close(q.done)
	return q
}

// wait waits for the answer, as long as one counts.
func (q *question) wait() (reply []byte, found bool) {
	select {
	case <-q.done:
		return q.reply, q.found
	case <-q.ctx.Done():
	}
	select {
	case <-q.done: // whose end has ended ctx
		return q.reply, q.found
	default:
		return nil, false
	}
}

// AskHelper asks the helper that was used before, for [Options].Saved. Whatever is no credential
// counts as nothing.
func AskHelper(ctx context.Context, d delegate.Helper, request []byte) (reply []byte, found bool) {
	r, err := d.Ask(ctx, "get", request, 0)
	if err != nil || r.Code != 0 || !protocol.IsCredential(r.Stdout) {
		return nil, false
	}
	return r.Stdout, true
}

// askCode is the type of [Options].Code.
type askCode = func(ctx context.Context, profile, serial string) (string, error)

// first makes a question to a person wait for the answer, and come up only if nothing is saved.
func (q *question) first(ask askCode) askCode {
	if ask == nil {
		return nil
	}
	return func(ctx context.Context, profile, serial string) (string, error) {
		if _, found := q.wait(); found {
			return "", context.Canceled // what it would be for isn't wanted any more
		}
		return ask(ctx, profile, serial)
	}
}

// askLogin is the type of [Options].Login.
type askLogin = func(ctx context.Context, cfg aws.Config, s profiles.SSOSession) error

// firstLogin is [question.first] for a login.
func (q *question) firstLogin(ask askLogin) askLogin {
	if ask == nil {
		return nil
	}
	return func(ctx context.Context, cfg aws.Config, s profiles.SSOSession) error {
		if _, found := q.wait(); found {
			return context.Canceled
		}
		return ask(ctx, cfg, s)
	}
}

// OffError is a server that takes no tokens, and for which no password is saved.
type OffError struct {
	Server inventory.Server
	Now    time.Time
}

// UnreadError is an inventory that can't be used, so that nobody knows whose credentials would open
// a server: others than before would sign, as if that were right.
type UnreadError struct {
	Err    error
	Host   string
	Choose advice.Action // of a profile in the configuration
}

func (e *UnreadError) Error() string {
	return fmt.Sprintf("what discover learned can't be used (%v), and nothing else says which AWS profile is %s's",
		e.Err, e.Host)
}

// Advice implements [advice.Adviser].
func (e *UnreadError) Advice() advice.Problem {
	return advice.Problemf("%s", e.Error()).With(advice.Ours("discover"), e.Choose)
}

// unread returns an [*UnreadError] if the profile would be a guess, else nil.
func (j *job) unread() error {
	if j.res.Unread == nil {
		return nil
	}
	ep := j.res.Endpoint
	return &UnreadError{j.res.Unread, ep.Host, j.cfg.SetAccount(ep.HostID, "aws_profile", "PROFILE")}
}

// Off returns an [*OffError] if [TakesNoTokens], else nil.
func Off(res resolve.Resolution) error {
	if !TakesNoTokens(res) {
		return nil
	}
	return &OffError{*res.Server, time.Now()}
}

// TakesNoTokens reports whether discover knows that the server has IAM authentication off.
func TakesNoTokens(res resolve.Resolution) bool {
	s := res.Server
	return res.Outcome == resolve.ToToken && s != nil && !s.IAM && !s.Partial() && !res.OnlyIAM
}

func (e *OffError) Error() string {
	return fmt.Sprintf("%s had IAM authentication off %s, and no password is saved for it", e.Server.Name,
		ago(e.Now.Sub(e.Server.Seen)))
}

// Advice implements [advice.Adviser].
func (e *OffError) Advice() advice.Problem {
	return advice.Problemf("%s", e.Error()).With(
		advice.Say("type its password, and save it; or, if it is on by now"), advice.Ours("discover"))
}

// ago words how long something is past.
func ago(d time.Duration) string {
	if d < 2*time.Minute {
		return "a moment ago"
	}
	return advice.Span(d) + " ago"
}
