package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/term"
)

func (c *console) listServersCommand() *cobra.Command {
	var asJSON, wide bool
	cmd := &cobra.Command{
		Use:   "list-servers [filter…]",
		Short: "show the servers that discover found, and those of the configuration",
		Long: `Shows the servers that discover found, those seen last first, and those that only the configuration
has. Each word of the filter has to match: a part of the host, name, cluster, engine and version, kind, account,
region, profile, status or a tag (key=value), or a pattern (prod-*) of the whole of one.

On a terminal it shows name, kind, engine, profile, region and what opens each, as wide as the terminal is;
everything with --wide, and where it doesn't go to a terminal. What opens a server is a token, a secret (the password
of its master user, which AWS Secrets Manager keeps), or else a password of your own.`,
		Example: `  mysql-secret-store-rds list-servers
  mysql-secret-store-rds list-servers prod eu-west-1
  mysql-secret-store-rds list-servers --json team=orders`,
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := readConfig()
			if err != nil {
				return err
			}
			servers, err := c.servers(cfg)
			if err != nil {
				return err
			}
			found := inventory.Filter(servers, args)
			switch {
			case asJSON:
				return printJSON(c.stdout, append([]inventory.Server{}, found...)) // none is [], not null
			case len(servers) == 0:
				return noServers()
			case len(found) == 0:
				return advice.Problemf("none of %s matches", advice.Count(len(servers), "server")).
					With(advice.Ours("list-servers"))
			case wide || !term.Is(c.stdout.File):
				c.printServers(found)
			default:
				fmt.Fprint(c.stdout, fitServers(found, term.Width(c.stdout.File)))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&wide, "wide", false, "everything in its full length, on a terminal, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print everything that is known of each server as JSON")
	return cmd
}

// servers returns the servers that discover found, and after them those that only the configuration
// has.
func (c *console) servers(cfg *config.Config) ([]inventory.Server, error) {
	servers, err := allServers(cfg)
	if err != nil && len(servers) > 0 {
		warn(c.stderr, advice.Of(err).OneLine())
		err = nil
	}
	return servers, err
}

// allServers returns what can be had of the servers, and with it an error for those that discover
// may have found, unless there is nothing to be had yet.
func allServers(cfg *config.Config) ([]inventory.Server, error) {
	servers, err := inventoryServers()
	all := servers
	learned := &inventory.User{}
	defer learned.Close()
	for _, l := range cfg.Servers() {
		if !slices.ContainsFunc(servers, func(s inventory.Server) bool { return s.Host == l.Host }) {
			all = append(all, configured(l, cfg, learned))
		}
	}
	switch {
	case err == inventory.ErrAbsent && len(all) > 0:
		err = nil
	case err == inventory.ErrAbsent:
		err = advice.Problemf("no servers are known yet").With(advice.Ours("discover"))
	case errors.Is(err, inventory.ErrAbsent):
		err = advice.Problemf("what discover found can't be used: %v", err).With(advice.Ours("discover"))
	}
	return all, err
}

// configured returns what is known of a server in the configuration: what discover learned of the
// endpoint behind it, as far as it did.
func configured(l config.Listed, cfg *config.Config, learned *inventory.User) inventory.Server {
	u := server.URL{Kind: server.TCP, Host: l.Host, Port: l.Port}
	res, err := resolve.FromEnvironment().URL(context.Background(), u, cfg, learned, noAlias)
	s := inventory.Server{Unseen: true}
	if res.Server != nil {
		s = *res.Server
	}
	ep := res.Endpoint
	if ep.Host == "" {
		ep, _ = server.ParseEndpoint(l.Host) // of a server with a password
	}
	s.Kind, s.Name, s.HostID = ep.Kind, ep.Name, ep.HostID
	s.Region, s.Profile = cmp.Or(res.Target.Region, ep.Region), res.Target.Profile
	s.Host, s.Port = l.Host, cmp.Or(l.Port, s.Port)
	if l.Entry.Secret != "" {
		s.Secret = res.Secret.ID
	}
	if ep.Host == l.Host {
		return s
	}
	s.Endpoint, s.Name = ep.Host, l.Host
	switch {
	case err == nil && !res.Ours():
		s.Kind, s.Endpoint = server.Elsewhere, ""
	case config.IsLoopback(l.Host):
		s.Kind, s.Port = server.Tunnel, l.Port
	default:
		s.Kind = server.Alias
	}
	if l.Port != 0 {
		s.Name = net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
	}
	return s
}

func inventoryServers() ([]inventory.Server, error) {
	known := &inventory.User{}
	defer known.Close()
	_, servers, err := known.All()
	return servers, err
}

// noServers is an inventory that is there, and empty.
func noServers() advice.Problem {
	return advice.Problemf("discover found no servers in the regions that it looked at").
		With(advice.Ours("discover", "--all-regions"))
}

func (c *console) printServers(servers []inventory.Server) {
	rows := [][]string{{"HOST", "PORT", "KIND", "ENGINE", "STATUS", "OPENS", "ACCOUNT", "REGION", "PROFILE", "SEEN"}}
	for _, s := range servers {
		port, seen := "", ""
		if s.Port != 0 {
			port = strconv.Itoa(s.Port)
		}
		if !s.Unseen {
			seen = ago(time.Since(s.Seen))
		}
		rows = append(rows, cells(s.Host, port, s.Kind.String(), engineOf(s), s.Status, opens(s), s.Account, s.Region,
			s.Profile, seen))
	}
	printTable(c.stdout, rows)
}

// engineOf is a server's engine with its version, as far as they are known.
func engineOf(s inventory.Server) string { return strings.TrimSpace(s.Engine + " " + s.EngineVersion) }

// opens returns what opens a server: a token, a secret of AWS Secrets Manager (its master user's, as
// a rule), or else a password; "" where that isn't known.
func opens(s inventory.Server) string {
	var with []string
	if s.IAM {
		with = append(with, "token")
	}
	if s.MasterSecretARN != "" || s.Secret != "" {
		with = append(with, "secret")
	}
	if len(with) == 0 && !s.Partial() {
		with = append(with, "password")
	}
	return strings.Join(with, ", ")
}

// fitServers is a table of what one looks for, in lines of at most width columns: the hosts'
// domains go first, then the engines' versions, then the middle of what is widest.
func fitServers(servers []inventory.Server, width int) string {
	const host, engine, profile = 0, 2, 3
	rows := [][]string{{"NAME", "KIND", "ENGINE", "PROFILE", "REGION", "OPENS"}}
	for _, s := range servers {
		rows = append(rows, cells(s.Host, kindOf(s), engineOf(s), s.Profile, s.Region, opens(s)))
	}
	shorten := func(column int, shorter func(inventory.Server) string) {
		if !fits(rows, width) {
			for i, s := range servers {
				rows[1+i][column] = cells(shorter(s))[0]
			}
		}
	}
	shorten(host, func(s inventory.Server) string { return strings.SplitN(s.Host, ".", 2)[0] })
	shorten(engine, func(s inventory.Server) string { return s.Engine })
	widths := widthsOf(rows)
	widths = term.Fit(widths, width-gap*(len(widths)-1), host, engine, profile)
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, text := range row {
			line += fmt.Sprintf("%-*s", widths[i]+gap, term.Shorten(text, widths[i]))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// ago says how long since, roughly.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours()/24))
}
