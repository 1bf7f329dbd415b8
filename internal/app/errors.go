package app

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/paste"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/token"
)

// problem is an error as a person reads it: what is wrong, and what to type next.
type problem struct {
	text string
	hint string   // what to write into the configuration, if that is it
	run  []string // the command to type, or several of which one will do
}

func (p problem) Error() string { return p.text }

// signError is a failure to sign, with what is needed to tell whose fault it is.
type signError struct {
	err        error
	resolution resolve.Resolution
	configFile string
	timeout    time.Duration
	said       string // the last line a credential_process wrote to stderr
}

func (e *signError) Error() string { return e.err.Error() }
func (e *signError) Unwrap() error { return e.err }

// withoutQuote takes the words of a credential_process out of an error: the person whose program
// it is may see them, but nobody knows what they are, so that the log may not keep them.
func withoutQuote(err error) error {
	var e *signError
	if !errors.As(err, &e) || e.said == "" {
		return err
	}
	bare := *e
	bare.said = ""
	return &bare
}

// delegateError is a password that the other helper should take and can't.
type delegateError struct {
	err        error
	configFile string
}

func (e *delegateError) Error() string { return e.err.Error() }
func (e *delegateError) Unwrap() error { return e.err }

// describe is the one table from an error to its words.
func describe(err error) problem {
	var (
		ready     problem
		message   protocol.Message
		inConfig  *config.Error
		unclear   *resolve.Error
		noHelper  *delegateError
		signature *signError
	)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &message), errors.As(err, &inConfig):
		return problem{text: err.Error()}
	case errors.As(err, &unclear):
		return problem{text: unclear.Msg, hint: unclear.Hint}
	case errors.As(err, &noHelper):
		return problem{
			text: "passwords that aren't for RDS go to another helper, but " + noHelper.Error(),
			hint: fmt.Sprintf("choose one in %s: \"delegate: NAME\", \"delegate: /absolute/path\" or \"delegate: none\"", noHelper.configFile),
		}
	case errors.As(err, &signature):
		return describeSigning(signature)
	}
	return problem{text: err.Error()}
}

// describeSigning words what went wrong between a target and its token.
func describeSigning(e *signError) problem {
	target, ep := e.resolution.Target, e.resolution.Endpoint
	source := token.Source(target)
	var missing *credentials.ProfileError
	switch {
	case errors.As(e.err, &missing) && missing.UsedBy == "":
		chosen := e.resolution.Source("aws_profile")
		if chosen == "" {
			chosen = "AWS_PROFILE"
		}
		p := problem{text: fmt.Sprintf("%v (%s chose it)", missing, chosen), run: []string{"aws configure list-profiles"}}
		if missing.Nearest != "" {
			p.text += fmt.Sprintf("; did you mean %q?", missing.Nearest)
		}
		p.hint = fmt.Sprintf("set aws_profile in %s to one that it has", e.configFile)
		return p
	case errors.Is(e.err, credentials.ErrNoCredentials) && source.Unnamed():
		id := ep.ID
		return problem{
			text: fmt.Sprintf("no AWS profile known for account id %s (%s)", id, target.Region),
			run:  []string{Name + " discover", fmt.Sprintf("write into %s: \"accounts: {%s: PROFILE}\"", e.configFile, id)},
		}
	case errors.Is(e.err, credentials.ErrNoCredentials):
		return problem{
			text: fmt.Sprintf("no AWS credentials found (profile %q, the environment, and this machine's role)", source.Name()),
			hint: fmt.Sprintf("log in, or set aws_profile in %s", e.configFile),
			run:  []string{"aws configure sso"},
		}
	}
	p := describeCredentials(source.Name(), e.err, e.timeout)
	if e.said != "" {
		p.text += "; it said: " + e.said
	}
	return p
}

