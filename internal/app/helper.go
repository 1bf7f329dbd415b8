package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/cname"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/configfile"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/delegate"
	"mysql-secret-store-rds/internal/early"
	"mysql-secret-store-rds/internal/identity"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/serverurl"
	"mysql-secret-store-rds/internal/token"
)

const (
	// listWait is how long list waits for a request that may not come: Shells before 9.4 leave
	// stdin open and silent, later ones write to it at once.
	listWait = 250 * time.Millisecond
	// delegateListLimit is how long the other helper's list may take; a key ring may be asking
	// for its password.
	delegateListLimit = 15 * time.Second
)

// helper answers one call of MySQL Shell.
type helper struct {
	args                  []string
	stdin, stdout, stderr *os.File
	log                   *slog.Logger
}

// run answers a call. The exit code is the delegate's when the call was passed on.
func (h *helper) run(command string) (exitCode int, err error) {
	h.log = h.log.With("command", command)
	defer func() {
		// "Not found" is no failure, and has been logged with its reason.
		if err != nil && err != protocol.ErrNotFound {
			h.log.Error("failed", "error", oneLine(describe(withoutQuote(err))))
		}
	}()
	if command == "list" {
		return exitOK, h.list()
	}
	input, err := early.Input(h.stdin)
	if err != nil {
		return exitFail, err
	}
	req, err := protocol.DecodeRequest(command, input)
	if err != nil {
		return exitFail, err
	}
	file, err := configfile.Read(os.Getenv(configfile.Env))
	if err != nil {
		return exitFail, err
	}
	c := &call{helper: h, command: command, input: input, req: req, file: file}
	u, isServer := c.serverURL()
	if !isServer {
		return c.delegate("no database server's URL")
	}
	c.openCache()
	switch command {
	case "get":
		return c.get(u)
	case "store":
		return c.store(u)
	}
	return c.erase(u)
}

// call is a store, get or erase under way.
type call struct {
	*helper
	command string
	input   []byte // as it came, for the delegate
	req     protocol.Request
	file    configfile.File
	cfg     *config.Config
	kept    cache.Store
	warned  bool // of an untrusted entry
}

// serverURL says whether the request is about a password of a server that may be ours.
func (c *call) serverURL() (serverurl.URL, bool) {
	u, ok := early.Server(c.req)
	if ok { // only what was understood is logged: anything else might hold a secret
		c.log = c.log.With("url", c.req.ID)
	}
	return u, ok
}

// entry reads the cache; what is there but not to be trusted is logged.
func (c *call) entry() (cache.Entry, bool) {
	e, err := c.kept.Get(c.req.ID)
	if err != nil && err != cache.ErrAbsent && !c.warned {
		c.log.Warn("cache entry not used", "reason", err)
		c.warned = true
	}
	return e, err == nil
}

func (c *call) openCache() {
	var err error
	if c.kept, err = cache.Open(os.Getenv(cache.EnvDir)); err != nil {
		c.log.Warn("no cache", "reason", err)
	}
}

func (c *call) get(u serverurl.URL) (int, error) {
	o, err := c.obtain(context.Background(), u)
	if err != nil {
		return exitFail, err
	}
	switch o.outcome {
	case resolve.ToDelegate:
		return c.delegate(o.reason)
	case resolve.ToNobody:
		c.log.Info("no credential", "reason", o.reason)
		return exitFail, protocol.ErrNotFound
	}
	// Here, and in package early, a token is printed for MySQL Shell; nowhere else.
	_, err = c.stdout.Write(append(protocol.Credential(c.req.ID, o.entry.Token), '\n'))
	return exitOK, err
}

// obtained is who answers for a Server URL, and the token when it is us.
type obtained struct {
	outcome resolve.Outcome
	reason  string // why not us
	entry   cache.Entry
}

