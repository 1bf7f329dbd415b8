package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/connect"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/setup"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

func (c *console) connectCommand() *cobra.Command {
	var f connectFlags
	cmd := &cobra.Command{
		Use:   "connect [filter…|user@host:port] [-- mysqlsh arguments]",
		Short: "open a connection with MySQL Shell: pick a server, the rest is known",
		Long: `Becomes mysqlsh with everything that IAM needs: user, host and port, the token sent in clear over
verified TLS, Amazon's certificate authorities, an SSH tunnel if the configuration has one. Without MySQL Shell it
becomes mariadb or mysql, with the token in the environment. A password that AWS Secrets Manager keeps goes out like
any other, and not in clear.

An SSO session that is over is asked for first, on the terminal: log in, and it goes on.

The server is the one that is named: user@host:port, a connection string (mysql://user@host:port/schema), the name of
an instance or cluster, or the beginning of a host; or the only one that matches the words of a filter; or the one
that you pick on the terminal, those used most first. The user is the one that is named, else --user, "db_user" in the
configuration, the one of the last time, or the one that you type; without a terminal your own name. What follows "--"
goes to the client.

Exit codes: 1 when there is no connection to open, else the client's.`,
		Example: `  mysql-secret-store-rds connect
  mysql-secret-store-rds connect prod orders
  mysql-secret-store-rds connect dba@orders
  mysql-secret-store-rds connect dba@orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com -- --sql -e 'select 1'`,
		ValidArgsFunction: completeHosts,
		RunE: func(cmd *cobra.Command, args []string) error {
			var extra []string
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				args, extra = args[:dash], args[dash:]
			}
			if f.asURI && !f.onlyPrint {
				return advice.Problemf("--uri goes with --print").With(advice.Run(cmd.CommandPath() + " --print --uri"))
			}
			if err := useProfile(cmd, f.profile); err != nil {
				return err
			}
			return c.connect(cmd.Context(), args, extra, f)
		},
	}
	cmd.Flags().BoolVar(&f.onlyPrint, "print", false, "print the command instead")
	cmd.Flags().BoolVar(&f.asURI, "uri", false, "with --print: the URI for MySQL Shell's \\connect")
	cmd.Flags().StringVarP(&f.user, "user", "u", "", "the database user")
	addProfileFlag(cmd, &f.profile)
	return cmd
}

type connectFlags struct {
	onlyPrint, asURI bool
	user, profile    string
}

func (c *console) connect(ctx context.Context, words, extra []string, f connectFlags) error {
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	ch, err := chooser{c, "connect", cfg, f.user}.choose(ctx, words)
	if err != nil {
		return err
	}
	u := ch.URL
	if u.Kind != server.TCP {
		return advice.Problemf("a %s is not connected to by this command", u.Kind).
			With(advice.Run("mysqlsh " + advice.Word(ch.id)))
	}
	if len(ch.options) > 0 {
		warn(c.stderr, "left out, as IAM says how to connect: "+strings.Join(ch.options, ", "))
	}
	clients, err := connect.Find()
	if err != nil {
		return advice.Problemf("%v", err).With(advice.Say(getShell))
	}
	res, err := c.resolve(ctx, u, cfg)
	if err != nil {
		return err
	}
	s, err := c.connection(ctx, u, res, cfg)
	if err != nil {
		return err
	}
	s.Schema, s.Extra = cmp.Or(ch.schema, s.Schema), extra
	if f.asURI {
		fmt.Fprintln(c.stdout, s.URI())
		return nil
	}
	client, args, err := command(clients, s)
	if err != nil {
		return cannot(err, clients[0], u, res)
	}
	u.Port = s.Port
	isShell := client.Kind == connect.Shell
	var env []string
	if isShell {
		env = c.shellEnv(ctx, client.Path, s.IAM)
	}
	if f.onlyPrint {
		if f.profile != "" && isShell {
			env = append(env, stamp.EnvProfile+"="+f.profile)
		}
		c.printCommand(env, args, isShell, s.IAM, u, f.profile)
		return nil
	}
	if s.IAM || s.Password {
		if err := c.logInFirst(ctx, u, res, cfg); err != nil {
			return err
		}
	}
	address := strings.TrimPrefix(server.URL{Host: s.Host, Port: s.Port}.String(), "@")
	fmt.Fprintf(c.stderr, "Connecting as %s to %s%s\n", term.Visible(s.User), term.Visible(address), ch.userIs())
	return c.become(ctx, env, args, isShell, u, cfg)
}

