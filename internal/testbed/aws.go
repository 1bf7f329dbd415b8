package testbed

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
)

// AWS is an AWS-like server on one URL, for all that the program asks of AWS: STS, SSO's portal and
// its OIDC service, the container endpoint, the EC2 metadata service, RDS, IAM, Secrets Manager, and
// the regions of EC2 and Account. The SDK finds it through its endpoint settings, which Env gives.
// Operations are named as in CloudTrail, such as AssumeRole, GetRoleCredentials, CreateToken,
// DescribeDBInstances; those that aren't there are Container, IMDSToken, IMDSRoles, IMDSCredentials.
type AWS struct {
	URL  string
	keys *Keys
	http *httptest.Server

	mu          sync.Mutex
	calls       map[callsOf]int
	fails       map[string][]failure
	faults      []*Fault
	delays      map[string]time.Duration
	requests    []url.Values // of AssumeRole
	denied      map[string]bool
	usedCodes   map[string]bool // of MFA
	servers     map[place]Servers
	fleets      []Fleet
	regions     map[string][]Region // by account
	policies    map[string]policy   // by the principal's ARN
	roles       map[string]bool     // by ARN
	simulations []Simulation
	oidc        oidc
	signIns     map[string]string // refresh tokens of console logins, and whose they are
	secrets     map[string]Secret // by ARN

	// What it gives out; set before the first call.
	Life           time.Duration // of temporary keys
	TokenLength    int           // of session tokens
	ContainerToken string        // what the container endpoint wants as Authorization
	IMDSv1         bool          // answer metadata questions without a token, and give none
	SSOToken       string        // the bearer token of a logged-in SSO session
	WebToken       string        // the web identity token that is accepted
	MaxSession     time.Duration // the longest session that a role allows; 0: any
	MFACode        string        // the only right one
	MFAOnce        bool          // a code is good for one call
	PageSize       int           // rows on a page, at most
	Skew           time.Duration // the server's clock against the machine's

	SSOLife        time.Duration // of the access tokens of CreateToken
	DeviceLife     time.Duration // of a device code
	DeviceInterval time.Duration // between polls; who asks sooner is told to slow down
}

// place is where servers are.
type place struct{ account, region string }

type callsOf struct{ account, operation string }

type failure struct {
	status  int
	code    string
	message string
}

// StartAWS starts a server that signs keys into existence.
func StartAWS(keys *Keys) *AWS {
	a := &AWS{
		keys: keys, calls: map[callsOf]int{}, fails: map[string][]failure{}, delays: map[string]time.Duration{},
		denied: map[string]bool{}, usedCodes: map[string]bool{}, servers: map[place]Servers{}, regions: map[string][]Region{},
		policies: map[string]policy{}, roles: map[string]bool{}, oidc: newOIDC(), signIns: map[string]string{},
		secrets: map[string]Secret{},
		Life:    time.Hour, TokenLength: 800, ContainerToken: "Bearer testbed", SSOToken: "sso-bearer",
		WebToken: "web-identity", MFACode: "123456", PageSize: 100, SSOLife: time.Hour, DeviceLife: 10 * time.Minute, DeviceInterval: time.Second,
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
	return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + a.URL + "/container",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN=" + a.ContainerToken}
}

// InstanceEnv are the settings of a process on an EC2 instance with a role.
func (a *AWS) InstanceEnv() []string {
	return []string{"AWS_EC2_METADATA_DISABLED=false", "AWS_EC2_METADATA_SERVICE_ENDPOINT=" + a.URL}
}

// Calls counts the calls of an operation, failed ones included.
func (a *AWS) Calls(operation string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for of, calls := range a.calls {
		if of.operation == operation {
			n += calls
		}
	}
	return n
}

// CallsBy counts the calls of an operation, or of all if it is "", that were made with an account's
// keys; those which ask for a role's keys count for the account of that role.
func (a *AWS) CallsBy(account, operation string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for of, calls := range a.calls {
		if of.account == account && (operation == "" || of.operation == operation) {
			n += calls
		}
	}
	return n
}

// Fail makes the next n calls of an operation fail.
func (a *AWS) Fail(operation string, n, status int, code, message string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range n {
		a.fails[operation] = append(a.fails[operation], failure{status, code, message})
	}
}

// Fault makes calls fail from now on: those that match what isn't empty of its first three fields.
// It fails in the manner of the service that is called.
type Fault struct {
	Account   string // as CallsBy has it
	Region    string // that the call was signed for
	Operation string

	Every         int // only each such call; 0 and 1: all
	Status        int
	Code, Message string

	matched int
}

// Break adds a fault. The first one that matches a call is the one that it meets.
func (a *AWS) Break(f Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, &f)
}

