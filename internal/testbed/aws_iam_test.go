package testbed

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	accountapi "github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
)

func TestSimulatePrincipalPolicy(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	const (
		all, some, none = "arn:aws:iam::123456789012:role/p/all", "arn:aws:iam::123456789012:user/some", "arn:aws:iam::123456789012:role/none"
		forbidden       = "arn:aws:iam::123456789012:user/forbidden"
		orders, shop    = "arn:aws:rds-db:eu-west-1:123456789012:dbuser:cluster-O/dba", "arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-S/dba"
	)
	a.AllowConnect(all)
	a.AllowConnect(some, "arn:aws:rds-db:*:123456789012:dbuser:cluster-O/*")
	a.DenyConnect(none)
	a.ForbidConnect(forbidden)
	client := iam.NewFromConfig(sdkConfig(a, long, region))
	for _, tc := range []struct {
		principal string
		want      []string
	}{
		{all, []string{"allowed", "allowed", "implicitDeny", "implicitDeny"}},
		{some, []string{"allowed", "implicitDeny", "implicitDeny", "implicitDeny"}},
		{none, []string{"implicitDeny", "implicitDeny", "implicitDeny", "implicitDeny"}},
		{forbidden, []string{"explicitDeny", "explicitDeny", "explicitDeny", "explicitDeny"}},
		{"arn:aws:iam::123456789012:role/unknown", []string{"403 AccessDenied: User: arn:aws:iam::123456789012:user/dba is not authorized to perform: " +
			"iam:SimulatePrincipalPolicy on resource: arn:aws:iam::123456789012:role/unknown"}},
		{"arn:aws:sts::123456789012:assumed-role/all/s", []string{"400 InvalidInput: Invalid Entity Arn: arn:aws:sts::123456789012:assumed-role/all/s " +
			"does not clearly define entity type and name."}},
	} {
		out, err := client.SimulatePrincipalPolicy(testContext(t), &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: aws.String(tc.principal), ActionNames: []string{"rds-db:connect", "rds:Reboot"}, ResourceArns: []string{orders, shop},
		})
		var got []string
		if err != nil {
			got = []string{apiError(err)}
		} else {
			for _, r := range out.EvaluationResults {
				got = append(got, string(r.EvalDecision))
			}
			if first, last := out.EvaluationResults[0], out.EvaluationResults[3]; *first.EvalResourceName != orders || *first.EvalActionName != "rds-db:connect" ||
				*last.EvalResourceName != shop || *last.EvalActionName != "rds:Reboot" {
				t.Errorf("%s: got %+v", tc.principal, out.EvaluationResults)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.principal, diff)
		}
	}
	asked := a.Simulations()
	want := Simulation{Caller: long.Owner, Principal: all, Actions: []string{"rds-db:connect", "rds:Reboot"}, Resources: []string{orders, shop}}
	if diff := cmp.Diff(want, asked[0]); diff != "" || len(asked) != 4 {
		t.Errorf("%d were asked, -want +got:\n%s", len(asked), diff)
	}
}

func TestGetRole(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	client := iam.NewFromConfig(sdkConfig(a, long, region))
	const arn = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_dba_0123456789abcdef"
	in := &iam.GetRoleInput{RoleName: aws.String("AWSReservedSSO_dba_0123456789abcdef")}
	_, err := client.GetRole(testContext(t), in)
	if got := apiError(err); got != "403 AccessDenied: User: arn:aws:iam::123456789012:user/dba is not authorized to perform: "+
		"iam:GetRole on resource: AWSReservedSSO_dba_0123456789abcdef" {
		t.Errorf("got %s", got)
	}
	a.AddRole("arn:aws:iam::210987654321:role/AWSReservedSSO_dba_0123456789abcdef") // another account's
	a.AddRole(arn)
	out, err := client.GetRole(testContext(t), in)
	if err != nil || *out.Role.Arn != arn || *out.Role.Path != "/aws-reserved/sso.amazonaws.com/" {
		t.Errorf("got %+v, %v", out, err)
	}
}

