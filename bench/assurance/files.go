//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// An input is a file that the program reads.
type input struct {
	name  string
	path  func(w *world) string
	prime []call // what makes the file
	reads []call // what reads it; the first is used for each damage
	// refused says what was wrong with a get that has taken a spoiled file for good; kept is the
	// password that prime's last get has made.
	refused func(o outcome, kept, kind string) string
}

var inputs = []input{
	{"config.yaml", (*world).configFile, nil,
		[]call{get("dba"), cmd("explain", dbaURL), cmd("doctor"), cmd("connect", "--print", dbaURL)}, obeysOthers},
	{"inventory", (*world).inventory, []call{cmd("discover", "--profile", "role", "--region", region)},
		[]call{get("dba"), cmd("list-servers"), cmd("connect", "--print", "orders"), cmd("doctor")}, guesses},
	{"kept token", (*world).keptToken, []call{get("dba")},
		[]call{get("dba"), cmd("cache", "list"), cmd("list")}, usesKept},
	{"kept credentials", (*world).keptCredentials, []call{get("dba", "AWS_PROFILE=role")},
		[]call{get("other", "AWS_PROFILE=role"), cmd("cache", "list")}, usesKept},
	{"AWS config", (*world).awsConfig, nil,
		[]call{get("dba", "AWS_PROFILE=role"), cmd("login", "role"), cmd("doctor"),
			cmd("discover", "--region", region)}, nil},
	{"AWS credentials", (*world).awsCredentials, nil,
		[]call{get("dba"), cmd("doctor"), cmd("discover", "--region", region)}, nil},
	{"SSO token", (*world).ssoToken, nil, []call{
		get("dba", "AWS_PROFILE=sso"), cmd("login", "--no-browser", "sso"), cmd("discover", "--profile",
			"sso"), cmd("doctor"),
	}, nil},
	{"web identity token", (*world).webToken, nil, []call{get("dba", "AWS_PROFILE=web"), cmd("login", "web")}, nil},
	{"options.json", (*world).options, nil,
		[]call{cmd("doctor"), cmd("setup", "--dry-run"), cmd("setup", "--yes")}, nil},
	{"setup.json", (*world).setupNotes, []call{cmd("setup", "--yes")},
		[]call{cmd("setup", "--dry-run"), cmd("setup", "--yes"), cmd("setup", "--undo", "--yes")}, nil},
	{".zshrc", (*world).zshrc, nil, []call{cmd("setup", "--dry-run"), cmd("setup", "--yes"), cmd("doctor")}, nil},
	{"ssl_ca", (*world).authorities, nil,
		[]call{cmd("connect", "--print", dbaURL), cmd("doctor", dbaURL), cmd("setup", "--dry-run")}, nil},
	{"uses.json", (*world).uses, []call{cmd("discover", "--region", region), cmd("connect", dbaURL)},
		[]call{cmd("connect", "orders")}, nil},
}

func cmd(args ...string) call { return call{args: args} }

func (w *world) configFile() string      { return w.config("config.yaml") }
func (w *world) inventory() string       { return w.config("inventory.txt") }
func (w *world) setupNotes() string      { return w.config("setup.json") }
func (w *world) uses() string            { return w.config("uses.json") }
func (w *world) keptToken() string       { return w.cached(".json") }
func (w *world) keptCredentials() string { return w.cached(".creds") }
func (w *world) awsConfig() string       { return w.awsFile("config") }
func (w *world) awsCredentials() string  { return w.awsFile("credentials") }
func (w *world) zshrc() string           { return filepath.Join(w.home, ".zshrc") }
func (w *world) ssoToken() string        { return w.cachedLogin }

