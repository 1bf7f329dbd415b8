//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// deadline is the 20 seconds that a call may take as it comes, and what a busy machine adds.
	deadline = 25 * time.Second
	// streamsLimit is how long its streams may stay open after it, on a busy machine.
	streamsLimit = 10 * time.Second
	// memoryLimit is what a call may need.
	memoryLimit = 128 << 20
	// addressLimit keeps the machine alive when a call needs far more. Go reserves some of it unused.
	addressLimit = 4 << 30
	// outputLimit is as much as anybody would read.
	outputLimit = 64 << 10
)

// call is one run of the program.
type call struct {
	args  []string
	stdin []byte
	env   []string      // beside the world's
	after time.Duration // SIGKILL; 0 is not
	limit time.Duration // instead of deadline
	under []string      // a program that runs it, with its arguments
}

func (c call) String() string { return strings.Join(c.args, " ") }

// get is MySQL Shell's.
func get(user string, env ...string) call {
	return call{args: []string{"get"}, stdin: request(user), env: env}
}

// outcome is how it ended.
type outcome struct {
	stdout, stderr string
	code           int // -1: by a signal
	took           time.Duration
	memory         int64
	hung           bool
}

// run runs the program in a session of its own, so that it has no terminal.
func (w *world) run(c call) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(c.limit, deadline))
	defer cancel()
	args := append(slices.Clone(c.under), append([]string{w.program}, c.args...)...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin = append(slices.Clone(w.env), c.env...), w.dir, bytes.NewReader(c.stdin)
	var stdout, stderr head
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, streamsLimit
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return outcome{stderr: err.Error(), code: -1}
	}
	_ = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: addressLimit, Max: addressLimit}, nil)
	if c.after > 0 {
		kill := time.AfterFunc(c.after, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
	}
	ended, most := make(chan struct{}), make(chan int64, 1)
	go func() { most <- peak(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	close(ended)
	o := outcome{stdout: stdout.text(), stderr: stderr.text(), took: time.Since(start),
		code: cmd.ProcessState.ExitCode()}
	o.hung = ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay)
	if o.hung { // what it has started goes, too
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	o.memory = <-most
	return o
}

// peak returns the largest amount of memory that a process had until shortly before it ended.
// What wait4(2) says of that has this process's own in it.
func peak(pid int, ended <-chan struct{}) (most int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return most
		case <-tick.C:
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		fields := strings.Fields(rest)
		if len(fields) > 0 {
			kib, _ := strconv.ParseInt(fields[0], 10, 64) // the kernel's own number
			most = max(most, kib<<10)
		}
	}
}

// fault says what is wrong with any run, or "".
func (o outcome) fault() string {
	switch all := o.stdout + o.stderr; {
	case o.hung:
		return fmt.Sprintf("still there, or its streams still open, after %.1f s", o.took.Seconds())
	case strings.Contains(all, "goroutine 1 ["), strings.Contains(all, "fatal error: "), o.code < 0:
		return fmt.Sprintf("crashed: exit code %d: %s", o.code, all)
	case o.memory > memoryLimit:
		return fmt.Sprintf("needed %d MiB", o.memory>>20)
	case len(all) > outputLimit:
		return "printed more than anybody would read"
	}
	return ""
}

// unprintable says which character in the output a terminal would obey, if one does.
func (o outcome) unprintable() string {
	for _, r := range o.stdout + o.stderr {
		bidi := r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || bidi {
			return fmt.Sprintf("the character U+%04X reaches the terminal", r)
		}
	}
	return ""
}

// done is the fault, or that it did not succeed.
func (o outcome) done() string {
	if o.fault() == "" && o.code != 0 {
		return fmt.Sprintf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
	}
	return o.fault()
}

// head keeps the beginning of an output, and forgets the rest.
type head struct{ b bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	h.b.Write(p[:min(len(p), 2*outputLimit-h.b.Len())])
	return len(p), nil
}

func (h *head) text() string { return h.b.String() }
