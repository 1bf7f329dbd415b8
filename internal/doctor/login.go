package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
)

// Errors of MySQL's servers (MySQL error reference).
const (
	errAccessDenied    = 1045
	errPluginNotLoaded = 1524
)

// attempt is a connection that was tried.
type attempt struct {
	secured *tls.ConnectionState // nil: it didn't come to TLS
	user    string               // as select current_user() has it, once logged in
	in      bool                 // logged in
	err     error
}

// login connects and logs in. Without a token it goes as far as the server's question for a
// password, and returns [mysql.ErrCleartextPassword] if the server wants it as RDS wants a token.
func (v *visit) login(ctx context.Context, tok *secret.Text) (a attempt) {
	ctx, cancel := context.WithTimeout(ctx, loginPatience)
	defer cancel()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = v.URL.User, "no-token", "tcp", v.address()
	if tok != nil {
		cfg.Passwd, cfg.AllowCleartextPasswords = tok.Reveal(), !v.ofSecret()
	}
	cfg.TLS = &tls.Config{
		RootCAs: v.CA, ServerName: v.t.Host, MinVersion: tls.VersionTLS12,
		VerifyConnection: func(state tls.ConnectionState) error { // which comes after all other verification
			a.secured = &state
			return nil
		},
	}
	cfg.Logger = &mysql.NopLogger{} // the driver's own writes to stderr
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if conn := v.conn; conn != nil {
			v.conn = nil
			return conn, nil
		}
		return v.Dial(ctx, network, address)
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		a.err = err
		return a
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		a.err = err
		return a
	}
	defer conn.Close()
	a.in = true
	a.err = conn.QueryRowContext(ctx, "select current_user()").Scan(&a.user)
	return a
}

// checkConnection goes from the address to the login.
func (v *visit) checkConnection(ctx context.Context, found bool) {
	skip := func(why string, names ...string) {
		for _, name := range names {
			if name == "tls" && v.lacksAuthority() {
				v.warnOfNoAuthority() // which is to be had first, whatever else is in the way
				continue
			}
			v.warn(name, "not checked: "+why)
		}
	}
	given := v.given()
	switch {
	case v.Tunnel != "":
		v.warn("tcp", fmt.Sprintf("can't tell: MySQL Shell connects through a tunnel (ssh: %s)", v.Tunnel),
			about.Name+" connect "+advice.Word(v.URL.String()))
		skip("the server is behind a tunnel", "tls", given)
		return
	case !found:
		skip("there is no address to connect to", "tcp", "tls", given)
		return
	}
	tok, unsigned := v.sign(ctx) // first: MySQL doesn't wait long for a connection's first words
	switch {
	case !v.checkTCP(ctx):
		skip("there is no connection", "tls", given)
		return
	case !v.CAKnown:
		_ = v.conn.Close() // nothing was sent
		v.warnOfNoAuthority()
		skip(fmt.Sprintf("a %s is not sent to a server whose certificate can't be checked", given), given)
		return
	}
	v.Waiting("a login at " + v.address())
	a := v.login(ctx, tok)
	v.accepted = a.in && tok != nil
	switch {
	case !v.checkTLS(a):
		skip("there is no TLS to send it over", given)
	case v.ofSecret() && tok == nil:
		skip("it was not read", given)
	case v.ofSecret():
		v.checkPassword(a)
	case v.config == nil:
		skip("there are no valid credentials to sign it with", "token")
	case tok == nil:
		text, do := v.described(unsigned)
		v.fail("token", "none can be signed: "+text, do...)
	default:
		v.checkToken(ctx, a)
	}
}

// lacksAuthority reports whether nothing is known that the server's certificate could be of.
func (v *visit) lacksAuthority() bool { return !v.CAKnown && v.CAFile == "" }

// warnOfNoAuthority says that the certificate can't be checked, and with what it could be.
func (v *visit) warnOfNoAuthority() {
	const name = "tls"
	set := v.setting("ssl_ca", "/path/to/ca.pem")
	switch address := v.bundleAddress(); {
	case !v.lacksAuthority():
		v.warn(name, fmt.Sprintf("not checked: %s has no authority for %s; name a file that has", v.CAFile, v.t.Host),
			set)
	case address == "":
		const text = "not checked: the bundle has no authorities for %s (%s); name a file that has"
		v.warn(name, fmt.Sprintf(text, v.t.Region, v.Resolution.Endpoint.Partition), set)
	default:
		const text = "not checked: the bundle has no authorities for %s; they are at %s: fetch them, " +
			"or name a file that has them"
		v.warn(name, fmt.Sprintf(text, v.t.Region, address), v.fetchBundle(), set)
	}
}

