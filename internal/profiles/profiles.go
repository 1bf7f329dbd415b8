// Package profiles reads the profiles of the AWS configuration, all of them at once, as the AWS CLI
// reads them, and says how the credentials of each are got.
package profiles

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/disk"
)

// Files are the files of the AWS configuration.
type Files struct{ Config, Credentials string }

const envConfig, envCredentials = "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"

// Default returns the files that the AWS CLI reads: those of the environment, in which it replaces
// variables and "~", else those in ~/.aws.
func Default() Files {
	dir := filepath.Join(disk.Home(), ".aws")
	return Files{
		Config:      cmp.Or(expand(os.Getenv(envConfig)), filepath.Join(dir, "config")),
		Credentials: cmp.Or(expand(os.Getenv(envCredentials)), filepath.Join(dir, "credentials")),
	}
}

// expand replaces variables ($NAME, ${NAME}, on Windows %NAME%) and "~" in a path, as Python's
// expandvars and expanduser do. A variable that isn't set stays as it is.
func expand(path string) string {
	var b strings.Builder
	for rest := path; rest != ""; {
		size, name := variableAt(rest)
		if value, ok := os.LookupEnv(name); size > 1 && ok {
			b.WriteString(value)
		} else {
			b.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	return ExpandHome(b.String())
}

// variableAt returns how long the variable at the beginning of a text is, and its name; 1 when there
// is none.
func variableAt(text string) (size int, name string) {
	switch {
	case strings.HasPrefix(text, "${"):
		if end := strings.IndexByte(text, '}'); end > 0 {
			return end + 1, text[2:end]
		}
	case text[0] == '$':
		size = 1
		for size < len(text) && (text[size] == '_' || isAlnum(text[size])) {
			size++
		}
		return size, text[1:size]
	case text[0] == '%' && runtime.GOOS == "windows":
		if end := strings.IndexByte(text[1:], '%'); end > 0 {
			return end + 2, text[1 : end+1]
		}
	}
	return 1, ""
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// ExpandHome replaces a "~" at the beginning of a path.
func ExpandHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		return disk.Home() + rest
	}
	return path
}

// named says which variable names the files that aren't there: " (AWS_CONFIG_FILE names X, which
// isn't there)", or "".
func (f Files) named() string {
	for _, one := range []struct{ variable, path string }{{envConfig, f.Config}, {envCredentials, f.Credentials}} {
		if _, err := os.Stat(one.path); err != nil && os.Getenv(one.variable) != "" && f == Default() {
			return fmt.Sprintf(" (%s names %s, which isn't there)", one.variable, one.path)
		}
	}
	return ""
}

// Set is all profiles of an AWS configuration. It doesn't change.
type Set struct {
	files    Files
	absent   string // what to say of a file that the environment names and that isn't there
	names    []string
	profiles map[string]Profile
	sessions map[string]map[string]string // of sso-session sections
	services map[string]map[string]string
	// Of the [DEFAULT] sections, which hold for every section of their file.
	configDefaults, credentialsDefaults map[string]string

	nearest sync.Map             // names that may have been meant, by those that were written
	odd     map[string]misplaced // what is there in place of a profile, by the name that it seems to have
}

// misplaced is a section that was meant to be a profile: one of the other file, or without quotes.
type misplaced struct{ file, heading, instead string }

// Profile is one profile, as both files together have it.
type Profile struct {
	Name     string
	Settings map[string]string // by their names in lower case; nested ones as "s3.addressing_style"

	config, credentials map[string]string // what each file says
}

// Get returns a setting, or "".
func (p Profile) Get(name string) string { return p.Settings[name] }

// Has reports whether there is a setting, be it empty.
func (p Profile) Has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, ok := p.Settings[name]
		return ok
	})
}

const (
	keyID, keySecret, keyToken = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"
	// oldToken is what keyToken was called; the CLI takes it first.
	oldToken = "aws_security_token"
)

