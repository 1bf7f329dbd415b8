// Package resolve decides where a Server URL's password comes from: which endpoint, user,
// region, AWS profile and role a token is signed for, or that another helper has it. Each
// decision is kept as a step, and those steps are what explain prints.
package resolve

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

// Step is one decision on the way: what was decided, and by what.
type Step struct {
	What  string `json:"what"` // "entry", "endpoint", "port", "region", "user", "aws_profile", …
	Value string `json:"value"`
	By    string `json:"source"` // "rule 2 (config.yaml:14)", "the host name", …
}

// Outcome says who answers for a Server URL.
type Outcome int

const (
	ToDelegate Outcome = iota // the other helper
	ToToken                   // us: a token for Target
	ToSecret                  // us: the password of Target.User that AWS Secrets Manager keeps
	ToNobody                  // credential: none
)

// Resolution is what became of a Server URL.
type Resolution struct {
	Outcome  Outcome
	Reason   string        // why neither ToToken nor ToSecret, for a person
	Target   server.Target // when [Resolution.Ours]; of a secret, with whose credentials it is read
	Client   Client        // when [Resolution.Ours]
	Secret   Secret        // when ToSecret
	Endpoint server.Endpoint
	Hops     []string // the CNAMEs that were followed, the first name included

	Entry     config.Where // of the server's entry or rule; its zero value when there is none
	UserBy    string       // who chose the target's user, for a person
	ProfileBy string       // who chose its AWS profile; "" when nobody did
	Learned   bool         // discover's findings chose the profile
	// OnlyIAM means that the configuration says credential: iam, so that no saved password counts.
	OnlyIAM bool
	// Unread is an inventory that is there and can't be used, when nothing else chose the profile
	// for this very server or account: which one would sign is a guess then.
	Unread error
	// Unknown means that nobody knows whose the endpoint is: neither the configuration nor --profile
	// chose a profile or role, and the inventory has neither its account nor the server itself. With an
	// error it means that what is missing may be known to AWS; the target is set as far as it is known.
	Unknown bool
	// Server is what discover learned of the endpoint; nil when that is nothing.
	Server *inventory.Server
	// Login is whom to log in as, where the Server URL names nobody: the user that tokens are made
	// for, else db_user; "" when the configuration names neither.
	Login string

	Steps []Step // all of it, for a person
}

// Ours reports whether the password comes from us.
func (r Resolution) Ours() bool { return r.Outcome == ToToken || r.Outcome == ToSecret }

// Client is what the configuration says of connecting; no token depends on it.
type Client struct {
	SSH    string
	Schema string
	Args   []string
	SSLCA  string
}

// Error is a Server URL that is ours and for which something is missing: what is wrong, and what to
// write into the configuration, or else to do.
type Error struct{ advice.Problem }

func (e *Error) Error() string { return e.OneLine() }

// CNAME returns the one name that host is an alias of, or "" when it is none.
type CNAME func(ctx context.Context, host string) (string, error)

// Known is what discover learned; an [*inventory.Inventory], as a rule.
type Known interface {
	Server(host string) (inventory.Server, bool, error)
	Account(hostID, region string) (inventory.Account, bool, error)
	// Numbered returns an account by its number: its record in the region, or else in another one.
	Numbered(number, region string) (inventory.Account, bool, error)
}

// Asked are the AWS profiles that were asked for this time, beside the configuration.
type Asked struct {
	Profile string // with --profile: it comes before everything else
	// Environment is AWS_PROFILE: it comes before what discover learned, if that knows that it
	// reaches the server's account.
	Environment string
}