var threeRegions = []Region{{"eu-west-1", "opt-in-not-required"}, {"ap-east-1", "opted-in"}, {"me-south-1", "not-opted-in"}}

func TestDescribeRegions(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	client := ec2.NewFromConfig(sdkConfig(a, long, region))
	_, err := client.DescribeRegions(testContext(t), nil)
	if got := apiError(err); got != "403 UnauthorizedOperation: You are not authorized to perform this operation." {
		t.Errorf("got %s", got)
	}
	a.SetRegions(account, threeRegions...)
	for _, tc := range []struct {
		in   ec2.DescribeRegionsInput
		want []Region
	}{
		{ec2.DescribeRegionsInput{}, threeRegions[:2]},
		{ec2.DescribeRegionsInput{AllRegions: aws.Bool(true)}, threeRegions},
		{ec2.DescribeRegionsInput{AllRegions: aws.Bool(true), Filters: []ec2types.Filter{
			{Name: aws.String("opt-in-status"), Values: []string{"opted-in", "not-opted-in"}},
		}}, threeRegions[1:]},
	} {
		out, err := client.DescribeRegions(testContext(t), &tc.in)
		if err != nil {
			t.Fatal(err)
		}
		var got []Region
		for _, r := range out.Regions {
			got = append(got, Region{*r.RegionName, *r.OptInStatus})
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	// A region that isn't enabled doesn't know who calls.
	for operation, want := range map[string]string{
		"GetCallerIdentity":   "403 InvalidClientTokenId: The security token included in the request is invalid.",
		"DescribeDBInstances": "403 InvalidClientTokenId: The security token included in the request is invalid.",
		"DescribeRegions":     "401 AuthFailure: AWS was not able to validate the provided access credentials",
	} {
		if got := apiError(call(testContext(t), sdkConfig(a, long, "me-south-1"), operation)); got != want {
			t.Errorf("%s: got %s, want %s", operation, got, want)
		}
		if got := apiError(call(testContext(t), sdkConfig(a, long, "ap-east-1"), operation)); got != "none" {
			t.Errorf("%s: got %s", operation, got)
		}
	}
}

func TestListRegions(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	a.PageSize = 2
	client := accountapi.NewFromConfig(sdkConfig(a, long, region))
	_, err := client.ListRegions(testContext(t), nil)
	if got := apiError(err); got != "403 AccessDeniedException: You are not authorized to perform: account:ListRegions" {
		t.Errorf("got %s", got)
	}
	a.SetRegions(account, threeRegions...)
	for _, tc := range []struct {
		only  []accounttypes.RegionOptStatus
		max   *int32
		pages int
		want  []string
	}{
		{nil, nil, 2, []string{"eu-west-1 ENABLED_BY_DEFAULT", "ap-east-1 ENABLED", "me-south-1 DISABLED"}},
		{nil, aws.Int32(1), 3, []string{"eu-west-1 ENABLED_BY_DEFAULT", "ap-east-1 ENABLED", "me-south-1 DISABLED"}},
		{[]accounttypes.RegionOptStatus{"ENABLED"}, nil, 1, []string{"ap-east-1 ENABLED"}},
	} {
		var got []string
		pages := 0
		for p := accountapi.NewListRegionsPaginator(client, &accountapi.ListRegionsInput{RegionOptStatusContains: tc.only, MaxResults: tc.max}); p.HasMorePages(); pages++ {
			page, err := p.NextPage(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Regions {
				got = append(got, *r.RegionName+" "+string(r.RegionOptStatus))
			}
		}
		if !slices.Equal(got, tc.want) || pages != tc.pages {
			t.Errorf("%d pages of %v, want %d of %v", pages, got, tc.pages, tc.want)
		}
	}
}
