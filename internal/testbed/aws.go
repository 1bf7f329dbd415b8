package testbed

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// AWS is an AWS-like server for what gives out credentials: STS, SSO's portal, the container
// endpoint and the EC2 metadata service. The SDK finds it through its endpoint settings, which
// Env gives. Operations are named as in CloudTrail: AssumeRole, AssumeRoleWithWebIdentity,
// GetCallerIdentity, GetRoleCredentials, and Container, IMDSToken, IMDSRoles, IMDSCredentials.
type AWS struct {
	URL  string
	keys *Keys
	http *httptest.Server

	mu       sync.Mutex
	calls    map[string]int
	fails    map[string][]failure
	delays   map[string]time.Duration
	requests []url.Values // of AssumeRole

	// What it gives out; set before the first call.
	Life           time.Duration // of temporary keys
	TokenLength    int           // of session tokens
	ContainerToken string        // what the container endpoint wants as Authorization
	IMDSv1         bool          // answer metadata questions without a token, and give none
	SSOToken       string        // the bearer token of a logged-in SSO session
	WebToken       string        // the web identity token that is accepted
}

type failure struct {
	status  int
	code    string
	message string
}

// StartAWS starts a server that signs keys into existence.
func StartAWS(keys *Keys) *AWS {
	a := &AWS{
		keys: keys, calls: map[string]int{}, fails: map[string][]failure{}, delays: map[string]time.Duration{},
		Life: time.Hour, TokenLength: 800, ContainerToken: "Bearer testbed", SSOToken: "sso-bearer", WebToken: "web-identity",
	}
	a.http = httptest.NewServer(http.HandlerFunc(a.serve))
	a.URL = a.http.URL
	return a
}

// Close ends the server.
func (a *AWS) Close() { a.http.Close() }

// Env are the settings that lead the SDK to the server. The metadata service stays switched off.
func (a *AWS) Env() []string {
	return []string{"AWS_ENDPOINT_URL=" + a.URL}
}

// ContainerEnv are the settings of a process in a container with a role.
func (a *AWS) ContainerEnv() []string {
	return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + a.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + a.ContainerToken}
}

// InstanceEnv are the settings of a process on an EC2 instance with a role.
func (a *AWS) InstanceEnv() []string {
	return []string{"AWS_EC2_METADATA_DISABLED=false", "AWS_EC2_METADATA_SERVICE_ENDPOINT=" + a.URL}
}

// Calls counts the calls of an operation, failed ones included.
func (a *AWS) Calls(operation string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[operation]
}

// Fail makes the next n calls of an operation fail.
func (a *AWS) Fail(operation string, n, status int, code, message string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range n {
		a.fails[operation] = append(a.fails[operation], failure{status, code, message})
	}
}

// Delay makes every further call of an operation take a while.
func (a *AWS) Delay(operation string, d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delays[operation] = d
}

// Assumed gives the parameters of each AssumeRole so far, with the caller's ARN as "Caller".
func (a *AWS) Assumed() []url.Values {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]url.Values(nil), a.requests...)
}

// begin counts a call and gives its failure, if it is to fail.
func (a *AWS) begin(r *http.Request, operation string) (failure, bool) {
	a.mu.Lock()
	a.calls[operation]++
	delay := a.delays[operation]
	var f failure
	queue := a.fails[operation]
	failing := len(queue) > 0
	if failing {
		f, a.fails[operation] = queue[0], queue[1:]
	}
	a.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
	}
	return f, failing
}

func (a *AWS) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch path := r.URL.Path; {
	case path == "/container":
		a.container(w, r)
	case path == "/latest/api/token":
		a.metadataToken(w, r)
	case strings.HasPrefix(path, "/latest/meta-data/iam/security-credentials/"):
		a.metadata(w, r, strings.TrimPrefix(path, "/latest/meta-data/iam/security-credentials/"))
	case path == "/federation/credentials":
		a.sso(w, r)
	case path == "/" && r.Method == http.MethodPost:
		a.sts(w, r, body)
	default:
		http.NotFound(w, r)
	}
}

