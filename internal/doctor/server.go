package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/discover"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/learn"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
)

// How long the steps may take.
const (
	tcpPatience   = 3 * time.Second
	loginPatience = 15 * time.Second
	clockPatience = 5 * time.Second // is all that the time of day is worth
)

// Server is a server to check, and what is known of it.
type Server struct {
	URL        server.URL
	Resolution resolve.Resolution    // of URL
	Provider   *credentials.Provider // of the credentials that sign for Resolution.Target
	Known      *inventory.Server     // what the inventory says of the endpoint; nil: nothing
	Config     *config.Config        // where settings belong

	// CA are the authorities that its certificate may be of, and CAFile is what a person calls
	// them. Without CAKnown, they don't include this server's: no connection is tried then.
	CA      *x509.CertPool
	CAFile  string
	CAKnown bool

	// Asked is who was asked whose the server is; nil: nobody, as it is known.
	Asked *learn.Report

	Saved bool // a person has saved a password for exactly this server and user, which is used instead of a token

	// Tunnel is the ssh: of the configuration, through which MySQL Shell connects; "": it connects
	// by itself.
	Tunnel string

	Patience time.Duration // with one question to AWS; 0: 20 s
	// Waiting, if not nil, is told what is being waited for.
	Waiting func(what string)
	// Dial connects; nil: as package net does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup returns a host's aliases, the host first, and its addresses; nil: [Lookup].
	Lookup func(ctx context.Context, host string) (hops, addrs []string, err error)
}

// visit is a check of a server under way.
type visit struct {
	Server
	give   func(Finding)
	t      server.Target
	config *aws.Config // with valid credentials, or nil
	caller string      // their owner's ARN, if STS told it

	account string // theirs, if it is known

	server *inventory.Server // as RDS said just now, or else as the inventory says; nil when neither knows it
	fresh  bool              // RDS said it

	absent bool // RDS has no such server
	silent bool // AWS has not answered once, and is asked no more

	password *secret.Text // of the secret, once it was read

	conn net.Conn // that was made and not used yet, or nil

	causes []string // why a token would be refused
	unsure []string // why it might be

	held     []Finding // until it is known whether the token is accepted
	accepted bool
}

// CheckServer checks the way from a Server URL to its database, in the order in which things are
// needed, and reports each finding as soon as there is one. A check that another one has made
// pointless is reported as such. It asks DNS, STS, RDS and IAM, connects, and logs in; it changes
// nothing. It ends soon after ctx does; what comes of its being cancelled is no finding.
func CheckServer(ctx context.Context, s Server, report func(Finding)) {
	s.Patience = cmp.Or(s.Patience, 20*time.Second)
	v := &visit{Server: s, t: s.Resolution.Target}
	v.give = func(f Finding) {
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
		case len(v.held) > 0 || f.Status != OK && v.isProvenByLogin(f):
			v.held = append(v.held, f)
		default:
			report(f)
		}
	}
	if v.Waiting == nil {
		v.Waiting = func(string) {}
	}
	if v.Dial == nil {
		v.Dial = (&net.Dialer{}).DialContext
	}
	if v.Lookup == nil {
		v.Lookup = Lookup
	}
	if !s.Resolution.Ours() {
		v.warn("target", fmt.Sprintf("no token is made for %s: %s", s.URL, s.Resolution.Reason))
		return
	}
	if s.Saved {
		v.ok("saved", fmt.Sprintf("a password is saved for %s, and is used instead of a %s: there is nothing to check",
			s.URL, v.given()))
		return
	}
	text := fmt.Sprintf("a token for %s at %s:%d in %s", v.t.User, v.t.Host, v.t.Port, v.t.Region)
	if v.ofSecret() {
		text = fmt.Sprintf("the password of %s at %s:%d, which AWS Secrets Manager keeps in %s", v.t.User, v.t.Host,
			v.t.Port, v.Resolution.Secret.ID)
	}
	if v.t.User == v.URL.User {
		v.ok("target", text)
	} else { // whatever else is right
		other := v.URL
		other.User = v.t.User
		v.cause("target", fmt.Sprintf("%s (%s), and of no use to %s, as whom MySQL Shell logs in", text,
			s.Resolution.UserBy, v.URL.User),
			about.Name+" connect "+advice.Word(other.String()))
	}
	if s.Asked != nil {
		v.give(whose(s.Resolution, *s.Asked))
	}
	v.check(ctx)
	for _, f := range v.held {
		report(v.proven(f))
	}
}

