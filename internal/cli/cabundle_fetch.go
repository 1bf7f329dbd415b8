package cli

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

// exampleRegion is one that the embedded authorities are not for.
const exampleRegion = "il-central-1"

// fetchBundle gets the bundle of a region, shows what is in it, and keeps it. What was kept before
// stays unless the new one is good.
func (c *console) fetchBundle(ctx context.Context, region string) error {
	partition := server.Partition(region)
	if partition == "" {
		return advice.Problemf("%q is no AWS region", region).With(advice.Ours("ca-bundle", "--fetch", exampleRegion))
	}
	address := cabundle.Address(partition, region)
	if address == "" {
		return advice.Problemf("no address is known of a bundle for %s (%s)", region, partition).
			With(ownBundle())
	}
	text, list, err := cabundle.Fetch(ctx, nil, region)
	if err != nil {
		p := advice.Problemf("%v", err)
		if file, err := cabundle.Kept(region); err == nil {
			p = p.With(advice.Say("the bundle that was fetched before is unchanged: %s", file))
		}
		return p.With(ownBundle())
	}
	fmt.Fprintf(c.stdout, "%s has %s:\n", address, authorityCount(list))
	for _, one := range list {
		fmt.Fprintln(c.stdout)
		sayf(c.stdout, "%s", one.Subject)
		fmt.Fprintf(c.stdout, "  good until %s\n  SHA-256 %x\n", cabundle.Day(one.NotAfter), sha256.Sum256(one.Raw))
	}
	file, err := cabundle.Keep(region, text)
	if err != nil {
		return advice.Problemf("%v", err).With(advice.Say("nothing of it was kept"))
	}
	fmt.Fprintf(c.stdout, "\nKept in %s\n", file)
	fmt.Fprintf(c.stdout, "connect, doctor and ca-bundle use it for the servers in %s from now on.\n", region)
	return nil
}

// ownBundle is what to do with a bundle that was got in another way.
func ownBundle() advice.Action {
	file, err := stamp.ConfigPath()
	if err != nil {
		file = "the configuration"
	}
	return advice.Put("get it in another way, and write into "+file+", for the id in the host's name",
		"accounts: {ID: {ssl_ca: /path/to/bundle.pem}}")
}

func authorityCount(list []*x509.Certificate) string {
	if len(list) == 1 {
		return "1 certificate authority"
	}
	return fmt.Sprintf("%d certificate authorities", len(list))
}

// fetched returns the file that --fetch has kept for a server's region; it is "" when there is none
// or it isn't for that server. One that must not be used is an error, unless there are other
// authorities for the region.
func fetched(res resolve.Resolution) (string, error) {
	region := res.Target.Region
	if ofPublicAuthority(res) || cabundle.Address(res.Endpoint.Partition, region) == "" {
		return "", nil
	}
	file, err := cabundle.Kept(region)
	if err == nil || errors.Is(err, fs.ErrNotExist) || covered(res) {
		return file, nil
	}
	return "", advice.Problemf("the certificate authorities that were fetched for %s must not be used: %v", region,
		err).
		With(advice.Ours("ca-bundle", "--fetch", region))
}

// notCovered says that there are no authorities for a server's certificate, and how to have them.
func notCovered(res resolve.Resolution, cfg *config.Config) error {
	ep, region := res.Endpoint, res.Target.Region
	set := cfg.SetAccount(ep.HostID, "ssl_ca", "/path/to/bundle.pem")
	p := advice.Problemf("the certificate authorities that come with %s are not for %s (%s)",
		about.Name, region, ep.Partition)
	address := cabundle.Address(ep.Partition, region)
	if address == "" {
		return p.With(advice.Put("get Amazon's bundle for that region, and "+set.Text, set.Paste))
	}
	return p.With(advice.Ours("ca-bundle", "--fetch", region),
		advice.Put(fmt.Sprintf("or get %s yourself, and %s", address, set.Text), set.Paste))
}