// Throttle makes each everyNth call of an operation fail for coming too soon; 1 is all of them.
func (a *AWS) Throttle(operation string, everyNth int) {
	code := "Throttling"
	if operation == "GetSecretValue" || operation == "DescribeSecret" {
		code = "ThrottlingException"
	}
	a.Break(Fault{Operation: operation, Every: everyNth, Status: 400, Code: code, Message: "Rate exceeded"})
}

// Mend ends all faults.
func (a *AWS) Mend() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = nil
}

// Delay makes every further call of an operation take a while.
func (a *AWS) Delay(operation string, d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delays[operation] = d
}

// No AWS answers sooner. The SDK closes a request's body once it has the answer, and if it isn't
// done with sending by then, it breaks the connection (smithy-go's WriteTo gives io.EOF as an
// error).
const minDelay = time.Millisecond

// begin counts a call and gives its failure, or nil.
func (a *AWS) begin(r *http.Request, operation string, at place) *failure {
	a.mu.Lock()
	a.calls[callsOf{at.account, operation}]++
	delay := max(a.delays[operation], minDelay)
	f := a.fault(operation, at)
	a.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
	}
	return f
}

func (a *AWS) fault(operation string, at place) *failure {
	if queue := a.fails[operation]; len(queue) > 0 {
		a.fails[operation] = queue[1:]
		return &queue[0]
	}
	for _, f := range a.faults {
		if f.Account != "" && f.Account != at.account || f.Region != "" && f.Region != at.region ||
			f.Operation != "" && f.Operation != operation {
			continue
		}
		if f.matched++; f.Every < 2 || f.matched%f.Every == 0 {
			return &failure{f.Status, f.Code, f.Message}
		}
	}
	return nil
}

// now is the server's time.
func (a *AWS) now() time.Time { return time.Now().Add(a.Skew) }

// issue makes a key that lives, by the server's clock, for a while.
func (a *AWS) issue(owner string, life time.Duration) Key {
	return a.keys.Issue(owner, life+a.Skew, a.TokenLength)
}

func (a *AWS) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Date", a.now().UTC().Format(http.TimeFormat))
	switch path := r.URL.Path; {
	case path == "/container":
		a.container(w, r)
	case path == "/latest/api/token":
		a.metadataToken(w, r)
	case strings.HasPrefix(path, "/latest/meta-data/iam/security-credentials/"):
		a.metadata(w, r, strings.TrimPrefix(path, "/latest/meta-data/iam/security-credentials/"))
	case path == "/federation/credentials":
		a.sso(w, r)
	case path == "/device":
		a.devicePage(w, r)
	case r.Method != http.MethodPost:
		http.NotFound(w, r)
	case path == "/client/register":
		a.serveOIDC(w, r, body, "RegisterClient", a.registerClient)
	case path == "/device_authorization":
		a.serveOIDC(w, r, body, "StartDeviceAuthorization", a.startDevice)
	case path == "/token":
		a.serveOIDC(w, r, body, "CreateToken", a.createToken)
	case path == "/v1/token":
		a.signIn(w, r, body)
	case path == "/listRegions":
		a.listRegions(w, r, body)
	case path == "/" && strings.HasPrefix(r.Header.Get("X-Amz-Target"), secretsTarget):
		a.secretsManager(w, r, body)
	case path == "/":
		a.query(w, r, body)
	default:
		http.NotFound(w, r)
	}
}

