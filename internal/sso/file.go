package sso

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/stamp"
)

// File returns the path of a session's token, as the AWS CLI and the SDKs have it: it is named
// after the session or, without one, the start URL.
func File(s profiles.SSOSession) string {
	key := s.Name
	if key == "" {
		key = s.StartURL
	}
	sum := sha1.Sum([]byte(key))
	return filepath.Join(disk.Home(), ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
}

// tokenFile is a session's token as the AWS CLI and the SDKs keep it.
type tokenFile struct {
	StartURL              string `json:"startUrl"`
	Region                string `json:"region"`
	AccessToken           string `json:"accessToken"`
	ExpiresAt             string `json:"expiresAt"`
	ClientID              string `json:"clientId"`
	ClientSecret          string `json:"clientSecret"`
	RegistrationExpiresAt string `json:"registrationExpiresAt"`
	RefreshToken          string `json:"refreshToken,omitempty"`
}

// maxBytes is much more than a token and a registration take.
const maxBytes = 1 << 20

// read returns a session's token and when it ends; the zero time when there is none, or none that
// can be read.
func read(path string) (token tokenFile, ends time.Time) {
	text, err := disk.ReadForeign(path, maxBytes)
	if err != nil {
		return tokenFile{}, time.Time{}
	}
	token, ends, _ = decode(text)
	return token, ends
}

// decode is read for the text of a file. The error is encoding/json's.
func decode(text []byte) (token tokenFile, ends time.Time, err error) {
	if err := json.Unmarshal(text, &token); err != nil {
		return tokenFile{}, time.Time{}, err
	}
	ends, _ = profiles.ParseTime(token.ExpiresAt)
	return token, ends, nil
}

// Until returns when the token in a file ends; the zero time when there is none.
func Until(path string) time.Time {
	_, ends := read(path)
	return ends
}

// NeedsRefresh reports whether the token in a file is over, and can be refreshed.
func NeedsRefresh(path string) bool {
	token, ends := read(path)
	return refreshable(token) && !ends.IsZero() && !time.Now().Before(ends)
}

func refreshable(token tokenFile) bool {
	until, err := profiles.ParseTime(token.RegistrationExpiresAt)
	return token.RefreshToken != "" && token.ClientID != "" && err == nil && time.Now().Before(until)
}

// lockFile is the one lock of a token's file, for logins and refreshes.
func lockFile(path string) string { return disk.LockFile(path) }

// questionFile stands for the question whether to log in, deviceFile for a login that waits for a
// browser.
func questionFile(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + "-question"
}
func deviceFile(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + "-device" }

// LockQuestion makes the caller the only process that asks a person whether to log in to the
// session whose token is in a file. The others wait until there is a new token, for so long at
// most: then they need no lock, and unlock is nil. [ErrNoLogin] says that the other one got none.
func LockQuestion(ctx context.Context, path string, patience time.Duration) (unlock func(), err error) {
	return flight(ctx, questionFile(path), path, patience)
}

// flight is [disk.Flight] for a new token in the file at path.
func flight(ctx context.Context, of, path string, patience time.Duration) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	renewed := Renewed(path)
	unlock, err = disk.Flight(ctx, lockFile(of), patience, renewed)
	if unlock != nil && renewed() { // just before
		unlock()
		return nil, nil
	}
	if errors.Is(err, disk.ErrLetGo) {
		err = ErrNoLogin
	}
	return unlock, err
}

// Renewed returns what reports whether the token in a file has been replaced by a good one since.
func Renewed(path string) func() bool {
	before := stamp.Files(path)
	return func() bool { return !stamp.Unchanged(before) && time.Now().Before(Until(path)) }
}

// Asked reports whether another process is asking a person whether to log in to the session whose
// token is in a file, or waits for the browser.
func Asked(path string) bool { return disk.Locked(lockFile(questionFile(path))) || Confirming(path) }

// Confirming reports whether another process waits for the browser.
func Confirming(path string) bool { return disk.Locked(lockFile(deviceFile(path))) }

// refreshWait is how long another process may take to refresh a token. It may have been stopped.
const refreshWait = 5 * time.Second

func patience(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(refreshWait, time.Until(end)/2)
	}
	return refreshWait
}

// lockWait is how long a new token waits for a refresh that is under way. A person has just allowed
// it: after that it is written all the same, since whoever holds the lock may have been stopped.
const lockWait = 10 * time.Second

// write puts a new token in its place, for this user alone.
func write(ctx context.Context, path string, token tokenFile) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep the SSO token: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if unlock, err := disk.Mutex(waiting, lockFile(path)); err == nil {
		defer unlock()
	}
	data, err := json.Marshal(token)
	return put(path, data, err)
}

// put writes a token's file, if there is what to write.
func put(path string, data []byte, err error) error {
	if err == nil {
		err = disk.Write(path, data)
	}
	if err != nil {
		return fmt.Errorf("keep the SSO token: %w", err)
	}
	return nil
}

// replace writes a token over the one in a file. What other programs keep beside it stays.
func replace(path string, token tokenFile) error {
	all := map[string]json.RawMessage{}
	if text, err := disk.ReadForeign(path, maxBytes); err == nil {
		_ = json.Unmarshal(text, &all) // what can't be read is replaced
	}
	data, err := json.Marshal(token)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err == nil {
		data, err = json.Marshal(all)
	}
	return put(path, data, err)
}