// Load reads the files (botocore/configloader.py, and session.py: full_config). What credentials
// says of a profile stands over what config says, setting by setting. A missing file is an empty
// one; the error is a [*FileError].
func Load(f Files) (*Set, error) {
	config, err := Read(f.Config)
	if err != nil {
		return nil, err
	}
	credentials, err := Read(f.Credentials)
	if err != nil {
		return nil, err
	}
	s := newSet(f, config, credentials)
	s.absent = f.named()
	return s, nil
}

// newSet understands the texts of both files.
func newSet(f Files, config, credentials string) *Set {
	s := &Set{
		files: f, profiles: map[string]Profile{}, sessions: map[string]map[string]string{},
		services: map[string]map[string]string{}, odd: map[string]misplaced{},
	}
	sections, defaults := parse(config)
	s.configDefaults = defaults
	for _, sec := range sections {
		s.addConfig(sec)
	}
	sections, s.credentialsDefaults = parse(credentials)
	for _, sec := range sections {
		if name, ok := strings.CutPrefix(sec.name, "profile "); ok {
			s.odd[strings.TrimSpace(name)] = misplaced{f.Credentials, sec.name, name}
		}
		p, ok := s.profiles[sec.name]
		if !ok {
			s.names = append(s.names, sec.name)
			p.Name = sec.name
		}
		p.credentials = sec.settings
		s.profiles[sec.name] = p
	}
	return s
}

// under returns settings with the defaults of their file, where they have none of their own.
func under(defaults, settings map[string]string) map[string]string {
	if len(defaults) == 0 || settings == nil {
		return settings
	}
	all := maps.Clone(defaults)
	maps.Copy(all, settings)
	return all
}

// addConfig adds a section of the config file. Of two that give one name, the later one counts.
func (s *Set) addConfig(sec *section) {
	kind := ""
	for _, k := range []string{"profile", "sso-session", "services"} {
		if strings.HasPrefix(sec.name, k) {
			kind = k
		}
	}
	words, err := splitWords(sec.name)
	switch {
	case sec.name == "default":
		words = []string{"", "default"}
	case kind == "":
		s.odd[sec.name] = misplaced{s.files.Config, sec.name, "profile " + quoted(sec.name)}
		return
	case err != nil, len(words) > 2:
		_, name, _ := strings.Cut(sec.name, " ")
		name = strings.TrimSpace(name)
		bare := strings.Trim(name, `'"`)
		s.odd[bare] = misplaced{s.files.Config, sec.name, kind + " " + quoted(bare)}
		return
	case len(words) < 2:
		return
	}
	switch name := words[1]; kind {
	case "sso-session":
		s.sessions[name] = sec.settings
	case "services":
		s.services[name] = sec.settings
	default:
		if _, again := s.profiles[name]; !again {
			s.names = append(s.names, name)
		}
		s.profiles[name] = Profile{Name: name, config: sec.settings}
	}
}

// Absent says of a file that the environment names that it isn't there: " (AWS_CONFIG_FILE names X,
// which isn't there)", or nothing.
func (s *Set) Absent() string { return s.absent }

