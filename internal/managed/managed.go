// Package managed reads the passwords of database users that AWS Secrets Manager keeps: those that
// RDS manages for master users, and those that people and rotation functions keep there. It keeps
// none of them.
package managed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
)

// Password is a password as it is now.
type Password struct {
	Value secret.Text
	// Pending is one that a rotation has set on the server, and not yet made the current one.
	Pending bool
}

// Get reads the password of a database user from a secret with a provider's credentials: one
// question to AWS, or two. The secret is JSON with password and, as a rule, username (Secrets
// Manager user guide, "JSON structure of AWS Secrets Manager secrets"). With pending, the password
// that a rotation is about to make the current one comes first, if there is one: the server may
// want it already. The region is where a secret is looked for that is named without one. An error
// is an [*Error], or one of package credentials.
func Get(
	ctx context.Context, s server.Secret, region, user string, p *credentials.Provider, pending bool,
) (Password, error) {
	cfg, err := p.Config(ctx)
	if err != nil {
		return Password{}, err
	}
	if cfg.Region = s.Region; s.Region == "" {
		cfg.Region = region
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil { // what takes long from here on is the secret
		return Password{}, p.Explain(ctx, err)
	}
	r := reader{cfg, s, user, p}
	if pending {
		if value, err := r.read(ctx, "AWSPENDING"); err == nil {
			return Password{value, true}, nil
		}
	}
	value, err := r.read(ctx, "AWSCURRENT")
	if api, ok := apiError(err); ok && api.Refused() && p.Forget() { // kept credentials that are over
		if kept, ok := cfg.Credentials.(*aws.CredentialsCache); ok {
			kept.Invalidate()
		}
		value, err = r.read(ctx, "AWSCURRENT")
	}
	return Password{Value: value}, err
}

type reader struct {
	cfg    aws.Config
	secret server.Secret
	user   string
	*credentials.Provider
}

func (r reader) read(ctx context.Context, stage string) (secret.Text, error) {
	out, err := getSecretValue(ctx, r.cfg, r.secret.ID, stage)
	if err != nil {
		return secret.Text{}, r.explain(ctx, err)
	}
	if out.SecretString == nil {
		return secret.Text{}, r.unusable("is binary; a password is kept there as JSON")
	}
	return r.password(*out.SecretString)
}

// password takes the password out of a secret's JSON. No error quotes any of it but the user.
func (r reader) password(text string) (secret.Text, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil || fields == nil {
		const form = `a password is kept there as {"username": …, "password": …}`
		return secret.Text{}, r.unusable("is no JSON object; " + form)
	}
	var user, password string
	switch raw, has := fields["password"]; {
	case !has:
		return secret.Text{}, r.unusable(`has no "password"`)
	case json.Unmarshal(raw, &password) != nil || half(raw, password):
		return secret.Text{}, r.unusable(`has a "password" that is no text`)
	case password == "":
		return secret.Text{}, r.unusable(`has a "password" that is empty`)
	}
	if raw, has := fields["username"]; has && json.Unmarshal(raw, &user) != nil {
		return secret.Text{}, r.unusable(`has a "username" that is no text`)
	}
	if user != "" && user != r.user {
		return secret.Text{}, &Error{Secret: r.secret, Kind: OtherUser, Problem: fmt.Sprintf(
			"has the password of the database user %q, and that of %q is wanted", user, r.user)}
	}
	return secret.New(password), nil
}

// half reports whether a JSON string has half of a character (a lone surrogate), in whose place the
// decoder puts another one.
func half(raw []byte, text string) bool {
	const replacement = "\uFFFD"
	return strings.Contains(text, replacement) && !bytes.Contains(raw, []byte(replacement)) &&
		!bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`))
}

func (r reader) unusable(problem string) error {
	return &Error{Secret: r.secret, Kind: Unusable, Problem: problem}
}

// explain words what AWS says.
func (r reader) explain(ctx context.Context, err error) error {
	err = r.Explain(ctx, err)
	if errors.Is(err, credentials.ErrTimeout) {
		return &Error{Err: err, Secret: r.secret, Whose: r.Whose(), Kind: Silent,
			Problem: "can't be read now: AWS Secrets Manager doesn't answer"}
	}
	api, ok := apiError(err)
	if !ok {
		return err
	}
	e := &Error{Err: err, Secret: r.secret, Whose: r.Whose()}
	switch kms := strings.Contains(api.Message, "KMS") || strings.Contains(api.Message, "kms:"); {
	case api.Denied && kms, api.Code == "DecryptionFailure", api.Code == "DecryptionFailureException":
		e.Kind, e.Problem = NoKey, "is encrypted with a KMS key that may not be used: "+api.Message
	case api.Denied:
		e.Kind, e.Problem = Denied, "may not be read: secretsmanager:GetSecretValue is not allowed"
	case api.Code == "ResourceNotFoundException":
		e.Kind, e.Problem = Absent, "isn't there"
	case api.Code == "InvalidRequestException":
		e.Kind, e.Problem = Unusable, "can't be read: "+api.Message
	case api.Throttled:
		e.Kind, e.Problem = Throttled, "can't be read now: AWS is asked too often"
	default:
		return err
	}
	return e
}