// describeCredentials words why a profile's credentials can't be had, or used.
func describeCredentials(profile string, err error, timeout time.Duration) problem {
	var (
		ready     problem
		missing   *credentials.ProfileError
		expired   *credentials.ExpiredError
		session   *credentials.SessionKeysError
		process   *credentials.ProcessError
		container *credentials.ContainerError
		clock     *credentials.ClockError
		network   *credentials.NetworkError
		api       *credentials.APIError
	)
	login := Name + " login " + paste.Word(profile)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &missing):
		text := missing.Error()
		if missing.Nearest != "" {
			text += fmt.Sprintf("; did you mean %q?", missing.Nearest)
		}
		return problem{text: text, run: []string{"aws configure list-profiles"}}
	case errors.Is(err, credentials.ErrNoCredentials):
		return problem{text: fmt.Sprintf("the AWS profile %q has no credentials", profile), run: []string{"aws configure sso --profile " + paste.Word(profile)}}
	case errors.Is(err, credentials.ErrSSOLogin):
		return problem{text: fmt.Sprintf("the AWS login of profile %q has expired or was never made", profile),
			run: []string{login, "aws sso login --profile " + paste.Word(profile)}}
	case errors.Is(err, credentials.ErrConsoleLogin):
		return problem{text: fmt.Sprintf("the AWS login of profile %q has expired or was never made", profile),
			run: []string{"aws login --profile " + paste.Word(profile)}}
	case errors.Is(err, credentials.ErrNoTerminal):
		return problem{text: fmt.Sprintf("the AWS profile %q wants an MFA code, and there is no terminal to ask for it on", profile), run: []string{login}}
	case errors.Is(err, credentials.ErrNoCode):
		return problem{text: fmt.Sprintf("the AWS profile %q wants an MFA code, and none was typed", profile), run: []string{login}}
	case errors.Is(err, credentials.ErrTimeout):
		return problem{text: fmt.Sprintf("no AWS credentials for profile %q within %v", profile, timeout), run: whoami(profile)}
	case errors.As(err, &expired):
		return problem{text: fmt.Sprintf("%v, and a token signed with them would be refused; renew the credentials of profile %q", expired, profile)}
	case errors.As(err, &session):
		return problem{text: session.Error(), hint: "write new ones there, or use a profile that renews by itself",
			run: []string{"aws configure sso --profile " + paste.Word(session.Profile)}}
	case errors.Is(err, credentials.ErrInstanceRole):
		return problem{text: credentials.ErrInstanceRole.Error()}
	case errors.As(err, &container):
		return problem{text: container.Error()}
	case errors.As(err, &process):
		return problem{text: fmt.Sprintf("%v (profile %q)", process, profile), run: whoami(profile)}
	case errors.As(err, &clock):
		return problem{text: clock.Error(), hint: "set this machine's clock", run: []string{"sudo timedatectl set-ntp true"}}
	case errors.As(err, &network):
		return problem{text: network.Error() + fmt.Sprintf(" (profile %q)", profile), hint: "check the network, a VPN, HTTPS_PROXY"}
	case errors.As(err, &api):
		return describeAPI(profile, api)
	}
	return problem{text: fmt.Sprintf("AWS credentials of profile %q: %v", profile, err), run: whoami(profile)}
}

// describeAPI words AWS's no.
func describeAPI(profile string, e *credentials.APIError) problem {
	text := e.Error()
	switch {
	case e.WrongCode:
		return problem{text: "AWS refused the MFA code; each one works once, and for half a minute: wait for the next one",
			run: []string{Name + " login " + paste.Word(profile)}}
	case e.Throttled:
		return problem{text: fmt.Sprintf("AWS has too many calls just now (%s, profile %q); wait a moment, and try again", text, profile)}
	case e.Region != "":
		return problem{text: fmt.Sprintf("the AWS region %s is not enabled (%s, profile %q)", e.Region, text, profile),
			hint: "choose another region for the profile, or have an administrator enable this one",
			run:  []string{"aws account enable-region --region-name " + paste.Word(e.Region)}}
	}
	if e.Role != "" && !strings.Contains(text, e.Role) {
		text += " (role " + e.Role + ")"
	}
	return problem{text: fmt.Sprintf("%s (profile %q)", text, profile), run: whoami(profile)}
}

// whoami is the command that shows whether a profile's credentials work at all.
func whoami(profile string) []string {
	return []string{"aws sts get-caller-identity --profile " + paste.Word(profile)}
}

// oneLine is a problem as the Shell shows it, after "Failed to retrieve the password: ".
func oneLine(p problem) string {
	text := p.text
	if p.hint != "" {
		text += ": " + p.hint
	}
	if len(p.run) > 0 {
		text += ": run: " + strings.Join(p.run, ", or: ")
	}
	return visible(strings.Join(strings.Fields(text), " "))
}

// printError is a problem as a command shows it.
func printError(w io.Writer, p problem) {
	fmt.Fprintln(w, "error: "+visible(p.text))
	for _, hint := range append([]string{p.hint}, p.run...) {
		if hint != "" {
			fmt.Fprintln(w, "hint: "+visible(hint))
		}
	}
}

// visible keeps escapes, which DNS or a user's name may hold, from the terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
