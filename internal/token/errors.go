package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"

	"mysql-secret-store-rds/internal/target"
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
	// ErrMFA: the profile wants a code that nobody can be asked for here.
	ErrMFA = errors.New("the AWS profile asks for an MFA code")
	// ErrTimeout: the caller's deadline came first.
	ErrTimeout = errors.New("AWS credentials took too long")
)

// ProfileError is a profile that the AWS configuration doesn't have.
type ProfileError struct {
	Profile string
	UsedBy  string // the profile that names it as its source_profile, or ""
}

func (e *ProfileError) Error() string {
	if e.UsedBy != "" {
		return fmt.Sprintf("the AWS configuration has no profile %q, which is the source_profile of %q", e.Profile, e.UsedBy)
	}
	return fmt.Sprintf("the AWS configuration has no profile %q", e.Profile)
}

// ExpiredError is a source that gave out credentials which are no good any more. They would sign
// without complaint, and only the server would refuse the token.
type ExpiredError struct {
	At     time.Time
	Source string
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("the AWS credentials (%s) expired at %s", e.Source, e.At.Local().Format("15:04:05 on 2006-01-02"))
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
type APIError struct{ Operation, Code, Message string }

func (e *APIError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message)
}

// Signer says in a few words whose credentials would sign for a target, as far as the settings
// tell: an order that the SDK keeps, too.
func Signer(t target.Target) string {
	set := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return os.Getenv(name) != "" })
	}
	switch {
	case t.Profile != "":
		return "AWS profile " + t.Profile
	case set("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY") && set("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"):
		return "the keys in the environment (AWS_ACCESS_KEY_ID)"
	case set("AWS_WEB_IDENTITY_TOKEN_FILE"):
		return "the web identity in the environment (AWS_WEB_IDENTITY_TOKEN_FILE)"
	case set("AWS_PROFILE"):
		return "AWS profile " + Profile(t) + " (AWS_PROFILE)"
	}
	return "AWS profile " + Profile(t) + ", or else this machine's role"
}

// Profile is the name of the profile that a target's credentials come from.
func Profile(t target.Target) string {
	for _, name := range []string{t.Profile, os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE")} {
		if name != "" {
			return name
		}
	}
	return "default"
}

// CheckProfile says whether the AWS configuration has the profile that t or AWS_PROFILE names, with
// a [*ProfileError] when it doesn't. It reads the AWS files and nothing else.
func CheckProfile(ctx context.Context, t target.Target) error {
	name := t.Profile
	if name == "" {
		name = os.Getenv("AWS_PROFILE")
	}
	if name == "" {
		return nil
	}
	_, err := config.LoadSharedConfigProfile(ctx, name, func(o *config.LoadSharedConfigOptions) {
		if f := os.Getenv("AWS_CONFIG_FILE"); f != "" {
			o.ConfigFiles = []string{f}
		}
		if f := os.Getenv("AWS_SHARED_CREDENTIALS_FILE"); f != "" {
			o.CredentialsFiles = []string{f}
		}
	})
	if err == nil {
		return nil
	}
	return explain(ctx, t, err)
}

// explain turns what the SDK says into this package's errors, one line each and free of secrets.
func explain(ctx context.Context, t target.Target, err error) error {
	var (
		missing    config.SharedConfigProfileNotExistError
		assume     config.SharedConfigAssumeRoleError
		mfa        config.AssumeRoleTokenProviderNotSetError
		process    *processcreds.ProviderError
		ssoToken   *ssocreds.InvalidTokenError
		noMetadata *noMetadataError
		expired    *ExpiredError
		api        smithy.APIError
	)
	switch {
	case errors.As(err, &expired):
		return expired
	case errors.As(err, &missing):
		e := &ProfileError{Profile: missing.Profile}
		if missing.Profile != Profile(t) {
			e.UsedBy = Profile(t)
		}
		return e
	case errors.As(err, &assume):
		return fmt.Errorf("the AWS profile %q, with whose credentials role %s is assumed, has none", assume.Profile, assume.RoleARN)
	case errors.As(err, &mfa):
		return ErrMFA
	case errors.As(err, &process) && strings.HasPrefix(process.Err.Error(), "credential process timed out"):
		return ErrTimeout
	case errors.As(err, &process):
		return &ProcessError{processProblem(ctx, process.Err)}
	case errors.As(err, &ssoToken), strings.Contains(err.Error(), "cached SSO token"):
		return ErrSSOLogin
	case strings.Contains(err.Error(), "please reauthenticate"):
		return ErrConsoleLogin
	case ctx.Err() != nil:
		return ErrTimeout
	case errors.As(err, &noMetadata):
		return ErrNoCredentials
	case strings.Contains(err.Error(), "EC2 IMDS role credentials"):
		return ErrInstanceRole
	case strings.Contains(err.Error(), "failed to load credentials") && containerURI() != "":
		return &ContainerError{containerProblem(err)}
	case errors.As(err, &api):
		return apiError(err, api)
	}
	return oneLine(err)
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
func apiError(err error, api smithy.APIError) error {
	e := &APIError{Operation: "AWS", Code: api.ErrorCode(), Message: firstLine(api.ErrorMessage())}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		e.Operation = op.ServiceID + " " + op.OperationName
	}
	if e.Code == "SignatureDoesNotMatch" || e.Code == "IncompleteSignature" {
		e.Message = "the secret access key doesn't belong to the access key id"
	}
	if e.Message == "" {
		e.Message = "no reason given"
	}
	return e
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(s)
}

type lineError struct {
	text string
	err  error
}

func (e *lineError) Error() string { return e.text }
func (e *lineError) Unwrap() error { return e.err }

// oneLine folds an error's text into one line.
func oneLine(err error) error {
	return &lineError{strings.Join(strings.Fields(err.Error()), " "), err}
}
