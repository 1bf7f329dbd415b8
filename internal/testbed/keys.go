// Package testbed is a small AWS on 127.0.0.1: an RDS-like server that checks IAM tokens, the
// AWS services that give out credentials, MySQL Shell's manner of calling a helper, and other
// helpers to delegate to. The tests and the demo run the real program against it. It shares no
// code with what it checks: signatures are verified from AWS's description of Signature Version
// 4, not with the SDK that made them.
package testbed

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Key is an access key that AWS knows.
type Key struct {
	ID           string
	Secret       string
	SessionToken string    // "" for long-term keys
	Expires      time.Time // zero for long-term keys
	Owner        string    // an ARN, for messages
}

// Keys are all the access keys that there are; safe for concurrent use.
type Keys struct {
	mu   sync.Mutex
	byID map[string]Key
}

// Add makes a key known.
func (k *Keys) Add(key Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID == nil {
		k.byID = map[string]Key{}
	}
	k.byID[key.ID] = key
}

// Find returns a key by its id.
func (k *Keys) Find(id string) (Key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := k.byID[id]
	return key, ok
}

// All returns every key.
func (k *Keys) All() []Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Values(k.byID))
}

// Issue makes a temporary key for owner that lives for a while, with a session token of
// tokenLength characters, and makes it known.
func (k *Keys) Issue(owner string, life time.Duration, tokenLength int) Key {
	key := Key{
		ID:           "ASIA" + strings.ToUpper(randomHex(16)),
		Secret:       randomHex(40),
		SessionToken: "IQoJ+/=" + randomHex(max(tokenLength-7, 8)),
		Expires:      time.Now().Add(life),
		Owner:        owner,
	}
	k.Add(key)
	return key
}

// usable says why a key can't sign at now.
func (key Key) usable(sessionToken string, now time.Time) error {
	if key.SessionToken != sessionToken {
		return fmt.Errorf("the session token isn't that of key %s", key.ID)
	}
	if !key.Expires.IsZero() && !now.Before(key.Expires) {
		return fmt.Errorf("the key %s expired at %s", key.ID, key.Expires.Format(time.RFC3339))
	}
	return nil
}

func randomHex(n int) string {
	b := make([]byte, (n+1)/2)
	_, _ = rand.Read(b) // never fails, by its documentation
	return hex.EncodeToString(b)[:n]
}
