// Package connect builds the command that opens a connection to a server, with everything that IAM
// needs, and remembers which servers are used most.
package connect

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
)

// Kind is a client program.
type Kind int

const (
	Shell   Kind = iota // MySQL Shell
	MariaDB             // MariaDB's client, also under the name of mysql
	MySQL               // MySQL's classic client
)

// Client is a client program on this machine.
type Client struct {
	Kind Kind
	Path string
}

// ErrNoClient is a machine with none of the client programs.
var ErrNoClient = errors.New("neither mysqlsh nor mariadb nor mysql is on PATH")

// Find gives MySQL Shell, or else another client, on PATH.
func Find() (Client, error) {
	for _, c := range []struct {
		name string
		kind Kind
	}{{"mysqlsh", Shell}, {"mariadb", MariaDB}, {"mysql", MySQL}} {
		path, err := exec.LookPath(c.name)
		if err != nil {
			continue
		}
		if c.kind == MySQL && isMariaDB(path) {
			c.kind = MariaDB
		}
		return Client{c.kind, path}, nil
	}
	return Client{}, ErrNoClient
}

// isMariaDB asks a program called mysql who it is.
func isMariaDB(path string) bool {
	out, err := exec.Command(path, "--no-defaults", "--version").Output()
	return err == nil && strings.Contains(string(out), "MariaDB")
}

// Server is where to connect to, and how.
type Server struct {
	User string
	Host string
	Port int
	// IAM is a server of ours: the password is a token, sent in clear over TLS.
	IAM bool
	// Same is a host whose name the server's certificate has: no tunnel, and no alias.
	Same   bool
	CA     string // file with the certificate authorities
	SSH    string // of a tunnel that the client opens; only MySQL Shell can
	Schema string
	Args   []string // more, from the configuration
	Extra  []string // more, from the person
}

// ErrSSH is a server behind an SSH tunnel, for a client that opens none.
var ErrSSH = errors.New("only MySQL Shell opens SSH tunnels")

// Command gives the arguments, the program's path first. No argument is a secret: MySQL Shell asks
// its credential helper for the token, the other clients read it from the environment variable
// MYSQL_PWD (secretly is true then). Options: MySQL Shell 8.0 guide, "mysqlsh - The MySQL Shell";
// MariaDB's and MySQL's client manuals.
func (c Client) Command(s Server) (args []string, secretly bool, err error) {
	args = []string{c.Path}
	if c.Kind != Shell {
		// Only the first argument may be this one; what ~/.my.cnf has for other servers doesn't fit.
		args = append(args, "--no-defaults")
	}
	args = append(args, "--user="+s.User, "--host="+s.Host, "--port="+strconv.Itoa(s.Port))
	verify := "VERIFY_CA"
	if s.Same && s.SSH == "" {
		verify = "VERIFY_IDENTITY"
	}
	switch c.Kind {
	case Shell:
		if s.IAM {
			args = append(args, "--auth-method=mysql_clear_password", "--ssl-mode="+verify, "--ssl-ca="+s.CA)
		}
		if s.SSH != "" {
			args = append(args, "--ssh="+s.SSH)
		}
		args = append(args, "--credential-store-helper=rds")
		if s.Schema != "" {
			args = append(args, "--schema="+s.Schema)
		}
		args = append(args, s.Args...)
	case MariaDB:
		args = append(args, "--ssl-ca="+s.CA)
		if s.Same {
			args = append(args, "--ssl-verify-server-cert")
		}
	case MySQL:
		args = append(args, "--enable-cleartext-plugin", "--ssl-mode="+verify, "--ssl-ca="+s.CA)
	}
	if c.Kind != Shell {
		if s.SSH != "" {
			return nil, false, ErrSSH
		}
		if s.Schema != "" {
			args = append(args, "--database="+s.Schema)
		}
	}
	return append(args, s.Extra...), c.Kind != Shell, nil
}
