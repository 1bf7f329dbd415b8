// Package config reads config.yaml: which servers are reached how. It checks everything before
// anything is used, and every error names the file, the line and what is allowed.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/server"
)

// Credential says where a server's password comes from.
type Credential string

// The values of the field credential. The zero value is "left out".
const (
	IAM      Credential = "iam"      // a token that we sign
	Secret   Credential = "secret"   // a password that AWS Secrets Manager keeps
	Delegate Credential = "delegate" // a static password, kept by the other helper
	None     Credential = "none"     // nowhere: the Shell asks
)

// Address is the endpoint that a token is signed for when it isn't the host of the URL.
type Address struct {
	Endpoint server.Endpoint
	Port     int
}

// Fields are what an entry may say; a zero field is left out.
type Fields struct {
	Profile         string
	Region          string
	Endpoint        Address
	User            string
	RoleARN         string
	ExternalID      string
	RoleSessionName string
	Credential      Credential
	Secret          string // an ARN or a name, of credential: secret

	// For the commands that open a connection; no token depends on them.
	SSH    string   // the server of an SSH tunnel, as mysqlsh --ssh has it; NoSSH: none, whatever others say
	Schema string   // the default schema
	Args   []string // more arguments for mysqlsh
	DBUser string   // the database user when nobody names one
	SSLCA  string   // the file with the certificate authorities
}

// NoSSH is the value of the field ssh that switches off one which other entries have.
const NoSSH = "none"

// Where tells a person which part of the file said something.
type Where struct {
	File string
	Line int
	Name string // "rule 2", "servers: db.example.com", "accounts: abcdefghijkl", "defaults"
}

// String is the part's name and place: rule 2 (config.yaml:14).
func (w Where) String() string {
	return fmt.Sprintf("%s (%s:%d)", w.Name, filepath.Base(w.File), w.Line)
}

// Entry is one entry of the file: what it says and where it stands.
type Entry struct {
	Fields
	Where Where
}

// Config is a configuration that passed every check. Its zero value is that of no file, but
// for Cache, Delegate, Timeout and Learn: see [Parse].
type Config struct {
	File     string           // where it is, or would be
	Present  bool             // false when there is no file
	Accounts map[string]Entry // by the id in the host name, or by the account's number
	Defaults Entry
	Delegate string // "default", "none", a helper's name or an absolute path
	Cache    bool
	Timeout  time.Duration // for everything that one get does by itself
	Learn    time.Duration // of that, for asking AWS about a server that nobody knows; 0: it isn't asked

	servers  map[hostPort]Entry
	rules    []rule
	sections []string // that the file has
}

// Error is a mistake in the configuration file.
type Error struct {
	File string
	Line int // 0 when it concerns the whole file
	Msg  string
	Do   []advice.Action
}

// Advice implements [advice.Adviser].
func (e *Error) Advice() advice.Problem { return advice.Problemf("%s", e.Error()).With(e.Do...) }

func (e *Error) Error() string {
	const enough = 1 << 10 // what stands in the file may be quoted, and be of any length
	msg := e.Msg
	if len(msg) > enough {
		msg = strings.ToValidUTF8(msg[:enough], "") + "…"
	}
	if e.Line == 0 {
		return e.File + ": " + msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, msg)
}

// DefaultTimeout is how long a get may take: MySQL Shell itself would wait for ever.
const DefaultTimeout = 20 * time.Second

// DefaultLearn is how long AWS is asked whose a server is that nobody knows.
const DefaultLearn = 5 * time.Second

// Parse checks the content of a file, nil when there is none, and returns the configuration; the
// error is an [*Error]. No content means: default delegate, cache on, [DefaultTimeout], [DefaultLearn].
func Parse(file string, content []byte) (*Config, error) {
	return within(maxParse, file, func() (*Config, error) { return parse(file, content) })
}

// Server returns the exact entry for a host and port. An entry for host:port is preferred to one
// for the host alone, wherever they stand in the file.
func (c *Config) Server(host string, port int) (Entry, bool) {
	e, ok := c.servers[normal(host, port)]
	if !ok {
		e, ok = c.servers[normal(host, 0)]
	}
	return e, ok
}

