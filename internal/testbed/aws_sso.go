package testbed

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// oidc is what IAM Identity Center's OIDC service remembers.
type oidc struct {
	clients map[string]oidcClient
	devices map[string]*device   // by device code
	access  map[string]time.Time // access tokens and when each expires
	refresh map[string]string    // refresh tokens and whose client's each is; used ones are gone

	approveAfter int // polls; 0: not by itself
}

type oidcClient struct {
	secret    string
	expires   time.Time
	refreshes bool // it registered for a scope, and so gets refresh tokens
}

type device struct {
	client, userCode string
	expires          time.Time
	approved, denied bool
	polls            int
	polled           time.Time
}

func newOIDC() oidc {
	return oidc{
		clients: map[string]oidcClient{}, devices: map[string]*device{}, access: map[string]time.Time{},
		refresh: map[string]string{},
	}
}

const (
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	refreshGrant = "refresh_token"
)

// sso is GetRoleCredentials of SSO's portal.
func (a *AWS) sso(w http.ResponseWriter, r *http.Request) {
	account, role := r.URL.Query().Get("account_id"), r.URL.Query().Get("role_name")
	f := a.begin(r, "GetRoleCredentials", place{account: account})
	switch {
	case f != nil:
	case !a.loggedIn(r.Header.Get("X-Amz-Sso_bearer_token")):
		f = &failure{401, "UnauthorizedException", "Session token not found or invalid"}
	case account == "" || role == "":
		f = &failure{400, "InvalidRequestException", "account_id or role_name is missing"}
	}
	if f != nil {
		jsonError(w, *f)
		return
	}
	key := a.issue("arn:aws:sts::"+account+":assumed-role/AWSReservedSSO_"+role+"_0123456789abcdef/user", a.Life)
	writeJSON(w, map[string]any{"roleCredentials": map[string]any{
		"accessKeyId": key.ID, "secretAccessKey": key.Secret, "sessionToken": key.SessionToken,
		"expiration": key.Expires.UnixMilli(),
	}})
}

func (a *AWS) loggedIn(token string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return token == a.SSOToken || a.now().Before(a.oidc.access[token])
}

// oidcInput has the members of all three operations' requests (IAM Identity Center OIDC API
// reference).
type oidcInput struct {
	ClientName, ClientType string
	Scopes                 []string

	ClientID, ClientSecret, StartURL    string
	GrantType, DeviceCode, RefreshToken string
}

