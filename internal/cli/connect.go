package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/connect"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/setup"
	"mysql-secret-store-rds/internal/term"
)

func (c *console) connectCommand() *cobra.Command {
	var onlyPrint, asURI bool
	var user string
	cmd := &cobra.Command{
		Use:   "connect [filter…|user@host:port] [-- mysqlsh arguments]",
		Short: "open a connection with MySQL Shell: pick a server, the rest is known",
		Long: `Becomes mysqlsh with everything that IAM needs: user, host and port, the token sent in clear over verified TLS, Amazon's certificate
authorities, an SSH tunnel if the configuration has one. Without MySQL Shell it becomes mariadb or mysql, with the token in the environment.

The server is the one that is named, or the only one that matches the filter, or the one that you pick on the terminal, those used most first. The
user is the one that is named, else --user, "db_user" in the configuration, or your own name. What follows "--" goes to the client.

Exit codes: 1 when there is no connection to open, else the client's.`,
		Example: `  mysql-secret-store-rds connect
  mysql-secret-store-rds connect prod orders
  mysql-secret-store-rds connect dba@orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com -- --sql -e 'select 1'`,
		ValidArgsFunction: completeHosts,
		RunE: func(cmd *cobra.Command, args []string) error {
			var extra []string
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				args, extra = args[:dash], args[dash:]
			}
			if asURI && !onlyPrint {
				return advice.Problemf("--uri goes with --print").With(advice.Run(cmd.CommandPath() + " --print --uri"))
			}
			return c.connect(cmd.Context(), args, user, extra, onlyPrint, asURI)
		},
	}
	cmd.Flags().BoolVar(&onlyPrint, "print", false, "print the command instead")
	cmd.Flags().BoolVar(&asURI, "uri", false, "with --print: the URI for MySQL Shell's \\connect")
	cmd.Flags().StringVarP(&user, "user", "u", "", "the database user")
	return cmd
}

func (c *console) connect(ctx context.Context, words []string, user string, extra []string, onlyPrint, asURI bool) error {
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	u, err := c.chooseServer(ctx, words, user, cfg)
	if err != nil {
		return err
	}
	clients, err := connect.Find()
	if err != nil {
		return advice.Problemf("%v", err).With(advice.Say(getShell))
	}
	res, err := password.Resolve(ctx, u, cfg, resolve.LookupCNAME)
	if err != nil {
		return err
	}
	s, err := c.connection(ctx, u, res, cfg)
	if err != nil {
		return err
	}
	s.Extra = extra
	if asURI {
		fmt.Fprintln(c.stdout, s.URI())
		return nil
	}
	client, args, secretly, err := command(clients, s)
	if err != nil {
		return cannot(err, clients[0], u, res)
	}
	if client.Kind == connect.Shell {
		c.warnOfHelper(client.Path)
	}
	u.Port = s.Port
	var env []string
	if client.Kind == connect.Shell && s.IAM {
		env = c.cleartext(ctx, client.Path)
	}
	if onlyPrint {
		c.printCommand(env, args, secretly, u)
		return nil
	}
	return c.become(ctx, env, args, secretly, u, s.Host)
}

