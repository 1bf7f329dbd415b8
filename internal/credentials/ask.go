package credentials

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/term"
)

// PersonTime is how long a person may take for one answer, or for the browser. It counts for no
// limit of [WithTimeout].
const PersonTime = 3 * time.Minute

// Dialogue asks the person at the terminal: one thing at a time, and never on stdin or stdout,
// which are MySQL Shell's. Ctrl-C ends a question, and with it only what needs the answer. The zero
// value is ready; Code and Login are made for [Options].
type Dialogue struct {
	Patience time.Duration // 0: PersonTime
	// Aside, if not nil, is called before something is asked, and its result after the answer.
	Aside func() (back func())
	// Interrupted, if not nil, ends at Ctrl-C, which then ends the whole command; else it ends the
	// question alone.
	Interrupted context.Context
	// Open opens the terminal; nil: [term.Open].
	Open func() (*term.Terminal, error)

	asking sync.Mutex // one question at a time

	mu       sync.Mutex
	asked    map[string]string // the last code that was typed, by profile and serial number
	sessions map[string]*login // by the token's file
}

// login is a login to a session, which is asked for once.
type login struct {
	done chan struct{} // closed when there is an answer
	err  error
}

func (d *Dialogue) open() (*term.Terminal, error) {
	if d.Open != nil {
		return d.Open()
	}
	return term.Open()
}

// begin takes the terminal for one question, after those that come first; end gives it back.
func (d *Dialogue) begin(ctx context.Context) (asking context.Context, t *term.Terminal, end func(), err error) {
	ctx, cancel := unhidden(ctx)
	d.asking.Lock()
	if t, err = d.open(); err == nil && ctx.Err() != nil {
		t.Close()
		err = ctx.Err()
	}
	if err != nil {
		d.asking.Unlock()
		cancel()
		return nil, nil, nil, err
	}
	back := func() {}
	if d.Aside != nil {
		back = d.Aside()
	}
	asking, stop := ctx, func() {}
	if d.Interrupted == nil {
		asking, stop = signal.NotifyContext(ctx, os.Interrupt)
	} else {
		unhook := context.AfterFunc(d.Interrupted, cancel)
		stop = func() { unhook() }
	}
	return asking, t, func() {
		stop()
		cancel()
		back()
		t.Close()
		d.asking.Unlock()
	}, nil
}

// limit ends a context when a person's time is up.
func (d *Dialogue) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, cmp.Or(d.Patience, PersonTime))
}

// Code asks for an MFA code. What is typed is shown: it works once. To be asked again for the same
// device means that AWS has refused the last one.
func (d *Dialogue) Code(ctx context.Context, profile, serial string) (string, error) {
	defer Pause(ctx)()
	ctx, t, end, err := d.begin(ctx)
	if err != nil {
		return "", fmt.Errorf("%w (%v)", ErrNoTerminal, err)
	}
	defer end()
	ctx, cancel := d.limit(ctx)
	defer cancel()
	of := ""
	if profile != "" {
		of = fmt.Sprintf(" (AWS profile %s)", profile)
	}
	question := term.Visible(fmt.Sprintf("%s: MFA code of %s%s: ", about.Name, serial, of))
	last := d.lastCode(profile, serial)
	if last != "" {
		t.Say("AWS refused that code. Each one works once, and for half a minute: wait for the next one.")
	}
	for {
		typed, err := t.Ask(ctx, question)
		code := strings.Join(strings.Fields(typed), "")
		switch {
		case errors.Is(err, term.ErrNoAnswer):
			return "", ErrNoCode
		case err != nil:
			return "", fmt.Errorf("%w (%v)", ErrNoTerminal, err)
		case !isCode(code):
			t.Say("A code has six digits.")
		case code == last:
			t.Say("That is the code that AWS refused. Wait for the next one.")
		default:
			d.setLastCode(profile, serial, code)
			return code, nil
		}
	}
}

// isCode reports whether s may be an MFA code (STS API reference, "AssumeRole": TokenCode).
func isCode(s string) bool { return len(s) == 6 && strings.Trim(s, "0123456789") == "" }

func (d *Dialogue) lastCode(profile, serial string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[profile+"\x00"+serial]
}

func (d *Dialogue) setLastCode(profile, serial, code string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked == nil {
		d.asked = map[string]string{}
	}
	d.asked[profile+"\x00"+serial] = code
}

