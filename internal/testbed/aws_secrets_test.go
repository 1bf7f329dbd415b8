package testbed

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"
)

const (
	secretName = "rds!cluster-0f8e8a1c-1111-2222-3333-444444444444"
	secretARN  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:" + secretName + "-AbCdEf"
	stranger   = "210987654321" // another account
	notFound   = "400 ResourceNotFoundException: Secrets Manager can't find the specified secret."
)

// getSecret reads a secret, in AWSCURRENT unless a stage is said.
func getSecret(t *testing.T, a *AWS, key Key, region, id string, stage ...string) (*secretsmanager.GetSecretValueOutput, error) {
	t.Helper()
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	if len(stage) > 0 {
		in.VersionStage = &stage[0]
	}
	return secretsmanager.NewFromConfig(sdkConfig(a, key, region)).GetSecretValue(testContext(t), in)
}

func TestGetSecretValue(t *testing.T) {
	t.Parallel()
	a, keys, long := startAWS(t)
	reader := keys.Issue("arn:aws:sts::"+stranger+":assumed-role/r/s", time.Hour, 100)
	nobody := keys.Issue("arn:aws:sts::333333333333:assumed-role/r/s", time.Hour, 100)
	stages := map[string]string{"AWSCURRENT": "now", "AWSPREVIOUS": "before"}
	a.SetSecret(Secret{ARN: secretARN, Stages: stages, Readers: []string{stranger}})
	const elsewhere = "arn:aws:secretsmanager:us-east-1:" + stranger + ":secret:prod/db-AbCdEf"
	a.SetSecret(Secret{ARN: elsewhere, Name: "prod/db", Stages: map[string]string{"AWSCURRENT": "theirs"}})
	stages["AWSCURRENT"] = "the caller's own map"

	partial := strings.TrimSuffix(secretARN, "-AbCdEf")
	denied := func(key Key, arn string) string {
		return "400 AccessDeniedException: User: " + key.Owner + " is not authorized to perform: secretsmanager:GetSecretValue on resource: " +
			arn + " because no resource-based policy allows the secretsmanager:GetSecretValue action"
	}
	for _, tc := range []struct {
		key               Key
		region, id, stage string
		want              string // the value, or the error
	}{
		{long, region, secretARN, "AWSCURRENT", "now"},
		{long, region, secretARN, "AWSPREVIOUS", "before"},
		{long, region, partial, "AWSCURRENT", "now"},
		{long, region, secretName, "AWSCURRENT", "now"},
		{reader, region, secretARN, "AWSCURRENT", "now"},
		{reader, region, partial, "AWSCURRENT", "now"},
		{reader, "us-east-1", "prod/db", "AWSCURRENT", "theirs"},
		{long, region, secretARN, "AWSPENDING", "400 ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING"},
		{long, "us-east-1", secretARN, "AWSCURRENT", notFound},
		{long, "us-east-1", secretName, "AWSCURRENT", notFound},
		{long, region, secretARN[:len(secretARN)-1], "AWSCURRENT", notFound},
		{long, region, "", "AWSCURRENT", notFound},
		{reader, region, secretName, "AWSCURRENT", notFound},
		{reader, region, "prod/db", "AWSCURRENT", notFound},
		{nobody, region, secretARN, "AWSCURRENT", denied(nobody, secretARN)},
		{nobody, region, secretARN + "x", "AWSCURRENT", denied(nobody, secretARN+"x")},
		{long, "us-east-1", elsewhere, "AWSCURRENT", denied(long, elsewhere)},
	} {
		out, err := getSecret(t, a, tc.key, tc.region, tc.id, tc.stage)
		got := apiError(err)
		if err == nil {
			got = aws.ToString(out.SecretString)
		}
		if got != tc.want {
			t.Errorf("%s of %q by %s in %s: got %s, want %s", tc.stage, tc.id, tc.key.Owner, tc.region, got, tc.want)
		}
	}
	if n, m := a.CallsBy(account, "GetSecretValue"), a.CallsBy(stranger, "GetSecretValue"); n != 10 || m != 5 {
		t.Errorf("%d and %d calls, want 10 and 5", n, m)
	}

	out, err := getSecret(t, a, long, region, secretARN)
	if err != nil {
		t.Fatal(err)
	}
	if *out.ARN != secretARN || *out.Name != secretName || *out.SecretString != "now" || out.SecretBinary != nil ||
		len(*out.VersionId) != 36 || !slices.Equal(out.VersionStages, []string{"AWSCURRENT"}) || time.Since(*out.CreatedDate).Abs() > time.Minute {
		t.Errorf("got %+v", out)
	}
}

