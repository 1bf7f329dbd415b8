// Keeping what was learned of single accounts, outside of a scan.

package discover

import (
	"cmp"
	"context"
	"slices"
	"time"

	"mysql-secret-store-rds/internal/inventory"
)

// Learned is what a profile has shown of its account in a region.
type Learned struct {
	Profile                    string
	Others                     []string // that are of the account by the AWS files, without having been asked
	Account, Partition, Region string
	HostIDs                    []string
	Server                     inventory.Server // if it has a host, one of the account's
	Why                        string           // the profile is the account's, in words
}

// Keep adds what was learned to the inventory as [Run] does: what it knows stays, but for what is
// no longer so. The profile is the one of an account and region that wasn't known; assigned is as in
// [Input]. An inventory that is damaged, or not to be trusted, is left as it is: the error is an
// [*inventory.UntrustedError] then.
func Keep(ctx context.Context, path string, now time.Time, assigned map[string]string, learned []Learned) error {
	unlock, err := inventory.Lock(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	accounts, servers, err := readInventory(path)
	if err != nil && err != inventory.ErrAbsent {
		return err
	}
	accounts = keepAccounts(accounts, learned, assigned, now)
	var found []inventory.Server
	for _, one := range learned {
		if one.Server.Host != "" {
			found = append(found, one.Server)
		}
	}
	servers, _ = mergeServers(servers, found, nil)
	before := make([]string, len(servers))
	for i, s := range servers {
		before[i] = s.Profile
	}
	assignProfiles(servers, accounts)
	for i := range servers {
		s := &servers[i]
		for _, one := range learned {
			if s.Host == one.Server.Host {
				before[i] = one.Profile
			}
		}
		s.Profile = cmp.Or(s.Profile, before[i]) // a global writer's, where no id of the account is known
	}
	return inventory.Write(path, accounts, servers)
}

// keepAccounts returns the accounts that the inventory shall have. Only those are merged anew that
// something was learned of.
func keepAccounts(
	old []inventory.Account, learned []Learned, assigned map[string]string, now time.Time,
) []inventory.Account {
	type key struct{ hostID, region, number string }
	before := map[key]inventory.Account{}
	for _, a := range old {
		before[key{a.HostID, a.Region, a.Number}] = a
	}
	known := knownProfiles{assigned: assigned, callers: map[string][]candidate{}, account: map[string]string{}}
	why := map[key]string{} // of what is new
	var scanned []*accountRegion
	for _, one := range learned {
		for _, name := range append([]string{one.Profile}, one.Others...) {
			known.callers[one.Account] = append(known.callers[one.Account], candidate{profile: name})
		}
		known.account[one.Profile] = one.Account
		ar := &accountRegion{listing: newListing(regionKey{one.Account, one.Region}, one.Partition, 0, now)}
		for _, id := range one.HostIDs {
			ar.hostIDs[id] = true
			k := key{id, one.Region, one.Account}
			if _, known := before[k]; !known {
				ar.answered, why[k] = true, one.Why
			}
		}
		scanned = append(scanned, ar)
	}
	var concerned, merged []inventory.Account
	for _, a := range old {
		if concerns(a, learned) {
			concerned = append(concerned, a)
		} else {
			merged = append(merged, a)
		}
	}
	for _, a := range mergeAccounts(concerned, scanned, known, now) {
		k := key{a.HostID, a.Region, a.Number}
		switch was := before[k]; {
		case a.Why == Assigned:
		case why[k] != "":
			a.Why = why[k]
		case was.Profile == a.Profile:
			a.Why = was.Why
		}
		merged = append(merged, a)
	}
	return merged
}

// concerns reports whether something was learned of an account's record: of its id, or that one of
// its profiles is another account's.
func concerns(a inventory.Account, learned []Learned) bool {
	return slices.ContainsFunc(learned, func(one Learned) bool {
		return a.Region == one.Region && slices.Contains(one.HostIDs, a.HostID) ||
			one.Account != a.Number && slices.Contains(a.Profiles, one.Profile)
	})
}
