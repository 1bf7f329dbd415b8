package cli

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/setup"
)

// savedServers returns a function that lists the RDS servers for which a helper keeps passwords
// that are in force. It asks each helper once.
func savedServers(ctx context.Context) func(setting string, shells []setup.Shell) []string {
	known := map[string][]string{}
	return func(setting string, shells []setup.Shell) []string {
		urls, asked := known[setting]
		if !asked {
			urls = inForce(ctx, savedBy(ctx, setting, shells))
			known[setting] = urls
		}
		return urls
	}
}

// savedBy returns the Server URLs that a helper lists, as it does for the first Shell beside which
// it works. One that doesn't work has nothing.
func savedBy(ctx context.Context, setting string, shells []setup.Shell) (urls []string) {
	for _, sh := range shells {
		d, err := delegate.Find(setting, filepath.Join(sh.Dir, about.Name))
		if err != nil {
			continue
		}
		d.Libexec = filepath.Join(filepath.Dir(sh.Dir), "libexec", "mysqlsh")
		if !d.Works(ctx) {
			continue
		}
		reply, err := d.List(ctx, protocol.Filter(protocol.TypePassword), listLimit)
		var list []struct{ SecretType, SecretID, ServerURL string }
		if err != nil || json.Unmarshal(reply, &list) != nil {
			return nil
		}
		for _, e := range list {
			if e.ServerURL == "" {
				e.ServerURL = e.SecretID
			}
			if e.SecretType == protocol.TypePassword && !slices.Contains(urls, e.ServerURL) {
				urls = append(urls, e.ServerURL)
			}
		}
		return urls
	}
	return nil
}

// inForce returns the Server URLs of RDS servers at which get uses a saved password.
func inForce(ctx context.Context, urls []string) (list []string) {
	if len(urls) == 0 {
		return nil
	}
	cfg, err := readConfig()
	if err != nil {
		if cfg, err = config.Parse("", nil); err != nil {
			return nil
		}
	}
	known := &inventory.User{}
	defer known.Close()
	noAlias := func(context.Context, string) (string, error) { return "", nil } // that takes no network
	for _, url := range urls {
		u, err := server.Parse(url)
		if err != nil || u.Kind != server.TCP {
			continue
		}
		res, err := resolve.URL(ctx, u, cfg, known, noAlias)
		_, rds := server.ParseEndpoint(u.Host)
		if (err != nil && rds || res.Outcome == resolve.ToToken) && !res.OnlyIAM {
			list = append(list, url)
		}
	}
	slices.Sort(list)
	return list
}
