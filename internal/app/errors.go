package app

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/token"
)

// problem is an error as a person reads it: what is wrong, and what to type next.
type problem struct {
	text string
	hint string // what to write into the configuration, if that is it
	run  string // the command to type, if there is one
}

// signError is a failure to sign, with what is needed to tell whose fault it is.
type signError struct {
	err        error
	resolution resolve.Resolution
	configFile string
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
		message   protocol.Message
		inConfig  *config.Error
		unclear   *resolve.Error
		noHelper  *delegateError
		signature *signError
	)
	switch {
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
	var (
		missing   *token.ProfileError
		expired   *token.ExpiredError
		process   *token.ProcessError
		container *token.ContainerError
		api       *token.APIError
	)
	profile := token.Profile(e.resolution.Target)
	chosen := e.resolution.Source("aws_profile")
	if chosen == "" {
		chosen = "AWS_PROFILE"
	}
	switch {
	case errors.As(e.err, &missing) && missing.UsedBy == "":
		return problem{
			text: fmt.Sprintf("%v (%s chose it)", missing, chosen),
			hint: fmt.Sprintf("set aws_profile in %s to one that it has", e.configFile),
			run:  "aws configure list-profiles",
		}
	case errors.As(e.err, &missing):
		return problem{text: missing.Error(), run: "aws configure list-profiles"}
	case errors.Is(e.err, token.ErrNoCredentials):
		return problem{
			text: fmt.Sprintf("no AWS credentials found (profile %q, the environment, and this machine's role)", profile),
			hint: fmt.Sprintf("log in, or set aws_profile in %s", e.configFile),
			run:  "aws configure sso",
		}
	case errors.Is(e.err, token.ErrSSOLogin):
		return problem{text: fmt.Sprintf("the AWS login of profile %q has expired or was never made", profile),
			run: "aws sso login --profile " + quote(profile)}
	case errors.Is(e.err, token.ErrConsoleLogin):
		return problem{text: fmt.Sprintf("the AWS login of profile %q has expired or was never made", profile),
			run: "aws login --profile " + quote(profile)}
	case errors.Is(e.err, token.ErrMFA):
		return problem{text: fmt.Sprintf("the AWS profile %q wants an MFA code, which can't be asked for here; "+
			"use one whose credential_process or SSO session asks for it", profile)}
	case errors.Is(e.err, token.ErrTimeout):
		return problem{text: fmt.Sprintf("no AWS credentials for profile %q within %v", profile, deadline), run: whoami(profile)}
	case errors.As(e.err, &expired):
		return problem{text: fmt.Sprintf("%v, and a token signed with them would be refused; renew the credentials of profile %q", expired, profile)}
	case errors.Is(e.err, token.ErrInstanceRole):
		return problem{text: token.ErrInstanceRole.Error()}
	case errors.As(e.err, &container):
		return problem{text: container.Error()}
	case errors.As(e.err, &process):
		text := fmt.Sprintf("%v (profile %q)", process, profile)
		if e.said != "" {
			text += "; it said: " + e.said
		}
		return problem{text: text, run: whoami(profile)}
	case errors.As(e.err, &api):
		text := api.Error()
		if role := e.resolution.Target.RoleARN; role != "" && !strings.Contains(text, role) {
			text += " (role " + role + ")"
		}
		return problem{text: fmt.Sprintf("%s (profile %q)", text, profile), run: whoami(profile)}
	}
	return problem{text: fmt.Sprintf("AWS credentials of profile %q: %v", profile, e.err), run: whoami(profile)}
}

// whoami is the command that shows whether a profile's credentials work at all.
func whoami(profile string) string { return "aws sts get-caller-identity --profile " + quote(profile) }

// quote makes a word safe to paste into a shell.
func quote(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@/+=,:") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// oneLine is a problem as the Shell shows it, after "Failed to retrieve the password: ".
func oneLine(p problem) string {
	text := p.text
	if p.hint != "" {
		text += ": " + p.hint
	}
	if p.run != "" {
		text += ": run: " + p.run
	}
	return visible(strings.Join(strings.Fields(text), " "))
}

// printError is a problem as a command shows it.
func printError(w io.Writer, p problem) {
	fmt.Fprintln(w, "error: "+visible(p.text))
	for _, hint := range []string{p.hint, p.run} {
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
