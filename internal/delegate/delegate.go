// Package delegate hands credentials that aren't ours to another credential helper, byte for
// byte. It is the only part of the helper that runs programs.
package delegate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/disk"
)

// prefix is how every credential helper's file name begins.
const prefix = "mysql-secret-store-"

// guard is set for the delegate, so that a wrapper that leads back to us ends instead of going
// round for ever.
const guard = "MYSQL_SECRET_STORE_RDS_DELEGATING"

// MissingError is a delegate that can't be found.
type MissingError struct {
	Setting string // the configuration's value; "none" when there is to be no delegate
	Reason  string
}

func (e *MissingError) Error() string {
	if e.Setting == "none" {
		return "no other helper is configured (delegate: none)"
	}
	return e.Reason
}

// Error is a password that the other helper should take and can't.
type Error struct {
	Err        error
	ConfigFile string // where another one can be chosen
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Advice implements [advice.Adviser].
func (e *Error) Advice() advice.Problem {
	return advice.Problemf("saved passwords go to another helper, but %v", e.Err).With(e.Choose())
}

// Choose returns the action of choosing another helper.
func (e *Error) Choose() advice.Action {
	return advice.Put("name one that is there (or its path) in "+e.ConfigFile+", or none", "delegate: none")
}

// Helper is another credential helper.
type Helper struct {
	Path string
	// Libexec is a folder of MySQL Shell's that is to be on its PATH, as when the Shell itself
	// calls it: login-path finds mysql_config_editor there. "" is none.
	Libexec string
}

// Name is the helper's name without the common prefix.
func (h Helper) Name() string { return short(h.Path) }

// Name returns the name of the helper that a setting means on a platform (a GOOS): a path means
// what its file's name says.
func Name(setting, goos string) string {
	if name := short(setting); name != "default" {
		return name
	}
	return platform(goos)
}

// platform returns the name of the helper that MySQL Shell uses by default (MySQL Shell guide,
// "Pluggable Password Store").
func platform(goos string) string {
	switch goos {
	case "windows":
		return "windows-credential"
	case "darwin":
		return "keychain"
	}
	return "login-path"
}

// short is a program's name as a setting has it.
func short(path string) string {
	return strings.TrimPrefix(strings.TrimSuffix(filepath.Base(path), ".exe"), prefix)
}

// Find returns the helper that a setting means: "default" (the platform's own), a name or an
// absolute path. A name is looked for in the folder where the Shell found us, which argv0 tells
// and the target of a symbolic link doesn't, and then on PATH. It never finds this program. The
// error is a [*MissingError].
func Find(setting, argv0 string) (Helper, error) {
	missing := func(format string, args ...any) (Helper, error) {
		return Helper{}, &MissingError{setting, fmt.Sprintf(format, args...)}
	}
	if setting == "none" {
		return missing("")
	}
	name := setting
	if name == "default" {
		name = platform(runtime.GOOS)
	}
	if os.Getenv(guard) != "" {
		return missing("the helper %q leads back to this one", name)
	}
	if filepath.IsAbs(setting) {
		path, err := exec.LookPath(setting)
		if err != nil {
			return missing("%v", cantRun(setting, err))
		}
		if isSelf(path) {
			return missing("the helper %s is this program itself", setting)
		}
		return Helper{Path: path}, nil
	}
	self, own := false, ownFolder(argv0)
	for _, dir := range append([]string{own}, filepath.SplitList(os.Getenv("PATH"))...) {
		if !filepath.IsAbs(dir) {
			continue // like os/exec, never from the working folder
		}
		path, err := exec.LookPath(filepath.Join(dir, prefix+name))
		switch {
		case err != nil:
		case isSelf(path):
			self = true
		default:
			return Helper{Path: path}, nil
		}
	}
	switch {
	case self:
		return missing("the helper %q (%s%s) is this program itself", name, prefix, name)
	case own != "":
		return missing("the helper %q (%s%s) is neither in %s nor on PATH", name, prefix, name, own)
	}
	return missing("the helper %q (%s%s) is not on PATH", name, prefix, name)
}

// cantRun words a failure to start a program: the path once, and no system call. The system says
// "no such file" of the interpreter, too, that a script's first line names.
func cantRun(path string, err error) error {
	if inPath, ok := errors.AsType[*fs.PathError](err); ok {
		err = inPath.Err
	} else if inExec, ok := errors.AsType[*exec.Error](err); ok {
		err = inExec.Err
	}
	if _, statErr := os.Stat(path); errors.Is(err, fs.ErrNotExist) && statErr == nil {
		err = errors.New("the interpreter that its first line names is missing")
	}
	return fmt.Errorf("the helper %s can't be run: %w", path, err)
}

// ownFolder is the folder we were called from, or "" when nobody can tell: argv0 may be
// a bare name, or a path that begins in the working folder, which may be anybody's.
func ownFolder(argv0 string) string {
	if !strings.ContainsAny(argv0, "/"+string(filepath.Separator)) {
		argv0, _ = exec.LookPath(argv0) // "" is not absolute
	}
	if !filepath.IsAbs(argv0) {
		return ""
	}
	return filepath.Dir(argv0)
}

func isSelf(path string) bool {
	self, err := os.Executable()
	return err == nil && disk.SameFile(self, path)
}

func (h Helper) command(ctx context.Context, word string, input []byte) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.Path, word)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(os.Environ(), guard+"=1")
	if h.Libexec != "" {
		cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH")+string(filepath.ListSeparator)+h.Libexec)
	}
	cmd.WaitDelay = time.Second // a child that it leaves behind must not hold us up
	return cmd
}

