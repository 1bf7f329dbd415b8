//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var (
	fuzzTest = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	execs    = regexp.MustCompile(`execs: (\d+)`)
)

// fuzzed gives every fuzz test of the module its share of the time. What they find stays in the
// package's testdata.
func fuzzed(t *trial) error {
	total := time.Minute
	if t.short {
		total = 20 * time.Second
	}
	type target struct{ pkg, name string }
	var targets []target
	err := filepath.WalkDir("internal", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range fuzzTest.FindAllSubmatch(text, -1) {
			targets = append(targets, target{"./" + filepath.Dir(path), string(m[1])})
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range targets {
		l := t.line(fmt.Sprintf("%s, %s", strings.TrimPrefix(f.pkg, "./internal/"), f.name), "its property holds")
		fuzz(l, f.pkg, f.name, max(total/time.Duration(len(targets)), time.Second))
	}
	return nil
}

func fuzz(l *line, pkg, name string, share time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), share+3*time.Minute) // it is compiled first
	defer cancel()
	args := []string{"test", "-timeout", "5m", "-run", "^$", "-fuzz", "^" + name + "$", "-fuzztime", share.String(),
		"-fuzzminimizetime", "2s", pkg}
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	tried := 0
	for _, m := range execs.FindAllSubmatch(out, -1) {
		_, _ = fmt.Sscan(string(m[1]), &tried) // digits; the last one counts
	}
	bad := ""
	if err != nil && !timeUp(out) {
		bad = string(out)
		if i := strings.Index(bad, "--- FAIL"); i >= 0 {
			bad = bad[i:]
		}
	}
	l.try(bad, "go "+strings.Join(args[3:], " "))
	l.tried = max(tried, 1)
	l.measured = fmt.Sprintf("%v", share.Round(100*time.Millisecond))
}

// timeUp reports whether a fuzz test failed for nothing but the end of its time: Go's fuzzing engine
// now and then reports its own deadline as a failure (golang.org/issue/48591). An input that fails,
// hangs or ends the test is named in what it prints.
func timeUp(out []byte) bool {
	return bytes.Contains(out, []byte("context deadline exceeded")) &&
		!bytes.Contains(out, []byte("Failing input written")) &&
		!bytes.Contains(out, []byte("hung or terminated"))
}
