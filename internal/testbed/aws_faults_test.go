package testbed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	accountapi "github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// call makes one call of an operation with the SDK.
func call(ctx context.Context, c aws.Config, operation string) (err error) {
	x := aws.String("x")
	switch operation {
	case "GetCallerIdentity":
		_, err = sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
	case "AssumeRole":
		_, err = sts.NewFromConfig(c).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + account + ":role/one"), RoleSessionName: x})
	case "DescribeDBInstances":
		_, err = rds.NewFromConfig(c).DescribeDBInstances(ctx, nil)
	case "DescribeDBClusters":
		_, err = rds.NewFromConfig(c).DescribeDBClusters(ctx, nil)
	case "GetRole":
		_, err = iam.NewFromConfig(c).GetRole(ctx, &iam.GetRoleInput{RoleName: x})
	case "DescribeRegions":
		_, err = ec2.NewFromConfig(c).DescribeRegions(ctx, nil)
	case "ListRegions":
		_, err = accountapi.NewFromConfig(c).ListRegions(ctx, nil)
	case "GetSecretValue":
		_, err = secretsmanager.NewFromConfig(c).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: x})
	case "DescribeSecret":
		_, err = secretsmanager.NewFromConfig(c).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: x})
	case "GetRoleCredentials":
		_, err = sso.NewFromConfig(c).GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{AccessToken: x, AccountId: x, RoleName: x})
	case "CreateToken":
		_, err = ssooidc.NewFromConfig(c).CreateToken(ctx, &ssooidc.CreateTokenInput{ClientId: x, ClientSecret: x, GrantType: x})
	default:
		panic(operation)
	}
	return err
}

var signedOperations = []string{
	"GetCallerIdentity", "AssumeRole", "DescribeDBInstances", "GetRole", "DescribeRegions", "ListRegions", "GetSecretValue", "DescribeSecret",
}

// A failure comes in the form of the service that is called, whichever it is.
func TestFailuresAsTheSDKReadsThem(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	const message = `<not> "now" & here`
	for _, operation := range append(signedOperations, "GetRoleCredentials", "CreateToken") {
		for _, f := range []failure{{400, "Throttling", message}, {403, "AccessDenied", message}, {403, "OptInRequired", message}, {503, "Other", message}} {
			a.Fail(operation, 1, f.status, f.code, f.message)
			want := fmt.Sprintf("%d %s: %s", f.status, f.code, f.message)
			got := apiError(call(testContext(t), sdkConfig(a, long, region), operation))
			if operation == "CreateToken" {
				want, got = fmt.Sprintf("%d %s", f.status, f.code), strings.SplitN(got, ":", 2)[0] // OIDC has no "message"
			}
			if got != want {
				t.Errorf("%s: got %s, want %s", operation, got, want)
			}
		}
	}
	var disabled *types.RegionDisabledException
	a.Fail("AssumeRole", 1, 403, "RegionDisabledException", "STS is not activated in this region")
	if err := call(testContext(t), sdkConfig(a, long, region), "AssumeRole"); !errors.As(err, &disabled) {
		t.Errorf("got %v", err)
	}
}

// Who isn't let in is told so in each service's own words.
func TestCallersThatAreRefused(t *testing.T) {
	t.Parallel()
	a, keys, long := startAWS(t)
	unknown := Key{ID: "AKIANOBODY", Secret: "x"}
	wrong := Key{ID: long.ID, Secret: "x"}
	expired := keys.Issue(long.Owner, -time.Minute, 100)
	query := map[string]string{
		"unknown": "403 InvalidClientTokenId: The security token included in the request is invalid.",
		"wrong":   "403 SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.",
		"expired": "403 ExpiredToken: The security token included in the request is expired",
	}
	for operation, want := range map[string]map[string]string{
		"GetCallerIdentity": query, "AssumeRole": query, "DescribeDBInstances": query, "GetRole": query,
		"DescribeRegions": {
			"unknown": "401 AuthFailure: AWS was not able to validate the provided access credentials",
			"wrong":   "401 AuthFailure: The request signature we calculated does not match the signature you provided.",
			"expired": "400 RequestExpired: Request has expired.",
		},
		"ListRegions": {
			"unknown": "403 UnrecognizedClientException: The security token included in the request is invalid.",
			"wrong":   "403 InvalidSignatureException: The request signature we calculated does not match the signature you provided.",
			"expired": "403 ExpiredTokenException: The security token included in the request is expired",
		},
		"GetSecretValue": {
			"unknown": "400 UnrecognizedClientException: The security token included in the request is invalid.",
			"wrong":   "400 InvalidSignatureException: The request signature we calculated does not match the signature you provided.",
			"expired": "400 ExpiredTokenException: The security token included in the request is expired",
		},
	} {
		for name, key := range map[string]Key{"unknown": unknown, "wrong": wrong, "expired": expired} {
			if got := apiError(call(testContext(t), sdkConfig(a, key, region), operation)); got != want[name] {
				t.Errorf("%s with the key that is %s: got %s, want %s", operation, name, got, want[name])
			}
		}
	}
}

