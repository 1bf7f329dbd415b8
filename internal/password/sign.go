package password

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"

	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
)

// Token is a signed token and what its life depends on. RDS accepts it for 15 minutes after
// SignedAt (RDS user guide, "IAM database authentication"), but no longer than the credentials
// that signed it.
type Token struct {
	Value    secret.Text
	SignedAt time.Time
	// CredentialsExpire is zero for credentials that don't, or don't say so.
	CredentialsExpire time.Time
	// Source is the SDK's name for where the credentials came from.
	Source string
	// Credentials is the key under which the cache keeps them, or "".
	Credentials string
	// Profile is the AWS profile that they are of, or "".
	Profile string
}

// Sign makes a token for a target with the credentials of p, and the clock of this machine. It ends
// when ctx does. Errors are those of package credentials.
func Sign(ctx context.Context, t server.Target, p *credentials.Provider) (Token, error) {
	creds, err := p.Retrieve(ctx)
	if err != nil {
		return Token{}, err
	}
	now := time.Now()
	value, err := auth.BuildAuthToken(ctx, net.JoinHostPort(t.Host, strconv.Itoa(t.Port)), t.Region, t.User,
		sdk.StaticCredentialsProvider{Value: creds})
	if err != nil {
		return Token{}, fmt.Errorf("sign the token: %w", err)
	}
	tok := Token{Value: secret.New(value), SignedAt: now, Source: creds.Source, Credentials: p.Key(),
		Profile: p.Profile()}
	if creds.CanExpire {
		tok.CredentialsExpire = creds.Expires
	}
	return tok, nil
}

// IsToken reports whether a secret is an RDS token: host:port?Action=connect&…&X-Amz-Signature=…
// (RDS user guide, "IAM database authentication").
func IsToken(s secret.Text) bool {
	_, query, ok := strings.Cut(s.Reveal(), "/?")
	if !ok {
		_, query, ok = strings.Cut(s.Reveal(), "?")
	}
	return ok && strings.Contains("&"+query, "&Action=connect&") && strings.Contains(query, "&X-Amz-Signature=")
}
