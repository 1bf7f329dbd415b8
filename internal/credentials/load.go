package credentials

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awscreds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"mysql-secret-store-rds/internal/profiles"
	ssofile "mysql-secret-store-rds/internal/sso"
)

const (
	// containerAnswer is how long a container's credentials endpoint may take for one answer.
	containerAnswer = 5 * time.Second
	// processLife is how long a credential_process may take where no limit is set; the SDK's own.
	processLife = time.Minute
	// endProcess is how long before the end a credential_process is ended.
	endProcess = 300 * time.Millisecond
	// roleLife is what a role's credentials are asked for: the SDK's own 15 minutes are no longer
	// than one token's, and an hour is allowed for every role, chained ones included (IAM user
	// guide, "Methods to assume a role").
	roleLife = time.Hour
	// shortLife is allowed wherever anything is.
	shortLife = 15 * time.Minute
)

// obtain has AWS, or whoever gives the credentials, asked.
func (p *Provider) obtain(ctx context.Context) (aws.Credentials, error) {
	type result struct {
		aws.Credentials
		error
	}
	// The SDK's clients may go on for a while after ctx's end.
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

func (p *Provider) retrieve(ctx context.Context) (aws.Credentials, error) {
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
			return creds, p.checkSessionKeys(ctx, creds)
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

// loaded is what gives a plan's credentials.
type loaded struct {
	provider aws.CredentialsProvider
	asked    time.Duration // the longest life that is asked for of a role
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
		return aws.Config{}, p.failed(p.explain(ctx, err))
	}
	cfg, err := p.config()
	if err != nil {
		return aws.Config{}, p.failed(err)
	}
	if p.plan.Base.Kind != profiles.Process { // which would have ctx's limit
		p.loaded.Store(l)
	}
	cfg.Credentials = aws.NewCredentialsCache(p)
	return cfg, nil
}

// config returns the SDK's configuration for asking AWS, without credentials.
func (p *Provider) config() (aws.Config, error) {
	cfg, err := p.plan.AWS.config(p.Client)
	cfg.APIOptions = append(p.clock.options(), limitAnswers)
	return cfg, err
}

// load returns what gives the plan's credentials. Roles are asked for roleLife, unless the profile
// says how long, and for limit at most, if there is one.
func (p *Provider) load(ctx context.Context, limit time.Duration) (*loaded, error) {
	if p.planErr != nil {
		return nil, p.planErr
	}
	l := &loaded{}
	var err error
	if l.provider, err = p.base(ctx); err != nil {
		return nil, err
	}
	for _, role := range p.plan.Roles {
		cfg, err := p.config()
		if err != nil {
			return nil, err
		}
		cfg.Credentials = aws.NewCredentialsCache(once{l.provider})
		client := sts.NewFromConfig(p.plan.AWS.of(cfg, "STS", ""))
		l.provider = assumed{stscreds.NewAssumeRoleProvider(client, role.ARN, func(o *stscreds.AssumeRoleOptions) {
			p.setRole(o, role, limit)
			l.asked = max(l.asked, o.Duration)
		}), role.ARN}
	}
	return l, nil
}

// once is what a role is assumed with: where it fails, STS's client doesn't ask for it again.
type once struct{ aws.CredentialsProvider }

// Retrieve implements [aws.CredentialsProvider].
func (o once) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := o.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = &finalError{err}
	}
	return creds, err
}

// finalError tells the SDK's clients that asking again is no use.
type finalError struct{ err error }

func (e *finalError) Error() string        { return e.err.Error() }
func (e *finalError) Unwrap() error        { return e.err }
func (e *finalError) RetryableError() bool { return false }

// assumed is what returns a role's credentials, and names the role where that fails.
type assumed struct {
	aws.CredentialsProvider
	role string
}

// Retrieve implements [aws.CredentialsProvider].
func (a assumed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := a.CredentialsProvider.Retrieve(ctx)
	if _, named := errors.AsType[*roleError](err); err != nil && !named {
		err = &roleError{a.role, err}
	}
	return creds, err
}

// roleError is a role that couldn't be assumed.
type roleError struct {
	role string
	err  error
}

func (e *roleError) Error() string { return e.err.Error() }
func (e *roleError) Unwrap() error { return e.err }

// setRole says how a role is assumed.
func (p *Provider) setRole(o *stscreds.AssumeRoleOptions, role profiles.Role, limit time.Duration) {
	o.RoleSessionName = cmp.Or(role.SessionName, sessionName(p.source.User))
	if role.ExternalID != "" {
		o.ExternalID = &role.ExternalID
	}
	if role.MFASerial != "" {
		o.SerialNumber = &role.MFASerial
		o.TokenProvider = func() (string, error) { return p.code(role.MFASerial) }
	}
	if o.Duration = cmp.Or(role.Duration, roleLife); limit != 0 {
		o.Duration = min(o.Duration, limit)
	}
}

