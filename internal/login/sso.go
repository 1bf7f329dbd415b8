// Package login begins AWS sessions ahead of time: it is the device flow of IAM Identity Center (SSO), whose
// token it puts where the AWS SDKs and the AWS CLI look for it.
package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc/types"

	"mysql-secret-store-rds/internal/private"
)

// Session is an SSO session of the AWS configuration (AWS SDKs and Tools reference guide, "IAM Identity
// Center credential provider").
type Session struct {
	Name     string // of the sso-session section; "" for a profile that has the settings itself
	StartURL string
	Region   string
	Scopes   []string // that the session asks for; none means the default
	File     string   // where its token belongs
}

// Verification is what a person needs to allow the login in a browser.
type Verification struct {
	Code        string // to compare, or to type
	URL         string // where to type it
	CompleteURL string // the same with the code in it
	Expires     time.Time
}

const clientName = "mysql-secret-store-rds"

const (
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	refreshGrant = "refresh_token"
	// defaultScope lets a session list accounts and get their roles' credentials.
	defaultScope = "sso:account:access"
	// defaultInterval is RFC 8628's, for a server that names none.
	defaultInterval = 5 * time.Second
	// answer is how long AWS may take for an answer.
	answer = 30 * time.Second
)

// ErrDenied is a person who said no in the browser, ErrCodeExpired one who said nothing.
var (
	ErrDenied      = errors.New("the login was refused in the browser")
	ErrCodeExpired = errors.New("the code was not confirmed in time")
)

// tokenFile is a session's token as the AWS CLI and the SDKs keep it.
type tokenFile struct {
	StartURL              string `json:"startUrl"`
	Region                string `json:"region"`
	AccessToken           string `json:"accessToken"`
	ExpiresAt             string `json:"expiresAt"`
	ClientID              string `json:"clientId"`
	ClientSecret          string `json:"clientSecret"`
	RegistrationExpiresAt string `json:"registrationExpiresAt"`
	RefreshToken          string `json:"refreshToken,omitempty"`
}

// SSO logs in: it asks show to bring the verification before a person, waits until that is allowed,
// and writes the token's file. It gives the time at which the token ends. It ends when ctx
// does; other errors are [ErrDenied], [ErrCodeExpired] and the SDK's.
func SSO(ctx context.Context, cfg aws.Config, s Session, show func(Verification) error) (expires time.Time, err error) {
	client := ssooidc.NewFromConfig(cfg, func(o *ssooidc.Options) { o.Region = s.Region })
	register := &ssooidc.RegisterClientInput{ClientName: aws.String(clientName), ClientType: aws.String("public")}
	if s.Name != "" {
		// Only with a scope is the token one that can be refreshed.
		register.GrantTypes = []string{deviceGrant, refreshGrant}
		if register.Scopes = s.Scopes; len(s.Scopes) == 0 {
			register.Scopes = []string{defaultScope}
		}
	}
	asking, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	registered, err := client.RegisterClient(asking, register)
	if err != nil {
		return time.Time{}, fmt.Errorf("register with SSO: %w", err)
	}
	device, err := client.StartDeviceAuthorization(asking, &ssooidc.StartDeviceAuthorizationInput{
		ClientId: registered.ClientId, ClientSecret: registered.ClientSecret, StartUrl: aws.String(s.StartURL),
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("begin the SSO login: %w", err)
	}
	end := time.Now().Add(time.Duration(device.ExpiresIn) * time.Second)
	err = show(Verification{
		Code: aws.ToString(device.UserCode), URL: aws.ToString(device.VerificationUri),
		CompleteURL: aws.ToString(device.VerificationUriComplete), Expires: end,
	})
	if err != nil {
		return time.Time{}, err
	}
	interval := time.Duration(device.Interval) * time.Second
	if interval == 0 {
		interval = defaultInterval
	}
	token, err := poll(ctx, client, &ssooidc.CreateTokenInput{
		ClientId: registered.ClientId, ClientSecret: registered.ClientSecret,
		DeviceCode: device.DeviceCode, GrantType: aws.String(deviceGrant),
	}, interval, end)
	if err != nil {
		return time.Time{}, err
	}
	expires = time.Now().Add(time.Duration(token.ExpiresIn) * time.Second).UTC()
	data, err := json.Marshal(tokenFile{
		StartURL: s.StartURL, Region: s.Region, AccessToken: aws.ToString(token.AccessToken), ExpiresAt: expires.Format(time.RFC3339),
		ClientID: aws.ToString(registered.ClientId), ClientSecret: aws.ToString(registered.ClientSecret),
		RegistrationExpiresAt: time.Unix(registered.ClientSecretExpiresAt, 0).UTC().Format(time.RFC3339),
		RefreshToken:          aws.ToString(token.RefreshToken),
	})
	if err != nil {
		return time.Time{}, err
	}
	return expires, write(ctx, s.File, data)
}

// poll asks until the login is allowed, refused or too late (RFC 8628, section 3.5).
func poll(ctx context.Context, client *ssooidc.Client, ask *ssooidc.CreateTokenInput, interval time.Duration, end time.Time) (*ssooidc.CreateTokenOutput, error) {
	for time.Now().Before(end) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(interval):
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
			interval += 5 * time.Second
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

// write puts the token in its place, for this user alone.
func write(ctx context.Context, path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep the SSO token: %w", err)
	}
	lock := private.LockFile(path)
	unlock, err := private.Lock(ctx, lock, time.Second, func() bool { return false })
	if err == nil {
		defer unlock()
		err = private.Write(path, data)
	}
	if err != nil {
		return fmt.Errorf("keep the SSO token: %w", err)
	}
	return nil
}

// Until is when a session's token ends, as its file says; the zero time when there is none.
func Until(path string) time.Time {
	var token struct {
		ExpiresAt time.Time `json:"expiresAt"`
	}
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &token) != nil {
		return time.Time{}
	}
	return token.ExpiresAt
}
