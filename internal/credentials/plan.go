package credentials

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/stamp"
)

// plan is everything that a source's credentials are made with. Whoever makes them sees nothing
// else of the AWS files and the environment, and the key under which they are kept is a sum of all
// of it: so no change can be missed.
type plan struct {
	Origin  origin
	Profile string // that the source or the environment names, or "default"; "" for another origin
	Base    profiles.Base
	Roles   []profiles.Role // the source's own, if there is one, is the last
	AWS     reach
	Machine *machine // where a container's or an instance's credentials are, if they are wanted
}

// origin is where the credentials begin.
type origin int

const (
	ofProfile origin = iota
	ofEnvironmentKeys
	ofEnvironmentWebIdentity
)

// newPlan works out a source's plan, as the AWS CLI does (botocore/credentials.py:
// create_credential_resolver). With an error it has what is known all the same. unread is the error
// of reading the AWS files, of which files then has nothing.
func newPlan(s Source, files *profiles.Set, unread error) (plan, error) {
	p := plan{Profile: s.Name()}
	chain, err := files.Chain(p.Profile)
	own, there := files.Profile(p.Profile)
	webIdentity := cmp.Or(os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), own.Get("web_identity_token_file"))
	switch {
	case unread == nil && !there && !s.Unnamed(): // an error, as in the CLI, whatever else there is
	case s.Profile == "" && set("AWS_ACCESS_KEY_ID"):
		p.Origin, p.Profile = ofEnvironmentKeys, ""
		chain = profiles.Chain{Base: environmentKeys()}
		if err = nil; chain.Base.Secret == "" {
			err = &SettingsError{Problem: "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY isn't",
				Do: []advice.Action{advice.Run("unset AWS_ACCESS_KEY_ID")}}
		}
	case s.Profile == "" && webIdentity != "" && len(chain.Roles) == 0:
		// Each of its settings stands in the environment or in the profile.
		if set("AWS_WEB_IDENTITY_TOKEN_FILE") {
			p.Origin, p.Profile = ofEnvironmentWebIdentity, ""
		}
		chain = profiles.Chain{Base: profiles.Base{
			Kind: profiles.WebIdentity, Profile: p.Profile, TokenFile: webIdentity,
			RoleARN:     cmp.Or(os.Getenv("AWS_ROLE_ARN"), own.Get("role_arn")),
			SessionName: cmp.Or(os.Getenv("AWS_ROLE_SESSION_NAME"), own.Get("role_session_name")),
		}}
		if err = nil; chain.Base.RoleARN == "" {
			err = &SettingsError{Profile: p.Profile,
				Problem: "there is a token of a web identity (AWS_WEB_IDENTITY_TOKEN_FILE, " +
					"web_identity_token_file), and no role for it (AWS_ROLE_ARN, role_arn)"}
		}
	case unread != nil:
		err = unread
	case !there:
		chain, err = profiles.Chain{Base: profiles.Base{Profile: p.Profile}}, nil
	}
	p.Base, p.Roles = chain.Base, slices.Clone(chain.Roles)
	if s.RoleARN != "" {
		p.Roles = append(p.Roles, profiles.Role{ARN: s.RoleARN, ExternalID: s.ExternalID,
			SessionName: s.RoleSessionName})
	}
	p.AWS = newReach(files, own, s.Region)
	if err == nil && p.wantsMachine() {
		p.Machine = newMachine(own)
	}
	if p.Base.Source == sourceEnvironment {
		keys := environmentKeys()
		p.Base.KeyID, p.Base.Secret, p.Base.Token = keys.KeyID, keys.Secret, keys.Token
		if keys.KeyID == "" || keys.Secret == "" {
			err = cmp.Or(err, error(&SettingsError{Profile: p.Base.Profile,
				Problem: "credential_source names the environment, which has no keys (AWS_ACCESS_KEY_ID)"}))
		}
	}
	if err == nil {
		err = cmp.Or(p.AWS.problem, p.impossible())
	}
	return p, err
}

const sourceEnvironment, sourceContainer = "Environment", "EcsContainer"

// environmentKeys returns the keys in the environment (botocore/credentials.py: EnvProvider).
func environmentKeys() profiles.Base {
	b := profiles.Base{
		Kind: profiles.Keys, KeyID: os.Getenv("AWS_ACCESS_KEY_ID"), Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		Token: first("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"),
	}
	if b.Token != "" {
		b.Kind, b.KeysEnd = profiles.SessionKeys, os.Getenv("AWS_CREDENTIAL_EXPIRATION")
	}
	return b
}

// machine is where a container's or an instance's credentials are.
type machine struct {
	FullURI, RelativeURI, Token, TokenFile string // of the container
	Off, V1Off                             bool   // the instance's metadata service isn't asked, or not in its old way
	Endpoint, EndpointMode                 string // of the metadata service
}

func newMachine(own profiles.Profile) *machine {
	env := func(name, setting string) string { return cmp.Or(os.Getenv(name), own.Get(setting)) }
	return &machine{
		FullURI: os.Getenv(fullURI), RelativeURI: os.Getenv(relativeURI),
		Token: os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"), TokenFile: os.Getenv(tokenFile),
		Off:          profiles.IsTrue(os.Getenv("AWS_EC2_METADATA_DISABLED")),
		V1Off:        profiles.IsTrue(env("AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled")),
		Endpoint:     env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint"),
		EndpointMode: env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode"),
	}
}

