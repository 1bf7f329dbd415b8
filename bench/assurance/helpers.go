//go:build linux

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// spoken is what a misbehaving program says that nobody may repeat.
const spoken = "spoken-secret-4711"

type misdeed struct{ name, script string }

// endless reports whether the program would go on for ever, if it were let.
func (m misdeed) endless() bool {
	return strings.HasPrefix(m.name, "endless") || strings.Contains(m.name, "hanging")
}

// misdeeds are what another program can do instead of answering. A child that is left behind keeps
// stdout, which is read; stderr is the terminal where login is typed.
var misdeeds = []misdeed{
	{"hanging", "sleep 1000"},
	{"crashing", "kill -SEGV $$"},
	{"endless on stdout", "exec cat /dev/zero"},
	{"endless on stderr", "exec cat /dev/zero >&2"},
	{"closing early", "exec 0<&- 1>&- 2>&-; exit 0"},
	{"closing, then hanging", "exec 0<&- 1>&- 2>&-; sleep 1000"},
	{"leaving a child behind", "sleep 300 2>/dev/null & exit 1"},
	{"leaving a child behind that ignores signals", "(trap '' HUP INT TERM; sleep 300) 2>/dev/null & exit 1"},
	{"speaking secrets", "echo '{\"Secret\":\"" + spoken + "\"'; exit 1"},
	{"answering garbage", "printf '\\000\\377[{'"},
	{"answering 20 MB of [", "head -c 20000000 /dev/zero | tr '\\000' '['"},
	{"answering with what a terminal obeys", "printf '\\033]0;x\\007\\302\\23331m' >&2; exit 1"},
}

// misbehaving puts such programs in the place of the other helper and of a credential_process.
func misbehaving(t *trial) error {
	delegate := t.line("the other helper", "nobody else's password; what it leaves behind doesn't hold up MySQL Shell")
	process := t.line("a credential_process", "no wrong token; its stdout is never repeated")
	saved := t.line("the other helper, when a token is asked for", "no wrong token")
	kinds := []struct {
		line *line
		try  func(w *world, m misdeed) string
	}{{delegate, delegateMisbehaves}, {process, processMisbehaves}, {saved, savedMisbehaves}}
	each(len(misdeeds)*len(kinds), 12, func(i int) {
		m, k := misdeeds[i/len(kinds)], kinds[i%len(kinds)]
		w, err := t.newWorld()
		if err != nil {
			k.line.try(err.Error(), m.name)
			return
		}
		defer w.close()
		start := time.Now()
		k.line.try(k.try(w, m), m.name)
		k.line.time(time.Since(start), m.name)
	})
	return nil
}

// replaceHelper puts a script in the place of the other helper, which always tells its version.
func (w *world) replaceHelper(script string) error {
	path := filepath.Join(w.folder, "other-helper")
	text := "#!/bin/sh\nif test \"$1\" = version; then echo 1.0; exit; fi\n" + script + "\n"
	return errors.Join(
		w.writeAll(map[string]string{path: text, w.configFile(): "delegate: " + path + "\n"}))
}

// delegateMisbehaves makes each call that is passed on. A get for another server is the other
// helper's as it is, without a deadline or a limit: it may be asking a person.
func delegateMisbehaves(w *world, m misdeed) string {
	if err := w.replaceHelper(m.script); err != nil {
		return err.Error()
	}
	calls := []call{cmd("list")}
	if !m.endless() {
		other := []byte(strings.ReplaceAll(string(request("dba")), host, "db.example.com"))
		calls = append(calls, call{args: []string{"get"}, stdin: other}, call{args: []string{"erase"}, stdin: other})
	}
	for _, c := range calls {
		o := w.run(c)
		o.stdout = o.stdout[:min(len(o.stdout), outputLimit/2)] // it was the other helper's own
		if bad := o.fault(); bad != "" {
			return c.String() + ": " + bad
		}
	}
	return ""
}

// discoverP gives a profile two minutes.
var discoverP = call{args: []string{"discover", "--profile", "p", "--region", region}, limit: 130 * time.Second}

func processMisbehaves(w *world, m misdeed) string {
	path := filepath.Join(w.dir, "process")
	err := w.writeAll(map[string]string{
		path:          "#!/bin/sh\n" + m.script + "\n",
		w.awsConfig(): "[profile p]\nregion = " + region + "\ncredential_process = " + path + "\n",
	})
	if err != nil {
		return err.Error()
	}
	calls := []call{get("dba", "AWS_PROFILE=p"), cmd("login", "p"), discoverP}
	switch {
	case w.short && m.endless():
		calls = calls[:1]
	case m.endless(): // login gives it five minutes, as it may be asking a person
		calls = slices.Delete(calls, 1, 2)
	}
	for _, c := range calls {
		o := w.run(c)
		if c.args[0] != "get" { // the process speaks to the terminal itself
			o.stderr = o.stderr[:min(len(o.stderr), outputLimit/2)]
		}
		bad := o.fault()
		if bad == "" && c.args[0] == "get" { // else the process speaks to the terminal itself
			bad = o.unprintable()
		}
		if bad == "" && strings.Contains(o.stdout+o.stderr, spoken) {
			bad = "repeats what the process said"
		}
		if bad == "" && c.args[0] == "get" {
			bad = w.wrong(o, "dba")
		}
		if bad != "" {
			return fmt.Sprintf("%s: %s", c, bad)
		}
	}
	return ""
}

func savedMisbehaves(w *world, m misdeed) string {
	if err := w.replaceHelper(m.script); err != nil {
		return err.Error()
	}
	o := w.run(get("dba"))
	if bad := o.fault(); bad != "" {
		return bad
	}
	return w.wrong(o, "dba")
}
