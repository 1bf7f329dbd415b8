//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// line is one line of the report. Its methods may be called at the same time.
type line struct {
	section, what, promise string

	mu       sync.Mutex
	tried    int
	faults   []string // each with how it came about
	measured string
	slowest  time.Duration
}

// line starts one.
func (t *trial) line(what, promise string) *line {
	l := &line{section: t.section, what: what, promise: promise}
	t.lines = append(t.lines, l)
	return l
}

// try counts one attempt; fault is what broke the promise, or "".
func (l *line) try(fault, how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tried++
	if fault != "" {
		l.faults = append(l.faults, how+": "+shorten(fault))
	}
}

// time notes what the slowest attempt took.
func (l *line) time(took time.Duration, how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if took > l.slowest {
		l.slowest = took
		l.measured = fmt.Sprintf("slowest: %s, %.1f s", how, took.Seconds())
	}
}

// shorten makes one line of any text, without what a terminal or Markdown would obey.
func shorten(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f || r == '|' || r == '<' || r == '`' {
			return ' '
		}
		return r
	}, s)
	if len(s) > 160 {
		s = s[:160] + "…"
	}
	return s
}

func (l *line) print(w io.Writer) {
	verdict := "ok"
	switch {
	case l.tried == 0:
		verdict = "not tried"
	case len(l.faults) > 0:
		verdict = fmt.Sprintf("BROKEN %d", len(l.faults))
	}
	fmt.Fprintf(w, "  %-10s %6d  %s %s\n", verdict, l.tried, l.what, l.measured)
	for _, f := range l.faults[:min(len(l.faults), 3)] {
		fmt.Fprintf(w, "                     %s\n", f)
	}
}

// report is docs/assurance.md. All its figures come from this run.
func (t *trial) report(took time.Duration) []byte {
	var b bytes.Buffer
	form := "long"
	if t.short {
		form = "short"
	}
	tried, broken := 0, 0
	for _, l := range t.lines {
		tried += l.tried
		broken += len(l.faults)
	}
	fmt.Fprintf(&b, "# Assurance\n\nWritten by `go run ./bench/assurance`: the real program is attacked, in throw-away "+
		"homes, and this is what came out.\nThe %s form took %s on %s/%s with %d processors, at commit %s: "+
		"**%d attempts, %d of them not as promised.**\n",
		form, took.Round(time.Second), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), commit(), tried, broken)
	fmt.Fprintf(&b, "\nUnless a line says otherwise, each attempt also has to end within %v, without a crash, with at most "+
		"%d MiB of memory.\n",
		deadline, memoryLimit>>20)
	section := ""
	for _, l := range t.lines {
		if l.section != section {
			section = l.section
			fmt.Fprintf(&b, "\n## %s\n\n| what was tried | promised | tried | broken | measured |\n", section)
			fmt.Fprint(&b, "|---|---|--:|--:|---|\n")
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s |\n", l.what, l.promise, l.tried, len(l.faults), l.measured)
	}
	if broken > 0 {
		fmt.Fprint(&b, "\n## What was broken\n\nThe first three of each line.\n\n")
	}
	for _, l := range t.lines {
		for _, f := range l.faults[:min(len(l.faults), 3)] {
			fmt.Fprintf(&b, "- %s: %s\n", l.what, f)
		}
	}
	return b.Bytes()
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// percentile returns the time that so many per cent of some are below.
func percentile(times []time.Duration, percent int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	times = slices.Sorted(slices.Values(times))
	return times[min(len(times)*percent/100, len(times)-1)].Round(time.Millisecond)
}

// each calls do for 0 to n-1, so many at once.
func each(n, parallel int, do func(i int)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, parallel)
	for i := range n {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			do(i)
		})
	}
	wg.Wait()
}
