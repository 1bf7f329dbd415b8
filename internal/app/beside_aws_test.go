package app_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// besideAWS answers for STS, the SSO portal, its OIDC service, the sign-in service, a container's
// endpoint and an instance's metadata. The keys
// that it gives out are a function of what they were asked with, so that who asks for something
// else, or as somebody else, gets others. Below /one and /two it answers, too, and hears where it
// was asked.
type besideAWS struct {
	mu    sync.Mutex
	calls []string
}

// heard returns the calls so far.
func (s *besideAWS) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// hear notes a call: where it came to, and what was asked.
func (s *besideAWS) hear(operation, at string, asked ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, strings.Join(append([]string{operation, "at " + at}, asked...), " "))
}

func (s *besideAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	at, path := strings.ToLower(r.Host), strings.TrimSuffix(r.URL.Path, "/")
	if r.TLS == nil {
		at = "?"
		for _, here := range []string{"/one", "/two"} {
			if rest, ok := strings.CutPrefix(path, here); ok {
				at, path = here, rest
			}
		}
	}
	switch path {
	case "/federation/credentials":
		s.portal(w, r, at)
	case "/token":
		s.createToken(w, body, at)
	case "/v1/token":
		s.signIn(w, body, at)
	case "/latest/api/token":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
		_, _ = io.WriteString(w, "metadata-token")
	case "/latest/meta-data/placement/availability-zone":
		_, _ = io.WriteString(w, "eu-west-1a")
	case "/latest/meta-data/iam/security-credentials":
		_, _ = io.WriteString(w, "machine")
	case "/latest/meta-data/iam/security-credentials/machine":
		s.instance(w)
	case "/container":
		s.container(w, r)
	case "":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			http.Error(w, "not a form", http.StatusBadRequest)
			return
		}
		s.sts(w, r, form, at)
	default:
		s.hear("unknown "+path, at)
		http.NotFound(w, r)
	}
}

// fixed is what an AWS key looks like that is a function of something.
func fixed(of ...string) (id, secret, token string) {
	sum := sha256.Sum256([]byte(strings.Join(of, "\x00")))
	text := hex.EncodeToString(sum[:])
	return "ASIA" + strings.ToUpper(text[:16]), text[16:48], "token-" + text[48:]
}

// signer reads who signed a request, and for which region.
func signer(r *http.Request) (keyID, region string) {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	part := strings.Split(credential, "/")
	if len(part) < 5 {
		return "nobody", "-"
	}
	return part[0], part[2]
}

// The forms of STS's answers (STS API reference).
const (
	stsAnswer = `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult>` +
		`<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>` +
		`<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>` +
		`<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/x/y</Arn>` +
		`<AssumedRoleId>AROA:y</AssumedRoleId></AssumedRoleUser></%[1]sResult></%[1]sResponse>`
	stsIdentity = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">` +
		`<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>AIDA</UserId>` +
		`<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	stsRefusal = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>` +
		`<Type>Sender</Type><Code>ValidationError</Code>` +
		`<Message>a parameter is too short or too small</Message></Error></ErrorResponse>`
)

func (s *besideAWS) sts(w http.ResponseWriter, r *http.Request, form url.Values, at string) {
	w.Header().Set("Content-Type", "text/xml")
	operation := form.Get("Action")
	if operation == "GetCallerIdentity" { // we ask whether session keys are still good
		_, _ = io.WriteString(w, stsIdentity)
		return
	}
	by, region := signer(r)
	asked := []string{"in " + region, "by " + by, "token " + r.Header.Get("X-Amz-Security-Token")}
	// Who names no session or no length gets a different one from each program.
	if name := form.Get("RoleSessionName"); strings.HasPrefix(name, "botocore-session-") || name == "mysql-dba" {
		form.Del("RoleSessionName")
	}
	if form.Get("DurationSeconds") == "3600" {
		form.Del("DurationSeconds")
	}
	for _, name := range []string{
		"RoleArn", "RoleSessionName", "ExternalId", "SerialNumber", "TokenCode", "DurationSeconds", "WebIdentityToken",
	} {
		if form.Has(name) {
			asked = append(asked, fmt.Sprintf("%s=%q", name, form.Get(name)))
		}
	}
	s.hear(operation, at, asked...)
	if invalid(form) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, stsRefusal)
		return
	}
	id, secret, token := fixed(append([]string{operation}, asked...)...)
	ends := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	fmt.Fprintf(w, stsAnswer, operation, id, secret, token, ends)
}