// quoted returns a name as it stands in a section's heading: in quotes where it needs them.
func quoted(name string) string {
	if words, err := splitWords(name); err == nil && len(words) == 1 && words[0] == name {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'"'"'`) + "'"
}

// FileError is a file of the AWS configuration that can't be read.
type FileError struct {
	File string
	Err  error // with the file's name in it
}

func (e *FileError) Error() string { return "read the AWS configuration: " + e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// Advice implements [advice.Adviser].
func (e *FileError) Advice() advice.Problem {
	p := advice.Problemf("%s", e.Error())
	if _, ok := errors.AsType[*encodingError](e.Err); ok {
		return p.With(advice.Say("save it as UTF-8, in an editor"))
	}
	return p.With(advice.Run("ls -l " + advice.Word(e.File)))
}

// pipeError is a pipe in a file's place: whoever reads it may wait for ever, and it gives its
// content once.
type pipeError struct{ file string }

func (e *pipeError) Error() string { return e.file + ": a pipe, and not a file" }

// Is makes it a [disk.ErrNotFile].
func (e *pipeError) Is(target error) bool { return target == disk.ErrNotFile }

// encodingError is a file that Windows' own tools wrote.
type encodingError struct{ file string }

func (e *encodingError) Error() string { return e.file + ": it is UTF-16, and has to be UTF-8" }

// maxBytes is room for 40,000 profiles.
const maxBytes = 16 << 20

// Read returns the text of a file that the AWS configuration is in, or names; of one that isn't
// there it is empty. The error is a [*FileError].
func Read(file string) (string, error) {
	if info, err := os.Stat(file); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return "", &FileError{file, &pipeError{file}}
	}
	text, err := disk.ReadForeign(file, maxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return "", nil
	case err != nil:
		return "", &FileError{file, err}
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "", &FileError{file, &encodingError{file}}
	case !utf8.Valid(text): // Latin-1, as a rule; in any case two that differ stay two
		runes := make([]rune, len(text))
		for i, b := range text {
			runes[i] = rune(b)
		}
		return string(runes), nil
	}
	return string(text), nil
}

// missing returns the error of a profile that isn't there.
func (s *Set) missing(name, usedBy string) *MissingError {
	e := &MissingError{Profile: name, UsedBy: usedBy, Absent: s.absent}
	if there, ok := s.odd[name]; ok {
		e.There, e.Instead = fmt.Sprintf("%s has [%s]", there.file, there.heading), "["+there.instead+"]"
	} else {
		e.Nearest = s.Nearest(name)
	}
	return e
}

// Missing returns the error of a profile that isn't there, with what is there in its place.
func (s *Set) Missing(name string) *MissingError { return s.missing(name, "") }

// Names returns the profiles in the order of the files, the config file first.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Profile returns a profile by its name.
func (s *Set) Profile(name string) (Profile, bool) {
	p, ok := s.profiles[name]
	p.config, p.credentials = under(s.configDefaults, p.config), under(s.credentialsDefaults, p.credentials)
	switch {
	case p.credentials == nil:
		p.Settings = p.config
	case p.config == nil:
		p.Settings = p.credentials
	default:
		p.Settings = maps.Clone(p.config)
		maps.DeleteFunc(p.Settings, func(name, _ string) bool { // what was nested in a setting that is another one now
			outer, _, nested := strings.Cut(name, ".")
			return nested && has(p.credentials, outer)
		})
		maps.Copy(p.Settings, p.credentials)
	}
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
	if near, known := s.nearest.Load(name); known {
		return near.(string)
	}
	near := s.findNearest(name)
	s.nearest.Store(name, near)
	return near
}

func (s *Set) findNearest(name string) string {
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
	There   string // what is there in its place: "~/.aws/config has [x]"; or ""
	Instead string // the heading that it should have then
	Absent  string // which file isn't there, as [Set.Absent] has it
}

func (e *MissingError) Error() string {
	text := fmt.Sprintf("the AWS configuration has no profile %q", e.Profile)
	if e.UsedBy != "" {
		text += fmt.Sprintf(", which is the source_profile of %q", e.UsedBy)
	}
	return text + e.Absent
}

// Advice implements [advice.Adviser].
func (e *MissingError) Advice() advice.Problem {
	p := e.Worded("")
	if e.There != "" {
		return p
	}
	if correct, ok := e.Correct(); ok {
		return p.With(correct)
	}
	return p.With(advice.AWS2("configure", "list-profiles"))
}

// Worded is the problem, with who has chosen the profile, and with nothing to do yet but to mend what
// is there in its place.
func (e *MissingError) Worded(chosen string) advice.Problem {
	if e.There != "" {
		return advice.Problemf("%s%s; %s", e.Error(), chosen, e.There).
			With(advice.Put("write there instead", e.Instead))
	}
	return advice.Problemf("%s%s%s", e.Error(), chosen, advice.DidYouMean(e.Nearest))
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