// Run gives the helper a command and its input, and lets it answer on our own streams. It passes
// on the signals that ask us to end, and returns the helper's exit code; an error means that it
// could not be started.
func (h Helper) Run(word string, input []byte, stdout, stderr *os.File) (exitCode int, err error) {
	cmd := h.command(context.Background(), word, input)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	exitCode, _, err = h.wait(cmd)
	return exitCode, err
}

// Reply is a helper's answer to a call.
type Reply struct {
	Stdout, Stderr []byte
	Code           int  // 0 is success
	Signalled      bool // a signal to us, which it was passed on, asked it to end
}

// maxAnswer is much more than a helper has to say, in bytes.
const maxAnswer = 4 << 20

// Ask calls the helper with a command and its input, and keeps the answer. An error is a helper
// that can't be run, that took more than limit, or that said more than [maxAnswer]; a limit of 0 is
// none, as it may be asking a person something. It doesn't repeat what the helper said.
func (h Helper) Ask(ctx context.Context, word string, input []byte, limit time.Duration) (Reply, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	running, kill := context.WithCancel(ctx)
	defer kill()
	cmd := h.command(running, word, input)
	stdout := &disk.Limited{Limit: maxAnswer, OnFull: kill}
	stderr := &disk.Limited{Limit: maxAnswer, OnFull: kill}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	code, signalled, err := h.wait(cmd)
	what := h.Path + " " + word + ": its answer"
	if full := cmp.Or(stdout.Err(what), stderr.Err(what)); full != nil {
		return Reply{}, full
	}
	if ctx.Err() != nil && limit > 0 {
		return Reply{}, fmt.Errorf("%s %s: no answer within %v", h.Path, word, limit)
	}
	return Reply{stdout.Bytes(), stderr.Bytes(), code, signalled}, err
}

// Says returns what a program prints, at most a few lines, such as its version; "" when it fails,
// prints more, or takes longer than limit.
func Says(ctx context.Context, limit time.Duration, path string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	out := &disk.Limited{Limit: 64 << 10, OnFull: cancel}
	cmd.Stdout = out
	if cmd.Run() != nil {
		return ""
	}
	return string(out.Bytes())
}

// Works reports whether the helper tells its version, as MySQL Shell asks each one when it starts:
// one that doesn't is none to it. (login-path doesn't where mysql_config_editor is missing.)
func (h Helper) Works(ctx context.Context) bool {
	r, err := h.Ask(ctx, "version", nil, 5*time.Second)
	return err == nil && r.Code == 0
}

// List asks the helper for its list and keeps the answer. An error is a helper that failed or
// took more than limit. It doesn't repeat what the helper said: the error is for the log.
func (h Helper) List(ctx context.Context, input []byte, limit time.Duration) ([]byte, error) {
	r, err := h.Ask(ctx, "list", input, limit)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("%s list: exit code %d", h.Path, r.Code)
	}
	if err != nil {
		return nil, err
	}
	return r.Stdout, nil
}

// wait runs cmd to its end; signalled is true when it was asked to end by a signal to us.
func (h Helper) wait(cmd *exec.Cmd) (exitCode int, signalled bool, err error) {
	// Caught from before the start, so that no signal can end us and leave the helper alone.
	signals := catchSignals()
	defer close(signals)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, false, cantRun(h.Path, err)
	}
	var passedOn atomic.Bool
	go func() {
		for s := range signals {
			passedOn.Store(true)
			_ = cmd.Process.Signal(s) // it may have ended meanwhile
		}
	}()
	err = cmd.Wait()
	signalled = passedOn.Load()
	switch exit, exited := errors.AsType[*exec.ExitError](err); {
	case exited:
		return exitStatus(exit.ProcessState), signalled, nil
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return 0, signalled, cantRun(h.Path, err)
	}
	return 0, signalled, nil
}
