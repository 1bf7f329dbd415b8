package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// An ssoClient is a program that wants to be logged in.
type ssoClient struct {
	t      *testing.T
	a      *AWS
	oidc   *ssooidc.Client
	id     *ssooidc.RegisterClientOutput
	device *ssooidc.StartDeviceAuthorizationOutput
}

func newSSOClient(t *testing.T, a *AWS, scopes ...string) *ssoClient {
	t.Helper()
	c := &ssoClient{t: t, a: a, oidc: ssooidc.NewFromConfig(sdkConfig(a, Key{}, region))}
	var err error
	if c.id, err = c.oidc.RegisterClient(testContext(t), &ssooidc.RegisterClientInput{
		ClientName: aws.String("test"), ClientType: aws.String("public"), Scopes: scopes,
	}); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(time.Unix(c.id.ClientSecretExpiresAt, 0)); left < 89*24*time.Hour {
		t.Errorf("the registration lives %v", left)
	}
	if c.device, err = c.oidc.StartDeviceAuthorization(testContext(t), &ssooidc.StartDeviceAuthorizationInput{
		ClientId: c.id.ClientId, ClientSecret: c.id.ClientSecret, StartUrl: aws.String("https://testbed.awsapps.com/start"),
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *ssoClient) poll() (*ssooidc.CreateTokenOutput, error) {
	return c.oidc.CreateToken(testContext(c.t), &ssooidc.CreateTokenInput{
		ClientId: c.id.ClientId, ClientSecret: c.id.ClientSecret, GrantType: aws.String(deviceGrant), DeviceCode: c.device.DeviceCode,
	})
}

func (c *ssoClient) refresh(token *string) (*ssooidc.CreateTokenOutput, error) {
	return c.oidc.CreateToken(testContext(c.t), &ssooidc.CreateTokenInput{
		ClientId: c.id.ClientId, ClientSecret: c.id.ClientSecret, GrantType: aws.String(refreshGrant), RefreshToken: token,
	})
}

// mustFail wants an exception of the OIDC service, with OAuth's word for it.
func mustFail[E error](t *testing.T, err error, word string, wordOf func(E) *string) {
	t.Helper()
	var exception E
	if !errors.As(err, &exception) || aws.ToString(wordOf(exception)) != word {
		t.Errorf("got %v, want %s", err, word)
	}
}

func roleCredentials(ctx context.Context, a *AWS, token, account, role string) (*sso.GetRoleCredentialsOutput, error) {
	return sso.NewFromConfig(sdkConfig(a, Key{}, region)).GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{
		AccessToken: &token, AccountId: &account, RoleName: &role,
	})
}

// From nothing to keys that work.
func TestDeviceFlow(t *testing.T) {
	t.Parallel()
	a, _, _ := startAWS(t)
	a.DeviceInterval = 0
	c := newSSOClient(t, a, "sso:account:access")
	if c.device.ExpiresIn != 600 || *c.device.VerificationUriComplete != *c.device.VerificationUri+"?user_code="+*c.device.UserCode {
		t.Errorf("got %+v", c.device)
	}
	for range 2 {
		_, err := c.poll()
		mustFail(t, err, "authorization_pending", func(e *types.AuthorizationPendingException) *string { return e.Error_ })
	}
	a.ApproveDevice()
	token, err := c.poll()
	if err != nil {
		t.Fatal(err)
	}
	if *token.TokenType != "Bearer" || token.ExpiresIn != 3600 {
		t.Errorf("got %+v", token)
	}
	given, err := roleCredentials(testContext(t), a, *token.AccessToken, "210987654321", "dba")
	if err != nil {
		t.Fatal(err)
	}
	config := sdkConfig(a, Key{}, region)
	config.Credentials = credentials.NewStaticCredentialsProvider(
		*given.RoleCredentials.AccessKeyId, *given.RoleCredentials.SecretAccessKey, *given.RoleCredentials.SessionToken)
	who, err := sts.NewFromConfig(config).GetCallerIdentity(testContext(t), nil)
	if err != nil || *who.Arn != "arn:aws:sts::210987654321:assumed-role/AWSReservedSSO_dba_0123456789abcdef/user" {
		t.Errorf("got %+v, %v", who, err)
	}
	// A code is good for one token.
	_, err = c.poll()
	mustFail(t, err, "invalid_grant", func(e *types.InvalidGrantException) *string { return e.Error_ })
	for operation, want := range map[string]int{"RegisterClient": 1, "StartDeviceAuthorization": 1, "CreateToken": 4, "GetRoleCredentials": 1} {
		if n := a.Calls(operation); n != want {
			t.Errorf("%s: %d calls, want %d", operation, n, want)
		}
	}
	if n := a.CallsBy("210987654321", "GetRoleCredentials"); n != 1 {
		t.Errorf("%d calls for the account", n)
	}
}

func TestDeviceIsApproved(t *testing.T) {
	t.Parallel()
	a, _, _ := startAWS(t)
	a.DeviceInterval = 0
	a.ApproveAfter(3)
	// By itself, at the third poll.
	c := newSSOClient(t, a)
	for i := range 3 {
		token, err := c.poll()
		if (err == nil) != (i == 2) {
			t.Errorf("poll %d: %v", i, err)
		}
		// Who asked for no scope gets no refresh token.
		if err == nil && token.RefreshToken != nil {
			t.Errorf("a refresh token without a scope")
		}
	}
	// By a browser.
	c = newSSOClient(t, a)
	if status, _ := fetch(t, "GET", *c.device.VerificationUri+"?user_code=XXXX-XXXX"); status != 404 {
		t.Errorf("a wrong code: %d", status)
	}
	if _, err := c.poll(); err == nil {
		t.Error("a wrong code approves")
	}
	if status, _ := fetch(t, "GET", *c.device.VerificationUriComplete); status != 200 {
		t.Errorf("the code: %d", status)
	}
	if _, err := c.poll(); err != nil {
		t.Error(err)
	}
}

func TestDeviceIsRefused(t *testing.T) {
	t.Parallel()
	a, _, _ := startAWS(t)
	a.DeviceInterval = time.Hour
	c := newSSOClient(t, a)
	if c.device.Interval != 3600 {
		t.Errorf("an interval of %d", c.device.Interval)
	}
	_, err := c.poll()
	mustFail(t, err, "authorization_pending", func(e *types.AuthorizationPendingException) *string { return e.Error_ })
	a.ApproveDevice() // yet it is too soon
	_, err = c.poll()
	mustFail(t, err, "slow_down", func(e *types.SlowDownException) *string { return e.Error_ })

	c = newSSOClient(t, a)
	a.DenyDevice()
	_, err = c.poll()
	mustFail(t, err, "access_denied", func(e *types.AccessDeniedException) *string { return e.Error_ })

	another := newSSOClient(t, a)
	a.ApproveDevice()
	another.device = c.device
	_, err = another.poll()
	mustFail(t, err, "invalid_grant", func(e *types.InvalidGrantException) *string { return e.Error_ })

	c.id.ClientSecret = aws.String("other")
	_, err = c.poll()
	mustFail(t, err, "invalid_client", func(e *types.InvalidClientException) *string { return e.Error_ })

	old, _, _ := startAWS(t)
	old.DeviceLife = -time.Second
	c = newSSOClient(t, old)
	old.ApproveDevice()
	_, err = c.poll()
	mustFail(t, err, "expired_token", func(e *types.ExpiredTokenException) *string { return e.Error_ })

	_, err = c.oidc.CreateToken(testContext(t), &ssooidc.CreateTokenInput{
		ClientId: c.id.ClientId, ClientSecret: c.id.ClientSecret, GrantType: aws.String("password"),
	})
	mustFail(t, err, "unsupported_grant_type", func(e *types.UnsupportedGrantTypeException) *string { return e.Error_ })
	_, err = c.oidc.RegisterClient(testContext(t), &ssooidc.RegisterClientInput{ClientName: aws.String("x"), ClientType: aws.String("confidential")})
	mustFail(t, err, "invalid_client_metadata", func(e *types.InvalidClientMetadataException) *string { return e.Error_ })
	_, err = c.oidc.StartDeviceAuthorization(testContext(t), &ssooidc.StartDeviceAuthorizationInput{
		ClientId: aws.String("nobody"), ClientSecret: aws.String("x"), StartUrl: aws.String("x"),
	})
	mustFail(t, err, "invalid_client", func(e *types.InvalidClientException) *string { return e.Error_ })
}

// A refresh token is good for one more access token and its own successor.
func TestRefreshOnce(t *testing.T) {
	t.Parallel()
	a, _, _ := startAWS(t)
	c := newSSOClient(t, a, "sso:account:access")
	a.ApproveDevice()
	first, err := c.poll()
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.refresh(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if *second.AccessToken == *first.AccessToken || *second.RefreshToken == *first.RefreshToken {
		t.Errorf("the same again: %+v", second)
	}
	_, err = c.refresh(first.RefreshToken)
	mustFail(t, err, "invalid_grant", func(e *types.InvalidGrantException) *string { return e.Error_ })
	another := newSSOClient(t, a, "sso:account:access")
	_, err = another.refresh(second.RefreshToken)
	mustFail(t, err, "invalid_grant", func(e *types.InvalidGrantException) *string { return e.Error_ })
	if _, err := c.refresh(second.RefreshToken); err != nil {
		t.Error(err)
	}
}

// The SDK refreshes a login that is over; without what it needs for that, it can't.
func TestSSORefreshableLogin(t *testing.T) {
	t.Parallel()
	a, _, _ := startAWS(t)
	home := t.TempDir()
	file, content := a.SSORefreshableLogin(home, "corp", -time.Minute)
	if want := filepath.Join(home, ".aws", "sso", "cache", "ee0bfd2552fbd840c02cc48b6e823320543c450f.json"); file != want {
		t.Errorf("got %s, want %s", file, want)
	}
	var members map[string]string
	if err := json.Unmarshal(content, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"startUrl", "region", "registrationExpiresAt", "accessToken", "refreshToken", "clientId", "clientSecret"} {
		if members[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	if _, err := roleCredentials(testContext(t), a, members["accessToken"], account, "dba"); apiError(err) != "401 UnauthorizedException: Session token not found or invalid" {
		t.Errorf("with the old access token: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	config := sdkConfig(a, Key{}, region)
	provider := ssocreds.NewSSOTokenProvider(ssooidc.NewFromConfig(config), file)
	for i, content := range [][]byte{content, content} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		token, err := provider.RetrieveBearerToken(testContext(t))
		if i == 1 { // the refresh token has been used
			mustFail(t, err, "invalid_grant", func(e *types.InvalidGrantException) *string { return e.Error_ })
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := roleCredentials(testContext(t), a, token.Value, account, "dba"); err != nil {
			t.Error(err)
		}
	}
	_, fresh := a.SSORefreshableLogin(home, "corp", time.Hour)
	if err := json.Unmarshal(fresh, &members); err != nil {
		t.Fatal(err)
	}
	if _, err := roleCredentials(testContext(t), a, members["accessToken"], account, "dba"); err != nil {
		t.Errorf("with a fresh access token: %v", err)
	}
}
