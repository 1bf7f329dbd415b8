package sso

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/smithy-go"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
)

// ErrOver is a session that is over or was never begun: somebody has to log in.
var ErrOver = errors.New("the SSO session has expired or was never begun")

// refreshEarly is how long before its end a token is refreshed (botocore/tokens.py:
// SSOTokenProvider).
const refreshEarly = 15 * time.Minute

// Token returns the access token of a session, which it refreshes if it is nearly over and can be: one
// process at a time, as AWS takes a refresh token once, and whoever comes second would have to log
// in again. The error is [ErrOver], a [*TokenError], or the SDK's.
func Token(ctx context.Context, cfg aws.Config, s profiles.SSOSession, log *slog.Logger) (string, error) {
	path := File(s)
	token, ends, err := usable(path)
	if err == nil && s.Name != "" && refreshable(token) && time.Until(ends) < refreshEarly {
		fresh, refreshErr := refreshAlone(ctx, cfg, path, log)
		if refreshErr == nil || !time.Now().Before(ends) {
			return fresh, refreshErr
		}
		log.Warn("SSO session not refreshed, and good for a while", "ends", ends, "reason", refreshErr)
	}
	switch {
	case err != nil:
		return "", err
	case !time.Now().Before(ends):
		return "", ErrOver
	}
	return token.AccessToken, nil
}

// refreshAlone refreshes the token in a file, unless another process has just done so, and returns
// it. AWS takes a refresh token once: where the new one can't be kept, none is spent.
func refreshAlone(ctx context.Context, cfg aws.Config, path string, log *slog.Logger) (string, error) {
	if err := writable(path); err != nil {
		return "", &TokenError{fmt.Sprintf("the session has to be renewed, which can't be kept: %v", err)}
	}
	unlock, lockErr := lockRefresh(ctx, path)
	if unlock != nil {
		defer unlock()
	}
	token, ends, err := usable(path)
	early := time.Now().Before(ends)
	switch {
	case err != nil:
		return "", err
	case !refreshable(token) || time.Until(ends) >= refreshEarly:
		return token.AccessToken, nil
	case lockErr != nil && early: // somebody is at it
		return token.AccessToken, nil
	case lockErr != nil:
		log.Warn("SSO session refreshed without the lock", "reason", lockErr)
	}
	return refresh(ctx, cfg, path, token, log)
}

// writable says why a token's file can't be replaced.
func writable(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".writable-*")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	return err
}

// lockRefresh keeps others from refreshing or replacing the token in a file. The lock is not needed,
// and unlock is nil, when another process has refreshed it meanwhile.
func lockRefresh(ctx context.Context, path string) (unlock func(), err error) {
	return disk.Flight(ctx, lockFile(path), patience(ctx), func() bool {
		token, ends := read(path)
		return !refreshable(token) || time.Until(ends) >= refreshEarly
	})
}

// TokenError is a session's file of which something can't be read.
type TokenError struct{ Problem string }

func (e *TokenError) Error() string { return e.Problem }

// usable reads a session's file, and says what can't be read of it.
func usable(path string) (token tokenFile, ends time.Time, err error) {
	text, err := profiles.Read(path)
	if err != nil {
		return token, ends, err
	}
	token, ends, err = decode([]byte(text))
	if field, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && field.Field != "" {
		return token, ends, &TokenError{fmt.Sprintf("%s in %s is not a string", field.Field, path)}
	}
	var exact map[string]json.RawMessage // encoding/json takes names of any case
	_ = json.Unmarshal([]byte(text), &exact)
	switch {
	case token.AccessToken == "" || token.ExpiresAt == "" || exact["accessToken"] == nil || exact["expiresAt"] == nil:
		return token, ends, ErrOver
	case ends.IsZero():
		err = &TokenError{fmt.Sprintf("expiresAt in %s is not a time with a zone", path)}
	}
	return token, ends, err
}

// refresh gets a new token for one that is over, and keeps it. The caller holds its lock.
func refresh(
	ctx context.Context, cfg aws.Config, path string, token tokenFile, log *slog.Logger,
) (string, error) {
	out, err := ssooidc.NewFromConfig(cfg).CreateToken(ctx, &ssooidc.CreateTokenInput{
		ClientId: &token.ClientID, ClientSecret: &token.ClientSecret, RefreshToken: &token.RefreshToken,
		GrantType: aws.String(refreshGrant),
	})
	if Over(err) {
		return "", ErrOver
	}
	if err != nil {
		return "", fmt.Errorf("refresh the SSO session: %w", err)
	}
	token.AccessToken = aws.ToString(out.AccessToken)
	token.ExpiresAt = time.Now().Add(time.Duration(out.ExpiresIn) * time.Second).UTC().Format(time.RFC3339)
	token.RefreshToken = cmp.Or(aws.ToString(out.RefreshToken), token.RefreshToken)
	if err := replace(path, token); err != nil {
		log.Warn("SSO session used this once", "reason", err)
	}
	return token.AccessToken, nil
}

// Over reports whether AWS refused a session's token, or to refresh it, for good.
func Over(err error) bool {
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
