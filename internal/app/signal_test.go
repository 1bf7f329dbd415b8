//go:build unix

package app_test

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// TestSignalsReachTheDelegate: SIGINT and SIGTERM end the delegate, and its exit code is ours.
func TestSignalsReachTheDelegate(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			// A signal that is ignored here, as under nohup, would be ignored in every child, too.
			caught := make(chan os.Signal, 1)
			signal.Notify(caught, sig)
			defer signal.Stop(caught)
			b := startBed(t)
			for _, name := range []string{"login-path", "keychain"} {
				if _, err := testbed.Install(fakeHelper, b.folder, name); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := testContext(t)
			defer cancel()
			cmd := exec.CommandContext(ctx, b.helper, "get")
			cmd.Env = append(b.env(), testbed.EnvFakeMode+"=signal")
			cmd.Stdin = bytes.NewReader(b.shell(nil).Request("dba@db.example.com:3306"))
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, filepath.Join(b.fakes, "ready"))
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
				t.Errorf("ended with %v, want the delegate's exit code 7; output %q", err, out.String())
			}
			got, err := os.ReadFile(filepath.Join(b.fakes, "signal"))
			if err != nil || strings.TrimSpace(string(got)) != sig.String() {
				t.Errorf("the delegate saw %q (%v), want %v", got, err, sig)
			}
		})
	}
}

// TestDelegateKilled: a delegate that dies of a signal is reported as a shell would.
func TestDelegateKilled(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	for _, name := range []string{"login-path", "keychain"} {
		writeProgram(t, filepath.Join(b.folder, "mysql-secret-store-"+name), "#!/bin/sh\ntest \"$1\" = version && exit\nkill -KILL $$\n")
	}
	ctx, cancel := testContext(t)
	defer cancel()
	sh := b.shell(b.env())
	reply, err := sh.Call(ctx, "get", sh.Request("dba@db.example.com:3306"))
	if err != nil {
		t.Fatal(err)
	}
	if want := 128 + int(syscall.SIGKILL); reply.ExitCode != want {
		t.Errorf("exit code %d, want %d", reply.ExitCode, want)
	}
}

// TestLoginInterrupted: Ctrl-C while a browser is waited for is one word, and blames no other
// profile.
func TestLoginInterrupted(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	config := "[profile sso]\nsso_start_url = https://testbed.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 123456789012\nsso_role_name = dba\n" +
		"[profile keys]\naws_access_key_id = AKIATESTBED\naws_secret_access_key = top/secret+key\n" +
		"[profile role]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = keys\n"
	if err := os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.aws.ApproveAfter(1_000_000)
	ctx, cancel := testContext(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.helper, "login", "--all")
	cmd.Env = b.env()
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "waiting"); {
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || problems.String() != "error: interrupted\n" {
		t.Errorf("ended with %v and %q", err, problems.String())
	}
}

func waitFor(t *testing.T, file string) {
	t.Helper()
	for range 2000 {
		if _, err := os.Stat(file); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s never came", file)
}
