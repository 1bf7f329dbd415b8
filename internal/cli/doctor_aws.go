package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/doctor"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
)

func readAWS(now time.Time) doctor.AWS {
	a := doctor.AWS{Files: profiles.Default(), Now: now}
	a.Profiles, a.ProfilesErr = loadProfiles()
	if store, err := cache.Open(); err == nil {
		a.Kept, _ = store.AllCredentials() // those that aren't believed are not used
	}
	known := &inventory.User{}
	defer known.Close()
	a.Accounts, a.Servers, a.InventoryErr = known.All()
	return a
}

// askAWS asks STS whose credentials each profile gives. Nobody is asked for anything: sessions that
// are over are passed over, as they have a finding already.
func (c *console) askAWS(ctx context.Context, set *profiles.Set, cfg *config.Config, found *findings) {
	if set == nil {
		return
	}
	var store cache.Store
	timeout := config.DefaultTimeout
	if cfg != nil {
		timeout = cfg.Timeout
		store, _ = openStore(cfg) // without one, nothing is kept
	}
	names := set.Names()
	results := make([]doctor.Finding, len(names))
	var group errgroup.Group
	group.SetLimit(loginsAtOnce)
	for i, name := range names {
		if s, ok := set.SSO(name); ok && !sso.Until(sso.File(s)).After(time.Now()) && !sso.NeedsRefresh(sso.File(s)) {
			continue
		}
		group.Go(func() error {
			found.waiting(fmt.Sprintf("STS: whose credentials profile %s gives", name))
			p := credentials.New(credentials.Source{Profile: name, Region: "us-east-1", User: userName()},
				credentials.Options{Store: store, Timeout: timeout, Files: filesOf(set)})
			asking, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			who, err := p.WhoAmI(asking)
			results[i] = ofProfile(name, who, err)
			return nil
		})
	}
	_ = group.Wait() // each has its finding
	for _, f := range results {
		if f.Name != "" && ctx.Err() == nil {
			found.add(f)
		}
	}
}

func ofProfile(name string, who credentials.Caller, err error) doctor.Finding {
	const check = "online"
	if err == nil {
		whose := cmp.Or(who.ARN, who.Account)
		return doctor.Finding{Name: check, Status: doctor.OK, Text: fmt.Sprintf("profile %s: %s", name, whose)}
	}
	text, do := advice.Of(err).Split()
	f := doctor.Finding{Name: check, Status: doctor.Fail, Text: fmt.Sprintf("profile %s: %s", name, text), Do: do}
	passing := []error{credentials.ErrNoTerminal, credentials.ErrSSOLogin, credentials.ErrTimeout}
	if slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
		f.Status = doctor.Warn // nothing is broken
	}
	return f
}