// kinds are what can stand in a file's place.
var kinds = []struct {
	name string
	make func(path string, good []byte) error
}{
	{"FIFO", func(path string, _ []byte) error { return syscall.Mkfifo(path, 0o600) }},
	{"socket", socket},
	{"folder", func(path string, _ []byte) error { return os.Mkdir(path, 0o700) }},
	{"link", func(path string, good []byte) error {
		return errors.Join(os.WriteFile(path+".good", good, 0o600), os.Symlink(path+".good", path))
	}},
	{"loop", func(path string, _ []byte) error { return os.Symlink(path, path) }},
	{"/dev/zero", func(path string, _ []byte) error { return os.Symlink("/dev/zero", path) }},
	{"empty", func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) }},
	{"100 MB", func(path string, good []byte) error {
		return errors.Join(os.WriteFile(path, good, 0o600), os.Truncate(path, 100<<20))
	}},
	{"100 KB of [", func(path string, _ []byte) error {
		return os.WriteFile(path, []byte(strings.Repeat("[", 100<<10)), 0o600)
	}},
	{readable, mode(0o644)},
	{writable, mode(0o666)},
	{foreign, func(path string, good []byte) error {
		err := os.WriteFile(path, good, 0o600)
		if os.Geteuid() == 0 {
			err = errors.Join(err, os.Lchown(path, 65534, 65534))
		}
		return err
	}},
}

const (
	readable = "readable by others"
	writable = "writable by others"
	foreign  = "another owner"
)

func mode(m os.FileMode) func(string, []byte) error {
	return func(path string, good []byte) error {
		return errors.Join(os.WriteFile(path, good, 0o600), os.Chmod(path, m))
	}
}

// socket leaves one that nobody listens at. Its name has little room, so it is made elsewhere.
func socket(path string, _ []byte) error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return errors.Join(l.Close(), os.Rename(at, path))
}

// obeysOthers: whoever else can write the configuration would choose which programs are run.
func obeysOthers(o outcome, _, kind string) string {
	if (kind == writable || kind == foreign && os.Geteuid() == 0) && o.code == 0 {
		return "a configuration that others can write is obeyed"
	}
	return ""
}

// usesKept: whatever is not exactly what was kept, in a private file, is as good as absent.
func usesKept(o outcome, kept, kind string) string {
	if kept != "" && strings.Contains(o.stdout, kept) && kind != foreign {
		return "what was kept is used"
	}
	return ""
}

// guesses: the inventory names the profile role. Without it another one would sign.
func guesses(o outcome, _, _ string) string {
	if strings.Contains(o.stdout, "X-Amz-Credential") && !strings.Contains(o.stdout, "X-Amz-Security-Token") {
		return "the inventory counts as absent, and another profile signs"
	}
	return ""
}

// spoiled puts each kind of thing in the place of each file, and damages each.
func spoiled(t *trial) error {
	var jobs []job
	step, flips := 7, 500
	if t.short {
		step, flips = 97, 20
	}
	for _, in := range inputs {
		odd := t.line(fmt.Sprintf("%s, %d kinds of things in its place", in.name, len(kinds)),
			"no wrong token, not trusted")
		for _, k := range kinds {
			jobs = append(jobs, job{in, odd, func(w *world, good []byte, try func(string, []call)) error {
				path := in.path(w)
				if err := errors.Join(os.RemoveAll(path), k.make(path, good)); err != nil {
					return err
				}
				try(k.name, in.reads)
				return nil
			}})
		}
		jobs = append(jobs,
			job{in, t.line(in.name+fmt.Sprintf(", cut off at each %dth byte", step), "no wrong token"),
				cutOff(in, step)},
			job{in, t.line(in.name+", a bit flipped", "no wrong token"), flipped(in, flips)})
	}
	results := make([]error, len(jobs))
	each(len(jobs), 6, func(i int) { results[i] = t.do(jobs[i]) })
	return errors.Join(results...)
}

// cutOff keeps less and less of a file.
func cutOff(in input, step int) func(*world, []byte, func(string, []call)) error {
	return func(w *world, good []byte, try func(string, []call)) error {
		path := in.path(w)
		for n := 0; n < len(good); n += step {
			if err := os.WriteFile(path, good[:n], 0o600); err != nil {
				return err
			}
			try(fmt.Sprintf("cut off at byte %d", n), in.reads[:1])
		}
		return nil
	}
}

