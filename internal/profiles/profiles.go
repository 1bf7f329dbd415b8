// Package profiles reads the profiles of the AWS configuration, all of them at once: the AWS SDK
// gives one at a time, and each time reads everything.
package profiles

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/disk"
)

// Files are the files of the AWS configuration.
type Files struct{ Config, Credentials string }

// Default returns the files that the SDK reads: those of the environment, else those in ~/.aws.
func Default() Files {
	dir := filepath.Join(disk.Home(), ".aws")
	f := Files{os.Getenv("AWS_CONFIG_FILE"), os.Getenv("AWS_SHARED_CREDENTIALS_FILE")}
	if f.Config == "" {
		f.Config = filepath.Join(dir, "config")
	}
	if f.Credentials == "" {
		f.Credentials = filepath.Join(dir, "credentials")
	}
	return f
}

// Set is all profiles of an AWS configuration. It doesn't change.
type Set struct {
	names    []string
	profiles map[string]Profile
	sessions map[string]map[string]string // of sso-session sections
	services map[string]map[string]string
}

// Profile is one profile, as both files together have it.
type Profile struct {
	Name     string
	Settings map[string]string // by their names in lower case; nested ones as "s3.addressing_style"
	Session  map[string]string // the settings of the sso-session that it names; nil when it names none, or one that isn't there
	KeysFile string            // the file its access key stands in, or ""
}

// Get returns a setting, or "".
func (p Profile) Get(name string) string { return p.Settings[name] }

const (
	keyID, keySecret, keyToken = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"
)

// Load reads the files (AWS SDKs and Tools Reference Guide, "Shared config and credentials files").
// A missing file is an empty one; the error is a [*FileError].
func Load(f Files) (*Set, error) {
	s := &Set{profiles: map[string]Profile{}, services: map[string]map[string]string{}}
	text, err := Read(f.Config)
	if err != nil {
		return nil, err
	}
	sessions := map[string]map[string]string{}
	s.sessions = sessions
	sections := parse(text)
	prefixed := map[string]bool{}
	for _, sec := range sections {
		kind, name, two := strings.Cut(sec.name, " ")
		switch {
		case two && kind == "profile":
			prefixed[name] = true
		case two && kind == "sso-session":
			merge(sessions, name, sec.settings)
		case two && kind == "services":
			merge(s.services, name, sec.settings)
		}
	}
	for _, sec := range sections {
		name, two := strings.CutPrefix(sec.name, "profile ")
		// [default] needs no prefix, and gives way to the one that has it.
		if two || strings.EqualFold(name, "default") && !prefixed[name] {
			s.add(name, sec.settings, f.Config)
		}
	}
	if text, err = Read(f.Credentials); err != nil {
		return nil, err
	}
	for _, sec := range parse(text) {
		switch kind, name, two := strings.Cut(sec.name, " "); {
		case two && kind == "profile": // the SDK knows none here
		case two && kind == "sso-session":
			merge(sessions, name, sec.settings)
		case two && kind == "services":
			merge(s.services, name, sec.settings)
		default:
			s.add(sec.name, sec.settings, f.Credentials)
		}
	}
	for name, p := range s.profiles {
		if session := p.Get("sso_session"); session != "" {
			p.Session = sessions[session]
			s.profiles[name] = p
		}
	}
	return s, nil
}

// merge puts a section's settings over those from before.
func merge(sections map[string]map[string]string, name string, settings map[string]string) {
	if sections[name] == nil {
		sections[name] = map[string]string{}
	}
	maps.Copy(sections[name], settings)
}

// FileError is a file of the AWS configuration that can't be read. The SDK takes such a one for
// empty.
type FileError struct {
	File string
	Err  error // with the file's name in it
}

func (e *FileError) Error() string { return "read the AWS configuration: " + e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// Advice implements [advice.Adviser].
func (e *FileError) Advice() advice.Problem {
	return advice.Problemf("%s", e.Error()).With(advice.Run("ls -l " + advice.Word(e.File)))
}

// pipeError is a pipe in a file's place: whoever reads it may wait for ever, and it gives its
// content once.
type pipeError struct{ file string }

func (e *pipeError) Error() string { return e.file + ": a pipe, and not a file" }

// Is makes it a [disk.ErrNotFile].
func (e *pipeError) Is(target error) bool { return target == disk.ErrNotFile }

// maxBytes is room for 40,000 profiles.
const maxBytes = 16 << 20

// Read returns the text of a file that the AWS configuration is in, or names; of one that isn't
// there it is empty. The error is a [*FileError].
func Read(file string) (string, error) {
	if info, err := os.Stat(file); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return "", &FileError{file, &pipeError{file}}
	}
	text, err := disk.ReadForeign(file, maxBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", &FileError{file, err}
	}
	return string(text), nil
}

