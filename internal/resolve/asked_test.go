package resolve

import (
	"errors"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// known is an inventory of one account, 111111111111, which two profiles reach.
type known struct{}

func (known) Server(host string) (inventory.Server, bool, error) {
	s := inventory.Server{Host: host, Account: "111111111111", HostID: "abcdefghijkl", Profile: "prod", Region: "eu-west-1"}
	return s, host == orders || host == global, nil
}

func (known) Account(hostID, region string) (inventory.Account, bool, error) {
	a := inventory.Account{HostID: hostID, Region: region, Number: "111111111111", Profile: "prod", Profiles: []string{"prod", "other"}}
	return a, hostID == "abcdefghijkl" && region == "eu-west-1", nil
}

func (known) Numbered(number, region string) (inventory.Account, bool, error) {
	a := inventory.Account{HostID: "zyxwvutsrqpo", Region: region, Number: "333333333333", Profile: "vault"}
	return a, number == a.Number, nil
}

// TestWhoseProfile: one order of precedence for the profile, whoever asks for one.
func TestWhoseProfile(t *testing.T) {
	t.Parallel()
	const (
		entry    = "servers:\n  " + orders + ": {aws_profile: e}\n"
		hostID   = "accounts:\n  abcdefghijkl: id\n  \"111111111111\": number\n"
		number   = "accounts:\n  111111111111: number\n"
		stranger = "accounts:\n  222222222222: number\n"
		defaults = "defaults: {aws_profile: d}\n"
		reaches  = "AWS_PROFILE, which reaches account 111111111111"
		learned  = "inventory: server  (account 111111111111, seen 0001-01-01 00:00)"
		notThere = "; as far as discover knows, it does not reach account 111111111111"
	)
	for name, tc := range map[string]struct {
		asked    Asked
		config   string
		host     string
		want, by string
		overrule string // why AWS_PROFILE is not the one
	}{
		"nobody":                          {want: "prod", by: learned},
		"the defaults come last":          {config: defaults, want: "prod", by: learned},
		"AWS_PROFILE that reaches it":     {asked: Asked{Environment: "other"}, config: defaults, want: "other", by: reaches},
		"AWS_PROFILE, for all regions":    {asked: Asked{Environment: "other"}, host: global, want: "other", by: reaches},
		"AWS_PROFILE that doesn't":        {asked: Asked{Environment: "dev"}, want: "prod", by: learned, overrule: "overruled by " + learned + notThere},
		"AWS_PROFILE and an entry":        {asked: Asked{Environment: "other"}, config: entry, want: "e", overrule: "overruled by servers: " + orders + " (config.yaml:2)"},
		"AWS_PROFILE and accounts":        {asked: Asked{Environment: "other"}, config: number, want: "number", overrule: "overruled by accounts: 111111111111 (config.yaml:2)"},
		"AWS_PROFILE that is the default": {asked: Asked{Environment: "prod"}, want: "prod", by: reaches},
		"an account's number":             {config: number, want: "number", by: "accounts: 111111111111 (config.yaml:2)"},
		"an account's number, globally":   {config: number, host: global, want: "number", by: "accounts: 111111111111 (config.yaml:2)"},
		"another account's number":        {config: stranger, want: "prod", by: learned},
		"an id before the number":         {config: hostID, want: "id", by: "accounts: abcdefghijkl (config.yaml:2)"},
		"--profile before all of them": {asked: Asked{Profile: "mine", Environment: "other"}, config: entry + hostID, want: "mine", by: flag,
			overrule: "overruled by " + flag},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := orders
			if tc.host != "" {
				host = tc.host
			}
			r, err := tc.asked.URL(t.Context(), mustURL(t, "u@"+host), parse(t, tc.config), known{}, (&dns{}).cname)
			if err != nil {
				t.Fatal(err)
			}
			if r.Target.Profile != tc.want || tc.by != "" && r.ProfileBy != tc.by {
				t.Errorf("%s by %q, want %s by %q", r.Target.Profile, r.ProfileBy, tc.want, tc.by)
			}
			if got := sourceOf(r, "AWS_PROFILE"); got != tc.overrule {
				t.Errorf("AWS_PROFILE: %q, want %q", got, tc.overrule)
			}
			checkSteps(t, r)
		})
	}
}

