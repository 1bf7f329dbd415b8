// Package resolve decides where a Server URL's password comes from: which endpoint, user,
// region, AWS profile and role a token is signed for, or that another helper has it. Each
// decision is kept as a step, and those steps are what explain prints.
package resolve

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/serverurl"
	"mysql-secret-store-rds/internal/target"
)

// Step is one decision on the way: what was decided, and by what.
type Step struct {
	What   string `json:"what"` // "entry", "endpoint", "port", "region", "user", "aws_profile", …
	Value  string `json:"value"`
	Source string `json:"source"` // "rule 2 (config.yaml:14)", "the host name", …
}

// Outcome says who answers for a Server URL.
type Outcome int

const (
	ToDelegate Outcome = iota // the other helper
	ToToken                   // us: a token for Target
	ToNobody                  // credential: none
)

// Resolution is what became of a Server URL.
type Resolution struct {
	Outcome  Outcome
	Reason   string        // why not ToToken, for a person
	Target   target.Target // when ToToken
	Client   Client        // when ToToken
	Endpoint serverurl.Endpoint
	Hops     []string // the CNAMEs that were followed, the first name included
	Steps    []Step
}

// Client is what the configuration says of connecting; no token depends on it.
type Client struct {
	SSH    string
	Schema string
	Args   []string
	SSLCA  string
}

// Source gives the source of the last step called what, or "".
func (r Resolution) Source(what string) string {
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if r.Steps[i].What == what {
			return r.Steps[i].Source
		}
	}
	return ""
}

// Error is a Server URL that is ours and for which something is missing.
type Error struct {
	Msg  string // what is wrong
	Hint string // what to write into the configuration
}

func (e *Error) Error() string { return e.Msg + ": " + e.Hint }

// CNAME gives the one name that host is an alias of, or "" when it is none.
type CNAME func(ctx context.Context, host string) (string, error)

// Known is what discover learned; an [*inventory.Inventory], as a rule.
type Known interface {
	Server(host string) (inventory.Server, bool, error)
	Account(id, region string) (inventory.Account, bool, error)
}

// Matches is the value of the step "entry" when the configuration has one for the server.
const Matches = "matches"

// FromInventory begins the source of a step that discover's findings decided.
const FromInventory = "inventory: "

// lookupFailed is the value of a step for DNS servers that could not be asked.
const lookupFailed = "look-up failed"

// maxHops bounds a chain of aliases; real ones have one to three.
const maxHops = 8

// URL resolves a Server URL by the configuration and by what is known, which may be nil. It looks names up with cname only where the
// issue can't be settled without: a host that the configuration names and that is neither an RDS
// name, an address nor a single label, and a global writer without a region. An error is an
// [*Error] or a [*config.Error]; the Resolution then holds the steps up to it.
func URL(ctx context.Context, u serverurl.URL, cfg *config.Config, known Known, cname CNAME) (Resolution, error) {
	r := &resolver{ctx: ctx, url: u, cfg: cfg, known: known, cname: cname}
	err := r.run()
	return r.Resolution, err
}

type resolver struct {
	Resolution
	ctx   context.Context
	url   serverurl.URL
	cfg   *config.Config
	known Known
	cname CNAME
}

// layer is one place that may say what the entry leaves out.
type layer struct {
	config.Fields
	source string
}

func ofEntry(e config.Entry) layer { return layer{e.Fields, e.Where.String()} }

func (r *resolver) step(what, value, source string) {
	r.Steps = append(r.Steps, Step{what, value, source})
}

func (r *resolver) leave(o config.Credential, reason string) {
	r.Outcome, r.Reason = ToDelegate, reason
	if o == config.None {
		r.Outcome = ToNobody
	}
	r.step("credential", string(o), reason)
}

