package credentials

import (
	"fmt"
	"os"
	"time"

	"mysql-secret-store-rds/internal/profiles"
)

// impossible says which key can be none, or is over by what stands beside it: any text signs
// without complaint, and only a server refuses what comes of it. The error is a [*SettingsError] or
// a [*SessionKeysError].
func (p *Provider) impossible() error {
	kind, name := p.source.effective()
	if kind == ofEnvironmentKeys {
		for _, names := range [][]string{
			{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"}, {"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"}, {"AWS_SESSION_TOKEN"},
		} {
			for _, name := range names {
				if value := os.Getenv(name); value != "" {
					if what := noKey(value); what != "" {
						return &SettingsError{fmt.Sprintf("%s has %s in it, which no key has", name, what)}
					}
					break // the first counts
				}
			}
		}
		return nil
	}
	if p.set == nil || kind != ofProfile {
		return nil
	}
	chain, err := p.set.Chain(name)
	if err != nil {
		return nil // which is the SDK's to say
	}
	return p.impossibleIn(chain[len(chain)-1])
}

func (p *Provider) impossibleIn(last profiles.Profile) error {
	var keys bool
	for _, setting := range []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token"} {
		value, there := last.Settings[setting]
		keys = keys || there
		switch what := noKey(value); {
		case there && value == "" && setting != "aws_session_token":
			return &SettingsError{fmt.Sprintf("%s is empty%s", setting, in(last.KeysFile))}
		case what != "":
			return &SettingsError{fmt.Sprintf("%s has %s in it, which no key has%s", setting, what, in(last.KeysFile))}
		}
	}
	// saml2aws and others note it there.
	until, err := time.Parse(time.RFC3339, last.Get("x_security_token_expires"))
	if keys && last.Get("aws_session_token") != "" && err == nil && !until.After(time.Now()) {
		return p.sessionKeysError(last.Name)
	}
	return nil
}

func in(file string) string {
	if file == "" {
		return ""
	}
	return " (" + file + ")"
}

// noKey names what is in a text that is in no access key, secret or session token: they are
// letters, digits and some signs, without blanks or quotes.
func noKey(text string) string {
	for _, r := range text {
		switch {
		case r == ' ' || r == '\t':
			return "a blank"
		case r == '"' || r == '\'' || r == '`':
			return "a quote"
		case r == '\r' || r == '\n':
			return "the end of a line"
		case r < ' ' || r > '~':
			return "a character that isn't ASCII"
		}
	}
	return ""
}