// check makes the checks, and those after one that was cancelled not.
func (v *visit) check(ctx context.Context) {
	found := false
	for _, step := range []func(){
		func() { found = v.checkName(ctx) },
		func() { v.checkCredentials(ctx) },
		func() { v.checkServer(ctx) },
		func() { v.checkPermission(ctx) },
		func() { v.checkSecret(ctx) },
		v.checkIAM,
		func() { v.checkConnection(ctx, found) },
	} {
		if !errors.Is(ctx.Err(), context.Canceled) {
			step()
		}
	}
}

// isProvenByLogin reports whether a login with the token tells more about a check than AWS and the
// inventory do: what the server is, and what its user may do.
func (v *visit) isProvenByLogin(f Finding) bool {
	switch f.Name {
	case "account", "name", "permission", "iam":
		return true
	case "server":
		return v.server == nil || v.absent
	}
	return false
}

// proven returns a finding as it is after the login: where that was accepted, nothing that it needs
// is in doubt.
func (v *visit) proven(f Finding) Finding {
	if !v.accepted || f.Status == OK || !v.isProvenByLogin(f) {
		return f
	}
	text := map[string]string{
		"account":    "the credentials are of the server's account, as it took the token",
		"name":       f.Text + ", which is the same server",
		"server":     "the server that the token is for, as it took it; AWS was not asked about it, or doesn't tell",
		"permission": "rds-db:connect is allowed, as the server took the token",
		"iam":        "IAM authentication is enabled, as the server took the token",
	}[f.Name]
	return Finding{f.Name, OK, text, nil}
}

func (v *visit) ok(name, text string)                 { v.give(Finding{name, OK, text, nil}) }
func (v *visit) warn(name, text string, do ...string) { v.give(Finding{name, Warn, text, do}) }
func (v *visit) fail(name, text string, do ...string) { v.give(Finding{name, Fail, text, do}) }

// cause fails a check for something that also makes the server refuse the token.
func (v *visit) cause(name, text string, do ...string) {
	v.causes = append(v.causes, text)
	v.fail(name, text, do...)
}

// Lookup returns a host's aliases, one after the other, and its addresses, by
// the system's DNS servers.
func Lookup(ctx context.Context, host string) (hops, addrs []string, err error) {
	hops = []string{host}
	// Real chains have one to three; a single word is no matter for DNS.
	for name := host; len(hops) <= 8 && strings.Contains(name, "."); {
		next, err := resolve.LookupCNAME(ctx, name)
		if next = server.NormalHost(next); err != nil || next == "" || slices.Contains(hops, next) {
			break // the addresses matter, and may be in a file
		}
		hops = append(hops, next)
		name = next
	}
	addrs, err = net.DefaultResolver.LookupHost(ctx, host)
	return hops, addrs, err
}

// checkName checks whether there is an address to connect to.
func (v *visit) checkName(ctx context.Context) (found bool) {
	const name = "name"
	host := server.NormalHost(v.URL.Host)
	if _, err := netip.ParseAddr(host); err == nil {
		v.ok(name, host+" is an address")
		return true
	}
	v.Waiting("DNS: the address of " + host)
	hops, addrs, err := v.Lookup(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("it has no address")
	}
	chain := strings.Join(hops, " is an alias of ")
	switch {
	case err != nil && v.Tunnel != "":
		const text = "can't tell: the far end of the tunnel (%s) looks %s up; here: %v"
		v.warn(name, fmt.Sprintf(text, v.Tunnel, host, err))
		return false
	case err != nil:
		text := fmt.Sprintf("%s can't be looked up: %v", host, err)
		if len(hops) > 1 {
			text += " (" + chain + ")"
		}
		v.fail(name, text)
		return false
	}
	other := slices.IndexFunc(hops, func(hop string) bool {
		_, ok := server.ParseEndpoint(hop)
		return ok
	})
	if other >= 0 && !slices.Contains(hops, v.t.Host) {
		// Two endpoints may be one server's: the login tells.
		why := fmt.Sprintf("%s leads to %s, and the token is for %s", host, hops[other], v.t.Host)
		v.causes = append(v.causes, why)
		v.warn(name, why, v.setting("endpoint", fmt.Sprintf("%s:%d", hops[other], v.t.Port)))
		return true
	}
	v.ok(name, fmt.Sprintf("%s: %s", chain, strings.Join(addrs, ", ")))
	return true
}

