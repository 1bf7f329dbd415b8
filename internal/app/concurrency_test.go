package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// TestManyAtOnce: two hundred gets for one server make one signature, and none damages a file.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	profile := "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = default\n"
	if err := os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	writeHome(t, b, ".config/mysql-secret-store-rds/config.yaml", "learn: off\n") // it is about who signs
	log := filepath.Join(t.TempDir(), "log")
	env := append(b.env(), "AWS_PROFILE=role", "MYSQL_SECRET_STORE_RDS_LOG="+log)
	sh := b.shell(env)
	ctx, cancel := testContext(t)
	defer cancel()

	const gets = 200
	tokens := make([]string, gets)
	var wg sync.WaitGroup
	for i := range gets {
		wg.Go(func() {
			token, err := sh.Get(ctx, "dba@"+orders+":3306")
			if err != nil {
				t.Error(err)
			}
			tokens[i] = token
		})
	}
	wg.Wait()
	for i, token := range tokens {
		if token != tokens[0] {
			t.Fatalf("get %d gave another token than get 0", i)
		}
	}
	if n := b.aws.Calls("AssumeRole"); n != 1 {
		t.Errorf("%d AssumeRole calls, want 1", n)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`msg=signed`).FindAll(text, -1)); n != 1 {
		t.Errorf("%d signatures, want 1", n)
	}
	if files := b.kept(t); len(files) != 2 {
		t.Errorf("the cache holds %v, want a token and the role's credentials", files)
	}
}

// TestManyServersAtOnce: gets, erases and lists for many servers at once leave whole files only.
func TestManyServersAtOnce(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	sh := b.shell(b.env())
	ctx, cancel := testContext(t)
	defer cancel()

	var wg sync.WaitGroup
	for i := range 40 {
		url := fmt.Sprintf("user%d@%s:3306", i%10, orders)
		wg.Go(func() {
			if _, err := sh.Get(ctx, url); err != nil {
				t.Errorf("get %s: %v", url, err)
			}
			if i%4 == 3 {
				if _, err := sh.Call(ctx, "erase", sh.Request(url)); err != nil {
					t.Errorf("erase %s: %v", url, err)
				}
			}
			reply, err := sh.Call(ctx, "list", nil)
			if err != nil || !strings.HasPrefix(reply.Output, "[") || !strings.HasSuffix(reply.Output, "]") {
				t.Errorf("list: %v: %s", err, reply.Output)
			}
		})
	}
	wg.Wait()
	for i := range 10 {
		db, err := sh.Login(ctx, fmt.Sprintf("user%d@%s:3306", i, orders), b.rds)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if files := b.kept(t); len(files) != 10 {
		t.Errorf("the cache holds %v, want 10 files", files)
	}
}

// kept are the files in the cache, without the notes of what AWS has said.
func (b *bed) kept(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.home, ".cache", "mysql-secret-store-rds", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(file string) bool { return filepath.Ext(file) == ".checked" })
}

// TestHolderThatHangs: when the process that signs is stopped, another one waits for some time,
// and then signs by itself.
func TestHolderThatHangs(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	sh := b.shell(b.env())
	ctx, cancel := testContext(t)
	defer cancel()
	url := "dba@" + orders + ":3306"
	if _, err := sh.Get(ctx, url); err != nil {
		t.Fatal(err)
	}
	files := b.kept(t)
	if len(files) != 1 {
		t.Fatalf("the cache holds %v", files)
	}
	entry := files[0]
	if err := os.Remove(entry); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(strings.TrimSuffix(entry, ".json") + ".lock")
	if ok, err := lock.TryLock(); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	defer func() { _ = lock.Unlock() }()
	db, err := sh.Login(ctx, url, b.rds)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestFailuresDontQueue: ten gets that all fail after a second don't wait for one another.
func TestFailuresDontQueue(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	config := "[profile slow]\ncredential_process = sh -c 'sleep 1; exit 1'\n"
	if err := os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	sh := b.shell(append(b.env(), "AWS_PROFILE=slow"))
	ctx, cancel := testContext(t)
	defer cancel()
	start := time.Now()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			_, err := sh.Get(ctx, "dba@"+orders+":3306")
			if err == nil || !strings.Contains(err.Error(), "credential_process: exit status 1") {
				t.Errorf("get: %v", err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("took %v: one after another", took)
	}
}