// flipped changes one bit.
func flipped(in input, times int) func(*world, []byte, func(string, []call)) error {
	return func(w *world, good []byte, try func(string, []call)) error {
		path := in.path(w)
		if len(good) == 0 {
			return nil
		}
		for range times {
			bad := append([]byte{}, good...)
			at, bit := rand.IntN(len(bad)), rand.IntN(8)
			bad[at] ^= 1 << bit
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				return err
			}
			try(fmt.Sprintf("bit %d of byte %d flipped", bit, at), in.reads[:1])
		}
		return nil
	}
}

// job spoils one file in a world of its own. Each try is followed by the world's restoration.
type job struct {
	in    input
	line  *line
	spoil func(w *world, good []byte, try func(how string, reads []call)) error
}

func (t *trial) do(j job) error {
	w, err := t.newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	if w.cachedLogin, err = w.ssoLogin(time.Hour); err != nil {
		return err
	}
	kept := ""
	for _, c := range j.in.prime {
		o := w.run(c)
		if bad := o.done(); bad != "" {
			return fmt.Errorf("%s, before anything was spoiled: %s", c, bad)
		}
		kept = marker(j.in, o)
	}
	good, err := os.ReadFile(j.in.path(w))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	before, err := w.snapshot()
	if err != nil {
		return err
	}
	if kept != "" {
		time.Sleep(1100 * time.Millisecond) // a token signed in the same second would be the same
	}
	if bad := j.control(w, kept); bad != "" {
		return fmt.Errorf("%s, before anything was spoiled: %s", j.in.name, bad)
	}
	if err := w.restore(before); err != nil {
		return err
	}
	return j.spoil(w, good, func(how string, reads []call) {
		for i, c := range reads {
			if i > 0 { // the first may have mended it
				if err := j.again(w, before, good, how); err != nil {
					j.line.try(err.Error(), how)
				}
			}
			j.line.try(j.judge(w, w.run(c), c, kept, how), fmt.Sprintf("%s, %s", how, c))
		}
		if err := w.restore(before); err != nil {
			j.line.try(err.Error(), how)
		}
	})
}

// control says what is wrong with this attack: whether a file that is as it was counts.
func (j job) control(w *world, kept string) string {
	o := w.run(j.in.reads[0])
	switch {
	case o.fault() != "":
		return o.fault()
	case j.in.reads[0].args[0] == "get" && o.code != 0: // doctor may well find something
		return o.done()
	case kept != "" && !strings.Contains(o.stdout, kept):
		return "what was kept isn't used"
	case j.in.name == "inventory" && guesses(o, "", "") != "":
		return guesses(o, "", "")
	}
	return ""
}

// again restores everything, and puts the same thing in the file's place.
func (j job) again(w *world, before snapshot, good []byte, how string) error {
	if err := w.restore(before); err != nil {
		return err
	}
	path := j.in.path(w)
	for _, k := range kinds {
		if k.name == how {
			return errors.Join(os.RemoveAll(path), k.make(path, good))
		}
	}
	return nil
}

func (j job) judge(w *world, o outcome, c call, kept, how string) string {
	if bad := o.fault(); bad != "" {
		return bad
	}
	if c.args[0] != "get" {
		return ""
	}
	// What a person keeps may name another key; what the program keeps may not.
	_, own := map[string]bool{"AWS config": true, "AWS credentials": true, "config.yaml": true}[j.in.name]
	if user := c.user(); !own || !strings.Contains(how, "flipped") && !strings.Contains(how, "cut") {
		if bad := w.wrong(o, user); bad != "" {
			return bad
		}
	}
	if j.in.refused != nil {
		return j.in.refused(o, kept, how)
	}
	return ""
}

// user is whom a get is for.
func (c call) user() string {
	var asked struct{ ServerURL string }
	_ = json.Unmarshal(c.stdin, &asked) // it is ours
	user, _, _ := strings.Cut(asked.ServerURL, "@")
	return user
}

// marker is what a get's reply has of what is kept: the token, or the session token that signed it.
func marker(in input, o outcome) string {
	token := o.password()
	if in.name == "kept credentials" {
		_, rest, _ := strings.Cut(token, "X-Amz-Security-Token=")
		token, _, _ = strings.Cut(rest, "&")
		return token
	}
	_, signature, _ := strings.Cut(token, "X-Amz-Signature=")
	return signature
}
