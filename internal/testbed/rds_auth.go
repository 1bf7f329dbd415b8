package testbed

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

// password is what a user of SetPassword logs in with, and the plugin that asks for it.
type password struct{ plugin, text string }

// SetUsers says which database users take tokens. Until then, all do but those of SetPassword, who
// never do. The server asks everybody else for a native password, which nothing matches, as MySQL
// does for users that don't exist.
func (r *RDS) SetUsers(names ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users = map[string]bool{}
	for _, name := range names {
		r.users[name] = true
	}
}

// SetPassword makes a user one with a password, new or in place of the user's last one, for logins
// that begin from now on. The plugin is caching_sha2_password or mysql_native_password. As with
// MySQL, caching_sha2_password takes a password that it hasn't seen yet over TLS only: the server
// has no RSA key. Unlike MySQL, which would ask for it in another way, the server refuses a client
// that begins with the user's password by mysql_clear_password, for "a password in clear".
func (r *RDS) SetPassword(user, plugin, text string) {
	if plugin != mysql.AUTH_CACHING_SHA2_PASSWORD && plugin != mysql.AUTH_NATIVE_PASSWORD {
		panic("no plugin " + plugin)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passwords[user] = password{plugin, text}
	// The old password has to be forgotten. To InvalidateCache isn't enough: a login that has begun
	// would put it back.
	r.renew()
}

// inClear is the reason to refuse a password by mysql_clear_password.
const inClear = "a password in clear"

// accounts says by which plugin the user of one connection logs in. A user that doesn't exist is no
// different from one with the wrong password.
type accounts struct {
	r     *RDS
	relay *relay
}

func (a accounts) GetCredential(user string) (server.Credential, bool, error) {
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	known, hasPassword := a.r.passwords[user]
	switch {
	case hasPassword && a.relay.inClear.Load():
		a.r.refusals = append(a.r.refusals, inClear)
		return server.Credential{}, false, server.ErrAccessDenied
	case hasPassword:
		return server.Credential{Passwords: []string{known.text}, AuthPluginName: known.plugin}, true, nil
	case a.r.users != nil && !a.r.users[user]:
		return server.Credential{Passwords: []string{"not used"}, AuthPluginName: mysql.AUTH_NATIVE_PASSWORD}, true, nil
	case a.r.pluginOff:
		return server.Credential{}, false, mysql.NewError(mysql.ER_PLUGIN_IS_NOT_LOADED,
			"Plugin 'AWSAuthenticationPlugin' is not loaded")
	}
	return server.Credential{Passwords: []string{"not used"}, AuthPluginName: mysql.AUTH_CLEAR_PASSWORD}, true, nil
}

// OnAuthSuccess is called once for a connection, before the client is told.
func (a accounts) OnAuthSuccess(c *server.Conn) error {
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	a.r.logins = append(a.r.logins, c.GetUser())
	return nil
}

func (accounts) OnAuthFailure(*server.Conn, error) {}

// authentication checks passwords, and IAM tokens as passwords.
type authentication struct{ r *RDS }

func (authentication) Validate(string) (supported bool) { return true }

func (a authentication) Authenticate(c *server.Conn, plugin string, data []byte) error {
	a.r.mu.Lock()
	known, hasPassword := a.r.passwords[c.GetUser()]
	a.r.mu.Unlock()
	switch {
	case hasPassword && plugin == known.plugin:
		return a.checkPassword(c, plugin, data)
	case plugin == mysql.AUTH_CLEAR_PASSWORD:
		if err := a.checkToken(c, strings.TrimSuffix(string(data), "\x00")); err != nil {
			return a.refuse(server.ErrAccessDenied, err.Error())
		}
		return nil
	}
	return a.refuse(server.ErrAccessDenied, c.GetUser()+" is no user with AWSAuthenticationPlugin")
}

// refusal is an error that has been counted.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func (a authentication) refuse(err error, why string) error {
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	a.r.refusals = append(a.r.refusals, why)
	return refusal{err}
}

// checkPassword leaves it to go-mysql, which has Authenticate called once more in the course of
// caching_sha2_password's full authentication.
func (a authentication) checkPassword(c *server.Conn, plugin string, data []byte) error {
	err := (&server.DefaultAuthenticationProvider{}).Authenticate(c, plugin, data)
	var counted refusal
	switch {
	case err == nil || errors.As(err, &counted):
		return err
	case errors.Is(err, server.ErrAccessDenied):
		return a.refuse(err, fmt.Sprintf("%s: a wrong password for %s", c.GetUser(), plugin))
	case !encrypted(c):
		return a.refuse(server.ErrAccessDenied, c.GetUser()+": "+plugin+" would need the password, without TLS")
	}
	return err // the client has gone
}

func (a authentication) checkToken(c *server.Conn, token string) error {
	a.r.mu.Lock()
	endpoints, now := a.r.endpoints, time.Now().Add(a.r.skew)
	for _, known := range a.r.passwords {
		if token == known.text {
			a.r.mu.Unlock()
			return errors.New(inClear)
		}
	}
	a.r.mu.Unlock()
	if !encrypted(c) {
		return errors.New("a token over a connection without TLS")
	}
	return a.r.keys.VerifyToken(token, c.GetUser(), endpoints, now)
}

func encrypted(c *server.Conn) bool {
	_, is := c.Conn.Conn.(*tls.Conn)
	return is
}
