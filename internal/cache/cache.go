// Package cache keeps tokens between calls in private files, one for each Server URL.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/target"
)

// EnvDir names the folder in the environment.
const EnvDir = "MYSQL_SECRET_STORE_RDS_CACHE_DIR"

const (
	// MaxAge is how long a token is handed out. RDS takes it for 15 minutes; the rest is for the
	// way there, since MySQL Shell never asks twice.
	MaxAge = 14 * time.Minute
	// Margin is how long the credentials that signed a token must still be valid.
	Margin = time.Minute

	version  = 1
	maxBytes = 64 << 10 // a token has at most 5,400 characters
	pollLock = 5 * time.Millisecond
	// maxWait is how long a process waits for another one to sign. That one may be stopped, or
	// ask a person something; half of the call's own deadline is left then.
	maxWait = 10 * time.Second
)

// ErrLetGo is what [Store.Lock] says when the process that was waited for ended without a token,
// or keeps the lock too long. Waiting on, one after another, would add up the time that each
// failure takes; so whoever gets it signs by itself.
var ErrLetGo = errors.New("the process that was signing gave no token")

// ErrAbsent is what [Store.Get] says of a Server URL it has nothing for.
var ErrAbsent = errors.New("no cached token")

// UntrustedError is a file that counts as absent although it is there.
type UntrustedError struct {
	File   string
	Reason string
}

func (e *UntrustedError) Error() string { return e.File + ": " + e.Reason }

// Is makes an UntrustedError an [ErrAbsent].
func (e *UntrustedError) Is(target error) bool { return target == ErrAbsent }

// Entry is what is kept for a Server URL.
type Entry struct {
	ServerURL string // letter for letter as MySQL Shell sent it
	Target    target.Target
	Config    string // the stamp of the configuration that gave the target
	Identity  string // the AWS identity that signed
	Hops      []string
	Token     secret.Text
	SignedAt  time.Time
	Expires   time.Time // of the credentials that signed; zero when they don't expire
	Source    string    // where the credentials came from
}

// Fresh says whether the token may be handed out at now. A token from the future is not fresh:
// the clock was wrong then, or is now.
func (e Entry) Fresh(now time.Time) bool {
	return !e.SignedAt.After(now) && now.Before(e.FreshUntil())
}

// Answers says whether the entry can be handed out as it is: fresh, and made under this
// configuration (by its stamp) and this AWS identity, so that the target and whoever signs for it
// would come out the same.
func (e Entry) Answers(config, identity string, now time.Time) bool {
	return e.Fresh(now) && e.Config == config && e.Identity == identity
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
	Version   int           `json:"version"`
	ServerURL string        `json:"server_url"`
	Target    target.Target `json:"target"`
	Config    string        `json:"config"`
	Identity  string        `json:"identity"`
	Hops      []string      `json:"hops,omitempty"`
	SignedAt  time.Time     `json:"signed_at"`
	Expires   time.Time     `json:"credentials_expire,omitzero"`
	Source    string        `json:"credentials_source,omitempty"`
	Token     string        `json:"token"`
}

// Store is a cache folder.
type Store struct{ dir string }

// Open gives the store in the folder called named (the value of [EnvDir]), or, when that is "",
// in os.UserCacheDir()/mysql-secret-store-rds. It touches no file.
func Open(named string) (Store, error) {
	if named != "" {
		return Store{named}, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return Store{}, fmt.Errorf("no place for the cache: %w", err)
	}
	return Store{filepath.Join(dir, "mysql-secret-store-rds")}, nil
}

// Dir is the folder.
func (s Store) Dir() string { return s.dir }

func (s Store) path(serverURL, suffix string) string {
	sum := sha256.Sum256([]byte(serverURL))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:16])+suffix)
}

// Get reads the entry for a Server URL, fresh or not. The error is [ErrAbsent], or an
// [*UntrustedError], which is one, for a file that must not be believed.
func (s Store) Get(serverURL string) (Entry, error) {
	if s.dir == "" {
		return Entry{}, ErrAbsent
	}
	e, err := read(s.path(serverURL, ".json"))
	if err == nil && e.ServerURL != serverURL {
		return Entry{}, &UntrustedError{s.path(serverURL, ".json"), "holds another Server URL"}
	}
	return e, err
}

func read(path string) (Entry, error) {
	f, err := openNoFollow(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, ErrAbsent
	}
	untrusted := func(reason string) (Entry, error) { return Entry{}, &UntrustedError{path, reason} }
	if err != nil {
		return untrusted(err.Error())
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return untrusted(err.Error())
	}
	if !info.Mode().IsRegular() {
		return untrusted("not a regular file")
	}
	if reason := notPrivate(info); reason != "" {
		return untrusted(reason)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return untrusted(err.Error())
	}
	var in file
	if len(data) > maxBytes || json.Unmarshal(data, &in) != nil {
		return untrusted("damaged")
	}
	if in.Version != version {
		return untrusted(fmt.Sprintf("of version %d, not %d", in.Version, version))
	}
	if in.ServerURL == "" || in.Token == "" || in.SignedAt.IsZero() {
		return untrusted("incomplete")
	}
	return Entry{
		ServerURL: in.ServerURL, Target: in.Target, Config: in.Config, Identity: in.Identity, Hops: in.Hops,
		Token: secret.New(in.Token), SignedAt: in.SignedAt, Expires: in.Expires, Source: in.Source,
	}, nil
}