// bundleAddress is where Amazon publishes the authorities of the server's region, or "".
func (v *visit) bundleAddress() string {
	return cabundle.Address(v.Resolution.Endpoint.Partition, v.t.Region)
}

// fetchBundle is the command that gets them.
func (v *visit) fetchBundle() string { return about.Name + " ca-bundle --fetch " + v.t.Region }

// sign makes the token, or gives the password that was read; it is nil with an error, or without
// credentials.
func (v *visit) sign(ctx context.Context) (*secret.Text, error) {
	if v.config == nil || v.ofSecret() {
		return v.password, nil
	}
	ctx, cancel := credentials.WithTimeout(ctx, v.Patience)
	defer cancel()
	tok, err := password.Sign(ctx, v.t, v.Provider)
	if err != nil {
		return nil, err
	}
	return &tok.Value, nil
}

// checkTCP connects. The connection serves the login, as servers count those that end without one.
func (v *visit) checkTCP(ctx context.Context) bool {
	inTime, cancel := context.WithTimeout(ctx, tcpPatience)
	defer cancel()
	v.Waiting("a connection to " + v.address())
	var err error
	if v.conn, err = v.Dial(inTime, "tcp", v.address()); err == nil {
		v.ok("tcp", v.address()+" is reachable")
		return true
	}
	problem := strings.Join(strings.Fields(err.Error()), " ")
	timeout, isNet := errors.AsType[net.Error](err)
	if inTime.Err() != nil || isNet && timeout.Timeout() {
		problem = fmt.Sprintf("no answer within %v: a security group may be in the way, or a VPN or tunnel is needed",
			tcpPatience)
	}
	direct := server.NormalHost(v.URL.Host) == v.t.Host
	if direct && v.server != nil && v.server.Port != 0 && v.server.Port != v.URL.PortOrDefault() {
		problem += fmt.Sprintf("; RDS says that the server's port is %d", v.server.Port)
	}
	v.fail("tcp", v.address()+" can't be reached: "+problem)
	return false
}

// authorities is what the authorities are called.
func (v *visit) authorities() string { return cmp.Or(v.CAFile, "the bundle") }

// checkTLS says what became of the TLS of a connection; ok is false when nothing came after it.
func (v *visit) checkTLS(a attempt) (ok bool) {
	const name = "tls"
	if a.secured == nil {
		text, do := v.explainTLS(a.err)
		v.fail(name, text, do...)
		return false
	}
	leaf := a.secured.PeerCertificates[0]
	text := fmt.Sprintf("%s, certificate good until %s (%s)", tls.VersionName(a.secured.Version),
		leaf.NotAfter.Format("2006-01-02"), v.authorities())
	if host := server.NormalHost(v.URL.Host); leaf.VerifyHostname(host) != nil {
		text += fmt.Sprintf("; it is for %s, not for %s: clients need --ssl-mode=VERIFY_CA", v.t.Host, host)
	}
	v.ok(name, text)
	return true
}

func (v *visit) explainTLS(err error) (text string, do []string) {
	refused, answered := errors.AsType[*mysql.MySQLError](err)
	unknown, isUnknown := errors.AsType[x509.UnknownAuthorityError](err)
	wrongName, isWrongName := errors.AsType[x509.HostnameError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case answered:
		text = fmt.Sprintf("the server wants no connection: %d: %s", refused.Number, refused.Message)
	case errors.Is(err, mysql.ErrNoTLS):
		text = "the server has no TLS, without which RDS takes no token: is it an RDS server?"
	case isUnknown:
		issuer := ""
		if unknown.Cert != nil {
			issuer = fmt.Sprintf(" (it is signed by %s)", unknown.Cert.Issuer)
		}
		text = fmt.Sprintf("the certificate is not of an authority in %s%s; if it is right, name its authority",
			v.authorities(), issuer)
		do = []string{v.setting("ssl_ca", "/path/to/ca.pem")}
		if v.CAFile == "" && v.bundleAddress() != "" { // Amazon may have new ones
			do = append([]string{v.fetchBundle()}, do...)
		}
	case isWrongName:
		text = fmt.Sprintf("the certificate is not for %s but for %s: the connection ends at another server",
			v.t.Host, strings.Join(wrongName.Certificate.DNSNames, ", "))
	case isInvalid && invalid.Reason == x509.Expired:
		text = fmt.Sprintf("the certificate holds from %s to %s, by this machine's clock not now",
			invalid.Cert.NotBefore.Format("2006-01-02"), invalid.Cert.NotAfter.Format("2006-01-02"))
	case errors.Is(err, context.DeadlineExceeded):
		text = fmt.Sprintf("no answer within %v: something else than a MySQL server, or one that is very busy",
			loginPatience)
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn):
		text = "the connection was closed before TLS began: no MySQL server, or not the way to it"
	default:
		text = "no MySQL server's answer: " + err.Error()
	}
	return text, do
}

