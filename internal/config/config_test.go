package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/server"
)

const file = "dir/config.yaml"

// inside lets cmp see all of a Config; patterns are compared by their text.
var inside = cmp.Options{
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".sections" }, cmp.Ignore()), // see TestAdd
	cmp.AllowUnexported(Config{}, rule{}, rawField{}, hostPort{}),
	cmp.Comparer(func(a, b *regexp.Regexp) bool {
		return (a == nil) == (b == nil) && (a == nil || a.String() == b.String())
	}),
}

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := parse(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustEndpoint(t *testing.T, host string) server.Endpoint {
	t.Helper()
	ep, ok := server.ParseEndpoint(host)
	if !ok {
		t.Fatalf("%q is no endpoint", host)
	}
	return ep
}

const example = `servers:
  my-endpoint.abcdefghijkl.us-east-1.rds.amazonaws.com:
    aws_profile: profile_name
    region: us-east-1
  127.0.0.1:13306:
    endpoint: orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com:3306
    aws_profile: prod
rules:
  - host: '(?P<team>[a-z]+)-(?P<env>prod|stage)-.*\.rds\.amazonaws\.com'
    aws_profile: '${env}-${team}-dba'
  - user: 'root|admin'
    credential: delegate
accounts:
  abcdefghijkl: prod-dba
defaults:
  aws_profile: corp
delegate: default
cache: true
`

func TestParseExample(t *testing.T) {
	t.Parallel()
	want := &Config{
		File:    file,
		Present: true,
		servers: map[hostPort]Entry{
			{"my-endpoint.abcdefghijkl.us-east-1.rds.amazonaws.com", 0}: {
				Fields{Profile: "profile_name", Region: "us-east-1"},
				Where{file, 2, "servers: my-endpoint.abcdefghijkl.us-east-1.rds.amazonaws.com"},
			},
			{"127.0.0.1", 13306}: {
				Fields{Profile: "prod", Endpoint: Address{mustEndpoint(t, "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"), 3306}},
				Where{file, 5, "servers: 127.0.0.1:13306"},
			},
		},
		rules: []rule{
			{
				host:  regexp.MustCompile(`(?i)^(?:(?P<team>[a-z]+)-(?P<env>prod|stage)-.*\.rds\.amazonaws\.com)$`),
				where: Where{file, 9, "rule 1"},
				raw:   map[string]rawField{"aws_profile": {[]string{"${env}-${team}-dba"}, 10}},
			},
			{
				user:  regexp.MustCompile(`^(?:root|admin)$`),
				where: Where{file, 11, "rule 2"},
				raw:   map[string]rawField{"credential": {[]string{"delegate"}, 12}},
			},
		},
		Accounts: map[string]Entry{"abcdefghijkl": {Fields{Profile: "prod-dba"}, Where{file, 14, "accounts: abcdefghijkl"}}},
		Defaults: Entry{Fields{Profile: "corp"}, Where{file, 15, "defaults"}},
		Delegate: "default", Timeout: DefaultTimeout, Learn: DefaultLearn,
		Cache: true,
	}
	if diff := cmp.Diff(want, mustParse(t, example), inside); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	withMark := mustParse(t, "\xef\xbb\xbf"+strings.ReplaceAll(example, "\n", "\r\n"))
	if diff := cmp.Diff(want, withMark, inside); diff != "" {
		t.Errorf("with a byte order mark and CRLF (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, mustParse(t, "---\n"+strings.TrimSpace(example)+"\n...\n"), cmp.FilterPath(isLine, cmp.Ignore()), inside); diff != "" {
		t.Errorf("between document marks (-want +got):\n%s", diff)
	}
}

func TestClientFields(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
servers:
  db.abc.eu-west-1.rds.amazonaws.com: {ssh: me@bastion:2222, schema: shop, mysqlsh_args: [--sql, '--compress=PREFERRED'], db_user: dba, ssl_ca: /etc/ca.pem}
rules:
  - host: '(?P<team>[a-z]+)-.*'
    schema: ${team}
    mysqlsh_args: ['--log-file=${team}.log', --sql]
    ssh: bastion.${team}.example.com
defaults: {db_user: everybody, mysqlsh_args: --js}
`)
	e, _ := c.Server("db.abc.eu-west-1.rds.amazonaws.com", 3306)
	want := Fields{SSH: "me@bastion:2222", Schema: "shop", Args: []string{"--sql", "--compress=PREFERRED"}, DBUser: "dba", SSLCA: "/etc/ca.pem"}
	if diff := cmp.Diff(want, e.Fields, inside); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	e, ok, err := c.Rule("web-7.abc.eu-west-1.rds.amazonaws.com", "x")
	want = Fields{SSH: "bastion.web.example.com", Schema: "web", Args: []string{"--log-file=web.log", "--sql"}}
	if diff := cmp.Diff(want, e.Fields, inside); diff != "" || !ok || err != nil {
		t.Errorf("rule: %v, %v (-want +got):\n%s", ok, err, diff)
	}
	if diff := cmp.Diff(Fields{DBUser: "everybody", Args: []string{"--js"}}, c.Defaults.Fields, inside); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": DefaultTimeout, "timeout: 30": 30 * time.Second, "timeout: 30s": 30 * time.Second, "timeout: '2m'": 2 * time.Minute, "timeout: 1s": time.Second,
	} {
		if got := mustParse(t, text).Timeout; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func isLine(p cmp.Path) bool {
	name := p.Last().String()
	return name == ".Line" || name == ".line"
}

func TestParseEveryField(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
servers:
  h:
    aws_profile: "p q"
    region: eusc-de-east-1
    endpoint: X.ABC.us-east-1.rds.amazonaws.com.
    user: App_User
    role_arn: arn:aws-us-gov:iam::123456789012:role/path/name
    external_id: 'a:b'
    role_session_name: me@example.com
    credential: iam
accounts:
  ABC: {region: eu-west-1, credential: secret, secret: 'rds!db-1', role_arn: 'arn:aws:iam::123456789012:role/r', user: u, external_id: e, role_session_name: rs, aws_profile: p}
  '123': numeric
delegate: none
cache: false
timeout: 1m30s
learn: 2s
`)
	want := &Config{
		File: file, Present: true, Delegate: "none", Cache: false, Timeout: 90 * time.Second, Learn: 2 * time.Second,
		servers: map[hostPort]Entry{{"h", 0}: {
			Fields{
				Profile: "p q", Region: "eusc-de-east-1", User: "App_User", Credential: IAM,
				Endpoint: Address{mustEndpoint(t, "x.abc.us-east-1.rds.amazonaws.com"), 3306},
				RoleARN:  "arn:aws-us-gov:iam::123456789012:role/path/name", ExternalID: "a:b", RoleSessionName: "me@example.com",
			},
			Where{file, 3, "servers: h"},
		}},
		Accounts: map[string]Entry{
			"abc": {
				Fields{
					Profile: "p", Region: "eu-west-1", User: "u", RoleARN: "arn:aws:iam::123456789012:role/r",
					ExternalID: "e", RoleSessionName: "rs", Credential: Secret, Secret: "rds!db-1",
				},
				Where{file, 13, "accounts: ABC"},
			},
			"123": {Fields{Profile: "numeric"}, Where{file, 14, "accounts: 123"}},
		},
	}
	if diff := cmp.Diff(want, c, inside); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	c := mustParse(t, "{\n\t\"servers\": {\n\t\t\"127.0.0.1:13306\":\t{ \"aws_profile\" : \"caf\\u00e9\\/x\",\n\t\t\t\"credential\":\"iam\" }\n\t},\n"+
		"\t\"rules\": [ {\"user\": \"\\\\w+\", \"credential\": \"none\"} ],\n\t\"cache\": false\n}\n")
	want := &Config{
		File: file, Present: true, Delegate: "default", Timeout: DefaultTimeout, Learn: DefaultLearn, Accounts: map[string]Entry{},
		servers: map[hostPort]Entry{{"127.0.0.1", 13306}: {
			Fields{Profile: "café/x", Credential: IAM}, Where{file, 3, "servers: 127.0.0.1:13306"},
		}},
		rules: []rule{{
			user:  regexp.MustCompile(`^(?:\w+)$`),
			where: Where{file, 6, "rule 1"},
			raw:   map[string]rawField{"credential": {[]string{"none"}, 6}},
		}},
	}
	if diff := cmp.Diff(want, c, inside); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "\n", " \n\n", "\xef\xbb\xbf", "# nothing\n", "---\n", "---\n# nothing\n...\n", "{}", "null\n", "~",
		"servers:\nrules:\naccounts:\ndefaults:\n", "servers: {}\nrules: []\naccounts: null\ndefaults: ~\n",
	} {
		c, err := parse(file, []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		c.Defaults.Where = Where{}
		want := &Config{File: file, Present: true, Accounts: map[string]Entry{}, Delegate: "default", Cache: true, Timeout: DefaultTimeout, Learn: DefaultLearn, servers: map[hostPort]Entry{}}
		if diff := cmp.Diff(want, c, inside); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseAliases(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
servers:
  a: &base
    aws_profile: &p base
    region: eu-west-1
  b:
    <<: *base
    region: us-east-1
  c: *base
  d:
    region: us-west-2
    <<: [{aws_profile: first, user: first}, *base]
  e:
    aws_profile: *p
  f: !!map
    aws_profile: !!str 0123
    user: |
      block
    external_id: >-
      folded
      text
rules: &list
  - host: x
    <<: *base
`)
	got := map[string]Fields{}
	for _, h := range []string{"a", "b", "c", "d", "e", "f"} {
		e, ok := c.Server(h, 3306)
		if !ok {
			t.Fatalf("no entry for %s", h)
		}
		got[h] = e.Fields
	}
	e, ok, err := c.Rule("x", "u")
	if !ok || err != nil {
		t.Fatalf("Rule: %v, %v", ok, err)
	}
	got["rule"] = e.Fields
	want := map[string]Fields{
		"a":    {Profile: "base", Region: "eu-west-1"},
		"b":    {Profile: "base", Region: "us-east-1"},
		"c":    {Profile: "base", Region: "eu-west-1"},
		"d":    {Profile: "first", Region: "us-west-2", User: "first"},
		"e":    {Profile: "base"},
		"f":    {Profile: "0123", User: "block", ExternalID: "folded text"},
		"rule": {Profile: "base", Region: "eu-west-1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const (
		topAllowed   = "allowed: servers, rules, accounts, defaults, delegate, cache"
		entryAllowed = "allowed: aws_profile, region, endpoint, user, role_arn, external_id, role_session_name, credential, secret"
		wideAllowed  = "allowed: aws_profile, region, user, role_arn, external_id, role_session_name, credential, secret"
		ruleAllowed  = "allowed: host, aws_profile, region, endpoint, user, role_arn, external_id, role_session_name, credential, secret"
	)
	field := func(f string) string { return "servers:\n  h:\n    " + f + "\n" }
	rule := func(f string) string { return "rules:\n  - host: '(?P<a>.*)'\n    " + f + "\n" }
	tests := []struct {
		name string
		in   string
		line int
		want []string // parts of the message
	}{
		{"unknown key", "cache: true\n\nserver: {}\n", 3, []string{`unknown key "server"; ` + topAllowed, "(did you mean servers?)"}},
		{"unknown key like none", "xyzzy: {}\n", 1, []string{`unknown key "xyzzy"; ` + topAllowed}},
		{"key in capitals", "Cache: true\n", 1, []string{`unknown key "Cache"`, "(did you mean cache?)"}},
		{"unknown key in a server", field("aws_profil: x"), 3, []string{`unknown key "aws_profil" in servers: h; ` + entryAllowed, "(did you mean aws_profile?)"}},
		{"host in a server", field("host: x"), 3, []string{`unknown key "host" in servers: h; ` + entryAllowed}},
		{"unknown key in a rule", rule("hosts: x"), 3, []string{`unknown key "hosts" in rule 1; ` + ruleAllowed, "(did you mean host?)"}},
		{"unknown key in the defaults", "defaults:\n  aws-profile: x\n", 2, []string{`unknown key "aws-profile" in defaults; ` + wideAllowed, "(did you mean aws_profile?)"}},
		{"endpoint in the defaults", "defaults:\n  endpoint: x\n", 2, []string{`unknown key "endpoint" in defaults; ` + wideAllowed}},
		{"unknown key in an account", "accounts:\n  abc:\n    regio: x\n", 3, []string{`unknown key "regio" in accounts: abc; ` + wideAllowed, "(did you mean region?)"}},
		{"unknown key by a merge", "servers:\n  h:\n    <<:\n      profile: x\n", 4, []string{`unknown key "profile" in servers: h`}},

		{"top: text", "x\n", 1, []string{"the configuration should be a map of keys and values, not text"}},
		{"top: list", "\n- x\n", 2, []string{"the configuration should be a map of keys and values, not a list"}},
		{"servers: list", "servers:\n  - h\n", 2, []string{"servers should be a map of keys and values, not a list"}},
		{"servers: number", "servers: 1\n", 1, []string{"servers should be a map of keys and values, not a number"}},
		{"a server: text", "servers:\n  h: prod\n", 2, []string{"servers: h should be a map of keys and values, not text"}},
		{"rules: map", "rules:\n  host: x\n", 1, []string{`rules should be a list (each line of it begins with "-"), not a map`}},
		{"rules: text", "rules: x\n", 1, []string{"rules should be a list", "not text"}},
		{"a rule: text", "rules:\n  - host: x\n  - x\n", 3, []string{"rule 2 should be a map of keys and values, not text"}},
		{"accounts: list", "accounts: [abc]\n", 1, []string{"accounts should be a map of keys and values, not a list"}},
		{"an account: list", "accounts:\n  abc: [x]\n", 2, []string{"accounts: abc (a profile, or a map of fields) should be text, not a list"}},
		{"an account: nothing", "accounts:\n  abc:\n", 2, []string{"accounts: abc (a profile, or a map of fields) should be text, not nothing"}},
		{"an account: number", "accounts:\n  abc: 12\n", 2, []string{"accounts: abc (a profile, or a map of fields) should be text, not a number: put it in quotes"}},
		{"defaults: text", "defaults: corp\n", 1, []string{"defaults should be a map of keys and values, not text"}},
		{"cache: text", "cache: yes\n", 1, []string{"cache should be true or false, not text"}},
		{"cache: number", "cache: 1\n", 1, []string{"cache should be true or false, not a number"}},
		{"cache: nothing", "cache:\n", 1, []string{"cache should be true or false, not nothing"}},
		{"relative ssl_ca", field("ssl_ca: ca.pem"), 3, []string{`servers: h: ssl_ca: "ca.pem" is no absolute path`}},
		{"ssh that is an option", field("ssh: -oProxyCommand=x"), 3, []string{`servers: h: ssh: "-oProxyCommand=x"; allowed: the SSH server`}},
		{"arguments that are a map", field("mysqlsh_args: {a: b}"), 3, []string{"mysqlsh_args (a list of arguments) should be text, not a map"}},
		{"an argument that is a number", field("mysqlsh_args: [1]"), 3, []string{"mysqlsh_args should be text, not a number"}},
		{"a group that isn't there", "rules:\n  - host: x\n    mysqlsh_args: [a, '${b}']\n", 3, []string{"no group b"}},
		{"timeout: no unit", "timeout: soon\n", 1, []string{"timeout should be a time from 1s to 10m, such as 30s"}},
		{"timeout: too short", "timeout: 500ms\n", 1, []string{"timeout should be a time from 1s to 10m, such as 30s"}},
		{"timeout: too long", "timeout: 601\n", 1, []string{"timeout should be a time from 1s to 10m, such as 30s"}},
		{"timeout: nothing", "timeout:\n", 1, []string{"timeout should be a time from 1s to 10m, such as 30s"}},
		{"cache in quotes", "cache: 'true'\n", 1, []string{"cache should be true or false, not text"}},

		{"field: number", field("aws_profile: 0123"), 3, []string{"servers: h: aws_profile should be text, not a number: put it in quotes"}},
		{"field: float", field("aws_profile: 1.5"), 3, []string{"servers: h: aws_profile should be text, not a number: put it in quotes"}},
		{"field: infinity", field("aws_profile: .inf"), 3, []string{"servers: h: aws_profile should be text, not a number"}},
		{"field: true", field("user: true"), 3, []string{"servers: h: user should be text, not true or false: put it in quotes"}},
		{"field: list", field("aws_profile: [x]"), 3, []string{"servers: h: aws_profile should be text, not a list"}},
		{"field: map", field("aws_profile: {x: y}"), 3, []string{"servers: h: aws_profile should be text, not a map"}},
		{"field: null", field("aws_profile: null"), 3, []string{"servers: h: aws_profile should be text, not nothing"}},
		{"field: nothing", field("aws_profile:"), 3, []string{"servers: h: aws_profile should be text, not nothing"}},
		{"field: empty", field("aws_profile: ''"), 3, []string{"servers: h: aws_profile is empty; leave the key out instead"}},
		{"field: two lines", field("aws_profile: \"a\\nb\""), 3, []string{"servers: h: aws_profile should be one line of text"}},
		{"field: block of two lines", field("aws_profile: |\n      a\n      b"), 3, []string{"servers: h: aws_profile should be one line of text"}},
		{"field: NUL", field(`aws_profile: "a\0b"`), 3, []string{"servers: h: aws_profile should be one line of text"}},
		{"pattern: empty", "rules:\n  - host: ''\n", 2, []string{"rule 1: host is empty; leave the key out instead"}},
		{"pattern: number", "rules:\n  - user: 7\n", 2, []string{"rule 1: user should be text, not a number: put it in quotes"}},

		{"server: pattern", "servers:\n  '*.example.com': {}\n", 2, []string{`servers: "*.example.com": not a host name; allowed: an exact host or host:port (patterns belong under rules)`}},
		{"server: URL", "servers:\n  u@h: {}\n", 2, []string{`servers: "u@h": not a host name; allowed: an exact host or host:port`}},
		{"server: empty", "servers:\n  '': {}\n", 2, []string{`servers: "": not a host name; allowed: an exact host or host:port`}},
		{"server: port alone", "servers:\n  ':3306': {}\n", 2, []string{`servers: ":3306": not a host name; allowed`}},
		{"server: port 0", "servers:\n  h:0: {}\n", 2, []string{`servers: "h:0": the port is not in 1..65535; allowed`}},
		{"server: port 65536", "servers:\n  h:65536: {}\n", 2, []string{`servers: "h:65536": the port is not in 1..65535; allowed`}},
		{"server: named port", "servers:\n  h:mysql: {}\n", 2, []string{`servers: "h:mysql": the port is not a number; allowed`}},
		{"server: IPv4 in brackets", "servers:\n  '[127.0.0.1]:3306': {}\n", 2, []string{`not an IPv6 address in the brackets; allowed`}},
		{"server: open bracket", "servers:\n  '[::1': {}\n", 2, []string{`not an IPv6 address in the brackets; allowed`}},
		{"server: text after the bracket", "servers:\n  '[::1]x': {}\n", 2, []string{`text after the IPv6 address; allowed`}},
		{"server: list as a key", "servers:\n  [a]: {}\n", 2, nil},

		{"same server, other case and dot", "servers:\n  DB.example.com: {}\n  x: {}\n  db.example.com.: {}\n", 4, []string{`servers: "db.example.com." is the same server as the entry on line 2`}},
		{"same server and port", "servers:\n  h:3306: {}\n  H:03306: {}\n", 3, []string{`servers: "H:03306" is the same server as the entry on line 2`}},
		{"same IPv6 address", "servers:\n  '[::1]:3306': {}\n  '[0:0:0:0:0:0:0:1]:3306': {}\n", 3, []string{`is the same server as the entry on line 2`}},
		{"same IPv6 address without brackets", "servers:\n  '::1': {}\n  '[::1]': {}\n", 3, []string{`servers: "[::1]" is the same server as the entry on line 2`}},
		{"same key", "servers:\n  h: {}\n  h: {}\n", 3, []string{"not valid YAML: ", `"h" already defined`}},
		{"same field", field("region: eu-west-1\n    region: eu-west-1"), 4, []string{"not valid YAML: ", `"region" already defined`}},
		{"same part", "servers: {}\ncache: true\nservers: {}\n", 3, []string{"not valid YAML: ", `"servers" already defined`}},
		{"same account, other case", "accounts:\n  abc: x\n  ABC: y\n", 3, []string{"accounts: ABC stands on line 2 already"}},
		{"account: a number with hyphens", "accounts:\n  1234-5678-9012: x\n", 2, []string{"accounts: 1234-5678-9012: not an account id; allowed: the letters and digits after the server's name",
			"or an account number of 12 digits"}},
		{"account: a number too short", "accounts:\n  12345678901: x\n", 2, []string{"accounts: 12345678901: 11 digits; an account number has 12, the zeros that it begins with included"}},
		{"account: with its kind", "accounts:\n  cluster-abc: x\n", 2, []string{"not an account id; allowed"}},
		{"account: empty", "accounts:\n  '': x\n", 2, []string{"not an account id; allowed"}},

		{"region", field("region: Frankfurt"), 3, []string{`servers: h: region: "Frankfurt" is no AWS region; allowed: a name such as eu-west-1`}},
		{"region in capitals", field("region: EU-WEST-1"), 3, []string{`"EU-WEST-1" is no AWS region`}},
		{"availability zone", field("region: eu-west-1a"), 3, []string{`"eu-west-1a" is no AWS region`}},
		{"region of the defaults", "defaults:\n  region: x\n", 2, []string{`defaults: region: "x" is no AWS region`}},
		{"region of an account", "accounts:\n  abc:\n    region: x\n", 3, []string{`accounts: abc: region: "x" is no AWS region`}},
		{"region of a rule", rule("region: x"), 3, []string{`rule 1: region: "x" is no AWS region`}},
		{"region of a rule that expands", rule("aws_profile: ${a}\n    region: x"), 4, []string{`rule 1: region: "x" is no AWS region`}},

		{"endpoint: own name", field("endpoint: db.example.com:3306"), 3, []string{`servers: h: endpoint: "db.example.com:3306" is no RDS or Aurora endpoint, and RDS refuses tokens signed for other names; allowed: host or host:port such as`}},
		{"endpoint: look-alike", field("endpoint: x.abc.us-east-1.rds.amazonaws.com.evil.example"), 3, []string{"is no RDS or Aurora endpoint"}},
		{"endpoint: bad port", field("endpoint: x.abc.us-east-1.rds.amazonaws.com:0"), 3, []string{"the port is not in 1..65535; allowed: host or host:port"}},
		{"endpoint: URL", field("endpoint: mysql://x.abc.us-east-1.rds.amazonaws.com"), 3, []string{"allowed: host or host:port"}},
		{"endpoint: user", field("endpoint: u@x.abc.us-east-1.rds.amazonaws.com"), 3, []string{"not a host name; allowed: host or host:port"}},

		{"role: name", field("role_arn: admin"), 3, []string{`servers: h: role_arn: "admin" is no role; allowed: an ARN such as arn:aws:iam::123456789012:role/name`}},
		{"role: user", field("role_arn: arn:aws:iam::123456789012:user/me"), 3, []string{"is no role; allowed"}},
		{"role: no name", field("role_arn: arn:aws:iam::123456789012:role/"), 3, []string{"is no role; allowed"}},
		{"role: no account", field("role_arn: arn:aws:iam:::role/r"), 3, []string{"is no role; allowed"}},
		{"role: with a region", field("role_arn: arn:aws:iam:eu-west-1:123456789012:role/r"), 3, []string{"is no role; allowed"}},
		{"role: session", field("role_arn: arn:aws:sts::123456789012:assumed-role/r/s"), 3, []string{"is no role; allowed"}},
		{"session name: space", field("role_session_name: a b"), 3, []string{`servers: h: role_session_name: "a b"; allowed: 2 to 64 letters, digits and _+=,.@-`}},
		{"session name: short", field("role_session_name: a"), 3, []string{"allowed: 2 to 64 letters"}},
		{"session name: long", field("role_session_name: " + strings.Repeat("a", 65)), 3, []string{"allowed: 2 to 64 letters"}},
		{"credential", field("credential: password"), 3, []string{`servers: h: credential: "password"; allowed: iam, secret, delegate, none`}},
		{"credential in capitals", field("credential: IAM"), 3, []string{"allowed: iam, secret, delegate, none"}},

		{"secret", field("secret: a b"), 3, []string{`servers: h: secret: "a b" is no secret of AWS Secrets Manager; allowed: its ARN, or its name`}},
		{"secret: another ARN", field("secret: arn:aws:iam::123456789012:role/r"), 3, []string{"is no secret of AWS Secrets Manager"}},
		{"secret for a token", field("credential: iam\n    secret: a"), 4, []string{"servers: h: secret goes with credential: secret, and not with credential: iam"}},
		{"learn", "learn: soon\n", 1, []string{"learn should be a time from 1s to 10m, such as 30s, or off"}},
		{"learn: on", "learn: true\n", 1, []string{"learn should be a time"}},

		{"delegate: relative path", "delegate: ./mysql-secret-store-x\n", 1, []string{`delegate: "./mysql-secret-store-x"; allowed: default, none, a helper's name such as login-path, or an absolute path`}},
		{"delegate: path below", "delegate: bin/x\n", 1, []string{`delegate: "bin/x"; allowed: default, none, a helper's name`}},
		{"delegate: home", "delegate: ~/x\n", 1, []string{`delegate: "~/x"; allowed`}},
		{"delegate: arguments", "delegate: login-path --x\n", 1, []string{`delegate: "login-path --x"; allowed`}},
		{"delegate: empty", "delegate: ''\n", 1, []string{"delegate (allowed: default, none, a helper's name such as login-path, or an absolute path) is empty"}},
		{"delegate: false", "delegate: false\n", 1, []string{"delegate (allowed: default, none,", "should be text, not true or false"}},
		{"delegate: nothing", "delegate:\n", 1, []string{"delegate (allowed: default, none,", "should be text, not nothing"}},

		{"rule without host and user", "rules:\n  - host: x\n  - aws_profile: x\n", 3, []string{"rule 2 has neither host nor user; what holds for every server belongs under defaults"}},
		{"empty rule", "rules:\n  - host: x\n  -\n", 3, []string{"rule 2 has neither host nor user"}},
		{"bad pattern", "rules:\n  - host: '(x'\n", 2, []string{"rule 1: host: ", "missing closing )", "allowed: a regular expression as in Go, which must match the whole host"}},
		{"bad user pattern", "rules:\n  - host: x\n    user: '*'\n", 3, []string{"rule 1: user: ", "allowed: a regular expression as in Go, which must match the whole user"}},
		{"pattern that leaves its group", "rules:\n  - host: 'a)(b'\n", 2, []string{"rule 1: host: ", "unexpected )", "allowed: a regular expression as in Go"}},
		{"pattern that quotes its end", "rules:\n  - host: '\\Qa'\n", 2, []string{"rule 1: host: ", "allowed: a regular expression as in Go"}},
		{"pattern of Perl's", "rules:\n  - host: '(?=x)'\n", 2, []string{"rule 1: host: ", "allowed: a regular expression as in Go"}},
		{"group twice in one pattern", "rules:\n  - host: '(?P<a>x)(?P<a>y)'\n", 2, []string{"rule 1: the group a is defined twice"}},
		{"group twice in two patterns", "rules:\n  - host: '(?P<a>x)'\n    user: '(?P<a>y)'\n", 3, []string{"rule 1: the group a is defined twice"}},

		{"unknown group", rule("aws_profile: '${b}'"), 3, []string{"rule 1: aws_profile: no group b in this rule's host or user; allowed: a"}},
		{"unnamed group", "rules:\n  - host: '(x)'\n    aws_profile: '${1}'\n", 3, []string{"no group 1 in this rule's host or user; allowed: none, for it names no group with (?P<name>…)"}},
		{"group of another rule", rule("aws_profile: x") + "  - host: y\n    aws_profile: '${a}'\n", 5, []string{"rule 2: aws_profile: no group a"}},
		{"unterminated group", rule("aws_profile: 'x${a'"), 3, []string{"rule 1: aws_profile: ${ without its }; allowed: ${name}"}},
		{"unterminated group before a good one", rule("aws_profile: '${x${a}'"), 3, []string{"${ without its }"}},
		{"empty group", rule("aws_profile: '${}'"), 3, []string{"no group  in this rule's"}},
		{"group in a server", field("aws_profile: '${a}'"), 3, []string{"servers: h: aws_profile: ${…} stands for a group of a rule, and this is no rule"}},
		{"unterminated group in a server", field("aws_profile: '${a'"), 3, []string{"${…} stands for a group of a rule"}},
		{"group in the defaults", "defaults:\n  user: '${a}'\n", 2, []string{"defaults: user: ${…} stands for a group of a rule"}},
		{"group in an account", "accounts:\n  abc: '${a}'\n", 2, []string{"accounts: abc: aws_profile: ${…} stands for a group of a rule"}},

		{"two documents", "cache: true\n---\ncache: true\n", 3, []string{"a second YAML document; one is all that is allowed"}},
		{"tab", "servers:\n\th: {}\n", 2, []string{"not valid YAML: a tab indents this line, where YAML takes blanks only"}},
		{"tab further in", "servers:\n  h:\n  \tregion: eu-west-1\n", 3, []string{"not valid YAML: a tab indents this line"}},
		{"tab before a value", "servers:\n  h:\n    region: eu-west-1\n\tuser: x\n", 4, []string{"not valid YAML: a tab indents this line"}},
		{"a server at the top", "db.example.com:\n  region: eu-west-1\n", 1, []string{`"db.example.com" is a server, which belongs under the key servers`}},
		{"a tunnel at the top", "cache: true\n127.0.0.1:13306: {aws_profile: x}\n", 2, []string{`"127.0.0.1:13306" is a server`}},
		{"no server at the top", "server: {}\n", 1, []string{`unknown key "server"`}},
		{"open list", "rules: [\n", 1, []string{"not valid YAML: "}},
		{"open quote", "cache: true\ndelegate: 'x\n", 2, []string{"not valid YAML: "}},
		{"indentation", "servers:\n  h:\n    region: eu-west-1\n   user: x\n", 4, []string{"not valid YAML: "}},
		{"unknown alias", field("aws_profile: *x"), 3, []string{"no anchor &x for *x"}},
		{"alias of its own map", "servers:\n  h: &x\n    aws_profile: *x\n", 3, []string{"servers: h: aws_profile should be text, not a map"}},
		{"merge of itself", "servers:\n  h: &x\n    <<: *x\n", 3, []string{"merges (<<) that lead to each other"}},
		{"merge of text", "servers:\n  h:\n    <<: x\n", 3, []string{"what << merges should be a map of keys and values, not text"}},
		{"binary", "\x00\x01\x02", 0, nil},
		{"CRLF", "cache: true\r\n\r\nserver: {}\r\n", 3, []string{`unknown key "server"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := parse(file, []byte(tt.in))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is %v, a %T, want an *Error", err, err)
			}
			if c != nil {
				t.Error("a configuration beside the error")
			}
			if e.File != file || e.Line != tt.line && tt.line != 0 {
				t.Errorf("the error is at %s:%d, want %s:%d", e.File, e.Line, file, tt.line)
			}
			for _, part := range tt.want {
				if !strings.Contains(e.Msg, part) {
					t.Errorf("the message\n\t%s\nlacks\n\t%s", e.Msg, part)
				}
			}
			if strings.Contains(e.Error(), "\n") || e.Msg == "" {
				t.Errorf("the message is not one line: %q", e.Error())
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  Error
		want string
	}{
		{Error{"a/config.yaml", 7, "wrong", nil}, "a/config.yaml:7: wrong"},
		{Error{"a/config.yaml", 0, "wrong", nil}, "a/config.yaml: wrong"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	w := Where{filepath.Join("a", "b", "config.yaml"), 14, "rule 2"}
	if got := w.String(); got != "rule 2 (config.yaml:14)" {
		t.Errorf("Where = %q", got)
	}
}

func TestDelegate(t *testing.T) {
	t.Parallel()
	absolute := filepath.Join(t.TempDir(), "mysql secret", "mysql-secret-store-x")
	for _, value := range []string{"default", "none", "login-path", "secret-service", "x_1.2", absolute} {
		if got := mustParse(t, "delegate: '"+value+"'").Delegate; got != value {
			t.Errorf("delegate %q is read as %q", value, got)
		}
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
servers:
  db.example.com: {aws_profile: any port}
  db.example.com:3307: {aws_profile: port 3307}
  only.example.com:3306: {aws_profile: only}
  UPPER.example.com.: {aws_profile: upper}
  '::1': {aws_profile: v6}
  '[2001:DB8::0001]:3306': {aws_profile: v6 port}
  '[fe80::1%25eth0]': {aws_profile: zone}
  'fe80::1%eth1': {aws_profile: other zone}
  127.0.0.1:13306: {aws_profile: v4 port}
`)
	tests := []struct {
		host string
		port int
		want string
	}{
		{"db.example.com", 3306, "any port"},
		{"db.example.com", 3307, "port 3307"},
		{"DB.Example.com.", 3307, "port 3307"},
		{"DB.Example.com.", 1, "any port"},
		{"only.example.com", 3306, "only"},
		{"only.example.com", 3307, ""},
		{"upper.EXAMPLE.com", 3306, "upper"},
		{"xdb.example.com", 3306, ""},
		{"db.example.co", 3306, ""},
		{"::1", 3306, "v6"},
		{"0:0:0:0:0:0:0:1", 1, "v6"},
		{"2001:db8::1", 3306, "v6 port"},
		{"2001:db8::1", 3307, ""},
		{"fe80::1%eth0", 3306, "zone"},
		{"fe80::1%eth1", 3306, "other zone"},
		{"fe80::1", 3306, ""},
		{"127.0.0.1", 13306, "v4 port"},
		{"127.0.0.1", 3306, ""},
		{"", 3306, ""},
	}
	for _, tt := range tests {
		e, ok := c.Server(tt.host, tt.port)
		if ok != (tt.want != "") || e.Profile != tt.want {
			t.Errorf("Server(%q, %d) = %q, %v; want %q", tt.host, tt.port, e.Profile, ok, tt.want)
		}
	}
	for _, text := range []string{
		"servers:\n  h: {aws_profile: host}\n  h:3306: {aws_profile: port}\n",
		"servers:\n  h:3306: {aws_profile: port}\n  h: {aws_profile: host}\n",
	} {
		if e, _ := mustParse(t, text).Server("h", 3306); e.Profile != "port" {
			t.Errorf("%q: the entry for the host is preferred to that for host and port", text)
		}
	}
	if _, ok := new(Config).Server("h", 3306); ok {
		t.Error("the zero Config has a server")
	}
}

// TestTunnel: the names of this machine are the same end of a tunnel when one of them has an entry.
func TestTunnel(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
servers:
  127.0.0.1:1: {aws_profile: one}
  localhost:2: {aws_profile: two}
  "[::1]:3": {aws_profile: three}
  127.0.0.1:4: {aws_profile: four}
  localhost:4: {aws_profile: four too}
  localhost: {aws_profile: any}
  db:1: {aws_profile: db}
`)
	for _, tt := range []struct {
		host string
		port int
		want string
	}{
		{"localhost", 1, "one"},
		{"LocalHost.", 1, "one"},
		{"::1", 1, "one"},
		{"127.0.0.1", 2, "two"},
		{"0:0:0:0:0:0:0:1", 2, "two"},
		{"127.0.0.1", 3, "three"},
		{"::1", 4, ""}, // which of the two?
		{"::1", 5, "any"},
		{"db", 2, ""},
		{"10.0.0.1", 1, ""},
	} {
		if e, ok := c.Tunnel(tt.host, tt.port); ok != (tt.want != "") || ok && e.Profile != tt.want {
			t.Errorf("Tunnel(%q, %d) = %q, %v; want %q", tt.host, tt.port, e.Profile, ok, tt.want)
		}
	}
}

// TestAccountNumbers: quoted or not, a number is taken as it is written.
func TestAccountNumbers(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"012345678901", "'012345678901'", `"012345678901"`, "001234567012", "123456789012", "'123456789012'"} {
		c := mustParse(t, "accounts:\n  "+key+": prod\n")
		if e, ok := c.Accounts[strings.Trim(key, `'"`)]; !ok || e.Profile != "prod" {
			t.Errorf("%s: %v", key, c.Accounts)
		}
	}
}

// TestServers: the entries come in the file's order.
func TestServers(t *testing.T) {
	t.Parallel()
	var got []string
	for _, l := range mustParse(t, "servers:\n  z:1: {aws_profile: z}\n  A.example: {}\n  '[::1]:3': {}\n").Servers() {
		got = append(got, fmt.Sprint(l.Host, " ", l.Port, " ", l.Entry.Profile))
	}
	if d := cmp.Diff([]string{"z 1 z", "a.example 0 ", "::1 3 "}, got); d != "" {
		t.Error(d)
	}
}

func TestRule(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
rules:
  - host: 'db\.Example\.com'
    user: 'root|admin'
    aws_profile: first
  - host: '.*\.example\.com'
    aws_profile: second
  - user: App
    aws_profile: third
  - host: 'a|ab'
    aws_profile: fourth
  - host: '(?P<x>[a-z]+)\.(?P<y>y)?\.test'
    user: '(?P<z>.)(?P<rest>.*)'
    aws_profile: '${x}-${y}-${z}$x $1 ${x}'
    external_id: '${y}'
`)
	tests := []struct{ name, host, user, profile, where string }{
		{"host and user", "db.example.com", "root", "first", "rule 1"},
		{"second alternative of the user", "db.example.com", "admin", "first", "rule 1"},
		{"host is case-insensitive and has no dot", "DB.EXAMPLE.COM.", "root", "first", "rule 1"},
		{"user is case-sensitive", "db.example.com", "Root", "second", "rule 2"},
		{"user matches in whole", "db.example.com", "root2", "second", "rule 2"},
		{"user matches in whole, other end", "db.example.com", "xadmin", "second", "rule 2"},
		{"user matches in whole, line feed", "db.example.com", "root\n", "second", "rule 2"},
		{"first of two", "x.example.com", "App", "second", "rule 2"},
		{"host matches in whole", "x.example.com.evil", "App", "third", "rule 3"},
		{"host matches in whole, other end", "dbxexample.com", "App", "third", "rule 3"},
		{"user alone", "127.0.0.1", "App", "third", "rule 3"},
		{"user alone is case-sensitive", "127.0.0.1", "app", "", ""},
		{"longer alternative", "ab", "u", "fourth", "rule 4"},
		{"no alternative", "abc", "u", "", ""},
		{"expansion", "HOST.y.test", "User", "host-y-U$x $1 host", "rule 5"},
		{"group that took no part", "host..test", "User", "host--U$x $1 host", "rule 5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, ok, err := c.Rule(tt.host, tt.user)
			if err != nil {
				t.Fatal(err)
			}
			if ok != (tt.where != "") || e.Profile != tt.profile || e.Where.Name != tt.where {
				t.Errorf("Rule(%q, %q) = %q of %q, %v; want %q of %q", tt.host, tt.user, e.Profile, e.Where.Name, ok, tt.profile, tt.where)
			}
		})
	}
	if _, ok, err := new(Config).Rule("h", "u"); ok || err != nil {
		t.Errorf("the zero Config has a rule: %v", err)
	}
}

func TestRuleExpandsEveryField(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `rules:
  - host: '(?P<n>[^-]*)-(?P<r>[a-z]+-[a-z]+-\d|x*)-(?P<c>[a-z]*)(?P<port>:\d+)?'
    user: '(?P<u>.*)'
    aws_profile: '${n}'
    region: '${r}'
    endpoint: '${n}.abc.${r}.rds.amazonaws.com${port}'
    role_arn: 'arn:aws:iam::123456789012:role/${n}'
    external_id: 'id ${u}'
    role_session_name: 's-${u}'
    credential: '${c}'
`)
	e, ok, err := c.Rule("Orders-eu-west-1-iam:3307", "Me")
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	want := Entry{
		Fields{
			Profile: "orders", Region: "eu-west-1", Credential: IAM,
			Endpoint: Address{mustEndpoint(t, "orders.abc.eu-west-1.rds.amazonaws.com"), 3307},
			RoleARN:  "arn:aws:iam::123456789012:role/orders", ExternalID: "id Me", RoleSessionName: "s-Me",
		},
		Where{file, 2, "rule 1"},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	failures := []struct {
		name, host, user string
		line             int
		part             string
	}{
		{"credential", "n-eu-west-1-other", "u", 10, `rule 1: credential: "other"; allowed: iam, secret, delegate, none`},
		{"region and endpoint", "n-xx-iam", "u", 6, `rule 1: endpoint: "n.abc.xx.rds.amazonaws.com" is no RDS or Aurora endpoint`},
		{"port", "n-eu-west-1-iam:0", "u", 6, "the port is not in 1..65535"},
		{"session name", "n-eu-west-1-iam", "a b", 9, `rule 1: role_session_name: "s-a b"; allowed: 2 to 64 letters`},
		{"role", "-eu-west-1-iam", "u", 6, "is no RDS or Aurora endpoint"},
	}
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok, err := c.Rule(tt.host, tt.user)
			var e *Error
			if !errors.As(err, &e) || ok {
				t.Fatalf("error %v (%T), %v; want an *Error", err, err, ok)
			}
			if e.File != file || e.Line != tt.line || !strings.Contains(e.Msg, tt.part) {
				t.Errorf("error %v, want line %d and %q", e, tt.line, tt.part)
			}
			if diff := cmp.Diff(Fields{}, got.Fields); diff != "" {
				t.Errorf("fields beside the error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRuleExpansionToNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `rules:
  - host: '(?P<r>[a-z]+-[a-z]+-\d)?x'
    aws_profile: p
    region: '${r}'
    role_arn: '${r}'
    endpoint: '${r}'
    credential: '${r}'
`)
	e, ok, err := c.Rule("x", "u")
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if diff := cmp.Diff(Fields{Profile: "p"}, e.Fields); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	c, err := Parse(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{File: file, Accounts: map[string]Entry{}, Delegate: "default", Cache: true, Timeout: DefaultTimeout, Learn: DefaultLearn, servers: map[hostPort]Entry{}}
	if diff := cmp.Diff(want, c, inside); diff != "" {
		t.Errorf("no file (-want +got):\n%s", diff)
	}
	if c, err = Parse(file, []byte{}); err != nil || !c.Present {
		t.Errorf("an empty file: %+v, %v", c, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		example, "", "---\n...\n", "{\"servers\": {\"h:1\": {\"aws_profile\": \"\\u0041\"}}}", "servers:\n  a: &x\n    <<: [*x, {user: u}]\n",
		"rules:\n  - host: '(?P<a>.)'\n    region: ${a}\n", "a: b\n---\nc: d\n", "? a\n: b\n", "defaults: !!str\n", "accounts: {abc: |\n x}\n",
		"rules:\n  - host: '\\Qa'\n", "*x : &x !!str\n", "? [a, {b: c}]\n: !!map &x {<<: *x, ? }\n",
		"- - a\n  -\n- ? |\n   b\n", "%YAML 1.2\n---\n'a''b': \"\\x41\"\n#\n", "<<: {cache: 0x1}\n!<tag:x> delegate: *\n", "delegate: >-\n  x\ncache: off\n", "servers:\r\n  '[::1]:3306': {endpoint: x.abc.us-east-1.rds.amazonaws.com}\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse(file, []byte(text))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.File != file || e.Msg == "" || c != nil {
				t.Fatalf("error %v (%T) beside %v", err, err, c)
			}
			return
		}
		entries := []Entry{c.Defaults}
		for id, e := range c.Accounts {
			if id != strings.ToLower(id) {
				t.Fatalf("the account %q is not in lower case", id)
			}
			entries = append(entries, e)
		}
		for key, e := range c.servers {
			if got, ok := c.Server(key.host, key.port); !ok || !cmp.Equal(got, e, inside) {
				t.Fatalf("Server(%q, %d) = %+v, %v; want %+v", key.host, key.port, got, ok, e)
			}
			entries = append(entries, e)
		}
		for _, host := range []string{"", "a", "db.example.com", "x.abc.us-east-1.rds.amazonaws.com"} {
			e, ok, err := c.Rule(host, "root")
			var ce *Error
			if err != nil && (ok || !errors.As(err, &ce)) {
				t.Fatalf("Rule(%q): %v, %v", host, ok, err)
			}
			entries = append(entries, e)
		}
		for _, e := range entries {
			if r := e.Region; r != "" && server.Partition(r) == "" {
				t.Fatalf("the region %q", r)
			}
			if a := e.Endpoint; (a.Port == 0) != (a.Endpoint.Host == "") || a.Port < 0 || a.Port > 65535 {
				t.Fatalf("the endpoint %+v", a)
			}
		}
	})
}
