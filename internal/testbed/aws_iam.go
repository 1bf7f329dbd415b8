package testbed

import (
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// A policy is what simulations say of a principal.
type policy struct {
	allowed []*regexp.Regexp
	forbids bool
}

// Simulation is what was asked of SimulatePrincipalPolicy.
type Simulation struct {
	Caller, Principal  string // ARNs
	Actions, Resources []string
}

// AllowConnect makes simulations of a user or role possible. They allow rds-db:connect to the
// resources, in which * stands for anything; to all, if none are named.
func (a *AWS) AllowConnect(principalARN string, resources ...string) {
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var p policy
	for _, r := range resources {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(r), `\*`, ".*")
		p.allowed = append(p.allowed, regexp.MustCompile("^"+pattern+"$"))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policies[principalARN] = p
}

// DenyConnect makes simulations of a user or role possible, and allows nothing.
func (a *AWS) DenyConnect(principalARN string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policies[principalARN] = policy{}
}

// ForbidConnect makes simulations of a user or role possible, and denies rds-db:connect by a policy
// that says so.
func (a *AWS) ForbidConnect(principalARN string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policies[principalARN] = policy{forbids: true}
}

// AddRole makes a role known to GetRole, with its path.
func (a *AWS) AddRole(roleARN string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roles[roleARN] = true
}

// Simulations are those that were asked for and permitted.
func (a *AWS) Simulations() []Simulation {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Simulation(nil), a.simulations...)
}

// iam denies whatever the test hasn't set.
func (a *AWS) iam(w io.Writer, operation string, form url.Values, caller Key) *failure {
	a.mu.Lock()
	defer a.mu.Unlock()
	denied := &failure{403, "AccessDenied", "User: " + caller.Owner + " is not authorized to perform: iam:" +
		operation +
		" on resource: " + form.Get("PolicySourceArn") + form.Get("RoleName")}
	x := xmlOut{w}
	switch operation {
	case "GetRole":
		for arn := range a.roles {
			path := strings.SplitN(arn, ":", 6)[5]
			path, name := path[strings.Index(path, "/"):strings.LastIndex(path, "/")+1], path[strings.LastIndex(path,
				"/")+1:]
			if name != form.Get("RoleName") || accountOf(arn) != accountOf(caller.Owner) {
				continue
			}
			x.root("GetRoleResponse", "iam")
			x.open("GetRoleResult", "Role")
			x.text("Path", path)
			x.text("RoleName", name)
			x.text("RoleId", "AROA")
			x.text("Arn", arn)
			x.text("CreateDate", "2026-01-01T00:00:00Z")
			x.close("Role", "GetRoleResult", "GetRoleResponse")
			return nil
		}
		return denied
	case "SimulatePrincipalPolicy":
		s := Simulation{
			Caller: caller.Owner, Principal: form.Get("PolicySourceArn"),
			Actions: members(form, "ActionNames"), Resources: members(form, "ResourceArns"),
		}
		if strings.Contains(s.Principal, ":assumed-role/") {
			return &failure{400, "InvalidInput", "Invalid Entity Arn: " + s.Principal +
				" does not clearly define entity type and name."}
		}
		p, known := a.policies[s.Principal]
		if !known {
			return denied
		}
		a.simulations = append(a.simulations, s)
		p.write(x, s)
		return nil
	}
	return &failure{400, "InvalidAction", operation}
}

// members is a list in a form: name.member.1 and so on.
func members(form url.Values, name string) (list []string) {
	for i := 1; form.Has(name + ".member." + strconv.Itoa(i)); i++ {
		list = append(list, form.Get(name+".member."+strconv.Itoa(i)))
	}
	return list
}

// write returns one result for each action and resource.
func (p policy) write(x xmlOut, s Simulation) {
	resources := s.Resources
	if len(resources) == 0 {
		resources = []string{"*"} // IAM API reference, "SimulatePrincipalPolicy"
	}
	x.root("SimulatePrincipalPolicyResponse", "iam")
	x.open("SimulatePrincipalPolicyResult", "EvaluationResults")
	for _, action := range s.Actions {
		for _, resource := range resources {
			decision := "implicitDeny"
			if p.forbids {
				decision = "explicitDeny"
			}
			for _, pattern := range p.allowed {
				if action == "rds-db:connect" && pattern.MatchString(resource) {
					decision = "allowed"
				}
			}
			x.open("member")
			x.text("EvalActionName", action)
			x.text("EvalResourceName", resource)
			x.text("EvalDecision", decision)
			x.close("member")
		}
	}
	x.close("EvaluationResults")
	x.flag("IsTruncated", false)
	x.close("SimulatePrincipalPolicyResult", "SimulatePrincipalPolicyResponse")
}
