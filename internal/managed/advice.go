package managed

import (
	"errors"
	"fmt"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/server"
)

// Kind is what is wrong with a secret.
type Kind int

const (
	Unusable  Kind = iota // what it holds is no password, or it is being deleted
	OtherUser             // it is another user's password
	Denied                // reading it isn't allowed
	NoKey                 // using its KMS key isn't allowed
	Absent                // AWS has none of that name
	Throttled             // too many calls
	Silent                // no answer in time
)

// Error is a password that Secrets Manager doesn't give. It holds nothing of the secret but the
// name of a database user.
type Error struct {
	Secret  server.Secret
	Kind    Kind
	Problem string // follows the secret's name
	Whose   credentials.Whose
	Err     error // of package credentials, or nil
}

func (e *Error) Error() string { return fmt.Sprintf("the secret %s %s", e.Secret.ID, e.Problem) }
func (e *Error) Unwrap() error { return e.Err }

// Advice implements [advice.Adviser].
func (e *Error) Advice() advice.Problem {
	text := e.Error()
	if e.Whose.Words != "" {
		text += fmt.Sprintf(" (%s)", e.Whose.Words)
	}
	p := advice.Problemf("%s", text)
	switch e.Kind {
	case Denied, NoKey:
		allow := advice.Put(credentials.AllowedBy, e.Policy())
		allow.Long = true
		return p.With(allow)
	case Throttled:
		return p.With(advice.Say("try again in a moment"))
	case Silent:
		return p.With(advice.Say("check the network, a VPN, HTTPS_PROXY"))
	}
	return p
}

// Policy is the IAM policy that allows what was denied.
func (e *Error) Policy() string {
	resource := "*"
	if e.Kind == NoKey {
		return credentials.Policy(resource, "kms:Decrypt")
	}
	if e.Secret.Account != "" {
		resource = e.Secret.ID
	}
	return credentials.Policy(resource, "secretsmanager:GetSecretValue")
}

func apiError(err error) (*credentials.APIError, bool) {
	return errors.AsType[*credentials.APIError](err)
}
