package delegate

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

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
	r, err := h.Ask(ctx, "version", nil, versionLimit)
	return err == nil && r.Code == 0
}

// versionLimit is how long a helper may take to tell its version.
const versionLimit = 5 * time.Second
