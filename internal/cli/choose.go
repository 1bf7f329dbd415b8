package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/term"
)

// chosen is the server that a person means, and the user.
type chosen struct {
	server.URL
	id      string // the Server URL as MySQL Shell writes it, or as it was typed
	userBy  string // who named the user, where the person didn't
	schema  string
	options []string // names of what stood after a "?"
}

// userIs says who named the user, for the end of a sentence.
func (ch chosen) userIs() string {
	if ch.userBy == "" {
		return ""
	}
	return " (the user: " + ch.userBy + ")"
}

// chooser finds out which server a person means.
type chooser struct {
	*console
	command string // that asks
	cfg     *config.Config
	user    string // --user
}

// named returns the server that a command's argument means, and the configuration, after it has made
// the profile that was asked for the one that signs.
func (c *console) named(cmd *cobra.Command, profile string, args []string) (chosen, *config.Config, error) {
	if err := useProfile(cmd, profile); err != nil {
		return chosen{}, nil, err
	}
	cfg, err := readConfig()
	if err != nil {
		return chosen{}, nil, err
	}
	ch, err := chooser{c, cmd.Name(), cfg, ""}.choose(cmd.Context(), args)
	return ch, cfg, err
}

// choose returns the server that the words mean: a Server URL or a connection string, a name or the
// beginning of one, or the words of a filter. Where several match, a person picks one.
func (c chooser) choose(ctx context.Context, words []string) (chosen, error) {
	if len(words) != 1 {
		return c.filter(ctx, words)
	}
	whole := strings.Contains(words[0], "@") || strings.Contains(words[0], "://")
	filters := c.command == "connect" && !whole // a word of a filter can be anything
	t, err := server.ParseTyped(words[0])
	switch {
	case err != nil && !filters:
		return chosen{}, notURL(c.command, err)
	case err == nil && (!filters || t.URL.Port != 0 || c.isHost(t.URL)):
		return c.one(ctx, t, words[0], whole)
	}
	return c.filter(ctx, words)
}

// filter returns the server that matches all words, of which one may have a user before it.
func (c chooser) filter(ctx context.Context, words []string) (chosen, error) {
	user, words, err := c.cutUser(words)
	if err != nil {
		return chosen{}, err
	}
	servers, err := c.servers(c.cfg)
	if err != nil {
		return chosen{}, err
	}
	found := inventory.Filter(servers, words)
	switch {
	case len(servers) == 0:
		return chosen{}, noServers()
	case len(found) == 0:
		return chosen{}, advice.Problemf("none of %s matches", advice.Count(len(servers), "server")).
			With(advice.Ours("list-servers"), advice.Ours("discover"))
	case len(words) == 1:
		if same := sameName(found, words[0]); len(same) == 1 {
			found = same
		}
	}
	s, err := c.pick(ctx, found, user, words)
	if err != nil {
		return chosen{}, err
	}
	return c.as(ctx, chosen{URL: server.URL{User: user, Host: s.Host, Port: s.Port}})
}

// one returns the server that was typed in one word; a whole one has its user, or a scheme.
func (c chooser) one(ctx context.Context, t server.Typed, typed string, whole bool) (chosen, error) {
	ch := chosen{URL: t.URL, schema: t.Schema, options: t.Options}
	if t.URL.User != "" && c.user != "" && c.user != t.URL.User {
		return ch, advice.Problemf("two users: %s in %s, and --user %s", t.URL.User, t.URL, c.user).
			With(advice.Ours(c.command, t.URL.String()))
	}
	if t.URL.Kind != server.TCP {
		ch.id = typed
		return ch, nil
	}
	if !c.isHost(t.URL) {
		s, found, err := c.known(ctx, t.URL, whole)
		if err != nil {
			return ch, err
		}
		if found {
			ch.Host, ch.Port = s.Host, cmp.Or(t.URL.Port, s.Port)
			return c.as(ctx, ch)
		}
	}
	if _, err := server.Parse(typed); err == nil {
		ch.id = typed
	}
	return c.as(ctx, ch)
}

// known returns the known server that a name stands for; false when it must be a host that nobody
// knows.
func (c chooser) known(ctx context.Context, u server.URL, whole bool) (s inventory.Server, found bool, err error) {
	// What has a dot may be a host of somebody else's, and explain and doctor are for what is
	// wrong.
	stranger := whole && (strings.Contains(u.Host, ".") && !isBeginning(u.Host) || c.command == "explain" ||
		c.command == "doctor")
	servers, err := c.servers(c.cfg)
	matching := named(servers, u.Host, u.Port)
	switch {
	case len(matching) > 0:
		s, err = c.pick(ctx, matching, u.User, []string{u.Host})
		return s, err == nil, err
	case stranger:
		return s, false, nil
	case err != nil:
		return s, false, err
	case len(servers) == 0:
		return s, false, noServers()
	}
	p := advice.Problemf("none of %s is called %s, and no host name begins so",
		advice.Count(len(servers), "server"), u.Host)
	return s, false, p.With(advice.Ours("list-servers", u.Host), advice.Ours("discover"))
}

