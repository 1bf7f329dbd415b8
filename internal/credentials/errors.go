package credentials

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/term"
)

// Conditions that a person can do something about.
var (
	// ErrNoCredentials: every place that the AWS CLI knows was looked at.
	ErrNoCredentials = errors.New("no AWS credentials found")
	// ErrSSOLogin: the profile's SSO session is missing or over.
	ErrSSOLogin = sso.ErrOver
	// ErrConsoleLogin: the same of a session of "aws login".
	ErrConsoleLogin = errors.New("the AWS login session has expired or was never begun")
	// ErrInstanceRole: the metadata service is there, but gives no usable credentials.
	ErrInstanceRole = errors.New("the metadata service of this machine gave no usable credentials for its role")
	// ErrNoTerminal: the profile wants an MFA code, and there is nobody to ask for one.
	ErrNoTerminal = errors.New("no terminal to ask for an MFA code on")
	// ErrNoCode: somebody was asked for one, and gave none.
	ErrNoCode = errors.New("no MFA code was typed")
	// ErrAskedElsewhere: another process has asked for one all the time, and got none so far.
	ErrAskedElsewhere = errors.New("another process is asking for the MFA code")
	// ErrTimeout: the caller's deadline came first.
	ErrTimeout = errors.New("AWS credentials took too long")
	// ErrInterrupted: the caller has given up, as a person who types Ctrl-C has.
	ErrInterrupted = errors.New("interrupted")
)

// ExpiredError is a source that gave out credentials which are no good any more. They would sign
// without complaint, and only the server would refuse the token.
type ExpiredError struct {
	At     time.Time
	Source string
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("the AWS credentials (%s) expired at %s", e.Source,
		e.At.Local().Format("15:04:05 on 2006-01-02"))
}

// ProcessError is a credential_process that failed. It never holds what the process printed to
// stdout: that may be half a credential.
type ProcessError struct{ Problem string }

func (e *ProcessError) Error() string { return "credential_process: " + e.Problem }

// ContainerError is a container's credentials endpoint that gave none. It never holds what it said.
type ContainerError struct{ Variable, Problem string }

func (e *ContainerError) Error() string {
	return "the container's credentials endpoint (" + e.Variable + "): " + e.Problem
}

// APIError is AWS saying no.
type APIError struct {
	Operation, Code, Message string
	Role                     string // that was to be assumed, or ""
	Region                   string // that isn't enabled, if that is it
	Throttled                bool   // too many calls
	Denied                   bool   // not allowed
	WrongCode                bool   // the MFA code
}

func (e *APIError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message)
}

// Refused reports whether AWS doesn't take the credentials, as opposed to what they may do.
func (e *APIError) Refused() bool {
	switch e.Code {
	case "InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException",
		"SignatureDoesNotMatch", "AuthFailure":
		return true
	}
	return false
}

// Refused reports whether an error of this package says that AWS won't take a profile until somebody
// changes something. No network, or a login that is over, is none of that.
func Refused(err error) bool {
	_, missing := errors.AsType[*profiles.MissingError](err)
	api, answered := errors.AsType[*APIError](err)
	return missing || errors.Is(err, ErrNoCredentials) || answered && !api.Throttled && (api.Refused() || api.Denied)
}

// SettingsError is settings that can't be used.
type SettingsError = profiles.SettingsError

// AuthoritiesError is certificate authorities by which AWS isn't known.
type AuthoritiesError struct{ Problem string }

func (e *AuthoritiesError) Error() string { return e.Problem }

// Advice implements [advice.Adviser].
func (e *AuthoritiesError) Advice() advice.Problem {
	return advice.Problemf("%s", e.Problem).With(
		advice.Say("a proxy that inspects TLS has an authority of its own: export AWS_CA_BUNDLE=FILE, or write " +
			"ca_bundle = FILE into the profile, with its certificates (PEM)"))
}

// NetworkError is AWS out of reach.
type NetworkError struct{ Host, Problem string }

func (e *NetworkError) Error() string {
	return fmt.Sprintf("%s can't be reached: %s", e.Host, e.Problem)
}

// Check reports what is wrong with the source's settings, with a [*profiles.MissingError] for a
// profile that isn't there. It reads the AWS files and nothing else.
func (p *Provider) Check() error {
	p.prepare()
	return p.failed(p.planErr)
}

// Explain turns what an SDK client that has these credentials says into this package's errors, one
// line each and free of secrets.
func (p *Provider) Explain(ctx context.Context, err error) error {
	if wrong := p.clock.wrong(); wrong != nil {
		return p.failed(wrong)
	}
	return p.failed(p.explain(ctx, err))
}

// ended says why a context has.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ErrInterrupted
	}
	return ErrTimeout
}

// explain words what the SDK says.
func (p *Provider) explain(ctx context.Context, err error) error {
	var (
		noMetadata *noMetadataError
		api        smithy.APIError
	)
	switch ours := known(err); {
	case ours == ErrTimeout && ctx.Err() != nil:
		return ended(ctx)
	case ours != nil:
		return ours
	}
	if large, ok := errors.AsType[*disk.TooLargeError](err); ok {
		return fmt.Errorf("AWS: %w", large)
	}
	switch {
	case sso.Over(err):
		return ErrSSOLogin
	case strings.Contains(err.Error(), "please reauthenticate"):
		return ErrConsoleLogin
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.As(err, &noMetadata):
		return ErrNoCredentials
	case strings.Contains(err.Error(), "EC2 IMDS role credentials"):
		return ErrInstanceRole
	case strings.Contains(err.Error(), "failed to load credentials") && p.plan.Machine.container() != "":
		return &ContainerError{p.plan.Machine.container(), containerProblem(err)}
	case errors.As(err, &api):
		return p.apiError(err, api)
	case errors.Is(err, context.DeadlineExceeded): // of a context within ctx
		return ErrTimeout
	}
	return p.outside(err)
}

