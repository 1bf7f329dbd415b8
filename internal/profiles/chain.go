package profiles

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/advice"
)

// CredentialKind is how credentials are got.
type CredentialKind int

// The kinds, in the AWS CLI's order (botocore/credentials.py: ProfileProviderBuilder). Keys of the
// credentials file come before ConsoleLogin and Process, those of the config file after them.
const (
	None             CredentialKind = iota // the profile doesn't say: the container's or the machine's role, if any
	Keys                                   // long-term keys
	SessionKeys                            // temporary keys that somebody wrote there
	CredentialSource                       // credential_source: the environment, a container, the machine
	WebIdentity
	SSO       // by an sso-session
	LegacySSO // by settings of its own
	ConsoleLogin
	Process // credential_process
)

// Chain is how a profile's credentials are got: those of Base, and then the roles, in this order,
// each with what was got before it.
type Chain struct {
	Base  Base
	Roles []Role
}

// Base is the credentials with which a chain begins. Which fields count depends on the kind.
type Base struct {
	Kind    CredentialKind
	Profile string // that says so

	// Keys, SessionKeys
	KeyID, Secret, Token string
	KeysFile             string // where they stand
	KeysEnd              string // when they end, as far as the tool that wrote them says

	// SSO, LegacySSO
	Session            SSOSession
	AccountID, SSORole string

	// WebIdentity
	TokenFile, RoleARN, SessionName string

	Source  string // CredentialSource: Environment, EcsContainer or Ec2InstanceMetadata
	Login   string // ConsoleLogin: login_session
	Command string // Process
}

// Role is a role to assume.
type Role struct {
	Profile                      string // that names it
	ARN, ExternalID, SessionName string
	MFASerial                    string        // "": no code is needed
	Duration                     time.Duration // 0: not said
}

// SettingsError is a profile whose settings can't be used.
type SettingsError struct {
	Profile string // "": they are in the environment
	Problem string // "it lacks sso_region"
	Do      []advice.Action
}

func (e *SettingsError) Error() string { return e.Problem }

// Advice implements [advice.Adviser].
func (e *SettingsError) Advice() advice.Problem {
	whose := "the AWS environment variables"
	if e.Profile != "" {
		whose = fmt.Sprintf("the AWS configuration of profile %q", e.Profile)
	}
	return advice.Problemf("%s can't be used: %s", whose, e.Problem).With(e.Do...)
}

// Chain says how a profile's credentials are got, as far as the files tell (botocore/credentials.py:
// AssumeRoleProvider and ProfileProviderBuilder). With an error, a [*MissingError] or a
// [*SettingsError], it has the roles up to there.
func (s *Set) Chain(name string) (Chain, error) {
	var (
		chain   Chain
		visited = []string{name}
	)
	p, ok := s.Profile(name)
	if !ok {
		return chain, s.missing(name, "")
	}
	for p.assumes() {
		role, err := p.role()
		if chain.Roles = slices.Insert(chain.Roles, 0, role); err != nil {
			return chain, err
		}
		source := p.Get("source_profile")
		switch from := p.Has("credential_source"); {
		case from && p.Has("source_profile"):
			return chain, p.problem("it has both source_profile and credential_source")
		case from:
			chain.Base = Base{Kind: CredentialSource, Profile: p.Name, Source: p.Get("credential_source")}
			return chain, chain.Base.checkSource()
		case !p.Has("source_profile"):
			return chain, p.problem("it has role_arn, and no source_profile or credential_source: with whose " +
				"credentials is the role assumed?")
		}
		from, ok := s.Profile(source)
		if !ok {
			return chain, s.missing(source, p.Name)
		}
		again := slices.Contains(visited, source)
		if visited = append(visited, source); again && (source != p.Name || !from.Has(keyID, keySecret)) {
			if source == p.Name {
				return chain, p.problem("it is its own source_profile, and has no access keys")
			}
			return chain, p.problem("its source_profile goes in a circle: " + strings.Join(visited, ", "))
		}
		// Keys, half a key even, end the chain, whatever role the source has itself.
		if p = from; p.Has(keyID, keySecret) {
			break
		}
	}
	base, err := s.base(p)
	if chain.Base = base; err == nil && base.Kind == None && len(visited) > 1 {
		const text = "the AWS profile %q, with whose credentials role %s is assumed, has none"
		err = &SettingsError{visited[len(visited)-2], fmt.Sprintf(text, p.Name, chain.Roles[0].ARN), p.ssoHint()}
	}
	return chain, err
}

