package testbed

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The stages of a secret's versions.
const (
	stageCurrent  = "AWSCURRENT"
	stagePending  = "AWSPENDING"
	stagePrevious = "AWSPREVIOUS"
)

// Secret is a secret of Secrets Manager, in the account and region of its ARN.
type Secret struct {
	ARN       string            // with the hyphen and the six characters that AWS adds to the name
	Name      string            // "": what the ARN says
	Stages    map[string]string // the values, by AWSCURRENT, AWSPENDING and AWSPREVIOUS
	Binary    bool              // a value comes as SecretBinary, not as SecretString
	KMSDenied bool              // who may read it may not use its key
	Deleted   bool              // scheduled for deletion
	Readers   []string          // the other accounts that may read it

	created time.Time
}

// SetSecret adds a secret, or replaces the one with its ARN.
func (a *AWS) SetSecret(s Secret) {
	s.Stages, s.Readers = maps.Clone(s.Stages), slices.Clone(s.Readers)
	if s.Stages == nil {
		s.Stages = map[string]string{}
	}
	if s.Name == "" {
		_, partial, _ := strings.Cut(partialARN(s.ARN), ":secret:")
		s.Name = partial
	}
	s.created = a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secrets[s.ARN] = s
}

// BeginRotation gives a secret a new value as AWSPENDING. There has to be a secret with that ARN.
func (a *AWS) BeginRotation(arn, value string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mustHaveSecret(arn).Stages[stagePending] = value
}

// EndRotation makes AWSPENDING AWSCURRENT, and what was that AWSPREVIOUS. Nothing is AWSPENDING then.
// There has to be a secret with that ARN, in a rotation.
func (a *AWS) EndRotation(arn string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	stages := a.mustHaveSecret(arn).Stages
	pending, ok := stages[stagePending]
	if !ok {
		panic("no rotation of " + arn)
	}
	if current, ok := stages[stageCurrent]; ok {
		stages[stagePrevious] = current
	}
	stages[stageCurrent] = pending
	delete(stages, stagePending)
}

// mustHaveSecret is for tests, of which each knows its secrets.
func (a *AWS) mustHaveSecret(arn string) Secret {
	s, ok := a.secrets[arn]
	if !ok {
		panic("no secret " + arn)
	}
	return s
}

// partialARN is an ARN without the hyphen and the six characters at its end.
func partialARN(arn string) string { return arn[:max(len(arn)-len("-AbCdEf"), 0)] }

// secretsTarget begins the header that names Secrets Manager's operations.
const secretsTarget = "secretsmanager."

