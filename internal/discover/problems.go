// What couldn't be read, in the words of the report, and what AWS's error codes mean.

package discover

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// problems are collected from all goroutines.
type problems struct {
	list     []Problem
	index    map[problemKey]int // in list
	sessions map[string]Session // that are over, by profile
	refused  []string           // profiles that AWS doesn't take
}

// problemKey is what makes two problems one, of several regions or operations.
type problemKey struct{ profile, account, cause string }

// addProblem notes a problem. Without a cause, its text is the cause.
func (r *run) addProblem(problem Problem, cause string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems.add(problem, cause)
}

func (p *problems) add(problem Problem, cause string) {
	key := problemKey{problem.Profile, problem.Account, cmp.Or(cause, problem.Text)}
	i, known := p.index[key]
	if !known {
		p.index[key] = len(p.list)
		p.list = append(p.list, problem)
		return
	}
	for _, region := range problem.Regions {
		include(&p.list[i].Regions, region)
	}
	for _, operation := range problem.Operations {
		include(&p.list[i].Operations, operation)
	}
}

// include adds a word to a sorted list that doesn't have it.
func include(list *[]string, word string) {
	if i, ok := slices.BinarySearch(*list, word); !ok {
		*list = slices.Insert(*list, i, word)
	}
}

// sorted returns the problems in the order of the profiles, those of no profile first, and those of
// several profiles of a session as one.
func (p *problems) sorted(in Input) []Problem {
	order := map[string]int{}
	for i, profile := range in.Profiles {
		order[profile.Name] = i + 1
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(order[a.Profile], order[b.Profile]), cmp.Compare(a.Account, b.Account),
			cmp.Compare(a.Text, b.Text))
	})
	joined := make([]Problem, 0, len(p.list))
	first := map[string]int{} // in joined, by session
	for _, one := range p.list {
		s, of := p.sessions[one.Profile]
		at, known := first[s.Key]
		if of && known {
			joined[at].join(one.Profile, p.sessions[joined[at].Profile])
			continue
		}
		if of {
			first[s.Key] = len(joined)
		}
		joined = append(joined, one)
	}
	return joined
}

// join makes a problem of one profile that of its session s, which another profile has, too.
func (p *Problem) join(profile string, s Session) {
	if p.Profiles == nil {
		*p = Problem{Profiles: []string{p.Profile}, Text: s.Text, Run: s.Run}
	}
	if !slices.Contains(p.Profiles, profile) {
		p.Profiles = append(p.Profiles, profile)
	}
}

// addError notes an error of AWS as a problem, with its words, unless it comes of the interruption.
func (r *run) addError(ctx context.Context, problem Problem, err error) {
	if ctx.Err() != nil {
		return
	}
	d := r.deps.Describe(problem.Profile, err)
	problem.Text, problem.Run = d.Text, d.Run
	r.mu.Lock()
	defer r.mu.Unlock()
	if d.Session != nil {
		r.problems.sessions[problem.Profile] = *d.Session
	}
	if problem.Account == "" && d.Refused {
		r.problems.refused = append(r.problems.refused, problem.Profile)
	}
	r.problems.add(problem, code(err))
}

// code returns the code of an error that AWS answered, or "".
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// isDenied reports whether AWS knows the caller and doesn't permit the call.
func isDenied(err error) bool {
	c := code(err)
	return strings.HasPrefix(c, "AccessDenied") || c == "UnauthorizedOperation" || c == "NotAuthorized"
}

// isDisabled reports whether a region may be disabled for the account. Such a region doesn't know
// the account's credentials; only STS and EC2 have words for it.
func isDisabled(err error) bool {
	return slices.Contains([]string{"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure",
		"OptInRequired", "RegionDisabledException"}, code(err))
}

// isNotFound reports whether there is nothing of the name that was asked for.
func isNotFound(err error) bool {
	return slices.Contains([]string{"DBInstanceNotFound", "DBClusterNotFoundFault", "DBClusterEndpointNotFoundFault",
		"DBProxyNotFoundFault", "DBProxyEndpointNotFoundFault", "GlobalClusterNotFoundFault"}, code(err))
}

// isNotOffered reports whether a region doesn't have the operation: there is nothing to read then.
// The second form is what RDS says of global clusters where it has none.
func isNotOffered(err error) bool {
	c := code(err)
	return c == "InvalidAction" || c == "InvalidParameterValue" &&
		strings.Contains(strings.ToLower(err.Error()), "access denied to api version")
}

// isFatal reports whether other operations would fail the same way: credentials that aren't taken
// in this region or any more, throttling, no answer at all.
func isFatal(err error) bool {
	c := code(err)
	return isDisabled(err) || strings.HasPrefix(c, "Throttling") || slices.Contains([]string{"", "ExpiredToken",
		"ExpiredTokenException", "RequestExpired", "SignatureDoesNotMatch", "RequestLimitExceeded"}, c)
}
