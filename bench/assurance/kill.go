//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/inventory"
)

// patience is how much longer than usual a call may take after another one was killed.
const patience = time.Second

// killable are the calls that are killed, and then made again; undo is the call by which nothing
// of them remains.
var killable = []struct {
	name    string
	before  func(w *world, i int) error
	call    func(i int) call
	undo    call
	perHand int // one in so many of all kills
}{
	{"get", nil, func(i int) call { return get(user(i)) }, cmd("cache", "clear"), 3},
	{"get with a role", dropCredentials, func(i int) call { return get(user(i), "AWS_PROFILE=role") },
		cmd("cache", "clear"), 6},
	{"erase", getFirst, func(i int) call { return erase(user(i)) }, cmd("cache", "clear"), 7},
	{"list", nil, func(int) call { return cmd("list") }, cmd("cache", "clear"), 12},
	{"discover", nil, func(int) call { return cmd("discover", "--region", region) }, cmd("cache", "clear"), 6},
	{"setup", nil, func(int) call { return cmd("setup", "--yes") }, undoSetup, 12},
	{"setup --undo", setUp, func(int) call { return undoSetup }, undoSetup, 12},
	{"login, of a role", dropCredentials, func(int) call { return cmd("login", "role") }, cmd("logout", "role"), 12},
	{"login, of SSO", expireLogin, func(int) call { return cmd("login", "--no-browser", "sso") }, cmd("logout", "sso"),
		30},
}

var undoSetup = cmd("setup", "--undo", "--yes")

// user is a database user for the i-th call, so that no token is kept already.
func user(i int) string { return fmt.Sprintf("u%d", i) }

func erase(user string) call { return call{args: []string{"erase"}, stdin: request(user)} }

func dropCredentials(w *world, _ int) error {
	files, err := filepath.Glob(filepath.Join(w.cache(), "*.creds"))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

func getFirst(w *world, i int) error { return asError(w.run(get(user(i))).done()) }

func setUp(w *world, _ int) error { return asError(w.run(cmd("setup", "--yes")).done()) }

func expireLogin(w *world, _ int) error {
	_, err := w.ssoLogin(-time.Minute) // can be renewed
	return errors.Join(err, dropCredentials(w, 0))
}

func asError(fault string) error {
	if fault == "" {
		return nil
	}
	return errors.New(fault)
}

// killed kills calls at random moments of their usual time, and looks at what they leave.
func killed(t *trial) error {
	kills := 1000
	if t.short {
		kills = 60
	}
	errs := make([]error, len(killable))
	whole := make([]*line, len(killable))
	again, behind := make([]*line, len(killable)), make([]*line, len(killable))
	for i, k := range killable {
		whole[i] = t.line(k.name+": killed", "every file whole")
		again[i] = t.line(k.name+": the same call afterwards",
			"succeeds, no wrong token, at most 1 s longer than usual")
		behind[i] = t.line(k.name+": then undone", "nothing is left behind")
	}
	each(len(killable), 2, func(i int) {
		n := (kills + killable[i].perHand - 1) / killable[i].perHand
		errs[i] = t.kill(i, n, whole[i], again[i], behind[i])
	})
	return errors.Join(errs...)
}

func (t *trial) kill(which, times int, whole, again, behind *line) error {
	k := killable[which]
	w, err := t.newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	at := -1
	prepare := func() error {
		at++
		if k.before == nil {
			return nil
		}
		return k.before(w, at)
	}
	usual, err := w.usual(k.name, prepare, func() call { return k.call(at) })
	if err != nil {
		return err
	}
	w.run(k.undo)
	clean := w.names()
	slowest, typical := slices.Max(usual), percentile(usual, 50)
	killed, waited := 0, []time.Duration{}
	for i := range times {
		if err := prepare(); err != nil {
			return err
		}
		c := k.call(at)
		c.after = 1 + rand.N(typical*11/10)
		moment := fmt.Sprintf("killed after %v", c.after.Round(time.Microsecond))
		if w.run(c).code < 0 {
			killed++
		}
		whole.try(w.broken(), moment)
		o := w.run(k.call(at))
		bad := o.done()
		if strings.Contains(bad, "Could not find the secret") { // it was erased before it was killed
			bad = o.fault()
		}
		if bad == "" && c.args[0] == "get" {
			bad = w.wrong(o, c.user())
		}
		if bad == "" && o.took > slowest+patience {
			bad = fmt.Sprintf("took %v", o.took)
		}
		again.try(bad, moment)
		waited = append(waited, o.took)
		if c.args[0] == "setup" || at%10 == 0 || i == times-1 {
			w.run(k.undo)
			now := w.names()
			behind.try(more(now, clean), moment)
			clean = append(clean, now...) // each counts once
		}
	}
	whole.measured = fmt.Sprintf("%d killed before they ended", killed)
	again.measured = fmt.Sprintf("p50 %v, p99 %v", percentile(waited, 50), percentile(waited, 99))
	return nil
}

// usual returns what a few calls take that nobody kills.
func (w *world) usual(name string, prepare func() error, next func() call) (took []time.Duration, err error) {
	for range 5 {
		if err := prepare(); err != nil {
			return nil, err
		}
		o := w.run(next())
		if bad := o.done(); bad != "" {
			return nil, fmt.Errorf("%s, before anything was killed: %s", name, bad)
		}
		took = append(took, o.took)
	}
	return took, nil
}

// broken says which file of the program isn't whole.
func (w *world) broken() string {
	_, problems := cache.In(w.cache()).Tokens()
	_, more := cache.In(w.cache()).AllCredentials()
	problems = append(problems, more...)
	if inv, err := inventory.Open(w.inventory()); err == nil {
		_, _, err = inv.All()
		problems = append(problems, err, inv.Close())
	} else if _, there := os.Stat(w.inventory()); there == nil {
		problems = append(problems, err)
	}
	if text, err := os.ReadFile(w.configFile()); err == nil {
		_, err = config.Parse(w.configFile(), text)
		problems = append(problems, err)
	}
	logins, _ := filepath.Glob(w.awsFile("sso/cache/*.json")) // the pattern is good
	for _, path := range append(logins, w.options(), w.setupNotes(), w.uses()) {
		if text, err := os.ReadFile(path); err == nil && !json.Valid(text) {
			problems = append(problems, fmt.Errorf("%s is not whole: %d bytes", filepath.Base(path), len(text)))
		}
	}
	if text, err := os.ReadFile(w.zshrc()); err != nil || !strings.HasPrefix(string(text), "# mine\n") {
		problems = append(problems, errors.New(".zshrc has lost what was in it"))
	}
	if err := errors.Join(problems...); err != nil {
		return err.Error()
	}
	return ""
}
