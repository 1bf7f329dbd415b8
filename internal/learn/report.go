package learn

import (
	"fmt"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/discover"
	"mysql-secret-store-rds/internal/inventory"
)

// Report is who was asked, and what they said.
type Report struct {
	Found   bool
	Server  inventory.Server  // zero when only the account's id was found
	Account inventory.Account // with the profile that was found; of a global writer perhaps without a host id
	Answers []Answer          // of each profile in the order of the AWS files; none if another process asked
	line    string            // instead of the answers
}

// Answer is what a profile said.
type Answer struct {
	Profile string
	Account string // its number, if that is known
	Said    Said
	Why     string // in words; "" when there is nothing to add
	reason  string // Why in short, the same for all that have it

	failure   error // why there are no credentials
	elsewhere bool  // its account is known to have another id than the server
}

// Said is what a profile said, or why it was not asked.
type Said int

const (
	NotAsked Said = iota // it couldn't be asked
	NoNeed               // it isn't the one, or another one's answer is as good
	Refused              // AWS won't take it, or doesn't allow the question
	HasNot
	HasIt
)

// String is the answer in words.
func (s Said) String() string {
	switch s {
	case NotAsked:
		return "couldn't be asked"
	case NoNeed:
		return "not asked"
	case Refused:
		return "refused"
	case HasNot:
		return "doesn't have it"
	case HasIt:
		return "has it"
	}
	return "unknown"
}

// Excludes reports whether a profile's account is known not to have the server, so that a token that
// the profile signs would be refused.
func (r Report) Excludes(profile string) bool {
	return slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.Profile == profile && a.elsewhere })
}

// Failure returns why a profile's credentials couldn't be had, an error of package credentials; or nil,
// if they could, if nobody tried, or if a person or more time may help.
func (r Report) Failure(profile string) error {
	for _, a := range r.Answers {
		if a.Profile == profile {
			return a.failure
		}
	}
	return nil
}

// Alone reports whether a profile is the only one that was asked.
func (r Report) Alone(profile string) bool {
	return !slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.Profile != profile && a.Said != NoNeed })
}

// Line says in one line how many were asked, who was refused and who couldn't be asked.
func (r Report) Line() string {
	if r.line != "" {
		return r.line
	}
	asked := 0
	for _, a := range r.Answers {
		if a.Said >= Refused {
			asked++
		}
	}
	refused, not := r.reasons(Refused), r.reasons(NotAsked)
	line := "asked " + advice.Count(asked, "profile")
	switch {
	case len(r.Answers) == 0:
		return "there is no AWS profile to ask"
	case asked == 0 && not == "":
		return "no AWS profile was asked, as all of them are of other accounts"
	case asked == 0:
		line = "no AWS profile could be asked"
	}
	if refused != "" {
		line += "; refused: " + refused
	}
	if not != "" {
		line += "; not asked: " + not
	}
	return line
}

// maxReasons is how many reasons stand in a line.
const maxReasons = 4

// reasons lists the profiles that gave an answer, by their reasons.
func (r Report) reasons(said Said) string {
	names := map[string][]string{}
	var order []string
	for _, a := range r.Answers {
		if a.Said != said {
			continue
		}
		if names[a.reason] == nil {
			order = append(order, a.reason)
		}
		names[a.reason] = append(names[a.reason], a.Profile)
	}
	var parts []string
	for i, reason := range order {
		if i == maxReasons {
			others := 0
			for _, reason := range order[i:] {
				others += len(names[reason])
			}
			parts = append(parts, fmt.Sprintf("%d more for other reasons", others))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", discover.Names(names[reason]), reason))
	}
	return strings.Join(parts, ", ")
}