// Login asks whether to log in to an SSO session that is over, and does it. It asks once for each
// session, in all processes: whoever comes later gets the same answer. Without a terminal, and
// after a no, the error is [ErrSSOLogin]; else it is one of [sso.Login].
func (d *Dialogue) Login(ctx context.Context, cfg aws.Config, s profiles.SSOSession) error {
	file := sso.File(s)
	d.mu.Lock()
	l, known := d.sessions[file]
	if !known {
		if d.sessions == nil {
			d.sessions = map[string]*login{}
		}
		l = &login{done: make(chan struct{})}
		d.sessions[file] = l
	}
	d.mu.Unlock()
	if known {
		defer Pause(ctx)()
		ctx, cancel := unhidden(ctx)
		defer cancel()
		select {
		case <-l.done:
			return l.err
		case <-ctx.Done():
			return ErrSSOLogin
		}
	}
	defer close(l.done)
	l.err = d.loginOnce(ctx, cfg, s)
	return l.err
}

// loginOnce is Login for the first who needs the session. Other processes wait for the result.
func (d *Dialogue) loginOnce(ctx context.Context, cfg aws.Config, s profiles.SSOSession) error {
	unlock, err := d.lockQuestion(ctx, s)
	switch {
	case unlock == nil && err == nil:
		return nil
	case unlock != nil:
		defer unlock()
	case ctx.Err() != nil || errors.Is(err, ErrSSOLogin):
		return ErrSSOLogin
	}
	return d.askAndLogin(ctx, cfg, s)
}

// lockQuestion is [sso.LockQuestion] for who can ask, or see another process do so.
func (d *Dialogue) lockQuestion(ctx context.Context, s profiles.SSOSession) (unlock func(), err error) {
	t, err := d.open()
	switch {
	case err == nil:
		defer t.Close()
		defer time.AfterFunc(typing, func() {
			t.Say("AWS session %s is over. Another process asks for the login: waiting for that (Ctrl-C gives up) …",
				s.Title())
		}).Stop()
	case !sso.Asked(sso.File(s)):
		return nil, ErrSSOLogin
	}
	defer Pause(ctx)()
	ctx, cancel := unhidden(ctx)
	defer cancel()
	// The other one asks two things: whether to, and the browser.
	unlock, err = sso.LockQuestion(ctx, sso.File(s), 2*cmp.Or(d.Patience, PersonTime)+typing)
	if errors.Is(err, sso.ErrNoLogin) {
		err = ErrSSOLogin
	}
	return unlock, err
}

// askAndLogin asks, and goes through the device flow on the terminal.
func (d *Dialogue) askAndLogin(ctx context.Context, cfg aws.Config, s profiles.SSOSession) error {
	renewed := sso.Renewed(sso.File(s))
	resume := Pause(ctx)
	defer func() { resume() }()
	asking, t, end, err := d.begin(ctx)
	if err != nil {
		return ErrSSOLogin
	}
	defer end()
	if !sso.Confirming(sso.File(s)) && !d.wantsLogin(asking, t, s, renewed) {
		return ErrSSOLogin
	}
	switch {
	case renewed(): // by another process, such as login
		return nil
	case sso.Confirming(sso.File(s)):
		t.Say("Another process is logging in to AWS session %s: waiting for that (Ctrl-C gives up) …", s.Title())
	default:
		resume() // what comes now is AWS's time
	}
	confirming, cancel := d.limit(asking)
	defer cancel()
	until, err := sso.Login(confirming, cfg, s, func(v sso.Verification) error {
		resume = Pause(ctx)
		ShowVerification(t.Say, s, v, true)
		return nil
	})
	switch {
	case err == nil:
		t.Say("SSO session %s: logged in until %s", s.Title(), until.Local().Format("15:04"))
	case ctx.Err() == context.DeadlineExceeded:
		err = ErrTimeout
	case asking.Err() != nil: // Ctrl-C
		t.Say("")
		err = ErrSSOLogin
	case confirming.Err() != nil:
		err = sso.ErrCodeExpired
	}
	return err
}

// wantsLogin asks whether to log in; Enter alone is a yes. The question is over, too, once somebody
// has logged in elsewhere.
func (d *Dialogue) wantsLogin(ctx context.Context, t *term.Terminal, s profiles.SSOSession, renewed func() bool) bool {
	ctx, cancel := d.limit(ctx)
	defer cancel()
	go func() {
		for ; ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
			if renewed() {
				cancel()
			}
		}
	}()
	question := term.Visible(fmt.Sprintf("AWS session %s is over. Log in now? [Y/n] ", s.Title()))
	for {
		answer, err := t.Line(ctx, question)
		if err != nil {
			return renewed()
		}
		switch strings.ToLower(answer) {
		case "", "y", "yes":
			return true
		case "n", "no":
			return false
		}
	}
}

// ShowVerification says where a login is confirmed, and opens the browser there if that is wanted.
func ShowVerification(say func(format string, args ...any), s profiles.SSOSession, v sso.Verification, browser bool) {
	address := cmp.Or(v.CompleteURL, v.URL)
	say("SSO session %s: confirm the code %s at", s.Title(), v.Code)
	say("  %s", address)
	if browser && sso.Browse(address) == nil {
		say("  (it should open in your browser)")
	}
	say("waiting …")
}