// query answers the services whose requests are forms: STS, RDS, IAM and EC2. Which one it is
// stands in the signature's scope, as they share names of operations.
func (a *AWS) query(w http.ResponseWriter, r *http.Request, body []byte) {
	scope := scopeOf(r)
	w.Header().Set("Content-Type", "text/xml")
	form, err := url.ParseQuery(string(body))
	if err != nil {
		xmlError(w, scope.service, failure{400, "MalformedQueryString", "not a query"})
		return
	}
	operation := form.Get("Action")
	at := place{a.account(scope), scope.region}
	if role := form.Get("RoleArn"); role != "" {
		at.account = accountOf(role)
	}
	f := a.begin(r, operation, at)
	var caller Key
	if f == nil && operation != "AssumeRoleWithWebIdentity" {
		caller, f = a.verify(r, body)
	}
	if f == nil {
		switch scope.service {
		case "sts", "":
			f = a.sts(w, operation, form, caller)
		case "rds":
			f = a.rds(w, operation, form, at)
		case "iam":
			f = a.iam(w, operation, form, caller)
		case "ec2":
			f = a.ec2(w, operation, form, at)
		default:
			f = &failure{400, "InvalidAction", "no service " + scope.service}
		}
	}
	if f != nil {
		xmlError(w, scope.service, *f)
	}
}

// scopeOf reads who claims to call which service, and where. An unsigned call has the empty scope.
func scopeOf(r *http.Request) scope {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ := strings.Cut(rest, ",")
	s, _ := parseScope(credential)
	return s
}

// account is that of the key which a call names.
func (a *AWS) account(s scope) string {
	key, _ := a.keys.Find(s.keyID)
	return accountOf(key.Owner)
}

// accountOf is the account's number in an ARN.
func accountOf(arn string) string {
	if p := strings.SplitN(arn, ":", 6); len(p) == 6 {
		return p[4]
	}
	return ""
}

// verify checks who calls, and when, as the service in the scope does.
func (a *AWS) verify(r *http.Request, body []byte) (Key, *failure) {
	s, now := scopeOf(r), a.now()
	const layout, tolerance = "20060102T150405Z", 5 * time.Minute
	date := r.Header.Get("X-Amz-Date")
	// An unreadable date is a matter for VerifyRequest: it is signed.
	if signed, err := time.Parse(layout, date); err == nil && s.keyID != "" {
		early, late := now.Add(-tolerance), now.Add(tolerance)
		text := func(t time.Time) string { return t.UTC().Format(layout) }
		if signed.Before(early) {
			return Key{}, refused(s.service, "SignatureDoesNotMatch",
				fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)", date, text(early), text(now)))
		}
		if signed.After(late) {
			return Key{}, refused(s.service, "SignatureDoesNotMatch",
				fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", date, text(late),
					text(now)))
		}
	}
	key, err := a.keys.VerifyRequest(r, body, s.service, now)
	if err != nil {
		message, known := map[string]string{
			"MissingAuthenticationToken": "Request is missing Authentication Token",
			"InvalidClientTokenId":       "The security token included in the request is invalid.",
			"ExpiredToken":               "The security token included in the request is expired",
			"SignatureDoesNotMatch":      "The request signature we calculated does not match the signature you provided.",
		}[err.Error()]
		if !known {
			return Key{}, refused(s.service, "IncompleteSignature", err.Error())
		}
		return Key{}, refused(s.service, err.Error(), message)
	}
	if a.disabled(place{accountOf(key.Owner), s.region}) {
		return Key{}, refused(s.service, "InvalidClientTokenId",
			"The security token included in the request is invalid.")
	}
	return key, nil
}