// The kinds of a secret's own, and failures of the service's.
func TestGetSecretValueFails(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	value := map[string]string{"AWSCURRENT": "\x00\xff"}
	a.SetSecret(Secret{ARN: secretARN, Stages: value, Binary: true})
	if out, err := getSecret(t, a, long, region, secretARN); err != nil || out.SecretString != nil || string(out.SecretBinary) != "\x00\xff" {
		t.Errorf("binary: %+v, %v", out, err)
	}
	a.SetSecret(Secret{ARN: secretARN, Stages: value, KMSDenied: true})
	_, err := getSecret(t, a, long, region, secretARN)
	if got, want := apiError(err), "400 AccessDeniedException: Access to KMS is not allowed"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a.SetSecret(Secret{ARN: secretARN, Stages: value, Deleted: true, KMSDenied: true})
	_, err = getSecret(t, a, long, region, secretARN)
	want := "400 InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."
	if got := apiError(err); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a.SetSecret(Secret{ARN: secretARN})
	_, err = getSecret(t, a, long, region, secretARN)
	var absent *types.ResourceNotFoundException
	if !errors.As(err, &absent) {
		t.Errorf("no value: %v", err)
	}

	var key *types.DecryptionFailure
	a.Fail("GetSecretValue", 1, 400, "DecryptionFailure", "can't decrypt")
	if _, err := getSecret(t, a, long, region, secretARN); !errors.As(err, &key) || key.ErrorMessage() != "can't decrypt" {
		t.Errorf("got %v", err)
	}
	var broken *types.InternalServiceError
	a.Break(Fault{Account: account, Region: region, Operation: "GetSecretValue", Status: 500, Code: "InternalServiceError"})
	if _, err := getSecret(t, a, long, region, secretARN); !errors.As(err, &broken) {
		t.Errorf("got %v", err)
	}
	a.Mend()
	a.Throttle("GetSecretValue", 1)
	_, err = getSecret(t, a, long, region, secretARN)
	if got, want := apiError(err), "400 ThrottlingException: Rate exceeded"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a.Mend()
	a.Delay("GetSecretValue", 50*time.Millisecond)
	before := time.Now()
	_, _ = getSecret(t, a, long, region, secretARN)
	if took := time.Since(before); took < 50*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

// A value keeps its version through a rotation.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	a.SetSecret(Secret{ARN: secretARN, Stages: map[string]string{"AWSCURRENT": "first"}})
	versions := map[string]string{} // by value
	check := func(want map[string]string) {
		t.Helper()
		got := map[string]string{}
		for _, stage := range []string{"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"} {
			out, err := getSecret(t, a, long, region, secretARN, stage)
			if err != nil {
				continue
			}
			got[stage] = *out.SecretString
			if known, ok := versions[got[stage]]; ok && known != *out.VersionId {
				t.Errorf("%s has the version %s, then %s", got[stage], known, *out.VersionId)
			}
			versions[got[stage]] = *out.VersionId
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		described, err := secretsmanager.NewFromConfig(sdkConfig(a, long, region)).DescribeSecret(testContext(t),
			&secretsmanager.DescribeSecretInput{SecretId: aws.String(secretName)})
		if err != nil {
			t.Fatal(err)
		}
		stages := map[string][]string{}
		for stage, value := range want {
			stages[versions[value]] = append(stages[versions[value]], stage)
		}
		if diff := cmp.Diff(stages, described.VersionIdsToStages); diff != "" {
			t.Errorf("described, -want +got:\n%s", diff)
		}
	}
	check(map[string]string{"AWSCURRENT": "first"})
	a.BeginRotation(secretARN, "second")
	check(map[string]string{"AWSCURRENT": "first", "AWSPENDING": "second"})
	a.EndRotation(secretARN)
	check(map[string]string{"AWSCURRENT": "second", "AWSPREVIOUS": "first"})
	a.BeginRotation(secretARN, "third")
	a.EndRotation(secretARN)
	check(map[string]string{"AWSCURRENT": "third", "AWSPREVIOUS": "second"})
	if len(slices.Compact(slices.Sorted(maps.Values(versions)))) != 3 {
		t.Errorf("versions %v", versions)
	}
	for name, mistake := range map[string]func(){
		"no rotation to end":   func() { a.EndRotation(secretARN) },
		"no secret to rotate":  func() { a.BeginRotation(secretARN+"x", "") },
		"no secret's rotation": func() { a.EndRotation(secretARN + "x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: passed over", name)
				}
			}()
			mistake()
		}()
	}
	check(map[string]string{"AWSCURRENT": "third", "AWSPREVIOUS": "second"}) // nothing is locked
}