// assumes reports whether the profile is one that assumes a role by another's credentials.
func (p Profile) assumes() bool { return p.Has("role_arn") && !p.Has("web_identity_token_file") }

func (p Profile) role() (Role, error) {
	role := Role{
		Profile: p.Name, ARN: p.Get("role_arn"), ExternalID: p.Get("external_id"),
		SessionName: p.Get("role_session_name"), MFASerial: p.Get("mfa_serial"),
	}
	// What is no number is passed over.
	seconds, err := strconv.Atoi(strings.ReplaceAll(strings.TrimSpace(p.Get("duration_seconds")), "_", ""))
	switch {
	case role.ARN == "":
		return role, p.problem("its role_arn is empty")
	case p.Has("mfa_serial") && role.MFASerial == "":
		return role, p.problem("its mfa_serial is empty")
	case err == nil && seconds < 900:
		return role, p.problem(fmt.Sprintf("its duration_seconds is %d, and AWS allows 900 at least", seconds))
	case err == nil:
		role.Duration = time.Duration(seconds) * time.Second
	}
	return role, nil
}

func (p Profile) problem(text string, do ...advice.Action) *SettingsError {
	return &SettingsError{p.Name, text, do}
}

// Configure is what to do about a profile's access keys; nothing without a profile.
func Configure(profile string) []advice.Action {
	if profile == "" {
		return nil
	}
	return []advice.Action{advice.Run("aws configure --profile " + advice.Word(profile))}
}

func (p Profile) ssoHint() []advice.Action {
	return []advice.Action{advice.AWS2("configure", "sso", "--profile", p.Name)}
}

func (b Base) checkSource() error {
	sources := []string{"Environment", "EcsContainer", "Ec2InstanceMetadata"}
	if slices.Contains(sources, b.Source) {
		return nil
	}
	near := advice.Nearest(b.Source, sources)
	for _, source := range sources {
		if strings.EqualFold(source, b.Source) {
			near = source
		}
	}
	return &SettingsError{Profile: b.Profile, Problem: fmt.Sprintf("credential_source = %s isn't one of %s%s", b.Source,
		strings.Join(sources, ", "), advice.DidYouMean(near))}
}

// base says how a profile gets credentials by itself.
func (s *Set) base(p Profile) (Base, error) {
	b := Base{Profile: p.Name}
	switch {
	case p.Get("web_identity_token_file") != "":
		b.Kind, b.TokenFile = WebIdentity, p.Get("web_identity_token_file")
		b.RoleARN, b.SessionName = p.Get("role_arn"), p.Get("role_session_name")
		if b.RoleARN == "" {
			return b, p.problem("it has web_identity_token_file, and no role_arn")
		}
		return b, nil
	case p.Has("sso_role_name", "sso_account_id"):
		return s.ssoBase(p)
	case has(p.credentials, keyID):
		return b.keys(p, p.credentials, s.files.Credentials)
	case p.Has("login_session"):
		b.Kind, b.Login = ConsoleLogin, p.Get("login_session")
		return b, nil
	case p.Has("credential_process"):
		b.Kind, b.Command = Process, p.Get("credential_process")
		return b, nil
	case has(p.config, keyID):
		return b.keys(p, p.config, s.files.Config)
	case p.Has(keySecret):
		return b, p.problem("it has aws_secret_access_key without aws_access_key_id", Configure(p.Name)...)
	case p.Has("sso_session", "sso_start_url"):
		b, err := s.ssoBase(p)
		if err == nil { // they stand in the sso-session alone, where nobody looks for them
			err = p.problem("it lacks sso_account_id, sso_role_name", p.ssoHint()...)
		}
		return b, err
	case p.Has("source_profile") && !p.Has("role_arn"):
		return b, p.problem("it has source_profile, and no role_arn: " +
			"a source gives credentials only to assume a role with")
	}
	return b, nil
}

