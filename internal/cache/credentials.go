package cache

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/stamp"
)

// RenewBefore is how long before their end kept credentials are renewed.
const RenewBefore = 5 * time.Minute

// Credentials are temporary AWS credentials as they are kept. Long-term keys never are.
type Credentials struct {
	Key          string       `json:"key"`               // stands for everything that defines them; no part of a secret
	Profile      string       `json:"profile,omitempty"` // the AWS profile they are of, or "" when there is none
	Who          string       `json:"who,omitempty"`     // whose they are, for a person: the role, as a rule
	AccessKeyID  string       `json:"access_key_id"`
	Secret       secret.Text  `json:"-"`
	SessionToken secret.Text  `json:"-"`
	ObtainedAt   time.Time    `json:"obtained_at"`
	Expires      time.Time    `json:"expires"`
	Source       string       `json:"source,omitempty"`     // where they came from, in the SDK's words
	AccountID    string       `json:"account_id,omitempty"` // as far as the source says
	SignIns      []stamp.File `json:"sign_ins,omitempty"`   // that they came from: an SSO session, a web identity
}

// Usable reports whether AWS still accepts the credentials at now, and for as long as left. Those
// from the future are not: the clock was wrong then, or is now. Nor are those of a sign-in that is
// over, or somebody else's by now.
func (c Credentials) Usable(now time.Time, left time.Duration) bool {
	return !c.ObtainedAt.After(now) && now.Add(left).Before(c.Expires) && stamp.Unchanged(c.SignIns)
}

// credentialsFile is Credentials on disk.
type credentialsFile struct {
	Version int `json:"version"`
	Credentials
	Secret       string `json:"secret_access_key"`
	SessionToken string `json:"session_token"`
}

// Credentials reads what is kept under a key, fresh or not. The error is an [ErrAbsent].
func (s Store) Credentials(key string) (Credentials, error) {
	if err := s.trusted(); err != nil {
		return Credentials{}, err
	}
	return s.readCredentials(s.path(key, credentialsExt))
}

func (s Store) readCredentials(path string) (Credentials, error) {
	var in credentialsFile
	if err := readJSON(path, &in); err != nil {
		return Credentials{}, err
	}
	if in.Version != version || in.Key == "" || in.AccessKeyID == "" || in.Secret == "" || in.SessionToken == "" ||
		in.Expires.IsZero() {
		return Credentials{}, &disk.UntrustedError{File: path, Reason: "incomplete, or of another version"}
	}
	if s.path(in.Key, credentialsExt) != path {
		return Credentials{}, &disk.UntrustedError{File: path, Reason: "holds other credentials"}
	}
	c := in.Credentials
	c.Secret, c.SessionToken = secret.New(in.Secret), secret.New(in.SessionToken)
	return c, nil
}

// PutCredentials keeps credentials in place of those with the same key. The caller holds their
// [Store.LockCredentials].
func (s Store) PutCredentials(c Credentials) error {
	if c.SessionToken.Reveal() == "" || c.Expires.IsZero() {
		return errors.New("only credentials that expire are kept")
	}
	return writeJSON(s.path(c.Key, credentialsExt),
		credentialsFile{version, c, c.Secret.Reveal(), c.SessionToken.Reveal()})
}

// DeleteCredentials drops what is kept under a key. An error is credentials that are there and
// stay.
func (s Store) DeleteCredentials(key string) error {
	if s.dir == "" || key == "" {
		return nil
	}
	for _, ext := range []string{credentialsExt, noteExt} {
		if err := remove(s.path(key, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// AllCredentials returns everything that is kept, fresh or not, ordered by profile. Files that are
// not to be trusted are left out and come back as problems.
func (s Store) AllCredentials() (list []Credentials, problems []error) {
	list, problems = all(s, credentialsExt, s.readCredentials)
	slices.SortFunc(list, func(a, b Credentials) int {
		return strings.Compare(a.Profile+"\x00"+a.Who+"\x00"+a.Key, b.Profile+"\x00"+b.Who+"\x00"+b.Key)
	})
	return list, problems
}

// Profiles returns the profiles of which anything is kept, in alphabetical order.
func (s Store) Profiles() []string {
	var names []string
	entries, _ := s.Tokens()
	for _, e := range entries {
		names = append(names, e.Profile, e.Target.Profile)
	}
	kept, _ := s.AllCredentials()
	for _, c := range kept {
		names = append(names, c.Profile)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// DropProfile drops the tokens that a profile's credentials signed, and those credentials, and says
// how many there were.
func (s Store) DropProfile(name string) (tokens, credentials int, err error) {
	entries, _ := s.Tokens()
	for _, e := range entries {
		if e.Profile != name && e.Target.Profile != name {
			continue
		}
		found, err := s.Delete(e.ServerURL)
		if err != nil {
			return tokens, credentials, err
		}
		if found {
			tokens++
		}
	}
	kept, _ := s.AllCredentials()
	for _, c := range kept {
		if c.Profile != name {
			continue
		}
		if err := s.DeleteCredentials(c.Key); err != nil {
			return tokens, credentials, err
		}
		credentials++
	}
	return tokens, credentials, nil
}
