package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/term"
)

func (c *console) listServersCommand() *cobra.Command {
	var asJSON, wide bool
	cmd := &cobra.Command{
		Use:   "list-servers [filter…]",
		Short: "show the servers that discover found, and those of the configuration",
		Long: `Shows the servers that discover found, those seen last first, and those that only the configuration has. Each word of
the filter has to match: a part of the host, name, cluster, engine and version, kind, account, region, profile, status or a tag (key=value), or a pattern (prod-*) of the whole of one.

On a terminal it shows name, kind, engine, profile, region and IAM authentication, as wide as the terminal is; everything with --wide, and where it
doesn't go to a terminal.`,
		Example: "  mysql-secret-store-rds list-servers\n  mysql-secret-store-rds list-servers prod eu-west-1\n  mysql-secret-store-rds list-servers --json team=orders",
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := readConfig()
			if err != nil {
				return err
			}
			servers, err := c.servers(cfg)
			if err != nil {
				return err
			}
			if len(servers) == 0 && !asJSON {
				return noServers()
			}
			found := inventory.Filter(servers, args)
			if asJSON {
				if found == nil {
					found = []inventory.Server{}
				}
				return printJSON(c.stdout, found)
			}
			if len(found) == 0 {
				return advice.Problemf("none of %s matches", count(len(servers), "server")).
					With(advice.Ours("list-servers"))
			}
			if wide || !term.Is(c.stdout.File) {
				c.printServers(found)
			} else {
				fmt.Fprint(c.stdout, fitServers(found, term.Width(c.stdout.File)))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&wide, "wide", false, "everything in its full length, on a terminal, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print everything that is known of each server as JSON")
	return cmd
}

// inventoryServers reads the inventory's servers.
func inventoryServers() ([]inventory.Server, error) {
	known := &inventory.User{}
	defer known.Close()
	_, servers, err := known.All()
	return servers, err
}

// unusable words the error of an inventory that isn't there, or can't be used.
func unusable(err error) error {
	switch {
	case err == inventory.ErrAbsent:
		return advice.Problemf("no servers are known yet").With(advice.Ours("discover"))
	case errors.Is(err, inventory.ErrAbsent):
		return advice.Problemf("what discover found can't be used: %v", err).With(advice.Ours("discover"))
	}
	return err
}

// noServers is an inventory that is there, and empty.
func noServers() advice.Problem {
	return advice.Problemf("discover found no servers in the regions that it looked at").
		With(advice.Ours("discover", "--all-regions"))
}

func (c *console) printServers(servers []inventory.Server) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "HOST\tPORT\tKIND\tENGINE\tSTATUS\tIAM\tACCOUNT\tREGION\tPROFILE\tSEEN")
	for _, s := range servers {
		port := strconv.Itoa(s.Port)
		if s.Port == 0 {
			port = "-"
		}
		v := term.Visible
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			v(s.Host), port, s.Kind, engineOf(s), v(dash(s.Status)), iamOf(s),
			v(dash(s.Account)), v(dash(s.Region)), v(dash(s.Profile)), seen(s))
	}
	_ = table.Flush()
}

// engineOf is a server's engine with its version, as far as they are known.
func engineOf(s inventory.Server) string {
	return term.Visible(dash(strings.TrimSpace(s.Engine + " " + s.EngineVersion)))
}

// seen says when discover saw a server.
func seen(s inventory.Server) string {
	if s.Unseen {
		return "-"
	}
	return ago(time.Since(s.Seen))
}

// iamOf returns a server's IAM authentication: on, off, or - where that isn't known.
func iamOf(s inventory.Server) string {
	switch {
	case s.IAM:
		return "on"
	case s.Partial():
		return "-"
	}
	return "off"
}

// fitServers is a table of what one looks for, in lines of at most width columns: the hosts'
// domains go first, then the engines' versions, then the middle of what is widest.
func fitServers(servers []inventory.Server, width int) string {
	v := term.Visible
	table := func(host func(string) string, versions bool) [][]string {
		rows := [][]string{{"NAME", "KIND", "ENGINE", "PROFILE", "REGION", "IAM"}}
		for _, s := range servers {
			engine := term.Visible(dash(s.Engine))
			if versions {
				engine = engineOf(s)
			}
			rows = append(rows, []string{
				v(host(s.Host)), kindOf(s), engine, v(dash(s.Profile)), v(dash(s.Region)), iamOf(s),
			})
		}
		return rows
	}
	whole := func(host string) string { return host }
	name := func(host string) string { return strings.SplitN(host, ".", 2)[0] }
	rows := table(whole, true)
	if !fits(rows, width) {
		rows = table(name, true)
	}
	if !fits(rows, width) {
		rows = table(name, false)
	}
	widths := widthsOf(rows)
	const host, engine, profile = 0, 2, 3
	widths = term.Fit(widths, width-gap*(len(widths)-1), host, engine, profile)
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, text := range row {
			line += term.Pad(term.Shorten(text, widths[i]), widths[i]+gap)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// gap is how many blanks are between two columns.
const gap = 2

// widthsOf returns the widest texts of each column.
func widthsOf(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	return widths
}

// fits reports whether rows, in columns, are no wider than width.
func fits(rows [][]string, width int) bool {
	sum := -gap
	for _, w := range widthsOf(rows) {
		sum += w + gap
	}
	return sum <= width
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
