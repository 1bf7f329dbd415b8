package learn

import (
	"context"
	"errors"

	"mysql-secret-store-rds/internal/inventory"
)

// Look asks one profile about a server of an account that is known, and writes what it learns of it
// into the inventory, as [Ask] does. Nobody else is asked, nor a person. Found is false also where
// the account has no such server.
func Look(ctx context.Context, q Question, profile string, o Options) (Report, error) {
	o.Code, o.Login = nil, nil
	a := newAsking(q, o)
	_, err := a.readInventory()
	if _, untrusted := errors.AsType[*inventory.UntrustedError](err); untrusted {
		return Report{}, err
	}
	a.answers = []Answer{{Profile: profile}}
	t := &target{profile: profile}
	if why, _ := a.prepare(t); why != "" || t.region == "" || t.needs != nothing {
		return Report{}, nil
	}
	a.leaveTime(ctx)
	inTime, cancel := a.limit(ctx)
	defer cancel()
	probing, won := context.WithCancel(inTime)
	defer won()
	a.won = won
	a.groups = []*group{{targets: []*target{t}}}
	round(a, probing, a.groups, false, func(g *group) { a.askGroup(probing, g, nothing) })
	wait(probing, &a.wg)
	r := a.report(ctx, inTime)
	r.Found = r.Found && r.Server.Host != ""
	return r, nil
}
