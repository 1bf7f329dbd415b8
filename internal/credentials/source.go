package credentials

import (
	"fmt"
	"os"
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

func (p plan) whose() Whose {
	if words, ok := originWords[p.Origin]; ok {
		return Whose{Words: words}
	}
	return OfProfile(p.Profile)
}

var originWords = map[origin]string{
	ofEnvironmentKeys:        "the keys in the environment (AWS_ACCESS_KEY_ID)",
	ofEnvironmentWebIdentity: "the web identity in the environment (AWS_WEB_IDENTITY_TOKEN_FILE)",
}

// signer says in a few words whose credentials these are, as far as the settings tell.
func (s Source) signer(p plan) string {
	words, of := originWords[p.Origin]
	switch {
	case s.Profile != "":
		return "AWS profile " + s.Profile
	case of:
		return words
	case set("AWS_PROFILE"):
		return "AWS profile " + p.Profile + " (AWS_PROFILE)"
	case set("AWS_DEFAULT_PROFILE"):
		return "AWS profile " + p.Profile + " (AWS_DEFAULT_PROFILE)"
	}
	return "AWS profile " + p.Profile + ", or else this machine's role"
}