func has(settings map[string]string, name string) bool {
	_, ok := settings[name]
	return ok
}

// keys returns the base of keys that stand in one file.
func (b Base) keys(p Profile, settings map[string]string, file string) (Base, error) {
	b.KeyID, b.Secret, b.KeysFile = settings[keyID], settings[keySecret], file
	b.Token = cmp.Or(settings[oldToken], settings[keyToken])
	b.KeysEnd = settings["x_security_token_expires"] // saml2aws and others note it there
	if b.Kind = Keys; b.Token != "" {
		b.Kind = SessionKeys
	}
	if !has(settings, keySecret) {
		return b, p.problem("it has aws_access_key_id without aws_secret_access_key", Configure(p.Name)...)
	}
	return b, nil
}

// ssoBase returns the base of a profile that names an account or a role of IAM Identity Center.
func (s *Set) ssoBase(p Profile) (Base, error) {
	b := Base{Kind: LegacySSO, Profile: p.Name}
	settings := p.Settings
	if p.Has("sso_session") {
		b.Kind = SSO
		name := p.Get("sso_session")
		session, ok := s.sessions[name]
		session = under(s.configDefaults, session)
		if !ok {
			return b, s.noSession(p, name)
		}
		settings = maps.Clone(settings)
		for setting, value := range session {
			if own, both := p.Settings[setting]; both && own != value {
				const text = "%s is %s in the profile, and %s in its sso-session %s"
				return b, p.problem(fmt.Sprintf(text, setting, own, value, name))
			}
			settings[setting] = value
		}
		b.Session = newSession(name, session)
	} else {
		b.Session = SSOSession{StartURL: p.Get("sso_start_url"), Region: p.Get("sso_region")}
	}
	b.AccountID, b.SSORole = settings["sso_account_id"], settings["sso_role_name"]
	var lacks []string
	for _, setting := range []string{"sso_account_id", "sso_role_name", "sso_region", "sso_start_url"} {
		if settings[setting] == "" {
			lacks = append(lacks, setting)
		}
	}
	if len(lacks) > 0 {
		return b, p.problem("it lacks "+strings.Join(lacks, ", "), p.ssoHint()...)
	}
	if b.Kind == SSO && (b.Session.Region == "" || b.Session.StartURL == "") {
		return b, p.problem(fmt.Sprintf("its sso-session %s lacks sso_region or sso_start_url", b.Session.Name),
			p.ssoHint()...)
	}
	return b, nil
}

// noSession is the error of a profile whose sso-session isn't there.
func (s *Set) noSession(p Profile, name string) error {
	near := advice.Nearest(name, s.Sessions())
	e := p.problem(fmt.Sprintf("its sso_session %q isn't there%s", name, advice.DidYouMean(near)))
	if e.Do = p.ssoHint(); near != "" {
		set := advice.Words("aws", "configure", "set", "sso_session", near, "--profile", p.Name)
		e.Do = []advice.Action{advice.Run(set)}
	}
	return e
}

// Unused says which credentials of a profile lie there unused, as others come first, or gives "".
func (s *Set) Unused(name string) string {
	p, ok := s.Profile(name)
	chain, err := s.Chain(name)
	if !ok || err != nil || !p.Has(keyID) || chain.Base.Profile == name && chain.Base.KeyID != "" {
		return ""
	}
	file := s.files.Config
	if has(p.credentials, keyID) {
		file = s.files.Credentials
	}
	first := map[CredentialKind]string{WebIdentity: "web_identity_token_file", SSO: "SSO", LegacySSO: "SSO",
		ConsoleLogin: "login_session", Process: "credential_process"}[chain.Base.Kind]
	if len(chain.Roles) > 0 {
		first = "role_arn"
	}
	return fmt.Sprintf("its access keys in %s aren't used: %s comes first, as in the AWS CLI", file, first)
}