// said words what a service of AWS answered, or that it didn't: credentials that are at hand are
// not to blame for that.
func (v *visit) said(service string, err error) (text string, do []string) {
	if errors.Is(err, credentials.ErrTimeout) {
		v.silent = true
		return unanswered(service, v.Patience), nil
	}
	if api, ok := errors.AsType[*credentials.APIError](err); ok && api.Denied {
		if action, ok := strings.CutPrefix(api.Operation, service+" "); ok {
			return fmt.Sprintf("%s:%s is not allowed", strings.ToLower(service), action), nil
		}
	}
	return v.described(err)
}

// setting is what to write into the configuration: into the entry that the server has, which one of
// its own would hide.
func (v *visit) setting(key, value string) string {
	if entry := v.Resolution.Entry; entry.Name != "" {
		return entry.Set(key + ": " + config.Quote(value)).String()
	}
	host := config.Quote(net.JoinHostPort(v.URL.Host, strconv.Itoa(v.URL.PortOrDefault())))
	return v.Config.Add("servers", fmt.Sprintf("%s: {%s: %s}", host, key, config.Quote(value))).String()
}

// described returns an error in words, and what to do about it. Where there are no credentials, the
// account's id is part of that.
func (v *visit) described(err error) (text string, do []string) {
	if errors.Is(err, credentials.ErrNoCredentials) {
		err = password.Failed(v.Resolution, v.Config, err)
	}
	return described(err)
}

// checkCredentials gets the credentials and asks STS whose they are, and what time it is.
func (v *visit) checkCredentials(ctx context.Context) {
	const name = "credentials"
	failed := func(err error) {
		if clock, ok := errors.AsType[*credentials.ClockError](err); ok {
			v.warn(name, "of no use until this machine's clock is right")
			v.checkClock(clock.Ahead)
			return
		}
		text, do := v.described(err)
		v.fail(name, text, do...)
	}
	inTime, cancel := credentials.WithTimeout(ctx, v.Patience)
	defer cancel()
	v.Waiting("the AWS credentials of " + v.Provider.Whose().Words)
	creds, err := v.Provider.Retrieve(inTime)
	if err != nil {
		failed(err)
		return
	}
	config, err := v.Provider.Config(inTime)
	if err != nil {
		failed(err)
		return
	}
	config.Region = cmp.Or(v.Resolution.Endpoint.Region, v.t.Region)
	life := ""
	if creds.CanExpire {
		life = ", until " + creds.Expires.Local().Format("15:04 on 2006-01-02")
	}
	v.Waiting("STS: whose credentials these are")
	who, err := sts.NewFromConfig(config).GetCallerIdentity(inTime, nil)
	if err != nil {
		err = v.Provider.Explain(inTime, err)
		api, answered := errors.AsType[*credentials.APIError](err)
		_, network := errors.AsType[*credentials.NetworkError](err)
		if network || errors.Is(err, credentials.ErrTimeout) || answered && api.Throttled {
			text, do := v.said("STS", err)
			v.config, v.account = &config, creds.AccountID
			v.unsure = append(v.unsure,
				"the credentials are not valid, or this machine's clock is wrong: STS couldn't be asked")
			v.warn(name, fmt.Sprintf("there are some%s, but STS couldn't be asked whose: %s", life, text), do...)
			return
		}
		failed(err)
		return
	}
	v.config, v.caller, v.account = &config, aws.ToString(who.Arn), aws.ToString(who.Account)
	v.ok(name, v.caller+life)
	if ahead, ok := skew(who); ok {
		v.checkClock(ahead)
	} else {
		v.warn("clock", "can't tell: STS didn't say what time it is")
	}
}

func (v *visit) checkClock(ahead time.Duration) {
	clock := ofClock(ahead)
	if clock.Status == Fail {
		v.causes = append(v.causes, "this machine's clock is "+clock.Text)
	}
	v.give(clock)
}

// skew is how far this machine's clock is ahead of the one that STS answered by.
func skew(who *sts.GetCallerIdentityOutput) (ahead time.Duration, ok bool) {
	there, ok1 := awsmiddleware.GetServerTime(who.ResultMetadata)
	here, ok2 := awsmiddleware.GetResponseAt(who.ResultMetadata)
	return here.Sub(there), ok1 && ok2
}

