// What profiles said, in words, and the notes of it.

package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/discover"
)

func (a *Answer) set(said Said, why, reason string) { a.Said, a.Why, a.reason = said, why, reason }

// answer notes what a profile said.
func (a *asking) answer(t *target, said Said, why, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[t.at].set(said, why, reason)
}

// failed notes why a profile has given no answer. What comes of ctx's end is no reason.
func (a *asking) failed(ctx context.Context, t *target, p *credentials.Provider, err error) {
	if ctx.Err() != nil {
		return
	}
	err = p.Explain(ctx, err)
	why, reason := advice.Of(err).Text, a.reason(t, err)
	if credentials.Refused(err) {
		if !isExpired(err) { // there may be new ones at any moment
			a.note(cache.Note{Key: a.refusedKey(t), At: time.Now(), Stamp: t.signer, Text: reason})
		}
		a.answer(t, Refused, why, reason)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[t.at].set(NotAsked, why, reason)
	switch {
	case t.needs == nothing && errors.Is(err, credentials.ErrSSOLogin): // AWS has ended it before its time
		t.needs = login
	case t.needs == nothing && errors.Is(err, credentials.ErrNoTerminal): // what was kept is over by now
		t.needs = code
	case t.needs == login && errors.Is(err, credentials.ErrSSOLogin): // who says no isn't asked for a code
		a.stopped = wantsCode
	case t.needs == code && (errors.Is(err, credentials.ErrNoCode) || errors.Is(err, credentials.ErrNoTerminal) ||
		errors.Is(err, credentials.ErrAskedElsewhere)):
		a.stopped = reason
	}
}

// reason is why a profile gave no answer, in few words that don't name it: others may have the same.
func (a *asking) reason(t *target, err error) string {
	api, answered := errors.AsType[*credentials.APIError](err)
	switch {
	case errors.Is(err, credentials.ErrSSOLogin):
		return a.sessionOver(t)
	case errors.Is(err, credentials.ErrNoTerminal):
		return wantsCode
	case errors.Is(err, credentials.ErrNoCode):
		return "no MFA code was typed"
	case errors.Is(err, credentials.ErrNoCredentials):
		return "no credentials"
	case errors.Is(err, credentials.ErrTimeout):
		return a.noAnswer()
	case answered && api.Denied && !api.WrongCode:
		service, operation, _ := strings.Cut(api.Operation, " ")
		return fmt.Sprintf("%s:%s is not allowed", strings.ToLower(service), operation)
	case answered && api.Refused() && strings.HasPrefix(api.Operation, "RDS "): // perhaps only there
		return fmt.Sprintf("%s in %s", api.Code, t.region)
	case answered:
		return api.Code
	}
	if of, ok := errors.AsType[*credentials.Error](err); ok {
		err = of.Err // without whose it is
	}
	return advice.Of(err).Text
}

const wantsCode = "MFA"

func (a *asking) sessionOver(t *target) string {
	session, _ := a.Set.SSO(t.profile)
	return fmt.Sprintf("SSO session %s is over", session.Title())
}

func (a *asking) noAnswer() string {
	return fmt.Sprintf("no answer within %v", a.Limit.Round(time.Second/10))
}

// sameAccount says why a profile isn't asked.
func sameAccount(other string) string { return other + " was asked, of the same account" }

// said returns what everybody said up to now. ctx is the caller's.
func (a *asking) said(ctx context.Context) []Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	answers := slices.Clone(a.answers)
	for _, g := range a.groups {
		for _, t := range g.targets {
			one := &answers[t.at]
			switch {
			case one.Said != NotAsked:
			case g.answered:
				one.set(NoNeed, a.answeredFor(g), "")
			case one.Why == "":
				one.set(a.unanswered(ctx, t))
			}
		}
	}
	return answers
}

// answeredFor says who has answered for an account. The caller holds the lock.
func (a *asking) answeredFor(g *group) string {
	for _, t := range g.targets {
		if said := a.answers[t.at].Said; said == HasNot || said == HasIt {
			return sameAccount(t.profile)
		}
	}
	return "another profile of the same account was asked"
}

// unanswered says why a profile has given no answer. The caller holds the lock.
func (a *asking) unanswered(ctx context.Context, t *target) (said Said, why, reason string) {
	tried := t.tried[t.needs]
	switch {
	case a.owner != nil:
		return NoNeed, a.owner.profile + " had it first", ""
	case errors.Is(ctx.Err(), context.Canceled):
		reason = "interrupted"
	case tried:
		reason = a.noAnswer()
	case t.needs == login:
		reason = a.sessionOver(t)
	case t.needs == code:
		reason = cmp.Or(a.stopped, wantsCode)
	default:
		reason = "no time was left"
	}
	return NotAsked, reason, reason
}

// refusedKey stands for what a profile was refused.
func (a *asking) refusedKey(t *target) string {
	return strings.Join([]string{"learn refused", t.profile, t.region, discover.Operation(a.Endpoint.Kind)}, "\x00")
}

func (a *asking) note(n cache.Note) {
	if a.Store.Dir() == "" {
		return
	}
	if err := a.Store.PutNote(n); err != nil {
		a.Log.Warn("an answer of AWS is not noted", "reason", err)
	}
}

// refusedBefore reports whether a profile was refused within the hour; that is its answer then.
func (a *asking) refusedBefore(t *target) bool {
	n := a.Store.Note(a.refusedKey(t))
	if a.Anew || !n.Holds(t.signer, time.Now(), refusalAge) {
		return false
	}
	until := n.At.Add(refusalAge).Local().Format("15:04")
	a.answer(t, Refused, fmt.Sprintf("%s (as %s says, it isn't asked again before %s)", n.Text,
		n.At.Local().Format("15:04"), until), n.Text)
	return true
}

// nobodyKey stands for the answer that nobody has the server: to those who can ask a person, or to
// the others.
func (a *asking) nobodyKey(person bool) string {
	return fmt.Sprintf("nobody %s %s %t", a.lockKey(), a.Endpoint.Kind, person)
}

// noteNobody notes that nobody has the server, with who was asked.
func (a *asking) noteNobody(person bool) {
	line := Report{Answers: a.said(context.Background())}.Line()
	a.note(cache.Note{Key: a.nobodyKey(person), At: time.Now(), Stamp: a.state, Text: line})
}

// nobody returns who was asked, if nobody had the server a moment ago.
func (a *asking) nobody() string {
	n := a.Store.Note(a.nobodyKey(a.person()))
	if a.Anew || !n.Holds(a.state, time.Now(), nobodyAge) {
		return ""
	}
	return n.Text
}