// add puts a file's settings over those from before. A key and its secret come from one file.
func (s *Set) add(name string, settings map[string]string, file string) {
	p, ok := s.profiles[name]
	if !ok {
		s.names = append(s.names, name)
		p = Profile{Name: name, Settings: map[string]string{}}
	}
	_, id := settings[keyID]
	_, secret := settings[keySecret]
	whole := id && secret
	if whole {
		p.KeysFile = file
	}
	for k, v := range settings {
		if ok && !whole && (k == keyID || k == keySecret || k == keyToken) {
			continue
		}
		p.Settings[k] = v
	}
	s.profiles[name] = p
}

// Names returns the profiles in the order of the files, the config file first.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Profile returns a profile by its name.
func (s *Set) Profile(name string) (Profile, bool) {
	p, ok := s.profiles[name]
	return p, ok
}

// Match returns the profiles that the patterns (*, ?, […]) and names mean, each once and in the
// order of the files, and those patterns that mean none.
func (s *Set) Match(patterns []string) (names, unmatched []string) {
	chosen := map[string]bool{}
	for _, pattern := range patterns {
		if _, ok := s.profiles[pattern]; ok {
			chosen[pattern] = true
			continue
		}
		matched := Match(pattern, s.names)
		for _, name := range matched {
			chosen[name] = true
		}
		if len(matched) == 0 {
			unmatched = append(unmatched, pattern)
		}
	}
	for _, name := range s.names {
		if chosen[name] {
			names = append(names, name)
		}
	}
	return names, unmatched
}

// Match returns the names that a pattern (*, ?, […]) or name means.
func Match(pattern string, names []string) []string {
	var matched []string
	for _, name := range names {
		// A "/" is a letter like any other in a profile's name, not in path.Match.
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
		if name == pattern || ok && err == nil {
			matched = append(matched, name)
		}
	}
	return matched
}

