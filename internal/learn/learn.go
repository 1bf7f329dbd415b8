// Package learn asks the AWS profiles that could reach an unknown server's account about that one
// server, and keeps the answer in the inventory.
package learn

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/server"
)

// Question is a server that nobody knows the account of.
type Question struct {
	Endpoint server.Endpoint
	Region   string // where to ask about a global writer, whose name has none; "": each profile's own
	// Prefer is AWS_PROFILE, if it is set. It signs where nobody knows better, so that the others are
	// only asked if it says that it hasn't the server.
	Prefer string
	// Signer is the profile that signs where nobody knows better, or "". If it has the server, too, it
	// is the one that goes on signing.
	Signer string
}

// Options are what [Ask] needs of the world.
type Options struct {
	Set      *profiles.Set
	Assigned map[string]string // host id or account number → profile, by the user's configuration
	Path     string            // of the inventory
	Store    cache.Store       // of kept credentials and notes; the zero Store keeps nothing
	// Code and Login have a person type an MFA code, or log in to an SSO session that is over; see
	// [credentials.Options]. Where one is nil, the profiles that would need it aren't asked.
	Code  func(ctx context.Context, profile, serial string) (string, error)
	Login func(ctx context.Context, cfg aws.Config, s profiles.SSOSession) error
	Limit time.Duration // of everything but what a person takes; 0: [DefaultLimit]; less where ctx ends soon
	Anew  bool          // take no notes for an answer: ask also who refused within the hour
	User  string        // see [credentials.Source]
	Log   *slog.Logger  // nil logs nothing
}

// DefaultLimit is how long to ask, if nothing else is said.
const DefaultLimit = 5 * time.Second

const (
	// refusalAge is how long a profile that was refused isn't asked again.
	refusalAge = time.Hour
	// nobodyAge is how long it is believed that nobody has a server: long enough for all who wait for
	// the same answer.
	nobodyAge = 10 * time.Second
)

// Ask asks who has a server, and writes what it learns into the inventory, where that is possible.
// Of several processes that ask for the same account's id, one asks AWS, and the others wait for
// what it writes. It ends when ctx does, or when the limit is up. That nobody has the server is no
// error; the only one is an inventory that is there and can't be used, an
// [*inventory.UntrustedError], as what is known mustn't be learned again and again.
func Ask(ctx context.Context, q Question, o Options) (Report, error) {
	a := newAsking(q, o)
	known, err := a.readInventory()
	if err != nil || known.Found {
		return known, err
	}
	a.leaveTime(ctx)
	inTime, cancel := a.limit(ctx)
	defer cancel()
	a.letGo = a.lock(inTime)
	defer a.letGo()
	// Another process may have got the answer, be it that there is none.
	if known, err = a.readInventory(); err != nil || known.Found {
		return known, err
	}
	a.changed = a.Set.Changed()
	a.choose()
	if note := a.nobody(); note != "" {
		return Report{line: note}, nil
	}
	return a.run(ctx, inTime), nil
}

// leaveTime lowers the limit where ctx ends soon: whoever signs then needs some of its time.
func (a *asking) leaveTime(ctx context.Context) {
	if end, ok := ctx.Deadline(); ok {
		a.Limit = min(a.Limit, time.Until(end)*3/4)
	}
}

// lock makes this process the only one that asks the question, or waits until another one has done
// so.
func (a *asking) lock(ctx context.Context) (letGo func()) {
	if a.Store.Dir() == "" {
		return func() {}
	}
	unlock, err := a.Store.LockCredentials(ctx, a.lockKey(), a.Limit*3/4, a.isKnown)
	if unlock != nil {
		return sync.OnceFunc(unlock)
	}
	if err != nil && !errors.Is(err, disk.ErrLetGo) && ctx.Err() == nil {
		a.Log.Warn("asking who has the server without the lock", "reason", err)
	}
	return func() {}
}

// readInventory reads which accounts are known, and reports whether that of the server is.
func (a *asking) readInventory() (Report, error) {
	inv, err := inventory.Open(a.Path)
	if err == nil {
		defer inv.Close()
		a.known, err = inv.Accounts()
	}
	if _, untrusted := errors.AsType[*inventory.UntrustedError](err); untrusted {
		return Report{}, err
	}
	if err != nil { // there is none
		return Report{}, nil
	}
	srv, found, err := inv.Server(a.Endpoint.Host)
	if err != nil {
		return Report{}, err
	}
	account, known := inventory.Account{}, false
	if id := cmp.Or(a.hostID(), srv.HostID); id != "" {
		account, known, err = inv.Account(id, cmp.Or(a.Endpoint.Region, srv.Region))
	}
	if !known && found && a.hostID() == "" && srv.Profile != "" { // a global writer by itself
		account, known = inventory.Account{
			Number: srv.Account, Region: srv.Region, Partition: srv.Partition, Profile: srv.Profile, Seen: srv.Seen,
		}, true
	}
	return Report{Found: known, Account: account, Server: srv}, err
}

// isKnown reports whether the inventory has the answer by now.
func (a *asking) isKnown() bool {
	r, err := a.readInventory()
	return err == nil && r.Found
}

// hostID is the id of an account in the region that the server's name has. A global writer's name
// has one of another kind, which tells nothing of other servers.
func (a *asking) hostID() string {
	if a.Endpoint.Kind == server.GlobalWriter {
		return ""
	}
	return a.Endpoint.HostID
}

// lockKey stands for the question, in all processes.
func (a *asking) lockKey() string {
	if id := a.hostID(); id != "" {
		return "learn " + id + " " + a.Endpoint.Region
	}
	return "learn " + a.Endpoint.Host
}