// checkServer finds out what RDS knows about the server, and whether the token is for that.
func (v *visit) checkServer(ctx context.Context) {
	const name = "server"
	why, do := v.findServer(ctx)
	switch {
	case v.absent:
		text := fmt.Sprintf("RDS has no MySQL or MariaDB server %s in account %s: it is gone, of another engine, "+
			"or the credentials are another account's", v.t.Host, cmp.Or(v.account, "(not known)"))
		v.cause(name, text, about.Name+" explain "+advice.Word(v.URL.String()))
		return
	case v.server == nil:
		v.warn(name, "nothing is known about it: "+why, do...)
		return
	}
	s := *v.server
	text := fmt.Sprintf("%v %s (%s), %s, account %s", s.Kind, s.Name, s.ResourceID,
		strings.TrimSpace(s.Engine+" "+s.EngineVersion), s.Account)
	if !v.fresh {
		text += fmt.Sprintf("; seen %s (%s)", s.Seen.Local().Format("2006-01-02 15:04"), why)
	}
	wrong, do := v.compare(s)
	if v.ofSecret() { // which is for any port and region
		wrong = nil
	}
	switch {
	case len(wrong) > 0:
		v.cause(name, strings.Join(wrong, "; "), do...)
	case v.fresh && s.Status != "available":
		v.warn(name, text+"; its status is "+s.Status)
	default:
		v.ok(name, text)
	}
}

// findServer sets server and fresh, or absent. Where RDS didn't say, it returns why,
// and what to do.
func (v *visit) findServer(ctx context.Context) (why string, do []string) {
	v.server = v.Known
	switch {
	case v.config == nil:
		return "there are no credentials to ask RDS with", nil // nor can discover
	case v.silent:
		return "AWS doesn't answer", nil
	}
	inTime, cancel := context.WithTimeout(ctx, v.Patience)
	defer cancel()
	v.Waiting("RDS: what " + v.t.Host + " is")
	s, found, err := discover.Find(inTime, *v.config, v.Resolution.Endpoint, v.t.Region, v.account, time.Now())
	switch {
	case err != nil:
		why, _ = v.said("RDS", v.Provider.Explain(inTime, err))
		return "RDS can't be asked: " + why, nil // nor can discover
	case found:
		if s.Account == "" && v.Known != nil {
			s.Account = v.Known.Account
		}
		v.server, v.fresh = &s, true
	case v.Known == nil || v.Known.Account == v.account:
		v.absent = true
	default:
		return "the credentials are of another account", []string{about.Name + " discover"}
	}
	return "", nil
}

// compare returns in what the token is for another server than this one, and the settings that
// change it.
func (v *visit) compare(s inventory.Server) (wrong, do []string) {
	if s.Region != v.t.Region {
		wrong = append(wrong, fmt.Sprintf("the token is for region %s, and the server is in %s", v.t.Region, s.Region))
		do = append(do, v.setting("region", s.Region))
	}
	if s.Port != 0 && s.Port != v.t.Port {
		wrong = append(wrong, fmt.Sprintf("the token is for port %d, and the server's is %d", v.t.Port, s.Port))
		if server.NormalHost(v.URL.Host) == v.t.Host {
			right := v.URL
			right.Port = s.Port
			do = append(do, about.Name+" connect "+advice.Word(right.String()))
		} else {
			do = append(do, v.setting("endpoint", fmt.Sprintf("%s:%d", v.t.Host, s.Port)))
		}
	}
	return wrong, do
}