// resolve resolves a server for a connection. AWS is asked whose it is, if nobody knows and no
// password is saved for it.
func (c *console) resolve(ctx context.Context, u server.URL, cfg *config.Config) (resolve.Resolution, error) {
	res, err := password.Resolve(ctx, u, cfg, resolve.LookupCNAME)
	if !res.Unknown || c.isSaved(ctx, res, cfg, u.String()) {
		return res, err
	}
	engine, _, err := c.engine("connect", u.String())
	if err != nil {
		return res, err
	}
	bar := c.progress(false)
	defer bar.Clear()
	bar.Say("asking AWS whose the server is …")
	inTime, cancel := credentials.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	res, _, err = engine.Learn(inTime, password.Request{ID: u.String(), URL: u}, false)
	return res, err
}

// logInFirst asks whether to log in to the SSO session that the password for u needs, if that is known
// to be over: better now than when MySQL Shell asks for it. Whatever else is wrong the Shell
// tells.
func (c *console) logInFirst(ctx context.Context, u server.URL, res resolve.Resolution, cfg *config.Config) error {
	store, err := openStore(cfg)
	if err != nil || !credentials.New(password.Source(res.Target), credentials.Options{Store: store}).SessionOver() {
		return nil
	}
	t, err := term.Open()
	if err != nil {
		return nil
	}
	t.Close()
	_, err = c.answer(ctx, "connect", u.String(), u)
	if errors.Is(err, credentials.ErrSSOLogin) || errors.Is(err, sso.ErrDenied) || errors.Is(err, sso.ErrCodeExpired) {
		return err
	}
	return ctx.Err()
}

// become counts the connection and becomes the client. A password for u that is not MySQL Shell's
// to ask for goes into the environment.
func (c *console) become(
	ctx context.Context, more, args []string, isShell bool, u server.URL, cfg *config.Config,
) error {
	env := append(os.Environ(), more...)
	if !isShell {
		p, err := c.password(ctx, "connect", u.String(), u, cfg)
		if err != nil {
			return err
		}
		env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "MYSQL_PWD=") })
		env = append(env, "MYSQL_PWD="+p.value.Reveal())
	}
	if path, err := connect.UsesPath(); err == nil {
		if err := connect.Count(ctx, path, useKey(u.Host, u.Port), u.User, time.Now()); err != nil {
			c.log.Warn("connection not counted", "reason", err)
		}
	}
	code, err := connect.Become(args, env, c.stdin, c.stdout.File, c.stderr)
	if err != nil {
		return fmt.Errorf("run %s: %w", args[0], err)
	}
	if code != 0 {
		return exitError(code)
	}
	return nil
}

func (c *console) connection(
	ctx context.Context, u server.URL, res resolve.Resolution, cfg *config.Config,
) (s connect.Server, err error) {
	s = connect.Server{User: u.User, Host: u.Host, Port: u.Port}
	entry, _ := cfg.Server(u.Host, u.PortOrDefault())
	_, ours := server.ParseEndpoint(u.Host)
	s.Classic = ours || entry.Endpoint.Port != 0
	if !res.Ours() {
		return s, nil
	}
	t := res.Target
	withPort := u
	withPort.Port = cmp.Or(u.Port, t.Port)
	given := !password.TakesNoTokens(res) && !c.isSaved(ctx, res, cfg, withPort.String())
	s.IAM, s.Password = given && res.Outcome == resolve.ToToken, given && res.Outcome == resolve.ToSecret
	if given && t.User != u.User {
		other := u
		other.User = t.User
		what := "tokens for this server are made for"
		if s.Password {
			what = "the secret for this server is read for"
		}
		return s, advice.Problemf("%s %s (%s), and a login as %s with one would be refused", what, t.User, res.UserBy,
			u.User).With(advice.Ours("connect", other.String()))
	}
	s.Port = withPort.Port
	if s.TLS, s.Same = true, server.NormalHost(u.Host) == t.Host; s.Same {
		s.Host = t.Host // with a final dot it would not be the certificate's
	}
	s.SSH, s.Schema, s.Args = res.Client.SSH, res.Client.Schema, res.Client.Args
	if s.CA, err = authorities(res, cfg); err != nil {
		return s, err
	}
	if _, err := readAuthorities(s.CA); disk.Unfit(err) { // a client would wait for ever, or fill the memory
		return s, fmt.Errorf("ssl_ca: %w", err)
	} else if err != nil { // a client would only say that the handshake failed
		warn(c.stderr, "no server can be verified: ssl_ca: "+err.Error())
	}
	return s, nil
}

