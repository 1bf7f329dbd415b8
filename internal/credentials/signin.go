package credentials

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/service/sso"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
)

// ssoRole gives the credentials of a role in an account of IAM Identity Center. The SDK's own
// (credentials/ssocreds) refuses a session's token whose times other tools wrote.
type ssoRole struct {
	base   profiles.Base
	portal *sso.Client
	token  func(context.Context) (string, error)
}

// Retrieve implements [aws.CredentialsProvider].
func (s *ssoRole) Retrieve(ctx context.Context) (aws.Credentials, error) {
	token, err := s.token(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	out, err := s.portal.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{
		AccessToken: &token, AccountId: &s.base.AccountID, RoleName: &s.base.SSORole,
	})
	if err != nil {
		return aws.Credentials{}, err
	}
	c := out.RoleCredentials
	return aws.Credentials{
		AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey),
		SessionToken: aws.ToString(c.SessionToken), CanExpire: true, Expires: time.UnixMilli(c.Expiration).UTC(),
		Source: "SSOProvider", AccountID: s.base.AccountID,
	}, nil
}

// consoleLogin gives the credentials of a session of "aws login". AWS takes a refresh token once:
// one process at a time refreshes them.
type consoleLogin struct {
	sdks *logincreds.Provider
	file string
}

// Retrieve implements [aws.CredentialsProvider].
func (c *consoleLogin) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if !c.fresh() {
		if unlock, err := disk.Flight(ctx, disk.LockFile(c.file), askAgain, c.fresh); err == nil && unlock != nil {
			defer unlock()
		}
	}
	if err := c.usable(); err != nil {
		return aws.Credentials{}, err
	}
	return c.sdks.Retrieve(ctx)
}

// loginFile is what a session's file has, as far as it matters here.
type loginFile struct {
	AccessToken struct{ ExpiresAt time.Time }
	DPOPKey     string
}

// fresh reports whether the file has credentials that need no refreshing.
func (c *consoleLogin) fresh() bool {
	text, err := disk.ReadForeign(c.file, maxProcess)
	var file loginFile
	return err == nil && json.Unmarshal(text, &file) == nil && time.Now().Before(file.AccessToken.ExpiresAt)
}

// usable keeps from the SDK what it can't bear: a pipe, for which it would wait, and a key that is
// none, at which it panics.
func (c *consoleLogin) usable() error {
	text, err := profiles.Read(c.file)
	if err != nil {
		return err
	}
	var file loginFile
	if json.Unmarshal([]byte(text), &file) != nil {
		return ErrConsoleLogin
	}
	if block, _ := pem.Decode([]byte(file.DPOPKey)); block == nil {
		return ErrConsoleLogin
	}
	return nil
}
