package app

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/paste"
	"mysql-secret-store-rds/internal/profiles"
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

// hints are what to do, one after the other.
func (p problem) hints() []string {
	if p.hint == "" {
		return p.run
	}
	return append([]string{p.hint}, p.run...)
}

// didYouMean ends the text of a problem with the nearest name, if there is one.
func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}

// signError is a failure to sign, with what is needed to tell whose fault it is.
type signError struct {
	err        error
	whose      credentials.Whose
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
		awsFile   *profiles.FileError
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
	case errors.As(err, &awsFile):
		return describeCredentials(credentials.Whose{}, awsFile, 0)
	}
	return problem{text: err.Error()}
}

// describeSigning words what went wrong between a target and its token.
func describeSigning(e *signError) problem {
	target, ep := e.resolution.Target, e.resolution.Endpoint
	source := token.Source(target)
	var missing *profiles.MissingError
	switch {
	case errors.As(e.err, &missing) && missing.UsedBy == "":
		chosen := e.resolution.Source("aws_profile")
		if chosen == "" {
			chosen = "AWS_PROFILE"
		}
		p := problem{text: fmt.Sprintf("%v (%s chose it)", missing, chosen) + didYouMean(missing.Nearest), run: []string{"aws configure list-profiles"}}
		if strings.HasPrefix(chosen, resolve.FromInventory) {
			p.run = []string{Name + " discover"} // it was there then
			return p
		}
		p.hint = fmt.Sprintf("set aws_profile in %s to one that it has", e.configFile)
		return p
	case errors.Is(e.err, credentials.ErrNoCredentials) && source.Unnamed():
		id := ep.ID
		return problem{
			text: fmt.Sprintf("no AWS profile known for account id %s (%s)", id, target.Region),
			run:  []string{Name + " discover", accountSetting(e.configFile, id, "aws_profile", "PROFILE")},
		}
	case errors.Is(e.err, credentials.ErrNoCredentials):
		return problem{
			text: fmt.Sprintf("no AWS credentials found (profile %q, the environment, and this machine's role)", source.Name()),
			hint: fmt.Sprintf("log in, or set aws_profile in %s", e.configFile),
			run:  []string{"aws configure sso"},
		}
	}
	p := describeCredentials(e.whose, e.err, e.timeout)
	if e.said != "" {
		p.text += "; it said: " + e.said
	}
	return p
}

// describeCredentials words why credentials can't be had, or used.
func describeCredentials(whose credentials.Whose, err error, timeout time.Duration) problem {
	var (
		ready     problem
		missing   *profiles.MissingError
		file      *profiles.FileError
		expired   *credentials.ExpiredError
		session   *credentials.SessionKeysError
		process   *credentials.ProcessError
		container *credentials.ContainerError
		clock     *credentials.ClockError
		network   *credentials.NetworkError
		api       *credentials.APIError
		settings  *credentials.SettingsError
	)
	profile := whose.Profile
	login := Name + " login " + paste.Word(profile)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &missing):
		return problem{text: missing.Error() + didYouMean(missing.Nearest), run: []string{"aws configure list-profiles"}}
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
	case errors.Is(err, credentials.ErrAskedElsewhere):
		return problem{text: fmt.Sprintf("the AWS profile %q wants an MFA code, and another process is asking for it: answer there", profile), run: []string{login}}
	case errors.Is(err, credentials.ErrTimeout):
		return problem{text: fmt.Sprintf("no AWS credentials for %s within %v", whose.Words, timeout), run: whoami(whose)}
	case errors.As(err, &expired):
		return problem{text: fmt.Sprintf("%v, and a token signed with them would be refused; renew %s", expired, ofWhom(whose))}
	case errors.As(err, &file):
		return problem{text: file.Error(), run: []string{"ls -l " + paste.Word(file.File)}}
	case errors.As(err, &session) && session.Profile == "":
		return problem{text: session.Error(), hint: "export new ones, or use a profile that renews by itself",
			run: []string{"unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"}}
	case errors.As(err, &session):
		return problem{text: session.Error(), hint: "write new ones there, or use a profile that renews by itself",
			run: []string{"aws configure sso --profile " + paste.Word(session.Profile)}}
	case errors.Is(err, credentials.ErrInstanceRole):
		return problem{text: credentials.ErrInstanceRole.Error()}
	case errors.As(err, &container):
		return problem{text: container.Error()}
	case errors.As(err, &process):
		return problem{text: fmt.Sprintf("%v (%s)", process, whose.Words), run: whoami(whose)}
	case errors.As(err, &clock):
		return problem{text: clock.Error(), hint: "set this machine's clock", run: []string{"sudo timedatectl set-ntp true"}}
	case errors.As(err, &network):
		return problem{text: fmt.Sprintf("%v (%s)", network, whose.Words), hint: "check the network, a VPN, HTTPS_PROXY"}
	case errors.As(err, &api):
		return describeAPI(whose, api)
	case errors.As(err, &settings):
		p := problem{text: fmt.Sprintf("the AWS configuration of %s can't be used: %v", whose.Words, settings)}
		if profile != "" {
			p.run = []string{"aws configure --profile " + paste.Word(profile)}
		}
		return p
	}
	return problem{text: fmt.Sprintf("AWS credentials of %s: %v", whose.Words, err), run: whoami(whose)}
}

