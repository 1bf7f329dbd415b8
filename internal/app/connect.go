package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/cname"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/connect"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/paste"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/serverurl"
)

func (c *console) connectCommand() *cobra.Command {
	var onlyPrint bool
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
			return c.connect(cmd.Context(), args, user, extra, onlyPrint)
		},
	}
	cmd.Flags().BoolVar(&onlyPrint, "print", false, "print the command instead")
	cmd.Flags().StringVarP(&user, "user", "u", "", "the database user")
	return cmd
}

func (c *console) connect(ctx context.Context, words []string, user string, extra []string, onlyPrint bool) error {
	file, cfg, err := readConfig()
	if err != nil {
		return err
	}
	u, err := c.chooseServer(ctx, words, user, cfg)
	if err != nil {
		return err
	}
	clients, err := connect.Find()
	if err != nil {
		return problem{text: err.Error(), hint: getShell}
	}
	inv := &learned{}
	defer inv.close()
	asking, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	res, err := resolve.URL(asking, u, cfg, inv, cname.Lookup)
	if err != nil {
		return err
	}
	s := connect.Server{User: u.User, Host: u.Host, Port: u.Port, Extra: extra}
	if res.Outcome == resolve.ToToken {
		t := res.Target
		if t.User != u.User {
			other := u
			other.User = t.User
			return problem{text: fmt.Sprintf("tokens for this server are made for %s (%s), and a login as %s with one would be refused", t.User, res.Source("user"), u.User),
				run: []string{Name + " connect " + paste.Word(other.String())}}
		}
		s.Port = cmp.Or(u.Port, t.Port)
		if s.IAM, s.Same = true, serverurl.NormalHost(u.Host) == t.Host; s.Same {
			s.Host = t.Host // with a final dot it would not be the certificate's
		}
		s.SSH, s.Schema, s.Args = res.Client.SSH, res.Client.Schema, res.Client.Args
		if s.CA, err = authorities(res, file.Path); err != nil {
			return err
		}
		if _, err := readAuthorities(s.CA); err != nil { // a client would only say that the handshake failed
			warn(c.stderr, "no server can be verified: ssl_ca: "+err.Error())
		}
	}
	client, args, secretly, err := command(clients, s)
	if err != nil {
		return cannot(err, clients[0], u, res)
	}
	if client.Kind == connect.Shell && !beside(client.Path) {
		warn(c.stderr, fmt.Sprintf("there is no %s beside %s, which will not find it: run: %s setup", Name, client.Path, Name))
	}
	u.Port = s.Port
	if onlyPrint {
		c.printCommand(args, secretly, u)
		return nil
	}
	env := os.Environ()
	if secretly {
		e, err := c.token(ctx, "connect", u.String())
		if err != nil {
			return err
		}
		env = append(slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "MYSQL_PWD=") }), "MYSQL_PWD="+e.Token.Reveal())
	}
	if path, err := usesFile(); err == nil {
		if err := connect.Count(ctx, path, s.Host); err != nil {
			openLog().Warn("connection not counted", "reason", err)
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

const getShell = "install MySQL Shell, or add its folder to PATH"

// command gives the command of the first client that can connect to the server; the error is the first one's.
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
func cannot(err error, client connect.Client, u serverurl.URL, res resolve.Resolution) error {
	p := problem{text: fmt.Sprintf("%v, and there is none: only %s", err, client.Path), hint: getShell}
	switch {
	case errors.Is(err, connect.ErrNoTokens):
		p.text = fmt.Sprintf("this server has no tokens (%s), and %v", res.Reason, err)
		p.run = []string{Name + " explain " + paste.Word(u.String())}
	case errors.Is(err, connect.ErrUnverified):
		p.text = err.Error() + ", and the token must not go to another one"
		p.hint += "; MySQL's own mysql can verify it, too"
		if len(res.Hops) > 0 { // no tunnel, but an alias
			u.Host = res.Target.Host
			p.run = []string{Name + " connect " + paste.Word(u.String())}
		}
	}
	return p
}

// beside says whether a MySQL Shell finds this program: in the folder of its own binary, links followed.
func beside(shell string) bool {
	if real, err := filepath.EvalSymlinks(shell); err == nil {
		shell = real
	}
	helper := filepath.Join(filepath.Dir(shell), Name)
	if strings.EqualFold(filepath.Ext(shell), ".exe") {
		helper += ".exe"
	}
	_, err := os.Stat(helper)
	return err == nil
}

// exitError is a client that ended with an exit code of its own, and has said why.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (c *console) printCommand(args []string, secretly bool, u serverurl.URL) {
	line := paste.Words(args...)
	if secretly {
		line = fmt.Sprintf(`MYSQL_PWD="$(%s token %s)" %s`, paste.Word(self()), paste.Word(u.String()), line)
	}
	fmt.Fprintln(c.stdout, line)
}

// self is what to type for this program: its name, or its path where the name leads to another one or nowhere.
func self() string {
	binary, err := os.Executable()
	if err != nil || connect.OnPath(Name, binary) {
		return Name
	}
	return binary
}

func usesFile() (string, error) {
	path, err := inventory.Path()
	return filepath.Join(filepath.Dir(path), "uses.json"), err
}

// chooseServer gives the Server URL to connect to.
func (c *console) chooseServer(ctx context.Context, words []string, user string, cfg *config.Config) (serverurl.URL, error) {
	if len(words) == 1 && strings.Contains(words[0], "@") {
		u, err := parseServer("connect", words[0])
		if err == nil && user != "" && user != u.User {
			err = problem{text: fmt.Sprintf("two users: %s in %s, and --user %s", u.User, words[0], user), run: []string{Name + " connect " + paste.Word(words[0])}}
		}
		if err == nil && u.Kind != serverurl.TCP {
			err = problem{text: fmt.Sprintf("a %s is not connected to by this command", u.Kind), run: []string{"mysqlsh " + paste.Word(words[0])}}
		}
		return u, err
	}
	if len(words) == 1 {
		if u, err := serverurl.Parse("x@" + words[0]); err == nil && u.Kind == serverurl.TCP {
			_, configured := cfg.Server(u.Host, u.PortOrDefault())
			if _, ours := serverurl.ParseEndpoint(u.Host); ours || configured {
				return withUser(u, user, cfg)
			}
		}
	}
	servers, err := knownServers()
	if err != nil {
		return serverurl.URL{}, err
	}
	found := byUse(inventory.Filter(servers, words))
	switch {
	case len(servers) == 0:
		return serverurl.URL{}, noServers()
	case len(found) == 0:
		return serverurl.URL{}, problem{text: fmt.Sprintf("none of %s matches", count(len(servers), "server")), run: []string{Name + " list-servers", Name + " discover"}}
	case len(found) > 1:
		t, err := openTerminal()
		if err != nil {
			return serverurl.URL{}, problem{text: fmt.Sprintf("%s match, and there is no terminal to pick one on", count(len(found), "server")),
				run: []string{Name + " list-servers " + paste.Words(words...), Name + " connect user@host:port"}}
		}
		defer t.close()
		at, err := t.pick(ctx, "Server?", pickerItems(found), os.Getenv("NO_COLOR") == "")
		if errors.Is(err, errNothingPicked) {
			return serverurl.URL{}, errSaid
		} else if err != nil {
			return serverurl.URL{}, err
		}
		found = found[at : at+1]
	}
	s := found[0]
	return withUser(serverurl.URL{Kind: serverurl.TCP, Host: s.Host, Port: s.Port}, user, cfg)
}

// withUser gives a Server URL its user.
func withUser(u serverurl.URL, user string, cfg *config.Config) (serverurl.URL, error) {
	if user == "" {
		var err error
		if user, err = resolve.User(u.Host, u.PortOrDefault(), cfg); err != nil {
			return u, err
		}
	}
	if user == "" {
		user = userName()
	}
	u.User = user
	return u, nil
}

// byUse puts the servers that were connected to most first.
func byUse(servers []inventory.Server) []inventory.Server {
	path, err := usesFile()
	if err != nil {
		return servers
	}
	uses := connect.ReadUses(path)
	slices.SortStableFunc(servers, func(a, b inventory.Server) int { return uses[b.Host] - uses[a.Host] })
	return servers
}