// loggedIn reports whether a login succeeded, and says so.
func (v *visit) loggedIn(name string, a attempt) bool {
	switch {
	case a.in && a.err == nil:
		v.ok(name, "accepted: logged in as "+a.user)
	case a.in:
		v.warn(name, fmt.Sprintf("accepted, but select current_user() gives: %v", a.err))
	}
	return a.in
}

// checkToken says what became of a login.
func (v *visit) checkToken(ctx context.Context, a attempt) {
	const name = "token"
	refused, answered := errors.AsType[*mysql.MySQLError](a.err)
	switch {
	case v.loggedIn(name, a):
	case answered && refused.Number == errAccessDenied:
		v.explainRefusal(ctx, name)
	case answered && refused.Number == errPluginNotLoaded:
		v.fail(name, "the server can't check it (1524: "+refused.Message+"): IAM authentication is not enabled on it",
			v.enableIAM()...)
	case answered:
		v.fail(name, fmt.Sprintf("the server refuses the login: %d: %s", refused.Number, refused.Message))
	case isOtherPlugin(a.err):
		v.fail(name, fmt.Sprintf("the server wants another plugin than mysql_clear_password (clients say 2059): "+
			"the database user %s is not IDENTIFIED WITH AWSAuthenticationPlugin", v.t.User), changeUser(v.t.User))
	default:
		v.fail(name, "the server ended the login: "+a.err.Error())
	}
}

// isOtherPlugin recognises a server that asks for the password in a way which is no token's.
func isOtherPlugin(err error) bool {
	return errors.Is(err, mysql.ErrUnknownPlugin) || errors.Is(err, mysql.ErrOldPassword) ||
		errors.Is(err, mysql.ErrNativePassword)
}

// explainRefusal names what fits a 1045: what is known to be wrong, or else what the server shows
// of the user, or else what couldn't be told.
func (v *visit) explainRefusal(ctx context.Context, name string) {
	text, causes, do := "refused (1045): ", v.causes, []string(nil)
	takesTokens := !v.knowsIAM() || v.server.IAM
	// The server asks for a password in clear for a user with AWSAuthenticationPlugin.
	if takesTokens && !v.isProxy() && !errors.Is(v.login(ctx, nil).err, mysql.ErrCleartextPassword) {
		causes = append(causes, fmt.Sprintf("the server has no database user %s, "+
			"or one that is not IDENTIFIED WITH AWSAuthenticationPlugin", v.t.User))
		do = []string{"-- if there is no such user:\n" + createUser(v.t.User, v.Resolution.Client.Schema),
			"-- if there is one:\n" + changeUser(v.t.User)}
	}
	if len(causes) > 0 {
		v.fail(name, text+strings.Join(causes, "; "), do...)
		return
	}
	may := v.unsure
	if v.isProxy() {
		may = append(may,
			fmt.Sprintf("the RDS Proxy has no secret for the database user %s, or may not read it", v.t.User))
	}
	if !v.knowsIAM() {
		may = append(may, "IAM authentication is not enabled on the server")
	}
	if config.IsLoopback(v.URL.Host) {
		may = append(may, "the tunnel at "+v.address()+" leads to another server than "+v.t.Host)
	}
	if len(may) == 0 {
		may = []string{"none of the known causes; the server's own log (iam-db-auth-error) tells more. " +
			"The user's name is case-sensitive: " + v.t.User}
	}
	v.fail(name, text+"perhaps "+strings.Join(may, "; or "))
}