// accountSetting is what to write into the configuration for an account: into the entry that it has, which may stand there
// only once.
func accountSetting(file, id, key, value string) string {
	setting := key + ": " + value
	if _, cfg, err := readConfig(); err == nil {
		if e, ok := cfg.Accounts[id]; ok {
			if key != "aws_profile" && reflect.DeepEqual(e.Fields, config.Fields{Profile: e.Profile}) { // which may be all of the entry
				setting = fmt.Sprintf("%s: {aws_profile: %q, %s}", id, e.Profile, setting)
			}
			return paste.SetIn(e.Where.String(), setting)
		}
	}
	if key == "aws_profile" {
		return paste.Setting(file, "accounts", id+": "+value)
	}
	return paste.Setting(file, "accounts", fmt.Sprintf("%s: {%s}", id, setting))
}

// ofWhom is what is to be renewed.
func ofWhom(whose credentials.Whose) string {
	if whose.Profile == "" {
		return whose.Words
	}
	return "the credentials of " + whose.Words
}

// describeAPI words AWS's no.
func describeAPI(whose credentials.Whose, e *credentials.APIError) problem {
	text := e.Error()
	switch {
	case e.WrongCode:
		return problem{text: "AWS refused the MFA code; each one works once, and for half a minute: wait for the next one",
			run: []string{Name + " login " + paste.Word(whose.Profile)}}
	case e.Throttled:
		return problem{text: fmt.Sprintf("AWS has too many calls just now (%s, %s); wait a moment, and try again", text, whose.Words)}
	case e.Region != "":
		return problem{text: fmt.Sprintf("the AWS region %s is not enabled (%s, %s)", e.Region, text, whose.Words),
			hint: "choose another region for the profile, or have an administrator enable this one",
			run:  []string{"aws account enable-region --region-name " + paste.Word(e.Region) + ofProfile(whose)}}
	}
	if e.Role != "" && !strings.Contains(text, e.Role) {
		text += " (role " + e.Role + ")"
	}
	return problem{text: fmt.Sprintf("%s (%s)", text, whose.Words), run: whoami(whose)}
}

// whoami is the command that shows whether credentials work at all.
func whoami(whose credentials.Whose) []string {
	return []string{"aws sts get-caller-identity" + ofProfile(whose)}
}

// ofProfile makes a command of the AWS CLI use a profile.
func ofProfile(whose credentials.Whose) string {
	if whose.Profile == "" {
		return ""
	}
	return " --profile " + paste.Word(whose.Profile)
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
	for _, hint := range p.hints() {
		fmt.Fprintln(w, "hint: "+visible(hint))
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
