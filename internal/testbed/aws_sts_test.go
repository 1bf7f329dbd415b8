package testbed

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
)

func TestGetCallerIdentity(t *testing.T) {
	t.Parallel()
	a, keys, _ := startAWS(t)
	for owner, number := range map[string]string{
		"arn:aws:iam::123456789012:user/team/dba":             "123456789012",
		"arn:aws-cn:sts::210987654321:assumed-role/r/session": "210987654321",
		"arn:aws:sts::111111111111:federated-user/x":          "111111111111",
	} {
		c := sdkConfig(a, keys.Issue(owner, time.Hour, 100), region)
		who, err := sts.NewFromConfig(c).GetCallerIdentity(testContext(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		if *who.Arn != owner || *who.Account != number {
			t.Errorf("%s: got %s in %s", owner, *who.Arn, *who.Account)
		}
	}
}

func TestSessionARN(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"arn:aws:iam::123456789012:role/one":                 "arn:aws:sts::123456789012:assumed-role/one/me",
		"arn:aws:iam::123456789012:role/a/path/one":          "arn:aws:sts::123456789012:assumed-role/one/me",
		"arn:aws-us-gov:iam::123456789012:role/service/o.n-": "arn:aws-us-gov:sts::123456789012:assumed-role/o.n-/me",
	} {
		if got := sessionARN(role, "me"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Each role of a chain is assumed by the one before it, and none for longer than it allows.
func TestAssumeRole(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	const one, two, denied = "arn:aws:iam::123456789012:role/one", "arn:aws:iam::210987654321:role/two", "arn:aws:iam::123456789012:role/denied"
	a.DenyRole(denied)
	a.MaxSession = 2 * time.Hour
	a.Life = 12 * time.Hour
	in := func(role string, d time.Duration) func(o *stscreds.AssumeRoleOptions) {
		return func(o *stscreds.AssumeRoleOptions) { o.RoleARN, o.RoleSessionName, o.Duration = role, "s", d }
	}
	first := sdkConfig(a, long, region)
	chained := first
	chained.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(first), one, in(one, time.Hour)))
	for _, tc := range []struct {
		name string
		by   aws.Config
		role string
		life time.Duration
		want string
	}{
		{"as long as it allows", first, one, 2 * time.Hour, "none"},
		{"longer", first, one, 2*time.Hour + time.Second, "400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{"another account's", chained, two, time.Hour, "none"},
		{"longer than a chain may", chained, two, time.Hour + time.Second,
			"400 ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"},
		{"denied", first, denied, time.Hour,
			"403 AccessDenied: User: arn:aws:iam::123456789012:user/dba is not authorized to perform: sts:AssumeRole on resource: " + denied},
		{"denied to a role", chained, denied, time.Hour,
			"403 AccessDenied: User: arn:aws:sts::123456789012:assumed-role/one/s is not authorized to perform: sts:AssumeRole on resource: " + denied},
	} {
		got, err := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(tc.by), tc.role, in(tc.role, tc.life)).Retrieve(testContext(t))
		if apiError(err) != tc.want {
			t.Errorf("%s: got %s", tc.name, apiError(err))
		}
		if left := time.Until(got.Expires); err == nil && (left < tc.life-time.Minute || left > tc.life) {
			t.Errorf("%s: lives %v", tc.name, left)
		}
	}
	var asked []string
	for _, p := range a.Assumed() {
		asked = append(asked, p.Get("Caller")+" "+p.Get("RoleArn")+" "+p.Get("DurationSeconds"))
	}
	if diff := cmp.Diff([]string{"arn:aws:iam::123456789012:user/dba " + one + " 7200", "arn:aws:iam::123456789012:user/dba " + one + " 7201"}, asked[:2]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if one, two := a.CallsBy(account, "AssumeRole"), a.CallsBy("210987654321", "AssumeRole"); one != 5 || two != 2 {
		t.Errorf("%d and %d calls, want 5 and 2", one, two)
	}
}

func TestMFA(t *testing.T) {
	t.Parallel()
	const refused = "403 AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code. "
	for _, tc := range []struct {
		once  bool
		codes []string
		want  []string
	}{
		{false, []string{"123456", "123456", "654321", ""}, []string{"none", "none", refused, refused}},
		{true, []string{"654321", "123456", "123456"}, []string{refused, "none", refused}},
	} {
		a, _, long := startAWS(t)
		a.MFAOnce = tc.once
		var got []string
		for _, code := range tc.codes {
			_, err := sts.NewFromConfig(sdkConfig(a, long, region)).AssumeRole(testContext(t), &sts.AssumeRoleInput{
				RoleArn: aws.String("arn:aws:iam::" + account + ":role/one"), RoleSessionName: aws.String("x"),
				SerialNumber: aws.String("arn:aws:iam::" + account + ":mfa/dba"), TokenCode: aws.String(code),
			})
			got = append(got, apiError(err))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
