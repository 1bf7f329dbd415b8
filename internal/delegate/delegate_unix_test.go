//go:build unix

package delegate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A tree is a folder with programs in it.
type tree struct {
	t    *testing.T
	root string
}

func newTree(t *testing.T) tree {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return tree{t, root}
}

func (d tree) path(name string) string { return filepath.Join(d.root, name) }

func (d tree) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d tree) folder(name string) {
	d.t.Helper()
	d.check(os.MkdirAll(d.path(name), 0o700))
}

func (d tree) script(name, text string, mode os.FileMode) string {
	d.t.Helper()
	d.folder(filepath.Dir(name))
	d.write(name, "#!/bin/sh\n"+text+"\n", mode)
	return d.path(name)
}

// write writes a program. A child that another test starts meanwhile would inherit the open file
// for a moment, in which the program can't be run: "text file busy" (https://go.dev/issue/22315).
func (d tree) write(name, text string, mode os.FileMode) {
	d.t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	d.check(os.WriteFile(d.path(name), []byte(text), mode))
}

func (d tree) helper(name string) { d.script(name, "exit 0", 0o700) }

func (d tree) link(target, name string) {
	d.t.Helper()
	d.folder(filepath.Dir(name))
	d.check(os.Symlink(target, d.path(name)))
}

const x = "mysql-secret-store-x"

