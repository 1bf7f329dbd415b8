package credentials

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"mysql-secret-store-rds/internal/profiles"
)

// kind is where the SDK begins to look.
type kind int

const (
	ofProfile kind = iota
	ofEnvironmentKeys
	ofEnvironmentWebIdentity
)

func set(names ...string) bool { return first(names...) != "" }

// first gives the value of the first variable that has one.
func first(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// Unnamed says whether nobody chose a profile: neither the target nor the environment.
func (s Source) Unnamed() bool { return s.Profile == "" && !set("AWS_PROFILE", "AWS_DEFAULT_PROFILE") }

// effective gives the place where the credentials begin, in the SDK's order (config/resolve_credentials.go:
// resolveCredentialChain), and the profile's name.
func (s Source) effective() (kind, string) {
	switch {
	case s.Profile != "":
		return ofProfile, s.Profile
	case set("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY") && set("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"):
		return ofEnvironmentKeys, ""
	case set("AWS_WEB_IDENTITY_TOKEN_FILE"):
		return ofEnvironmentWebIdentity, ""
	}
	return ofProfile, s.Name()
}

// Name is the name of the profile that the credentials come from, or would.
func (s Source) Name() string {
	if s.Profile != "" {
		return s.Profile
	}
	if name := first("AWS_PROFILE", "AWS_DEFAULT_PROFILE"); name != "" {
		return name
	}
	return "default"
}

// Whose names a source of credentials for a person.
type Whose struct {
	Profile string // of the AWS configuration; "" when they are of none
	Words   string // profile "prod", the keys in the environment (AWS_ACCESS_KEY_ID), …
}

// OfProfile is a profile's credentials.
func OfProfile(name string) Whose { return Whose{name, fmt.Sprintf("profile %q", name)} }

func (s Source) whose() Whose {
	switch k, profile := s.effective(); k {
	case ofEnvironmentKeys:
		return Whose{Words: environmentKeys}
	case ofEnvironmentWebIdentity:
		return Whose{Words: environmentWebIdentity}
	default:
		return OfProfile(profile)
	}
}

const (
	environmentKeys        = "the keys in the environment (AWS_ACCESS_KEY_ID)"
	environmentWebIdentity = "the web identity in the environment (AWS_WEB_IDENTITY_TOKEN_FILE)"
)

// Signer says in a few words whose credentials these are, as far as the settings tell.
func (s Source) Signer() string {
	switch k, profile := s.effective(); {
	case s.Profile != "":
		return "AWS profile " + s.Profile
	case k == ofEnvironmentKeys:
		return environmentKeys
	case k == ofEnvironmentWebIdentity:
		return environmentWebIdentity
	case set("AWS_PROFILE"):
		return "AWS profile " + profile + " (AWS_PROFILE)"
	default:
		return "AWS profile " + profile + ", or else this machine's role"
	}
}

// role is the role that the profile assumes, or "".
func (s Source) role(files *profiles.Set) string {
	if k, name := s.effective(); k == ofProfile {
		if p, ok := files.Profile(name); ok {
			if arn := p.Get("role_arn"); arn != "" {
				return arn
			}
			return p.Get("sso_role_name")
		}
	}
	return os.Getenv("AWS_ROLE_ARN")
}

// expires says whether the source gives credentials that AWS makes for a time, and that cost a call:
// a role's, an SSO session's, a web identity's or a credential_process's. Long-term keys don't, and those of a machine or
// container are a call away on the same machine.
func (s Source) expires(files *profiles.Set) bool {
	if s.RoleARN != "" {
		return true
	}
	k, name := s.effective()
	if k != ofProfile {
		return k == ofEnvironmentWebIdentity
	}
	if p, ok := files.Profile(name); !ok || p.Get("role_arn") != "" {
		return ok
	}
	return slices.Contains([]profiles.Kind{profiles.SSO, profiles.LegacySSO, profiles.WebIdentity, profiles.Process}, files.Kind(name))
}

// sessionKeys says whether these are temporary keys that somebody wrote into a profile or exported, of which nobody knows
// how long they are good.
func (s Source) sessionKeys(files *profiles.Set) bool {
	k, name := s.effective()
	if k == ofEnvironmentKeys {
		return s.RoleARN == "" && set("AWS_SESSION_TOKEN")
	}
	if p, ok := files.Profile(name); k != ofProfile || s.RoleARN != "" || !ok || p.Get("role_arn") != "" {
		return false
	}
	return files.Kind(name) == profiles.SessionKeys
}

// key stands for everything that defines the credentials, so that a profile that was edited, or another
// account in the environment, never gets those from before.
func (s Source) key(files *profiles.Set) string {
	h := sha256.New()
	put := func(values ...string) {
		for _, v := range values {
			_, _ = io.WriteString(h, strconv.Itoa(len(v))+":"+v) // a hash takes everything
		}
	}
	env := func(names ...string) {
		for _, name := range names {
			put(name, os.Getenv(name))
		}
	}
	k, name := s.effective()
	put("credentials 1", strconv.Itoa(int(k)), name, s.RoleARN, s.ExternalID, s.RoleSessionName)
	webIdentity := os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	switch k {
	case ofEnvironmentKeys:
		env(keyVariables...)
	case ofEnvironmentWebIdentity:
		env("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE")
	default:
		put(files.Hash(name))
		switch files.Kind(name) {
		case profiles.WebIdentity:
			chain, _ := files.Chain(name)
			webIdentity = chain[len(chain)-1].Get("web_identity_token_file")
		case profiles.CredentialSource, profiles.None:
			env(keyVariables...)
			env(machineVariables...)
			webIdentity = ""
		default:
			webIdentity = ""
		}
	}
	if webIdentity != "" {
		// Whose token it is matters; that it can't be read is the SDK's to say.
		text, _ := profiles.Read(webIdentity)
		put(webIdentity, text)
	}
	for _, service := range endpointServices {
		put(service, first("AWS_ENDPOINT_URL_"+service, "AWS_ENDPOINT_URL"))
	}
	env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
	return hex.EncodeToString(h.Sum(nil))
}

// Variables that choose credentials, besides the profile. Source: env_config.go of the AWS SDK for Go v2.
var (
	keyVariables     = []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN"}
	machineVariables = []string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
	}
	// endpointServices give out credentials.
	endpointServices = []string{"STS", "SSO", "SSO_OIDC", "SIGNIN"}
)
