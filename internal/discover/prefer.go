// Which of the profiles that reach an account is preferred, and why.

package discover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/inventory"
)

// knownProfiles is what is known of the profiles after a scan.
type knownProfiles struct {
	assigned    map[string]string      // by host id or account number: the user's word
	configured  []string               // all there are; nil: unknown
	callers     map[string][]candidate // by account, in the order of preference
	account     map[string]string      // that a profile reached
	refused     []string               // that AWS didn't take
	interrupted bool
}

// candidate is a profile that reached an account this time.
type candidate struct {
	profile  string
	decision decision
	base     string // the profile that it assumes a role with, or ""
}

func (r *run) knownProfiles(callers []*caller, decisions map[string]decision) knownProfiles {
	known := knownProfiles{
		assigned: r.in.Assigned, configured: r.in.Configured, refused: r.problems.refused, interrupted: r.report.Interrupted,
		callers: map[string][]candidate{}, account: map[string]string{},
	}
	for _, c := range callers {
		known.account[c.profile] = c.account
		known.callers[c.account] = append(known.callers[c.account], candidate{c.profile, decisions[c.profile], c.base})
	}
	for account, list := range known.callers {
		known.callers[account] = rolesFirst(list)
	}
	return known
}

func rolesFirst(list []candidate) []candidate {
	return RolesFirst(list, func(c candidate) (name, base string) { return c.profile, c.base })
}

// RolesFirst puts the profiles that assume a role before the one that they are built on, their
// base: whoever wrote both into the AWS configuration uses the former. Otherwise the order stays.
func RolesFirst[T any](list []T, of func(T) (name, base string)) []T {
	bases := map[string]bool{}
	for _, c := range list {
		_, base := of(c)
		bases[base] = true
	}
	var ordered, last []T
	for _, c := range list {
		if name, _ := of(c); bases[name] {
			last = append(last, c)
		} else {
			ordered = append(ordered, c)
		}
	}
	return append(ordered, last...)
}

// of returns the profiles of an account in a region, the preferred one first.
func (k knownProfiles) of(a inventory.Account) (profiles []string, why string) {
	before := slices.DeleteFunc(slices.Clone(a.Profiles), func(name string) bool {
		account, reached := k.account[name]
		return reached && account != a.Number || k.configured != nil && !slices.Contains(k.configured, name)
	})
	assigned := cmp.Or(k.assigned[a.HostID], k.assigned[a.Number])
	return preferred(assigned, k.callers[a.Number], before, k.refused, k.interrupted)
}

// Assigned is the reason for a profile that the user's configuration assigns to an account.
const Assigned = "accounts: in the configuration"

// preferred orders the profiles of an account, and says why the first is the first. candidates are
// in the configuration's order. before is what the inventory says, the preferred one first. refused
// are profiles that AWS didn't take this time.
func preferred(
	assigned string, candidates []candidate, before, refused []string, interrupted bool,
) (profiles []string, why string) {
	g := group(candidates, before, refused, interrupted)
	profiles = unique(slices.Concat([]string{assigned}, g.allowed, []string{g.kept}, g.undecided, g.denied, g.refused))
	switch {
	case len(profiles) == 0:
		return nil, ""
	case assigned != "":
		return profiles, Assigned
	}
	return profiles, g.why(len(profiles))
}

// groups are the profiles of an account in the order of preference.
type groups struct {
	allowed   []string // IAM says that they may connect
	kept      string   // the preferred one so far, of which nothing new was learned; or ""
	undecided []string // IAM said nothing about them, or they weren't reached
	denied    []string // IAM says that they may not connect
	refused   []string // AWS didn't take them

	base      map[string]string // see candidate
	mayNotAsk bool              // the reason for which IAM said nothing
}

func group(candidates []candidate, before, refused []string, interrupted bool) groups {
	g := groups{mayNotAsk: true, base: map[string]string{}}
	reached := map[string]bool{}
	for _, c := range candidates {
		reached[c.profile], g.base[c.profile] = true, c.base
		switch c.decision {
		case mayConnect:
			g.allowed = append(g.allowed, c.profile)
		case mayNotConnect:
			g.denied = append(g.denied, c.profile)
		default:
			g.undecided = append(g.undecided, c.profile)
			g.mayNotAsk = g.mayNotAsk && c.decision == mayNotAsk
		}
	}
	for _, name := range before {
		switch {
		case slices.Contains(refused, name):
			g.refused = append(g.refused, name)
		case !reached[name]:
			g.undecided = append(g.undecided, name)
		}
	}
	if len(before) > 0 && slices.Contains(g.undecided, before[0]) && (interrupted || !reached[before[0]]) {
		g.kept = before[0]
	}
	return g
}

func (g groups) why(profiles int) string {
	const simulation = "iam:SimulatePrincipalPolicy"
	first := func(of []string) string {
		if base := g.base[of[0]]; base != "" && slices.Contains(of, base) {
			return fmt.Sprintf("%s assumes a role with the credentials of %s; ", of[0], base)
		}
		return "first of " + Names(of) + " in the AWS configuration; "
	}
	switch taken := len(g.undecided) + len(g.denied); {
	case len(g.allowed) > 0:
		return fmt.Sprintf("%s may connect (%s)", g.allowed[0], simulation)
	case g.kept != "":
		return "as before: this time nothing was learned about it"
	case profiles == 1:
		return "the only profile for it"
	case len(g.refused) > 0 && taken == 1:
		return "the only profile for it that AWS took this time"
	case taken == 0:
		return "AWS took none of them this time"
	case len(g.undecided) == 0:
		return first(g.denied) + "none of them may connect (" + simulation + ")"
	case len(g.denied) > 0:
		return first(g.undecided) + Names(g.denied) + " may not connect (" + simulation + ")"
	case g.mayNotAsk:
		return first(g.undecided) + simulation + " is not allowed"
	}
	return first(g.undecided) + simulation + " gave no answer"
}

// Names lists a few names, and counts the others.
func Names(list []string) string {
	const most = 6
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most-1], ", "), len(list)-most+1)
}

// unique drops what is empty or comes a second time.
func unique(list []string) (once []string) {
	for _, s := range list {
		if s != "" && !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}
