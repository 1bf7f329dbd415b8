// Package shell answers MySQL Shell's five calls.
//
// MySQL Shell reads stdout and stderr through one pipe, as one reply. So a success prints the reply
// and nothing else, a failure prints nothing, its error being for the caller to print in one line;
// nothing is ever printed on the way.
package shell

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/early"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

// Helper answers one call.
type Helper struct {
	Argv0          string // by which the Shell called: the other helper is looked for in its folder
	Stdin          *os.File
	Stdout, Stderr *os.File // the other helper's, too
	Log            *slog.Logger
	Options        password.Options // Log and Cache are set here
}

// Run answers a call of store, get, erase or list. The exit code is the other helper's when the
// call was passed on.
func (h *Helper) Run(ctx context.Context, command string) (exitCode int, err error) {
	h.Log = h.Log.With("command", command)
	defer func() {
		// "Not found" is no failure, and has been logged with its reason.
		if err != nil && err != protocol.ErrNotFound {
			h.Log.Error("failed", "error", advice.Of(password.ForLog(err)).OneLine())
		}
	}()
	if command == "list" {
		return 0, h.list(ctx)
	}
	c, err := h.read(command)
	if err != nil {
		return 1, err
	}
	if !c.ours {
		return c.pass(ctx, "no database server's URL")
	}
	switch command {
	case "get":
		return c.get(ctx)
	case "store":
		return c.store(ctx)
	}
	return c.erase(ctx)
}

// call is a store, get or erase under way.
type call struct {
	*Helper
	command string
	input   []byte // as it came, for the other helper
	req     protocol.Request
	file    stamp.ConfigFile
	engine  *password.Engine
	ours    bool             // it is about a password of a server that may be ours
	server  password.Request // when ours
	tokens  bool             // the server has passwords of ours, so that another helper's is optional
	managed bool             // that is one of AWS Secrets Manager
}

func (h *Helper) read(command string) (*call, error) {
	input, err := early.Input()
	if err != nil {
		return nil, err
	}
	c := &call{Helper: h, command: command, input: input}
	if c.req, err = protocol.DecodeRequest(command, input); err != nil {
		return nil, err
	}
	if c.file, err = early.Config(); err != nil {
		return nil, err
	}
	u, ours := c.req.Server()
	if ours { // only what was understood is logged: anything else might hold a secret
		h.Log = h.Log.With("url", c.req.ID)
	}
	options := h.Options
	options.Log, options.Cache, options.Saved = h.Log, h.openCache(), c.saved
	c.engine = password.New(c.file, options)
	c.ours, c.server = ours, password.Request{ID: c.req.ID, URL: u}
	return c, nil
}

// openCache returns the zero store when there is no place for one.
func (h *Helper) openCache() cache.Store {
	store, err := cache.Open()
	if err != nil {
		h.Log.Warn("no cache", "reason", err)
	}
	return store
}

func (c *call) get(ctx context.Context) (int, error) {
	a, err := c.engine.Get(ctx, c.server)
	if err != nil {
		return 1, err
	}
	switch {
	case a.Saved != nil:
		_, err = c.Stdout.Write(a.Saved)
		return 0, err
	case a.Outcome == resolve.ToDelegate:
		return c.pass(ctx, a.Reason)
	case a.Outcome == resolve.ToNobody:
		c.Log.Info("no credential", "reason", a.Reason)
		return 1, protocol.ErrNotFound
	}
	// Here, and in package early, a password is printed for MySQL Shell; nowhere else.
	_, err = c.Stdout.Write(append(protocol.Credential(c.req.ID, a.Password()), '\n'))
	return 0, err
}

// saved asks the other helper for a password that a person has saved.
func (c *call) saved(ctx context.Context) (reply []byte, found bool) {
	cfg, err := c.engine.Config()
	if err != nil {
		return nil, false
	}
	d, err := delegate.Find(cfg.Delegate, c.Argv0)
	if err != nil {
		return nil, false
	}
	reply, found = password.AskHelper(ctx, d, c.input)
	c.Log.Info("asked for a saved password", "helper", d.Path, "found", found)
	return reply, found
}

func (c *call) store(ctx context.Context) (int, error) {
	if password.IsToken(c.req.Secret) { // it would be saved for good, and is of no use in a quarter of an hour
		c.Log.Info("nothing stored: the secret is an RDS token")
		return 0, nil
	}
	res, err := c.engine.Resolve(ctx, c.server)
	if err != nil {
		return 1, err
	}
	switch {
	case res.Outcome == resolve.ToNobody:
		return 1, errors.New("not stored: " + res.Reason + " says credential: none for this server")
	case res.Outcome == resolve.ToDelegate:
		return c.pass(ctx, res.Reason)
	case res.OnlyIAM:
		c.Log.Info("nothing stored: the server has IAM tokens")
		return 0, nil
	}
	// From now on the saved password counts, and not the token.
	if _, _, err := c.engine.Drop(c.server); err != nil {
		return 1, err
	}
	return c.pass(ctx, "a password that a person saves")
}

