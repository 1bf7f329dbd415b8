package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/term"
)

// Conditions that a person can do something about.
var (
	// ErrNoCredentials: every place that the SDK knows was looked at.
	ErrNoCredentials = errors.New("no AWS credentials found")
	// ErrSSOLogin: the profile's SSO session is missing or over.
	ErrSSOLogin = errors.New("the SSO session has expired or was never begun")
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
type ContainerError struct{ Problem string }

func (e *ContainerError) Error() string {
	return "the container's credentials endpoint (" + containerURI() + "): " + e.Problem
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
	case "InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException", "SignatureDoesNotMatch", "AuthFailure":
		return true
	}
	return false
}

// SettingsError is a profile that says too little.
type SettingsError struct{ Problem string }

func (e *SettingsError) Error() string { return e.Problem }

// NetworkError is AWS out of reach.
type NetworkError struct{ Host, Problem string }

func (e *NetworkError) Error() string {
	return fmt.Sprintf("%s can't be reached: %s", e.Host, e.Problem)
}

// Check reports whether the AWS configuration has the profile that the source or AWS_PROFILE names,
// with a [*profiles.MissingError] when it doesn't. It reads the AWS files and nothing else.
func (p *Provider) Check() error {
	p.prepare()
	name := first("AWS_PROFILE")
	if p.source.Profile != "" {
		name = p.source.Profile
	}
	if p.err != nil || name == "" {
		return p.failed(p.err)
	}
	_, err := p.set.Chain(name)
	return p.failed(err)
}

// Explain turns what an SDK client that has these credentials says into this package's errors, one
// line each and free of secrets.
func (p *Provider) Explain(ctx context.Context, err error) error {
	if wrong := p.clock.wrong(); wrong != nil {
		return p.failed(wrong)
	}
	return p.failed(p.explain(ctx, err))
}

// unread gives, instead of an error that says that there is nothing, why it was not seen: the SDK
// takes a file that it can't read for an empty one, and half a key for none.
func (p *Provider) unread(err error) error {
	var missing *profiles.MissingError
	if err == nil || !errors.Is(err, ErrNoCredentials) && !errors.As(err, &missing) &&
		!strings.Contains(err.Error(), "failed to load shared config file") {
		return err
	}
	if p.err != nil {
		return p.err
	}
	id, secret := set("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"), set("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY")
	if id != secret && p.source.Unnamed() {
		return &SettingsError{"of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set"}
	}
	return err
}

// explain words what the SDK says.
func (p *Provider) explain(ctx context.Context, err error) error {
	var (
		missing    config.SharedConfigProfileNotExistError
		assume     config.SharedConfigAssumeRoleError
		mfa        config.AssumeRoleTokenProviderNotSetError
		process    *processcreds.ProviderError
		ssoToken   *ssocreds.InvalidTokenError
		noMetadata *noMetadataError
		api        smithy.APIError
	)
	if ours := known(err); ours != nil {
		return ours
	}
	if large, ok := errors.AsType[*disk.TooLargeError](err); ok {
		return fmt.Errorf("AWS: %w", large)
	}
	switch {
	case errors.As(err, &missing):
		e := &profiles.MissingError{Profile: missing.Profile}
		if missing.Profile != p.source.Name() {
			e.UsedBy = p.source.Name()
		}
		if p.set != nil {
			e.Nearest = p.set.Nearest(e.Profile)
		}
		return e
	case errors.As(err, &assume) && p.circle() != "":
		return &SettingsError{"its source_profile goes in a circle: " + p.circle()}
	case errors.As(err, &assume):
		return fmt.Errorf("the AWS profile %q, with whose credentials role %s is assumed, has none", assume.Profile,
			assume.RoleARN)
	case errors.As(err, &mfa):
		return ErrNoTerminal
	case errors.As(err, &process) && p.tooMuch.Load():
		return &ProcessError{fmt.Sprintf("its output is more than %d MB", maxProcess>>20)}
	case errors.As(err, &process) && strings.HasPrefix(process.Err.Error(), "credential process timed out"):
		return ErrTimeout
	case errors.As(err, &process):
		return &ProcessError{processProblem(ctx, process.Err)}
	case ssoOver(err), (errors.As(err, &ssoToken) || strings.Contains(err.Error(), "cached SSO token")) &&
		!passing(err) && ctx.Err() == nil:
		return ErrSSOLogin
	case strings.Contains(err.Error(), "please reauthenticate"):
		return ErrConsoleLogin
	case ctx.Err() != nil:
		return ErrTimeout
	case errors.As(err, &noMetadata):
		if name := first("AWS_DEFAULT_PROFILE"); p.set != nil && name != "" && p.source.Profile == "" &&
			!set("AWS_PROFILE") {
			// The SDK passes over one that isn't there.
			if _, there := p.set.Profile(name); !there {
				return &profiles.MissingError{Profile: name, Nearest: p.set.Nearest(name)}
			}
		}
		return ErrNoCredentials
	case strings.Contains(err.Error(), "static credentials are empty"):
		return &SettingsError{"credential_source names the environment, which has no keys (AWS_ACCESS_KEY_ID)"}
	case strings.Contains(err.Error(), "partial credentials found"):
		return &SettingsError{"it has aws_access_key_id without aws_secret_access_key, or the other way round"}
	case strings.Contains(err.Error(), "missing required configuration: "):
		_, missing, _ := strings.Cut(err.Error(), "missing required configuration: ")
		return &SettingsError{"it lacks " + term.FirstLine(missing)}
	case strings.Contains(err.Error(), "EC2 IMDS role credentials"):
		return ErrInstanceRole
	case strings.Contains(err.Error(), "failed to load credentials") && containerURI() != "":
		return &ContainerError{containerProblem(err)}
	case errors.As(err, &api):
		return p.apiError(err, api)
	}
	if errors.Is(err, context.DeadlineExceeded) { // of a context within ctx
		return ErrTimeout
	}
	if e := networkError(err); e != nil {
		return e
	}
	return oneLine(err)
}