// shortest are the lengths below which STS refuses a parameter (STS API reference, "AssumeRole").
var shortest = map[string]int{
	"RoleArn": 20, "RoleSessionName": 2, "ExternalId": 2, "SerialNumber": 9, "WebIdentityToken": 4,
}

// invalid reports whether STS would refuse a parameter. The CLI itself does, before it asks.
func invalid(form url.Values) bool {
	for name, length := range shortest {
		if form.Has(name) && len(form.Get(name)) < length {
			return true
		}
	}
	seconds, err := strconv.Atoi(form.Get("DurationSeconds"))
	return form.Has("DurationSeconds") && (err != nil || seconds < 900 || seconds > 43200)
}

func (s *besideAWS) portal(w http.ResponseWriter, r *http.Request, at string) {
	q := r.URL.Query()
	asked := []string{
		fmt.Sprintf("account=%q", q.Get("account_id")), fmt.Sprintf("role=%q", q.Get("role_name")),
		fmt.Sprintf("bearer=%q", r.Header.Get("X-Amz-Sso_bearer_token")),
	}
	s.hear("GetRoleCredentials", at, asked...)
	if r.Header.Get("X-Amz-Sso_bearer_token") == "" || q.Get("account_id") == "" || q.Get("role_name") == "" {
		w.Header().Set("X-Amzn-ErrorType", "UnauthorizedException")
		replyJSON(w, http.StatusUnauthorized, map[string]any{"message": "something is missing"})
		return
	}
	id, secret, token := fixed(asked...)
	replyJSON(w, http.StatusOK, map[string]any{"roleCredentials": map[string]any{
		"accessKeyId": id, "secretAccessKey": secret, "sessionToken": token,
		"expiration": time.Now().Add(time.Hour).UnixMilli(),
	}})
}

// createToken gives an access token for a refresh token that begins with "good".
func (s *besideAWS) createToken(w http.ResponseWriter, body []byte, at string) {
	var in struct{ ClientID, ClientSecret, GrantType, RefreshToken string }
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	s.hear("CreateToken", at, in.GrantType, in.ClientID, in.ClientSecret, in.RefreshToken)
	if !strings.HasPrefix(in.RefreshToken, "good") {
		w.Header().Set("X-Amzn-ErrorType", "InvalidGrantException")
		replyJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "no"})
		return
	}
	replyJSON(w, http.StatusOK, map[string]any{
		"accessToken": "refreshed-" + in.RefreshToken, "tokenType": "Bearer", "expiresIn": 3600,
		"refreshToken": "good-next",
	})
}

// signIn renews what "aws login" got, for a refresh token that begins with "good".
func (s *besideAWS) signIn(w http.ResponseWriter, body []byte, at string) {
	var in struct{ ClientID, GrantType, RefreshToken string }
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	s.hear("CreateOAuth2Token", at, in.GrantType, in.ClientID, in.RefreshToken)
	if !strings.HasPrefix(in.RefreshToken, "good") {
		w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
		replyJSON(w, http.StatusForbidden, map[string]any{"error": "TOKEN_EXPIRED", "message": "no"})
		return
	}
	id, secret, token := fixed("login", in.RefreshToken)
	replyJSON(w, http.StatusOK, map[string]any{
		"accessToken": map[string]any{"accessKeyId": id, "secretAccessKey": secret, "sessionToken": token},
		"tokenType":   "aws_sigv4", "expiresIn": 900, "refreshToken": "good-next",
	})
}

func (s *besideAWS) container(w http.ResponseWriter, r *http.Request) {
	authorization := r.Header.Get("Authorization")
	s.hear("Container", fmt.Sprintf("%q", authorization))
	id, secret, token := fixed("container", authorization)
	replyJSON(w, http.StatusOK, map[string]any{
		"AccessKeyId": id, "SecretAccessKey": secret, "Token": token,
		"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	})
}

// instance is the metadata service of an EC2 instance. How often it is asked is each program's own.
func (s *besideAWS) instance(w http.ResponseWriter) {
	id, secret, token := fixed("instance")
	replyJSON(w, http.StatusOK, map[string]any{
		"Code": "Success", "AccessKeyId": id, "SecretAccessKey": secret, "Token": token,
		"LastUpdated": time.Now().UTC().Format(time.RFC3339),
		"Expiration":  time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	})
}

func replyJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone, if anything
}
