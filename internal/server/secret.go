package server

import "strings"

// Secret is where AWS Secrets Manager keeps a password. Two equal ones are the same secret.
type Secret struct {
	ID      string `json:"id"`                // its ARN, or its name
	Region  string `json:"region,omitempty"`  // of the ARN; "" of a name
	Account string `json:"account,omitempty"` // the same
}

// ParseSecret reads a secret's ARN or name (Secrets Manager API reference, "GetSecretValue" and
// "CreateSecret").
func ParseSecret(text string) (Secret, bool) {
	if !strings.HasPrefix(text, "arn:") {
		return Secret{ID: text}, isSecretName(text)
	}
	// arn:<partition>:secretsmanager:<region>:<account>:secret:<name>
	p := strings.SplitN(text, ":", 7)
	ok := len(p) == 7 && strings.HasPrefix(p[1], "aws") && p[2] == "secretsmanager" && isRegion(p[3]) &&
		IsAccountNumber(p[4]) && p[5] == "secret" && isSecretName(p[6])
	if !ok {
		return Secret{}, false
	}
	return Secret{ID: text, Region: p[3], Account: p[4]}, true
}

func isSecretName(s string) bool {
	const others = "/_+=.@!-"
	return s != "" && len(s) <= 512 && strings.IndexFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune(others, r)
	}) < 0
}
