// Package cache keeps tokens and temporary AWS credentials between calls, in private files: one for
// each Server URL, and one for each source of credentials; and notes of what AWS has said.
package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

const (
	// MaxAge is how long a token is handed out at the most. RDS takes it for 15 minutes; the rest
	// is for the way there, since MySQL Shell never asks twice.
	MaxAge = 14 * time.Minute
	// YoungAge is how long a token is handed out when another could be signed: a session keeps the
	// one that it was opened with, and connects again with it.
	YoungAge = 5 * time.Minute
	// Margin is how long the credentials that signed a token must still be valid.
	Margin = time.Minute

	version  = 1
	maxBytes = 64 << 10 // a token has at most 5,400 characters
	// maxWait is how long a process waits for another one to sign. That one may be stopped, or
	// ask a person something; most of the call's own time is left then, as a rule.
	maxWait = 5 * time.Second

	tokenExt, credentialsExt, noteExt, lockExt = ".json", ".creds", ".checked", ".lock"
)

// ErrAbsent is what the store says of something it doesn't have. A file that is there and not to be
// trusted counts as absent: its error is a [disk.UntrustedError].
var ErrAbsent = disk.ErrAbsent

// Entry is what is kept for a Server URL.
type Entry struct {
	ServerURL string        `json:"server_url"` // letter for letter as MySQL Shell sent it
	Target    server.Target `json:"target"`
	Stamp     stamp.Stamp   `json:"stamp"` // of all that it depends on
	Hops      []string      `json:"hops,omitempty"`
	Token     secret.Text   `json:"-"`
	SignedAt  time.Time     `json:"signed_at"`
	Expires   time.Time     `json:"credentials_expire,omitzero"`  // of the credentials that signed; or zero
	Source    string        `json:"credentials_source,omitempty"` // where the credentials came from
	// Credentials is the key of the kept credentials that signed, or "".
	Credentials string `json:"credentials,omitempty"`
	// Profile is the AWS profile whose credentials signed, whoever chose it, or "".
	Profile string `json:"profile,omitempty"`
}

// Fresh reports whether the token may be handed out at now. A token from the future is not fresh:
// the clock was wrong then, or is now.
func (e Entry) Fresh(now time.Time) bool {
	return !e.SignedAt.After(now) && now.Before(e.FreshUntil())
}

// Young reports whether the token is fresh and has at least ten of its fifteen minutes left, unless
// the credentials that signed it have less.
func (e Entry) Young(now time.Time) bool { return e.Fresh(now) && now.Before(e.SignedAt.Add(YoungAge)) }

// Answers reports whether the entry can be handed out as it is: it is young, and nothing that it
// depends on has changed, so that target and signer would come out the same.
func (e Entry) Answers(now stamp.Stamp, at time.Time) bool {
	return e.Young(at) && e.Stamp.Holds(now)
}

// SignedFor reports whether the entry is what would be made now for a target that was resolved
// anew.
func (e Entry) SignedFor(t server.Target, now stamp.Stamp, at time.Time) bool {
	return e.Fresh(at) && e.Target == t && e.Stamp.SameSigner(now)
}

// FreshUntil is when the token stops being handed out.
func (e Entry) FreshUntil() time.Time {
	end := e.SignedAt.Add(MaxAge)
	if !e.Expires.IsZero() && e.Expires.Add(-Margin).Before(end) {
		end = e.Expires.Add(-Margin)
	}
	return end
}

// file is an entry on disk.
type file struct {
	Version int `json:"version"`
	Entry
	Token string `json:"token"`
}

// Store is a cache folder.
type Store struct{ dir string }

// Open returns the store in [disk.CacheDir]. It touches no file.
func Open() (Store, error) {
	dir, err := disk.CacheDir()
	if err != nil {
		return Store{}, fmt.Errorf("no place for the cache: %w", err)
	}
	return Store{dir}, nil
}

// In returns the store in a folder.
func In(dir string) Store { return Store{dir} }

// Dir is the folder.
func (s Store) Dir() string { return s.dir }

func (s Store) path(serverURL, suffix string) string {
	sum := sha256.Sum256([]byte(serverURL))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:16])+suffix)
}

// trusted says why nothing is read from the folder, or nil.
func (s Store) trusted() error {
	if s.dir == "" {
		return ErrAbsent
	}
	return disk.OurDir(s.dir)
}

// Get reads the entry for a Server URL, fresh or not. The error is an [ErrAbsent].
func (s Store) Get(serverURL string) (Entry, error) {
	if err := s.trusted(); err != nil {
		return Entry{}, err
	}
	return s.read(s.path(serverURL, tokenExt))
}

// Seal returns a JSON object with a first member that is the checksum of all the rest, as every
// file of the cache has it. It finds what a failing disk does; nobody forges the owner's own file.
func Seal(object []byte) []byte {
	rest := object[1:]
	return append(fmt.Appendf(nil, `{"checksum":"%08x",`, crc32.ChecksumIEEE(rest)), rest...)
}

// sealed reports whether data is what Seal returned.
func sealed(data []byte) bool {
	_, rest, ok := bytes.Cut(data, []byte(","))
	return ok && bytes.Equal(data, Seal(append([]byte("{"), rest...)))
}

// readJSON reads a file of the cache into v, as writeJSON wrote it.
func readJSON(path string, v any) error {
	data, err := disk.Read(path, maxBytes)
	if err == nil && (!sealed(data) || json.Unmarshal(data, v) != nil) {
		return &disk.UntrustedError{File: path, Reason: "damaged"}
	}
	return err
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return disk.Write(path, Seal(data))
}

