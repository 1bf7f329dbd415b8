package cli

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
)

func (c *console) caBundleCommand() *cobra.Command {
	var path, printed bool
	cmd := &cobra.Command{
		Use:   "ca-bundle [--path|--print]",
		Short: "Amazon's certificate authorities for RDS, as a file for ssl-ca",
		Long: `Writes Amazon's public certificate authorities for RDS and RDS Proxy to a file, unless they are there already, and prints its path: for ssl-ca. They are
part of this program. There are none for China and GovCloud among them: for those, and for authorities of your own, "ssl_ca:" in the configuration names your file.`,
		Example: "  mysqlsh dba@host --ssl-mode=VERIFY_IDENTITY --ssl-ca=\"$(mysql-secret-store-rds ca-bundle)\"",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if path && printed {
				return advice.Problemf("either --path or --print, not both")
			}
			if printed {
				_, err := c.stdout.Write(cabundle.PEM())
				return err
			}
			file, err := bundleFile()
			if err == nil {
				fmt.Fprintln(c.stdout, file)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&path, "path", false, "write the file and print its path, as happens by default")
	cmd.Flags().BoolVar(&printed, "print", false, "print the certificates instead")
	return cmd
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
// configuration's, else the embedded ones, if they are for its region.
func authorities(res resolve.Resolution, cfg *config.Config) (string, error) {
	if res.Client.SSLCA != "" {
		return res.Client.SSLCA, nil
	}
	if !covered(res) {
		set := cfg.SetAccount(res.Endpoint.HostID, "ssl_ca", "/path/to/bundle.pem")
		return "", advice.Problemf("the certificate authorities that come with %s are not for %s (%s)",
			about.Name, res.Target.Region, res.Endpoint.Partition).
			With(advice.Put("get Amazon's bundle for that region, and "+set.Text, set.Paste))
	}
	return bundleFile()
}

// readAuthorities reads a file with certificate authorities, of which there has to be one.
func readAuthorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s: no certificate in it", file)
	}
	return pool, err
}

// covered reports whether the embedded authorities are a server's. RDS Proxy's certificates come
// from Amazon's public authorities, the same ones in every region.
func covered(res resolve.Resolution) bool {
	ep := res.Endpoint
	proxy := ep.Kind == server.Proxy || ep.Kind == server.ProxyEndpoint
	return ep.Partition == "aws" && proxy || cabundle.Covers(ep.Partition, res.Target.Region)
}
