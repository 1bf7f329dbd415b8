package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

// Apply does what is open, tells the end of each such step by its index, and notes what Undo needs.
// It goes on after a step that fails, and returns all errors. One process at a time does so; what
// another has done since the plan was made counts as done.
func (p Plan) Apply(tell func(step int, err error)) error {
	open := func(s Step) bool { return !s.Done && (s.Needs == "" || s.note != nil) }
	if !slices.ContainsFunc(p.Steps, open) {
		sweep(p.lock)
		return nil
	}
	todo := p.Steps
	unlock, failed := lock(p.lock)
	if failed == nil {
		defer unlock()
		todo, failed = p.renew()
	}
	var problems []error
	for i, s := range p.Steps {
		if !open(s) {
			continue
		}
		err := failed
		if now := current(s, todo); err == nil && !now.Done {
			if err = errors.New("it has changed meanwhile: run setup again"); (now.Needs == "") == (s.Needs == "") {
				err = p.apply(now)
			}
		}
		if s.Needs == "" {
			tell(i, err)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// patience is how long one setup waits for another.
const patience = 10 * time.Second

// lock keeps other processes from the state, and from all that it stands for.
func lock(file string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	unlock, err = disk.Mutex(ctx, file)
	switch {
	case err == nil:
		return unlock, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("another setup is at work, and holds %s: let it go on, or end it", file)
	}
	return func() {}, nil // as no other can lock it, either
}

// sweep removes the lock's file that a setup which was killed has left.
func sweep(file string) {
	if _, err := os.Lstat(file); err != nil {
		return
	}
	if unlock, err := disk.TryMutex(file); err == nil && unlock != nil {
		unlock()
	}
}

// current returns what there is to do now of a step; nothing when nobody sees to its file any more.
func current(s Step, todo []Step) Step {
	i := slices.IndexFunc(todo, func(now Step) bool { return now.file == s.file })
	if i < 0 {
		return Step{Done: true}
	}
	return todo[i]
}

// renew returns the steps as they are now, which are the plan's own unless another process has been
// at work since.
func (p *Plan) renew() ([]Step, error) {
	now, err := readState(p.file, p.old)
	if err != nil || reflect.DeepEqual(now, p.state) {
		return p.Steps, err
	}
	again, err := p.again()
	if err != nil {
		return p.Steps, err
	}
	p.state = again.state
	return again.Steps, nil
}

func (p *Plan) apply(s Step) error {
	before := p.state
	before.Options, before.Files = slices.Clone(before.Options), slices.Clone(before.Files)
	if s.note != nil {
		err := s.note(&p.state)
		if err == nil {
			err = writeState(p.file, &p.state)
		}
		if err != nil || s.do == nil {
			return err
		}
	}
	err := s.do(&p.state)
	if err != nil {
		before.Dirs = p.state.Dirs // they may be there
		p.state = before
	}
	return errors.Join(err, writeState(p.file, &p.state))
}
