package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const columns, rows = 80, 24

// A terminal is tmux with a shell in it, as a person has it.
type terminal struct {
	ctx    context.Context
	socket string
}

// startTerminal starts a shell whose prompt is "$ ", with no variables but env.
func startTerminal(ctx context.Context, dir string, env []string) (*terminal, error) {
	t := &terminal{ctx, filepath.Join(dir, "tmux")}
	// Histories would be written after the folder has gone.
	command := []string{
		"env", "-i", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "PS1=$ ", "HISTFILE=", "MYSQL_HISTFILE=/dev/null",
	}
	command = append(append(command, env...), "bash", "--norc", "--noprofile", "-i")
	args := []string{"-f", os.DevNull, "new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows)}
	if _, err := t.tmux(append(args, command...)...); err != nil {
		return nil, err
	}
	if _, err := t.wait("$"); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *terminal) close() { _, _ = t.tmux("kill-server") }

func (t *terminal) tmux(args ...string) (string, error) {
	cmd := exec.CommandContext(t.ctx, "tmux", append([]string{"-S", t.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("tmux %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// press sends keys in tmux's words: text, Enter, C-l.
func (t *terminal) press(keys ...string) error {
	args := []string{"send-keys"}
	for _, key := range keys {
		if text, ok := strings.CutSuffix(key, ";"); ok {
			key = text + `\;` // a bare one would end tmux's own command
		}
		args = append(args, key)
	}
	_, err := t.tmux(args...)
	return err
}

// wait waits until the terminal shows the text and has come to rest, and gives what it shows.
func (t *terminal) wait(text string) ([]line, error) {
	before := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		raw, err := t.tmux("capture-pane", "-e", "-p")
		if err != nil {
			return nil, err
		}
		shown := parse(raw)
		for _, l := range shown {
			if raw == before && strings.Contains(l.text(), text) {
				return shown, nil
			}
		}
		before = raw
	}
	return nil, fmt.Errorf("the terminal never showed %q, but:\n%s", text, before)
}
