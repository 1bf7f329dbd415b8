package stamp

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"slices"
	"strconv"

	"mysql-secret-store-rds/internal/profiles"
)

// EnvProfile names, in the environment, the AWS profile that signs for every server, whatever else
// says which. It is how --profile reaches the helper that MySQL Shell calls.
const EnvProfile = "MYSQL_SECRET_STORE_RDS_PROFILE"

// The variables that choose AWS credentials, by what they choose. Sources: AWS SDKs and Tools
// reference guide, "Settings reference"; botocore/credentials.py.
var (
	// Keys are credentials themselves.
	Keys = []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
	}
	// WebIdentity is a role that is assumed with a token from a file.
	WebIdentity = []string{"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"}
	// Machine is where the credentials of a container or an instance are.
	Machine = []string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_V1_DISABLED",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	}
	// EndpointServices are the services that give out credentials, as AWS_ENDPOINT_URL_… names
	// them.
	EndpointServices = []string{"STS", "SSO", "SSO_OIDC", "SIGNIN"}
	// settings choose among the above.
	settings = []string{
		EnvProfile, "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_LOGIN_CACHE_DIRECTORY",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ENDPOINT_URL",
	}
)

// Identity stands for the AWS identity that the environment gives: all variables that choose
// credentials, and size and time of the AWS files. As long as it stays the same, so does who a
// token would be signed for, sign-ins apart. It opens no file.
func Identity() string {
	sum := NewSum()
	for _, name := range slices.Concat(Keys, WebIdentity, Machine, settings) {
		sum.Variables(name)
	}
	for _, service := range EndpointServices {
		sum.Variables("AWS_ENDPOINT_URL_" + service)
	}
	files := profiles.Default()
	for _, f := range Files(files.Config, files.Credentials) {
		sum.Add(f.Path, f.State)
	}
	return sum.String()
}

// Sum is a hash of texts, one after the other.
type Sum struct{ h hash.Hash }

// NewSum returns a sum of nothing.
func NewSum() Sum { return Sum{sha256.New()} }

// Add adds texts. Where one ends and the next begins matters.
func (s Sum) Add(texts ...string) {
	for _, text := range texts {
		_, _ = io.WriteString(s.h, strconv.Itoa(len(text))+":"+text) // a hash takes everything
	}
}

// Variables adds environment variables: whether there is one, and its value.
func (s Sum) Variables(names ...string) {
	for _, name := range names {
		value, ok := os.LookupEnv(name)
		s.Add(name+"="+strconv.FormatBool(ok), value)
	}
}

// String returns the sum as text, which tells nothing of what was added.
func (s Sum) String() string {
	return hex.EncodeToString(s.h.Sum(nil)[:16])
}