// Put keeps an entry in place of the one for the same Server URL. The caller holds its [Store.Lock].
func (s Store) Put(e Entry) error {
	data, err := json.Marshal(file{
		Version: version, ServerURL: e.ServerURL, Target: e.Target, Config: e.Config, Identity: e.Identity,
		Hops: e.Hops, SignedAt: e.SignedAt, Expires: e.Expires, Source: e.Source, Token: e.Token.Reveal(),
	})
	if err != nil {
		return err
	}
	// The lock makes one name enough, so that a killed process leaves at most one such file.
	tmp := s.path(e.ServerURL, ".tmp")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o600), f.Close()); err == nil {
		err = replace(tmp, s.path(e.ServerURL, ".json"))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

// Delete drops what is kept for a Server URL; found is false when that was nothing to be trusted.
// An error is a token that is there and stays.
func (s Store) Delete(serverURL string) (found bool, err error) {
	if s.dir == "" {
		return false, nil
	}
	_, absent := s.Get(serverURL)
	_ = os.Remove(s.path(serverURL, ".tmp")) // left behind by a killed process, if at all
	err = os.Remove(s.path(serverURL, ".json"))
	if absent != nil || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, err
}

// Clear drops everything that is kept, and leaves other files alone.
func (s Store) Clear() error {
	if s.dir == "" {
		return nil
	}
	files, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	problems := []error{err}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); isOurs(f.Name()) && ext != ".lock" {
			problems = append(problems, os.Remove(filepath.Join(s.dir, f.Name())))
		}
	}
	return errors.Join(problems...)
}

// isOurs recognises the names that path gives.
func isOurs(name string) bool {
	ext := filepath.Ext(name)
	hash := strings.TrimSuffix(name, ext)
	return (ext == ".json" || ext == ".tmp" || ext == ".lock") && len(hash) == 32 && strings.Trim(hash, "0123456789abcdef") == ""
}

// holdsOnlyOurs says whether a folder has no file but this package's.
func holdsOnlyOurs(dir string) bool {
	files, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(files, func(f fs.DirEntry) bool { return !isOurs(f.Name()) })
}

// List gives the Server URLs that have an entry, fresh or not, in alphabetical order. Files that
// are not to be trusted are left out and come back as problems.
func (s Store) List() (urls []string, problems []error) {
	if s.dir == "" {
		return nil, nil
	}
	files, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		problems = append(problems, err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		path := filepath.Join(s.dir, f.Name())
		e, err := read(path)
		switch {
		case err == nil && path != s.path(e.ServerURL, ".json"):
			problems = append(problems, &UntrustedError{path, "holds another Server URL"})
		case err == nil:
			urls = append(urls, e.ServerURL)
		case err != ErrAbsent:
			problems = append(problems, err)
		}
	}
	slices.Sort(urls)
	return urls, problems
}

// Lock makes the caller the only process that signs for a Server URL, until unlock is called or
// the process ends. While another one has the lock it calls ready now and then; when ready is
// true, the lock isn't needed any more and unlock is nil. An error says that the folder can't be
// used, or is [ErrLetGo], or ctx's.
func (s Store) Lock(ctx context.Context, serverURL string, ready func() bool) (unlock func(), err error) {
	if s.dir == "" {
		return nil, errors.New("no place for the cache")
	}
	if err := makePrivate(s.dir); err != nil {
		return nil, err
	}
	path := s.path(serverURL, ".lock")
	var waitedFor os.FileInfo
	patience := time.After(maxWait)
	for {
		l := flock.New(path, flock.SetFlag(lockFlags))
		locked, err := l.TryLock()
		if err != nil {
			return nil, err
		}
		if locked {
			// The last holder removes the file; a lock on a removed file keeps nobody out.
			mine, err1 := l.Stat()
			now, err2 := os.Stat(path)
			if err1 != nil || err2 != nil || !os.SameFile(mine, now) {
				_ = l.Unlock()
				continue
			}
			unlock := func() { letGo(l, path) }
			// A holder that was killed has left the very file that was waited for.
			if waitedFor != nil && !os.SameFile(mine, waitedFor) && !ready() {
				unlock()
				return nil, ErrLetGo
			}
			return unlock, nil
		}
		if waitedFor == nil {
			if f, err := openNoFollow(path); err == nil {
				defer f.Close() // while it is open, no new file gets its number
				waitedFor, _ = f.Stat()
			}
		}
		if ready() {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience:
			return nil, ErrLetGo
		case <-time.After(pollLock):
		}
	}
}
