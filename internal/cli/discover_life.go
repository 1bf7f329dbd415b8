package cli

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"mysql-secret-store-rds/internal/discover"
	"mysql-secret-store-rds/internal/term"
)

// signsOfLife is how often discover says that it still works, where there is no terminal to draw a
// bar on: an AWS that doesn't answer is given two minutes.
const signsOfLife = 10 * time.Second

// sayAlive prints how far discover is, by the last note, until stop is called. It says nothing on a
// terminal.
func sayAlive(w *os.File) (note func(discover.Progress), stop func()) {
	if term.Is(w) {
		return func(discover.Progress) {}, func() {}
	}
	var last atomic.Pointer[discover.Progress]
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(signsOfLife):
			}
			text := "still waiting for AWS"
			if p := last.Load(); p != nil && p.Total > 0 {
				text += fmt.Sprintf(": %d/%d %s, %s", p.Done, p.Total, p.What, count(p.Servers, "server"))
			}
			fmt.Fprintln(w, text)
		}
	}()
	return func(p discover.Progress) { last.Store(&p) }, func() { close(done) }
}
