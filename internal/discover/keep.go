package discover

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// patience is how long it waits for another discover that is writing.
const patience = 30 * time.Second

// keep merges what was read into the inventory as it is now: another discover may have written it meanwhile.
func (r *run) keep(ctx context.Context, pairs []*pair, reached []*reach, verdicts map[string]verdict) error {
	found := collect(pairs)
	for _, p := range pairs {
		if p.reading.some {
			r.report.Regions++
			r.report.Found = r.report.Found || len(p.reading.ids) > 0 || len(p.reading.servers) > 0
		}
		if p.reading.full {
			r.report.Full++
		}
	}
	r.report.Servers = len(found)
	known := profiles{
		settled: r.in.Settled, configured: r.in.Configured, interrupted: r.report.Interrupted,
		reached: map[string][]candidate{}, account: map[string]string{}, refused: r.refused,
	}
	for _, a := range reached {
		known.account[a.profile.Name] = a.account
		known.reached[a.account] = append(known.reached[a.account], candidate{a.profile.Name, verdicts[a.profile.Name]})
	}

	if !r.in.DryRun && r.report.Regions > 0 {
		// What was found is kept even after the context's end.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		unlock, err := inventory.Lock(ctx, r.in.Path)
		if err != nil {
			return err
		}
		defer unlock()
	}
	old, err := inventory.Open(r.in.Path)
	var untrusted *inventory.UntrustedError
	if !errors.As(err, &untrusted) {
		err = r.merge(old, pairs, found, known)
	}
	if errors.As(err, &untrusted) {
		r.problems.add("", "", "", "", untrusted.Error()+": taken as empty", "", "")
		err = r.merge(nil, pairs, found, known)
	}
	return err
}

// merge writes the inventory anew from what was found and the old one, which may be nil and is closed.
func (r *run) merge(old *inventory.Inventory, pairs []*pair, found []packed, known profiles) error {
	var accounts []inventory.Account
	servers := func(func(inventory.Server, error) bool) {}
	if old != nil {
		defer old.Close()
		var err error
		if accounts, err = old.Accounts(); err != nil {
			return err
		}
		servers = func(yield func(inventory.Server, error) bool) {
			old.Servers()(yield)
			_ = old.Close() // on Windows a file that is open can't be replaced
		}
	}
	accounts = mergeAccounts(accounts, pairs, known, r.in.Now)
	m := merging{accounts: index(accounts), full: map[string]bool{}}
	read := map[string]bool{}
	for _, p := range pairs {
		if p.reading.some {
			read[p.account] = true
		}
		if p.reading.full {
			m.full[place(p.account, p.region)] = true
		}
	}
	all := m.servers(servers, found)
	var err error
	if r.in.DryRun || r.report.Regions == 0 {
		for _, e := range all {
			err = errors.Join(err, e)
		}
	} else {
		err = inventory.Write(r.in.Path, accounts, all)
		r.report.Written = err == nil
	}
	if err != nil {
		return err
	}
	r.report.Accounts = len(read)
	r.report.Known, r.report.New, r.report.Gone, r.report.Changed = m.known, m.new, m.gone, m.changed
	r.report.Preferred = preferences(accounts, known)
	return nil
}

// place names an account in a region.
func place(account, region string) string { return account + " " + region }

// collect gives all servers that were found in the order of their hosts, each once.
func collect(pairs []*pair) []packed {
	byPlace := map[string]*pair{}
	var all []packed
	for _, p := range pairs {
		byPlace[place(p.account, p.region)] = p
		all = append(all, p.reading.servers...)
	}
	for _, p := range pairs {
		for _, g := range p.reading.globals {
			if writer := byPlace[place(g.Account, g.Region)]; writer != nil {
				writer.complete(&g)
			}
			all = append(all, pack(g))
		}
	}
	slices.SortStableFunc(all, func(a, b packed) int { return strings.Compare(a.host, b.host) })
	return slices.CompactFunc(all, func(a, b packed) bool { return a.host == b.host })
}

// complete gives a global writer what its writer's cluster has.
func (p *pair) complete(g *inventory.Server) {
	for _, one := range p.reading.servers {
		s, err := unpack(one)
		if err == nil && s.Kind == server.Writer && s.Cluster == g.Cluster {
			inherit(g, s)
			return
		}
	}
}

func inherit(g *inventory.Server, s inventory.Server) {
	g.Port, g.ResourceID, g.IAM, g.MasterUser, g.MasterSecretARN = s.Port, s.ResourceID, s.IAM, s.MasterUser, s.MasterSecretARN
}

// profiles is what is known of the profiles.
type profiles struct {
	settled     map[string]string      // by id
	configured  []string               // all there are; nil: unknown
	reached     map[string][]candidate // by account
	account     map[string]string      // that a profile reached
	refused     []string               // that AWS didn't take
	interrupted bool
}

