package credentials

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/logging"

	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/stamp"
)

// reach is how AWS is reached: the settings of the profile that was asked for, also where another
// one's credentials are used, and of the environment (AWS SDKs and Tools reference guide, "Settings
// reference").
type reach struct {
	Region    string            // that the profile names
	Endpoints map[string]string // that give out credentials, by the services' names in AWS_ENDPOINT_URL_…
	LoginDir  string            // where tokens of "aws login" are
	FIPS      bool
	DualStack bool

	// What follows defines no credentials, and is no part of their key.
	region      string // where STS is asked
	problem     error  // of the settings, where AWS has to be asked
	authorities string // the file with the certificate authorities, or ""
	fromProfile bool   // ca_bundle names it, and not AWS_CA_BUNDLE
	appID       string
	retryMode   string
	attempts    int
	all         func(service string) (string, error) // endpoints of all services
}

// newReach reads the settings of a profile. STS is asked in the region given if nothing says where.
func newReach(files *profiles.Set, own profiles.Profile, region string) reach {
	env := func(name, setting string) string { return cmp.Or(os.Getenv(name), own.Get(setting)) }
	r := reach{
		Region: own.Get("region"), Endpoints: map[string]string{},
		LoginDir:    profiles.ExpandHome(os.Getenv("AWS_LOGIN_CACHE_DIRECTORY")),
		FIPS:        profiles.IsTrue(env("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")),
		DualStack:   profiles.IsTrue(env("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")),
		region:      cmp.Or(first("AWS_REGION", "AWS_DEFAULT_REGION"), own.Get("region"), region),
		authorities: env("AWS_CA_BUNDLE", "ca_bundle"), fromProfile: !set("AWS_CA_BUNDLE"),
		appID:     env("AWS_SDK_UA_APP_ID", "sdk_ua_app_id"),
		retryMode: strings.ToLower(env("AWS_RETRY_MODE", "retry_mode")),
		all:       func(service string) (string, error) { return endpoint(files, own.Name, service) },
	}
	for _, service := range stamp.EndpointServices {
		url, err := r.all(service)
		if r.problem = cmp.Or(r.problem, err); url != "" {
			r.Endpoints[service] = url
		}
	}
	if text := env("AWS_MAX_ATTEMPTS", "max_attempts"); text != "" {
		var err error
		if r.attempts, err = strconv.Atoi(text); err != nil || r.attempts < 0 {
			r.problem = cmp.Or(r.problem, error(&SettingsError{Profile: own.Name,
				Problem: fmt.Sprintf("max_attempts (AWS_MAX_ATTEMPTS) is %.20q, which is no number", text)}))
			r.attempts = 0
		}
	}
	return r
}

// noLog: the SDK's own logger writes to stderr, which MySQL Shell reads as part of the reply.
var noLog logging.Nop

// config returns the SDK's configuration for asking AWS, without credentials.
func (r reach) config(of *Client) (aws.Config, error) {
	if r.problem != nil {
		return aws.Config{}, r.problem
	}
	client, err := r.client(of)
	if err != nil {
		return aws.Config{}, err
	}
	cfg := aws.Config{
		Region: r.region, HTTPClient: client, AppID: r.appID, RetryMaxAttempts: r.attempts,
		Logger: noLog, DefaultsMode: aws.DefaultsModeStandard, ConfigSources: []any{services{r}},
	}
	// The SDK's clients don't ask services when there is this variable, be it empty.
	switch url, _ := r.all(""); {
	case os.Getenv("AWS_ENDPOINT_URL") == "":
		_ = os.Unsetenv("AWS_ENDPOINT_URL") // which means the same
	case url != "":
		cfg.BaseEndpoint = &url
	}
	if r.retryMode == string(aws.RetryModeAdaptive) {
		cfg.RetryMode = aws.RetryModeAdaptive
	}
	return cfg, nil
}

// client returns an HTTP client that knows AWS by the authorities of the settings, if they name some;
// else the one given.
func (r reach) client(of *Client) (aws.HTTPClient, error) {
	switch {
	case of == nil && r.authorities == "":
		return awshttp.NewBuildableClient(), nil
	case of == nil:
		client, err := r.trust(awshttp.NewBuildableClient())
		if err != nil {
			return nil, err
		}
		return client, nil
	case r.authorities == "":
		return of.shared, nil
	}
	if known, ok := of.trusting.Load(r.authorities); ok {
		return known.(aws.HTTPClient), nil
	}
	client, err := r.trust(of.build)
	if err != nil {
		return nil, err
	}
	known, _ := of.trusting.LoadOrStore(r.authorities, client.Freeze())
	return known.(aws.HTTPClient), nil
}

// trust has a client know AWS by the authorities of the settings.
func (r reach) trust(client *awshttp.BuildableClient) (*awshttp.BuildableClient, error) {
	name := r.authoritiesName()
	_, err := os.Stat(r.authorities)
	text := ""
	if err == nil {
		text, err = profiles.Read(r.authorities)
	}
	if err != nil {
		if of, ok := errors.AsType[*profiles.FileError](err); ok {
			err = of.Err
		}
		if of, ok := errors.AsType[*fs.PathError](err); ok {
			err = of.Err
		}
		return nil, &AuthoritiesError{fmt.Sprintf("%s names %s, which can't be read: %v", name, r.authorities, err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, &AuthoritiesError{fmt.Sprintf("%s names %s, in which there is no certificate (PEM)", name,
			r.authorities)}
	}
	return client.WithTransportOptions(func(t *http.Transport) {
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{}
		}
		t.TLSClientConfig.RootCAs = pool
	}), nil
}

// endpoint is [profiles.Set.Endpoint] of an address that is one. The error doesn't quote what isn't:
// there may be a password in it.
func endpoint(files *profiles.Set, profile, service string) (string, error) {
	address, err := files.Endpoint(profile, service)
	if err != nil || address == "" {
		return "", err
	}
	if u, err := url.Parse(address); err != nil || u.Scheme == "" || u.Host == "" {
		return "", &SettingsError{Profile: profile, Problem: fmt.Sprintf("the endpoint_url for %s is no address",
			cmp.Or(service, "AWS"))}
	}
	return address, nil
}

// of returns the configuration for one of the services that give out credentials.
func (r reach) of(cfg aws.Config, service, region string) aws.Config {
	cfg = cfg.Copy()
	if url := r.Endpoints[service]; url != "" {
		cfg.BaseEndpoint = &url
	}
	cfg.Region = cmp.Or(region, cfg.Region)
	return cfg
}

// authoritiesName is what names the certificate authorities.
func (r reach) authoritiesName() string {
	if r.fromProfile {
		return "ca_bundle"
	}
	return "AWS_CA_BUNDLE"
}

// services tells the SDK's clients what the settings say of each service, where they look for it
// (internal/configsources).
type services struct{ r reach }

// GetServiceBaseEndpoint gives the address of a service, by the name that the SDK has for it.
func (s services) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url, err := s.r.all(strings.ReplaceAll(strings.ToUpper(sdkID), " ", "_"))
	return url, url != "", err
}

// GetUseFIPSEndpoint says whether to use FIPS endpoints.
func (s services) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, s.r.FIPS, nil
}

// GetUseDualStackEndpoint says whether to use endpoints with IPv6.
func (s services) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, s.r.DualStack, nil
}
