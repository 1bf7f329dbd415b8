// Merging what was read into the inventory.

package discover

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// lockTimeout is how long to wait for another discover that is writing.
const lockTimeout = 30 * time.Second

// save merges what was read into the inventory as it is now: another discover may have written it
// meanwhile.
func (r *run) save(
	ctx context.Context, callers []*caller, scanned []*accountRegion, decisions map[string]decision,
) error {
	full := r.countRead(scanned)
	found := collect(scanned)
	r.report.Servers = len(found)
	write := !r.in.DryRun && r.report.Regions > 0
	if write {
		// What was found is kept even after the context's end.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockTimeout)
		defer cancel()
		unlock, err := inventory.Lock(ctx, r.in.Path)
		if err != nil {
			return err
		}
		defer unlock()
	}
	oldAccounts, oldServers, err := readInventory(r.in.Path)
	if untrusted, ok := errors.AsType[*inventory.UntrustedError](err); ok {
		r.addProblem(Problem{Text: untrusted.Error() + ": taken as empty"}, "")
	}
	oldServers = slices.DeleteFunc(oldServers, func(s inventory.Server) bool { // an earlier version kept any host
		_, ok := server.ParseEndpoint(s.Host)
		return !ok
	})
	known := r.knownProfiles(callers, decisions)
	accounts := mergeAccounts(oldAccounts, scanned, known, r.in.Now)
	servers, changed := mergeServers(oldServers, found, full)
	assignProfiles(servers, accounts)
	if write {
		if err := inventory.Write(r.in.Path, accounts, servers); err != nil {
			return err
		}
		r.report.Written = true
	}
	r.report.Known = len(servers)
	r.report.New, r.report.Gone, r.report.Changed = changed.added, changed.gone, changed.changed
	r.report.Preferred = preferences(accounts, known)
	return nil
}

// countRead counts what was read, and returns what was read in full.
func (r *run) countRead(scanned []*accountRegion) (full map[regionKey]bool) {
	full = map[regionKey]bool{}
	accounts, regions := map[string]bool{}, map[string]bool{}
	for _, ar := range scanned {
		if ar.answered {
			r.report.Regions++
			regions[ar.region] = true
			accounts[ar.account] = true
			r.report.Found = r.report.Found || len(ar.hostIDs) > 0 || len(ar.servers) > 0
		}
		if ar.full {
			r.report.Full++
			full[ar.regionKey] = true
		}
	}
	r.report.Accounts, r.report.RegionNames = len(accounts), len(regions)
	return full
}

// readInventory reads all of the inventory. One that is absent is an error, and counts as empty.
func readInventory(path string) ([]inventory.Account, []inventory.Server, error) {
	inv, err := inventory.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer inv.Close()
	return inv.All()
}

// collect returns all servers that were found in the order of their hosts, each once.
func collect(scanned []*accountRegion) []inventory.Server {
	byKey := map[regionKey]*accountRegion{}
	var all []inventory.Server
	for _, ar := range scanned {
		byKey[ar.regionKey] = ar
		all = slices.AppendSeq(all, maps.Values(ar.servers))
	}
	for _, ar := range scanned {
		for _, global := range ar.globals {
			if of := byKey[regionKey{global.Account, global.Region}]; of != nil {
				addCluster(&global, of.clusters[global.Cluster])
			}
			all = append(all, global)
		}
	}
	slices.SortStableFunc(all, byHost)
	return slices.CompactFunc(all, func(a, b inventory.Server) bool { return a.Host == b.Host })
}

func byHost(a, b inventory.Server) int { return strings.Compare(a.Host, b.Host) }

// addCluster fills in what a global writer has from its cluster.
func addCluster(global *inventory.Server, cluster inventory.Server) {
	global.Port, global.ResourceID, global.IAM = cluster.Port, cluster.ResourceID, cluster.IAM
	takeMaster(global, cluster)
}

// changes counts servers by what has become of them.
type changes struct{ added, gone, changed int }

