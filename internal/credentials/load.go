package credentials

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/stamp"
)

const (
	// containerAnswer is how long a container's credentials endpoint may take for one answer.
	containerAnswer = 5 * time.Second
	// endProcess is how long before the end a credential_process is ended.
	endProcess = 300 * time.Millisecond
	// roleLife is what a role's credentials are asked for: the SDK's own 15 minutes are no longer
	// than one token's, and an hour is allowed for every role, chained ones included (IAM user
	// guide, "Methods to assume a role").
	roleLife = time.Hour
	// shortLife is allowed wherever anything is.
	shortLife = 15 * time.Minute
)

// obtain asks the SDK, which asks AWS.
func (p *Provider) obtain(ctx context.Context) (aws.Credentials, error) {
	defer p.lockRefresh(ctx)()
	type result struct {
		aws.Credentials
		error
	}
	// A credential_process can leave a child behind that holds the pipe the SDK reads to its
	// end, whatever ctx says; hence the goroutine, which may then outlive this call.
	done := make(chan result, 1)
	go func() {
		creds, err := p.retrieve(ctx)
		done <- result{creds, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		r.error = ctx.Err()
	}
	// RDS refuses what a wrong clock has signed, so that credentials are of no use then.
	if err := p.clock.wrong(); err != nil {
		return aws.Credentials{}, err
	}
	if r.error != nil {
		return aws.Credentials{}, p.explain(ctx, r.error)
	}
	if r.CanExpire && !r.Expires.After(time.Now()) {
		return aws.Credentials{}, &ExpiredError{At: r.Expires, Source: r.Source}
	}
	c := r.Credentials
	if until := p.exportedUntil(); !until.IsZero() {
		c.CanExpire, c.Expires = true, until
	}
	return c, nil
}

// lockRefresh keeps other processes from refreshing the token of the same SSO session; the result
// ends it. A token that needs no refreshing needs no lock.
func (p *Provider) lockRefresh(ctx context.Context) (unlock func()) {
	none := func() {}
	if p.sso == "" || !sso.NeedsRefresh(p.sso) {
		return none
	}
	unlock, err := sso.LockRefresh(ctx, p.sso)
	if err != nil {
		p.Log.Warn("SSO session refreshed without the lock", "reason", err)
	}
	if unlock == nil {
		return none
	}
	return unlock
}

// retrieve asks for a role's credentials for as long as it gives them.
func (p *Provider) retrieve(ctx context.Context) (aws.Credentials, error) {
	// Reading an AWS configuration of thousands of profiles takes longer than asking AWS: once is
	// enough.
	l := p.loaded.Swap(nil)
	for limit := time.Duration(0); ; {
		if l == nil {
			var err error
			if l, err = p.load(ctx, limit); err != nil {
				return aws.Credentials{}, err
			}
		}
		creds, err := l.provider.Retrieve(ctx)
		switch {
		case err == nil:
			return creds, p.checkSessionKeys(ctx, l)
		case !tooLong(err) || l.asked <= shortLife:
			return aws.Credentials{}, err
		case l.asked > roleLife:
			limit = roleLife
		default:
			limit = shortLife
		}
		l = nil
	}
}

// loaded is what the SDK makes of the source.
type loaded struct {
	cfg      aws.Config
	provider aws.CredentialsProvider
	asked    time.Duration // the longest life that is asked for of a role
	process  bool          // a credential_process is run
}

// tooLong reports whether AWS refused the length of a role's session: "The requested
// DurationSeconds exceeds …".
func tooLong(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" &&
		strings.Contains(api.ErrorMessage(), "DurationSeconds")
}

// Config returns the SDK's configuration for asking other services of AWS, with these credentials.
func (p *Provider) Config(ctx context.Context) (aws.Config, error) {
	p.prepare()
	l, err := p.load(ctx, 0)
	if err != nil {
		return aws.Config{}, p.failed(p.unread(p.explain(ctx, err)))
	}
	if !l.process { // which would have ctx's limit
		p.loaded.Store(l)
	}
	cfg := l.cfg
	cfg.Credentials = aws.NewCredentialsCache(p)
	return cfg, nil
}

// load returns what the SDK makes of the source. Roles are asked for roleLife, unless the profile
// says how long, and for limit at most, if there is one.
func (p *Provider) load(ctx context.Context, limit time.Duration) (*loaded, error) {
	if err := cmp.Or(p.unfit(), p.impossible()); err != nil {
		return nil, err
	}
	if err := spreadEndpointURL(); err != nil {
		return nil, err
	}
	l := &loaded{}
	runs := func(o *processcreds.Options) {
		l.process = true
		if end, ok := ctx.Deadline(); ok {
			// The SDK keeps ctx from the program; this way it is ended before we are, or, when
			// it is more than one process, the shell that began it.
			o.Timeout = time.Until(end) - endProcess
		}
	}
	assume := func(o *stscreds.AssumeRoleOptions) {
		p.setRoleOptions(o, limit)
		o.Client = p.boundedClient(o.Client, runs)
		l.asked = max(l.asked, o.Duration)
	}
	options := append(p.sdkOptions(&l.cfg), config.WithAssumeRoleCredentialOptions(assume),
		config.WithProcessCredentialOptions(runs))
	var err error
	if l.cfg, err = loadSDK(ctx, options...); err != nil {
		return nil, err
	}
	l.cfg.Credentials, _ = p.bounded(l.cfg.Credentials, runs)
	l.provider = l.cfg.Credentials
	if p.source.RoleARN != "" {
		client := sts.NewFromConfig(l.cfg)
		l.provider = stscreds.NewAssumeRoleProvider(client, p.source.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			if p.source.ExternalID != "" {
				o.ExternalID = aws.String(p.source.ExternalID)
			}
			o.RoleSessionName = p.source.RoleSessionName
			assume(o)
		})
	}
	return l, nil
}

