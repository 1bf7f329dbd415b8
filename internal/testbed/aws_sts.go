package testbed

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Assumed returns the parameters of each AssumeRole so far, with the caller's ARN as "Caller".
func (a *AWS) Assumed() []url.Values {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]url.Values(nil), a.requests...)
}

// DenyRole makes a role one that nobody may assume.
func (a *AWS) DenyRole(roleARN string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied[roleARN] = true
}

func (a *AWS) sts(w io.Writer, operation string, form url.Values, caller Key) *failure {
	x := xmlOut{w}
	switch operation {
	case "GetCallerIdentity":
		x.root("GetCallerIdentityResponse", "sts")
		x.open("GetCallerIdentityResult")
		x.text("Arn", caller.Owner)
		x.text("UserId", "AIDA")
		x.text("Account", accountOf(caller.Owner))
		x.close("GetCallerIdentityResult", "GetCallerIdentityResponse")
		return nil
	case "AssumeRole":
		form.Set("Caller", caller.Owner)
		a.mu.Lock()
		a.requests = append(a.requests, form)
		f := a.mayAssume(form, caller)
		a.mu.Unlock()
		if f != nil {
			return f
		}
	case "AssumeRoleWithWebIdentity":
		if strings.TrimSpace(form.Get("WebIdentityToken")) != a.WebToken {
			return &failure{400, "InvalidIdentityToken", "not the test server's token"}
		}
	default:
		return &failure{400, "InvalidAction", operation}
	}
	a.assumed(x, operation, form)
	return nil
}

// mayAssume is nil when a caller may assume a role (STS API reference, "AssumeRole"; IAM user
// guide, "Methods to assume a role" for chained roles).
func (a *AWS) mayAssume(form url.Values, caller Key) *failure {
	role := form.Get("RoleArn")
	if a.denied[role] {
		return &failure{403, "AccessDenied",
			fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", caller.Owner, role)}
	}
	if form.Has("SerialNumber") {
		code := form.Get("TokenCode")
		if code != a.MFACode || a.MFAOnce && a.usedCodes[code] {
			return &failure{403, "AccessDenied",
				"MultiFactorAuthentication failed with invalid MFA one time pass code. "}
		}
		a.usedCodes[code] = true
	}
	seconds, _ := strconv.Atoi(form.Get("DurationSeconds")) // none is 0: no more than allowed
	asked := time.Duration(seconds) * time.Second
	if a.MaxSession > 0 && asked > a.MaxSession {
		return &failure{400, "ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}
	}
	if asked > time.Hour && strings.Contains(caller.Owner, ":assumed-role/") {
		return &failure{400, "ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"}
	}
	return nil
}

func (a *AWS) assumed(x xmlOut, operation string, form url.Values) {
	owner := sessionARN(form.Get("RoleArn"), form.Get("RoleSessionName"))
	life := a.Life
	if s, err := strconv.Atoi(form.Get("DurationSeconds")); err == nil && time.Duration(s)*time.Second < life {
		life = time.Duration(s) * time.Second
	}
	key := a.issue(owner, life)
	x.root(operation+"Response", "sts")
	x.open(operation+"Result", "Credentials")
	x.text("AccessKeyId", key.ID)
	x.text("SecretAccessKey", key.Secret)
	x.text("SessionToken", key.SessionToken)
	x.text("Expiration", key.Expires.UTC().Format(time.RFC3339))
	x.close("Credentials")
	x.open("AssumedRoleUser")
	x.text("Arn", owner)
	x.text("AssumedRoleId", "AROA:x")
	x.close("AssumedRoleUser", operation+"Result", operation+"Response")
}

// sessionARN is who one is in a role: the role's path isn't in it.
func sessionARN(role, session string) string {
	p := strings.SplitN(role, ":", 6)
	if len(p) < 6 {
		return role + "/" + session
	}
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", p[1], p[4], p[5][strings.LastIndex(p[5], "/")+1:], session)
}