func TestFind(t *testing.T) {
	for _, tc := range []struct {
		name    string
		make    func(d tree)
		path    string // PATH, separated by ":"; "@" stands for the tree's root
		argv0   string
		setting string // "x" unless given
		want    string // below the root, or
		missing string // a part of the error
	}{
		{
			name:  "beside us before PATH",
			make:  func(d tree) { d.helper("shell/" + x); d.helper("bin/" + x) },
			path:  "@/bin",
			argv0: "@/shell/mysql-secret-store-rds",
			want:  "shell/" + x,
		},
		{
			name:  "on PATH, in its order",
			make:  func(d tree) { d.helper("b/" + x); d.helper("a/" + x) },
			path:  "@/none:@/b:@/a",
			argv0: "@/shell/mysql-secret-store-rds",
			want:  "b/" + x,
		},
		{
			name: "beside the link that we were called by",
			make: func(d tree) {
				d.helper("shell/" + x)
				d.helper("real/" + x)
				d.helper("real/mysql-secret-store-rds")
				d.link("../real/mysql-secret-store-rds", "shell/mysql-secret-store-rds")
			},
			argv0: "@/shell/mysql-secret-store-rds",
			want:  "shell/" + x,
		},
		{
			name: "not beside its target",
			make: func(d tree) {
				d.helper("real/" + x)
				d.helper("real/mysql-secret-store-rds")
				d.link("../real/mysql-secret-store-rds", "shell/mysql-secret-store-rds")
			},
			argv0:   "@/shell/mysql-secret-store-rds",
			missing: "is neither in @/shell nor on PATH",
		},
		{
			name:  "called by a relative path",
			make:  func(d tree) { d.helper("work/sub/" + x); d.helper("bin/" + x) },
			path:  "@/bin",
			argv0: "sub/../sub/mysql-secret-store-rds",
			want:  "bin/" + x, // whose the working folder is, nobody knows
		},
		{
			name:  "called from the working folder",
			make:  func(d tree) { d.helper("work/" + x); d.helper("bin/" + x) },
			path:  "@/bin",
			argv0: "./mysql-secret-store-rds",
			want:  "bin/" + x,
		},
		{
			name: "called by a bare name",
			make: func(d tree) {
				d.helper("first/" + x)
				d.helper("second/" + x)
				d.helper("second/mysql-secret-store-rds")
			},
			path:  "@/first:@/second",
			argv0: "mysql-secret-store-rds",
			want:  "second/" + x,
		},
		{
			name: "relative entries of PATH",
			make: func(d tree) {
				d.helper("work/" + x)
				d.helper("work/sub/" + x)
				d.helper("bin/" + x)
			},
			path:  ":.:sub:./sub:@/bin",
			argv0: "@/shell/mysql-secret-store-rds",
			want:  "bin/" + x,
		},
		{
			name:    "nothing but relative entries of PATH",
			make:    func(d tree) { d.helper("work/" + x); d.helper("work/sub/" + x) },
			path:    "sub::.",
			argv0:   "@/shell/mysql-secret-store-rds",
			missing: `the helper "x" (mysql-secret-store-x) is neither in @/shell nor on PATH`,
		},
		{
			name: "what can't be run is passed over",
			make: func(d tree) {
				d.script("shell/"+x, "exit 0", 0o600)
				d.link("nowhere", "a/"+x)
				d.folder("b/" + x)
				d.helper("c/" + x)
			},
			path:  "@/a:@/b:@/c",
			argv0: "@/shell/mysql-secret-store-rds",
			want:  "c/" + x,
		},
		{
			name:  "a link to another helper",
			make:  func(d tree) { d.helper("real/helper"); d.link("../real/helper", "shell/"+x) },
			argv0: "@/shell/mysql-secret-store-rds",
			want:  "shell/" + x,
		},
		{
			name: "ourselves, by links",
			make: func(d tree) {
				self := executable(d.t)
				d.link(self, "shell/"+x)
				d.folder("a")
				d.check(os.Link(self, d.path("a/"+x)))
				d.link("../shell/"+x, "b/"+x)
				d.helper("c/" + x)
			},
			path:  "@/a:@/b:@/c",
			argv0: "@/shell/mysql-secret-store-rds",
			want:  "c/" + x,
		},
		{
			name:    "nobody but ourselves",
			make:    func(d tree) { d.link(executable(d.t), "bin/"+x) },
			path:    "@/bin",
			argv0:   "@/shell/mysql-secret-store-rds",
			missing: `the helper "x" (mysql-secret-store-x) is this program itself`,
		},
		{
			name:    "the platform's own",
			make:    func(d tree) { d.helper("shell/mysql-secret-store-" + platform(runtime.GOOS)) },
			argv0:   "@/shell/mysql-secret-store-rds",
			setting: "default",
			want:    "shell/mysql-secret-store-" + platform(runtime.GOOS),
		},
		{
			name:    "an absolute path",
			make:    func(d tree) { d.helper("opt/my-helper"); d.helper("shell/" + x) },
			argv0:   "@/shell/mysql-secret-store-rds",
			setting: "@/opt/my-helper",
			want:    "opt/my-helper",
		},
		{
			name:    "an absolute path to nothing",
			setting: "@/opt/my-helper",
			missing: "the helper @/opt/my-helper can't be run: no such file or directory",
		},
		{
			name:    "an absolute path to a text",
			make:    func(d tree) { d.script("opt/my-helper", "exit 0", 0o600) },
			setting: "@/opt/my-helper",
			missing: "the helper @/opt/my-helper can't be run: permission denied",
		},
		{
			name:    "an absolute path to a folder",
			make:    func(d tree) { d.folder("opt/my-helper") },
			setting: "@/opt/my-helper",
			missing: "the helper @/opt/my-helper can't be run: is a directory",
		},
		{
			name:    "an absolute path to ourselves",
			make:    func(d tree) { d.link(executable(d.t), "opt/my-helper") },
			setting: "@/opt/my-helper",
			missing: "the helper @/opt/my-helper is this program itself",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newTree(t)
			d.folder("work")
			d.folder("shell")
			if tc.make != nil {
				tc.make(d)
			}
			at := func(s string) string { return strings.ReplaceAll(s, "@", d.root) }
			t.Setenv(guard, "")
			t.Setenv("PATH", at(tc.path))
			t.Chdir(d.path("work"))
			setting := at(tc.setting)
			if setting == "" {
				setting = "x"
			}
			got, err := Find(setting, at(tc.argv0))
			if tc.missing != "" {
				var missing *MissingError
				if !errors.As(err, &missing) || missing.Setting != setting || !strings.Contains(err.Error(), at(tc.missing)) {
					t.Errorf("got %q, %v", got.Path, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := d.path(tc.want); got.Path != want {
				t.Errorf("got %s, want %s", got.Path, want)
			}
		})
	}
}

// run runs a helper and returns what it wrote.
func run(t *testing.T, h Helper, input []byte) (code int, stdout, stderr []byte, err error) {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	code, err = h.Run("get", input, files[0], files[1])
	var out [2][]byte
	for i, f := range files {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		out[i] = b
	}
	return code, out[0], out[1], err
}

func everyByte() []byte {
	b := []byte("\r\n{\"SecretType\"\xff\xfe")
	for i := range 256 {
		b = append(b, byte(i))
	}
	return append(bytes.Repeat(b, 1000), "\n\n\x00"...)
}

func TestRunPassesBytes(t *testing.T) {
	t.Parallel()
	d := newTree(t)
	h := Helper{Path: d.script(x, `cat; printf '\000\377\r\n' >&2; exit 3`, 0o700)}
	code, stdout, stderr, err := run(t, h, everyByte())
	if code != 3 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	if !bytes.Equal(stdout, everyByte()) {
		t.Errorf("stdout has %d other bytes", len(stdout))
	}
	if diff := cmp.Diff([]byte("\x00\xff\r\n"), stderr); diff != "" {
		t.Errorf("stderr, -want +got:\n%s", diff)
	}
}

func TestRunArguments(t *testing.T) {
	t.Parallel()
	d := newTree(t)
	h := Helper{Path: d.script(x, `echo "$0|$#|$1|$`+guard+`|${HOME+home}"`, 0o700)}
	_, stdout, _, err := run(t, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := d.path(x) + "|1|get|1|home\n"; string(stdout) != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
}

// TestLibexec: the helper finds what is in MySQL Shell's libexec folder, after all else.
func TestLibexec(t *testing.T) {
	t.Parallel()
	d := newTree(t)
	h := Helper{Path: d.script(x, `echo "$PATH"`, 0o700), Libexec: "/opt/shell/libexec/mysqlsh"}
	_, stdout, _, err := run(t, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := os.Getenv("PATH") + ":/opt/shell/libexec/mysqlsh\n"; string(stdout) != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
}

func TestRunExitCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		script string
		want   int
	}{
		{"exit 0", 0},
		{"exit 1", 1},
		{"exit 255", 255},
		{"kill -TERM $$", 128 + int(syscall.SIGTERM)},
		{"kill -KILL $$", 128 + int(syscall.SIGKILL)},
	} {
		t.Run(tc.script, func(t *testing.T) {
			t.Parallel()
			d := newTree(t)
			// None of them reads its input, which is more than a pipe takes.
			code, _, _, err := run(t, Helper{Path: d.script(x, tc.script, 0o700)}, everyByte())
			if code != tc.want || err != nil {
				t.Errorf("got %d, %v", code, err)
			}
		})
	}
}

func TestRunNotStarted(t *testing.T) {
	t.Parallel()
	d := newTree(t)
	d.write("interpreter", "#!/nowhere/interpreter\n", 0o700)
	d.write("text", "no program\n", 0o700)
	for name, why := range map[string]string{
		"nothing":     "no such file or directory",
		"interpreter": "the interpreter that its first line names is missing",
		"text":        "exec format error",
	} {
		code, _, _, err := run(t, Helper{Path: d.path(name)}, nil)
		if want := "the helper " + d.path(name) + " can't be run: " + why; err == nil || code != 0 || err.Error() != want {
			t.Errorf("%s: %d, %v; want %s", name, code, err, want)
		}
	}
}

// linger is a child that a helper leaves behind with the streams it was given. It is longer than
// anybody waits here.
const linger = `sleep 12 <&0 &`

const patience = 8 * time.Second

func TestRunDoesNotWaitForChildren(t *testing.T) {
	t.Parallel()
	for _, want := range []int{0, 5} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			t.Parallel()
			d := newTree(t)
			h := Helper{Path: d.script(x, fmt.Sprintf("%s exit %d", linger, want), 0o700)}
			start := time.Now()
			code, _, _, err := run(t, h, everyByte())
			if code != want || err != nil {
				t.Errorf("got %d, %v", code, err)
			}
			if took := time.Since(start); took > patience {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		script string
		limit  time.Duration
		want   string
		err    string // after the helper's path
	}{
		{
			name:   "answer",
			script: `test "$1" = list && printf 'not to be seen' >&2 && printf '[\377' && cat`,
			limit:  time.Minute,
			want:   "[\xff{\"SecretType\":\"generic\"}",
		},
		{
			name:   "no answer",
			script: `exec sleep 12`,
			limit:  100 * time.Millisecond,
			err:    " list: no answer within 100ms",
		},
		{
			name:   "no answer, and a child",
			script: `sleep 12; exit 1`,
			limit:  100 * time.Millisecond,
			err:    " list: no answer within 100ms",
		},
		{
			name:   "half an answer",
			script: `printf '[{'; exec sleep 12`,
			limit:  200 * time.Millisecond,
			err:    " list: no answer within 200ms",
		},
		{
			name:   "a child that keeps stdout open",
			script: linger + ` printf '[]'`,
			limit:  time.Minute,
			want:   "[]",
		},
		{
			name:   "failure", // whatever it says may be a secret, and the error is for the log
			script: `echo output; echo '[{"Secret":"hunter2"}]' >&2; exit 4`,
			limit:  time.Minute,
			err:    " list: exit code 4",
		},
		{
			name:   "failure, and a child",
			script: linger + ` exit 4`,
			limit:  time.Minute,
			err:    " list: exit code 4",
		},
		{
			name:   "killed",
			script: `kill -KILL $$`,
			limit:  time.Minute,
			err:    " list: exit code 137",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := newTree(t)
			h := Helper{Path: d.script(x, tc.script, 0o700)}
			start := time.Now()
			got, err := h.List(t.Context(), []byte(`{"SecretType":"generic"}`), tc.limit)
			if took := time.Since(start); took > patience {
				t.Errorf("took %v", took)
			}
			if string(got) != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			switch {
			case tc.err == "" && err != nil:
				t.Error(err)
			case tc.err != "" && (err == nil || err.Error() != h.Path+tc.err):
				t.Errorf("error %v, want %s", err, h.Path+tc.err)
			}
		})
	}
	t.Run("not there", func(t *testing.T) {
		t.Parallel()
		h := Helper{Path: newTree(t).path(x)}
		if got, err := h.List(t.Context(), nil, time.Minute); got != nil || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("the caller gives up", func(t *testing.T) {
		t.Parallel()
		d := newTree(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if got, err := (Helper{Path: d.script(x, "exec sleep 12", 0o700)}).List(ctx, nil, time.Minute); got != nil || err == nil {
			t.Errorf("got %q, %v", got, err)
		}
		if took := time.Since(start); took > patience {
			t.Errorf("took %v", took)
		}
	})
}

// TestNotFromTheWorkingFolder: a bare argv0 that PATH doesn't have says nothing about a folder.
func TestNotFromTheWorkingFolder(t *testing.T) {
	d := newTree(t)
	t.Chdir(filepath.Dir(d.script(x, "exit 0", 0o700)))
	t.Setenv("PATH", "")
	t.Setenv(guard, "")
	h, err := Find("x", "mysql-secret-store-rds")
	var missing *MissingError
	if !errors.As(err, &missing) || !strings.Contains(missing.Reason, "is not on PATH") {
		t.Errorf("found %q, %v", h.Path, err)
	}
}

// TestEndlessAnswer: a helper that never stops talking is ended, on either stream.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	d := newTree(t)
	for _, script := range []string{"exec yes", "exec yes >&2", "trap '' PIPE; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done 2>/dev/null"} {
		h := Helper{Path: d.script("endless", script, 0o755)}
		start := time.Now()
		_, err := h.Ask(t.Context(), "list", nil, 0)
		if err == nil || err.Error() != h.Path+" list: its answer: more than 4 MB" || time.Since(start) > 30*time.Second {
			t.Errorf("%s: %v, after %v", script, err, time.Since(start))
		}
	}
}