// obtain gives the token for u: the cached one, or a new one.
func (c *call) obtain(ctx context.Context, u serverurl.URL) (obtained, error) {
	who := identity.Current()
	e, have := c.entry()
	if have && e.Answers(early.Stamp(c.file), who, time.Now()) {
		return c.hand(e, "cached token"), nil
	}
	if err := c.parse(); err != nil {
		return obtained{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	res, err := c.resolve(ctx, u, freshHops(e, have))
	if err != nil {
		return obtained{}, err
	}
	if res.Outcome != resolve.ToToken {
		return obtained{outcome: res.Outcome, reason: res.Reason}, nil
	}
	if !c.cfg.Cache {
		c.clear()
		e, err := c.sign(ctx, res, who)
		if err != nil {
			return obtained{}, err
		}
		return c.hand(e, "signed"), nil
	}

	hit := func() bool {
		e, have = c.entry()
		return have && e.Target == res.Target && e.Identity == who && e.Fresh(time.Now())
	}
	if hit() {
		c.restamp(ctx, e)
		return c.hand(e, "cached token"), nil
	}
	unlock, err := c.kept.Lock(ctx, c.req.ID, hit)
	switch {
	case ctx.Err() != nil:
		whose := credentials.New(token.Source(res.Target), credentials.Options{}).Whose()
		return obtained{}, &signError{credentials.ErrTimeout, whose, res, c.file.Path, c.cfg.Timeout, ""}
	case err != nil:
		c.log.Warn("signing without the lock", "reason", err)
	case unlock == nil:
		return c.hand(e, "cached token"), nil
	default:
		defer unlock()
		if hit() {
			return c.hand(e, "cached token"), nil
		}
	}
	signed, err := c.sign(ctx, res, who)
	if err != nil {
		return obtained{}, err
	}
	if unlock != nil {
		c.put(signed)
	} else {
		c.ifFree(ctx, func() { c.put(signed) })
	}
	return c.hand(signed, "signed"), nil
}

// hand logs whose token it is that will be handed out.
func (c *call) hand(e cache.Entry, decision string) obtained {
	c.log.Info(decision, "host", e.Target.Host, "port", e.Target.Port, "user", e.Target.User, "region", e.Target.Region,
		"aws_profile", e.Target.Profile, "role_arn", e.Target.RoleARN, "source", e.Source, "fresh_until", e.FreshUntil())
	return obtained{outcome: resolve.ToToken, entry: e}
}

// restamp notes that the present configuration gives a kept entry's target, too, so that the next
// call need not parse it. An entry that has been erased meanwhile stays erased.
func (c *call) restamp(ctx context.Context, e cache.Entry) {
	c.ifFree(ctx, func() {
		if now, have := c.entry(); have && now.SignedAt.Equal(e.SignedAt) {
			now.Config = early.Stamp(c.file)
			c.put(now)
		}
	})
}

// ifFree changes the cache under its lock, unless another process is at work on the entry: what
// that one puts there is as good.
func (c *call) ifFree(ctx context.Context, change func()) {
	unlock, err := c.kept.Lock(ctx, c.req.ID, func() bool { return true })
	if err != nil || unlock == nil {
		return
	}
	defer unlock()
	change()
}

func (c *call) put(e cache.Entry) {
	if err := c.kept.Put(e); err != nil {
		c.log.Warn("token not cached", "reason", err)
	}
}

// clear empties a cache that has been switched off.
func (c *call) clear() {
	if err := c.kept.Clear(); err != nil {
		c.log.Warn("old cache entries stay", "reason", err)
	}
}

// freshHops gives the aliases that led to a token while it is fresh: a hit must not touch the network.
func freshHops(e cache.Entry, have bool) []string {
	if have && e.Fresh(time.Now()) {
		return e.Hops
	}
	return nil
}

// sign makes a new token.
func (c *call) sign(ctx context.Context, res resolve.Resolution, who string) (cache.Entry, error) {
	said := catchStderr()
	options := credentials.Options{Code: askCode, Log: c.log}
	if c.cfg.Cache {
		options.Store = c.kept
	}
	provider := credentials.New(token.Source(res.Target), options)
	tok, err := token.Sign(ctx, res.Target, provider)
	if err != nil {
		return cache.Entry{}, &signError{err, provider.Whose(), res, c.file.Path, c.cfg.Timeout, said()}
	}
	return cache.Entry{
		ServerURL: c.req.ID, Target: res.Target, Config: early.Stamp(c.file), Identity: who, Hops: res.Hops,
		Token: tok.Value, SignedAt: tok.SignedAt, Expires: tok.CredentialsExpire, Source: tok.Source,
		Credentials: tok.Credentials, Profile: tok.Profile,
	}, nil
}

func (c *call) store(u serverurl.URL) (int, error) {
	e, have := c.entry()
	res, err := c.resolve(context.Background(), u, freshHops(e, have))
	if err != nil {
		return exitFail, err
	}
	switch res.Outcome {
	case resolve.ToDelegate:
		return c.delegate(res.Reason)
	case resolve.ToNobody:
		return exitFail, errors.New("not stored: " + res.Reason + " says credential: none for this server")
	}
	c.log.Info("nothing stored: the server has IAM tokens")
	return exitOK, nil
}

func (c *call) erase(u serverurl.URL) (int, error) {
	e, _ := c.entry()
	if err := c.parse(); err != nil {
		return exitFail, err
	}
	dropped, err := c.kept.Delete(c.req.ID)
	if err == nil {
		// The server may have refused the token for what signed it.
		err = c.kept.DeleteCredentials(e.Credentials)
	}
	if err != nil {
		return exitFail, err
	}
	res, err := c.resolve(context.Background(), u, e.Hops)
	switch {
	case err == nil && res.Outcome == resolve.ToDelegate && (!dropped || c.delegateLists()):
		return c.delegate(res.Reason)
	case dropped:
		c.log.Info("token dropped")
		return exitOK, nil
	case err != nil:
		return exitFail, err
	case res.Outcome == resolve.ToToken && !c.cfg.Cache:
		c.log.Info("nothing to drop: the cache is off")
		return exitOK, nil
	}
	// Not the delegate's, even if it lists one: this may be a Shell's answer to a refused token that
	// another Shell has erased already, and the password from the time before tokens would be lost.
	c.log.Info("nothing to drop")
	return exitFail, protocol.ErrNotFound
}

// delegateLists says whether the delegate has a password for the request's Server URL.
func (c *call) delegateLists() bool {
	d, err := delegate.Find(c.cfg.Delegate, c.args[0])
	if err != nil {
		return false
	}
	list, err := d.List(context.Background(), protocol.Filter(c.req.Type), delegateListLimit)
	return err == nil && protocol.Listed(list, c.req.Type, c.req.ID)
}

// parse checks the configuration, once.
func (c *call) parse() (err error) {
	if c.cfg == nil {
		c.cfg, err = config.Parse(c.file)
	}
	return err
}

// resolve finds out who answers for u. Aliases that are known from hops are not looked up again.
func (c *call) resolve(ctx context.Context, u serverurl.URL, hops []string) (resolve.Resolution, error) {
	if err := c.parse(); err != nil {
		return resolve.Resolution{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	known := &learned{}
	defer known.close()
	return resolve.URL(ctx, u, c.cfg, known, func(ctx context.Context, host string) (string, error) {
		for i, hop := range hops {
			if hop == host && i+1 < len(hops) {
				return hops[i+1], nil
			}
		}
		return cname.Lookup(ctx, host)
	})
}

// delegate passes the call on as it came. Without a delegate there is nothing that get could find;
// but store must not lose a password without a word, nor erase seem to have looked for one.
func (c *call) delegate(why string) (int, error) {
	if err := c.parse(); err != nil {
		return exitFail, err
	}
	d, err := delegate.Find(c.cfg.Delegate, c.args[0])
	if err != nil {
		if c.command == "get" || c.command == "erase" && c.cfg.Delegate == "none" {
			c.log.Info("no delegate", "type", c.req.Type, "why", why, "reason", err)
			return exitFail, protocol.ErrNotFound
		}
		return exitFail, &delegateError{err, c.file.Path}
	}
	c.log.Info("delegated", "type", c.req.Type, "why", why, "helper", d.Path)
	code, err := d.Run(c.command, c.input, c.stdout, c.stderr)
	if err != nil {
		return exitFail, &delegateError{err, c.file.Path}
	}
	return code, nil
}

// readConfig reads and checks the configuration.
func readConfig() (configfile.File, *config.Config, error) {
	file, err := configfile.Read(os.Getenv(configfile.Env))
	if err != nil {
		return configfile.File{}, nil, err
	}
	cfg, err := config.Parse(file)
	return file, cfg, err
}

func (h *helper) list() error {
	input := h.readBriefly()
	filter, err := protocol.DecodeFilter(input)
	if err != nil {
		return err
	}
	_, cfg, err := readConfig()
	if err != nil {
		return err
	}
	var ours []string
	if cfg.Cache {
		kept, err := cache.Open(os.Getenv(cache.EnvDir))
		if err != nil {
			h.log.Warn("no cache", "reason", err)
		}
		var problems []error
		ours, problems = kept.List()
		for _, p := range problems {
			h.log.Warn("cache entry not used", "reason", p)
		}
	}
	var theirs []byte
	d, theirProblem := delegate.Find(cfg.Delegate, h.args[0])
	if theirProblem == nil {
		theirs, theirProblem = d.List(context.Background(), input, delegateListLimit)
	}
	reply, err := protocol.List(ours, theirs, filter)
	if theirProblem = errors.Join(theirProblem, err); theirProblem != nil {
		h.log.Warn("listed without the delegate", "ours", len(ours), "reason", theirProblem)
	} else {
		h.log.Info("listed", "ours", len(ours), "helper", d.Path)
	}
	_, err = h.stdout.Write(append(reply, '\n'))
	return err
}

// readBriefly reads what list was given. It ends at the end of the input, at the end of one
// whole JSON value, or, while nothing has come, after listWait. A sender that has begun gets ten
// times as long to finish.
func (h *helper) readBriefly() []byte {
	if isTerminal(h.stdin) {
		return nil
	}
	chunks := make(chan []byte)
	go func() {
		defer close(chunks)
		for {
			buf := make([]byte, 4096)
			n, err := h.stdin.Read(buf)
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
