package password

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/managed"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/resolve"
)

// SignError is a token that couldn't be made, with what is needed to tell whose fault it is.
type SignError struct {
	Err        error // of package credentials or profiles
	Resolution resolve.Resolution
	Config     *config.Config
	// Asked says which profiles were asked whose the server is; "" when none was.
	Asked string
	// Said is the last line that a credential_process wrote to stderr: for the person whose program
	// it is, and not for the log, as nobody knows what it is.
	Said string
}

// Failed returns the error of not having got the credentials for a server.
func Failed(res resolve.Resolution, cfg *config.Config, err error) error {
	return &SignError{Err: err, Resolution: res, Config: cfg}
}

// ForLog returns an error without the words of somebody else's program.
func ForLog(err error) error {
	e, ok := errors.AsType[*SignError](err)
	if !ok || e.Said == "" {
		return err
	}
	return Failed(e.Resolution, e.Config, e.Err)
}

func (e *SignError) Error() string { return e.Err.Error() }
func (e *SignError) Unwrap() error { return e.Err }

// Advice implements [advice.Adviser].
func (e *SignError) Advice() advice.Problem {
	if missing, ok := errors.AsType[*profiles.MissingError](e.Err); ok && missing.UsedBy == "" {
		return e.missingProfile(missing)
	}
	if errors.Is(e.Err, credentials.ErrNoCredentials) {
		return e.noCredentials()
	}
	if m, ok := errors.AsType[*managed.Error](e.Err); ok {
		return e.ofSecret(m)
	}
	p := advice.Of(e.Err)
	if e.Said != "" {
		p.Text += "; it said: " + e.Said
	}
	return p
}

// missingProfile says who chose a profile that isn't there.
func (e *SignError) missingProfile(missing *profiles.MissingError) advice.Problem {
	chosen := e.Resolution.ProfileBy
	if chosen == "" {
		chosen = "AWS_PROFILE"
		if os.Getenv(chosen) == "" {
			chosen = "AWS_DEFAULT_PROFILE"
		}
	}
	p := missing.Worded(fmt.Sprintf(" (%s chose it)", chosen))
	if e.Resolution.Learned {
		return p.With(advice.Run(about.Name + " discover")) // it was there then
	}
	if missing.There != "" {
		return p
	}
	if correct, ok := e.correct(missing); ok {
		return p.With(correct)
	}
	list := advice.AWS2("configure", "list-profiles")
	if by := e.Resolution.ProfileBy; by == "" || strings.HasPrefix(by, "--profile") {
		return p.With(advice.Say("set %s to a profile that exists", strings.Fields(chosen)[0]), list)
	}
	if strings.HasPrefix(e.Resolution.ProfileBy, "accounts: ") {
		return p.With(e.Config.SetAccount(e.Resolution.Endpoint.HostID, "aws_profile", "PROFILE"), list)
	}
	return p.With(advice.Say("set aws_profile in %s to one that it has", e.Config.File),
		advice.AWS2("configure", "list-profiles"))
}

// correct returns the action of naming the nearest profile where the missing one was named.
func (e *SignError) correct(missing *profiles.MissingError) (a advice.Action, ok bool) {
	by := e.Resolution.ProfileBy
	switch {
	case by == "" || missing.Nearest == "":
		return missing.Correct()
	case strings.HasPrefix(by, "--profile"):
		return advice.Put("name it", "--profile "+advice.Word(missing.Nearest)), true
	case strings.HasPrefix(by, "accounts: "):
		return e.Config.SetAccount(e.Resolution.Endpoint.HostID, "aws_profile", missing.Nearest), true
	}
	return advice.Put("set in "+by, "aws_profile: "+config.Quote(missing.Nearest)), true
}

// ofSecret adds what to do about a secret that is of no use.
func (e *SignError) ofSecret(m *managed.Error) advice.Problem {
	p := m.Advice()
	s, t := e.Resolution.Secret, e.Resolution.Target
	switch {
	case m.Kind == managed.OtherUser && s.Managed:
		return p.With(advice.Say("connect as that user, or set secret to that of %s: this one is the master user's, "+
			"which RDS manages", t.User))
	case m.Kind == managed.OtherUser:
		return p.With(advice.Say("connect as that user, or set secret to that of %s (%s chose this one)", t.User, s.By))
	case m.Kind != managed.Absent:
		return p
	case s.Managed: // it was there then
		return p.With(advice.Ours("discover"))
	}
	p.Text = fmt.Sprintf("there is no secret %s in %s (%s)", s.ID, cmp.Or(s.Region, t.Region), m.Whose.Words)
	return p.With(advice.Say("set secret to one that is there (%s chose this one)", s.By))
}

func (e *SignError) noCredentials() advice.Problem {
	target := e.Resolution.Target
	source := Source(target)
	absent := ""
	if of, ok := errors.AsType[*credentials.Error](e.Err); ok {
		absent = of.Absent
	}
	if source.Unnamed() {
		id := e.Resolution.Endpoint.HostID
		if e.Asked != "" {
			absent += "; " + e.Asked
		}
		return advice.Problemf("no AWS profile known for account id %s (%s)%s", id, target.Region, absent).
			With(advice.Run(about.Name+" discover"), e.Config.SetAccount(id, "aws_profile", "PROFILE"))
	}
	return advice.Problemf("no AWS credentials found (profile %q, the environment, and this machine's role)%s",
		source.Name(), absent).
		With(advice.Say("log in, or set aws_profile in %s", e.Config.File), advice.AWS2("configure", "sso"))
}
