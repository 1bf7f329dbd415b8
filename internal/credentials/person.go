package credentials

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/sso"
)

// What a person has to do for credentials, they do between two attempts to obtain them, when no
// lock is held and AWS's time doesn't run.

const (
	// maxCodes is how many MFA codes AWS may refuse.
	maxCodes = 3
	// typing is the least time that it takes a person to answer.
	typing = 3 * time.Second
)

// wantsCode is the error of an attempt that needs a person's MFA code.
type wantsCode struct{ serial string }

func (e *wantsCode) Error() string { return "an MFA code of " + e.serial + " is needed" }

// SecurityKeyError is an MFA device that a profile names, and that gives no codes.
type SecurityKeyError struct{ Serial string }

func (e *SecurityKeyError) Error() string {
	return fmt.Sprintf("the MFA device %s is a security key, which can't give codes", e.Serial)
}

// code returns the MFA code that was typed for a device; the error says that one is wanted.
func (p *Provider) code(serial string) (string, error) {
	if strings.Contains(serial, ":u2f/") { // IAM user guide, "Reference: ARNs of security keys"
		return "", &SecurityKeyError{serial}
	}
	if code, ok := p.codes.Load(serial); ok {
		return code.(string), nil
	}
	if p.Code == nil {
		return "", ErrNoTerminal
	}
	return "", &wantsCode{serial}
}

// withPerson obtains credentials, with the help of a person where that is needed: a login first,
// and then a code.
func (p *Provider) withPerson(ctx context.Context) (aws.Credentials, error) {
	for again := false; ; again = true {
		renewed := sso.Renewed(p.plan.ssoFile())
		creds, err := p.obtainOnce(ctx)
		if _, wanted := errors.AsType[*wantsCode](err); wanted && !again && p.SessionOver() {
			err = ErrSSOLogin // a code would be too old after the login
		} else if wanted {
			creds, err = p.withCode(ctx)
		}
		if !errors.Is(err, ErrSSOLogin) || p.Login == nil || again {
			return creds, err
		}
		if _, have := p.lasting(); have { // nobody is asked before it has to be
			return creds, err
		}
		if renewed() { // by another process
			continue
		}
		if err := p.login(ctx); err != nil {
			return aws.Credentials{}, err
		}
	}
}

// login has a person log in to the SSO session.
func (p *Provider) login(ctx context.Context) error {
	cfg, err := p.config()
	if err != nil {
		return p.explain(ctx, err)
	}
	session := p.plan.Base.Session
	err = p.Login(ctx, p.plan.AWS.of(cfg, "SSO_OIDC", session.Region), session)
	switch {
	case err == nil || known(err) != nil:
		return err
	case ctx.Err() == context.Canceled:
		return ErrSSOLogin
	}
	return p.explain(ctx, err)
}

// withCode obtains credentials for which a person types a code. One process asks; the others wait
// for what it gets, as each code works once.
func (p *Provider) withCode(ctx context.Context) (aws.Credentials, error) {
	if !p.keeps || p.Store.Dir() == "" {
		return p.askCodes(ctx)
	}
	unlock, err := p.lockCode(ctx)
	if c, ok := p.fresh(); ok {
		if unlock != nil {
			unlock()
		}
		return c, nil
	}
	if unlock == nil && (ctx.Err() != nil || errors.Is(err, ErrAskedElsewhere)) {
		return aws.Credentials{}, ErrAskedElsewhere
	}
	if unlock != nil {
		defer unlock()
	} else {
		p.Log.Warn("asking for an MFA code without the lock", "reason", err)
	}
	return p.askCodes(ctx)
}

// lockCode makes the caller the only process that asks for a code, or waits until the one that asks
// has credentials.
func (p *Provider) lockCode(ctx context.Context) (unlock func(), err error) {
	defer Pause(ctx)()
	ctx, cancel := unhidden(ctx)
	defer cancel()
	for {
		began := time.Now()
		unlock, err = p.Store.LockCredentials(ctx, p.codeKey(), (maxCodes+1)*PersonTime, func() bool {
			_, ok := p.fresh()
			return ok
		})
		switch {
		case !errors.Is(err, disk.ErrLetGo):
			return unlock, err
		case time.Since(began) >= typing: // a person gave no code, or a wrong one
			return nil, ErrAskedElsewhere
		}
		// That one had nobody to ask.
	}
}

// codeKey stands in the cache's folder for the question for a code.
func (p *Provider) codeKey() string { return p.key + " code" }

// askCodes asks for codes until AWS takes one, or has refused maxCodes.
func (p *Provider) askCodes(ctx context.Context) (aws.Credentials, error) {
	defer p.codes.Clear()
	var refusals []error
	for {
		creds, err := p.obtainOnce(ctx)
		if api, ok := errors.AsType[*APIError](err); ok && api.WrongCode {
			if refusals = append(refusals, err); len(refusals) < maxCodes {
				p.codes.Clear()
				continue
			}
		}
		wanted, ok := errors.AsType[*wantsCode](err)
		if !ok {
			return creds, err
		}
		code, err := p.Code(ctx, p.Profile(), wanted.serial)
		switch {
		case err != nil && len(refusals) > 0:
			return aws.Credentials{}, refusals[0]
		case err != nil:
			return aws.Credentials{}, err
		}
		p.codes.Store(wanted.serial, code)
	}
}

// Asked reports whether another process is asking a person for what these credentials need.
func (p *Provider) Asked() bool {
	p.prepare()
	if file := p.plan.ssoFile(); file != "" && sso.Asked(file) {
		return true
	}
	return p.key != "" && p.Store.Locked(p.codeKey())
}

// SessionOver reports whether the credentials need an SSO session that is over, as far as the files
// tell; AWS may have ended one before its time.
func (p *Provider) SessionOver() bool {
	p.prepare()
	file := p.plan.ssoFile()
	if _, have := p.lasting(); have || file == "" {
		return false
	}
	return !time.Now().Before(sso.Until(file)) && !sso.NeedsRefresh(file)
}