// erase drops the token, if there is one: it is what the Shell was given, and the server may have
// refused it. Else it is about a saved password.
func (c *call) erase(ctx context.Context) (int, error) {
	cfg, err := c.engine.Config()
	if err != nil {
		return 1, err
	}
	dropped, hops, err := c.engine.Drop(c.server)
	if err != nil {
		return 1, err
	}
	res, err := c.engine.ResolveBy(ctx, c.server, hops)
	switch {
	case dropped:
		c.Log.Info("token dropped")
		if err == nil && res.Ours() && res.Server == nil { // what the server is may explain it
			c.noteRefusal()
		}
		return 0, nil
	case err != nil:
		return 1, err
	case res.Outcome == resolve.ToDelegate:
		return c.pass(ctx, res.Reason)
	case res.Ours() && !res.OnlyIAM:
		c.tokens, c.managed = true, res.Outcome == resolve.ToSecret
		return c.pass(ctx, "a password that a person has saved")
	}
	return c.nothingToDrop(res.Outcome == resolve.ToToken && !cfg.Cache)
}

// nothingToDrop ends an erase that finds nothing. With the cache off that is no mistake of the
// Shell's: it was given a token. Nor is it where the password was one that isn't kept; the server
// has refused that, as a rotation may be under way.
func (c *call) nothingToDrop(cacheOff bool) (int, error) {
	if c.managed {
		c.Log.Info("nothing to drop: the password is AWS Secrets Manager's")
		c.noteRefusal()
		return 0, nil
	}
	if cacheOff {
		c.Log.Info("nothing to drop: the cache is off")
		return 0, nil
	}
	c.Log.Info("nothing to drop")
	return 1, protocol.ErrNotFound
}

// noteRefusal has the next get look for a reason, or for a newer password.
func (c *call) noteRefusal() {
	if err := c.engine.Refused(c.server); err != nil {
		c.Log.Warn("the next get doesn't look for a reason, or a newer password", "reason", err)
	}
}

// pass hands the call on as it came. Without a delegate there is nothing that get could find; but
// store must not lose a password without a word, nor erase seem to have looked for one.
func (c *call) pass(ctx context.Context, why string) (code int, err error) {
	cfg, err := c.engine.Config()
	if err != nil {
		return 1, err
	}
	d, err := delegate.Find(cfg.Delegate, c.Argv0)
	if err != nil {
		switch {
		case c.command == "erase" && c.tokens:
			return c.nothingToDrop(!cfg.Cache)
		case c.command == "get" || c.command == "erase" && cfg.Delegate == "none":
			c.Log.Info("no delegate", "type", c.req.Type, "why", why, "reason", err)
			return 1, protocol.ErrNotFound
		}
		return 1, &delegate.Error{Err: err, ConfigFile: c.file.Path}
	}
	c.Log.Info("delegated", "type", c.req.Type, "why", why, "helper", d.Path)
	if c.command != "store" {
		return c.passAndRead(ctx, d, cfg)
	}
	if code, err = d.Run(c.command, c.input, c.Stdout, c.Stderr); err != nil { // it has no answer to be read
		return 1, &delegate.Error{Err: err, ConfigFile: c.file.Path}
	}
	return code, nil
}

// passAndRead hands a get or an erase on, and looks at the answer before it is printed. A helper
// that doesn't even tell its version is none, as it is to MySQL Shell: get is called at each login,
// and what it says would be printed each time.
func (c *call) passAndRead(ctx context.Context, d delegate.Helper, cfg *config.Config) (int, error) {
	r, err := d.Ask(ctx, c.command, c.input, 0)
	if err != nil {
		return 1, &delegate.Error{Err: err, ConfigFile: c.file.Path}
	}
	notFound := r.Code != 0 && strings.TrimSpace(string(r.Stdout)+string(r.Stderr)) == string(protocol.ErrNotFound)
	switch {
	case notFound && c.tokens:
		return c.nothingToDrop(!cfg.Cache)
	case r.Code != 0 && !notFound && !r.Signalled && (c.command == "get" || c.tokens) && !d.Works(ctx):
		c.Log.Warn("the delegate doesn't work: it doesn't tell its version", "helper", d.Path)
		return c.nothingToDrop(c.tokens && !cfg.Cache)
	}
	_, errOut := c.Stdout.Write(r.Stdout)
	_, errErr := c.Stderr.Write(r.Stderr)
	return r.Code, errors.Join(errOut, errErr)
}

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