func TestDescribeSecret(t *testing.T) {
	t.Parallel()
	a, keys, long := startAWS(t)
	a.SetSecret(Secret{ARN: secretARN, Stages: map[string]string{"AWSCURRENT": "x"}, KMSDenied: true, Deleted: true})
	in := &secretsmanager.DescribeSecretInput{SecretId: aws.String(secretARN)}
	out, err := secretsmanager.NewFromConfig(sdkConfig(a, long, region)).DescribeSecret(testContext(t), in)
	if err != nil || *out.ARN != secretARN || *out.Name != secretName || *out.OwningService != "rds" || !*out.RotationEnabled || out.DeletedDate == nil {
		t.Errorf("got %+v, %v", out, err)
	}
	other := keys.Issue("arn:aws:sts::"+stranger+":assumed-role/r/s", time.Hour, 100)
	_, err = secretsmanager.NewFromConfig(sdkConfig(a, other, region)).DescribeSecret(testContext(t), in)
	if got := apiError(err); !strings.Contains(got, "is not authorized to perform: secretsmanager:DescribeSecret on resource: "+secretARN) {
		t.Errorf("got %s", got)
	}
	a.SetSecret(Secret{ARN: strings.Replace(secretARN, secretName, "own", 1)})
	out, err = secretsmanager.NewFromConfig(sdkConfig(a, long, region)).DescribeSecret(testContext(t), &secretsmanager.DescribeSecretInput{SecretId: aws.String("own")})
	if err != nil || out.OwningService != nil || out.RotationEnabled != nil || out.DeletedDate != nil {
		t.Errorf("got %+v, %v", out, err)
	}
	if n := a.Calls("DescribeSecret"); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

// postSecret sends a body to an operation of Secrets Manager, signed for a service.
func postSecret(t *testing.T, a *AWS, key Key, service, operation, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(testContext(t), http.MethodPost, a.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "secretsmanager."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	if service != "" {
		if err := v4.NewSigner().SignHTTP(t.Context(), sdkCredentials(key), r, hexSum([]byte(body)), service, region, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Type string `json:"__type"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(response.StatusCode, " ", response.Header.Get("Content-Type"), " ", answer.Type)
}

func TestSecretsManagerRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	for _, tc := range []struct{ service, operation, body, want string }{
		{"", "GetSecretValue", `{"SecretId":"x"}`, "MissingAuthenticationTokenException"},
		{"rds", "GetSecretValue", `{"SecretId":"x"}`, "InvalidSignatureException"},
		{"secretsmanager", "PutSecretValue", `{"SecretId":"x"}`, "UnknownOperationException"},
		{"secretsmanager", "GetSecretValue", `SecretId=x`, "SerializationException"},
		{"secretsmanager", "GetSecretValue", `{"SecretId":"x","VersionId":"y"}`, "InvalidParameterException"},
		{"secretsmanager", "DescribeSecret", `{"SecretId":"x","VersionStage":"y"}`, "InvalidParameterException"},
		{"secretsmanager", "GetSecretValue", `{}`, "ResourceNotFoundException"},
	} {
		want := "400 application/x-amz-json-1.1 " + tc.want
		if got := postSecret(t, a, long, tc.service, tc.operation, tc.body); got != want {
			t.Errorf("%s of %s, signed for %q: got %s, want %s", tc.operation, tc.body, tc.service, got, want)
		}
	}
}

// TestAWSCLIReadsSecrets: an independent peer reads the test server's answers.
func TestAWSCLIReadsSecrets(t *testing.T) {
	t.Parallel()
	a, _, long := startAWS(t)
	a.SetSecret(Secret{ARN: secretARN, Stages: map[string]string{"AWSCURRENT": `{"username":"dba","password":"hunter2"}`}})
	env := append(Env(t.TempDir()), "AWS_ACCESS_KEY_ID="+long.ID, "AWS_SECRET_ACCESS_KEY="+long.Secret, "AWS_DEFAULT_REGION="+region,
		"NO_PROXY=127.0.0.1") // which Go takes for granted
	cli := awsCLI(t, env)
	read := func(id string) (stdout, stderr string) {
		// An older CLI doesn't know the variable of Env.
		cmd := exec.CommandContext(testContext(t), cli, "--endpoint-url", a.URL, "secretsmanager", "get-secret-value", "--secret-id", id,
			"--query", "[SecretString, VersionStages[0]]", "--output", "json")
		cmd.Env = env
		out, err := cmd.Output()
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return string(out), string(failed.Stderr)
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(out), ""
	}
	out, problem := read(secretARN)
	var got []string
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s%s", err, out, problem)
	}
	if diff := cmp.Diff([]string{`{"username":"dba","password":"hunter2"}`, "AWSCURRENT"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, problem := read("nobody"); !strings.Contains(problem,
		"(ResourceNotFoundException) when calling the GetSecretValue operation: Secrets Manager can't find the specified secret.") {
		t.Errorf("got %s", problem)
	}
}

// awsCLI finds an AWS CLI that runs in an environment, which has an empty home.
func awsCLI(t *testing.T, env []string) (path string) {
	t.Helper()
	why := "no AWS CLI on this machine; install it to compare with it"
	for _, name := range []string{"/usr/bin/aws", "aws"} { // Debian's before one that needs the user's own home
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(testContext(t), path, "--version")
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err == nil {
			return path
		}
		why = "the AWS CLI doesn't run in an empty home: " + string(out)
	}
	if os.Getenv("MYSQL_SECRET_STORE_RDS_TEST_PEERS") == "required" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}