// serveOIDC answers one of the OIDC service's operations, which nobody signs.
func (a *AWS) serveOIDC(w http.ResponseWriter, r *http.Request, body []byte, operation string,
	answer func(oidcInput) (map[string]any, *failure)) {
	f := a.begin(r, operation, place{})
	var input oidcInput
	if f == nil && json.Unmarshal(body, &input) != nil {
		f = &failure{400, "InvalidRequestException", "not JSON"}
	}
	var out map[string]any
	if f == nil {
		a.mu.Lock()
		out, f = answer(input)
		a.mu.Unlock()
	}
	if f == nil {
		writeJSON(w, out)
		return
	}
	w.Header().Set("X-Amzn-ErrorType", f.code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	writeJSON(w, map[string]string{"error": oauthError(f.code), "error_description": f.message})
}

// oauthError is OAuth's word for an exception: AuthorizationPendingException is
// authorization_pending.
func oauthError(code string) string {
	var b strings.Builder
	for i, c := range strings.TrimSuffix(code, "Exception") {
		if unicode.IsUpper(c) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

func (a *AWS) registerClient(in oidcInput) (map[string]any, *failure) {
	if in.ClientName == "" || in.ClientType != "public" {
		return nil, &failure{400, "InvalidClientMetadataException", "clientType has to be public"}
	}
	id, client := a.newClient(len(in.Scopes) > 0)
	return map[string]any{
		"clientId": id, "clientSecret": client.secret,
		"clientIdIssuedAt": a.now().Unix(), "clientSecretExpiresAt": client.expires.Unix(),
	}, nil
}

func (a *AWS) newClient(refreshes bool) (id string, client oidcClient) {
	id = "client-" + randomHex(12)
	client = oidcClient{"client-secret-" + randomHex(40), a.now().Add(90 * 24 * time.Hour), refreshes}
	a.oidc.clients[id] = client
	return id, client
}

// client is nil unless the id and secret are a registered client's.
func (a *AWS) client(in oidcInput) (oidcClient, *failure) {
	client, ok := a.oidc.clients[in.ClientID]
	if !ok || client.secret != in.ClientSecret || !a.now().Before(client.expires) {
		return oidcClient{}, &failure{401, "InvalidClientException", "Invalid client"}
	}
	return client, nil
}

func (a *AWS) startDevice(in oidcInput) (map[string]any, *failure) {
	if _, f := a.client(in); f != nil {
		return nil, f
	}
	if in.StartURL == "" {
		return nil, &failure{400, "InvalidRequestException", "startUrl is missing"}
	}
	code, user := "device-"+randomHex(40), strings.ToUpper(randomHex(4)+"-"+randomHex(4))
	a.oidc.devices[code] = &device{client: in.ClientID, userCode: user, expires: a.now().Add(a.DeviceLife)}
	return map[string]any{
		"deviceCode": code, "userCode": user, "expiresIn": int(a.DeviceLife.Seconds()), "interval": int(a.DeviceInterval.Seconds()),
		"verificationUri": a.URL + "/device", "verificationUriComplete": a.URL + "/device?user_code=" + user,
	}, nil
}

// devicePage is where a person's browser approves a device: opening it with the code is enough.
func (a *AWS) devicePage(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.oidc.devices {
		if d.userCode == r.URL.Query().Get("user_code") {
			d.approved = true
			fmt.Fprintln(w, "Request approved. You can close this window.")
			return
		}
	}
	http.Error(w, "Invalid code", http.StatusNotFound)
}

// ApproveAfter has each device approved at that poll, instead of by ApproveDevice or at its page.
func (a *AWS) ApproveAfter(polls int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.oidc.approveAfter = polls
}

// ApproveDevice is the person's yes to each device that waits for one.
func (a *AWS) ApproveDevice() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.oidc.devices {
		d.approved = true
	}
}

// DenyDevice is the person's no.
func (a *AWS) DenyDevice() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.oidc.devices {
		d.denied = true
	}
}

func (a *AWS) createToken(in oidcInput) (map[string]any, *failure) {
	client, f := a.client(in)
	if f != nil {
		return nil, f
	}
	switch in.GrantType {
	case deviceGrant:
		if f := a.pollDevice(in); f != nil {
			return nil, f
		}
	case refreshGrant:
		if of, ok := a.oidc.refresh[in.RefreshToken]; !ok || of != in.ClientID {
			return nil, &failure{400, "InvalidGrantException", "Invalid refresh token"}
		}
		delete(a.oidc.refresh, in.RefreshToken)
	default:
		return nil, &failure{400, "UnsupportedGrantTypeException", "no grant type " + in.GrantType}
	}
	access, refresh := a.newTokens(in.ClientID, a.SSOLife)
	out := map[string]any{"accessToken": access, "tokenType": "Bearer", "expiresIn": int(a.SSOLife.Seconds())}
	if client.refreshes {
		out["refreshToken"] = refresh
	}
	return out, nil
}

func (a *AWS) newTokens(client string, life time.Duration) (access, refresh string) {
	access, refresh = "aoa-"+randomHex(60), "aor-"+randomHex(60)
	a.oidc.access[access] = a.now().Add(life)
	a.oidc.refresh[refresh] = client
	return access, refresh
}

// pollDevice is nil once the device is approved; the code is then used up.
func (a *AWS) pollDevice(in oidcInput) *failure {
	d, ok := a.oidc.devices[in.DeviceCode]
	if !ok || d.client != in.ClientID {
		return &failure{400, "InvalidGrantException", "Invalid device code"}
	}
	now := a.now()
	soon := !d.polled.IsZero() && now.Sub(d.polled) < a.DeviceInterval*9/10 // a client's timer may be a little early
	d.polled = now
	d.polls++
	switch {
	case !now.Before(d.expires):
		return &failure{400, "ExpiredTokenException", "Device code has expired"}
	case soon:
		return &failure{400, "SlowDownException", "Too many requests"}
	case d.denied:
		return &failure{400, "AccessDeniedException", "The person said no"}
	case !d.approved && (a.oidc.approveAfter == 0 || d.polls < a.oidc.approveAfter):
		return &failure{400, "AuthorizationPendingException", "Authorization is still pending"}
	}
	delete(a.oidc.devices, in.DeviceCode)
	return nil
}

// SSOLogin returns the file, below a home, and the content that "aws sso login" leaves for an SSO
// session (AWS SDKs and Tools reference guide, "IAM Identity Center credential provider"); the
// file is named after the SHA-1 of the session's name, or of the start URL where there is none.
func (a *AWS) SSOLogin(home, session string, life time.Duration) (file string, content []byte) {
	return a.login(home, session, map[string]string{"accessToken": a.SSOToken}, life)
}

// SSORefreshableLogin is SSOLogin with an access token of its own, which the server forgets when
// its life is over, and with all that is needed to get the next one.
func (a *AWS) SSORefreshableLogin(home, session string, life time.Duration) (file string, content []byte) {
	a.mu.Lock()
	id, client := a.newClient(true)
	access, refresh := a.newTokens(id, life)
	a.mu.Unlock()
	return a.login(home, session, map[string]string{
		"accessToken": access, "refreshToken": refresh, "clientId": id, "clientSecret": client.secret,
		"registrationExpiresAt": client.expires.UTC().Format(time.RFC3339),
	}, life)
}

func (a *AWS) login(home, session string, members map[string]string, life time.Duration) (file string, content []byte) {
	members["startUrl"] = "https://testbed.awsapps.com/start"
	members["region"] = "eu-west-1"
	members["expiresAt"] = time.Now().Add(life).UTC().Format(time.RFC3339)
	content, _ = json.Marshal(members) // strings always can be
	sum := sha1.Sum([]byte(session))
	return filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"), content
}