// become counts the connection and becomes the client. A token for u that is not MySQL Shell's to
// ask for goes into the environment.
func (c *console) become(ctx context.Context, more, args []string, secretly bool, u server.URL, host string) error {
	env := append(os.Environ(), more...)
	if secretly {
		e, err := c.token(ctx, "connect", u.String())
		if err != nil {
			return err
		}
		env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "MYSQL_PWD=") })
		env = append(env, "MYSQL_PWD="+e.Token.Reveal())
	}
	if path, err := connect.UsesPath(); err == nil {
		if err := connect.Count(ctx, path, host); err != nil {
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

// connection returns where to connect to, and how.
func (c *console) connection(
	ctx context.Context, u server.URL, res resolve.Resolution, cfg *config.Config,
) (s connect.Server, err error) {
	s = connect.Server{User: u.User, Host: u.Host, Port: u.Port}
	if res.Outcome != resolve.ToToken {
		return s, nil
	}
	t := res.Target
	withPort := u
	withPort.Port = cmp.Or(u.Port, t.Port)
	s.IAM = !password.TakesNoTokens(res) && !c.isSaved(ctx, res, cfg, withPort.String())
	if s.IAM && t.User != u.User {
		other := u
		other.User = t.User
		return s, advice.Problemf("tokens for this server are made for %s (%s), and a login as %s with one would be refused",
			t.User, res.UserBy, u.User).With(advice.Ours("connect", other.String()))
	}
	s.Port = withPort.Port
	if s.TLS, s.Same = true, server.NormalHost(u.Host) == t.Host; s.Same {
		s.Host = t.Host // with a final dot it would not be the certificate's
	}
	s.SSH, s.Schema, s.Args = res.Client.SSH, res.Client.Schema, res.Client.Args
	if s.CA, err = authorities(res, cfg); err != nil {
		return s, err
	}
	if _, err := readAuthorities(s.CA); err != nil { // a client would only say that the handshake failed
		warn(c.stderr, "no server can be verified: ssl_ca: "+err.Error())
	}
	return s, nil
}

const getShell = "install MySQL Shell, or add its folder to PATH"

// command returns the command of the first client that can connect to the server; the error is the
// first one's.
func command(clients []connect.Client, s connect.Server) (client connect.Client, args []string, secretly bool, err error) {
	for _, client := range clients {
		args, secretly, e := client.Command(s)
		if e == nil {
			return client, args, secretly, nil
		}
		if err == nil {
			err = e
		}
	}
	return connect.Client{}, nil, false, err
}

// cannot words why none of the clients can connect.
func cannot(err error, client connect.Client, u server.URL, res resolve.Resolution) error {
	p := advice.Problemf("%v, and there is none: only %s", err, client.Path)
	switch {
	case errors.Is(err, connect.ErrNoTokens):
		return advice.Problemf("this server has no tokens (%s), and %v", res.Reason, err).
			With(advice.Say(getShell), advice.Ours("explain", u.String()))
	case errors.Is(err, connect.ErrUnverified):
		p = advice.Problemf("%v, and the token must not go to another one", err).
			With(advice.Say(getShell + "; MySQL's own mysql can verify it, too"))
		if len(res.Hops) > 0 { // no tunnel, but an alias
			u.Host = res.Target.Host
			p = p.With(advice.Ours("connect", u.String()))
		}
		return p
	}
	return p.With(advice.Say(getShell))
}

// warnOfHelper tells of a MySQL Shell that will not find this program.
func (c *console) warnOfHelper(shell string) {
	sys, err := here(nil)
	if err != nil {
		return
	}
	switch sys.Beside(setup.ShellAt(shell)).State {
	case setup.Absent, setup.Dangling, setup.Forbidden, setup.Unknown:
		warn(c.stderr, fmt.Sprintf("there is no %s beside %s, which will not find it: run: %s setup", about.Name, shell, about.Name))
	}
}

// cleartext is the environment that an old MySQL Shell needs to send a token. The TLS that it is sent
// over is verified.
func (c *console) cleartext(ctx context.Context, shell string) []string {
	sys, err := here(nil)
	if err != nil || !setup.NeedsCleartext(sys.Version(ctx, shell)) {
		return nil
	}
	return []string{setup.EnvCleartext + "=1"}
}

func (c *console) printCommand(env, args []string, secretly bool, u server.URL) {
	line := advice.Words(append(env, args...)...)
	if secretly {
		line = fmt.Sprintf(`MYSQL_PWD="$(%s token %s)" %s`, advice.Word(self()), advice.Word(u.String()), line)
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

// chooseServer returns the Server URL to connect to.
func (c *console) chooseServer(ctx context.Context, words []string, user string, cfg *config.Config) (server.URL, error) {
	if len(words) == 1 && strings.Contains(words[0], "@") {
		return namedServer(words[0], user)
	}
	if len(words) == 1 {
		if u, err := server.Parse("x@" + words[0]); err == nil && u.Kind == server.TCP {
			_, configured := cfg.Server(u.Host, u.PortOrDefault())
			if _, ours := server.ParseEndpoint(u.Host); ours || configured {
				return withUser(ctx, u, user, cfg)
			}
		}
	}
	servers, err := knownServers()
	if err != nil {
		return server.URL{}, err
	}
	s, err := pickServer(ctx, servers, words)
	if err != nil {
		return server.URL{}, err
	}
	return withUser(ctx, server.URL{Kind: server.TCP, Host: s.Host, Port: s.Port}, user, cfg)
}

// namedServer reads a Server URL that was typed, beside which --user may stand.
func namedServer(typed, user string) (server.URL, error) {
	u, err := parseServer("connect", typed)
	switch {
	case err != nil:
		return u, err
	case user != "" && user != u.User:
		return u, advice.Problemf("two users: %s in %s, and --user %s", u.User, typed, user).With(advice.Ours("connect", typed))
	case u.Kind != server.TCP:
		return u, advice.Problemf("a %s is not connected to by this command", u.Kind).With(advice.Run("mysqlsh " + advice.Word(typed)))
	}
	return u, nil
}

// pickServer returns the one known server that matches all words, or the one of several that a
// person picks.
func pickServer(ctx context.Context, servers []inventory.Server, words []string) (inventory.Server, error) {
	found := byUse(inventory.Filter(servers, words))
	switch len(found) {
	case 0:
		if len(servers) == 0 {
			return inventory.Server{}, noServers()
		}
		return inventory.Server{}, advice.Problemf("none of %s matches", count(len(servers), "server")).
			With(advice.Ours("list-servers"), advice.Ours("discover"))
	case 1:
		return found[0], nil
	}
	t, err := term.Open()
	if err != nil {
		return inventory.Server{}, advice.Problemf("%s match, and there is no terminal to pick one on", count(len(found), "server")).
			With(advice.Ours(append([]string{"list-servers"}, words...)...), advice.Ours("connect", exampleServer))
	}
	defer t.Close()
	at, err := t.Pick(ctx, "Server?", pickerRows(found), inventory.NewIndex(found).Find)
	if errors.Is(err, term.ErrNothingPicked) {
		return inventory.Server{}, errSaid
	} else if err != nil {
		return inventory.Server{}, fmt.Errorf("the terminal can't be used to pick a server: %w", err)
	}
	return found[at], nil
}

// withUser returns a Server URL with its user: the one that was named, else whom the configuration
// says, else the person at the keyboard.
func withUser(ctx context.Context, u server.URL, user string, cfg *config.Config) (server.URL, error) {
	if u.User = user; user != "" {
		return u, nil
	}
	res, err := password.Resolve(ctx, u, cfg, resolve.LookupCNAME)
	if inConfig, ok := errors.AsType[*config.Error](err); ok {
		return u, inConfig
	}
	u.User = cmp.Or(res.Login, userName())
	return u, nil
}

// loginName is withUser without a look into DNS, for many servers at once.
func loginName(u server.URL, cfg *config.Config) string {
	noAlias := func(context.Context, string) (string, error) { return "", nil }
	res, _ := resolve.URL(context.Background(), u, cfg, nil, noAlias) // whoever connects is told
	return cmp.Or(res.Login, userName())
}

// byUse puts the servers that were connected to most first.
func byUse(servers []inventory.Server) []inventory.Server {
	path, err := connect.UsesPath()
	if err != nil {
		return servers
	}
	uses := connect.ReadUses(path)
	slices.SortStableFunc(servers, func(a, b inventory.Server) int { return uses[b.Host] - uses[a.Host] })
	return servers
}

// pickerRows are the servers as the picker shows them.
func pickerRows(servers []inventory.Server) []term.Row {
	rows := make([]term.Row, len(servers))
	for i, s := range servers {
		rows[i] = term.Row{Host: s.Host, Details: []string{dash(s.Profile), s.Region, kindOf(s), s.Engine}}
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
