//go:build linux

package main

import (
	"fmt"
	"time"

	"mysql-secret-store-rds/internal/cache"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// shifts are how far a clock is off.
var shifts = []time.Duration{
	-10 * year, -day, -time.Hour, -16 * time.Minute, -6 * time.Minute, -time.Minute, -time.Second,
	0, time.Second, time.Minute, 6 * time.Minute, 16 * time.Minute, time.Hour, day, 10 * year,
}

// shifted moves the world instead of the clock, as a Go program asks the kernel for the time itself,
// and can't be told another one by faketime.
func shifted(t *trial) error {
	token := t.line("a kept token that was signed at another time",
		"no token that a server doesn't take, or from the future")
	credentials := t.line("kept credentials that end at another time", "no token that a server doesn't take")
	behind := t.line("an AWS whose clock differs", "no hang, no crash")
	kinds := []struct {
		line *line
		try  func(*world, time.Duration) string
	}{{token, shiftToken}, {credentials, shiftCredentials}, {behind, shiftAWS}}
	each(len(shifts)*len(kinds), 4, func(i int) {
		k, shift := kinds[i%len(kinds)], shifts[i/len(kinds)]
		w, err := t.newWorld()
		if err != nil {
			k.line.try(err.Error(), "a new home")
			return
		}
		defer w.close()
		k.line.try(k.try(w, shift), fmt.Sprint(shift))
	})
	return nil
}

// shiftToken keeps a wrong token, which must not be handed out when its time is over or to come.
func shiftToken(w *world, shift time.Duration) string {
	if bad := w.run(get("dba")).done(); bad != "" {
		return bad
	}
	store := cache.In(w.cache())
	kept, err := store.Get(serverURL("dba"))
	if err != nil {
		return err.Error()
	}
	kept.SignedAt = kept.SignedAt.Add(shift)
	if err := store.Put(kept); err != nil {
		return err.Error()
	}
	before := kept.Token.Reveal()
	time.Sleep(1100 * time.Millisecond) // a token signed in the same second would be the same
	o := w.run(get("dba"))
	if bad := o.done(); bad != "" {
		return bad
	}
	old := shift > 2*time.Second || shift < -cache.YoungAge
	if old && o.password() == before {
		return "the kept token is handed out"
	}
	return w.wrong(o, "dba")
}

func shiftCredentials(w *world, shift time.Duration) string {
	if bad := w.run(get("dba", "AWS_PROFILE=role")).done(); bad != "" {
		return bad
	}
	store := cache.In(w.cache())
	all, problems := store.AllCredentials()
	if len(all) != 1 || len(problems) > 0 {
		return fmt.Sprintf("%d kept credentials, %v", len(all), problems)
	}
	all[0].Expires = time.Now().Add(shift)
	if err := store.PutCredentials(all[0]); err != nil {
		return err.Error()
	}
	calls := w.aws.Calls("AssumeRole")
	o := w.run(get("other", "AWS_PROFILE=role"))
	if bad := o.done(); bad != "" {
		return bad
	}
	if shift <= 0 && w.aws.Calls("AssumeRole") == calls {
		return "credentials that have ended are used"
	}
	return w.wrong(o, "other")
}

func shiftAWS(w *world, shift time.Duration) string {
	w.aws.Skew = shift
	for _, c := range []call{
		get("dba", "AWS_PROFILE=role"), cmd("doctor"), cmd("login", "role"), cmd("discover", "--region", region),
	} {
		if bad := w.run(c).fault(); bad != "" {
			return c.String() + ": " + bad
		}
	}
	return ""
}
