package resolve

import (
	"errors"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/inventory"
)

const managedARN = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:rds!cluster-1-AbCdEf"

// managing is the inventory of known, in which RDS manages the password of orders' master user.
type managing struct{ known }

func (m managing) Server(host string) (inventory.Server, bool, error) {
	s, ok, err := m.known.Server(host)
	s.Name, s.MasterUser, s.MasterSecretARN = "orders", "admin", managedARN
	return s, ok, err
}

// TestSecret: what makes a server's password one of AWS Secrets Manager, which secret it is, and
// who reads it.
func TestSecret(t *testing.T) {
	t.Parallel()
	const (
		entry  = "servers: {" + orders + ": "
		other  = "arn:aws:secretsmanager:us-east-1:333333333333:secret:app-AbCdEf"
		nobody = "arn:aws:secretsmanager:us-east-1:444444444444:secret:app-AbCdEf"
	)
	for name, tc := range map[string]struct {
		user, config, secret, profile, by string
	}{
		"another user than the master":        {user: "dba", profile: "prod"},
		"the master user, in another case":    {user: "Admin", profile: "prod"},
		"the master user":                     {user: "admin", secret: managedARN, profile: "prod", by: "inventory: admin is the master user of orders, and RDS manages its password"},
		"the user of the configuration":       {user: "x", config: "defaults: {user: admin}", secret: managedARN, profile: "prod"},
		"the master user, with tokens":        {user: "admin", config: "defaults: {credential: iam}", profile: "prod"},
		"the managed one, for whoever it is":  {user: "dba", config: entry + "{credential: secret}}", secret: managedARN, profile: "prod", by: "inventory: that which RDS manages"},
		"a name":                              {user: "dba", config: entry + "{secret: prod/app}}", secret: "prod/app", profile: "prod", by: "servers: " + orders + " (config.yaml:1)"},
		"a name for the master user":          {user: "admin", config: entry + "{secret: prod/app}}", secret: "prod/app", profile: "prod"},
		"of a rule, by the user":              {user: "app_x", config: "rules: [{user: 'app_(?P<app>.*)', secret: 'prod/${app}'}]", secret: "prod/x", profile: "prod"},
		"of an account":                       {user: "dba", config: "accounts: {abcdefghijkl: {secret: a}}", secret: "a", profile: "prod"},
		"an account's, and tokens of a rule":  {user: "dba", config: "accounts: {abcdefghijkl: {secret: a}}\nrules: [{user: dba, credential: iam}]", profile: "prod"},
		"in the server's account":             {user: "dba", config: entry + "{secret: '" + managedARN + "'}}", secret: managedARN, profile: "prod"},
		"in another account":                  {user: "dba", config: entry + "{secret: '" + other + "'}}", secret: other, profile: "vault"},
		"in another account, of accounts":     {user: "dba", config: entry + "{secret: '" + other + "'}}\naccounts: {'333333333333': mine}", secret: other, profile: "mine"},
		"in another account, of the entry":    {user: "dba", config: entry + "{aws_profile: e, secret: '" + other + "'}}", secret: other, profile: "e"},
		"in an account that nobody reaches":   {user: "dba", config: entry + "{secret: '" + nobody + "'}}", secret: nobody, profile: "prod"},
		"an account's id doesn't count there": {user: "dba", config: entry + "{secret: '" + other + "'}}\naccounts: {abcdefghijkl: server}", secret: other, profile: "vault"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := URL(t.Context(), mustURL(t, tc.user+"@"+orders+":3306"), parse(t, tc.config), managing{}, (&dns{}).cname)
			if err != nil {
				t.Fatal(err)
			}
			want := ToToken
			if tc.secret != "" {
				want = ToSecret
			}
			if r.Outcome != want || r.Secret.ID != tc.secret || r.Target.Profile != tc.profile {
				t.Errorf("outcome %d, secret %q, profile %q; want %d, %q, %q", r.Outcome, r.Secret.ID, r.Target.Profile,
					want, tc.secret, tc.profile)
			}
			if tc.by != "" && r.Secret.By != tc.by {
				t.Errorf("chosen by %q, want %q", r.Secret.By, tc.by)
			}
			if managed := tc.secret == managedARN && strings.HasPrefix(r.Secret.By, "inventory: "); managed != r.Secret.Managed {
				t.Errorf("managed: %v", r.Secret.Managed)
			}
			checkSteps(t, r)
		})
	}
}

// TestNoSecret: credential: secret where nothing names one.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"servers: {" + orders + ": {credential: secret}}": "servers: " + orders + " (config.yaml:1) says credential: secret for " + orders +
			", and names no secret; discover knows of none that RDS manages for it: run: mysql-secret-store-rds discover, or: set in servers: " + orders + " (config.yaml:1):  secret: ARN",
		"defaults: {credential: secret}": "defaults (config.yaml:1) says credential: secret for " + orders +
			", and names no secret; discover knows of none that RDS manages for it: run: mysql-secret-store-rds discover, or: write into /home/dba/config.yaml:  servers: {" + orders + ": {secret: ARN}}",
	} {
		r, err := URL(t.Context(), mustURL(t, "dba@"+orders), parse(t, config), known{}, (&dns{}).cname)
		if _, ok := errors.AsType[*Error](err); !ok || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\n%v\nwant %s", config, err, want)
		}
		if r.Ours() {
			t.Errorf("%s: outcome %d", config, r.Outcome)
		}
	}
}

// TestUnknown: when AWS may be asked whose a server is.
func TestUnknown(t *testing.T) {
	t.Parallel()
	const stranger = "x.zzzzzzzzzzzz.eu-west-1.rds.amazonaws.com"
	for name, tc := range map[string]struct {
		asked  Asked
		host   string
		config string
		want   bool
	}{
		"an id that nobody knows":  {host: stranger, want: true},
		"with AWS_PROFILE":         {host: stranger, asked: Asked{Environment: "p"}, want: true},
		"with --profile":           {host: stranger, asked: Asked{Profile: "p"}},
		"with a profile":           {host: stranger, config: "defaults: {aws_profile: p}"},
		"with a role":              {host: stranger, config: "defaults: {role_arn: 'arn:aws:iam::123456789012:role/r'}"},
		"with other settings":      {host: stranger, config: "defaults: {schema: s}", want: true},
		"an id that is known":      {host: "new.abcdefghijkl.eu-west-1.rds.amazonaws.com"},
		"the id in another region": {host: "new.abcdefghijkl.eu-west-2.rds.amazonaws.com", want: true},
		"a server that is known":   {host: orders},
		"no server of ours":        {host: "db.example.com"},
	} {
		r, err := tc.asked.URL(t.Context(), mustURL(t, "u@"+tc.host), parse(t, tc.config), known{}, (&dns{}).cname)
		if err != nil || r.Unknown != tc.want {
			t.Errorf("%s: %v, %v; want %v", name, r.Unknown, err, tc.want)
		}
	}
}
