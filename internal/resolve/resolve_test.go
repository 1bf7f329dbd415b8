package resolve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/server"
)

// dns answers from a table of aliases; a name that leads to "!" fails. It counts the questions.
type dns struct {
	aliases map[string]string
	asked   []string
}

func (d *dns) cname(_ context.Context, host string) (string, error) {
	d.asked = append(d.asked, host)
	if d.aliases[host] == "!" {
		return "", errors.New("no server answers")
	}
	return d.aliases[host], nil
}

// parse reads text as the configuration file config.yaml.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("/home/dba/config.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustURL(t *testing.T, s string) server.URL {
	t.Helper()
	u, err := server.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// settings are the steps as "what=value": what explain prints, without the sources.
func settings(r Resolution) []string {
	var s []string
	for _, st := range r.Steps {
		s = append(s, st.What+"="+st.Value)
	}
	return s
}

const (
	orders = "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"
	shop   = "shop.abcdefghijkl.us-east-1.rds.amazonaws.com"
	global = "shop.global-abcdefghijkl.global.rds.amazonaws.com"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		url     string
		config  string
		aliases map[string]string
		want    server.Target
		asked   []string
		sources map[string]string // by step
	}{
		{
			name: "no configuration", url: "Dba@" + shop,
			want: server.Target{Host: shop, Port: 3306, User: "Dba", Region: "us-east-1"},
			sources: map[string]string{
				"endpoint": "the host name", "port": "the Server URL names none",
				"region": "the endpoint's name", "user": "the Server URL", "aws_profile": "", "role_arn": "",
			},
		},
		{
			name: "letter case, dot and port", url: "dba@Shop.ABCDEFGHIJKL.US-EAST-1.rds.amazonaws.com.:3307",
			want:    server.Target{Host: shop, Port: 3307, User: "dba", Region: "us-east-1"},
			sources: map[string]string{"port": "the Server URL"},
		},
		{
			name: "entry over account over defaults", url: "u@" + orders,
			config: `
servers:
  ` + orders + `: {aws_profile: entry, role_session_name: entry}
accounts:
  abcdefghijkl: {aws_profile: account, user: account, role_session_name: account, role_arn: 'arn:aws:iam::1:role/account'}
defaults: {aws_profile: default, user: default, role_session_name: default, role_arn: 'arn:aws:iam::1:role/default', external_id: default}
`,
			want: server.Target{
				Host: orders, Port: 3306, User: "account", Region: "eu-west-1",
				Profile: "entry", RoleARN: "arn:aws:iam::1:role/account", ExternalID: "default", RoleSessionName: "entry",
			},
			sources: map[string]string{
				"entry": "servers: " + orders + " (config.yaml:3)", "aws_profile": "servers: " + orders + " (config.yaml:3)",
				"role_session_name": "servers: " + orders + " (config.yaml:3)",
				"user":              "accounts: abcdefghijkl (config.yaml:5)", "role_arn": "accounts: abcdefghijkl (config.yaml:5)",
				"external_id": "defaults (config.yaml:6)", "region": "the endpoint's name",
			},
		},
		{
			name: "every field of the entry", url: "u@" + orders,
			config: `
servers:
  ` + orders + `: {aws_profile: e, user: e, region: us-east-1, role_arn: 'arn:aws:iam::1:role/e', external_id: e, role_session_name: ee, credential: iam, endpoint: '` + shop + `:3308'}
accounts:
  abcdefghijkl: {aws_profile: a, user: a, region: us-west-1, role_arn: 'arn:aws:iam::1:role/a', external_id: a, role_session_name: aa, credential: delegate}
defaults: {aws_profile: d, user: d, region: us-east-2, role_arn: 'arn:aws:iam::1:role/d', external_id: d, role_session_name: dd, credential: none}
`,
			want: server.Target{
				Host: shop, Port: 3308, User: "e", Region: "us-east-1",
				Profile: "e", RoleARN: "arn:aws:iam::1:role/e", ExternalID: "e", RoleSessionName: "ee",
			},
		},
		{
			name: "every field of the account but the region", url: "u@" + orders,
			config: `
accounts:
  abcdefghijkl: {aws_profile: a, user: a, region: us-west-1, role_arn: 'arn:aws:iam::1:role/a', external_id: a, role_session_name: aa, credential: iam}
defaults: {aws_profile: d, user: d, region: us-east-2, role_arn: 'arn:aws:iam::1:role/d', external_id: d, role_session_name: dd, credential: none}
`,
			want: server.Target{
				Host: orders, Port: 3306, User: "a", Region: "eu-west-1",
				Profile: "a", RoleARN: "arn:aws:iam::1:role/a", ExternalID: "a", RoleSessionName: "aa",
			},
			sources: map[string]string{"region": "the endpoint's name"},
		},
		{
			name: "every field of the defaults but the region", url: "u@" + orders,
			config: `
accounts: {another: {aws_profile: a, user: a, credential: none}}
defaults: {aws_profile: d, user: d, region: us-east-2, role_arn: 'arn:aws:iam::1:role/d', external_id: d, role_session_name: dd, credential: iam}
`,
			want: server.Target{
				Host: orders, Port: 3306, User: "d", Region: "eu-west-1",
				Profile: "d", RoleARN: "arn:aws:iam::1:role/d", ExternalID: "d", RoleSessionName: "dd",
			},
			sources: map[string]string{"aws_profile": "defaults (config.yaml:3)"},
		},
		{
			name: "no role, nothing for a role", url: "u@" + shop,
			config: "defaults: {external_id: x, role_session_name: xx}",
			want:   server.Target{Host: shop, Port: 3306, User: "u", Region: "us-east-1"},
		},
		{
			name: "exact entry before rule", url: "u@" + shop,
			config: `
rules:
  - host: '.*'
    aws_profile: rule
    external_id: rule
    role_arn: arn:aws:iam::1:role/rule
servers:
  ` + shop + `: {user: entry}
`,
			want:    server.Target{Host: shop, Port: 3306, User: "entry", Region: "us-east-1"},
			sources: map[string]string{"entry": "servers: " + shop + " (config.yaml:8)"},
		},
		{
			name: "no port in the URL means 3306 in the configuration", url: "u@h",
			config: "servers: {'h:3306': {endpoint: '" + orders + ":3307'}, h: {endpoint: " + shop + "}}",
			want:   server.Target{Host: orders, Port: 3307, User: "u", Region: "eu-west-1"},
		},
		{
			name: "rule with groups", url: "Root@Orders-Prod.abc.eu-west-1.rds.amazonaws.com",
			config: `
rules:
  - host: 'nothing'
    aws_profile: x
  - host: '[a-z]+-(?P<env>[a-z]+)\..*'
    user: '(?P<who>.*)'
    aws_profile: '${env}-${who}'
`,
			want:    server.Target{Host: "orders-prod.abc.eu-west-1.rds.amazonaws.com", Port: 3306, User: "Root", Region: "eu-west-1", Profile: "prod-Root"},
			sources: map[string]string{"entry": "rule 2 (config.yaml:5)", "aws_profile": "rule 2 (config.yaml:5)"},
		},
		{
			name: "tunnel", url: "u@127.0.0.1:13306",
			config: "servers: {'127.0.0.1:13306': {endpoint: '" + orders + ":3307', aws_profile: p}}",
			want:   server.Target{Host: orders, Port: 3307, User: "u", Region: "eu-west-1", Profile: "p"},
			sources: map[string]string{
				"endpoint": "servers: 127.0.0.1:13306 (config.yaml:1)", "port": "servers: 127.0.0.1:13306 (config.yaml:1)",
				"region": "the endpoint's name",
			},
		},
		{
			name: "tunnel, the account is the endpoint's", url: "u@[::1]:13306",
			config: "servers: {'[::1]:13306': {endpoint: " + orders + "}}\naccounts: {abcdefghijkl: p}",
			want:   server.Target{Host: orders, Port: 3306, User: "u", Region: "eu-west-1", Profile: "p"},
		},
		{
			name: "rule with an endpoint", url: "u@tunnel-orders:13306",
			config: `
rules:
  - host: 'tunnel-(?P<n>.*)'
    endpoint: '${n}.abc.eu-west-1.rds.amazonaws.com:3307'
`,
			want: server.Target{Host: "orders.abc.eu-west-1.rds.amazonaws.com", Port: 3307, User: "u", Region: "eu-west-1"},
		},

		{
			name: "alias", url: "u@DB.example.com:3307",
			config:  "servers: {db.example.com: {aws_profile: p}}",
			aliases: map[string]string{"db.example.com": "Orders.cluster-abcdefghijkl.eu-west-1.RDS.amazonaws.com."},
			want:    server.Target{Host: orders, Port: 3307, User: "u", Region: "eu-west-1", Profile: "p"},
			asked:   []string{"db.example.com"},
			sources: map[string]string{
				"endpoint": "DNS: db.example.com is an alias of " + orders, "port": "the Server URL", "region": "the endpoint's name",
			},
		},
		{
			// What lies behind the first RDS name is often an EC2 name, or another RDS name of a
			// cluster.
			name: "chain up to the first RDS name", url: "u@db.example.com",
			config: "rules: [{host: 'db\\..*'}]\naccounts: {abcdefghijkl: p}",
			aliases: map[string]string{
				"db.example.com": "a.example.com.", "a.example.com": "B.example.net.", "b.example.net": shop + ".",
				shop: "ec2-1-2-3-4.compute-1.amazonaws.com.", "ec2-1-2-3-4.compute-1.amazonaws.com": orders,
			},
			want:    server.Target{Host: shop, Port: 3306, User: "u", Region: "us-east-1", Profile: "p"},
			asked:   []string{"db.example.com", "a.example.com", "b.example.net"},
			sources: map[string]string{"endpoint": "DNS: db.example.com is an alias of a.example.com is an alias of b.example.net is an alias of " + shop},
		},
		{
			name: "longest chain", url: "u@h0.test", config: "servers: {h0.test: {}}",
			aliases: chain(8, shop),
			want:    server.Target{Host: shop, Port: 3306, User: "u", Region: "us-east-1"},
			asked:   []string{"h0.test", "h1.test", "h2.test", "h3.test", "h4.test", "h5.test", "h6.test", "h7.test"},
		},
		{
			name: "no look-up of an RDS name in the configuration", url: "u@" + shop,
			config:  "servers: {" + shop + ": {aws_profile: p}}",
			aliases: map[string]string{shop: orders},
			want:    server.Target{Host: shop, Port: 3306, User: "u", Region: "us-east-1", Profile: "p"},
		},
		{
			name: "no look-up beside an endpoint", url: "u@db.example.com",
			config:  "servers: {db.example.com: {endpoint: " + shop + "}}",
			aliases: map[string]string{"db.example.com": orders},
			want:    server.Target{Host: shop, Port: 3306, User: "u", Region: "us-east-1"},
		},

		{
			name: "global writer, region of the entry", url: "u@" + global,
			config:  "servers: {" + global + ": {region: eu-west-3}}\naccounts: {abcdefghijkl: {region: us-west-1}}",
			want:    server.Target{Host: global, Port: 3306, User: "u", Region: "eu-west-3"},
			sources: map[string]string{"region": "servers: " + global + " (config.yaml:1)"},
		},
		{
			name: "global writer, region of the account", url: "u@" + global,
			config:  "accounts: {abcdefghijkl: {region: us-west-1}}\ndefaults: {region: us-west-2}",
			want:    server.Target{Host: global, Port: 3306, User: "u", Region: "us-west-1"},
			sources: map[string]string{"region": "accounts: abcdefghijkl (config.yaml:1)"},
		},
		{
			name: "global writer, region of the defaults", url: "u@" + global, config: "defaults: {region: us-west-2}",
			want:    server.Target{Host: global, Port: 3306, User: "u", Region: "us-west-2"},
			sources: map[string]string{"region": "defaults (config.yaml:1)"},
		},
		{
			name: "global writer, region of DNS", url: "u@" + global,
			aliases: map[string]string{global: orders + "."},
			want:    server.Target{Host: global, Port: 3306, User: "u", Region: "eu-west-1"},
			asked:   []string{global},
			sources: map[string]string{"region": "DNS: " + global + " is an alias of " + orders, "endpoint": "the host name"},
		},
		{
			name: "alias of a global writer", url: "u@db.example.com", config: "servers: {db.example.com: {}}",
			aliases: map[string]string{"db.example.com": global, global: orders},
			want:    server.Target{Host: global, Port: 3306, User: "u", Region: "eu-west-1"},
			asked:   []string{"db.example.com", global},
			sources: map[string]string{"endpoint": "DNS: db.example.com is an alias of " + global},
		},
		{
			name: "tunnel to a global writer", url: "u@127.0.0.1:13306",
			config:  "servers: {'127.0.0.1:13306': {endpoint: " + global + "}}",
			aliases: map[string]string{global: orders},
			want:    server.Target{Host: global, Port: 3306, User: "u", Region: "eu-west-1"},
			asked:   []string{global},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &dns{aliases: tt.aliases}
			r, err := URL(t.Context(), mustURL(t, tt.url), parse(t, tt.config), nil, d.cname)
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != ToToken || r.Reason != "" {
				t.Fatalf("outcome %v (%q)", r.Outcome, r.Reason)
			}
			if diff := cmp.Diff(tt.want, r.Target); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			if r.Endpoint.Host != r.Target.Host {
				t.Errorf("the endpoint is %s, the target %s", r.Endpoint.Host, r.Target.Host)
			}
			if diff := cmp.Diff(tt.asked, d.asked); diff != "" {
				t.Errorf("look-ups (-want +got):\n%s", diff)
			}
			for what, source := range tt.sources {
				if got := sourceOf(r, what); got != source {
					t.Errorf("the source of %s is %q, want %q", what, got, source)
				}
			}
			checkSteps(t, r)
		})
	}
}

