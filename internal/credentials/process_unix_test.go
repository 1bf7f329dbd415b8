//go:build unix

package credentials

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

// processOf makes a credential_process of a shell script the profile of the test, and gives the home.
func processOf(t *testing.T, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "process.sh")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	home := newHome(t, "[default]\ncredential_process = sh "+file+"\n")
	t.Setenv("PID_FILE", filepath.Join(home, "pid"))
	t.Cleanup(func() {
		b, err := os.ReadFile(filepath.Join(home, "pid"))
		if err != nil {
			return
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return home
}

// The SDK reads the process's stdout to its end, whatever ctx says, and a child can hold it open.
func TestTimeoutOfProcess(t *testing.T) {
	const keys = `echo '{"Version":1,"AccessKeyId":"AKIATESTBED","SecretAccessKey":"TOPSECRET"}'` + "\n"
	for _, tc := range []struct{ name, script string }{
		{"a child that holds stdout", "sleep 60 &\necho $! >$PID_FILE\n" + keys},
		{"a child, and a failure", "sleep 60 &\necho $! >$PID_FILE\nexit 1\n"},
		{"no end", "sleep 60 &\necho $! >$PID_FILE\nwait\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			processOf(t, tc.script)
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			if _, err := inTime(t, 5*time.Second, ctx, orders); !errors.Is(err, ErrTimeout) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestPipeForToken: a pipe that nobody writes into, as the token of a web identity, holds no call up.
func TestPipeForToken(t *testing.T) {
	home := newHome(t, "")
	pipe := filepath.Join(home, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	setenv(t, "AWS_WEB_IDENTITY_TOKEN_FILE="+pipe, "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/one")
	_, err := inTime(t, 5*time.Second, t.Context(), orders)
	if !errors.Is(err, disk.ErrNotFile) || !strings.Contains(err.Error(), pipe) {
		t.Errorf("got %v", err)
	}
}

func TestProcessError(t *testing.T) {
	const noJSON = "credential_process: its output is not the JSON that the AWS SDK expects"
	for _, tc := range []struct{ name, script, want string }{
		{"a key with a blank", `echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"TOPSECRET x"}'`,
			"credential_process: SecretAccessKey in its output has a blank in it, which no key has"},
		{"half an object", `echo '{"Version":1,"SecretAccessKey":"TOPSECRET"'`, noJSON},
		{"no object", `echo TOPSECRET`, noJSON},
		{"a list", `echo '["TOPSECRET"]'`, noJSON},
		{"a zone of its own", `echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"TOPSECRET","Expiration":"2020-01-02T12:00:00UTC+1"}'`,
			"credential_process: Expiration in its output is not a time with a zone"},
		{"nothing", ``, noJSON},
		{"two objects", `echo '{"Version":1}{"SecretAccessKey":"TOPSECRET"}'`, noJSON},
		{"a wrong type", `echo '{"Version":1,"AccessKeyId":{"x":"TOPSECRET"}}'`, "credential_process: AccessKeyId in its output is not a string"},
		{"a version that is a text", `echo '{"Version":"TOPSECRET"}'`, "credential_process: Version in its output is not a number"},
		{"no date", `echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"TOPSECRET","Expiration":"TOPSECRET"}'`, "credential_process: Expiration in its output is not a time with a zone"},
		{"a date that is no text", `echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"TOPSECRET","Expiration":1}'`, "credential_process: Expiration in its output is not a string"},
		{"another version", `echo '{"Version":2,"AccessKeyId":"A","SecretAccessKey":"TOPSECRET"}'`, "credential_process: wrong version in process output (not 1)"},
		{"no id", `echo '{"Version":1,"SecretAccessKey":"TOPSECRET"}'`, "credential_process: missing AccessKeyId in process output"},
		{"no secret", `echo '{"Version":1,"AccessKeyId":"A","SessionToken":"TOPSECRET"}'`, "credential_process: missing SecretAccessKey in process output"},
		{"a failure", `echo '{"SecretAccessKey":"TOPSECRET"}'; exit 4`, "credential_process: exit status 4"},
		{"killed", `echo TOPSECRET; kill -TERM $$`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			processOf(t, tc.script)
			_, err := retrieve(t.Context(), orders)
			var failed *ProcessError
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want a ProcessError", err)
			}
			if tc.want != "" && err.Error() != tc.want {
				t.Errorf("got %s, want %s", err, tc.want)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "TOPSECRET") {
					t.Errorf("a secret in %s", text)
				}
			}
		})
	}
}

func TestExpiredProcess(t *testing.T) {
	processOf(t, `echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"TOPSECRET","Expiration":"2020-01-02T12:00:00Z"}'`)
	_, err := retrieve(t.Context(), orders)
	var expired *ExpiredError
	if !errors.As(err, &expired) || !expired.At.Equal(time.Date(2020, 1, 2, 12, 0, 0, 0, time.UTC)) || expired.Source != "ProcessProvider" {
		t.Errorf("got %v", err)
	}
}

// To check a profile is to read files: its process isn't run, which may ask a person for something.
func TestCheckProfileRunsNothing(t *testing.T) {
	home := processOf(t, "touch $PID_FILE\n")
	to := orders
	to.Profile = "default"
	if err := New(to, Options{}).Check(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(home, "pid")); err == nil {
		t.Error("the process was run")
	}
	_, _ = retrieve(t.Context(), to)
	if _, err := os.Stat(filepath.Join(home, "pid")); err != nil {
		t.Errorf("nor was it by Retrieve, so that proves nothing: %v", err)
	}
}

// TestAccountOfProcess: an account's number may be a number, and what is none is passed over.
func TestAccountOfProcess(t *testing.T) {
	for given, want := range map[string]string{`"123456789012"`: "123456789012", "123456789012": "123456789012", "null": "", `{"x":1}`: ""} {
		processOf(t, `echo '{"Version":1.0,"AccessKeyId":"A","SecretAccessKey":"s","AccountId":`+given+`}'`)
		c, err := retrieve(t.Context(), orders)
		if err != nil || c.AccountID != want {
			t.Errorf("%s: %q, %v", given, c.AccountID, err)
		}
	}
}

// TestInterruptedProcess: whoever types Ctrl-C has not waited too long.
func TestInterruptedProcess(t *testing.T) {
	processOf(t, "exec sleep 60\n")
	parent, interrupt := context.WithCancel(t.Context())
	ctx, cancel := WithTimeout(parent, 20*time.Second)
	defer cancel()
	time.AfterFunc(300*time.Millisecond, interrupt)
	if _, err := inTime(t, 5*time.Second, ctx, orders); !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

// TestWhatAProcessDependsOn: its credentials are kept for as long as the AWS files, the variables and
// the folder are the same.
func TestWhatAProcessDependsOn(t *testing.T) {
	home := processOf(t, "exit 1\n")
	key := func() string { return New(Source{Profile: "default"}, Options{}).Key() }
	before := key()
	if before != key() {
		t.Error("two keys for the same")
	}
	t.Setenv("AWS_PROFILE", "default")
	other := key()
	if other == before {
		t.Error("another variable, the same key")
	}
	t.Chdir(home)
	elsewhere := key()
	if elsewhere == other {
		t.Error("another folder, the same key")
	}
	if err := os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte("[b]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if key() == elsewhere {
		t.Error("another file, the same key")
	}
}
