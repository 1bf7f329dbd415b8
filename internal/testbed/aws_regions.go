package testbed

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Region is a region as an account sees it.
type Region struct {
	Name  string
	OptIn string // in EC2's words: opt-in-not-required, opted-in or not-opted-in
}

// SetRegions says which regions there are for an account. Until then, it may not ask. The
// services of a region that is not-opted-in don't know the account's keys.
func (a *AWS) SetRegions(account string, regions ...Region) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.regions[account] = regions
}

func (a *AWS) regionsOf(account string) (list []Region, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list, known = a.regions[account]
	return list, known
}

func (a *AWS) disabled(at place) bool {
	list, _ := a.regionsOf(at.account)
	return slices.Contains(list, Region{at.region, "not-opted-in"})
}

// ec2 knows DescribeRegions (EC2 API reference): without AllRegions, those that are enabled.
func (a *AWS) ec2(w io.Writer, operation string, form url.Values, at place) *failure {
	if operation != "DescribeRegions" {
		return &failure{400, "InvalidAction", "The action " + operation + " is not valid for this web service."}
	}
	list, known := a.regionsOf(at.account)
	if !known {
		return &failure{403, "UnauthorizedOperation", "You are not authorized to perform this operation."}
	}
	for i := 1; form.Has(fmt.Sprintf("Filter.%d.Name", i)); i++ {
		if name := form.Get(fmt.Sprintf("Filter.%d.Name", i)); name != "opt-in-status" {
			return &failure{400, "InvalidParameterValue", "The filter '" + name + "' is invalid"}
		}
		var values []string
		for j := 1; form.Has(fmt.Sprintf("Filter.%d.Value.%d", i, j)); j++ {
			values = append(values, form.Get(fmt.Sprintf("Filter.%d.Value.%d", i, j)))
		}
		list = slices.DeleteFunc(slices.Clone(list), func(r Region) bool { return !slices.Contains(values, r.OptIn) })
	}
	x := xmlOut{w}
	x.root("DescribeRegionsResponse", "ec2")
	x.text("requestId", "testbed")
	x.open("regionInfo")
	for _, r := range list {
		if r.OptIn == "not-opted-in" && form.Get("AllRegions") != "true" {
			continue
		}
		x.open("item")
		x.text("regionName", r.Name)
		x.text("regionEndpoint", "ec2."+r.Name+".amazonaws.com")
		x.text("optInStatus", r.OptIn)
		x.close("item")
	}
	x.close("regionInfo", "DescribeRegionsResponse")
	return nil
}

// listRegions is Account's ListRegions (Account management reference).
func (a *AWS) listRegions(w http.ResponseWriter, r *http.Request, body []byte) {
	s := scopeOf(r)
	at := place{a.account(s), s.region}
	f := a.begin(r, "ListRegions", at)
	if f == nil {
		_, f = a.verify(r, body)
	}
	if f == nil && s.service != "account" {
		f = &failure{403, "InvalidSignatureException", "Credential should be scoped to correct service: 'account'."}
	}
	list, known := a.regionsOf(at.account)
	if f == nil && !known {
		f = &failure{403, "AccessDeniedException", "You are not authorized to perform: account:ListRegions"}
	}
	var input struct {
		RegionOptStatusContains []string
		MaxResults              int
		NextToken               string
	}
	if f == nil && json.Unmarshal(body, &input) != nil {
		f = &failure{400, "ValidationException", "not JSON"}
	}
	if f != nil {
		jsonError(w, *f)
		return
	}
	status := map[string]string{"opt-in-not-required": "ENABLED_BY_DEFAULT", "opted-in": "ENABLED",
		"not-opted-in": "DISABLED"}
	type member struct{ RegionName, RegionOptStatus string }
	regions := []member{}
	for _, r := range list {
		m := member{r.Name, status[r.OptIn]}
		if len(input.RegionOptStatusContains) == 0 || slices.Contains(input.RegionOptStatusContains,
			m.RegionOptStatus) {
			regions = append(regions, m)
		}
	}
	from, _ := strconv.Atoi(input.NextToken) // none is the beginning
	if from < 0 || from > len(regions) {
		jsonError(w, failure{400, "ValidationException", "no such NextToken"})
		return
	}
	size := min(a.PageSize, 50)
	if input.MaxResults > 0 {
		size = min(size, input.MaxResults)
	}
	to := min(from+size, len(regions))
	answer := map[string]any{"Regions": regions[from:to]}
	if to < len(regions) {
		answer["NextToken"] = strconv.Itoa(to)
	}
	writeJSON(w, answer)
}