// mergeServers returns the servers found and those known before, in the order of their hosts. One
// that wasn't found is gone if its account and region was read in full.
func mergeServers(old, found []inventory.Server, full map[regionKey]bool) (merged []inventory.Server, n changes) {
	before := make(map[string]inventory.Server, len(old)) // by host
	for _, s := range old {
		before[s.Host] = s
	}
	merged = make([]inventory.Server, 0, max(len(old), len(found)))
	for _, s := range found {
		if was, known := before[s.Host]; known {
			if s.Partial() && s.Cluster == was.Cluster && s.Region == was.Region {
				addCluster(&s, was)
			}
			if !same(s, was) {
				n.changed++
			}
			delete(before, s.Host)
		} else {
			n.added++
		}
		merged = append(merged, s)
	}
	for _, s := range before {
		if full[regionKey{s.Account, s.Region}] {
			n.gone++
		} else {
			merged = append(merged, s)
		}
	}
	slices.SortFunc(merged, byHost)
	return merged, n
}

// same reports whether a server is as it was, but for what depends on the profiles and the time.
func same(a, b inventory.Server) bool {
	for _, s := range []*inventory.Server{&a, &b} {
		s.Seen, s.Profile = time.Time{}, ""
		if s.Kind == server.GlobalWriter {
			s.HostID = ""
		}
	}
	return reflect.DeepEqual(a, b)
}

// assignProfiles sets each global writer's host id, that of its account and region, and each server
// without a host id the account's profile. The first of several accounts' records stands for them.
func assignProfiles(servers []inventory.Server, accounts []inventory.Account) {
	hostIDs := map[regionKey]string{}
	profiles := map[string]string{} // by account
	for _, a := range slices.Backward(accounts) {
		hostIDs[regionKey{a.Number, a.Region}] = a.HostID
		profiles[a.Number] = a.Profile
	}
	for i := range servers {
		s := &servers[i]
		if s.Kind == server.GlobalWriter {
			s.HostID = hostIDs[regionKey{s.Account, s.Region}]
		}
		if s.HostID == "" {
			s.Profile = profiles[s.Account]
		}
	}
}

// mergeAccounts returns the accounts that the inventory shall have: the old ones and those that
// were read, with the profiles that are known now.
func mergeAccounts(
	old []inventory.Account, scanned []*accountRegion, known knownProfiles, now time.Time,
) (merged []inventory.Account) {
	read := map[regionKey]*accountRegion{}
	for _, ar := range scanned {
		if ar.answered {
			read[ar.regionKey] = ar
		}
	}
	for _, a := range addHostIDs(old, scanned) {
		if ar := read[regionKey{a.Number, a.Region}]; ar != nil {
			a.Seen, a.Full = now, ar.full
		}
		profiles, why := known.of(a)
		if len(profiles) == 0 {
			continue // nobody reaches it any more
		}
		// Where nothing was learned, what was said before still holds.
		asBefore := known.callers[a.Number] == nil && slices.Equal(profiles, a.Profiles)
		if !asBefore || why == Assigned || a.Why == Assigned {
			a.Why = why
		}
		a.Profile, a.Profiles = profiles[0], profiles
		merged = append(merged, a)
	}
	slices.SortFunc(merged, func(a, b inventory.Account) int {
		return cmp.Or(strings.Compare(a.Number, b.Number), strings.Compare(a.Region, b.Region),
			strings.Compare(a.HostID, b.HostID))
	})
	return merged
}

// addHostIDs returns the old accounts and one for each host id that was read.
func addHostIDs(old []inventory.Account, scanned []*accountRegion) []inventory.Account {
	type key struct{ hostID, region string }
	all := map[key]inventory.Account{}
	for _, a := range old {
		all[key{a.HostID, a.Region}] = a
	}
	for _, ar := range scanned {
		for hostID := range ar.hostIDs {
			k := key{hostID, ar.region}
			a := all[k]
			if a.Number != ar.account { // it moved, or is new: nothing of the other account's holds
				a = inventory.Account{HostID: hostID, Region: ar.region}
			}
			a.Number, a.Partition = ar.account, ar.partition
			all[k] = a
		}
	}
	return slices.Collect(maps.Values(all))
}

// preferences returns what was decided for the accounts that were reached.
func preferences(accounts []inventory.Account, known knownProfiles) []Preference {
	list := []Preference{}
	for _, a := range accounts {
		if known.callers[a.Number] == nil {
			continue
		}
		i := slices.IndexFunc(list, func(p Preference) bool {
			return p.Account == a.Number && p.Profile == a.Profile && p.Why == a.Why
		})
		if i < 0 {
			i = len(list)
			list = append(list, Preference{Account: a.Number, Profile: a.Profile, Profiles: a.Profiles, Why: a.Why})
		}
		include(&list[i].Regions, a.Region)
	}
	return list
}