// checkPermission has rds-db:connect simulated.
func (v *visit) checkPermission(ctx context.Context) {
	const name = "permission"
	switch {
	case v.ofSecret():
		return
	case v.config == nil:
		v.warn(name, "not checked: there are no valid credentials")
		return
	case v.server != nil && v.account != "" && v.server.Account != "" && v.server.Account != v.account:
		const text = "the credentials are of account %s, and the server is in %s, " +
			"where they can't be allowed to connect"
		role := fmt.Sprintf("arn:%s:iam::%s:role/ROLE", v.server.Partition, v.server.Account)
		v.cause(name, fmt.Sprintf(text, v.account, v.server.Account), v.setting("role_arn", role))
		return
	case v.server == nil || v.server.Account == "" || v.resource() == "":
		v.warnOfNoResource(name)
		return
	}
	arn := connectARN(*v.server, v.resource(), v.t.User)
	cantTell := func(why string) {
		v.unsure = append(v.unsure, "rds-db:connect is not allowed on "+arn)
		v.warn(name, fmt.Sprintf("can't tell whether rds-db:connect is allowed on %s: %s", arn, why), policy(arn))
	}
	switch {
	case v.caller == "":
		cantTell("STS couldn't be asked who it is for")
		return
	case v.silent:
		cantTell("AWS doesn't answer")
		return
	}
	inTime, cancel := context.WithTimeout(ctx, v.Patience)
	defer cancel()
	v.Waiting("IAM: whether rds-db:connect is allowed")
	allowed, forbidden, err := discover.MayConnect(inTime, *v.config, v.caller, arn)
	switch {
	case err != nil:
		why, _ := v.said("IAM", v.Provider.Explain(inTime, err))
		cantTell(why + "; this policy for " + holder(v.caller) + " allows it")
	case allowed:
		v.ok(name, "rds-db:connect is allowed on "+arn)
	case forbidden:
		v.cause(name, fmt.Sprintf("rds-db:connect is denied to %s on %s, by a policy that says so, "+
			"a permissions boundary or the organization", holder(v.caller), arn))
	default:
		why := fmt.Sprintf("rds-db:connect is not allowed to %s on %s", holder(v.caller), arn)
		v.causes = append(v.causes, why)
		v.fail(name, why+"; this policy allows it", policy(arn))
	}
}

// warnOfNoResource reports that the permission can't be told. Whoever may ask RDS can fill the id
// in.
func (v *visit) warnOfNoResource(name string) {
	v.unsure = append(v.unsure, "rds-db:connect is not allowed")
	text, do := "can't tell: the server's resource id is not known", []string(nil)
	s := inventory.Server{Partition: v.Resolution.Endpoint.Partition, Region: v.t.Region, Account: v.account}
	if v.server != nil {
		s.Account, s.Cluster = cmp.Or(v.server.Account, v.account), v.server.Cluster
	}
	if find := findResource(v.Resolution.Endpoint, s, v.profile()); !v.absent && find != "" && s.Account != "" {
		text += "; this policy allows it, with " + whatItGives(v.Resolution.Endpoint, s)
		do = []string{find, policy(connectARN(s, "RESOURCE_ID", v.t.User))}
	}
	v.warn(name, text, do...)
}

// resource is the id that permissions name, or "": for an instance in a cluster it is the
// cluster's, which the inventory doesn't have.
func (v *visit) resource() string {
	if s := v.server; v.fresh || s.Kind != server.Instance || s.Cluster == "" {
		return s.ResourceID
	}
	return ""
}

// isProxy reports whether the server is an RDS Proxy, which has users of its own.
func (v *visit) isProxy() bool {
	kind := v.Resolution.Endpoint.Kind
	return kind == server.Proxy || kind == server.ProxyEndpoint
}

// knowsIAM reports whether it is known that the server takes tokens, or that it doesn't.
func (v *visit) knowsIAM() bool { return v.server != nil && !v.server.Partial() }

// checkIAM checks whether the server takes tokens at all.
func (v *visit) checkIAM() {
	const name = "iam"
	if v.ofSecret() {
		return
	}
	if !v.knowsIAM() {
		v.warn(name, "can't tell whether IAM authentication is enabled: nothing is known about the server")
		return
	}
	what := "IAM authentication is enabled"
	off := "IAM authentication is not enabled on the server"
	if v.isProxy() {
		what = "the RDS Proxy takes tokens"
		off = "the RDS Proxy takes no tokens: none of its secrets has IAM authentication"
	}
	switch {
	case v.server.IAM:
		v.ok(name, what)
	case v.fresh:
		v.cause(name, off, v.enableIAM()...)
	default:
		off += ", as of " + v.server.Seen.Local().Format("2006-01-02 15:04")
		v.causes = append(v.causes, off)
		v.warn(name, off, v.enableIAM()...)
	}
}

// enableIAM is the command that does, if it can be given.
func (v *visit) enableIAM() []string {
	if v.server == nil || v.server.Name == "" {
		return nil
	}
	return []string{enableIAM(*v.server, v.profile())}
}

// profile is the one to ask AWS with, or "".
func (v *visit) profile() string { return cmp.Or(v.Provider.Profile(), v.t.Profile) }

// address is where to connect to.
func (v *visit) address() string {
	return net.JoinHostPort(server.NormalHost(v.URL.Host), strconv.Itoa(v.URL.PortOrDefault()))
}
