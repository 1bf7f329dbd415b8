//go:build linux

// Assurance attacks the real program, and writes down what came out: each attack is a file of this
// package, and each line of its report says what was tried, how often, what was promised, and how
// often that was broken. It fails when any promise was. Everything happens in throw-away homes,
// against testbed's servers on 127.0.0.1.
//
//	go run ./bench/assurance [-short] [-only ATTACK] [-report FILE]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// attacks are all of them, in the report's order.
var attacks = []struct {
	name, about string
	run         func(*trial) error
}{
	{"kill", "Killed at a random moment", killed},
	{"crowd", "Many processes at once", crowded},
	{"files", "Files that are not what they should be", spoiled},
	{"disk", "Disks and homes that refuse", refused},
	{"clock", "Clocks that are wrong", shifted},
	{"aws", "An AWS that misbehaves", hostile},
	{"helpers", "Other helpers and credential processes that misbehave", misbehaving},
	{"leaks", "Secrets in places where they don't belong", leaked},
	{"fuzz", "Fuzz tests", fuzzed},
}

// trial is what the attacks share.
type trial struct {
	short           bool
	dir             string // for homes
	program, helper string // the real program, and a helper to delegate to
	lines           []*line
	section         string
}

func main() {
	short := flag.Bool("short", false, "a minute or two instead of ten")
	only := flag.String("only", "", "one attack: kill, crowd, files, disk, clock, aws, helpers, leaks, fuzz")
	file := flag.String("report", "docs/assurance.md", "where the report goes; \"\" is nowhere")
	flag.Parse()
	broken, err := assure(*short, *only, *file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	if err != nil || broken > 0 {
		os.Exit(1)
	}
}

// assure runs the attacks and writes the report; broken is how many of its lines are not as promised.
func assure(short bool, only, report string) (broken int, err error) {
	dir, err := os.MkdirTemp("", "assurance")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	t := &trial{short: short, dir: dir}
	if t.program, err = testbed.BuildHelper(context.Background(), dir); err != nil {
		return 0, err
	}
	if t.helper, err = testbed.BuildFakeHelper(context.Background(), dir); err != nil {
		return 0, err
	}
	begun, ran := time.Now(), 0
	for _, a := range attacks {
		if only != "" && a.name != only {
			continue
		}
		ran++
		t.section = a.about
		start := time.Now()
		if err := a.run(t); err != nil {
			t.line("the attack itself", "can be made").try(err.Error(), a.name)
		}
		fmt.Printf("%s: %.0f s\n", a.about, time.Since(start).Seconds())
		for _, l := range t.lines {
			if l.section == a.about {
				l.print(os.Stdout)
			}
		}
	}
	if ran == 0 {
		return 0, fmt.Errorf("no attack %q", only)
	}
	for _, l := range t.lines {
		if len(l.faults) > 0 {
			broken++
		}
	}
	fmt.Printf("%d lines, %d not as promised, %.0f s\n", len(t.lines), broken, time.Since(begun).Seconds())
	if report == "" || only != "" {
		return broken, nil
	}
	return broken, os.WriteFile(filepath.FromSlash(report), t.report(time.Since(begun)), 0o644)
}