func TestBreak(t *testing.T) {
	t.Parallel()
	a, keys, long := startAWS(t)
	other := keys.Issue("arn:aws:sts::210987654321:assumed-role/r/s", time.Hour, 100)
	a.Break(Fault{Account: account, Region: "us-east-1", Operation: "DescribeDBInstances", Status: 403, Code: "AccessDenied"})
	a.Break(Fault{Region: "ap-east-1", Status: 400, Code: "OptInRequired"})
	a.Break(Fault{Account: "210987654321", Operation: "DescribeDBClusters", Status: 403, Code: "AccessDenied"})
	for _, tc := range []struct {
		key               Key
		region, operation string
		fails             bool
	}{
		{long, "us-east-1", "DescribeDBInstances", true},
		{long, region, "DescribeDBInstances", false},
		{long, "us-east-1", "DescribeDBClusters", false},
		{other, "us-east-1", "DescribeDBInstances", false},
		{long, "ap-east-1", "GetCallerIdentity", true},
		{other, "ap-east-1", "DescribeDBInstances", true},
		{other, region, "DescribeDBClusters", true},
		{long, region, "DescribeDBClusters", false},
	} {
		for range 2 { // it stays so
			if err := call(testContext(t), sdkConfig(a, tc.key, tc.region), tc.operation); (err != nil) != tc.fails {
				t.Errorf("%s by %s in %s: %v", tc.operation, tc.key.Owner, tc.region, err)
			}
		}
	}
	a.Mend()
	if err := call(testContext(t), sdkConfig(a, long, "ap-east-1"), "GetCallerIdentity"); err != nil {
		t.Error(err)
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	a.Throttle("DescribeDBInstances", 3)
	c := sdkConfig(a, long, region)
	var failed []int
	for i := range 7 {
		if got := apiError(call(testContext(t), c, "DescribeDBInstances")); got != "none" {
			if failed = append(failed, i); got != "400 Throttling: Rate exceeded" {
				t.Errorf("got %s", got)
			}
		}
	}
	if !slices.Equal(failed, []int{2, 5}) {
		t.Errorf("calls %v failed", failed)
	}
	// The SDK knows it for what it is, and tries again.
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.Backoff = noBackoff{} })
	}
	for range 6 {
		if err := call(testContext(t), c, "DescribeDBInstances"); err != nil {
			t.Error(err)
		}
	}
	if n := a.Calls("DescribeDBInstances"); n != 7+6+3 {
		t.Errorf("%d calls", n)
	}
}

type noBackoff struct{}

func (noBackoff) BackoffDelay(int, error) (time.Duration, error) { return 0, nil }

func TestSkew(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		skew     time.Duration
		sts, ec2 string // beginnings of the messages
	}{
		{4 * time.Minute, "none", ""},
		{-4 * time.Minute, "none", ""},
		{6 * time.Minute, "403 SignatureDoesNotMatch: Signature expired: 2", "401 AuthFailure: Signature expired: 2"},
		{-6 * time.Minute, "403 SignatureDoesNotMatch: Signature not yet current: 2", "401 AuthFailure: Signature not yet current: 2"},
	} {
		a, _, long := startAWS(t)
		a.Skew = tc.skew
		err := call(testContext(t), sdkConfig(a, long, region), "GetCallerIdentity")
		if got := apiError(err); !strings.HasPrefix(got, tc.sts) {
			t.Errorf("%v: got %s", tc.skew, got)
		}
		if tc.ec2 == "" {
			// A key lives by the server's clock, which the SDK can learn.
			out, err := sts.NewFromConfig(sdkConfig(a, long, region)).AssumeRole(testContext(t), &sts.AssumeRoleInput{
				RoleArn: aws.String("arn:aws:iam::" + account + ":role/one"), RoleSessionName: aws.String("x"), DurationSeconds: aws.Int32(900),
			})
			if err != nil {
				t.Fatal(err)
			}
			server, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
			if off := time.Until(server) - tc.skew; !ok || off.Abs() > 10*time.Second {
				t.Errorf("%v: the SDK takes the server's time for %v", tc.skew, server)
			}
			if off := out.Credentials.Expiration.Sub(server) - 15*time.Minute; off.Abs() > 10*time.Second {
				t.Errorf("%v: the key expires at %v", tc.skew, out.Credentials.Expiration)
			}
			continue
		}
		if got := apiError(call(testContext(t), sdkConfig(a, long, region), "DescribeRegions")); !strings.HasPrefix(got, tc.ec2) {
			t.Errorf("%v: got %s", tc.skew, got)
		}
	}
}

// Counting is right however many call.
func TestCallsAreCountedAtOnce(t *testing.T) {
	t.Parallel()
	a, keys, long := startAWS(t)
	other := keys.Issue("arn:aws:sts::210987654321:assumed-role/r/s", time.Hour, 100)
	a.Throttle("GetCallerIdentity", 2)
	ctx := testContext(t)
	done := make(chan bool)
	for i := range 40 {
		go func() {
			key := long
			if i%4 == 0 {
				key = other
			}
			done <- call(ctx, sdkConfig(a, key, region), "GetCallerIdentity") == nil
		}()
	}
	well := 0
	for range 40 {
		if <-done {
			well++
		}
	}
	if n, one, two := a.Calls("GetCallerIdentity"), a.CallsBy(account, ""), a.CallsBy("210987654321", "GetCallerIdentity"); well != 20 || n != 40 || one != 30 || two != 10 {
		t.Errorf("%d went well; %d calls, %d and %d by account", well, n, one, two)
	}
}