// refused says that a caller isn't let in, in the service's own words: EC2 and the JSON services
// have other codes than the rest (the "common errors" of each one's API reference).
func refused(service, code, message string) *failure {
	other := map[string]map[string]failure{
		"ec2": {
			"InvalidClientTokenId": {401, "AuthFailure",
				"AWS was not able to validate the provided access credentials"},
			"SignatureDoesNotMatch": {401, "AuthFailure", message},
			"ExpiredToken":          {400, "RequestExpired", "Request has expired."},
		},
		"account": {
			"InvalidClientTokenId":  {403, "UnrecognizedClientException", message},
			"SignatureDoesNotMatch": {403, "InvalidSignatureException", message},
			"ExpiredToken":          {403, "ExpiredTokenException", message},
		},
		"secretsmanager": {
			"InvalidClientTokenId":  {400, "UnrecognizedClientException", message},
			"SignatureDoesNotMatch": {400, "InvalidSignatureException", message},
			"ExpiredToken":          {400, "ExpiredTokenException", message},
		},
	}
	if f, ok := other[service][code]; ok {
		return &f
	}
	return &failure{403, code, message}
}

// The services' XML namespaces.
var namespaces = map[string]string{
	"":    "https://sts.amazonaws.com/doc/2011-06-15/",
	"sts": "https://sts.amazonaws.com/doc/2011-06-15/",
	"rds": "http://rds.amazonaws.com/doc/2014-10-31/",
	"iam": "https://iam.amazonaws.com/doc/2010-05-08/",
	"ec2": "http://ec2.amazonaws.com/doc/2016-11-15/",
}

func xmlError(w http.ResponseWriter, service string, f failure) {
	w.WriteHeader(f.status)
	x := xmlOut{w}
	if service == "ec2" {
		x.open("Response", "Errors", "Error")
		x.text("Code", f.code)
		x.text("Message", f.message)
		x.close("Error", "Errors")
		x.text("RequestID", "testbed")
		x.close("Response")
		return
	}
	x.root("ErrorResponse", service)
	x.open("Error")
	x.text("Type", "Sender")
	x.text("Code", f.code)
	x.text("Message", f.message)
	x.close("Error")
	x.text("RequestId", "testbed")
	x.close("ErrorResponse")
}

func jsonError(w http.ResponseWriter, f failure) {
	w.Header().Set("X-Amzn-ErrorType", f.code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	writeJSON(w, map[string]string{"message": f.message})
}

func (a *AWS) container(w http.ResponseWriter, r *http.Request) {
	if f := a.begin(r, "Container", place{}); f != nil {
		http.Error(w, f.message, f.status)
		return
	}
	if r.Header.Get("Authorization") != a.ContainerToken {
		http.Error(w, "wrong Authorization", http.StatusUnauthorized)
		return
	}
	key := a.issue("arn:aws:sts::123456789012:assumed-role/task/container", a.Life)
	writeJSON(w, map[string]string{
		"AccessKeyId": key.ID, "SecretAccessKey": key.Secret, "Token": key.SessionToken,
		"Expiration": key.Expires.UTC().Format(time.RFC3339),
	})
}

func (a *AWS) metadataToken(w http.ResponseWriter, r *http.Request) {
	if f := a.begin(r, "IMDSToken", place{}); f != nil {
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
	if f := a.begin(r, operation, place{}); f != nil {
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
	key := a.issue("arn:aws:sts::123456789012:assumed-role/"+role+"/i-0123", a.Life)
	writeJSON(w, map[string]string{
		"Code": "Success", "AccessKeyId": key.ID, "SecretAccessKey": key.Secret, "Token": key.SessionToken,
		"Expiration": key.Expires.UTC().Format(time.RFC3339),
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone, if anything
}
