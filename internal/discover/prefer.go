package discover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"golang.org/x/sync/errgroup"

	"mysql-secret-store-rds/internal/inventory"
)

// verdict is IAM's answer to whether a profile may connect to the servers of an account.
type verdict int

const (
	unasked verdict = iota
	mayConnect
	mayNot
	notAllowed // to ask
	noAnswer
)

// candidate is a profile that reached an account this time.
type candidate struct {
	profile string
	verdict verdict
}

// ask asks IAM which profiles may connect, for the accounts that have several and where the user hasn't settled it.
// The result has a verdict for each profile that was asked.
func (r *run) ask(ctx context.Context, reached []*reach, pairs []*pair) map[string]verdict {
	read := map[string][]*pair{}
	for _, p := range pairs {
		if p.reading.some {
			read[p.account] = append(read[p.account], p)
		}
	}
	before := map[string][]inventory.Account{}
	for _, a := range r.previous() {
		before[a.Number] = append(before[a.Number], a)
	}
	var asked []*reach
	for _, group := range byAccount(reached) {
		account := group[0].account
		profiles := map[string]bool{}
		ids := map[string]bool{}
		for _, a := range group {
			profiles[a.profile.Name] = true
		}
		for _, a := range before[account] {
			ids[a.ID] = true
			for _, name := range a.Profiles {
				profiles[name] = true
			}
		}
		for _, p := range read[account] {
			for _, id := range p.reading.ids {
				ids[id] = true
			}
		}
		for id := range ids {
			if r.in.Settled[id] != "" {
				delete(ids, id)
			}
		}
		if len(profiles) > 1 && len(ids) > 0 {
			asked = append(asked, group...)
		}
	}
	answers := make([]verdict, len(asked))
	var mu sync.Mutex
	done := 0
	tell := func(more int) {
		mu.Lock()
		defer mu.Unlock()
		done += more
		r.progress(Progress{Done: done, Total: len(asked), What: "permissions"})
	}
	if len(asked) > 0 {
		tell(0)
	}
	var g errgroup.Group
	g.SetLimit(r.in.Parallel)
	for i, a := range asked {
		g.Go(func() error {
			inTime, cancel := context.WithTimeout(ctx, r.in.Timeout)
			defer cancel()
			answers[i] = simulate(inTime, a, resources(read[a.account], r.in.Users))
			tell(1)
			return nil
		})
	}
	_ = g.Wait() // nothing gives an error
	verdicts := map[string]verdict{}
	for i, a := range asked {
		verdicts[a.profile.Name] = answers[i]
	}
	return verdicts
}

// previous gives the accounts of the inventory, if it can be believed.
func (r *run) previous() []inventory.Account {
	inv, err := inventory.Open(r.in.Path)
	if err != nil {
		return nil // keep reports it
	}
	defer inv.Close()
	accounts, err := inv.Accounts()
	if err != nil {
		return nil
	}
	return accounts
}

// resources are what rds-db:connect may be allowed on: the users that were named on the servers that were found,
// any user on them, and anything.
func resources(pairs []*pair, users []string) []string {
	const most = 200 // more would only be slow
	var specific, all []string
	for _, p := range pairs {
		prefix := fmt.Sprintf("arn:%s:rds-db:%s:%s:dbuser:", p.partition, p.region, p.account)
		all = append(all, prefix+"*/*")
		for _, id := range p.reading.resources {
			for _, user := range append(users[:len(users):len(users)], "*") {
				specific = append(specific, prefix+id+"/"+user)
			}
		}
	}
	return append(specific[:min(len(specific), most)], all...)
}

// simulate asks IAM, with the profile's own credentials, whether it may connect to any of the resources.
func simulate(ctx context.Context, a *reach, resources []string) verdict {
	allowed, _, err := MayConnect(ctx, a.config, a.arn, resources...)
	switch {
	case allowed:
		return mayConnect
	case err == nil:
		return mayNot
	case isDenied(err):
		return notAllowed
	}
	return noAnswer
}

// MayConnect asks IAM whether the caller of that ARN, whose credentials cfg has, is allowed rds-db:connect on any of the
// resources. If not, forbidden says that something denies it, so that a policy which allows it would be of no use.
// Errors are the SDK's; often the caller may not ask.
func MayConnect(ctx context.Context, cfg aws.Config, caller string, resources ...string) (allowed, forbidden bool, err error) {
	client := iam.NewFromConfig(cfg, func(o *iam.Options) { o.Retryer = newRetryer() })
	for _, principal := range principals(ctx, client, caller, cfg.Region) {
		pages := iam.NewSimulatePrincipalPolicyPaginator(client, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: &principal, ActionNames: []string{"rds-db:connect"}, ResourceArns: resources, MaxItems: aws.Int32(1000),
		})
		for err = nil; pages.HasMorePages() && err == nil && !allowed; {
			var page *iam.SimulatePrincipalPolicyOutput
			if page, err = pages.NextPage(ctx); err == nil {
				allowed = slices.ContainsFunc(page.EvaluationResults, isAllowed)
				forbidden = forbidden || slices.ContainsFunc(page.EvaluationResults, isForbidden)
			}
		}
		if _, unknown := errors.AsType[*types.NoSuchEntityException](err); !unknown {
			break
		}
	}
	return allowed, forbidden && !allowed, err
}

