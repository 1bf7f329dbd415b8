// Package connect builds the command that opens a connection to a server, with everything that IAM
// needs, and remembers which servers are used most.
package connect

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/disk"
)

// ClientKind is a client program.
type ClientKind int

const (
	Shell   ClientKind = iota // MySQL Shell
	MariaDB                   // MariaDB's client, also under the name of mysql
	MySQL                     // MySQL's classic client
)

// Client is a client program on this machine.
type Client struct {
	Kind ClientKind
	Path string
}

// ErrNoClient is a machine with none of the client programs.
var ErrNoClient = errors.New("neither mysqlsh nor mariadb nor mysql is on PATH")

// Find returns MySQL Shell, or else the other client programs on PATH; it is [ErrNoClient] that
// there are none.
func Find() ([]Client, error) {
	var found []Client
	for kind, name := range []string{Shell: "mysqlsh", MariaDB: "mariadb", MySQL: "mysql"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		c := Client{ClientKind(kind), path}
		if c.Kind == Shell {
			return []Client{c}, nil // which does all that the others do
		}
		if c.Kind == MySQL && isMariaDB(path) {
			c.Kind = MariaDB
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return nil, ErrNoClient
	}
	return found, nil
}

// OnPath reports whether a name leads to a program when it is typed.
func OnPath(name, program string) bool {
	found, err := exec.LookPath(name)
	return err == nil && disk.SameFile(found, program)
}

// isMariaDB asks a program called mysql who it is.
func isMariaDB(path string) bool {
	said := delegate.Says(context.Background(), 5*time.Second, path, "--no-defaults", "--version")
	return strings.Contains(said, "MariaDB")
}

// Server is where to connect to, and how.
type Server struct {
	User string
	Host string
	Port int // 0: the client's own; the Shell asks its helper for the password without one then
	// TLS is a server of ours: it is verified.
	TLS bool
	// IAM means that its password is a token, which is sent in clear.
	IAM bool
	// Password means that its password is one that we give, and no token: nothing is sent in clear.
	Password bool
	// Classic is a server of RDS, which speaks no X protocol: MySQL Shell would try that first, at
	// the same port, and the server would log a failed connection.
	Classic bool
	// Same is a host whose name the server's certificate has: no tunnel, and no alias.
	Same   bool
	CA     string // file with the certificate authorities
	SSH    string // of a tunnel that the client opens; only MySQL Shell can
	Schema string
	Args   []string // more, from the configuration
	Extra  []string // more, from the person
}

// What a client can't do.
var (
	// ErrSSH is a server behind an SSH tunnel, for a client that opens none.
	ErrSSH = errors.New("only MySQL Shell opens SSH tunnels")
	// ErrUnverified is a server whose certificate has another name than the one to connect to.
	// MariaDB's client checks both or nothing: without --ssl-verify-server-cert it goes on in clear
	// when the server offers no TLS.
	ErrUnverified = errors.New("MariaDB's client can't verify a server by another name than its own")
	// ErrNoTokens is a server that has a password: only MySQL Shell asks another helper for it.
	ErrNoTokens = errors.New("only MySQL Shell asks another helper for a password")
)

// Command returns the arguments, the program's path first. No argument is a secret: MySQL Shell
// asks its credential helper for the password, the other clients read it from the environment variable
// MYSQL_PWD. What the client can't do, or not safely, is an error. Options: MySQL Shell 8.0 guide,
// "mysqlsh - The MySQL Shell"; MariaDB's and MySQL's client manuals.
func (c Client) Command(s Server) ([]string, error) {
	shell := c.Kind == Shell
	switch {
	case shell:
	case !s.IAM && !s.Password:
		return nil, ErrNoTokens
	case s.SSH != "":
		return nil, ErrSSH
	case c.Kind == MariaDB && !s.Same:
		return nil, ErrUnverified
	}
	tls := s.TLS || s.IAM // no token is sent without
	args := []string{c.Path}
	add := func(wanted bool, more ...string) {
		if wanted {
			args = append(args, more...)
		}
	}
	add(!shell, "--no-defaults") // it has to be the first one; ~/.my.cnf is for other servers
	add(true, "--user="+s.User, "--host="+s.Host)
	add(s.Port != 0, "--port="+strconv.Itoa(s.Port))
	add(shell && (s.IAM || s.Classic), "--mysql")
	add(shell && s.IAM, "--auth-method=mysql_clear_password")
	add(c.Kind == MySQL && s.IAM, "--enable-cleartext-plugin")
	add(tls && c.Kind != MariaDB, "--ssl-mode="+s.verify())
	add(tls, "--ssl-ca="+s.CA)
	add(c.Kind == MariaDB, "--ssl-verify-server-cert")
	add(shell && s.SSH != "", "--ssh="+s.SSH)
	add(shell, "--credential-store-helper=rds")
	add(shell && s.Schema != "", "--schema="+s.Schema)
	add(!shell && s.Schema != "", "--database="+s.Schema)
	add(shell, s.Args...)
	add(true, s.Extra...)
	return args, nil
}

// URI returns what MySQL Shell's \connect takes for the same connection, with a scheme, so that it
// doesn't try the X protocol first. It holds no secret.
func (s Server) URI() string {
	host := strings.TrimSuffix(net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), ":0") // which is no port
	u := url.URL{Scheme: "mysql", User: url.User(s.User), Host: host, Path: "/" + s.Schema}
	var options []string
	if s.IAM {
		options = append(options, "auth-method=mysql_clear_password")
	}
	if s.TLS {
		options = append(options, "ssl-mode="+s.verify(), "ssl-ca="+url.QueryEscape(s.CA))
	}
	u.RawQuery = strings.Join(options, "&")
	return strings.Replace(u.String(), "/?", "?", 1)
}

// verify is how far a client can verify the server: a tunnel, or an alias, has another name than
// the certificate.
func (s Server) verify() string {
	if s.Same && s.SSH == "" {
		return "VERIFY_IDENTITY"
	}
	return "VERIFY_CA"
}
