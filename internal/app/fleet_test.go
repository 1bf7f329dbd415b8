package app_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// roleEnv returns a bed whose only way in is a role, and the environment that takes it.
func roleEnv(t *testing.T) (*bed, []string) {
	t.Helper()
	b := startBed(t)
	profile := "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = default\n"
	if err := os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	return b, append(b.env(), "AWS_PROFILE=role")
}

func fleetURL(i int) string {
	return fmt.Sprintf("dba@db%03d.abcdefghijkl.eu-west-1.rds.amazonaws.com:3306", i)
}

// getAll asks for a hundred servers at once, each by a process of its own.
func getAll(t *testing.T, sh testbed.Shell) {
	t.Helper()
	ctx, cancel := testContext(t)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			token, err := sh.Get(ctx, fleetURL(i))
			if err != nil || !strings.HasPrefix(token, fmt.Sprintf("db%03d.", i)) {
				t.Errorf("get %d: %.20s, %v", i, token, err)
			}
		})
	}
	wg.Wait()
}

// TestOneCallForAnAccount: a hundred processes want a hundred servers of one role, and AWS is asked
// once.
func TestOneCallForAnAccount(t *testing.T) {
	t.Parallel()
	b, env := roleEnv(t)
	b.aws.Delay("AssumeRole", time.Second)
	getAll(t, b.shell(env))
	if n := b.aws.Calls("AssumeRole"); n != 1 {
		t.Errorf("%d AssumeRole calls, want 1", n)
	}
	if files := b.kept(t); len(files) != 101 {
		t.Errorf("%d files in the cache, want 100 tokens and the role's credentials", len(files))
	}
}

// TestHolderKilled: the same when the process that asks AWS is killed half way.
func TestHolderKilled(t *testing.T) {
	t.Parallel()
	b, env := roleEnv(t)
	b.aws.Delay("AssumeRole", 2*time.Second)
	first := exec.Command(b.helper, "get")
	first.Env = env
	first.Stdin = strings.NewReader(string(testbed.Shell{}.Request(fleetURL(0))))
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for b.aws.Calls("AssumeRole") == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	killed := time.AfterFunc(time.Second, func() { _ = first.Process.Kill() })
	defer killed.Stop()
	getAll(t, b.shell(env))
	if err := first.Wait(); err == nil {
		t.Fatal("the holder wasn't killed")
	}
	if n := b.aws.Calls("AssumeRole"); n < 2 || n > 2 {
		t.Errorf("%d AssumeRole calls, want the killed one's and one more", n)
	}
}

// TestManyProfiles: an AWS configuration of 2,000 profiles is no matter; nor is it for what is
// kept.
func TestManyProfiles(t *testing.T) {
	t.Parallel()
	b, env := roleEnv(t)
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "[profile p%d]\nregion = eu-west-1\nrole_arn = arn:aws:iam::%012d:role/dba\nsource_profile = default\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	env = append(env, "AWS_PROFILE=p1999")
	b.aws.SetServers("000000001999", "eu-west-1", someServers("000000001999", "eu-west-1", "abcdefghijkl"))
	ctx, cancel := testContext(t)
	defer cancel()
	for i := range 3 {
		if _, err := b.shell(env).Get(ctx, fleetURL(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.aws.Calls("AssumeRole"); n != 1 {
		t.Errorf("%d AssumeRole calls, want 1", n)
	}
}