// TestSSHTunnel: "none" switches an inherited tunnel off, and a tunnel that ends at this machine
// inherits none.
func TestSSHTunnel(t *testing.T) {
	t.Parallel()
	const defaults = "defaults: {ssh: me@bastion}\n"
	for name, tc := range map[string]struct{ url, config, want, by string }{
		"inherited":             {"u@" + orders, defaults, "me@bastion", "defaults (config.yaml:1)"},
		"switched off":          {"u@" + orders, defaults + "servers: {" + orders + ": {ssh: none}}", "", "servers: " + orders + " (config.yaml:2)"},
		"a tunnel":              {"u@127.0.0.1:1", defaults + "servers: {'127.0.0.1:1': {endpoint: " + orders + "}}", "", "a tunnel that is open already, which defaults (config.yaml:1) is not for"},
		"a tunnel by its name":  {"u@localhost:1", defaults + "servers: {'127.0.0.1:1': {endpoint: " + orders + "}}", "", "a tunnel that is open already, which defaults (config.yaml:1) is not for"},
		"a tunnel by a rule":    {"u@127.0.0.1:1", defaults + "rules: [{host: 127.*, endpoint: " + orders + "}]", "", "a tunnel that is open already, which defaults (config.yaml:1) is not for"},
		"a tunnel in a tunnel":  {"u@127.0.0.1:1", "servers: {'127.0.0.1:1': {endpoint: " + orders + ", ssh: x@y}}", "x@y", "servers: 127.0.0.1:1 (config.yaml:1)"},
		"a tunnel, and nothing": {"u@127.0.0.1:1", "servers: {'127.0.0.1:1': {endpoint: " + orders + "}}", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := URL(t.Context(), mustURL(t, tc.url), parse(t, tc.config), nil, (&dns{}).cname)
			if err != nil || r.Client.SSH != tc.want || sourceOf(r, "ssh") != tc.by {
				t.Errorf("%q by %q, %v; want %q by %q", r.Client.SSH, sourceOf(r, "ssh"), err, tc.want, tc.by)
			}
		})
	}
}

// TestSameTunnel: the entry of one name of this machine is that of the others with the same port.
func TestSameTunnel(t *testing.T) {
	t.Parallel()
	c := parse(t, "servers: {'127.0.0.1:13306': {endpoint: '"+orders+":3306'}}\nrules: [{host: localhost, credential: none}]")
	r, err := URL(t.Context(), mustURL(t, "u@localhost:13306"), c, nil, (&dns{}).cname)
	want := server.Target{Host: orders, Port: 3306, User: "u", Region: "eu-west-1"}
	if err != nil || r.Target != want {
		t.Fatalf("%+v, %v", r.Target, err)
	}
	const by = "servers: 127.0.0.1:13306 (config.yaml:1), as localhost with the same port is the same end of a tunnel"
	if got := sourceOf(r, "entry"); got != by || r.Entry.String() != "servers: 127.0.0.1:13306 (config.yaml:1)" {
		t.Errorf("the entry is %q, by %q", r.Entry, got)
	}
	if r, err := URL(t.Context(), mustURL(t, "u@localhost:13307"), c, nil, (&dns{}).cname); err != nil || r.Outcome != ToNobody {
		t.Errorf("another port: %v, %v", r.Outcome, err)
	}
}

// TestRegionThatContradicts: RDS would refuse a token for another region than the server's.
func TestRegionThatContradicts(t *testing.T) {
	t.Parallel()
	for url, config := range map[string]string{
		"u@" + orders:      "servers:\n  " + orders + ": {region: us-east-1}",
		"u@127.0.0.1:1":    "servers:\n  127.0.0.1:1: {endpoint: " + orders + ", region: us-east-1}",
		"u@x." + orders:    "rules:\n- {host: 'x\\..*', endpoint: " + orders + ", region: us-east-1}",
		"dba@" + orders:    "rules:\n- {user: dba, region: us-east-1}",
		"u@db.example.com": "servers:\n  db.example.com: {region: us-east-1}",
	} {
		d := &dns{aliases: map[string]string{"db.example.com": orders}}
		_, err := URL(t.Context(), mustURL(t, url), parse(t, config), nil, d.cname)
		var e *Error
		if !errors.As(err, &e) || !strings.HasSuffix(e.Text, "(config.yaml:2) says region: us-east-1, but "+orders+" is in eu-west-1, as its name has it") {
			t.Errorf("%s: %v", config, err)
		}
	}
	// That of an account or of the defaults is for global writers.
	c := parse(t, "accounts: {abcdefghijkl: {region: us-west-1}}\ndefaults: {region: us-east-1}")
	if r, err := URL(t.Context(), mustURL(t, "u@"+orders), c, nil, (&dns{}).cname); err != nil || r.Target.Region != "eu-west-1" {
		t.Errorf("%+v, %v", r.Target, err)
	}
}
