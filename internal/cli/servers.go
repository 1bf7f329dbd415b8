package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/term"
)

func (c *console) listServersCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list-servers [filter…]",
		Short: "show the servers that discover found",
		Long: `Shows the servers that discover found, those seen last first. Each word of the filter has to match: a part of the
host, name, cluster, engine and version, kind, account, region, profile, status or a tag (key=value), or a pattern (prod-*) of the whole of one.`,
		Example: "  mysql-secret-store-rds list-servers\n  mysql-secret-store-rds list-servers prod eu-west-1\n  mysql-secret-store-rds list-servers --json team=orders",
		RunE: func(_ *cobra.Command, args []string) error {
			servers, err := knownServers()
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
				return advice.Problemf("none of %s matches", count(len(servers), "server")).With(advice.Ours("list-servers"))
			}
			c.printServers(found)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print everything that is known of each server as JSON")
	return cmd
}

// knownServers reads the inventory's servers.
func knownServers() ([]inventory.Server, error) {
	known := &inventory.User{}
	defer known.Close()
	_, servers, err := known.All()
	if err == inventory.ErrAbsent {
		return nil, advice.Problemf("no servers are known yet").With(advice.Ours("discover"))
	}
	if errors.Is(err, inventory.ErrAbsent) {
		return nil, advice.Problemf("what discover found can't be used: %v", err).With(advice.Ours("discover"))
	}
	return servers, err
}

// noServers is an inventory that is there, and empty.
func noServers() advice.Problem {
	return advice.Problemf("discover found no servers in the regions that it looked at").With(advice.Ours("discover", "--all-regions"))
}

func (c *console) printServers(servers []inventory.Server) {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "HOST\tPORT\tKIND\tENGINE\tSTATUS\tIAM\tACCOUNT\tREGION\tPROFILE\tSEEN")
	for _, s := range servers {
		iam, port := "off", strconv.Itoa(s.Port)
		switch {
		case s.IAM:
			iam = "on"
		case s.Partial():
			iam = "-"
		}
		if s.Port == 0 {
			port = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Host, port, s.Kind, term.Visible(s.Engine+" "+s.EngineVersion),
			term.Visible(cmp.Or(s.Status, "-")), iam, s.Account, s.Region, term.Visible(cmp.Or(s.Profile, "-")), ago(time.Since(s.Seen)))
	}
	_ = table.Flush()
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