// outside words a failure to reach AWS, and what else isn't AWS's answer.
func (p *Provider) outside(err error) error {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return p.unknownAuthority(err, unknown)
	}
	if e := networkError(err); e != nil {
		return e
	}
	return oneLine(err)
}

// unknownAuthority is AWS with a certificate of an authority that isn't known here.
func (p *Provider) unknownAuthority(err error, unknown x509.UnknownAuthorityError) error {
	host, issuer := "AWS", ""
	if to, ok := errors.AsType[*url.Error](err); ok {
		if u, err := url.Parse(to.URL); err == nil && u.Host != "" {
			host = u.Host
		}
	}
	if unknown.Cert != nil {
		issuer = fmt.Sprintf(" (%s)", term.FirstLine(unknown.Cert.Issuer.String()))
	}
	known := "nothing names others (AWS_CA_BUNDLE, ca_bundle)"
	if file := p.plan.AWS.authorities; file != "" {
		known = fmt.Sprintf("it isn't in %s = %s", p.plan.AWS.authoritiesName(), file)
	}
	return &AuthoritiesError{fmt.Sprintf("the certificate of %s is of an authority%s that isn't known here, and %s",
		host, issuer, known)}
}

// known finds one of this package's own errors in a chain: a provider's, that an SDK client
// wrapped.
func known(err error) error {
	for _, sentinel := range []error{
		ErrNoCredentials, ErrSSOLogin, ErrConsoleLogin, ErrInstanceRole, ErrNoTerminal, ErrNoCode, ErrAskedElsewhere,
		ErrTimeout, ErrInterrupted, sso.ErrDenied, sso.ErrCodeExpired, errRedirects,
	} {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		switch err.(type) {
		case *profiles.MissingError, *profiles.FileError, *ExpiredError, *SessionKeysError, *ProcessError,
			*ContainerError, *ClockError, *NetworkError, *APIError, *SettingsError, *AuthoritiesError,
			*sso.TokenError, *SecurityKeyError, *wantsCode, *lineError:
			return err
		}
	}
	return nil
}

func tooManyCalls(code string) bool {
	_, ok := retry.DefaultThrottleErrorCodes[code]
	return ok || code == "SlowDownException" // of SSO
}

// containerProblem words a failure of the container endpoint without its answer.
func containerProblem(err error) string {
	var answered interface{ HTTPStatusCode() int }
	var unreachable *net.OpError
	var network net.Error
	switch {
	case errors.As(err, &answered) && answered.HTTPStatusCode() != 0:
		return fmt.Sprintf("it answered with status %d", answered.HTTPStatusCode())
	case errors.As(err, &unreachable):
		return unreachable.Error()
	case errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("no answer within %v", containerAnswer)
	}
	return "its answer is not the JSON that the AWS SDK expects"
}

// apiError keeps the operation, the code and the first line of the message. A message about a
// wrong signature quotes the whole request, session token included, so it goes.
func (p *Provider) apiError(err error, api smithy.APIError) error {
	e := &APIError{Operation: "AWS", Code: term.FirstLine(api.ErrorCode()), Message: term.FirstLine(api.ErrorMessage())}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		e.Operation = op.ServiceID + " " + op.OperationName
	}
	switch e.Code {
	case "SignatureDoesNotMatch", "IncompleteSignature":
		e.Message = "the secret access key doesn't belong to the access key id"
	case "ExpiredToken", "ExpiredTokenException":
		if p.plan.Base.Kind == profiles.SessionKeys {
			return newSessionKeysError(p.plan.Base)
		}
	}
	if e.Message == "" {
		e.Message = "no reason given"
	}
	e.Throttled = tooManyCalls(e.Code)
	e.Denied = e.Code == "AccessDenied" || e.Code == "AccessDeniedException" || e.Code == "ForbiddenException"
	e.WrongCode = e.Denied && strings.Contains(e.Message, "MultiFactorAuthentication failed")
	if e.Code == "RegionDisabledException" || e.Code == "OptInRequired" {
		e.Region = p.plan.AWS.region
	}
	if e.Role = p.plan.role(); len(p.plan.Roles) > 1 {
		if failed, ok := errors.AsType[*roleError](err); ok {
			e.Role = failed.role
		}
	}
	return e
}

// networkError words a failure to reach AWS, or gives nil when it is something else.
func networkError(err error) error {
	var (
		dns  *net.DNSError
		op   *net.OpError
		send *smithyhttp.RequestSendError
		to   *url.Error
	)
	if !errors.As(err, &dns) && !errors.As(err, &op) && !errors.As(err, &send) {
		return nil
	}
	e := &NetworkError{Host: "AWS", Problem: term.FirstLine(err.Error())}
	if errors.As(err, &to) {
		if u, err := url.Parse(to.URL); err == nil && u.Host != "" {
			e.Host = u.Host
		}
		e.Problem = term.FirstLine(to.Err.Error())
	}
	return e
}

type lineError struct {
	text string
	err  error
}

func (e *lineError) Error() string { return e.text }
func (e *lineError) Unwrap() error { return e.err }

// oneLine folds an error's text into one line.
func oneLine(err error) error {
	return &lineError{term.FirstLine(strings.Join(strings.Fields(err.Error()), " ")), err}
}
