package testbed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Endpoint is what a token may be signed for.
type Endpoint struct {
	Host   string
	Port   int
	Region string
}

// VerifyToken checks an RDS IAM token as RDS does (RDS user guide, "IAM database
// authentication"; IAM user guide, "Create a signed AWS API request"): a presigned GET of the
// endpoint without its https://, for service rds-db, by a known key, no older than its 900
// seconds, for this user and one of these endpoints. The error says what is wrong with it.
func (k *Keys) VerifyToken(token, user string, endpoints []Endpoint, now time.Time) error {
	u, err := url.Parse("https://" + token)
	if err != nil {
		return errors.New("not a URL without its scheme")
	}
	if u.User != nil || strings.Contains(token, "#") { // url.Parse takes them off the host and the query
		return errors.New("a user name before the host, or a fragment")
	}
	if u.Path != "" && u.Path != "/" { // the AWS CLI writes the slash, the SDKs don't
		return fmt.Errorf("path %q", u.Path)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("not a query")
	}
	for name, values := range q {
		if len(values) != 1 {
			return fmt.Errorf("%s given %d times", name, len(values))
		}
	}
	for name, want := range map[string]string{
		"Action": "connect", "DBUser": user, "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
		"X-Amz-Expires": "900", "X-Amz-SignedHeaders": "host",
	} {
		if got := q.Get(name); got != want {
			return fmt.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return u.Host == e.Host+":"+strconv.Itoa(e.Port) })
	if i < 0 {
		return fmt.Errorf("signed for %s, which is not this server", u.Host)
	}
	scope, err := parseScope(q.Get("X-Amz-Credential"))
	if err != nil {
		return err
	}
	if scope.region != endpoints[i].Region || scope.service != "rds-db" {
		return fmt.Errorf("signed for %s in %s, not rds-db in %s", scope.service, scope.region, endpoints[i].Region)
	}
	signedAt, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	if err != nil {
		return errors.New("X-Amz-Date is no date")
	}
	if signedAt.Format("20060102") != scope.date {
		return errors.New("X-Amz-Date and the credential's date differ")
	}
	if age := now.Sub(signedAt); age > 15*time.Minute || age < -5*time.Minute {
		return fmt.Errorf("signed %v ago", age.Round(time.Second))
	}
	key, ok := k.Find(scope.keyID)
	if !ok {
		return fmt.Errorf("no key %s", scope.keyID)
	}
	if err := key.usable(q.Get("X-Amz-Security-Token"), now); err != nil {
		return err
	}
	signature := q.Get("X-Amz-Signature")
	q.Del("X-Amz-Signature")
	canonical := strings.Join([]string{
		"GET", "/", canonicalQuery(q), "host:" + u.Host, "", "host", hexSum(nil),
	}, "\n")
	if !hmac.Equal([]byte(signature), []byte(key.sign(scope, q.Get("X-Amz-Date"), canonical))) {
		return errors.New("the signature doesn't match")
	}
	return nil
}

// VerifyRequest checks the Authorization header of a request to an AWS service and gives the key
// that signed it.
func (k *Keys) VerifyRequest(r *http.Request, body []byte, service string, now time.Time) (Key, error) {
	fields, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return Key{}, errors.New("MissingAuthenticationToken")
	}
	part := map[string]string{}
	for _, f := range strings.Split(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(f), "=")
		part[name] = value
	}
	scope, err := parseScope(part["Credential"])
	if err != nil {
		return Key{}, err
	}
	key, ok := k.Find(scope.keyID)
	if !ok {
		return Key{}, errors.New("InvalidClientTokenId")
	}
	if err := key.usable(r.Header.Get("X-Amz-Security-Token"), now); err != nil {
		return Key{}, errors.New("ExpiredToken")
	}
	var headers strings.Builder
	for _, name := range strings.Split(part["SignedHeaders"], ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	canonical := strings.Join([]string{
		r.Method, r.URL.EscapedPath(), canonicalQuery(r.URL.Query()), headers.String(), part["SignedHeaders"], hexSum(body),
	}, "\n")
	if scope.service != service || part["Signature"] != key.sign(scope, r.Header.Get("X-Amz-Date"), canonical) {
		return Key{}, errors.New("SignatureDoesNotMatch")
	}
	return key, nil
}

type scope struct{ keyID, date, region, service string }

func parseScope(s string) (scope, error) {
	p := strings.Split(s, "/")
	if len(p) != 5 || p[4] != "aws4_request" {
		return scope{}, errors.New("the credential scope has the wrong form")
	}
	return scope{p[0], p[1], p[2], p[3]}, nil
}

// sign computes the signature of a canonical request.
func (key Key) sign(s scope, date, canonical string) string {
	text := strings.Join([]string{
		"AWS4-HMAC-SHA256", date, s.date + "/" + s.region + "/" + s.service +
			"/aws4_request", hexSum([]byte(canonical)),
	}, "\n")
	secret := []byte("AWS4" + key.Secret)
	for _, word := range []string{s.date, s.region, s.service, "aws4_request", text} {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(word))
		secret = mac.Sum(nil)
	}
	return hex.EncodeToString(secret)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// canonicalQuery sorts the parameters by name and encodes all but RFC 3986's unreserved characters.
func canonicalQuery(q url.Values) string {
	var pairs []string
	for name, values := range q {
		for _, v := range values {
			pairs = append(pairs, uriEncode(name)+"="+uriEncode(v))
		}
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "&")
}

func uriEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
