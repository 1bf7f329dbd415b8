package server

import "testing"

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Secret{
		"rds!db-2c1f0a3e-9d6b-4f3c-8a5e-1b2c3d4e5f60": {ID: "rds!db-2c1f0a3e-9d6b-4f3c-8a5e-1b2c3d4e5f60"},
		"prod/orders/app": {ID: "prod/orders/app"},
		"arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-1-AbCdEf": {
			ID:     "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-1-AbCdEf",
			Region: "eu-west-1", Account: "123456789012"},
		"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a": {
			ID: "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a", Region: "cn-north-1", Account: "123456789012"},
		"arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a/b": {
			ID:     "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a/b",
			Region: "us-gov-west-1", Account: "123456789012"},
	} {
		if got, ok := ParseSecret(text); !ok || got != want {
			t.Errorf("ParseSecret(%q) = %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "a b", "a:b", "ärger", "a\nb", "arn:", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
		"arn:aws:secretsmanager:eu-west-1:1234:secret:a", "arn:aws:secretsmanager::123456789012:secret:a",
		"arn:aws:rds:eu-west-1:123456789012:secret:a", "arn:gcp:secretsmanager:eu-west-1:123456789012:secret:a",
		"arn:aws:secretsmanager:eu-west-1:123456789012:parameter:a",
	} {
		if got, ok := ParseSecret(text); ok {
			t.Errorf("ParseSecret(%q) = %+v", text, got)
		}
	}
}