// base returns what gives the credentials with which the plan begins.
func (p *Provider) base(ctx context.Context) (aws.CredentialsProvider, error) {
	b := p.plan.Base
	switch {
	case b.KeyID != "": // of a profile, of the environment, or of the environment by a profile
		from := "EnvConfigCredentials"
		if b.KeysFile != "" {
			from = "SharedConfigCredentials: " + b.KeysFile
		}
		return awscreds.StaticCredentialsProvider{Value: aws.Credentials{
			AccessKeyID: b.KeyID, SecretAccessKey: b.Secret, SessionToken: b.Token, Source: from,
		}}, nil
	case b.Kind == profiles.Process:
		end, limited := ctx.Deadline()
		if !limited { // what discover's clients wait for
			end = time.Now().Add(processLife)
		}
		return &process{command: b.Command, end: end.Add(-endProcess)}, nil
	case p.plan.Machine != nil:
		return p.machine(p.plan.Machine)
	}
	cfg, err := p.config()
	if err != nil {
		return nil, err
	}
	switch b.Kind {
	case profiles.WebIdentity:
		client := sts.NewFromConfig(p.plan.AWS.of(cfg, "STS", ""))
		named := "web_identity_token_file"
		if b.Profile == "" {
			named = "AWS_WEB_IDENTITY_TOKEN_FILE"
		}
		return stscreds.NewWebIdentityRoleProvider(client, b.RoleARN, tokenOf{b.Profile, named, b.TokenFile},
			func(o *stscreds.WebIdentityRoleOptions) {
				o.RoleSessionName = cmp.Or(b.SessionName, sessionName(p.source.User))
			}), nil
	case profiles.SSO, profiles.LegacySSO:
		return &ssoRole{
			base: b, portal: sso.NewFromConfig(p.plan.AWS.of(cfg, "SSO", b.Session.Region)),
			token: func(ctx context.Context) (string, error) {
				return ssofile.Token(ctx, p.plan.AWS.of(cfg, "SSO_OIDC", b.Session.Region), b.Session, p.Log)
			},
		}, nil
	case profiles.ConsoleLogin:
		file := p.plan.loginFile()
		private := func(o *logincreds.Options) { o.RestrictPermissions = true }
		client := signin.NewFromConfig(p.plan.AWS.of(cfg, "SIGNIN", ""))
		return &consoleLogin{logincreds.New(client, file, private), file}, nil
	}
	return nil, ErrNoCredentials
}

// machine returns what gives a container's or an instance's credentials, for which AWS isn't asked.
func (p *Provider) machine(m *machine) (aws.CredentialsProvider, error) {
	cfg := aws.Config{Logger: noLog, APIOptions: append(p.clock.options(), limitAnswers)}
	source := p.plan.Base.Source
	switch variable := m.container(); {
	case source == "Ec2InstanceMetadata":
	case variable != "":
		address, err := m.containerAddress()
		if err != nil {
			return nil, &ContainerError{variable, err.Error()}
		}
		token := m.Token
		if m.TokenFile != "" {
			if token, err = (tokenOf{"", tokenFile, m.TokenFile}).read(); err != nil {
				return nil, &ContainerError{variable, "the file that " + tokenFile + " names can't be read"}
			}
		}
		return endpointcreds.New(address, func(o *endpointcreds.Options) {
			o.AuthorizationToken, o.APIOptions = token, cfg.APIOptions
			// The endpoint is on this machine: a few quick tries tell whether it is there.
			// No proxy has it, nor may have the token.
			direct := func(t *http.Transport) { t.Proxy = nil }
			client := awshttp.NewBuildableClient().WithTimeout(containerAnswer).WithTransportOptions(direct)
			o.HTTPClient = limited{client}
			o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) { s.MaxBackoff = 100 * time.Millisecond })
		}), nil
	case source == sourceContainer:
		return nil, &SettingsError{Profile: p.plan.Base.Profile, Problem: fmt.Sprintf(
			"credential_source is EcsContainer, and neither %s nor %s says where that is", relativeURI, fullURI)}
	}
	return ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = &metadata{cfg: cfg, machine: *m} }), nil
}

// containerAddress returns where a container's credentials are. Without TLS only the addresses are
// allowed that don't leave the machine (AWS SDKs and Tools reference guide, "Container credential
// provider").
func (m *machine) containerAddress() (string, error) {
	if m.RelativeURI != "" {
		return "http://169.254.170.2" + m.RelativeURI, nil
	}
	u, err := url.Parse(m.FullURI)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("it is no address")
	}
	if u.Scheme == "https" {
		return m.FullURI, nil
	}
	addresses, err := net.LookupHost(u.Hostname())
	if err != nil {
		return "", fmt.Errorf("the host %s isn't known", u.Hostname())
	}
	for _, address := range addresses {
		ip := net.ParseIP(address)
		if !ip.IsLoopback() && address != "169.254.170.2" && address != "169.254.170.23" && address != "fd00:ec2::23" {
			return "", fmt.Errorf("%s isn't on this machine, and it isn't asked without https", u.Hostname())
		}
	}
	return m.FullURI, nil
}

// tokenOf is a file with the token of a web identity, or for a container's endpoint.
type tokenOf struct{ profile, named, file string } // whose and by what, and where it is

// GetIdentityToken implements [stscreds.IdentityTokenRetriever].
func (t tokenOf) GetIdentityToken() ([]byte, error) {
	text, err := t.read()
	return []byte(text), err
}

func (t tokenOf) read() (string, error) {
	text, err := profiles.Read(t.file)
	if err == nil && text == "" {
		what := "which is empty"
		if _, err := os.Stat(t.file); err != nil {
			what = "which isn't there"
		}
		err = &SettingsError{Profile: t.profile, Problem: fmt.Sprintf("%s names %s, %s", t.named, t.file, what)}
	}
	return text, err
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
