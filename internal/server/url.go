// Package serverurl reads the names that MySQL Shell and RDS give to servers:
// Server URLs (user@host:port and its relatives) and RDS endpoint host names.
package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DefaultPort is the classic MySQL protocol's port, meant when a Server URL names none.
const DefaultPort = 3306

// maxName bounds a user and a host; DNS has 255 bytes at most, MySQL 32 characters.
const maxName = 255

// URLKind says what a Server URL points at.
type URLKind int

const (
	TCP    URLKind = iota // user@host[:port]
	Socket                // user@/path%2Fto or user@(/path)
	Pipe                  // user@\\.\pipe or user@(\\.\pipe)
	SSH                   // ssh://user@host[:port]: the password of an SSH tunnel
	File                  // file:/path: the pass phrase of a key file
)

// String names the kind for a person.
func (k URLKind) String() string {
	switch k {
	case TCP:
		return "server"
	case Socket:
		return "Unix socket"
	case Pipe:
		return "named pipe"
	case SSH:
		return "SSH tunnel"
	case File:
		return "key file"
	}
	return "unknown"
}

// URL is a Server URL taken apart; two equal URLs name the same account on the same server.
// User, Host and Path are decoded. Host keeps the letter case it came in and has no brackets.
type URL struct {
	Kind URLKind
	User string
	Host string // TCP and SSH: a name or an address, IPv6 with its zone (fe80::1%eth0)
	Port int    // TCP and SSH: 0 when the URL names none
	Path string // Socket, Pipe and File
}

// PortOrDefault is the port, or [DefaultPort] when the URL names none.
func (u URL) PortOrDefault() int {
	if u.Port == 0 {
		return DefaultPort
	}
	return u.Port
}

// Parse takes a Server URL apart. It knows every form that MySQL Shell writes
// (modules/mod_utils.cc and mysqlshdk/libs/db/uri_encoder.cc in the Shell's source): no scheme
// for database servers, ssh:// and file: for the rest, user and host percent-encoded, IPv6 in
// brackets. Anything else, a URL with a password, schema or options included, is an error; the
// error never repeats the URL, which may hold a secret then.
func Parse(s string) (URL, error) {
	if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) {
		return URL{}, errors.New("not valid UTF-8")
	}
	if strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) >= 0 {
		return URL{}, errors.New("contains a space or a control character")
	}
	switch {
	case strings.HasPrefix(s, "file:"):
		return parseFile(strings.TrimPrefix(s, "file:"))
	case strings.HasPrefix(s, "ssh://"):
		u, err := parseUserAt(strings.TrimPrefix(s, "ssh://"))
		if err != nil {
			return URL{}, err
		}
		if u.Kind != TCP {
			return URL{}, errors.New("an SSH server needs a host")
		}
		u.Kind = SSH
		return u, nil
	case strings.Contains(s, "://"):
		return URL{}, errors.New("a scheme other than ssh and file")
	}
	return parseUserAt(s)
}

// parseFile reads what follows "file:": /path, //path or an encoded path.
func parseFile(s string) (URL, error) {
	path, err := unescape(s)
	if err != nil {
		return URL{}, err
	}
	if path == "" {
		return URL{}, errors.New("file: without a path")
	}
	return URL{Kind: File, Path: path}, nil
}

