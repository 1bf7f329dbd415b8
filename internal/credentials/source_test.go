package credentials

import (
	"slices"
	"testing"

	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/stamp"
)

// TestKeyHasEveryVariable: credentials are kept under everything in the environment that they come
// from.
func TestKeyHasEveryVariable(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/dba"
	newHome(t, "[profile machine]\nrole_arn = "+role+"\ncredential_source = Ec2InstanceMetadata\n")
	key := func(of Source) string {
		set, err := profiles.Load(profiles.Default())
		if err != nil {
			t.Fatal(err)
		}
		p, err := newPlan(of, set, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.key()
	}
	changes := func(t *testing.T, of Source, value string, names, but []string) {
		t.Helper()
		for _, name := range names {
			if slices.Contains(but, name) {
				continue
			}
			before := key(of)
			t.Run(name, func(t *testing.T) {
				t.Setenv(name, value)
				if key(of) == before {
					t.Error("the same key")
				}
			})
		}
	}
	endpoints := []string{"AWS_ENDPOINT_URL"}
	for _, service := range stamp.EndpointServices {
		endpoints = append(endpoints, "AWS_ENDPOINT_URL_"+service)
	}
	yesOrNo := []string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_EC2_METADATA_V1_DISABLED"}
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
	at := Source{Region: "eu-west-1"}
	machine := at
	machine.Profile = "machine"
	changes(t, machine, "changed", slices.Concat(stamp.Machine, endpoints), yesOrNo)
	changes(t, machine, "true", yesOrNo, nil)
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
	t.Setenv("AWS_ROLE_ARN", role)
	changes(t, at, "changed", slices.Concat(stamp.WebIdentity, endpoints), nil)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "abc")
	}
	assume := at
	assume.RoleARN = role
	changes(t, assume, "changed", slices.Concat(stamp.Keys, endpoints), nil)
	changes(t, assume, "2030-01-02T03:04:05Z", []string{"AWS_CREDENTIAL_EXPIRATION"}, nil)
}