func (s Store) read(path string) (Entry, error) {
	var in file
	if err := readJSON(path, &in); err != nil {
		return Entry{}, err
	}
	reason := ""
	switch {
	case in.Version != version:
		reason = fmt.Sprintf("of version %d, not %d", in.Version, version)
	case in.ServerURL == "" || in.Token == "" || in.SignedAt.IsZero():
		reason = "incomplete"
	case s.path(in.ServerURL, tokenExt) != path:
		reason = "holds another Server URL"
	default:
		in.Entry.Token = secret.New(in.Token)
		return in.Entry, nil
	}
	return Entry{}, &disk.UntrustedError{File: path, Reason: reason}
}

// Put keeps an entry in place of the one for the same Server URL. The caller holds its
// [Store.Lock].
func (s Store) Put(e Entry) error {
	return writeJSON(s.path(e.ServerURL, tokenExt), file{version, e, e.Token.Reveal()})
}

// Delete drops what is kept for a Server URL; found is false when that was nothing to be trusted.
// An error is a token that is there and stays.
func (s Store) Delete(serverURL string) (found bool, err error) {
	if s.dir == "" {
		return false, nil
	}
	_, absent := s.Get(serverURL)
	err = remove(s.path(serverURL, tokenExt))
	if absent != nil || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, err
}

// remove deletes a file, and what a killed process may have left of its next version.
func remove(path string) error {
	_ = os.Remove(disk.Temporary(path))
	return os.Remove(path)
}

// Clear drops everything that is kept, and leaves other files alone.
func (s Store) Clear() error {
	names, err := s.files(func(name string) bool { return isOurs(name) && filepath.Ext(name) != lockExt })
	return errors.Join(err, removeAll(names))
}

// Holds reports whether there is anything of the store's on the disk.
func (s Store) Holds() bool {
	paths, _ := s.files(isOurs)
	return len(paths) > 0
}

// Purge is [Store.Clear] that leaves nothing: the files that stand for locks go, too, and the
// folder, unless others keep something in it.
func (s Store) Purge() error {
	paths, _ := s.files(isOurs)
	err := removeAll(paths)
	_ = os.Remove(s.dir) // somebody else's files are in it
	return err
}

func removeAll(paths []string) error {
	var problems []error
	for _, path := range paths {
		problems = append(problems, os.Remove(path))
	}
	return errors.Join(problems...)
}

// files returns the paths of the folder's files that keep takes by their names.
func (s Store) files(keep func(name string) bool) (paths []string, err error) {
	if s.dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		if keep(e.Name()) {
			paths = append(paths, filepath.Join(s.dir, e.Name()))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return paths, err
}

// isOurs recognises the names that path gives.
func isOurs(name string) bool {
	ext := filepath.Ext(name)
	hash := strings.TrimSuffix(name, ext)
	return slices.Contains([]string{tokenExt, credentialsExt, noteExt, lockExt, ".tmp"}, ext) && len(hash) == 32 &&
		strings.Trim(hash, "0123456789abcdef") == ""
}

// List returns the Server URLs that have an entry, fresh or not, in alphabetical order. Files that
// are not to be trusted are left out and come back as problems.
func (s Store) List() (urls []string, problems []error) {
	entries, problems := s.Tokens()
	for _, e := range entries {
		urls = append(urls, e.ServerURL)
	}
	return urls, problems
}

// Tokens returns the entries that List names.
func (s Store) Tokens() (entries []Entry, problems []error) {
	entries, problems = all(s, tokenExt, s.read)
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.ServerURL, b.ServerURL) })
	return entries, problems
}

// all reads every file of one kind. Files that have gone meanwhile are no problem.
func all[T any](s Store, ext string, read func(path string) (T, error)) (list []T, problems []error) {
	if err := s.trusted(); err != nil && err != ErrAbsent {
		return nil, []error{err}
	}
	paths, err := s.files(func(name string) bool { return filepath.Ext(name) == ext })
	if err != nil {
		problems = append(problems, err)
	}
	for _, path := range paths {
		if v, err := read(path); err == nil {
			list = append(list, v)
		} else if err != ErrAbsent {
			problems = append(problems, err)
		}
	}
	return list, problems
}

// Lock makes the caller the only process that signs for a Server URL; see [disk.Flight].
func (s Store) Lock(ctx context.Context, serverURL string, ready func() bool) (unlock func(), err error) {
	wait := maxWait
	if end, ok := ctx.Deadline(); ok && time.Until(end) > time.Second { // with less there is no time for more
		wait = min(wait, time.Until(end)/3)
	}
	return s.LockCredentials(ctx, serverURL, wait, ready)
}

// LockCredentials makes the caller the only process that obtains the credentials of a key; see
// [disk.Flight].
func (s Store) LockCredentials(
	ctx context.Context, key string, patience time.Duration, ready func() bool,
) (unlock func(), err error) {
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	return disk.Flight(ctx, s.path(key, lockExt), patience, ready)
}

// TryLock takes the lock of a Server URL or of the credentials of a key. Unlock is nil when another
// process has it: what that one keeps is as good.
func (s Store) TryLock(key string) (unlock func(), err error) {
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	return disk.TryMutex(s.path(key, lockExt))
}

// Locked reports whether another process has the lock of a Server URL or of a key.
func (s Store) Locked(key string) bool {
	return s.dir != "" && disk.Locked(s.path(key, lockExt))
}

func (s Store) makeDir() error {
	if s.dir == "" {
		return errors.New("no place for the cache")
	}
	return disk.MakeDir(s.dir, isOurs)
}