// circle names the profiles whose source_profile leads back to one of them, or gives "".
func (p *Provider) circle() string {
	if p.set == nil {
		return ""
	}
	chain, _ := p.set.Chain(p.source.Name()) // what is there of it
	var names []string
	for _, one := range chain {
		again := slices.Contains(names, one.Name)
		if names = append(names, one.Name); again && len(names) > 2 {
			return strings.Join(names, ", ")
		}
	}
	return ""
}

// known finds one of this package's own errors in a chain: a provider's, that an SDK client
// wrapped.
func known(err error) error {
	for _, sentinel := range []error{
		ErrNoCredentials, ErrSSOLogin, ErrConsoleLogin, ErrInstanceRole, ErrNoTerminal, ErrNoCode, ErrAskedElsewhere, ErrTimeout,
		sso.ErrDenied, sso.ErrCodeExpired, errRedirects,
	} {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		switch err.(type) {
		case *profiles.MissingError, *profiles.FileError, *ExpiredError, *SessionKeysError, *ProcessError, *ContainerError, *ClockError, *NetworkError, *APIError, *SettingsError, *SecurityKeyError, *wantsCode, *lineError:
			return err
		}
	}
	return nil
}

// passing reports whether an error may well be gone at the next try: no network, too many calls,
// AWS's own trouble.
func passing(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return networkError(err) != nil
	}
	var answered interface{ HTTPStatusCode() int }
	return tooManyCalls(api.ErrorCode()) || api.ErrorFault() == smithy.FaultServer || errors.As(err, &answered) &&
		(answered.HTTPStatusCode() >= 500 || answered.HTTPStatusCode() == 429)
}

func tooManyCalls(code string) bool {
	_, ok := retry.DefaultThrottleErrorCodes[code]
	return ok || code == "SlowDownException" // of SSO
}

// ssoOver reports whether AWS refused the token of an SSO session, or to refresh it.
func ssoOver(err error) bool {
	var api smithy.APIError
	var op *smithy.OperationError
	if !errors.As(err, &api) || !errors.As(err, &op) {
		return false
	}
	switch api.ErrorCode() {
	case "UnauthorizedException":
		return op.ServiceID == "SSO"
	case "InvalidGrantException", "ExpiredTokenException", "InvalidClientException", "UnauthorizedClientException":
		return op.ServiceID == "SSO OIDC"
	}
	return false
}

// containerURI is what says that there is a container endpoint, or "".
func containerURI() string {
	for _, name := range []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

// containerProblem words a failure of the container endpoint without its answer.
func containerProblem(err error) string {
	var answered interface{ HTTPStatusCode() int }
	var unreachable *net.OpError
	var network net.Error
	switch {
	case strings.Contains(err.Error(), "read authorization token"):
		return "the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names can't be read"
	case errors.As(err, &answered) && answered.HTTPStatusCode() != 0:
		return fmt.Sprintf("it answered with status %d", answered.HTTPStatusCode())
	case errors.As(err, &unreachable):
		return unreachable.Error()
	case errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("no answer within %v", containerAnswer)
	}
	return "its answer is not the JSON that the AWS SDK expects"
}

// processProblem words a failure of credential_process without its output, which the SDK's own
// text includes.
func processProblem(ctx context.Context, err error) string {
	var exit *exec.ExitError
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	var when *time.ParseError
	switch {
	case ctx.Err() != nil:
		return "took too long"
	case errors.As(err, &exit):
		return exit.Error()
	case errors.As(err, &syntax), errors.As(err, &typ), errors.As(err, &when):
		return "its output is not the JSON that the AWS SDK expects"
	case strings.HasPrefix(err.Error(), "wrong version"), strings.HasPrefix(err.Error(), "missing "):
		return err.Error()
	}
	return "failed"
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
		if profile, ok := p.sessionKeysProfile(); ok {
			return p.sessionKeysError(profile)
		}
	}
	if e.Message == "" {
		e.Message = "no reason given"
	}
	e.Throttled = tooManyCalls(e.Code)
	e.Denied = e.Code == "AccessDenied" || e.Code == "AccessDeniedException" || e.Code == "ForbiddenException"
	e.WrongCode = e.Denied && strings.Contains(e.Message, "MultiFactorAuthentication failed")
	if e.Code == "RegionDisabledException" || e.Code == "OptInRequired" {
		e.Region = p.region()
	}
	if e.Role = p.source.RoleARN; e.Role == "" && p.set != nil {
		e.Role = p.source.role(p.set)
	}
	return e
}

// sessionKeysProfile is the profile whose session keys the source's chain begins with, or "" for
// those in the environment.
func (p *Provider) sessionKeysProfile() (profile string, ok bool) {
	k, name := p.source.effective()
	if k == ofEnvironmentKeys {
		return "", set("AWS_SESSION_TOKEN")
	}
	if p.set == nil || k != ofProfile || p.set.Kind(name) != profiles.SessionKeys {
		return "", false
	}
	chain, err := p.set.Chain(name)
	if err != nil {
		return "", false
	}
	return chain[len(chain)-1].Name, true
}

// region is where STS is asked.
func (p *Provider) region() string {
	if p.set != nil {
		if own, ok := p.set.Profile(p.source.Name()); ok && own.Get("region") != "" {
			return own.Get("region")
		}
	}
	if region := first("AWS_REGION", "AWS_DEFAULT_REGION"); region != "" {
		return region
	}
	return p.source.Region
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
