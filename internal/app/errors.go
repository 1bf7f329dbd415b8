package app

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/token"
)

// problem is an error as a person reads it: what is wrong, and what to type next.
type problem struct {
	text string
	hint string // a command, or a line for the configuration; "" when text says it all
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
		return problem{unclear.Msg, unclear.Hint}
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
	setProfile := fmt.Sprintf("set aws_profile in %s", e.configFile)
	switch {
	case errors.As(e.err, &missing) && missing.UsedBy == "":
		return problem{
			fmt.Sprintf("%v (%s chose it)", missing, chosen),
			fmt.Sprintf("see \"aws configure list-profiles\", then %s, or run: aws configure sso --profile %s", setProfile, quote(missing.Profile)),
		}
	case errors.As(e.err, &missing):
		return problem{missing.Error(), "see \"aws configure list-profiles\""}
	case errors.Is(e.err, token.ErrNoCredentials):
		return problem{
			fmt.Sprintf("no AWS credentials found (profile %q, the environment, and this machine's role)", profile),
			"run: aws configure sso, or " + setProfile,
		}
	case errors.Is(e.err, token.ErrSSOLogin):
		return problem{fmt.Sprintf("the AWS login of profile %q has expired or was never made", profile),
			"run: aws sso login --profile " + quote(profile)}
	case errors.Is(e.err, token.ErrConsoleLogin):
		return problem{fmt.Sprintf("the AWS login of profile %q has expired or was never made", profile),
			"run: aws login --profile " + quote(profile)}
	case errors.Is(e.err, token.ErrMFA):
		return problem{fmt.Sprintf("the AWS profile %q wants an MFA code, which can't be asked for here", profile),
			"use a profile whose credential_process or SSO session asks for it"}
	case errors.Is(e.err, token.ErrTimeout):
		return problem{fmt.Sprintf("no AWS credentials for profile %q within %v", profile, deadline),
			"try: aws sts get-caller-identity --profile " + quote(profile)}
	case errors.As(e.err, &expired):
		return problem{fmt.Sprintf("%v, and a token signed with them would be refused", expired),
			fmt.Sprintf("renew the credentials of profile %q", profile)}
	case errors.As(e.err, &container):
		return problem{container.Error(), ""}
	case errors.As(e.err, &process):
		text := fmt.Sprintf("%v (profile %q)", process, profile)
		if e.said != "" {
			text += "; it said: " + e.said
		}
		return problem{text, ""}
	case errors.As(e.err, &api):
		text := api.Error()
		if role := e.resolution.Target.RoleARN; role != "" && !strings.Contains(text, role) {
			text += " (role " + role + ")"
		}
		return problem{fmt.Sprintf("%s (profile %q)", text, profile), ""}
	}
	return problem{fmt.Sprintf("AWS credentials of profile %q: %v", profile, e.err), ""}
}

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
	return strings.Join(strings.Fields(text), " ")
}

// printError is a problem as a command shows it.
func printError(w io.Writer, p problem) {
	fmt.Fprintln(w, "error: "+p.text)
	if p.hint != "" {
		fmt.Fprintln(w, "hint: "+p.hint)
	}
}