func (r *resolver) run() error {
	u := r.url
	if u.Kind != serverurl.TCP {
		r.leave(config.Delegate, u.Kind.String()+", no host name of a database server")
		return nil
	}
	host := serverurl.NormalHost(u.Host)

	entry, exact := r.cfg.Server(host, u.PortOrDefault())
	found := exact
	if !exact {
		var err error
		if entry, found, err = r.cfg.Rule(host, u.User); err != nil {
			return err
		}
	}
	switch {
	case found:
		r.step("entry", Matches, entry.Where.String())
	case r.cfg.Present:
		r.step("entry", "none", "no server and no rule matches")
	default:
		r.step("entry", "none", "no configuration file")
	}
	if c := entry.Credential; c == config.Delegate || c == config.None {
		r.leave(c, entry.Where.String())
		return nil
	}

	port, ours := r.findEndpoint(host, entry, found)
	if !ours {
		return r.notRDS(host, entry, exact, found)
	}

	// What the entry leaves out comes from the account, then from what discover learned, then from the defaults.
	server, account := r.learned()
	if port == 0 {
		port = r.defaultPort(server)
	}
	layers := []layer{ofEntry(entry), ofEntry(r.cfg.Accounts[r.Endpoint.ID]), server.layer, account, ofEntry(r.cfg.Defaults)}
	pick := func(what string, field func(config.Fields) string) string {
		for _, l := range layers {
			if v := field(l.Fields); v != "" {
				r.step(what, v, l.source)
				return v
			}
		}
		return ""
	}
	for _, l := range layers {
		if c := l.Credential; c != "" {
			if c != config.IAM {
				r.leave(c, l.source)
				return nil
			}
			break
		}
	}

	t := target.Target{Host: r.Endpoint.Host, Port: port}
	var err error
	if t.Region, err = r.region(entry, exact, pick); err != nil {
		return err
	}
	if t.User = pick("user", func(f config.Fields) string { return f.User }); t.User == "" {
		t.User = u.User
		r.step("user", t.User, "the Server URL")
	}
	t.Profile = pick("aws_profile", func(f config.Fields) string { return f.Profile })
	t.RoleARN = pick("role_arn", func(f config.Fields) string { return f.RoleARN })
	if t.RoleARN != "" {
		t.ExternalID = pick("external_id", func(f config.Fields) string { return f.ExternalID })
		t.RoleSessionName = pick("role_session_name", func(f config.Fields) string { return f.RoleSessionName })
	}
	r.Client.SSH = pick("ssh", func(f config.Fields) string { return f.SSH })
	r.Client.Schema = pick("schema", func(f config.Fields) string { return f.Schema })
	r.Client.SSLCA = pick("ssl_ca", func(f config.Fields) string { return f.SSLCA })
	for _, l := range layers {
		if len(l.Args) > 0 {
			r.Client.Args = l.Args
			r.step("mysqlsh_args", strings.Join(l.Args, " "), l.source)
			break
		}
	}
	r.Outcome, r.Target = ToToken, t
	return nil
}

// User gives the database user for a server whose Server URL would name none, or "": the one that tokens are made for
// whoever asks, else the db_user of an entry, its account or the defaults. The error is a [*config.Error].
func User(host string, port int, cfg *config.Config) (string, error) {
	entry, ok := cfg.Server(host, port)
	if !ok {
		var err error
		if entry, _, err = cfg.Rule(host, ""); err != nil {
			return "", err
		}
	}
	id := entry.Endpoint.Endpoint.ID
	if ep, ok := serverurl.ParseEndpoint(host); ok && id == "" {
		id = ep.ID
	}
	account := cfg.Accounts[id]
	return cmp.Or(entry.User, account.User, cfg.Defaults.User, entry.DBUser, account.DBUser, cfg.Defaults.DBUser), nil
}

// learnedServer is a server of the inventory.
type learnedServer struct {
	layer
	port int
}

// learned gives what discover learned of the endpoint, and of its account and region. An inventory that
// can't be used counts as none, and a step says why.
func (r *resolver) learned() (server learnedServer, account layer) {
	if r.known == nil {
		return server, account
	}
	ep := r.Endpoint
	s, ok, err := r.known.Server(ep.Host)
	if err == nil && ok {
		server.source = fmt.Sprintf(FromInventory+"server %s (account %s, seen %s)", s.Name, s.Account, s.Seen.Local().Format("2006-01-02 15:04"))
		server.Profile, server.port = s.Profile, s.Port
		if ep.Region == "" {
			server.Region = s.Region
		}
	}
	if err == nil && ep.Region != "" {
		var a inventory.Account
		if a, ok, err = r.known.Account(ep.ID, ep.Region); err == nil && ok {
			account.source = fmt.Sprintf(FromInventory+"id %s (account %s)", a.ID, a.Number)
			account.Profile = a.Profile
		}
	}
	if err != nil {
		r.step("inventory", "not used", err.Error())
		return learnedServer{}, layer{}
	}
	return server, account
}

// defaultPort is the port of a Server URL that names none.
func (r *resolver) defaultPort(server learnedServer) int {
	if server.port != 0 && server.port != serverurl.DefaultPort {
		r.step("port", strconv.Itoa(server.port), server.source)
		return server.port
	}
	r.step("port", strconv.Itoa(serverurl.DefaultPort), "the Server URL names none")
	return serverurl.DefaultPort
}

