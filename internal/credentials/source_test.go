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
		return of.key(set)
	}
	changes := func(t *testing.T, of Source, names []string) {
		t.Helper()
		for _, name := range names {
			before := key(of)
			t.Run(name, func(t *testing.T) {
				t.Setenv(name, "changed")
				if key(of) == before {
					t.Error("the same key")
				}
			})
		}
	}
	endpoints := []string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ENDPOINT_URL"}
	for _, service := range stamp.EndpointServices {
		endpoints = append(endpoints, "AWS_ENDPOINT_URL_"+service)
	}
	machine := Source{Profile: "machine", Region: "eu-west-1"}
	changes(t, machine, slices.Concat(stamp.Keys, stamp.Machine, endpoints))
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
	changes(t, Source{Region: "eu-west-1"}, slices.Concat(stamp.WebIdentity, endpoints))
	t.Setenv("AWS_ACCESS_KEY_ID", keyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", keySecret)
	changes(t, Source{Region: "eu-west-1", RoleARN: role}, slices.Concat(stamp.Keys, endpoints))
}
