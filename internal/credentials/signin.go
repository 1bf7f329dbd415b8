package credentials

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	portal "github.com/aws/aws-sdk-go-v2/service/sso"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
)

// ssoRole gives the credentials of a role in an account of IAM Identity Center. The SDK's own
// (credentials/ssocreds) refuses a session's token whose times other tools wrote.
type ssoRole struct {
	base   profiles.Base
	portal *portal.Client
	token  func(context.Context) (string, error)
}

// Retrieve implements [aws.CredentialsProvider].
func (s *ssoRole) Retrieve(ctx context.Context) (aws.Credentials, error) {
	token, err := s.token(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	out, err := s.portal.GetRoleCredentials(ctx, &portal.GetRoleCredentialsInput{
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
	ctx, cancel := unhidden(ctx)
	defer cancel()
	unlock := c.lock(ctx, askAgain)
	defer func() { unlock() }()
	if err := c.usable(); err != nil {
		return aws.Credentials{}, err
	}
	creds, err := c.sdks.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		// Another process may have been at it for long, and have the refresh token's successor.
		unlock()
		if unlock = c.lock(ctx, patience(ctx)/2); c.fresh() {
			return c.sdks.Retrieve(ctx)
		}
	}
	return creds, err
}

// lock makes the caller the only process that renews the session, unless that isn't needed or takes
// too long.
func (c *consoleLogin) lock(ctx context.Context, wait time.Duration) (unlock func()) {
	if !c.fresh() {
		if unlock, err := disk.Flight(ctx, disk.LockFile(c.file), wait, c.fresh); err == nil && unlock != nil {
			return unlock
		}
	}
	return func() {}
}

// loginFile is what a session's file has, as far as it matters here.
type loginFile struct {
	AccessToken struct{ ExpiresAt time.Time }
	DPOPKey     string
}

// read reads the session's file.
func (c *consoleLogin) read() (file loginFile, err error) {
	text, err := profiles.Read(c.file)
	if err == nil && json.Unmarshal([]byte(text), &file) != nil {
		err = ErrConsoleLogin
	}
	return file, err
}

// fresh reports whether the file has credentials that need no refreshing.
func (c *consoleLogin) fresh() bool {
	file, err := c.read()
	return err == nil && file.good()
}

func (f loginFile) good() bool { return time.Now().Before(f.AccessToken.ExpiresAt) }

// usable keeps from the SDK what it can't bear: a pipe, for which it would wait, and a key that is
// none, at which it panics.
func (c *consoleLogin) usable() error {
	file, err := c.read()
	if err != nil {
		return err
	}
	if block, _ := pem.Decode([]byte(file.DPOPKey)); block == nil {
		return ErrConsoleLogin
	}
	if file.good() {
		return nil
	}
	// AWS takes a refresh token once: where the new one can't be kept, none is spent.
	f, err := os.OpenFile(c.file, os.O_WRONLY, 0)
	if err != nil {
		return &sso.TokenError{Problem: fmt.Sprintf("the session has to be renewed, which can't be kept: %v", err)}
	}
	return f.Close()
}
