package cli

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
)

const caBundleHelp = `Writes Amazon's public certificate authorities for RDS and RDS Proxy to a file, unless they are there already, and
prints its path: for ssl-ca. They are part of this program. There are none for GovCloud, China
and the regions that came after 2022.

With --fetch it gets Amazon's bundle of such a region over HTTPS, shows the authorities in it, and keeps it beside the
other file. From then on connect, doctor and ca-bundle use it for the servers of that region. Nothing gets it unless you
ask for it. It comes from
  https://truststore.pki.rds.amazonaws.com/REGION/REGION-bundle.pem
or from the same path at truststore.pki.us-gov-west-1.rds.amazonaws.com for GovCloud, at
rds-truststore.s3.cn-north-1.amazonaws.com.cn for China. For a file that you got yourself, and for authorities of
your own, "accounts: {ID: {ssl_ca: /path/to/bundle.pem}}" in the configuration names it: the id is in the host's name.

With a Server URL it is the file for that server: the one that "ssl_ca:" names for it, else the one that was fetched for
its region, else that of this program.`

func (c *console) caBundleCommand() *cobra.Command {
	var path, printed bool
	var region string
	cmd := &cobra.Command{
		Use:   "ca-bundle [user@host:port] [--path|--print] | --fetch REGION",
		Short: "Amazon's certificate authorities for RDS, as a file for ssl-ca",
		Long:  caBundleHelp,
		Example: `  CA=$(mysql-secret-store-rds ca-bundle dba@host:3306)
  mysqlsh dba@host:3306 --mysql --ssl-ca="$CA" \
    --ssl-mode=VERIFY_IDENTITY \
    --auth-method=mysql_clear_password
  mysql-secret-store-rds ca-bundle --fetch il-central-1`,
		ValidArgsFunction: completeServers,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch fetch := cmd.Flags().Changed("fetch"); {
			case fetch && (len(args) > 0 || path || printed):
				return advice.Problemf("--fetch goes with a region and nothing else").
					With(advice.Ours("ca-bundle", "--fetch", exampleRegion))
			case fetch:
				return c.fetchBundle(cmd.Context(), region)
			case len(args) > 1:
				return advice.Problemf("ca-bundle takes one server at most").
					With(advice.Run(cmd.CommandPath() + " " + exampleServer))
			case path && printed:
				return advice.Problemf("either --path or --print, not both")
			case len(args) == 1:
				return c.serverBundle(cmd.Context(), args[0], printed)
			}
			if printed {
				_, err := c.stdout.Write(cabundle.PEM())
				return err
			}
			file, err := bundleFile()
			if err == nil {
				fmt.Fprintln(c.stdout.asIs(), file) // the user's own path, for a program
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&path, "path", false, "write the file and print its path, as happens by default")
	cmd.Flags().BoolVar(&printed, "print", false, "print the certificates instead")
	cmd.Flags().StringVar(&region, "fetch", "",
		"get Amazon's bundle of a `region` from the network, show it, and keep it")
	return cmd
}

// serverBundle prints the file with the authorities for one server, or what is in it.
func (c *console) serverBundle(ctx context.Context, typed string, printed bool) error {
	if !strings.Contains(typed, "@") {
		typed = "x@" + typed // no authority depends on the user
	}
	u, err := server.Parse(typed)
	if err != nil {
		return notURL("ca-bundle", err)
	}
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	res, err := password.Resolve(ctx, u, cfg, resolve.LookupCNAME)
	if err != nil {
		return err
	}
	if !res.Ours() && res.Client.SSLCA == "" {
		return advice.Problemf("this server is none of Amazon's: %s", res.Reason).
			With(advice.Ours("explain", u.String()))
	}
	file, err := authorities(res, cfg)
	if err != nil {
		return err
	}
	if _, err := readAuthorities(file); err != nil {
		return advice.Problemf("ssl_ca: %v", err)
	}
	if !printed {
		fmt.Fprintln(c.stdout, file)
		return nil
	}
	text, err := os.ReadFile(file)
	if err == nil {
		_, err = c.stdout.Write(text)
	}
	return err
}

// bundleFile returns the file with the embedded authorities, and writes it where it isn't.
func bundleFile() (string, error) {
	file, err := cabundle.Path()
	if err != nil {
		return "", err
	}
	return file, cabundle.Write(file)
}

// authorities returns the file with the authorities for a server's certificate: the
// configuration's, else the one that was fetched for its region, else the embedded ones, if they
// are for it.
func authorities(res resolve.Resolution, cfg *config.Config) (string, error) {
	if res.Client.SSLCA != "" {
		return res.Client.SSLCA, nil
	}
	if file, err := fetched(res); file != "" || err != nil {
		return file, err
	}
	if !covered(res) {
		return "", notCovered(res, cfg)
	}
	file, err := bundleFile()
	if err != nil && cabundle.Usable(file) { // that of another release, as a rule
		return file, nil
	}
	if err != nil {
		set := cfg.SetAccount(res.Endpoint.HostID, "ssl_ca", "/path/to/bundle.pem")
		return "", advice.Problemf("%v", err).With(advice.Say("write the certificates elsewhere (%s), and %s",
			advice.Words(about.Name, "ca-bundle", "--print"), set.Text))
	}
	return file, nil
}

// maxAuthorities is ten times all that Amazon's bundle has, in bytes.
const maxAuthorities = 4 << 20

// readAuthorities reads a file with certificate authorities, of which there has to be one.
func readAuthorities(file string) (*x509.CertPool, error) {
	text, err := disk.ReadForeign(file, maxAuthorities)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s: no certificate in it", file)
	}
	return pool, err
}

// covered reports whether the embedded authorities are a server's. RDS Proxy's certificates come
// from Amazon's public authorities, the same ones in every region.
func covered(res resolve.Resolution) bool {
	return ofPublicAuthority(res) || cabundle.Covers(res.Endpoint.Partition, res.Target.Region)
}

func ofPublicAuthority(res resolve.Resolution) bool {
	ep := res.Endpoint
	return ep.Partition == "aws" && (ep.Kind == server.Proxy || ep.Kind == server.ProxyEndpoint)
}
