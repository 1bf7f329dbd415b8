package cli

import (
	"fmt"
	"os"
	"sync"
	"time"

	"mysql-secret-store-rds/internal/discover"
	"mysql-secret-store-rds/internal/term"
)

// signsOfLife is how often discover says that it still works, where there is no terminal to draw a
// bar on: an AWS that doesn't answer is given two minutes.
const signsOfLife = 10 * time.Second

// life is how far discover has come, for who reads a log.
type life struct {
	mu sync.Mutex
	at discover.Progress
}

// sayAlive prints how far discover is, until stop is called. It says nothing on a terminal.
func sayAlive(w *os.File) (note func(discover.Progress), stop func()) {
	if term.Is(w) {
		return func(discover.Progress) {}, func() {}
	}
	l := &life{}
	ticker, done := time.NewTicker(signsOfLife), make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				fmt.Fprintln(w, l.text())
			}
		}
	}()
	return l.note, func() {
		ticker.Stop()
		close(done)
	}
}

func (l *life) note(p discover.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = p
}

func (l *life) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.Total == 0 {
		return "still waiting for AWS"
	}
	return fmt.Sprintf("still waiting for AWS: %d/%d %s, %s", l.at.Done, l.at.Total, l.at.What,
		count(l.at.Servers, "server"))
}