// Kind says how the chain of a profile begins; [None] also for one that isn't there, or can't be
// used.
func (s *Set) Kind(name string) CredentialKind {
	if chain, err := s.Chain(name); err == nil {
		return chain.Base.Kind
	}
	return None
}

// Base returns the profile whose own credentials a profile assumes its role with, or "" when it
// assumes none, or with credentials of its own.
func (s *Set) Base(name string) string {
	if chain, err := s.Chain(name); err == nil && chain.Base.Profile != name {
		return chain.Base.Profile
	}
	return ""
}

// AsksForCode reports whether a profile's credentials may want an MFA code from a person.
func (s *Set) AsksForCode(name string) bool {
	chain, _ := s.Chain(name) // what is there of it
	return slices.ContainsFunc(chain.Roles, func(r Role) bool { return r.MFASerial != "" })
}

// SSOSession is a session of IAM Identity Center (AWS SDKs and Tools reference guide, "IAM Identity
// Center credential provider").
type SSOSession struct {
	Name     string // of the sso-session section; "" for a profile that has the settings itself
	StartURL string
	Region   string
	Scopes   []string // that the session asks for; none means the default
}

// Title is what a person calls the session.
func (s SSOSession) Title() string { return cmp.Or(s.Name, s.StartURL) }

// LoginName returns what to give to login for a session that a profile has: its name, unless that
// is a profile's, too, or it has none.
func (s *Set) LoginName(session SSOSession, profile string) string {
	if _, taken := s.Profile(session.Name); taken || session.Name == "" {
		return profile
	}
	return session.Name
}

// SSO returns the session that a profile's credentials come from; false when they come from none.
func (s *Set) SSO(name string) (session SSOSession, ok bool) {
	chain, _ := s.Chain(name) // a profile that lacks a role has a session all the same
	session = chain.Base.Session
	return session, session.Title() != ""
}

// Session returns an sso-session section by its name.
func (s *Set) Session(name string) (session SSOSession, ok bool) {
	settings, ok := s.sessions[name]
	settings = under(s.configDefaults, settings)
	return newSession(name, settings), ok
}

// Sessions returns the names of all sso-session sections, in alphabetical order.
func (s *Set) Sessions() []string { return slices.Sorted(maps.Keys(s.sessions)) }

func newSession(name string, settings map[string]string) SSOSession {
	session := SSOSession{Name: name, StartURL: settings["sso_start_url"], Region: settings["sso_region"]}
	for scope := range strings.SplitSeq(settings["sso_registration_scopes"], ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			session.Scopes = append(session.Scopes, scope)
		}
	}
	return session
}

// Endpoint returns the address that the environment or a profile gives for an AWS service, or ""
// (AWS SDKs and Tools reference guide, "Service-specific endpoints"). The service is named as in
// AWS_ENDPOINT_URL_…: SSO_OIDC. The error is a services section that isn't there.
func (s *Set) Endpoint(profile, service string) (string, error) {
	p, _ := s.Profile(profile)
	if IsTrue(cmp.Or(os.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), p.Get("ignore_configured_endpoint_urls"))) {
		return "", nil
	}
	if url := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_"+service), os.Getenv("AWS_ENDPOINT_URL")); url != "" {
		return url, nil
	}
	if !p.Has("services") {
		return p.Get("endpoint_url"), nil
	}
	name := p.Get("services")
	settings := under(s.configDefaults, s.services[name])
	if len(settings) == 0 {
		near := advice.Nearest(name, slices.Sorted(maps.Keys(s.services)))
		text := fmt.Sprintf("its services section %q isn't there, or is empty%s", name, advice.DidYouMean(near))
		return "", p.problem(text, advice.Say("write [services %s] into %s, or take services out of the profile",
			quoted(name), s.files.Config))
	}
	return cmp.Or(settings[strings.ToLower(service)+".endpoint_url"], p.Get("endpoint_url")), nil
}

// IsTrue reports whether a setting, or its variable, is a yes (botocore/utils.py: ensure_boolean).
func IsTrue(text string) bool { return strings.EqualFold(text, "true") }