func (a *AWS) sts(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		stsError(w, failure{400, "MalformedQueryString", "not a query"})
		return
	}
	operation := form.Get("Action")
	if f, failing := a.begin(r, operation); failing {
		stsError(w, f)
		return
	}
	var caller Key
	if operation != "AssumeRoleWithWebIdentity" {
		if caller, err = a.keys.VerifyRequest(r, body, "sts", time.Now()); err != nil {
			stsError(w, failure{403, err.Error(), "refused by the test server"})
			return
		}
	}
	switch operation {
	case "GetCallerIdentity":
		fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
			`<Arn>%s</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, caller.Owner)
	case "AssumeRole":
		form.Set("Caller", caller.Owner)
		a.mu.Lock()
		a.requests = append(a.requests, form)
		a.mu.Unlock()
		a.assumed(w, operation, form)
	case "AssumeRoleWithWebIdentity":
		if strings.TrimSpace(form.Get("WebIdentityToken")) != a.WebToken {
			stsError(w, failure{400, "InvalidIdentityToken", "not the test server's token"})
			return
		}
		a.assumed(w, operation, form)
	default:
		stsError(w, failure{400, "InvalidAction", operation})
	}
}

func (a *AWS) assumed(w http.ResponseWriter, operation string, form url.Values) {
	owner := strings.Replace(form.Get("RoleArn"), ":iam:", ":sts:", 1) + "/" + form.Get("RoleSessionName")
	life := a.Life
	if s, err := strconv.Atoi(form.Get("DurationSeconds")); err == nil && time.Duration(s)*time.Second < life {
		life = time.Duration(s) * time.Second
	}
	key := a.keys.Issue(owner, life, a.TokenLength)
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult>`+
		`<Credentials><AccessKeyId>%[2]s</AccessKeyId><SecretAccessKey>%[3]s</SecretAccessKey>`+
		`<SessionToken>%[4]s</SessionToken><Expiration>%[5]s</Expiration></Credentials>`+
		`<AssumedRoleUser><Arn>%[6]s</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser></%[1]sResult></%[1]sResponse>`,
		operation, key.ID, key.Secret, key.SessionToken, key.Expires.UTC().Format(time.RFC3339), owner)
}

func stsError(w http.ResponseWriter, f failure) {
	w.WriteHeader(f.status)
	var message strings.Builder
	_ = xml.EscapeText(&message, []byte(f.message)) // a strings.Builder takes everything
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code>`+
		`<Message>%s</Message></Error><RequestId>testbed</RequestId></ErrorResponse>`, f.code, message.String())
}

func (a *AWS) container(w http.ResponseWriter, r *http.Request) {
	if f, failing := a.begin(r, "Container"); failing {
		http.Error(w, f.message, f.status)
		return
	}
	if r.Header.Get("Authorization") != a.ContainerToken {
		http.Error(w, "wrong Authorization", http.StatusUnauthorized)
		return
	}
	key := a.keys.Issue("arn:aws:sts::123456789012:assumed-role/task/container", a.Life, a.TokenLength)
	writeJSON(w, map[string]string{
		"AccessKeyId": key.ID, "SecretAccessKey": key.Secret, "Token": key.SessionToken,
		"Expiration": key.Expires.UTC().Format(time.RFC3339),
	})
}

func (a *AWS) metadataToken(w http.ResponseWriter, r *http.Request) {
	if f, failing := a.begin(r, "IMDSToken"); failing {
		http.Error(w, f.message, f.status)
		return
	}
	if a.IMDSv1 {
		http.Error(w, "no tokens here", http.StatusForbidden)
		return
	}
	w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
	fmt.Fprint(w, "imds-token")
}

func (a *AWS) metadata(w http.ResponseWriter, r *http.Request, role string) {
	operation := "IMDSCredentials"
	if role == "" {
		operation = "IMDSRoles"
	}
	if f, failing := a.begin(r, operation); failing {
		http.Error(w, f.message, f.status)
		return
	}
	if !a.IMDSv1 && r.Header.Get("X-Aws-Ec2-Metadata-Token") != "imds-token" {
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	if role == "" {
		fmt.Fprint(w, "instance-role")
		return
	}
	key := a.keys.Issue("arn:aws:sts::123456789012:assumed-role/"+role+"/i-0123", a.Life, a.TokenLength)
	writeJSON(w, map[string]string{
		"Code": "Success", "AccessKeyId": key.ID, "SecretAccessKey": key.Secret, "Token": key.SessionToken,
		"Expiration": key.Expires.UTC().Format(time.RFC3339),
	})
}

func (a *AWS) sso(w http.ResponseWriter, r *http.Request) {
	if f, failing := a.begin(r, "GetRoleCredentials"); failing {
		w.Header().Set("X-Amzn-ErrorType", f.code)
		http.Error(w, `{"message":`+quote(f.message)+`}`, f.status)
		return
	}
	if r.Header.Get("X-Amz-Sso_bearer_token") != a.SSOToken {
		w.Header().Set("X-Amzn-ErrorType", "UnauthorizedException")
		http.Error(w, `{"message":"Session token not found or invalid"}`, http.StatusUnauthorized)
		return
	}
	key := a.keys.Issue("arn:aws:sts::123456789012:assumed-role/sso/user", a.Life, a.TokenLength)
	writeJSON(w, map[string]any{"roleCredentials": map[string]any{
		"accessKeyId": key.ID, "secretAccessKey": key.Secret, "sessionToken": key.SessionToken,
		"expiration": key.Expires.UnixMilli(),
	}})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone, if anything
}

// SSOLogin gives the file, below a home, and the content that "aws sso login" leaves for an SSO
// session (AWS SDKs and Tools reference guide, "IAM Identity Center credential provider"); the
// file is named after the SHA-1 of the session's name.
func (a *AWS) SSOLogin(home, session string, life time.Duration) (file string, content []byte) {
	sum := sha1.Sum([]byte(session))
	text := fmt.Sprintf(`{"startUrl":"https://testbed.awsapps.com/start","region":"eu-west-1","accessToken":%q,"expiresAt":%q}`,
		a.SSOToken, time.Now().Add(life).UTC().Format(time.RFC3339))
	return filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"), []byte(text)
}
