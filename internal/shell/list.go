package shell

import (
	"context"
	"errors"
	"time"

	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/early"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/term"
)

const (
	// listWait is how long list waits for a request that may not come: Shells before 9.4 leave
	// stdin open and silent, later ones write to it at once.
	listWait = 250 * time.Millisecond
	// delegateListLimit is how long the other helper's list may take; a key ring may be asking
	// for its password.
	delegateListLimit = 15 * time.Second
)

// list prints the servers of the kept tokens, and then whatever the other helper lists.
func (h *Helper) list(ctx context.Context) error {
	input := h.readBriefly()
	filter, err := protocol.DecodeFilter(input)
	if err != nil {
		return err
	}
	file, err := early.Config()
	if err != nil {
		return err
	}
	cfg, err := config.Parse(file.Path, file.Data)
	if err != nil {
		return err
	}
	var ours []string
	if cfg.Cache {
		var problems []error
		ours, problems = h.openCache().List()
		for _, p := range problems {
			h.Log.Warn("cache entry not used", "reason", p)
		}
	}
	var theirs []byte
	d, theirProblem := delegate.Find(cfg.Delegate, h.Argv0)
	if theirProblem == nil {
		theirs, theirProblem = d.List(ctx, input, delegateListLimit)
	}
	reply, err := protocol.List(ours, theirs, filter)
	if theirProblem = errors.Join(theirProblem, err); theirProblem != nil {
		h.Log.Warn("listed without the delegate", "ours", len(ours), "reason", theirProblem)
	} else {
		h.Log.Info("listed", "ours", len(ours), "helper", d.Path)
	}
	_, err = h.Stdout.Write(append(reply, '\n'))
	return err
}

// readBriefly reads what list was given. It ends at the end of the input, at the end of one
// whole JSON value, or, while nothing has come, after listWait. A sender that has begun gets ten
// times as long to finish.
func (h *Helper) readBriefly() []byte {
	if term.Is(h.Stdin) {
		return nil
	}
	chunks := make(chan []byte)
	go func() {
		defer close(chunks)
		for {
			buf := make([]byte, 4096)
			n, err := h.Stdin.Read(buf)
			if n > 0 {
				chunks <- buf[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	var input []byte
	timer := time.After(listWait)
	for {
		select {
		case chunk, open := <-chunks:
			if !open {
				return input
			}
			if len(input) == 0 {
				timer = time.After(10 * listWait)
			}
			if input = append(input, chunk...); protocol.Complete(input) {
				return input
			}
		case <-timer:
			return input
		}
	}
}