// unfit says which file the SDK can't read, or must not, as it would wait for ever or fill the
// memory: of the AWS configuration, or one that this names. (Of a token in a folder's place, say,
// the SDK says that there is no session.)
func (p *Provider) unfit() error {
	switch {
	case disk.Unfit(p.err):
		return p.err
	case p.set == nil:
		return nil
	}
	for _, file := range append(p.source.signIns(p.set), p.source.authorities(p.set)...) {
		if _, err := profiles.Read(file); err != nil {
			return err
		}
	}
	return nil
}

// setRoleOptions fills in what neither the profile nor the source says of a role's session.
func (p *Provider) setRoleOptions(o *stscreds.AssumeRoleOptions, limit time.Duration) {
	if o.RoleSessionName == "" {
		o.RoleSessionName = sessionName(p.source.User)
	}
	if o.SerialNumber != nil {
		o.TokenProvider = func() (string, error) { return p.code(aws.ToString(o.SerialNumber)) }
	}
	if o.Duration == 0 {
		o.Duration = roleLife
	}
	if limit != 0 {
		o.Duration = min(o.Duration, limit)
	}
}

// sdkOptions returns the options that hold for every source. cfg is where the configuration will
// be, for the metadata service.
func (p *Provider) sdkOptions(cfg *aws.Config) []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		// The SDK's own logger writes to stderr, which MySQL Shell reads as part of the reply.
		config.WithLogger(logging.Nop{}),
		// "auto" would ask the metadata service for a region before anything needs it.
		config.WithDefaultsMode(aws.DefaultsModeStandard),
		config.WithDefaultRegion(p.source.Region),
		config.WithAPIOptions(append(p.clock.options(), limitAnswers)),
		config.WithWebIdentityRoleCredentialOptions(func(o *stscreds.WebIdentityRoleOptions) {
			if o.RoleSessionName == "" {
				o.RoleSessionName = sessionName(p.source.User)
			}
		}),
		config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) {
			o.Client = &metadata{cfg: cfg}
		}),
		// Without this, container credentials appear to expire five minutes early.
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 0 }),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) {
			// The endpoint is on this machine: a few quick tries tell whether it is there.
			o.HTTPClient = limited{awshttp.NewBuildableClient().WithTimeout(containerAnswer)}
			o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) { s.MaxBackoff = 100 * time.Millisecond })
		}),
	}
	if p.source.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(p.source.Profile))
	}
	if p.HTTP != nil {
		options = append(options, config.WithHTTPClient(p.HTTP))
	}
	return options
}

// loadSDK is [config.LoadDefaultConfig], which panics at a setting whose value is a lone quote
// (config/internal/ini: unquote).
func loadSDK(ctx context.Context, options ...func(*config.LoadOptions) error) (cfg aws.Config, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the AWS SDK can't read the AWS configuration; is a value in it a lone quote? (%v)", cause)
		}
	}()
	return config.LoadDefaultConfig(ctx, options...)
}

// sessionName names the role session in CloudTrail after a user; STS allows 2 to 64 letters, digits
// and _+=,.@-.
func sessionName(user string) string {
	name := strings.Map(func(r rune) rune {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if letter || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r) {
			return r
		}
		return '-'
	}, "mysql-"+user)
	return name[:min(len(name), 64)]
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
	for _, service := range stamp.EndpointServices {
		name := "AWS_ENDPOINT_URL_" + service
		if _, set := os.LookupEnv(name); set {
			continue
		}
		if err := os.Setenv(name, url); err != nil {
			return fmt.Errorf("spread AWS_ENDPOINT_URL: %w", err)
		}
	}
	return nil
}
