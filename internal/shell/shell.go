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

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/early"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/stamp"
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
		return c.pass("no database server's URL")
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
}

// read reads the request and the configuration file.
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
	options.Log, options.Cache = h.Log, h.openCache()
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
	switch a.Outcome {
	case resolve.ToDelegate:
		return c.pass(a.Reason)
	case resolve.ToNobody:
		c.Log.Info("no credential", "reason", a.Reason)
		return 1, protocol.ErrNotFound
	}
	// Here, and in package early, a token is printed for MySQL Shell; nowhere else.
	_, err = c.Stdout.Write(append(protocol.Credential(c.req.ID, a.Token.Token), '\n'))
	return 0, err
}

func (c *call) store(ctx context.Context) (int, error) {
	res, err := c.engine.Resolve(ctx, c.server)
	if err != nil {
		return 1, err
	}
	switch res.Outcome {
	case resolve.ToDelegate:
		return c.pass(res.Reason)
	case resolve.ToNobody:
		return 1, errors.New("not stored: " + res.Reason + " says credential: none for this server")
	}
	c.Log.Info("nothing stored: the server has IAM tokens")
	return 0, nil
}

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
	case err == nil && res.Outcome == resolve.ToDelegate && (!dropped || c.delegateLists(ctx)):
		return c.pass(res.Reason)
	case dropped:
		c.Log.Info("token dropped")
		return 0, nil
	case err != nil:
		return 1, err
	case res.Outcome == resolve.ToToken && !cfg.Cache:
		c.Log.Info("nothing to drop: the cache is off")
		return 0, nil
	}
	// Not the delegate's, even if it lists one: this may be a Shell's answer to a refused token
	// that another Shell has erased already, and the password from the time before tokens would be
	// lost.
	c.Log.Info("nothing to drop")
	return 1, protocol.ErrNotFound
}

// delegateLists reports whether the delegate has a password for the request's Server URL.
func (c *call) delegateLists(ctx context.Context) bool {
	cfg, err := c.engine.Config()
	if err != nil {
		return false
	}
	d, err := delegate.Find(cfg.Delegate, c.Argv0)
	if err != nil {
		return false
	}
	list, err := d.List(ctx, protocol.Filter(c.req.Type), delegateListLimit)
	return err == nil && protocol.Listed(list, c.req.Type, c.req.ID)
}

// pass hands the call on as it came. Without a delegate there is nothing that get could find; but
// store must not lose a password without a word, nor erase seem to have looked for one.
func (c *call) pass(why string) (int, error) {
	cfg, err := c.engine.Config()
	if err != nil {
		return 1, err
	}
	d, err := delegate.Find(cfg.Delegate, c.Argv0)
	if err != nil {
		if c.command == "get" || c.command == "erase" && cfg.Delegate == "none" {
			c.Log.Info("no delegate", "type", c.req.Type, "why", why, "reason", err)
			return 1, protocol.ErrNotFound
		}
		return 1, &delegate.Error{Err: err, ConfigFile: c.file.Path}
	}
	c.Log.Info("delegated", "type", c.req.Type, "why", why, "helper", d.Path)
	code, err := d.Run(c.command, c.input, c.Stdout, c.Stderr)
	if err != nil {
		return 1, &delegate.Error{Err: err, ConfigFile: c.file.Path}
	}
	return code, nil
}