// chain makes n aliases: h0.test to h1.test and so on, the last to end.
func chain(n int, end string) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("h%d.test", i)] = fmt.Sprintf("h%d.test", i+1)
	}
	m[fmt.Sprintf("h%d.test", n-1)] = end
	return m
}

// checkSteps holds the steps against the target: explain prints the former, the token is signed
// for the latter.
func checkSteps(t *testing.T, r Resolution) {
	t.Helper()
	last := map[string]string{}
	for _, s := range r.Steps {
		if s.Value == "" || s.By == "" {
			t.Errorf("the step %+v", s)
		}
		last[s.What] = s.Value
	}
	want := map[string]string{
		"endpoint": r.Target.Host, "port": fmt.Sprint(r.Target.Port), "region": r.Target.Region, "user": r.Target.User,
		"aws_profile": r.Target.Profile, "role_arn": r.Target.RoleARN,
		"external_id": r.Target.ExternalID, "role_session_name": r.Target.RoleSessionName,
	}
	for what, value := range want {
		if last[what] != value {
			t.Errorf("the step %s has %q, the target %q", what, last[what], value)
		}
	}
}

func TestLeave(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		url     string
		config  string
		aliases map[string]string
		outcome Outcome
		reason  string
		asked   []string
	}{
		{name: "socket", url: "u@/tmp%2Fmysql.sock", config: "rules: [{user: u, credential: none}]", outcome: ToDelegate, reason: "Unix socket, no host name of a database server"},
		{name: "pipe", url: `u@\\.\MySQL`, outcome: ToDelegate, reason: "named pipe, no host name of a database server"},
		{name: "SSH", url: "ssh://u@" + shop, outcome: ToDelegate, reason: "SSH tunnel, no host name of a database server"},
		{name: "key file", url: "file:/home/key", outcome: ToDelegate, reason: "key file, no host name of a database server"},

		{
			name: "host that nothing names", url: "u@db.example.com", aliases: map[string]string{"db.example.com": shop},
			config: "servers: {other.example.com: {}}\nrules: [{host: x}]\ndefaults: {aws_profile: p, credential: none}",
			reason: "no RDS or Aurora host name, and not in the configuration", outcome: ToDelegate,
		},
		{name: "address that nothing names", url: "u@127.0.0.1:13306", outcome: ToDelegate, reason: "no RDS or Aurora host name, and not in the configuration"},
		{name: "look-alike", url: "u@x.abc.us-east-1.rds.amazonaws.com.evil.example", outcome: ToDelegate, reason: "no RDS or Aurora host name, and not in the configuration"},

		{
			name: "entry: delegate", url: "u@" + shop, config: "servers: {" + shop + ": {credential: delegate}}\ndefaults: {credential: none}",
			outcome: ToDelegate, reason: "servers: " + shop + " (config.yaml:1)",
		},
		{name: "entry: none", url: "u@" + shop, config: "servers: {" + shop + ": {credential: none}}", outcome: ToNobody, reason: "servers: " + shop + " (config.yaml:1)"},
		{
			name: "entry: delegate, no RDS name", url: "u@db.example.com", config: "servers: {db.example.com: {credential: delegate}}",
			aliases: map[string]string{"db.example.com": shop}, outcome: ToDelegate, reason: "servers: db.example.com (config.yaml:1)",
		},
		{name: "entry: none, beside an endpoint", url: "u@h", config: "servers: {h: {credential: none, endpoint: " + shop + "}}", outcome: ToNobody, reason: "servers: h (config.yaml:1)"},
		{name: "rule: delegate", url: "root@" + shop, config: "rules:\n- {user: admin, credential: none}\n- {user: root, credential: delegate}", outcome: ToDelegate, reason: "rule 2 (config.yaml:3)"},
		{name: "rule: none", url: "root@" + shop, config: "rules: [{user: root, credential: none}]", outcome: ToNobody, reason: "rule 1 (config.yaml:1)"},
		{name: "account: delegate", url: "u@" + shop, config: "accounts: {abcdefghijkl: {credential: delegate}}\ndefaults: {credential: none}", outcome: ToDelegate, reason: "accounts: abcdefghijkl (config.yaml:1)"},
		{name: "account: none", url: "u@" + shop, config: "accounts: {abcdefghijkl: {credential: none}}\ndefaults: {credential: delegate}", outcome: ToNobody, reason: "accounts: abcdefghijkl (config.yaml:1)"},
		{name: "account: none, by way of a tunnel", url: "u@h", config: "servers: {h: {endpoint: " + shop + "}}\naccounts: {abcdefghijkl: {credential: none}}", outcome: ToNobody, reason: "accounts: abcdefghijkl (config.yaml:2)"},
		{name: "defaults: delegate", url: "u@" + shop, config: "servers: {" + shop + ": {aws_profile: p}}\ndefaults: {credential: delegate}", outcome: ToDelegate, reason: "defaults (config.yaml:2)"},
		{name: "defaults: none", url: "u@" + shop, config: "defaults: {credential: none}", outcome: ToNobody, reason: "defaults (config.yaml:1)"},
		{name: "defaults: none, for a global writer without region", url: "u@" + global, config: "defaults: {credential: none}", outcome: ToNobody, reason: "defaults (config.yaml:1)"},
		{name: "defaults: none, for an entry that is no RDS name", url: "u@127.0.0.1", config: "servers: {127.0.0.1: {aws_profile: p}}\ndefaults: {credential: none}", outcome: ToNobody, reason: "defaults (config.yaml:2)"},

		{name: "rule for an address", url: "u@127.0.0.1", config: "rules: [{host: '.*', aws_profile: p}]", outcome: ToDelegate, reason: "127.0.0.1 is no RDS or Aurora endpoint"},
		{name: "rule for an IPv6 address", url: "u@[2001:db8::1]", config: "rules: [{user: u}]", outcome: ToDelegate, reason: "2001:db8::1 is no RDS or Aurora endpoint"},
		{name: "rule for an IPv4 address in IPv6", url: "u@[::ffff:10.0.0.1]", config: "rules: [{user: u}]", outcome: ToDelegate, reason: "::ffff:10.0.0.1 is no RDS or Aurora endpoint"},
		{name: "rule for one label", url: "u@localhost", config: "rules: [{user: u}]", aliases: map[string]string{"localhost": shop}, outcome: ToDelegate, reason: "localhost is no RDS or Aurora endpoint"},
		{
			name: "rule for a name that is no alias", url: "u@DB.example.com", config: "rules: [{host: 'db\\..*', aws_profile: p}]",
			outcome: ToDelegate, asked: []string{"db.example.com"},
			reason: "db.example.com is no RDS or Aurora endpoint (DNS: db.example.com is no alias)",
		},
		{
			name: "rule for an alias of something else", url: "u@db.example.com", config: "rules: [{host: '.*'}]",
			aliases: map[string]string{"db.example.com": "a.example.net."},
			outcome: ToDelegate, asked: []string{"db.example.com", "a.example.net"},
			reason: "db.example.com is no RDS or Aurora endpoint (DNS: db.example.com is an alias of a.example.net, which is none)",
		},
		{
			name: "rule, failing DNS", url: "u@db.example.com", config: "rules: [{host: '.*'}]",
			aliases: map[string]string{"db.example.com": "!"},
			outcome: ToDelegate, asked: []string{"db.example.com"},
			reason: "db.example.com is no RDS or Aurora endpoint (DNS: look-up failed, no server answers)",
		},
		{
			name: "rule, failing DNS in the chain", url: "u@db.example.com", config: "rules: [{host: '.*'}]",
			aliases: map[string]string{"db.example.com": "a.example.com", "a.example.com": "!"},
			outcome: ToDelegate, asked: []string{"db.example.com", "a.example.com"},
			reason: "db.example.com is no RDS or Aurora endpoint (DNS: look-up failed, no server answers)",
		},
		{
			name: "loop", url: "u@a.test", config: "rules: [{host: '.*'}]",
			aliases: map[string]string{"a.test": "b.test", "b.test": "a.test"},
			outcome: ToDelegate, asked: []string{"a.test", "b.test", "a.test", "b.test", "a.test", "b.test", "a.test", "b.test"},
			reason: "a.test is no RDS or Aurora endpoint (DNS: after 8 aliases)",
		},
		{
			name: "alias of itself", url: "u@a.test", config: "rules: [{host: '.*'}]", aliases: map[string]string{"a.test": "A.test."},
			outcome: ToDelegate, asked: []string{"a.test", "a.test", "a.test", "a.test", "a.test", "a.test", "a.test", "a.test"},
			reason: "a.test is no RDS or Aurora endpoint (DNS: after 8 aliases)",
		},
		{
			name: "chain that is too long", url: "u@h0.test", config: "rules: [{host: '.*'}]", aliases: chain(9, shop),
			outcome: ToDelegate, asked: []string{"h0.test", "h1.test", "h2.test", "h3.test", "h4.test", "h5.test", "h6.test", "h7.test"},
			reason: "h0.test is no RDS or Aurora endpoint (DNS: after 8 aliases)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &dns{aliases: tt.aliases}
			r, err := URL(t.Context(), mustURL(t, tt.url), parse(t, tt.config), nil, d.cname)
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != tt.outcome || r.Reason != tt.reason {
				t.Errorf("outcome %v, %q; want %v, %q", r.Outcome, r.Reason, tt.outcome, tt.reason)
			}
			if diff := cmp.Diff(server.Target{}, r.Target); diff != "" {
				t.Errorf("a target (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.asked, d.asked); diff != "" {
				t.Errorf("look-ups (-want +got):\n%s", diff)
			}
			credential := map[Outcome]string{ToDelegate: "delegate", ToNobody: "none"}[tt.outcome]
			want := Step{"credential", credential, tt.reason}
			if diff := cmp.Diff(want, r.Steps[len(r.Steps)-1]); diff != "" {
				t.Errorf("last step (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		url     string
		config  string
		aliases map[string]string
		msg     string
		hint    []string
		steps   []string
	}{
		{
			name: "entry for an address", url: "u@127.0.0.1:13306", config: "servers: {'127.0.0.1:13306': {aws_profile: p}}",
			msg:   "127.0.0.1 is no RDS or Aurora endpoint, and servers: 127.0.0.1:13306 (config.yaml:1) names no endpoint",
			hint:  []string{"add to that entry in ", `config.yaml:  endpoint: NAME.ID.REGION.rds.amazonaws.com:3306`, `kept by the other helper:  credential: delegate`},
			steps: []string{"entry=matches"},
		},
		{
			name: "entry for a name that is no alias", url: "u@db.example.com", config: "servers: {db.example.com: {credential: iam}}\ndefaults: {credential: delegate}",
			msg:   "db.example.com is no RDS or Aurora endpoint (DNS: db.example.com is no alias), and servers: db.example.com (config.yaml:1) names no endpoint",
			hint:  []string{`:  endpoint: `},
			steps: []string{"entry=matches", "dns=no RDS name"},
		},
		{
			name: "entry, failing DNS", url: "u@db.example.com", config: "servers: {db.example.com: {}}",
			aliases: map[string]string{"db.example.com": "!"},
			msg:     "servers: db.example.com (config.yaml:1) names no endpoint, and DNS could not be asked what db.example.com is an alias of: no server answers",
			hint:    []string{`:  endpoint: `},
			steps:   []string{"entry=matches", "dns=look-up failed"},
		},
		{
			name: "global writer, no configuration", url: "u@" + strings.ToUpper(global),
			msg:   "the global endpoint " + global + " names no region, and DNS doesn't tell it",
			hint:  []string{`config.yaml:  servers: {` + strings.ToUpper(global) + `: {region: REGION}}`, "mysql-secret-store-rds discover"},
			steps: []string{"entry=none", "endpoint=" + global, "port=3306", "dns=no RDS name"},
		},
		{
			name: "global writer, failing DNS", url: "u@" + global, aliases: map[string]string{global: "!"},
			msg:   "the global endpoint " + global + " names no region, and DNS doesn't tell it",
			hint:  []string{`{region: REGION}`},
			steps: []string{"entry=none", "endpoint=" + global, "port=3306", "dns=look-up failed"},
		},
		{
			name: "global writer that leads to another", url: "u@" + global,
			aliases: map[string]string{global: "other.global-abcdefghijkl.global.rds.amazonaws.com", "other.global-abcdefghijkl.global.rds.amazonaws.com": shop},
			msg:     "the global endpoint " + global + " names no region, and DNS doesn't tell it",
			steps:   []string{"entry=none", "endpoint=" + global, "port=3306"},
		},
		{
			// A second entry for the host alone would never be looked at: that for host:port
			// counts.
			name: "tunnel to a global writer", url: "u@127.0.0.1:13306", config: "servers: {'127.0.0.1:13306': {endpoint: " + global + "}}",
			msg:   "the global endpoint " + global + " names no region, and DNS doesn't tell it",
			hint:  []string{`set in servers: 127.0.0.1:13306 (config.yaml:1):  region: REGION`},
			steps: []string{"entry=matches", "endpoint=" + global, "port=3306", "dns=no RDS name"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &dns{aliases: tt.aliases}
			r, err := URL(t.Context(), mustURL(t, tt.url), parse(t, tt.config), nil, d.cname)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is %v, a %T, want an *Error", err, err)
			}
			if e.Text != tt.msg {
				t.Errorf("message\n\t%s\nwant\n\t%s", e.Text, tt.msg)
			}
			for _, part := range tt.hint {
				if hint := strings.Join(e.Advice().Actions(), "; "); !strings.Contains(hint, part) {
					t.Errorf("the hint\n\t%s\nlacks\n\t%s", hint, part)
				}
			}
			if !strings.HasPrefix(e.Error(), e.Text+": "+e.Do[0].String()) {
				t.Errorf("Error() = %q", e.Error())
			}
			if r.Outcome == ToToken {
				t.Error("a token beside the error")
			}
			if diff := cmp.Diff(tt.steps, settings(r)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRuleThatExpandsBadly(t *testing.T) {
	t.Parallel()
	c := parse(t, "rules:\n  - host: '(?P<r>[a-z]+)\\..*'\n    region: '${r}'\n")
	d := &dns{}
	_, err := URL(t.Context(), mustURL(t, "u@"+shop), c, nil, d.cname)
	var e *config.Error
	if !errors.As(err, &e) || e.Line != 3 || !strings.Contains(e.Msg, `"shop" is no AWS region`) {
		t.Errorf("the error is %v, a %T, want a *config.Error on line 3", err, err)
	}
	if d.asked != nil {
		t.Errorf("looked up %v", d.asked)
	}
}

func TestEntryStep(t *testing.T) {
	t.Parallel()
	noFile := &config.Config{}
	withFile := parse(t, "cache: true")
	for _, tt := range []struct {
		cfg  *config.Config
		want Step
	}{
		{noFile, Step{"entry", "none", "no configuration file"}},
		{withFile, Step{"entry", "none", "no server and no rule matches"}},
	} {
		r, err := URL(t.Context(), mustURL(t, "u@"+shop), tt.cfg, nil, (&dns{}).cname)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, r.Steps[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestHops(t *testing.T) {
	t.Parallel()
	d := &dns{aliases: map[string]string{
		"db.example.com": "a.example.com.", "a.example.com": global, global: "b.example.com", "b.example.com": orders, orders: "ec2.example",
	}}
	r, err := URL(t.Context(), mustURL(t, "u@db.example.com"), parse(t, "servers: {db.example.com: {}}"), nil, d.cname)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"db.example.com", "a.example.com", global, "b.example.com", orders}
	if diff := cmp.Diff(want, r.Hops); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// sourceOf returns the source of the last step called what.
func sourceOf(r Resolution, what string) string {
	for _, s := range slices.Backward(r.Steps) {
		if s.What == what {
			return s.By
		}
	}
	return ""
}

// TestDecisions: what was decided is there without reading the steps.
func TestDecisions(t *testing.T) {
	t.Parallel()
	c := parse(t, "accounts: {abcdefghijkl: prod}\nservers:\n  db.example.com: {endpoint: "+orders+", user: admin}\n")
	r, err := URL(t.Context(), mustURL(t, "u@db.example.com"), c, nil, (&dns{}).cname)
	if err != nil {
		t.Fatal(err)
	}
	const entry = "servers: db.example.com (config.yaml:3)"
	if r.Entry.String() != entry || r.UserBy != entry || r.ProfileBy != "accounts: abcdefghijkl (config.yaml:1)" || r.Learned || r.Login != "admin" {
		t.Errorf("%+v", r)
	}
	r, err = URL(t.Context(), mustURL(t, "u@"+orders), parse(t, ""), nil, (&dns{}).cname)
	if err != nil || r.Entry.Name != "" || r.UserBy != "the Server URL" || r.ProfileBy != "" || r.Login != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestLogin: one order of precedence for whom to log in as, whatever leads to the endpoint.
func TestLogin(t *testing.T) {
	t.Parallel()
	alias := map[string]string{"db.example.com": orders}
	for name, tc := range map[string]struct{ url, config, want string }{
		"nobody":                       {"@" + orders, "", ""},
		"an account's, by the name":    {"@" + orders, "accounts: {abcdefghijkl: {db_user: a}}\ndefaults: {db_user: d}", "a"},
		"an account's, by an endpoint": {"@127.0.0.1:13306", "accounts: {abcdefghijkl: {db_user: a}}\nservers:\n  127.0.0.1:13306: {endpoint: " + orders + "}", "a"},
		"an account's, by an alias":    {"@db.example.com", "accounts: {abcdefghijkl: {db_user: a}}\nservers: {db.example.com: {}}", "a"},
		"whom tokens are for, by an alias": {
			"@db.example.com", "accounts: {abcdefghijkl: {user: t}}\nservers: {db.example.com: {db_user: x}}", "t",
		},
		"the entry's":               {"@" + orders, "accounts: {abcdefghijkl: {db_user: a}}\nservers: {" + orders + ": {db_user: e}}", "e"},
		"the defaults'":             {"@" + orders, "accounts: {other: {db_user: a}}\ndefaults: {db_user: d}", "d"},
		"of the other helper":       {"@" + orders, "servers: {" + orders + ": {db_user: e, credential: delegate}}", "e"},
		"of somebody else's server": {"@mysql.example.com", "defaults: {db_user: d}", "d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := mustURL(t, "x"+tc.url)
			u.User = ""
			r, err := URL(t.Context(), u, parse(t, tc.config), nil, (&dns{aliases: alias}).cname)
			if err != nil || r.Login != tc.want {
				t.Errorf("%q, %v, want %q", r.Login, err, tc.want)
			}
		})
	}
}

func TestContextReachesDNS(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	var got any
	_, _ = URL(ctx, mustURL(t, "u@"+global), &config.Config{}, nil, func(ctx context.Context, _ string) (string, error) {
		got = ctx.Value(key{})
		return "", nil
	})
	if got != "mine" {
		t.Error("the look-up has another context")
	}
}