// findEndpoint gives the port to sign for, or 0 when nothing names one, and sets r.Endpoint; ours is false
// when the host leads to no RDS name.
func (r *resolver) findEndpoint(host string, entry config.Entry, found bool) (port int, ours bool) {
	if a := entry.Endpoint; a.Port != 0 {
		r.Endpoint = a.Endpoint
		r.step("endpoint", a.Endpoint.Host, entry.Where.String())
		r.step("port", strconv.Itoa(a.Port), entry.Where.String())
		return a.Port, true
	}
	ep, ok := serverurl.ParseEndpoint(r.url.Host)
	source := "the host name"
	if !ok && found && mayBeAlias(host) {
		ep, ok = r.follow(host)
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

// mayBeAlias holds for names that a look-up can tell something about.
func mayBeAlias(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && strings.Contains(host, ".")
}

// follow goes from alias to alias until the first RDS name that differs from host. RDS wants the
// token signed for that one: what lies behind it (an EC2 name, often) it doesn't know.
func (r *resolver) follow(host string) (serverurl.Endpoint, bool) {
	r.Hops = []string{host}
	for name := host; len(r.Hops) <= maxHops; {
		next, err := r.cname(r.ctx, name)
		if err != nil {
			r.step("dns", lookupFailed, err.Error())
			return serverurl.Endpoint{}, false
		}
		next = serverurl.NormalHost(next)
		if next == "" {
			end := ", which is none"
			if len(r.Hops) == 1 {
				end = " is no alias"
			}
			r.step("dns", "no RDS name", strings.Join(r.Hops, " is an alias of ")+end)
			return serverurl.Endpoint{}, false
		}
		r.Hops = append(r.Hops, next)
		if ep, ok := serverurl.ParseEndpoint(next); ok {
			return ep, true
		}
		name = next
	}
	r.step("dns", "no RDS name", fmt.Sprintf("after %d aliases", maxHops))
	return serverurl.Endpoint{}, false
}

// notRDS settles a host that leads to no RDS name.
func (r *resolver) notRDS(host string, entry config.Entry, exact, found bool) error {
	if !found {
		r.leave(config.Delegate, "no RDS or Aurora host name, and not in the configuration")
		return nil
	}
	if c := r.cfg.Defaults.Credential; entry.Credential == "" && (c == config.Delegate || c == config.None) {
		r.leave(c, r.cfg.Defaults.Where.String())
		return nil
	}
	why := "is no RDS or Aurora endpoint"
	last := r.Steps[len(r.Steps)-1]
	if last.What == "dns" {
		said := last.Source
		if last.Value == lookupFailed {
			said = lookupFailed + ", " + said
		}
		why += " (DNS: " + said + ")"
	}
	if !exact {
		r.leave(config.Delegate, host+" "+why)
		return nil
	}
	if last.Value == lookupFailed {
		return &Error{
			Msg:  fmt.Sprintf("%s names no endpoint, and DNS could not be asked what %s is an alias of: %s", entry.Where, host, last.Source),
			Hint: fmt.Sprintf("try again, or add to that entry in %s: \"endpoint: NAME.ID.REGION.rds.amazonaws.com:3306\"", r.cfg.File),
		}
	}
	return &Error{
		Msg: fmt.Sprintf("%s %s, and %s names no endpoint", host, why, entry.Where),
		Hint: fmt.Sprintf("add to that entry in %s: \"endpoint: NAME.ID.REGION.rds.amazonaws.com:3306\", "+
			"or \"credential: delegate\" if its password is kept by the other helper", r.cfg.File),
	}
}

func (r *resolver) region(entry config.Entry, exact bool, pick func(string, func(config.Fields) string) string) (string, error) {
	ep := r.Endpoint
	if entry.Region == "" && ep.Region != "" {
		r.step("region", ep.Region, "the endpoint's name")
		return ep.Region, nil
	}
	if region := pick("region", func(f config.Fields) string { return f.Region }); region != "" {
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
	hint := fmt.Sprintf("add to %s, under \"servers:\": \"%s: {region: REGION}\" with the writer's region; or run: mysql-secret-store-rds discover",
		r.cfg.File, r.url.Host)
	if exact {
		hint = fmt.Sprintf("add to the entry %s: \"region: REGION\" with the writer's region", entry.Where)
	}
	return "", &Error{
		Msg:  fmt.Sprintf("the global endpoint %s names no region, and DNS doesn't tell it", ep.Host),
		Hint: hint,
	}
}
