// Package token signs RDS IAM tokens. It is the only door to AWS: credentials and signatures
// come from the AWS SDK for Go v2, and nothing else in the program imports it.
package token

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/target"
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
}

// Sign makes a token for a target. It finds the credentials as the SDK does (environment, the
// profile, SSO, credential_process, web identity, container and instance roles), assumes the
// target's own role with them, and signs with the clock of this machine. It ends when ctx does.
// Errors wrap one of this package's sentinels or types where a person can do something about them.
func Sign(ctx context.Context, t target.Target) (Token, error) {
	type result struct {
		Token
		error
	}
	// A credential_process can leave a child behind that holds the pipe the SDK reads to its
	// end, whatever ctx says; hence the goroutine, which may then outlive this call.
	done := make(chan result, 1)
	go func() {
		tok, err := sign(ctx, t)
		done <- result{tok, err}
	}()
	select {
	case r := <-done:
		if r.error != nil {
			return Token{}, explain(ctx, t, r.error)
		}
		return r.Token, nil
	case <-ctx.Done():
		return Token{}, explain(ctx, t, ctx.Err())
	}
}

// containerAnswer is how long a container's credentials endpoint may take for one answer.
const containerAnswer = 5 * time.Second

// endProcess is how long before the end a credential_process is ended.
const endProcess = 300 * time.Millisecond

func sign(ctx context.Context, t target.Target) (Token, error) {
	provider, err := provider(ctx, t)
	if err != nil {
		return Token{}, err
	}
	creds, err := provider.Retrieve(ctx)
	if err != nil {
		return Token{}, err
	}
	now := time.Now()
	if creds.CanExpire && !creds.Expires.After(now) {
		return Token{}, &ExpiredError{At: creds.Expires, Source: creds.Source}
	}
	value, err := auth.BuildAuthToken(ctx, net.JoinHostPort(t.Host, strconv.Itoa(t.Port)), t.Region, t.User,
		credentials.StaticCredentialsProvider{Value: creds})
	if err != nil {
		return Token{}, fmt.Errorf("sign the token: %w", err)
	}
	tok := Token{Value: secret.New(value), SignedAt: now, Source: creds.Source}
	if creds.CanExpire {
		tok.CredentialsExpire = creds.Expires
	}
	return tok, nil
}

// spreadEndpointURL makes AWS_ENDPOINT_URL hold for the services that give out credentials. The
// SDK sets up their clients before it reads that variable (config.go: resolveCredentials comes
// before resolveBaseEndpoint), but does read the variables that name a service, with the same
// meaning.
func spreadEndpointURL() error {
	url := os.Getenv("AWS_ENDPOINT_URL")
	if url == "" {
		return nil
	}
	for _, service := range []string{"STS", "SSO", "SSO_OIDC", "SIGNIN"} {
		name := "AWS_ENDPOINT_URL_" + service
		if _, set := os.LookupEnv(name); set {
			continue
		}
		if err := os.Setenv(name, url); err != nil {
			return err
		}
	}
	return nil
}

// provider gives the credentials that sign for t.
func provider(ctx context.Context, t target.Target) (aws.CredentialsProvider, error) {
	var cfg aws.Config
	options := []func(*config.LoadOptions) error{
		// The SDK's own logger writes to stderr, which MySQL Shell reads as part of the reply.
		config.WithLogger(logging.Nop{}),
		// "auto" would ask the metadata service for a region before anything needs it.
		config.WithDefaultsMode(aws.DefaultsModeStandard),
		config.WithDefaultRegion(t.Region),
		config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) {
			o.Client = &metadata{cfg: &cfg}
		}),
		// Without this, container credentials appear to expire five minutes early.
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 0 }),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) {
			// The endpoint is on this machine: a few quick tries tell whether it is there.
			o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(containerAnswer)
			o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) { s.MaxBackoff = 100 * time.Millisecond })
		}),
	}
	if end, ok := ctx.Deadline(); ok {
		options = append(options, config.WithProcessCredentialOptions(func(o *processcreds.Options) {
			// The SDK keeps ctx from the program; this way it is ended before we are, or, when it is
			// more than one process, the shell that began it.
			o.Timeout = time.Until(end) - endProcess
		}))
	}
	if t.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(t.Profile))
	}
	if err := spreadEndpointURL(); err != nil {
		return nil, err
	}
	var err error
	if cfg, err = config.LoadDefaultConfig(ctx, options...); err != nil {
		return nil, err
	}
	if t.RoleARN == "" {
		return cfg.Credentials, nil
	}
	return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), t.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		if t.ExternalID != "" {
			o.ExternalID = aws.String(t.ExternalID)
		}
		o.RoleSessionName = t.RoleSessionName
		if o.RoleSessionName == "" {
			o.RoleSessionName = sessionName(t.User)
		}
	}), nil
}

// sessionName names the role session in CloudTrail after the database user; STS allows 2 to 64
// letters, digits and _+=,.@-.
func sessionName(user string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r)) {
			return r
		}
		return '-'
	}, "mysql-"+user)
	return name[:min(len(name), 64)]
}