const (
	fullURI     = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	relativeURI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
	tokenFile   = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
)

// container is the variable that says that there is a container endpoint, or "".
func (m *machine) container() string {
	switch {
	case m == nil:
		return ""
	case m.RelativeURI != "":
		return relativeURI
	case m.FullURI != "":
		return fullURI
	}
	return ""
}

func (p plan) wantsMachine() bool {
	return p.Origin == ofProfile && (p.Base.Kind == profiles.None ||
		p.Base.Kind == profiles.CredentialSource && p.Base.Source != sourceEnvironment)
}

// key stands for the plan, and for what it leads to: the token of a web identity, the files of
// sign-ins, what a credential_process is likely to read. A profile that was edited, or
// another account in the environment, never gets the credentials from before.
func (p plan) key() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic("credentials: a plan that is no JSON: " + err.Error()) // it is made of text and numbers
	}
	sum := stamp.NewSum()
	sum.Add("credentials 3", string(text))
	if p.Base.TokenFile != "" {
		// Whose token it is matters; that it can't be read is said when it is needed.
		token, _ := profiles.Read(p.Base.TokenFile)
		sum.Add(token)
	}
	if p.Base.Kind == profiles.Process { // what it reads isn't known; the AWS files and variables are likely
		dir, _ := os.Getwd() // without one it can't be relative
		sum.Add(stamp.Identity(), dir, disk.Home(), fmt.Sprint(stamp.Files(program(p.Base.Command))))
	}
	sum.Add(p.ssoFile(), p.loginFile()) // of this home
	return sum.String()
}

// expires reports whether the plan gives credentials that AWS makes for a time, and that cost a
// call. Long-term keys don't, and those of a machine or container are a call away on the same
// machine.
func (p plan) expires() bool {
	switch p.Base.Kind {
	case profiles.SSO, profiles.LegacySSO, profiles.WebIdentity, profiles.ConsoleLogin, profiles.Process:
		return true
	}
	return len(p.Roles) > 0
}

// sessionKeys reports whether these are temporary keys that somebody wrote into a profile or
// exported, of which nobody knows how long they are good.
func (p plan) sessionKeys() bool { return p.Base.Kind == profiles.SessionKeys && len(p.Roles) == 0 }

// role is the role that the credentials are of, or "".
func (p plan) role() string {
	if n := len(p.Roles); n > 0 {
		return p.Roles[n-1].ARN
	}
	return cmp.Or(p.Base.RoleARN, p.Base.SSORole)
}

// ssoFile returns the file with the token of the SSO session that the plan begins with, or "".
func (p plan) ssoFile() string {
	if p.Base.Kind == profiles.SSO || p.Base.Kind == profiles.LegacySSO {
		return sso.File(p.Base.Session)
	}
	return ""
}

// loginFile returns the file with the token of the console login that the plan begins with, or "".
func (p plan) loginFile() string {
	if p.Base.Kind != profiles.ConsoleLogin {
		return ""
	}
	file, _ := logincreds.StandardCachedTokenFilepath(p.Base.Login, p.AWS.LoginDir) // without a home there is none
	return file
}

// signIns returns the files of the sign-ins that the credentials come from: when one of them is
// removed or replaced, somebody has logged out, or in as somebody else.
func (p plan) signIns() []string {
	files := []string{p.ssoFile(), p.Base.TokenFile, p.loginFile()}
	if p.Machine != nil {
		files = append(files, p.Machine.TokenFile)
	}
	return slices.DeleteFunc(files, func(file string) bool { return file == "" })
}

// keysEnd is when the keys of the plan end, as far as who wrote them says; zero when that isn't
// known.
func (p plan) keysEnd() time.Time {
	if p.Base.Kind != profiles.SessionKeys {
		return time.Time{}
	}
	end, _ := profiles.ParseTime(p.Base.KeysEnd)
	return end
}

// impossible says which key can be none, or is over by what stands beside it: any text signs
// without complaint, and only a server refuses what comes of it. The error is a [*SettingsError] or
// a [*SessionKeysError].
func (p plan) impossible() error {
	b := p.Base
	if b.Kind != profiles.Keys && b.Kind != profiles.SessionKeys {
		return nil
	}
	names := [3]string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
	where := " (" + b.KeysFile + ")"
	if p.Origin == ofEnvironmentKeys {
		names, where = [3]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}, ""
	}
	for i, value := range []string{b.KeyID, b.Secret, b.Token} {
		switch what := noKey(value); {
		case value == "" && i < 2:
			return &SettingsError{Profile: b.Profile, Problem: names[i] + " is empty" + where,
				Do: profiles.Configure(b.Profile)}
		case what != "":
			return &SettingsError{Profile: b.Profile, Do: profiles.Configure(b.Profile),
				Problem: fmt.Sprintf("%s has %s in it, which no key has%s", names[i], what, where)}
		}
	}
	// What is exported may be left of other keys.
	if end := p.keysEnd(); p.Origin == ofProfile && !end.IsZero() && !end.After(time.Now()) {
		return newSessionKeysError(b)
	}
	return nil
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