const getShell = "install MySQL Shell, or add its folder to PATH"

// command returns the command of the first client that can connect to the server; the error is the
// first one's.
func command(clients []connect.Client, s connect.Server) (client connect.Client, args []string, err error) {
	for _, client := range clients {
		args, e := client.Command(s)
		if e == nil {
			return client, args, nil
		}
		err = cmp.Or(err, e)
	}
	return connect.Client{}, nil, err
}

func cannot(err error, client connect.Client, u server.URL, res resolve.Resolution) error {
	switch {
	case errors.Is(err, connect.ErrNoTokens):
		return advice.Problemf("this server has no tokens (%s), and %v", res.Reason, err).
			With(advice.Say(getShell), advice.Ours("explain", u.String()))
	case !errors.Is(err, connect.ErrUnverified):
		return advice.Problemf("%v, and there is none: only %s", err, client.Path).With(advice.Say(getShell))
	}
	p := advice.Problemf("%v, and the token must not go to another one", err).
		With(advice.Say(getShell + "; MySQL's own mysql can verify it, too"))
	if len(res.Hops) > 0 { // no tunnel, but an alias
		u.Host = res.Target.Host
		p = p.With(advice.Ours("connect", u.String()))
	}
	return p
}

// shellEnv warns of a MySQL Shell that will not find this program, and returns the environment that
// an old one needs to send a token. The TLS that it is sent over is verified.
func (c *console) shellEnv(ctx context.Context, shell string, token bool) []string {
	sys, err := here(nil)
	if err != nil {
		return nil
	}
	switch sys.Beside(setup.ShellAt(shell)).State {
	case setup.Absent, setup.Dangling, setup.Forbidden, setup.Unknown:
		warn(c.stderr, fmt.Sprintf("there is no %s beside %s, which will not find it: run: %s setup", about.Name, shell,
			about.Name))
	}
	if token && setup.NeedsCleartext(sys.Version(ctx, shell)) {
		return []string{setup.EnvCleartext + "=1"}
	}
	return nil
}

func (c *console) printCommand(env, args []string, isShell, token bool, u server.URL, profile string) {
	line := ""
	for _, v := range env { // quoted as a whole it would be no assignment
		name, value, _ := strings.Cut(v, "=")
		line += name + "=" + advice.Word(value) + " "
	}
	line += advice.Words(args...)
	if !isShell {
		command := "password"
		if token {
			command = "token"
		}
		ask := []string{self(), command, u.String()}
		if profile != "" {
			ask = append(ask, "--profile", profile)
		}
		line = fmt.Sprintf(`MYSQL_PWD="$(%s)" %s`, advice.Words(ask...), line)
	}
	fmt.Fprintln(c.stdout, line)
}

// self is what to type for this program: its name, or its path where the name leads to another one
// or nowhere.
func self() string {
	binary, err := os.Executable()
	if err != nil || connect.OnPath(about.Name, binary) {
		return about.Name
	}
	return binary
}

func pickerRows(servers []inventory.Server) []term.Row {
	rows := make([]term.Row, len(servers))
	for i, s := range servers {
		name := s.Host
		if s.Kind >= server.Tunnel {
			name = s.Name // with the port, as several may share a host
		}
		rows[i] = term.Row{Host: name, Details: cells(s.Profile, s.Region, kindOf(s), s.Engine)}
	}
	return rows
}

// kindOf is a server's kind in a few letters.
func kindOf(s inventory.Server) string {
	switch s.Kind {
	case server.Writer:
		return "writer"
	case server.Reader:
		return "reader"
	case server.Custom:
		return "custom"
	case server.Proxy:
		return "proxy"
	case server.ProxyEndpoint:
		return "proxy endpoint"
	}
	return s.Kind.String()
}
