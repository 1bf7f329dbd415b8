package cli

import (
	"context"
	"path/filepath"
	"time"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/setup"
)

// listLimit is how long the other helper's list may take.
const listLimit = 5 * time.Second

// otherHelper finds the helper that keeps saved passwords as MySQL Shell does, in the folder of the
// first Shell, and gives it the Shell's own programs.
func (c *console) otherHelper(cfg *config.Config, shells []setup.Shell) (delegate.Helper, error) {
	d, err := delegate.Find(cfg.Delegate, c.calledAs(shells))
	if err == nil && len(shells) > 0 {
		d.Libexec = filepath.Join(filepath.Dir(shells[0].Dir), "libexec", "mysqlsh")
	}
	return d, err
}

// askSaved is the question for a saved password, for [password.Options]; nil when there is nobody
// to ask.
func (c *console) askSaved(cfg *config.Config, serverURL string) func(context.Context) ([]byte, bool) {
	sys, err := here(nil)
	if err != nil {
		return nil
	}
	d, err := c.otherHelper(cfg, sys.Shells())
	if err != nil {
		return nil
	}
	return func(ctx context.Context) ([]byte, bool) {
		return password.AskHelper(ctx, d, protocol.GetRequest(serverURL))
	}
}

// isSaved reports whether a saved password opens a server of ours, and no token.
func (c *console) isSaved(ctx context.Context, res resolve.Resolution, cfg *config.Config, serverURL string) bool {
	sys, err := here(nil)
	if err != nil || res.OnlyIAM {
		return false
	}
	d, err := c.otherHelper(cfg, sys.Shells())
	return err == nil && hasSaved(ctx, d, serverURL)
}

// hasSaved reports whether the other helper lists a password for exactly this server and user. It
// asks for no secret.
func hasSaved(ctx context.Context, d delegate.Helper, serverURL string) bool {
	list, err := d.List(ctx, protocol.Filter(protocol.TypePassword), listLimit)
	return err == nil && protocol.Listed(list, protocol.TypePassword, serverURL)
}
