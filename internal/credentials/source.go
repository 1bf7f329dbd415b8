package credentials

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"

	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/stamp"
)

// origin is where the SDK begins to look.
type origin int

const (
	ofProfile origin = iota
	ofEnvironmentKeys
	ofEnvironmentWebIdentity
)

func set(names ...string) bool { return first(names...) != "" }

// first returns the value of the first variable that has one.
func first(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// Unnamed reports whether nobody chose a profile: neither the target nor the environment.
func (s Source) Unnamed() bool { return s.Profile == "" && !set("AWS_PROFILE", "AWS_DEFAULT_PROFILE") }

// effective returns the place where the credentials begin, in the SDK's order
// (config/resolve_credentials.go: resolveCredentialChain), and the profile's name.
func (s Source) effective() (origin, string) {
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

// expires reports whether the source gives credentials that AWS makes for a time, and that cost a
// call: a role's, an SSO session's, a web identity's or a credential_process's. Long-term keys
// don't, and those of a machine or container are a call away on the same machine.
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
	return slices.Contains([]profiles.CredentialKind{profiles.SSO, profiles.LegacySSO, profiles.WebIdentity,
		profiles.Process}, files.Kind(name))
}

// sessionKeys reports whether these are temporary keys that somebody wrote into a profile or
// exported, of which nobody knows how long they are good.
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

// key stands for everything that defines the credentials, so that a profile that was edited, or
// another account in the environment, never gets those from before.
func (s Source) key(files *profiles.Set) string {
	sum := stamp.NewSum()
	k, name := s.effective()
	sum.Add("credentials 2", strconv.Itoa(int(k)), name, s.RoleARN, s.ExternalID, s.RoleSessionName)
	switch k {
	case ofEnvironmentKeys:
		sum.Variables(stamp.Keys...)
	case ofEnvironmentWebIdentity:
		sum.Variables(stamp.WebIdentity...)
	default:
		sum.Add(files.Definition(name)...)
		switch files.Kind(name) {
		case profiles.CredentialSource, profiles.None:
			sum.Variables(stamp.Keys...)
			sum.Variables(stamp.Machine...)
		}
	}
	if file := s.webIdentity(files); file != "" {
		// Whose token it is matters; that it can't be read is the SDK's to say.
		text, _ := profiles.Read(file)
		sum.Add(file, text)
	}
	for _, service := range stamp.EndpointServices {
		sum.Add(service, first("AWS_ENDPOINT_URL_"+service, "AWS_ENDPOINT_URL"))
	}
	sum.Variables("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
	return sum.String()
}

// webIdentity returns the file with the token of the web identity that the credentials are got
// with, or "".
func (s Source) webIdentity(files *profiles.Set) string {
	switch k, name := s.effective(); {
	case k == ofEnvironmentWebIdentity:
		return os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	case k == ofProfile && files.Kind(name) == profiles.WebIdentity:
		return files.Setting(name, "web_identity_token_file")
	}
	return ""
}

// ssoFile returns the file with the token of the SSO session that the credentials are got with, or
// "".
func (s Source) ssoFile(files *profiles.Set) string {
	k, name := s.effective()
	if session, ok := files.SSO(name); ok && k == ofProfile {
		return sso.File(session)
	}
	return ""
}

// signIns returns the files of the sign-ins that the credentials come from: when one of them is
// removed or replaced, somebody has logged out, or in as somebody else.
func (s Source) signIns(files *profiles.Set) []string {
	var list []string
	add := func(file string) {
		if file != "" {
			list = append(list, file)
		}
	}
	add(s.ssoFile(files))
	add(s.webIdentity(files))
	if k, name := s.effective(); k == ofProfile {
		switch files.Kind(name) {
		case profiles.ConsoleLogin:
			session := files.Setting(name, "login_session")
			if file, err := logincreds.StandardCachedTokenFilepath(session,
				os.Getenv("AWS_LOGIN_CACHE_DIRECTORY")); err == nil {
				add(file)
			}
		case profiles.CredentialSource, profiles.None:
			add(os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
		}
	}
	return list
}

// authorities returns the files with the certificate authorities by which the SDK would know AWS.
func (s Source) authorities(files *profiles.Set) []string {
	list := []string{os.Getenv("AWS_CA_BUNDLE")}
	if k, name := s.effective(); k == ofProfile {
		chain, _ := files.Chain(name) // what is there of it
		for _, p := range chain {
			list = append(list, p.Get("ca_bundle"))
		}
	}
	return slices.DeleteFunc(list, func(file string) bool { return file == "" })
}
