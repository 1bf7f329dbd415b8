package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// signInInput has the members of a refresh (AWS Sign-In API reference, "CreateOAuth2Token").
type signInInput struct{ ClientID, GrantType, RefreshToken string }

// signIn is CreateOAuth2Token of the sign-in service, which renews the session of an "aws login". A
// refresh token is good once.
func (a *AWS) signIn(w http.ResponseWriter, r *http.Request, body []byte) {
	f := a.begin(r, "CreateOAuth2Token", place{})
	var in signInInput
	switch {
	case f != nil:
	case json.Unmarshal(body, &in) != nil || in.GrantType != refreshGrant || in.ClientID == "":
		f = &failure{400, "ValidationException", "not a refresh"}
	case strings.Count(r.Header.Get("DPoP"), ".") != 2:
		f = &failure{400, "ValidationException", "no proof of possession"}
	}
	a.mu.Lock()
	owner, good := a.signIns[in.RefreshToken]
	delete(a.signIns, in.RefreshToken)
	a.mu.Unlock()
	if f == nil && !good {
		f = &failure{400, "AccessDeniedException", "the refresh token is expired"}
	}
	if f != nil {
		w.Header().Set("X-Amzn-ErrorType", f.code)
		w.WriteHeader(f.status)
		writeJSON(w, map[string]string{"error": "TOKEN_EXPIRED", "message": f.message})
		return
	}
	key := a.issue(owner, a.Life)
	writeJSON(w, map[string]any{
		"accessToken": map[string]string{
			"accessKeyId": key.ID, "secretAccessKey": key.Secret, "sessionToken": key.SessionToken,
		},
		"tokenType": "urn:aws:params:oauth:token-type:access_token_sigv4", "expiresIn": int(a.Life.Seconds()),
		"refreshToken": a.newSignIn(owner),
	})
}

func (a *AWS) newSignIn(owner string) (refreshToken string) {
	refreshToken = "signin-" + randomHex(40)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.signIns[refreshToken] = owner
	return refreshToken
}

// ConsoleLogin returns the file that "aws login" leaves for a session, a user's ARN, in a home, and
// what is in it: keys that are good for a while, and what renews them.
func (a *AWS) ConsoleLogin(home, session string, left time.Duration) (file string, content []byte) {
	key := a.issue(session, left)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // there is no randomness
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		panic(err) // of a curve that it knows
	}
	content, err = json.Marshal(map[string]any{
		"accessToken": map[string]any{
			"accessKeyId": key.ID, "secretAccessKey": key.Secret, "sessionToken": key.SessionToken, "accountId": "123456789012",
			"expiresAt": key.Expires.UTC().Format(time.RFC3339),
		},
		"tokenType": "urn:aws:params:oauth:token-type:access_token_sigv4", "refreshToken": a.newSignIn(session), "identityToken": "x",
		"clientId": "arn:aws:signin:::devtools/same-device",
		"dpopKey":  string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		panic(err) // it is made of text
	}
	sum := sha256.Sum256([]byte(session))
	return filepath.Join(home, ".aws", "login", "cache", hex.EncodeToString(sum[:])+".json"), content
}