// Tunnel returns the entry of another name of this machine with the same port, for a host that is
// one and has no entry of its own; false unless exactly one of the others has one. A tunnel listens
// at one of them, and is meant by all.
func (c *Config) Tunnel(host string, port int) (Entry, bool) {
	for _, p := range []int{port, 0} {
		var found []Entry
		for _, other := range [...]string{"localhost", "127.0.0.1", "::1"} {
			if e, ok := c.servers[normal(other, p)]; ok && IsLoopback(host) {
				found = append(found, e)
			}
		}
		if len(found) > 0 {
			return found[0], len(found) == 1
		}
	}
	return Entry{}, false
}

// IsLoopback reports whether a host is this machine: localhost, 127.0.0.1 and their like.
func IsLoopback(host string) bool {
	host = server.NormalHost(host)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Listed is an entry of servers, with its host and port; port 0 stands for any.
type Listed struct {
	Host  string
	Port  int
	Entry Entry
}

// Servers returns the entries of servers in the file's order.
func (c *Config) Servers() []Listed {
	list := make([]Listed, 0, len(c.servers))
	for key, e := range c.servers {
		list = append(list, Listed{key.host, key.port, e})
	}
	slices.SortFunc(list, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Entry.Where.Line, b.Entry.Where.Line), strings.Compare(a.Host, b.Host),
			cmp.Compare(a.Port, b.Port))
	})
	return list
}

// Rule returns the first rule that matches a host and a database user, its groups expanded.
// The error is an [*Error]: what a group expanded to made a field unusable.
func (c *Config) Rule(host, user string) (Entry, bool, error) {
	host = server.NormalHost(host)
	for _, r := range c.rules {
		if groups, ok := r.match(host, user); ok {
			f, err := buildFields(c.File, r.where.Name, r.raw, groups)
			return Entry{Fields: f, Where: r.where}, err == nil, err
		}
	}
	return Entry{}, false, nil
}

// Assigned are the profiles of accounts, by the id in host names or by the account's number.
func (c *Config) Assigned() map[string]string {
	m := map[string]string{}
	for id, e := range c.Accounts {
		if e.Profile != "" {
			m[id] = e.Profile
		}
	}
	return m
}

// Users are the database users that servers, accounts and defaults name, in no order.
func (c *Config) Users() (users []string) {
	entries := slices.AppendSeq([]Entry{c.Defaults}, maps.Values(c.servers))
	for _, e := range slices.AppendSeq(entries, maps.Values(c.Accounts)) {
		users = append(users, e.User, e.DBUser)
	}
	return slices.DeleteFunc(users, func(user string) bool { return user == "" })
}

// rule is an entry with patterns.
type rule struct {
	host, user *regexp.Regexp // nil matches everything
	where      Where
	raw        map[string]rawField
}

func (r rule) match(host, user string) (groups map[string]string, ok bool) {
	groups = map[string]string{}
	return groups, addGroups(groups, r.host, host) && addGroups(groups, r.user, user)
}

func addGroups(groups map[string]string, re *regexp.Regexp, text string) (matches bool) {
	if re == nil {
		return true
	}
	m := re.FindStringSubmatch(text)
	for i, group := range m {
		groups[re.SubexpNames()[i]] = group
	}
	return m != nil
}

// hostPort is a server's host, in one spelling, and its port; port 0 stands for any.
type hostPort struct {
	host string
	port int
}

func normal(host string, port int) hostPort {
	host = server.NormalHost(host)
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.String()
	}
	return hostPort{host, port}
}

// splitHostPort reads "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address.
func splitHostPort(s string) (host string, port int, err error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.String(), 0, nil
	}
	if strings.HasPrefix(s, "[") {
		inner, after, ok := strings.Cut(s[1:], "]")
		addr, err := netip.ParseAddr(strings.Replace(inner, "%25", "%", 1))
		switch {
		case !ok || err != nil || !addr.Is6():
			return "", 0, errors.New("not an IPv6 address in the brackets")
		case after == "":
			return addr.String(), 0, nil
		case after[0] != ':':
			return "", 0, errors.New("text after the IPv6 address")
		}
		port, err := server.ParsePort(after[1:])
		return addr.String(), port, err
	}
	host = s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host = s[:i]
		if port, err = server.ParsePort(s[i+1:]); err != nil {
			return "", 0, err
		}
	}
	if host == "" || strings.Contains(host, "..") || strings.ContainsAny(host, "/\\@:[]()?#*% \t") {
		return "", 0, errors.New("not a host name")
	}
	return host, port, nil
}
