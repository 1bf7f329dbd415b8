//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// crowd is how many processes run at once.
const crowd = 200

// errands are what they do, as often as they stand there.
var errands = []struct {
	name string
	call func() call
}{
	{"get", func() call { return get("dba") }},
	{"get", func() call { return get("dba") }},
	{"get", func() call { return get("dba") }},
	{"get, one of 50 users", func() call { return get(user(rand.IntN(50))) }},
	{"get with a role", func() call { return get("dba", "AWS_PROFILE=role") }},
	{"erase", func() call { return erase(user(rand.IntN(50))) }},
	{"list", func() call { return cmd("list") }},
	{"version", func() call { return cmd("version") }},
	{"explain", func() call { return cmd("explain", serverURL("dba")) }},
	{"list-servers", func() call { return cmd("list-servers") }},
	{"discover", func() call { return cmd("discover", "--region", region) }},
	{"cache list", func() call { return cmd("cache", "list") }},
}

// crowded has 200 processes at once do different things in the same home for a while.
func crowded(t *trial) error {
	w, err := t.newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	duration := time.Minute
	if t.short {
		duration = 5 * time.Second
	}
	if err := asError(w.run(cmd("discover", "--region", region)).done()); err != nil {
		return err
	}
	lines, took := map[string]*line{}, map[string][]time.Duration{}
	for _, e := range errands {
		if lines[e.name] == nil {
			what := fmt.Sprintf("%s, among %d processes for %v", e.name, crowd, duration)
			lines[e.name] = t.line(what, "no failure, no wrong token")
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	end := time.Now().Add(duration)
	for range crowd {
		wg.Go(func() {
			for time.Now().Before(end) {
				e := errands[rand.IntN(len(errands))]
				c := e.call()
				o := w.run(c)
				bad := o.done()
				if c.args[0] == "erase" && strings.Contains(bad, "Could not find the secret") {
					bad = ""
				}
				if bad == "" && c.args[0] == "get" {
					bad = w.wrong(o, c.user())
				}
				lines[e.name].try(bad, c.String())
				mu.Lock()
				took[e.name] = append(took[e.name], o.took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for name, l := range lines {
		l.measured = fmt.Sprintf("p50 %v, p99 %v", percentile(took[name], 50), percentile(took[name], 99))
	}
	t.line("afterwards, all files", "whole").try(w.broken(), "afterwards")
	l := t.line("afterwards, files of the cache that are neither tokens nor credentials", "none")
	files, err := os.ReadDir(w.cache())
	for _, f := range files {
		bad := "left over"
		switch filepath.Ext(f.Name()) {
		case ".json", ".creds", ".checked":
			bad = ""
		}
		l.try(bad, f.Name())
	}
	return err
}
