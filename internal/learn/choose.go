// Which profiles are asked, and in which order.

package learn

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/discover"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
)

// target is a profile that may be asked.
type target struct {
	profile string
	region  string // where it is asked
	at      int    // in the answers
	account string // its number; "" while that isn't known
	needs   need
	// signer stands for what its credentials depend on: whoever changes the AWS files, or logs in as
	// somebody else, may be let in.
	signer string
	tried  [code + 1]bool // by what it needed then
	// through means that all is done with it that needs no person.
	through bool
	sight   *discover.Sight // what it has seen
	listed  bool            // some of the account's servers were asked for, whichever they are
	// provider is of the credentials that have seen it.
	provider *credentials.Provider
}

// need is what a person has to do before a profile can be asked.
type need int

const (
	nothing need = iota
	login        // log in to an SSO session
	code         // type an MFA code, and log in if need be
)

// group is the profiles of one account, in the order of preference, or one of an unknown account.
// One answer is enough.
type group struct {
	targets  []*target
	answered bool // guarded by asking.mu
	// doubtful is one profile whose account was another one than the server's, and may have changed. It
	// is asked when nobody else has the server; guarded by asking.mu.
	doubtful bool
}

// choose says which profiles are asked. Nothing is asked yet.
func (a *asking) choose() {
	for _, known := range a.known {
		if known.Region == a.Endpoint.Region {
			a.ids[known.Number] = known.HostID
		}
	}
	byAccount := map[string]*group{}
	for i, name := range a.Set.Names() {
		a.answers = append(a.answers, Answer{Profile: name})
		t := &target{profile: name, at: i}
		why, doubtful := a.prepare(t)
		if why != "" {
			a.answers[i].set(NoNeed, why, "")
			if doubtful {
				a.groups = append(a.groups, &group{targets: []*target{t}, doubtful: true})
			}
			continue
		}
		if t.region == "" {
			const why = "it names no region"
			a.answers[i].set(NotAsked, why, why)
			continue
		}
		g := byAccount[t.account]
		if g == nil || t.account == "" {
			g = &group{}
			byAccount[t.account] = g
			a.groups = append(a.groups, g)
		}
		g.targets = append(g.targets, t)
		if t.profile == a.Prefer {
			a.preferred = t
		}
	}
	for _, g := range a.groups {
		a.order(g)
	}
	a.chooseSigner()
	a.state = a.stateNow()
}

// chooseSigner has the one who signs where nobody knows better be asked first, unless another profile
// of its account is preferred to it.
func (a *asking) chooseSigner() {
	i := slices.IndexFunc(a.groups, func(g *group) bool { return g.targets[0].profile == a.Signer && !g.doubtful })
	if i < 0 {
		return
	}
	g := a.groups[i]
	a.groups = slices.Insert(slices.Delete(a.groups, i, i+1), 0, g)
	if g.targets[0].needs == nothing {
		a.signer = g.targets[0]
	}
}

// stateNow stands for what the answer depends on: a login or a code makes another one.
func (a *asking) stateNow() string {
	sum := stamp.NewSum()
	for _, g := range a.groups {
		for _, t := range g.targets {
			sum.Add(t.profile, t.signer, strconv.Itoa(int(t.needs)))
		}
	}
	return sum.String()
}

// prepare finds out what can be known of a profile without asking anybody. It returns why the
// profile needn't be asked, or "", and whether that may be so no longer.
func (a *asking) prepare(t *target) (why string, doubtful bool) {
	own, _ := a.Set.Profile(t.profile)
	t.region = cmp.Or(a.Endpoint.Region, a.Region, own.Get("region"))
	number, partition := a.Set.Account(t.profile)
	if partition != "" && partition != a.Endpoint.Partition {
		return "it is of the partition " + partition, false
	}
	p := a.provider(t, nothing)
	t.signer = fmt.Sprint(a.identity, stamp.Files(p.SignIns()...))
	kept, have := p.Kept()
	t.account = cmp.Or(number, kept.AccountID)
	switch {
	case have:
	case a.Set.AsksForCode(t.profile):
		t.needs = code
	case p.SessionOver():
		t.needs = login
	}
	before, asItWas := a.accountByInventory(t.profile)
	if asItWas {
		t.account = cmp.Or(t.account, before)
	}
	if t.account == "" {
		given := a.accountByConfiguration(t.profile)
		if why = a.otherID(cmp.Or(given, before), t.region); why != "" {
			return why, true
		}
		t.account = given
	}
	a.answers[t.at].Account = t.account
	return a.otherID(t.account, t.region), false
}

// otherID says that an account is known to have another id than the server, and so not the server,
// or returns "": RDS gives an account one id in a region.
func (a *asking) otherID(account, region string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.hasOtherID(account) {
		return ""
	}
	return fmt.Sprintf("its account, %s, has the id %s in %s", account, a.ids[account], region)
}

// hasOtherID reports whether an account is known to have another id than the server. The caller holds
// the lock.
func (a *asking) hasOtherID(account string) bool {
	id := a.ids[account]
	return id != "" && a.hostID() != "" && id != a.hostID()
}

// accountByInventory returns the account that a profile reached when it was last asked, or "", and
// whether that is still so: nobody has written other keys into the AWS files since. What a program
// gives may change without that.
func (a *asking) accountByInventory(profile string) (number string, asItWas bool) {
	var last inventory.Account
	for _, known := range a.known {
		if slices.Contains(known.Profiles, profile) && (last.Number == "" || known.Seen.After(last.Seen)) {
			last = known
		}
	}
	chain, _ := a.Set.Chain(profile) // what is there of it
	return last.Number, last.Seen.After(a.changed) && chain.Base.Kind != profiles.Process
}

// accountByConfiguration returns the account that the user has given a profile to, or "".
func (a *asking) accountByConfiguration(profile string) string {
	for number, assigned := range a.Assigned {
		if assigned == profile && server.IsAccountNumber(number) {
			return number
		}
	}
	return ""
}

// order sorts the profiles of an account by preference: the one that the user has given it to, the
// one of the environment, and then as discover does.
func (a *asking) order(g *group) {
	g.targets = discover.RolesFirst(g.targets, func(t *target) (name, base string) {
		return t.profile, a.Set.Base(t.profile)
	})
	rank := func(t *target) int {
		switch {
		case t.profile == a.Assigned[a.hostID()], t.profile == a.Assigned[t.account]:
			return 0
		case t.profile == a.Prefer:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(g.targets, func(s, t *target) int { return rank(s) - rank(t) })
}

// provider returns a profile's credentials, for which a person does what is needed.
func (a *asking) provider(t *target, needs need) *credentials.Provider {
	o := credentials.Options{
		Store: a.Store, Files: a.files, Client: a.client, Timeout: a.Limit, Log: a.Log,
	}
	if needs != nothing {
		o.Code, o.Login = a.Code, a.Login
	}
	return credentials.New(credentials.Source{Profile: t.profile, Region: t.region, User: a.User}, o)
}