// Nearest returns the profile that a name may have been meant to be, or "": one that differs in two
// letters at most, or else only in case, or the only one that the name begins or ends.
func (s *Set) Nearest(name string) string {
	for _, n := range s.names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	if near := advice.Nearest(name, s.names); near != "" {
		return near
	}
	var parts []string
	for _, n := range s.names {
		if len(name) >= 3 && (strings.HasPrefix(strings.ToLower(n), strings.ToLower(name)) ||
			strings.HasSuffix(strings.ToLower(n), strings.ToLower(name))) {
			parts = append(parts, n)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return ""
}

// MissingError is a profile that isn't there.
type MissingError struct {
	Profile string
	UsedBy  string // the profile whose source_profile it is, or ""
	Nearest string // the one that may have been meant, or ""
}

func (e *MissingError) Error() string {
	if e.UsedBy != "" {
		return fmt.Sprintf("the AWS configuration has no profile %q, which is the source_profile of %q", e.Profile,
			e.UsedBy)
	}
	return fmt.Sprintf("the AWS configuration has no profile %q", e.Profile)
}

// Advice implements [advice.Adviser].
func (e *MissingError) Advice() advice.Problem {
	p := advice.Problemf("%s%s", e.Error(), advice.DidYouMean(e.Nearest))
	if correct, ok := e.Correct(); ok {
		return p.With(correct)
	}
	return p.With(advice.Run("aws configure list-profiles"))
}

// Correct returns the command that names the nearest profile where this one was named: in the
// profile that borrows its credentials, or in the environment.
func (e *MissingError) Correct() (a advice.Action, ok bool) {
	if e.Nearest == "" {
		return a, false
	}
	if e.UsedBy != "" {
		return advice.Run(advice.Words("aws", "configure", "set", "source_profile", e.Nearest, "--profile",
			e.UsedBy)), true
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		if os.Getenv(name) == e.Profile {
			return advice.Run("export " + name + "=" + advice.Word(e.Nearest)), true
		}
	}
	return a, false
}

// Chain returns a profile, its source_profile, and so on to the one whose own credentials the first
// role is assumed with. A profile that is met again, itself as a rule, is the last, and gives its
// own credentials. The error is a [*MissingError].
func (s *Set) Chain(name string) ([]Profile, error) {
	var chain []Profile
	usedBy := ""
	for {
		p, ok := s.profiles[name]
		if !ok {
			return chain, &MissingError{name, usedBy, s.Nearest(name)}
		}
		again := slices.ContainsFunc(chain, func(q Profile) bool { return q.Name == name })
		chain = append(chain, p)
		source := p.Get("source_profile")
		// The SDK stops at a source that has keys, whatever else it says.
		if source == "" || again || len(chain) > 1 && hasKeys(p) {
			return chain, nil
		}
		usedBy, name = name, source
	}
}

// Base returns the profile whose own credentials a profile assumes its role with, or "" when it
// assumes none, or with credentials of its own.
func (s *Set) Base(name string) string {
	if last, ok := s.last(name); ok && last.Name != name {
		return last.Name
	}
	return ""
}

// AsksForCode reports whether a profile's credentials may want an MFA code from a person.
func (s *Set) AsksForCode(name string) bool {
	chain, _ := s.Chain(name) // what is there of it
	return slices.ContainsFunc(chain, func(p Profile) bool { return p.Get("mfa_serial") != "" })
}

func hasKeys(p Profile) bool { return p.Get(keyID) != "" && p.Get(keySecret) != "" }

// CredentialKind is how credentials are got.
type CredentialKind int

// The kinds, in the SDK's order (config/resolve_credentials.go: resolveCredsFromProfile).
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

// Kind says how the last profile of a chain gets its credentials; [None] also for a profile that
// isn't there.
func (s *Set) Kind(name string) CredentialKind {
	p, ok := s.last(name)
	if !ok {
		return None
	}
	has := func(setting string) bool { return p.Get(setting) != "" }
	switch {
	case hasKeys(p) && has(keyToken):
		return SessionKeys
	case hasKeys(p):
		return Keys
	case has("credential_source"):
		return CredentialSource
	case has("web_identity_token_file"):
		return WebIdentity
	case has("sso_session"):
		return SSO
	case has("sso_start_url"):
		return LegacySSO
	case has("login_session"):
		return ConsoleLogin
	case has("credential_process"):
		return Process
	}
	return None
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
func (s SSOSession) Title() string {
	if s.Name == "" {
		return s.StartURL
	}
	return s.Name
}

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
	kind := s.Kind(name)
	if kind != SSO && kind != LegacySSO {
		return SSOSession{}, false
	}
	last, _ := s.last(name) // which has a kind
	if kind == LegacySSO {
		return SSOSession{StartURL: last.Get("sso_start_url"), Region: last.Get("sso_region")}, true
	}
	return newSession(last.Get("sso_session"), last.Session), true
}

// Session returns an sso-session section by its name.
func (s *Set) Session(name string) (session SSOSession, ok bool) {
	settings, ok := s.sessions[name]
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

// Setting returns a setting of the last profile of a chain, whose own credentials are used; "" when
// there is none.
func (s *Set) Setting(name, setting string) string {
	last, _ := s.last(name)
	return last.Get(setting)
}

// last returns the last profile of a chain.
func (s *Set) last(name string) (Profile, bool) {
	chain, err := s.Chain(name)
	if err != nil {
		return Profile{}, false
	}
	return chain[len(chain)-1], true
}

// Definition returns everything in the files that defines a profile's credentials, in a fixed
// order: its settings, those of its sources, their sso-sessions and services. Neither order nor
// comments change it.
func (s *Set) Definition(name string) []string {
	var all []string
	settings := func(m map[string]string) {
		all = append(all, strconv.Itoa(len(m)))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			all = append(all, k, m[k])
		}
	}
	chain, err := s.Chain(name)
	if err != nil {
		all = append(all, err.Error())
	}
	for _, p := range chain {
		settings(p.Settings)
		settings(p.Session)
		settings(s.services[p.Get("services")])
	}
	return all
}