// FromEnvironment returns what the environment asks for.
func FromEnvironment() Asked {
	return Asked{
		Profile:     os.Getenv(stamp.EnvProfile),
		Environment: cmp.Or(os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE")),
	}
}

// flag says who asked for [Asked].Profile.
const flag = "--profile (" + stamp.EnvProfile + ")"

// maxHops bounds a chain of aliases; real ones have one to three.
const maxHops = 8

// URL is [Asked.URL] where nobody asked for a profile.
func URL(ctx context.Context, u server.URL, cfg *config.Config, known Known, cname CNAME) (Resolution, error) {
	return Asked{}.URL(ctx, u, cfg, known, cname)
}

// URL resolves a Server URL, whose user may be missing, by the configuration and by what is known,
// which may be nil. It looks names up with cname only where the issue can't be settled without: a
// host that the configuration names and that is neither an RDS name, an address nor a single label,
// and a global writer without a region. An error is an [*Error] or a [*config.Error]; the
// Resolution then holds the steps up to it.
func (a Asked) URL(
	ctx context.Context, u server.URL, cfg *config.Config, known Known, cname CNAME,
) (Resolution, error) {
	r := &resolver{ctx: ctx, asked: a, url: u, cfg: cfg, known: known, cname: cname}
	err := r.run()
	return r.Resolution, err
}

type resolver struct {
	Resolution
	ctx   context.Context
	asked Asked
	url   server.URL
	cfg   *config.Config
	known Known
	cname CNAME

	host    string // of the URL, normalised
	entry   config.Entry
	exact   bool // it is one of servers, and not a rule
	layers  []layer
	dns     look
	missing bool // a secret that discover would have learned
}

// layer is one place that may say something about a server; of several the first counts.
type layer struct {
	config.Fields
	source string
}

func ofEntry(e config.Entry) layer { return layer{e.Fields, e.Where.String()} }

// look is what came of following a name's aliases.
type look struct {
	said string // why they lead to no RDS name, for a person; "" when they do, or nobody asked
	err  error  // DNS servers that couldn't be asked
}

func (r *resolver) step(what, value, source string) {
	r.Steps = append(r.Steps, Step{what, value, source})
}

// first takes a field, by its key, from the first layer that has it.
func (r *resolver) first(key string) (value, source string) {
	for _, l := range r.layers {
		if v := l.Text(key); v != "" {
			return v, l.source
		}
	}
	return "", ""
}

// pick is first as a step.
func (r *resolver) pick(key string) (value, source string) {
	if value, source = r.first(key); value != "" {
		r.step(key, value, source)
	}
	return value, source
}

func (r *resolver) leave(o config.Credential, reason string) {
	r.Outcome, r.Reason = ToDelegate, reason
	if o == config.None {
		r.Outcome = ToNobody
	}
	r.step("credential", string(o), reason)
}

func (r *resolver) run() error {
	if r.url.Kind != server.TCP {
		r.leave(config.Delegate, r.url.Kind.String()+", no host name of a database server")
		return nil
	}
	if err := r.findEntry(); err != nil {
		return err
	}
	defer func() { r.Login = r.login() }()
	if c := r.entry.Credential; c == config.Delegate || c == config.None {
		r.leave(c, r.entry.Where.String())
		return nil
	}
	port, ours := r.findEndpoint()
	if !ours {
		return r.notRDS()
	}
	known := r.learned()
	if port == 0 {
		port = r.defaultPort(known)
	}
	r.layers = []layer{
		{config.Fields{Profile: r.asked.Profile}, flag},
		ofEntry(r.entry), ofEntry(r.cfg.Accounts[r.Endpoint.HostID]), ofEntry(r.cfg.Accounts[known.number]),
		r.environment(known), known.server, known.account, ofEntry(r.cfg.Defaults),
	}
	text, source := r.first("credential")
	switch c := config.Credential(text); c {
	case config.Delegate, config.None:
		r.leave(c, source)
		return nil
	case config.IAM:
		r.OnlyIAM = true
		r.step("credential", text, source)
	}
	t, err := r.target(port, known, config.Credential(text), source)
	if err != nil {
		t.Profile, _ = r.first("aws_profile")
		t.RoleARN, _ = r.first("role_arn")
	}
	r.Target = t
	r.Unknown = t.Profile == "" && t.RoleARN == "" && r.Unread == nil && known.number == "" && (err == nil || r.missing)
	if err != nil {
		return err
	}
	r.Outcome, r.Client = ToToken, r.client()
	if r.Secret.ID != "" {
		r.Outcome = ToSecret
	}
	r.Learned = strings.HasPrefix(r.ProfileBy, "inventory: ")
	return nil
}

func (r *resolver) findEntry() error {
	r.host = server.NormalHost(r.url.Host)
	same := ""
	if r.entry, r.exact = r.cfg.Server(r.host, r.url.PortOrDefault()); !r.exact {
		if r.entry, r.exact = r.cfg.Tunnel(r.host, r.url.PortOrDefault()); r.exact {
			same = ", as " + r.host + " with the same port is the same end of a tunnel"
		}
	}
	if !r.exact {
		var err error
		if r.entry, _, err = r.cfg.Rule(r.host, r.url.User); err != nil {
			return err
		}
	}
	r.Entry = r.entry.Where
	switch {
	case r.found():
		r.step("entry", "matches", r.Entry.String()+same)
	case r.cfg.Present:
		r.step("entry", "none", "no server and no rule matches")
	default:
		r.step("entry", "none", "no configuration file")
	}
	id := r.entry.Endpoint.Endpoint.HostID
	if ep, ok := server.ParseEndpoint(r.host); ok && id == "" {
		id = ep.HostID
	}
	r.layers = []layer{ofEntry(r.entry), ofEntry(r.cfg.Accounts[id]), ofEntry(r.cfg.Defaults)}
	return nil
}

// found reports whether the configuration has an entry or a rule for the server.
func (r *resolver) found() bool { return r.Entry != config.Where{} }

// login returns whom to log in as where the Server URL names nobody.
func (r *resolver) login() string {
	user, _ := r.first("user")
	other, _ := r.first("db_user")
	return cmp.Or(user, other)
}

// target works out what a token is signed for, and by whom; or who reads the secret, if the password
// is one by what the configuration says of the credential.
func (r *resolver) target(
	port int, known learned, c config.Credential, source string,
) (t server.Target, err error) {
	t = server.Target{Host: r.Endpoint.Host, Port: port}
	if t.Region, err = r.region(); err != nil {
		return t, err
	}
	if t.User, r.UserBy = r.pick("user"); t.User == "" {
		t.User, r.UserBy = cmp.Or(r.url.User, r.login()), "the Server URL"
		r.step("user", t.User, r.UserBy)
	}
	if err := r.findSecret(c, source, t); err != nil {
		return t, err
	}
	others, err := r.foreign(known.number)
	if err != nil {
		return t, &Error{advice.Problemf("what discover learned can't be used: %v", err).With(advice.Ours("discover"))}
	}
	r.layers = slices.Insert(r.layers, 2, others...) // after --profile and the entry
	t.Profile, r.ProfileBy = r.pick("aws_profile")
	r.overrule(t.Profile, known)
	t.RoleARN, _ = r.pick("role_arn")
	if t.RoleARN != "" {
		t.ExternalID, _ = r.pick("external_id")
		t.RoleSessionName, _ = r.pick("role_session_name")
	}
	return t, nil
}

// environment returns the layer of AWS_PROFILE, if discover knows that it reaches the account.
func (r *resolver) environment(known learned) layer {
	if !slices.Contains(known.profiles, r.asked.Environment) {
		return layer{}
	}
	return layer{config.Fields{Profile: r.asked.Environment}, "AWS_PROFILE, which reaches account " + known.number}
}

// overrule says why AWS_PROFILE is not the profile that signs.
func (r *resolver) overrule(profile string, known learned) {
	asked := r.asked.Environment
	if asked == "" || profile == "" || asked == profile {
		return
	}
	by := "overruled by " + r.ProfileBy
	if len(known.profiles) > 0 && !slices.Contains(known.profiles, asked) {
		by += "; as far as discover knows, it does not reach account " + known.number
	}
	r.step("AWS_PROFILE", asked, by)
}

func (r *resolver) client() (c Client) {
	c.SSH = r.ssh()
	c.Schema, _ = r.pick("schema")
	c.SSLCA, _ = r.pick("ssl_ca")
	if i := slices.IndexFunc(r.layers, func(l layer) bool { return len(l.Args) > 0 }); i >= 0 {
		c.Args = r.layers[i].Args
		r.step("mysqlsh_args", strings.Join(c.Args, " "), r.layers[i].source)
	}
	return c
}

// ssh returns the server of the tunnel to open. A tunnel that is open already, and ends at this
// machine, needs no other one, unless its own entry says so.
func (r *resolver) ssh() string {
	server, source := r.first("ssh")
	switch {
	case server == "":
		return ""
	case source != r.Entry.String() && config.IsLoopback(r.host):
		server, source = config.NoSSH, "a tunnel that is open already, which "+source+" is not for"
	}
	if r.step("ssh", server, source); server == config.NoSSH {
		return ""
	}
	return server
}

// learned is what discover learned of an endpoint.
type learned struct {
	server, account layer
	port            int
	number          string   // the account's
	profiles        []string // that reach the account, the preferred one first
}

// learned returns what discover learned of the endpoint, and of its account and region. An
// inventory that can't be used counts as none, and a step says why.
func (r *resolver) learned() (known learned) {
	if r.known == nil {
		return known
	}
	ep := r.Endpoint
	s, ok, err := r.known.Server(ep.Host)
	hostID, region := ep.HostID, ep.Region
	if err == nil && ok {
		r.Server = &s
		known.number = s.Account
		known.server.source = fmt.Sprintf("inventory: server %s (account %s, seen %s)", s.Name, s.Account,
			s.Seen.Local().Format("2006-01-02 15:04"))
		known.server.Profile, known.port = s.Profile, s.Port
		if ep.Region == "" { // whose name has another id than its account and region
			known.server.Region = s.Region
			hostID, region = s.HostID, s.Region
		}
	}
	if err == nil && region != "" {
		var a inventory.Account
		if a, ok, err = r.known.Account(hostID, region); err == nil && ok {
			known.number, known.profiles = a.Number, a.Profiles
			known.account.source = fmt.Sprintf("inventory: id %s (account %s)", a.HostID, a.Number)
			known.account.Profile = a.Profile
		}
	}
	if err != nil {
		r.step("inventory", "not used", err.Error())
		r.Server = nil
		if r.asked.Profile == "" && r.entry.Profile == "" && r.cfg.Accounts[ep.HostID].Profile == "" {
			r.Unread = err
		}
		return learned{}
	}
	return known
}

// defaultPort is the port of a Server URL that names none.
func (r *resolver) defaultPort(known learned) int {
	port, source := server.DefaultPort, "the Server URL names none"
	if known.port != 0 && known.port != server.DefaultPort {
		port, source = known.port, known.server.source
	}
	r.step("port", strconv.Itoa(port), source)
	return port
}

// findEndpoint returns the port to sign for, or 0 when nothing names one, and sets r.Endpoint; ours
// is false when the host leads to no RDS name.
func (r *resolver) findEndpoint() (port int, ours bool) {
	if a := r.entry.Endpoint; a.Port != 0 {
		r.Endpoint = a.Endpoint
		r.step("endpoint", a.Endpoint.Host, r.Entry.String())
		r.step("port", strconv.Itoa(a.Port), r.Entry.String())
		return a.Port, true
	}
	ep, ok := server.ParseEndpoint(r.url.Host)
	source := "the host name"
	if !ok && r.found() && mayBeAlias(r.host) {
		ep, ok = r.follow(r.host)
		source = "DNS: " + strings.Join(r.Hops, " is an alias of ")
	}
	if !ok {
		return 0, false
	}
	r.Endpoint = ep
	r.step("endpoint", ep.Host, source)
	if r.url.Port != 0 {
		r.step("port", strconv.Itoa(r.url.Port), "the Server URL")
	}
	return r.url.Port, true
}

// mayBeAlias reports whether a look-up can tell something about a name.
func mayBeAlias(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && strings.Contains(host, ".")
}

// follow goes from alias to alias until the first RDS name that differs from host. RDS wants the
// token signed for that one: what lies behind it (an EC2 name, often) it doesn't know.
func (r *resolver) follow(host string) (server.Endpoint, bool) {
	r.Hops = []string{host}
	why := fmt.Sprintf("after %d aliases", maxHops)
	for name := host; len(r.Hops) <= maxHops; {
		next, err := r.cname(r.ctx, name)
		if err != nil {
			r.dns = look{said: "look-up failed, " + err.Error(), err: err}
			r.step("dns", "look-up failed", err.Error())
			return server.Endpoint{}, false
		}
		if name = server.NormalHost(next); name == "" {
			why = strings.Join(r.Hops, " is an alias of ") + ", which is none"
			if len(r.Hops) == 1 {
				why = host + " is no alias"
			}
			break
		}
		r.Hops = append(r.Hops, name)
		if ep, ok := server.ParseEndpoint(name); ok {
			return ep, true
		}
	}
	r.dns = look{said: why}
	r.step("dns", "no RDS name", why)
	return server.Endpoint{}, false
}

// notRDS settles a host that leads to no RDS name.
func (r *resolver) notRDS() error {
	if !r.found() {
		r.leave(config.Delegate, "no RDS or Aurora host name, and not in the configuration")
		return nil
	}
	if c := r.cfg.Defaults.Credential; r.entry.Credential == "" && (c == config.Delegate || c == config.None) {
		r.leave(c, r.cfg.Defaults.Where.String())
		return nil
	}
	why := "is no RDS or Aurora endpoint"
	if r.dns.said != "" {
		why += " (DNS: " + r.dns.said + ")"
	}
	if !r.exact {
		r.leave(config.Delegate, r.host+" "+why)
		return nil
	}
	const setting = "endpoint: NAME.ID.REGION.rds.amazonaws.com:3306"
	if r.dns.err != nil {
		return &Error{advice.Problemf("%s names no endpoint, and DNS could not be asked what %s is an alias of: %v",
			r.Entry, r.host, r.dns.err).With(advice.Put("try again, or add to that entry in "+r.cfg.File, setting))}
	}
	return &Error{advice.Problemf("%s %s, and %s names no endpoint", r.host, why, r.Entry).With(
		advice.Put("add to that entry in "+r.cfg.File, setting),
		advice.Put("or, if its password is kept by the other helper", "credential: delegate"))}
}

// region returns the region to sign for, and follows a global writer's alias where nothing else
// tells.
func (r *resolver) region() (string, error) {
	ep := r.Endpoint
	if r.entry.Region == "" && ep.Region != "" {
		r.step("region", ep.Region, "the endpoint's name")
		return ep.Region, nil
	}
	if e := r.entry.Region; ep.Region != "" && e != ep.Region {
		return "", &Error{advice.Problemf("%s says region: %s, but %s is in %s, as its name has it",
			r.Entry, e, ep.Host, ep.Region).With(advice.Say("leave region out of that entry"))}
	}
	if region, _ := r.pick("region"); region != "" {
		return region, nil
	}
	// A global writer: its alias is the cluster that is the writer now.
	hops := r.Hops
	if writer, ok := r.follow(ep.Host); ok && writer.Region != "" {
		r.step("region", writer.Region, "DNS: "+ep.Host+" is an alias of "+writer.Host)
		if hops != nil {
			r.Hops = append(hops, r.Hops[1:]...)
		}
		return writer.Region, nil
	}
	do := []advice.Action{r.cfg.Add("servers", r.url.Host+": {region: REGION}"), advice.Ours("discover")}
	if r.exact {
		do = []advice.Action{r.Entry.Set("region: REGION")}
	}
	return "", &Error{advice.Problemf("the global endpoint %s names no region, and DNS doesn't tell it",
		ep.Host).With(do...)}
}
