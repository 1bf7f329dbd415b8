package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The schema has exactly the keys that the parser knows.
func TestSchemaKeys(t *testing.T) {
	t.Parallel()
	type object struct {
		Properties map[string]json.RawMessage
	}
	var s struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		got  object
		want []string
	}{
		"top": {s.object, topKeys}, "entry": {s.Defs["entry"], entryKeys}, "rule": {s.Defs["rule"], ruleKeys}, "wide": {s.Defs["wide"], wideKeys},
	} {
		got, want := slices.Sorted(maps.Keys(tc.got.Properties)), slices.Sorted(slices.Values(tc.want))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-parser +schema):\n%s", name, diff)
		}
	}
}

// What the parser takes, the schema takes; what the schema refuses, the parser refuses.
func TestSchemaAgrees(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	for _, tc := range []struct {
		text string
		good bool
	}{
		{example, true},
		{"servers: {h: {ssh: me@b, schema: s, mysqlsh_args: [--sql], db_user: d, ssl_ca: /ca.pem}}", true},
		{"defaults: {mysqlsh_args: --sql}", true},
		{"timeout: 30s", true},
		{"timeout: 30", true},
		{"learn: 2s", true},
		{"learn: off", true},
		{"learn: false", true},
		{"learn: true", false},
		{"learn: never", false},
		{"servers: {h: {secret: 'rds!db-1'}}", true},
		{"rules: [{user: '(?P<u>.*)', credential: secret, secret: 'prod/${u}'}]", true},
		{"accounts: {abc: {secret: 'arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a-1'}}", true},
		{"servers: {h: {secret: 'a b'}}", false},
		{"servers: {h: {secret: 'arn:aws:iam::123456789012:role/r'}}", false},
		{"servers:", true},
		{"delegate: none\ncache: false", true},
		{"server: {}", false},
		{"servers: {h: {aws_profil: x}}", false},
		{"servers: [h]", false},
		{"rules: [{aws_profile: x}]", false},
		{"rules: [{host: x, hots: y}]", false},
		{"accounts: {abc: {endpoint: x.abc.eu-west-1.rds.amazonaws.com}}", false},
		{"accounts: {a.b: p}", false},
		{"accounts: {\"012345678901\": p}", true},
		{"accounts: {\"12345678901\": p}", false},
		{"cache: 'yes'", false},
		{"timeout: soon", false},
		{"timeout: 0", false},
		{"defaults: {credential: iams}", false},
		{"defaults: {aws_profile: ''}", false},
		{"defaults: {mysqlsh_args: [1]}", false},
		{"timeout: 1h", false},
		{"defaults: {region: evil-1}", false},
		{"defaults: {region: us-gov-west-1, role_arn: 'arn:aws-us-gov:iam::123456789012:role/team/dba', role_session_name: a@b.example}", true},
		{"defaults: {role_arn: nope}", false},
		{"defaults: {role_session_name: a b}", false},
		{"defaults: {ssh: -oProxyCommand=x}", false},
		{"defaults: {ssl_ca: ca.pem}", false},
		{"rules: [{host: '(?P<env>\\w+)-.*', role_arn: '${env}', region: '${env}', ssl_ca: '${env}/x'}]", true},
	} {
		_, err := Parse("config.yaml", []byte(tc.text))
		if (err == nil) != tc.good {
			t.Errorf("%s: the parser says %v", tc.text, err)
		}
		asJSON, err := yaml.YAMLToJSON([]byte(tc.text))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); (err == nil) != tc.good {
			t.Errorf("%s: the schema says %v", tc.text, err)
		}
	}
}
