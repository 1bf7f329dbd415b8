package credentials

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/sso"
)

// Error is a failure to get a source's credentials, or to use them, with what is needed to say what
// to do about it.
type Error struct {
	Err     error         // one of this package's, or of package profiles
	Whose   Whose         // the credentials
	Timeout time.Duration // that the caller has set, for the words of [ErrTimeout]
	Absent  string        // what to say of an AWS file that the environment names and that isn't there
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Advice implements [advice.Adviser].
func (e *Error) Advice() advice.Problem {
	if p, ok := e.ofSignIn(); ok {
		return p
	}
	if p, ok := e.ofKeys(); ok {
		return p
	}
	var (
		process *ProcessError
		clock   *ClockError
		network *NetworkError
		api     *APIError
		worded  advice.Adviser
	)
	switch {
	case errors.As(e.Err, &worded):
		return worded.Advice()
	case errors.Is(e.Err, ErrInterrupted):
		return advice.Problemf("%v", ErrInterrupted)
	case errors.Is(e.Err, ErrTimeout):
		return advice.Problemf("no AWS credentials for %s within %v", e.Whose.Words, e.Timeout).With(e.whoAmI())
	case errors.As(e.Err, &process):
		return advice.Problemf("%v (%s)", process, e.Whose.Words).With(e.whoAmI())
	case errors.As(e.Err, &clock):
		return advice.Problemf("%v", clock).With(advice.Say("set this machine's clock"), SetClock)
	case errors.As(e.Err, &network):
		return advice.Problemf("%v (%s)", network, e.Whose.Words).
			With(advice.Say("check the network, a VPN, HTTPS_PROXY"))
	case errors.As(e.Err, &api):
		return e.ofAPI(api)
	}
	return advice.Problemf("AWS credentials of %s: %v", e.Whose.Words, e.Err).With(e.whoAmI())
}

// SetClock is the command that sets this machine's clock.
var SetClock = advice.Run("sudo timedatectl set-ntp true")

// ofSignIn words what a person has to sign in for: an SSO session, a console login, an MFA code.
func (e *Error) ofSignIn() (p advice.Problem, ok bool) {
	profile := advice.Word(e.Whose.Profile)
	login := advice.Run(about.Name + " login " + profile)
	switch {
	case errors.Is(e.Err, ErrSSOLogin):
		p = advice.Problemf("the AWS login of profile %q has expired or was never made", e.Whose.Profile).
			With(login, advice.AWS2("sso", "login", "--profile", e.Whose.Profile))
	case isTokenError(e.Err):
		p = advice.Problemf("the AWS login of profile %q can't be used: %v", e.Whose.Profile, e.Err).With(login)
	case errors.Is(e.Err, sso.ErrDenied), errors.Is(e.Err, sso.ErrCodeExpired):
		p = advice.Problemf("%v", e.Err).With(login)
	case errors.Is(e.Err, ErrConsoleLogin):
		p = advice.Problemf("the AWS login of profile %q has expired or was never made", e.Whose.Profile).
			With(advice.Put("with AWS CLI 2.32 or later", advice.Words("aws", "login", "--profile", e.Whose.Profile)))
	case errors.Is(e.Err, ErrNoTerminal):
		p = advice.Problemf("the AWS profile %q wants an MFA code, and there is no terminal to ask for it on",
			e.Whose.Profile).
			With(login)
	case errors.Is(e.Err, ErrNoCode):
		p = advice.Problemf("the AWS profile %q wants an MFA code, and none was typed", e.Whose.Profile).With(login)
	case errors.Is(e.Err, ErrAskedElsewhere):
		p = advice.Problemf("the AWS profile %q wants an MFA code, and another process is asking for it: answer there",
			e.Whose.Profile).
			With(login)
	default:
		key, is := errors.AsType[*SecurityKeyError](e.Err)
		if !is {
			return p, false
		}
		p = advice.Problemf("%v (AWS profile %q)", key, e.Whose.Profile).
			With(advice.Say("write mfa_serial of a device that does into the profile: "+
				"an authenticator app or a hardware token"),
				advice.Run("aws iam list-mfa-devices"))
	}
	return p, true
}

func isTokenError(err error) bool {
	_, is := errors.AsType[*sso.TokenError](err)
	return is
}

// ofKeys words credentials that aren't there, or are over.
func (e *Error) ofKeys() (p advice.Problem, ok bool) {
	var (
		expired *ExpiredError
		session *SessionKeysError
	)
	ssoLogin := func(profile string) advice.Action {
		return advice.AWS2("configure", "sso", "--profile", profile)
	}
	switch {
	case errors.Is(e.Err, ErrNoCredentials):
		p = advice.Problemf("the AWS profile %q has no credentials%s", e.Whose.Profile,
			e.Absent).With(ssoLogin(e.Whose.Profile))
	case errors.As(e.Err, &expired):
		whose := e.Whose.Words
		if e.Whose.Profile != "" {
			whose = "the credentials of " + whose
		}
		p = advice.Problemf("%v, and a token signed with them would be refused; renew %s", expired, whose)
	case errors.As(e.Err, &session) && session.Profile == "":
		p = advice.Problemf("%v", session).With(advice.Say("export new ones, or use a profile that renews by itself"),
			advice.Run("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"))
	case errors.As(e.Err, &session):
		p = advice.Problemf("%v", session).
			With(advice.Say("write new ones there, or use a profile that renews by itself"),
				ssoLogin(session.Profile))
	case errors.Is(e.Err, ErrInstanceRole):
		p = advice.Problemf("%v", ErrInstanceRole)
	default:
		container, is := errors.AsType[*ContainerError](e.Err)
		if !is {
			return p, false
		}
		p = advice.Problemf("%v", container)
	}
	return p, true
}

// ofAPI words AWS's no.
func (e *Error) ofAPI(api *APIError) advice.Problem {
	text := api.Error()
	switch {
	case api.WrongCode:
		return advice.Problemf("AWS refused the MFA code; each one works once, and for half a minute: " +
			"wait for the next one").
			With(advice.Run(about.Name + " login " + advice.Word(e.Whose.Profile)))
	case api.Throttled:
		return advice.Problemf("AWS has too many calls just now (%s, %s); wait a moment, and try again", text,
			e.Whose.Words)
	case api.Region != "":
		return advice.Problemf("the AWS region %s is not enabled (%s, %s)", api.Region, text, e.Whose.Words).
			With(advice.Say("choose another region for the profile, or have an administrator enable this one"),
				advice.Run("aws account enable-region --region-name "+advice.Word(api.Region)+e.ofProfile()))
	}
	if api.Role != "" && !strings.Contains(text, api.Role) {
		text += " (role " + api.Role + ")"
	}
	p := advice.Problemf("%s (%s)", text, e.Whose.Words).With(e.whoAmI())
	if policy := api.policy(); policy != "" {
		allow := advice.Put(AllowedBy, policy)
		allow.Long = true
		p = p.With(allow)
	}
	return p
}

// AllowedBy introduces a policy.
const AllowedBy = "an administrator can allow it by this policy"

// Policy is a document that allows actions on a resource, in one line.
func Policy(resource string, actions ...string) string {
	type statement struct {
		Effect   string
		Action   []string
		Resource string
	}
	document, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{"Allow", actions, resource}}})
	if err != nil {
		panic("credentials: a policy that is no JSON: " + err.Error()) // it is made of text
	}
	return string(document)
}

// policy returns the policy that would allow what AWS says isn't, or "": AWS names the action and,
// as a rule, the resource.
func (e *APIError) policy() string {
	_, rest, ok := strings.Cut(e.Message, "is not authorized to perform: ")
	if !e.Denied || !ok {
		return ""
	}
	action, rest, _ := strings.Cut(rest, " ")
	resource := "*"
	if _, on, ok := strings.Cut(rest, "on resource: "); ok {
		resource, _, _ = strings.Cut(on, " ")
	} else if action == "sts:AssumeRole" && e.Role != "" {
		resource = e.Role
	}
	return Policy(resource, action)
}

// whoAmI is the command that shows whether credentials work at all.
func (e *Error) whoAmI() advice.Action {
	return advice.Run("aws sts get-caller-identity" + e.ofProfile())
}

// ofProfile makes a command of the AWS CLI use the profile.
func (e *Error) ofProfile() string {
	if e.Whose.Profile == "" {
		return ""
	}
	return fmt.Sprintf(" --profile %s", advice.Word(e.Whose.Profile))
}