// isBeginning reports whether a host is as an RDS endpoint begins: name and id, or more.
func isBeginning(host string) bool {
	for _, rest := range []string{".eu-west-1.rds.amazonaws.com", ".rds.amazonaws.com", ".amazonaws.com", ".com"} {
		ep, ok := server.ParseEndpoint(host + rest)
		if ok && (ep.Kind != server.Instance || len(ep.HostID) == 12) {
			return true
		}
	}
	return false
}

// isHost reports whether a Server URL has a host, and not a name that stands for a server.
func (c chooser) isHost(u server.URL) bool {
	if u.Kind != server.TCP {
		return false
	}
	_, ours := server.ParseEndpoint(u.Host)
	_, noAddress := netip.ParseAddr(u.Host)
	_, configured := c.cfg.Server(u.Host, u.PortOrDefault())
	if ours || noAddress == nil || configured || config.IsLoopback(u.Host) {
		return true
	}
	res, err := resolve.URL(context.Background(), u, c.cfg, nil, noAlias) // by a rule with an endpoint
	return err == nil && res.Ours()
}

// noAlias is a DNS that knows no aliases.
func noAlias(context.Context, string) (string, error) { return "", nil }

// named returns the servers that a name stands for: by their host, else by the name of their
// instance, cluster or proxy, else by the beginning of their host.
func named(servers []inventory.Server, name string, port int) []inventory.Server {
	host := server.NormalHost(name)
	byHost := keep(servers, func(s inventory.Server) bool { return s.Host == host })
	for _, found := range [][]inventory.Server{
		byHost, writers(sameName(servers, name)),
		keep(servers, func(s inventory.Server) bool { return strings.HasPrefix(s.Host, host) }),
	} {
		if port != 0 {
			if there := keep(found, func(s inventory.Server) bool { return s.Port == port }); len(there) > 0 {
				found = there
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

func keep(servers []inventory.Server, is func(inventory.Server) bool) []inventory.Server {
	return slices.DeleteFunc(slices.Clone(servers), func(s inventory.Server) bool { return !is(s) })
}

func sameName(servers []inventory.Server, name string) []inventory.Server {
	return keep(servers, func(s inventory.Server) bool { return strings.EqualFold(s.Name, name) })
}

// writers leaves out the readers of clusters whose writer is there: a cluster's name stands for it.
func writers(servers []inventory.Server) []inventory.Server {
	return keep(servers, func(s inventory.Server) bool {
		return s.Kind != server.Reader || !slices.ContainsFunc(servers, func(w inventory.Server) bool {
			return w.Kind == server.Writer && w.HostID == s.HostID && w.Region == s.Region
		})
	})
}

// cutUser takes the user from among the words of a filter (dba@orders prod), or from --user.
func (c chooser) cutUser(words []string) (user string, rest []string, err error) {
	user = c.user
	for _, word := range words {
		name, what, ok := strings.Cut(word, "@")
		if !ok {
			rest = append(rest, word)
			continue
		}
		t, err := server.ParseTyped(name + "@host")
		switch {
		case err != nil:
			return "", nil, notURL(c.command, err)
		case user != "" && user != t.URL.User:
			return "", nil, advice.Problemf("two users: %s and %s", user, t.URL.User)
		}
		if user = t.URL.User; what != "" {
			rest = append(rest, what)
		}
	}
	return user, rest, nil
}

// listed is how many servers an error names.
const listed = 10

// pick returns the one server that was found by the words, or the one of several that a person
// picks.
func (c chooser) pick(
	ctx context.Context, found []inventory.Server, user string, words []string,
) (s inventory.Server, err error) {
	if len(found) == 1 {
		return found[0], nil
	}
	uses := readUses()
	slices.SortStableFunc(found, func(a, b inventory.Server) int { // those that were connected to most first
		return uses[useKey(b.Host, b.Port)].Count - uses[useKey(a.Host, a.Port)].Count
	})
	t, err := term.Open()
	if err != nil {
		p := advice.Problemf("%s match, and there is no terminal to pick one on", advice.Count(len(found), "server"))
		for _, s := range found[:min(len(found), listed)] {
			u := server.URL{User: user, Host: s.Host, Port: s.Port}
			p = p.With(advice.Ours(c.command, strings.TrimPrefix(u.String(), "@")))
		}
		return s, p.With(advice.Ours(append([]string{"list-servers"}, words...)...))
	}
	defer t.Close()
	at, err := t.Pick(ctx, "Server?", pickerRows(found), inventory.NewIndex(found).Find)
	if errors.Is(err, term.ErrNothingPicked) {
		return s, errSaid
	} else if err != nil {
		return s, fmt.Errorf("the terminal can't be used to pick a server: %w", err)
	}
	return found[at], nil
}

func notURL(command string, err error) error {
	return advice.Problemf("this is not a Server URL: %v", err).With(advice.Ours(command, exampleServer))
}
