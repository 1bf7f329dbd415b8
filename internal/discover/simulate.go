// What IAM says about who may connect.

package discover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"golang.org/x/sync/errgroup"

	"mysql-secret-store-rds/internal/inventory"
)

// decision is IAM's answer to whether a profile may connect to the servers of an account.
type decision int

const (
	notAsked decision = iota
	mayConnect
	mayNotConnect
	mayNotAsk
	noAnswer
)

// simulateAll asks IAM which profiles may connect, where that decides which one is preferred. The
// result has a decision for each profile that was asked about.
func (r *run) simulateAll(ctx context.Context, callers []*caller, scanned []*accountRegion) map[string]decision {
	read := map[string][]*accountRegion{} // by account
	for _, ar := range scanned {
		if ar.answered {
			read[ar.account] = append(read[ar.account], ar)
		}
	}
	asked := r.competing(callers, scanned)
	decisions := map[string]decision{}
	update := func(note func()) {
		r.mu.Lock()
		defer r.mu.Unlock()
		note()
		r.progress(Progress{Done: len(decisions), Total: len(asked), What: "permissions"})
	}
	if len(asked) > 0 {
		update(func() {})
	}
	var g errgroup.Group
	g.SetLimit(r.in.Parallel)
	for _, c := range asked {
		g.Go(func() error {
			inTime, cancel := context.WithTimeout(ctx, r.in.Timeout)
			defer cancel()
			d := simulate(inTime, c, resources(read[c.account], r.in.Users))
			update(func() { decisions[c.profile] = d })
			return nil
		})
	}
	_ = g.Wait() // nothing returns an error
	return decisions
}

// competing returns the callers of accounts that several profiles are known for, unless the user
// has assigned one to all host ids of the account.
func (r *run) competing(callers []*caller, scanned []*accountRegion) []*caller {
	profiles := map[string][]string{} // by account
	unassigned := map[string]bool{}   // accounts with a host id that has no profile assigned
	for _, c := range callers {
		profiles[c.account] = append(profiles[c.account], c.profile)
	}
	for _, ar := range scanned {
		for hostID := range ar.hostIDs {
			unassigned[ar.account] = unassigned[ar.account] || r.in.Assigned[hostID] == ""
		}
	}
	for _, a := range previousAccounts(r.in.Path) {
		profiles[a.Number] = append(profiles[a.Number], a.Profiles...)
		unassigned[a.Number] = unassigned[a.Number] || r.in.Assigned[a.HostID] == ""
	}
	return slices.DeleteFunc(slices.Clone(callers), func(c *caller) bool {
		other := slices.ContainsFunc(profiles[c.account], func(name string) bool { return name != c.profile })
		return !other || !unassigned[c.account]
	})
}

// previousAccounts returns the accounts of the inventory, if it can be read; save reports if not.
func previousAccounts(path string) []inventory.Account {
	inv, err := inventory.Open(path)
	if err != nil {
		return nil
	}
	defer inv.Close()
	accounts, _ := inv.Accounts() // none with an error
	return accounts
}

// maxIDs is how many resource ids of one account and region IAM is asked about. One is enough as a
// rule: policies name all, or none, or those with a common beginning.
const maxIDs = 20

// resources returns what rds-db:connect may be allowed on: the users that were named on the servers
// that were found, any user on them, and anything.
func resources(read []*accountRegion, users []string) []string {
	const most = 200 // more would only be slow
	users = append(slices.Clone(users), "*")
	var specific, all []string
	for _, ar := range read {
		prefix := fmt.Sprintf("arn:%s:rds-db:%s:%s:dbuser:", ar.partition, ar.region, ar.account)
		all = append(all, prefix+"*/*")
		for _, id := range ar.resourceIDs() {
			for _, user := range users {
				specific = append(specific, prefix+id+"/"+user)
			}
		}
	}
	return append(specific[:min(len(specific), most)], all...)
}

// resourceIDs returns resource ids of servers that have IAM authentication on, sorted.
func (l *listing) resourceIDs() (ids []string) {
	for _, s := range slices.SortedFunc(maps.Values(l.servers), byHost) {
		if s.IAM && s.ResourceID != "" && len(ids) < maxIDs {
			include(&ids, s.ResourceID)
		}
	}
	return ids
}

// simulate asks IAM, with the caller's own credentials, whether it may connect to any of the
// resources.
func simulate(ctx context.Context, c *caller, resources []string) decision {
	allowed, _, err := MayConnect(ctx, c.config, c.arn, resources...)
	switch {
	case allowed:
		return mayConnect
	case err == nil:
		return mayNotConnect
	case isDenied(err):
		return mayNotAsk
	}
	return noAnswer
}

// MayConnect asks IAM whether the caller of that ARN, whose credentials cfg has, is allowed
// rds-db:connect on any of the resources. If not, forbidden reports whether something denies it, so
// that a policy which allows it would be of no use. Errors are the SDK's; often the caller may not
// ask.
func MayConnect(
	ctx context.Context, cfg aws.Config, caller string, resources ...string,
) (allowed, forbidden bool, err error) {
	client := iam.NewFromConfig(cfg, func(o *iam.Options) { o.Retryer = newRetryer() })
	for _, principal := range principals(ctx, client, caller, cfg.Region) {
		pages := iam.NewSimulatePrincipalPolicyPaginator(client, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: &principal, ActionNames: []string{"rds-db:connect"}, ResourceArns: resources,
			MaxItems: aws.Int32(1000),
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

// isAllowed reports whether a result allows anything: with several resources, IAM answers for each.
func isAllowed(result types.EvaluationResult) bool {
	const allowed = types.PolicyEvaluationDecisionTypeAllowed
	return result.EvalDecision == allowed || slices.ContainsFunc(result.ResourceSpecificResults,
		func(s types.ResourceSpecificResult) bool { return s.EvalResourceDecision == allowed })
}

// isForbidden reports whether a policy, the organization or a permissions boundary says no.
func isForbidden(result types.EvaluationResult) bool {
	organization, boundary := result.OrganizationsDecisionDetail, result.PermissionsBoundaryDecisionDetail
	return result.EvalDecision == types.PolicyEvaluationDecisionTypeExplicitDeny ||
		organization != nil && !organization.AllowedByOrganizations ||
		boundary != nil && !boundary.AllowedByPermissionsBoundary
}

// principals returns the ARNs whose policies are a caller's: a user's own, and for a role in use
// (whose ARN lacks the role's path) the role's, or what it may be where IAM doesn't tell. The roles
// of IAM Identity Center have a path with the region of that, except in us-east-1:
// https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
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