// of orders the profiles of an account in a region. before are those that the inventory has for it.
func (k profiles) of(id, account string, before []string) (profiles []string, why string) {
	before = slices.DeleteFunc(slices.Clone(before), func(name string) bool {
		now, known := k.account[name]
		return known && now != account || k.configured != nil && !slices.Contains(k.configured, name)
	})
	return preferred(k.settled[id], k.reached[account], before, k.refused, k.interrupted)
}

// mergeAccounts gives the accounts that the inventory shall have: the old ones and those that were read, with the
// profiles that are known now.
func mergeAccounts(old []inventory.Account, pairs []*pair, known profiles, now time.Time) []inventory.Account {
	type key struct{ id, region string }
	all := map[key]inventory.Account{}
	for _, a := range old {
		all[key{a.ID, a.Region}] = a
	}
	// The ids of each account and region, those included that it has from before.
	for _, p := range pairs {
		if !p.reading.some {
			continue
		}
		for _, id := range p.reading.ids {
			k := key{id, p.region}
			a := all[k]
			if a.Number != p.account {
				a = inventory.Account{ID: id, Region: p.region} // an id that moved: nothing of the other account's holds
			}
			a.Number, a.Partition = p.account, p.partition
			all[k] = a
		}
	}
	read := map[string]*pair{}
	for _, p := range pairs {
		if p.reading.some {
			read[place(p.account, p.region)] = p
		}
	}
	var merged []inventory.Account
	for _, a := range all {
		if p := read[place(a.Number, a.Region)]; p != nil {
			a.Seen, a.Full = now, p.reading.full
		}
		profiles, why := known.of(a.ID, a.Number, a.Profiles)
		if len(profiles) == 0 {
			continue // nobody reaches it any more
		}
		// Where nothing was learned, what was said before still holds.
		if known.reached[a.Number] == nil && why != settledWhy && a.Why != settledWhy && slices.Equal(profiles, a.Profiles) {
			why = a.Why
		}
		a.Profile, a.Profiles, a.Why = profiles[0], profiles, why
		merged = append(merged, a)
	}
	slices.SortFunc(merged, func(a, b inventory.Account) int {
		return cmp.Or(strings.Compare(a.Number, b.Number), strings.Compare(a.Region, b.Region), strings.Compare(a.ID, b.ID))
	})
	return merged
}

// index finds accounts by number and region; the first of several ids stands for them.
func index(accounts []inventory.Account) map[string]inventory.Account {
	m := map[string]inventory.Account{}
	for _, a := range slices.Backward(accounts) {
		m[place(a.Number, a.Region)] = a
		m[a.Number] = a
	}
	return m
}

// merging merges servers, and counts.
type merging struct {
	accounts map[string]inventory.Account
	full     map[string]bool // places that were read in full

	known, new, gone, changed int
}

// servers merges the old servers with those found, both in the order of hosts. An old one that wasn't found is
// dropped if its account and region was read in full.
func (m *merging) servers(old iter.Seq2[inventory.Server, error], found []packed) iter.Seq2[inventory.Server, error] {
	return func(yield func(inventory.Server, error) bool) {
		m.known, m.new, m.gone, m.changed = 0, 0, 0, 0
		found := found
		give := func(s inventory.Server) bool {
			m.known++
			if s.Kind == server.GlobalWriter {
				s.ID = m.accounts[place(s.Account, s.Region)].ID
			}
			if s.ID == "" {
				s.Profile = m.accounts[s.Account].Profile
			}
			return yield(s, nil)
		}
		fresh := func(p packed, before *inventory.Server) bool {
			s, err := unpack(p)
			if err != nil {
				return yield(s, err)
			}
			switch {
			case before == nil:
				m.new++
			default:
				if s.Kind == server.GlobalWriter && s.ResourceID == "" && s.Cluster == before.Cluster && s.Region == before.Region {
					inherit(&s, *before)
				}
				if !same(s, *before) {
					m.changed++
				}
			}
			return give(s)
		}
		for s, err := range old {
			if err != nil {
				yield(s, err)
				return
			}
			for len(found) > 0 && found[0].host < s.Host {
				if !fresh(found[0], nil) {
					return
				}
				found = found[1:]
			}
			switch {
			case len(found) > 0 && found[0].host == s.Host:
				if !fresh(found[0], &s) {
					return
				}
				found = found[1:]
			case m.full[place(s.Account, s.Region)]:
				m.gone++
			case !give(s):
				return
			}
		}
		for _, p := range found {
			if !fresh(p, nil) {
				return
			}
		}
	}
}

// same says whether a server is as it was, but for what depends on the profiles and the time.
func same(a, b inventory.Server) bool {
	for _, s := range []*inventory.Server{&a, &b} {
		s.Seen, s.Profile = time.Time{}, ""
		if s.Kind == server.GlobalWriter {
			s.ID = ""
		}
	}
	return reflect.DeepEqual(a, b)
}

// preferences says what was decided for the accounts that were reached.
func preferences(accounts []inventory.Account, known profiles) []Preference {
	list := []Preference{}
	for _, a := range accounts {
		if known.reached[a.Number] == nil {
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