// isAllowed looks into a result: with several resources, IAM answers for each.
func isAllowed(result types.EvaluationResult) bool {
	return result.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed || slices.ContainsFunc(result.ResourceSpecificResults,
		func(s types.ResourceSpecificResult) bool {
			return s.EvalResourceDecision == types.PolicyEvaluationDecisionTypeAllowed
		})
}

// isForbidden recognises a denial by a policy that says so, by the organization or by a permissions boundary.
func isForbidden(result types.EvaluationResult) bool {
	organization, boundary := result.OrganizationsDecisionDetail, result.PermissionsBoundaryDecisionDetail
	return result.EvalDecision == types.PolicyEvaluationDecisionTypeExplicitDeny ||
		organization != nil && !organization.AllowedByOrganizations || boundary != nil && !boundary.AllowedByPermissionsBoundary
}

// principals are the ARNs whose policies are a caller's: a user's own, and for a role in use (whose ARN lacks the role's
// path) the role's, or what it may be where IAM doesn't tell. The roles of IAM Identity Center have a path with the
// region of that, except in us-east-1: https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
func principals(ctx context.Context, client *iam.Client, caller, region string) []string {
	head, rest, ok := strings.Cut(caller, ":assumed-role/")
	if !ok {
		return []string{caller}
	}
	role, _, _ := strings.Cut(rest, "/")
	if out, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: &role}); err == nil && out.Role != nil {
		return []string{aws.ToString(out.Role.Arn)}
	}
	prefix := strings.Replace(head, ":sts:", ":iam:", 1) + ":role/"
	if strings.HasPrefix(role, "AWSReservedSSO_") {
		prefix += "aws-reserved/sso.amazonaws.com/"
		return []string{prefix + role, prefix + region + "/" + role}
	}
	return []string{prefix + role}
}

const settledWhy = "accounts: in the configuration"

// preferred orders the profiles of an account and says why the first is the first. reached are those that reached it this
// time, in the configuration's order; before is what the inventory says of others, the preferred one first, and gone those
// of them that AWS didn't take this time. With held, the preferred one stays in front of those IAM said nothing about.
func preferred(settled string, reached []candidate, before, gone []string, held bool) (profiles []string, why string) {
	var allowed, unknown, denied, others []string
	refused := true
	for _, c := range reached {
		switch c.verdict {
		case mayConnect:
			allowed = append(allowed, c.profile)
		case mayNot:
			denied = append(denied, c.profile)
		default:
			unknown = append(unknown, c.profile)
			refused = refused && c.verdict == notAllowed
		}
	}
	for _, name := range before {
		if !slices.ContainsFunc(reached, func(c candidate) bool { return c.profile == name }) && !slices.Contains(gone, name) {
			others = append(others, name)
		}
	}
	rest := slices.Concat(unknown, others)
	last := ""
	if len(before) > 0 && (held && slices.Contains(unknown, before[0]) || slices.Contains(others, before[0])) {
		last = before[0]
	}
	var lost []string // that are known, and were refused this time
	for _, name := range before {
		if slices.Contains(gone, name) {
			lost = append(lost, name)
		}
	}
	profiles = unique(slices.Concat([]string{settled}, allowed, []string{last}, rest, denied, lost))
	if settled != "" {
		return profiles, settledWhy
	}
	first := func(of []string) string { return "first of " + Names(of) + " in the AWS configuration; " }
	const simulation = "iam:SimulatePrincipalPolicy"
	switch {
	case len(profiles) == 0:
	case len(allowed) > 0:
		why = fmt.Sprintf("%s may connect (%s)", allowed[0], simulation)
	case last != "":
		why = "as before: this time nothing was learned about it"
	case len(profiles) == 1:
		why = "the only profile for it"
	case len(lost) > 0 && len(rest)+len(denied) == 1:
		why = "the only profile for it that AWS took this time"
	case len(rest)+len(denied) == 0:
		why = "AWS took none of them this time"
	case len(rest) == 0:
		why = first(denied) + "none of them may connect (" + simulation + ")"
	case len(denied) > 0:
		why = first(rest) + Names(denied) + " may not connect (" + simulation + ")"
	case refused:
		why = first(rest) + simulation + " is not allowed"
	default:
		why = first(rest) + simulation + " gave no answer"
	}
	return profiles, why
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
func unique(list []string) []string {
	var once []string
	for _, s := range list {
		if s != "" && !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}
