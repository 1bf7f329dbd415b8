// Package sso begins sessions of IAM Identity Center (SSO) by the device flow, and keeps their
// tokens where the AWS SDKs and the AWS CLI look for them.
package sso

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc/types"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/term"
)

// Verification is what a person needs to allow the login in a browser.
type Verification struct {
	Code        string // to compare, or to type
	URL         string // where to type it
	CompleteURL string // the same with the code in it
	Expires     time.Time
}

const (
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	refreshGrant = "refresh_token"
	// defaultScope lets a session list accounts and get their roles' credentials.
	defaultScope = "sso:account:access"
	// defaultInterval is RFC 8628's, for a server that names none.
	defaultInterval = 5 * time.Second
	// maxInterval is the longest that a server may have a person wait after their yes.
	maxInterval = 30 * time.Second
	// defaultLife is AWS's for a code, maxLife the longest that anybody is waited for.
	defaultLife = 10 * time.Minute
	maxLife     = time.Hour
	// answer is how long AWS may take for an answer.
	answer = 20 * time.Second
	// deviceLife is how long AWS lets a person confirm a login.
	deviceLife = 10 * time.Minute
)

// ErrDenied is a person who said no in the browser, ErrCodeExpired one who said nothing.
var (
	ErrDenied      = errors.New("the login was refused in the browser")
	ErrCodeExpired = errors.New("the code was not confirmed in time")
)

// ErrNoLogin is another process that has asked for the login, and got none.
var ErrNoLogin = errors.New("another process asked for the login, and got none")

// Login begins a session: it asks show to bring the verification before a person, waits until that
// is allowed, and writes the token's file. While another process is at that, it waits for that
// one's result instead. It returns the time at which the token ends. It ends when ctx does; other
// errors are [ErrDenied], [ErrCodeExpired] and the SDK's.
func Login(
	ctx context.Context, cfg aws.Config, s profiles.SSOSession, show func(Verification) error,
) (expires time.Time, err error) {
	unlock, err := flight(ctx, deviceFile(File(s)), File(s), deviceLife)
	switch {
	case ctx.Err() != nil:
		if unlock != nil {
			unlock()
		}
		return time.Time{}, ctx.Err()
	case unlock != nil:
		defer unlock()
	case err == nil:
		return Until(File(s)), nil
	}
	return login(ctx, cfg, s, show)
}

func login(
	ctx context.Context, cfg aws.Config, s profiles.SSOSession, show func(Verification) error,
) (expires time.Time, err error) {
	if err := writable(File(s)); err != nil { // before a person goes to the browser
		return time.Time{}, fmt.Errorf("keep the SSO token: %w", err)
	}
	client := ssooidc.NewFromConfig(cfg, func(o *ssooidc.Options) { o.Region = s.Region })
	asking, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	registered, err := register(asking, client, s)
	if err != nil {
		return time.Time{}, err
	}
	device, err := client.StartDeviceAuthorization(asking, &ssooidc.StartDeviceAuthorizationInput{
		ClientId: registered.ClientId, ClientSecret: registered.ClientSecret, StartUrl: aws.String(s.StartURL),
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("begin the SSO login: %w", err)
	}
	end := time.Now().Add(seconds(device.ExpiresIn, defaultLife, maxLife))
	err = show(Verification{
		Code: line(device.UserCode), URL: line(device.VerificationUri),
		CompleteURL: line(device.VerificationUriComplete), Expires: end,
	})
	if err != nil {
		return time.Time{}, err
	}
	token, err := poll(ctx, client, &ssooidc.CreateTokenInput{
		ClientId: registered.ClientId, ClientSecret: registered.ClientSecret,
		DeviceCode: device.DeviceCode, GrantType: aws.String(deviceGrant),
	}, seconds(device.Interval, defaultInterval, maxInterval), end)
	if err != nil {
		return time.Time{}, err
	}
	expires = time.Now().Add(time.Duration(token.ExpiresIn) * time.Second).UTC()
	// What a person has allowed is kept also when they lose patience now.
	return expires, write(context.WithoutCancel(ctx), File(s), tokenFile{
		StartURL: s.StartURL, Region: s.Region,
		AccessToken: aws.ToString(token.AccessToken), ExpiresAt: expires.Format(time.RFC3339),
		ClientID: aws.ToString(registered.ClientId), ClientSecret: aws.ToString(registered.ClientSecret),
		RegistrationExpiresAt: time.Unix(registered.ClientSecretExpiresAt, 0).UTC().Format(time.RFC3339),
		RefreshToken:          aws.ToString(token.RefreshToken),
	})
}

// line returns a text of a server's as far as it is shown.
func line(text *string) string { return term.FirstLine(aws.ToString(text)) }

// seconds returns a number of seconds that a server gave, within bounds: otherwise when it is none.
func seconds(given int32, otherwise, most time.Duration) time.Duration {
	if given <= 0 {
		return otherwise
	}
	return min(time.Duration(given)*time.Second, most)
}

// register makes this program a client of the session's.
func register(
	ctx context.Context, client *ssooidc.Client, s profiles.SSOSession,
) (*ssooidc.RegisterClientOutput, error) {
	in := &ssooidc.RegisterClientInput{ClientName: aws.String(about.Name), ClientType: aws.String("public")}
	if s.Name != "" {
		// Only with a scope is the token one that can be refreshed.
		in.GrantTypes = []string{deviceGrant, refreshGrant}
		if in.Scopes = s.Scopes; len(s.Scopes) == 0 {
			in.Scopes = []string{defaultScope}
		}
	}
	out, err := client.RegisterClient(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("register with SSO: %w", err)
	}
	return out, nil
}

// poll asks until the login is allowed, refused or too late (RFC 8628, section 3.5).
func poll(
	ctx context.Context, client *ssooidc.Client, ask *ssooidc.CreateTokenInput, interval time.Duration, end time.Time,
) (*ssooidc.CreateTokenOutput, error) {
	for time.Now().Before(end) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(interval, time.Until(end))):
		}
		asking, cancel := context.WithTimeout(ctx, answer)
		token, err := client.CreateToken(asking, ask)
		cancel()
		var (
			pending *types.AuthorizationPendingException
			slower  *types.SlowDownException
			expired *types.ExpiredTokenException
			denied  *types.AccessDeniedException
		)
		switch {
		case err == nil:
			return token, nil
		case errors.As(err, &pending):
		case errors.As(err, &slower):
			interval = min(interval+5*time.Second, maxInterval)
		case errors.As(err, &expired):
			return nil, ErrCodeExpired
		case errors.As(err, &denied):
			return nil, ErrDenied
		default:
			return nil, fmt.Errorf("finish the SSO login: %w", err)
		}
	}
	return nil, ErrCodeExpired
}
