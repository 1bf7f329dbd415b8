package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"time"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/setup"
)

// listLimit is how long the other helper's list may take.
const listLimit = 5 * time.Second

// otherHelper finds the helper that keeps saved passwords, as the first Shell does.
func (c *console) otherHelper(cfg *config.Config, shells []setup.Shell) (delegate.Helper, error) {
	if len(shells) == 0 {
		return delegate.Find(cfg.Delegate, c.args[0])
	}
	return helperOf(shells[0], cfg.Delegate)
}

// helperOf finds a helper as a Shell does, in the Shell's folder first, and gives it the Shell's own
// programs.
func helperOf(sh setup.Shell, setting string) (delegate.Helper, error) {
	d, err := delegate.Find(setting, filepath.Join(sh.Dir, about.Name))
	d.Libexec = filepath.Join(filepath.Dir(sh.Dir), "libexec", "mysqlsh")
	return d, err
}

// otherHelperHere is otherHelper for the Shells of this machine.
func (c *console) otherHelperHere(cfg *config.Config) (delegate.Helper, error) {
	sys, err := here(nil)
	if err != nil {
		return delegate.Helper{}, err
	}
	return c.otherHelper(cfg, sys.Shells())
}

// askSaved is the question for a saved password, for [password.Options]; nil when there is nobody
// to ask.
func (c *console) askSaved(cfg *config.Config, serverURL string) func(context.Context) ([]byte, bool) {
	d, err := c.otherHelperHere(cfg)
	if err != nil {
		return nil
	}
	return func(ctx context.Context) ([]byte, bool) {
		return password.AskHelper(ctx, d, protocol.GetRequest(serverURL))
	}
}

// isSaved reports whether a saved password opens a server of ours, and no token.
func (c *console) isSaved(ctx context.Context, res resolve.Resolution, cfg *config.Config, serverURL string) bool {
	if res.OnlyIAM {
		return false
	}
	d, err := c.otherHelperHere(cfg)
	return err == nil && hasSaved(ctx, d, serverURL)
}

// hasSaved reports whether the other helper lists a password for exactly this server and user. It
// asks for no secret.
func hasSaved(ctx context.Context, d delegate.Helper, serverURL string) bool {
	list, err := d.List(ctx, protocol.Filter(protocol.TypePassword), listLimit)
	return err == nil && protocol.Listed(list, protocol.TypePassword, serverURL)
}

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
		d, err := helperOf(sh, setting)
		if err != nil || !d.Works(ctx) {
			continue
		}
		reply, err := d.List(ctx, protocol.Filter(protocol.TypePassword), listLimit)
		var list []struct{ SecretType, SecretID, ServerURL string }
		if err != nil || json.Unmarshal(reply, &list) != nil {
			return nil
		}
		for _, e := range list {
			url := cmp.Or(e.ServerURL, e.SecretID)
			if e.SecretType == protocol.TypePassword && !slices.Contains(urls, url) {
				urls = append(urls, url)
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
		cfg, _ = config.Parse("", nil) // which has no mistakes
	}
	known := &inventory.User{}
	defer known.Close()
	for _, url := range urls {
		u, err := server.Parse(url)
		if err != nil || u.Kind != server.TCP {
			continue
		}
		res, err := resolve.URL(ctx, u, cfg, known, noAlias) // that takes no network
		_, rds := server.ParseEndpoint(u.Host)
		if (err != nil && rds || res.Ours()) && !res.OnlyIAM {
			list = append(list, url)
		}
	}
	slices.Sort(list)
	return list
}