func parseUserAt(s string) (URL, error) {
	user, rest, ok := strings.Cut(s, "@")
	if !ok {
		return URL{}, errors.New("no user")
	}
	if strings.Contains(user, ":") {
		return URL{}, errors.New("a password in the URL")
	}
	user, err := unescape(user)
	if err != nil {
		return URL{}, err
	}
	if user == "" {
		return URL{}, errors.New("an empty user")
	}
	if len(user) > maxName {
		return URL{}, errors.New("a user name of more than 255 bytes")
	}
	u := URL{User: user}
	if inner, ok := parenthesised(rest); ok {
		if strings.HasPrefix(inner, "/") {
			u.Kind, u.Path = Socket, inner
		} else if strings.HasPrefix(inner, `\\.\`) && len(inner) > len(`\\.\`) {
			u.Kind, u.Path = Pipe, inner
		} else {
			return URL{}, errors.New("parentheses around neither a socket nor a pipe")
		}
		return u, nil
	}
	switch {
	case strings.HasPrefix(rest, `\\.\`) && len(rest) > len(`\\.\`):
		u.Kind = Pipe
		u.Path, err = unescape(rest)
		return u, err
	case strings.HasPrefix(rest, "/"), hasPrefixFold(rest, "%2F"):
		u.Kind = Socket
		u.Path, err = unescape(rest)
		return u, err
	}
	u.Host, u.Port, err = parseHostPort(rest)
	return u, err
}

func parenthesised(s string) (string, bool) {
	if len(s) > 2 && s[0] == '(' && s[len(s)-1] == ')' {
		return s[1 : len(s)-1], true
	}
	return "", false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func parseHostPort(s string) (host string, port int, err error) {
	var portText string
	if strings.HasPrefix(s, "[") {
		inner, after, ok := strings.Cut(s[1:], "]")
		if !ok {
			return "", 0, errors.New("no ] after the IPv6 address")
		}
		if host, err = unescape(inner); err != nil {
			return "", 0, err
		}
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() {
			return "", 0, errors.New("not an IPv6 address in the brackets")
		}
		if after != "" && after[0] != ':' {
			return "", 0, errors.New("text after the IPv6 address")
		}
		portText = after
	} else {
		name := s
		if i := strings.IndexByte(s, ':'); i >= 0 {
			name, portText = s[:i], s[i:]
		}
		if host, err = unescape(name); err != nil {
			return "", 0, err
		}
		if err := checkHostName(host); err != nil {
			return "", 0, err
		}
	}
	if portText == "" {
		return host, 0, nil
	}
	port, err = ParsePort(portText[1:])
	return host, port, err
}

// ParsePort reads a decimal TCP port, 1 to 65535.
func ParsePort(s string) (int, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, errors.New("the port is not a number")
	}
	port, err := strconv.Atoi(s)
	if err != nil || port < 1 || port > 65535 {
		return 0, errors.New("the port is not in 1..65535")
	}
	return port, nil
}

// checkHostName refuses what could not be a host name; it leaves odd but harmless names alone.
func checkHostName(host string) error {
	if host == "" {
		return errors.New("no host")
	}
	if len(host) > maxName {
		return errors.New("a host name of more than 255 bytes")
	}
	forbidden := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("/\\@:[]()?#%", r) }
	if strings.IndexFunc(host, forbidden) >= 0 {
		return errors.New("a character that no host name has")
	}
	return nil
}

// unescape undoes percent-encoding. Unlike net/url it gives "+" back unchanged, and refuses
// results that are not text.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') >= 0 {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				b.WriteByte(s[i])
				continue
			}
			if i+2 >= len(s) {
				return "", errors.New("an incomplete percent-encoding")
			}
			v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", errors.New("an invalid percent-encoding")
			}
			b.WriteByte(byte(v))
			i += 2
		}
		s = b.String()
	}
	if !utf8.ValidString(s) {
		return "", errors.New("not valid UTF-8 once decoded")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return "", errors.New("a NUL character")
	}
	return s, nil
}

// String writes the URL as MySQL Shell would: percent-encoded, IPv6 in brackets.
// Parse(u.String()) gives u back.
func (u URL) String() string {
	switch u.Kind {
	case File:
		return "file:" + escape(u.Path, "/")
	case Socket:
		if strings.HasPrefix(u.Path, "/") {
			return escape(u.User, "") + "@/" + escape(u.Path[1:], "")
		}
		return escape(u.User, "") + "@" + escape(u.Path, "")
	case Pipe:
		return escape(u.User, "") + "@" + escape(u.Path, `\`)
	}
	host := escape(u.Host, "")
	if strings.Contains(u.Host, ":") {
		host = "[" + escape(u.Host, ":") + "]"
	}
	if u.Port != 0 {
		host += ":" + strconv.Itoa(u.Port)
	}
	if u.Kind == SSH {
		return "ssh://" + escape(u.User, "") + "@" + host
	}
	return escape(u.User, "") + "@" + host
}

// escape percent-encodes all but the unreserved characters of RFC 3986 and those in keep.
func escape(s, keep string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// NormalHost returns the one spelling of a host that is used to compare and to sign: lower case, no
// final dot.
func NormalHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
