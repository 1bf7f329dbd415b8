//go:build unix

package testbed

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
)

// script makes a helper of a shell script.
func script(t *testing.T, text string) Shell {
	t.Helper()
	dir := t.TempDir()
	helper := filepath.Join(dir, "mysql-secret-store-x")
	// A child that another test starts meanwhile would inherit the open file for a moment, in which
	// it can't be run: "text file busy" (https://go.dev/issue/22315).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(helper, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Shell{Helper: helper, Env: Env(dir), Dir: dir}
}

func TestShellReply(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, script string
		want         Reply
	}{
		{"nothing", ``, Reply{}},
		{"output", `echo reply`, Reply{"reply", 0}},
		{"both streams are one", `echo one; echo two >&2; echo three`, Reply{"one\ntwo\nthree", 0}},
		{"stripped", `printf '\n \t reply with  spaces \r\n\n'`, Reply{"reply with  spaces", 0}},
		{"exit code", `echo no >&2; exit 3`, Reply{"no", 3}},
		{"one word, by the full path", `echo "$#$1 ${0##*/}"; test -x "$0"`, Reply{"1get mysql-secret-store-x", 0}},
		{"the Shell's locale", `echo $LC_ALL`, Reply{"en_US.UTF-8", 0}},
		{"the user's folder", `test -e mysql-secret-store-x`, Reply{}},
		{"input", `cat`, Reply{"the input", 0}},
		{"input that nobody reads", `exec <&-; echo reply`, Reply{"reply", 0}},
		{"bytes", `printf '\000\377'`, Reply{"\x00\xff", 0}},
		{"a lot", `i=0; while test $i -lt 20000; do echo 0123456789; i=$((i+1)); done`, Reply{strings.Repeat("0123456789\n", 19999) + "0123456789", 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sh := script(t, tc.script)
			sh.Env = append(sh.Env, "LC_ALL=C")
			got, err := sh.Call(testContext(t), "get", []byte("the input"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	t.Run("no helper", func(t *testing.T) {
		t.Parallel()
		sh := Shell{Helper: filepath.Join(t.TempDir(), "mysql-secret-store-x")}
		if got, err := sh.Call(testContext(t), "get", nil); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("more input than a pipe takes", func(t *testing.T) {
		t.Parallel()
		got, err := script(t, `exit 2`).Call(testContext(t), "store", bytes.Repeat([]byte("x"), 1<<20))
		if err != nil || got != (Reply{ExitCode: 2}) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// Up to 9.3 stdin stays open for version and list: reading to its end never ends there.
func TestShellStdin(t *testing.T) {
	t.Parallel()
	for _, before94 := range []bool{false, true} {
		for _, command := range []string{"version", "list", "get", "store", "erase"} {
			name := command + " from 9.4"
			if before94 {
				name = command + " before 9.4"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sh := script(t, `cat; echo end`)
				sh.Before94 = before94
				open := before94 && (command == "version" || command == "list")
				limit := 30 * time.Second
				if open {
					limit = 300 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				got, err := sh.Call(ctx, command, []byte("input "))
				switch {
				case open && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("stdin is closed: %+v, %v", got, err)
				case !open && (err != nil || got.Output != "input end"):
					t.Errorf("got %+v, %v", got, err)
				}
			})
		}
	}
}

// A real Shell has no timeout: what would hang it must not pass for an answer.
func TestShellHangs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, script string }{
		{"a child that holds both streams", `sleep 5 & echo '{}'`},
		{"a child that holds stdout", `sleep 5 2>/dev/null & echo '{}'`},
		{"a child that holds stderr", `sleep 5 >/dev/null & echo '{}'`},
		{"a helper that never ends", `exec sleep 5`},
		{"a helper that never ends after its reply", `echo '{}'; exec sleep 5`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sh := script(t, tc.script)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			got, err := sh.Call(ctx, "get", nil)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "mysql-secret-store-x get") || got != (Reply{}) {
				t.Errorf("got %+v, %v", got, err)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	t.Run("a child that holds neither", func(t *testing.T) {
		t.Parallel()
		got, err := script(t, `sleep 5 >/dev/null 2>&1 & echo '{}'`).Call(testContext(t), "get", nil)
		if err != nil || got.Output != "{}" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestShellGet(t *testing.T) {
	t.Parallel()
	const whole = `{"SecretType":"password","SecretID":"a@h","ServerURL":"a@h","Secret":"hunter2"}`
	for _, tc := range []struct {
		name, script string
		before94     bool
		want         string
		err          string
		silent       bool
	}{
		{name: "whole", script: "echo '" + whole + "'", want: "hunter2"},
		{name: "of either generation", script: "echo '" + whole + "'", before94: true, want: "hunter2"},
		{name: "of the old one", script: `echo '{"SecretType":"password","ServerURL":"a@h","Secret":"hunter2"}'`, before94: true, want: "hunter2"},
		{name: "of the old one for the new", script: `echo '{"SecretType":"password","ServerURL":"a@h","Secret":"hunter2"}'`,
			err: `Failed to parse JSON output: Missing member: "SecretID"`},
		{name: "no secret", script: `echo '{"SecretType":"password","SecretID":"a@h","ServerURL":"a@h"}'`, err: `Failed to parse JSON output: Missing member: "Secret"`},
		{name: "a line too many", script: "echo warning >&2; echo '" + whole + "'", err: "Failed to parse JSON output: "},
		{name: "nothing", script: "", err: "Failed to parse JSON output: "},
		{name: "not found", script: "echo Could not find the secret; exit 1", err: "Failed to retrieve the password: Could not find the secret", silent: true},
		{name: "not found, and more", script: "echo Could not find the secret.; exit 1", err: "Failed to retrieve the password: Could not find the secret."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sh := script(t, tc.script)
			sh.Before94 = tc.before94
			got, err := sh.Get(testContext(t), "a@h")
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.HasPrefix(err.Error(), tc.err) {
				t.Errorf("got %q, %v", got, err)
			}
			var failed *HelperError
			if silent := errors.As(err, &failed) && failed.Silent; silent != tc.silent {
				t.Errorf("silent is %v", silent)
			}
		})
	}
}

func TestShellRequest(t *testing.T) {
	t.Parallel()
	const url = `te"st@h`
	for _, tc := range []struct {
		name string
		got  []byte
		want string
	}{
		{"9.4", Shell{}.Request(url), `{"SecretType":"password","SecretID":"te\"st@h","ServerURL":"te\"st@h"}`},
		{"8.0", Shell{Before94: true}.Request(url), `{"SecretType":"password","ServerURL":"te\"st@h"}`},
		{"store", Shell{}.Request("a@h", "pass"), `{"SecretType":"password","SecretID":"a@h","ServerURL":"a@h","Secret":"pass"}`},
	} {
		if string(tc.got) != tc.want {
			t.Errorf("%s: %s", tc.name, tc.got)
		}
	}
}

// A refused password is erased, and never asked for again; one that can't be used isn't sent.
func TestShellLogin(t *testing.T) {
	t.Parallel()
	r, key := startRDS(t)
	for _, tc := range []struct {
		name   string
		token  string
		erase  string // what the helper does then
		calls  string
		number uint16
		err    string
	}{
		{"good", buildToken(t, key, ordersHost+":3306", "eu-west-1", "dba"), "true", "get\n", 0, ""},
		{"refused", "hunter2", "true", "get\nerase\n", 1045, ""},
		{"refused and not erased", "hunter2", "echo stuck; exit 1", "get\nerase\n", 1045, "erase failed: stuck"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sh := script(t, `echo $1 >>calls
case $1 in
get) echo '`+`{"SecretType":"password","SecretID":"x","ServerURL":"x","Secret":"`+tc.token+`"}' ;;
erase) `+tc.erase+` ;;
esac`)
			db, err := sh.Login(testContext(t), "dba@"+ordersHost+":3306", r)
			if db != nil {
				defer db.Close()
			}
			var refused *mysql.MySQLError
			switch {
			case tc.number == 0 && (err != nil || db == nil):
				t.Error(err)
			case tc.number != 0 && (!errors.As(err, &refused) || refused.Number != tc.number || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("got %v", err)
			}
			if b, err := os.ReadFile(filepath.Join(sh.Dir, "calls")); err != nil || string(b) != tc.calls {
				t.Errorf("calls %q, %v", b, err)
			}
		})
	}
}