// secretsManager answers GetSecretValue and DescribeSecret (Secrets Manager API reference; the
// protocol is AWS JSON 1.1).
func (a *AWS) secretsManager(w http.ResponseWriter, r *http.Request, body []byte) {
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), secretsTarget)
	scope := scopeOf(r)
	at := place{a.account(scope), scope.region}
	f := a.begin(r, operation, at)
	switch {
	case f != nil:
	case scope.service == "":
		f = &failure{400, "MissingAuthenticationTokenException", "Missing Authentication Token"}
	case scope.service != "secretsmanager":
		f = &failure{400, "InvalidSignatureException",
			"Credential should be scoped to correct service: 'secretsmanager'."}
	}
	var caller Key
	if f == nil {
		caller, f = a.verify(r, body)
	}
	var answer map[string]any
	if f == nil {
		answer, f = a.secretAnswer(operation, body, caller, at.region)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if f != nil {
		w.WriteHeader(f.status)
		answer = map[string]any{"__type": f.code, "Message": f.message}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client has gone, if anything
}

func (a *AWS) secretAnswer(operation string, body []byte, caller Key, region string) (map[string]any, *failure) {
	answers := map[string]func(Secret, string) (map[string]any, *failure){
		"GetSecretValue": Secret.value,
		"DescribeSecret": Secret.description,
	}
	answer, ok := answers[operation]
	if !ok {
		return nil, &failure{400, "UnknownOperationException", operation}
	}
	var input map[string]string
	if err := json.Unmarshal(body, &input); err != nil {
		return nil, &failure{400, "SerializationException", "not an object of strings"}
	}
	known := map[string][]string{"GetSecretValue": {"SecretId", "VersionStage"}, "DescribeSecret": {"SecretId"}}
	// A parameter that is passed over would be a wrong answer.
	for _, name := range slices.Sorted(maps.Keys(input)) {
		if !slices.Contains(known[operation], name) {
			return nil, &failure{400, "InvalidParameterException", "the test server doesn't know the parameter " + name}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	secret, f := a.findSecret(operation, input["SecretId"], caller, region)
	if f != nil {
		return nil, f
	}
	return answer(secret, cmp.Or(input["VersionStage"], stageCurrent))
}

// findSecret finds a secret by its ARN, by that without its end, or by its name in the caller's
// account. A secret of another region isn't found, as there is none by that ARN in the one that is
// asked. Who may not read what another account has isn't told whether it is there.
func (a *AWS) findSecret(operation, id string, caller Key, region string) (Secret, *failure) {
	account := accountOf(caller.Owner)
	for _, arn := range slices.Sorted(maps.Keys(a.secrets)) {
		s, owner := a.secrets[arn], accountOf(arn)
		named := s.Name == id && owner == account
		if !named && id != arn && id != partialARN(arn) || strings.SplitN(arn, ":", 5)[3] != region {
			continue
		}
		if owner == account || slices.Contains(s.Readers, account) {
			return s, nil
		}
	}
	if owner := accountOf(id); owner != "" && owner != account {
		action := "secretsmanager:" + operation
		return Secret{}, &failure{400, "AccessDeniedException", "User: " + caller.Owner +
			" is not authorized to perform: " + action + " on resource: " + id +
			" because no resource-based policy allows the " + action + " action"}
	}
	return Secret{}, &failure{400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."}
}

// value is GetSecretValue's answer.
func (s Secret) value(stage string) (map[string]any, *failure) {
	if s.Deleted {
		return nil, &failure{400, "InvalidRequestException",
			"You can't perform this operation on the secret because it was marked for deletion."}
	}
	value, ok := s.Stages[stage]
	if !ok {
		return nil, &failure{400, "ResourceNotFoundException",
			"Secrets Manager can't find the specified secret value for staging label: " + stage}
	}
	if s.KMSDenied {
		return nil, &failure{400, "AccessDeniedException", "Access to KMS is not allowed"}
	}
	id := s.versionID(value)
	answer := map[string]any{"ARN": s.ARN, "Name": s.Name, "CreatedDate": seconds(s.created),
		"VersionId": id, "VersionStages": s.versions()[id]}
	if s.Binary {
		answer["SecretBinary"] = []byte(value) // in base64 then
	} else {
		answer["SecretString"] = value
	}
	return answer, nil
}

// description is DescribeSecret's answer, which is the same for all stages.
func (s Secret) description(string) (map[string]any, *failure) {
	answer := map[string]any{"ARN": s.ARN, "Name": s.Name, "CreatedDate": seconds(s.created),
		"VersionIdsToStages": s.versions()}
	if service, _, managed := strings.Cut(s.Name, "!"); managed { // such as rds!db-…
		answer["OwningService"], answer["RotationEnabled"] = service, true
	}
	if s.Deleted {
		answer["DeletedDate"] = seconds(s.created.AddDate(0, 0, 7))
	}
	return answer, nil
}

// versions are the stages of each version.
func (s Secret) versions() map[string][]string {
	versions := map[string][]string{}
	for _, stage := range slices.Sorted(maps.Keys(s.Stages)) {
		id := s.versionID(s.Stages[stage])
		versions[id] = append(versions[id], stage)
	}
	return versions
}

// versionID is a UUID that a value keeps through its stages.
func (s Secret) versionID(value string) string {
	b := sha256.Sum256([]byte(s.ARN + "\x00" + value))
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// seconds is how the protocol writes a time.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
