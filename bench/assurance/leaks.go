//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// troubles are what goes wrong while the commands are tried.
var troubles = []struct {
	name  string
	begin func(w *world) error
}{
	{"nothing", func(*world) error { return nil }},
	{"AWS refuses", func(w *world) error {
		w.aws.Break(testbed.Fault{Status: 403, Code: "AccessDenied", Message: "no"})
		return nil
	}},
	{"AWS repeats the request", func(w *world) error {
		w.aws.Break(testbed.Fault{Status: 403, Code: "SignatureDoesNotMatch",
			Message: "the string to sign has " + secret})
		return nil
	}},
	{"AWS fails", func(w *world) error {
		w.aws.Break(testbed.Fault{Status: 500, Code: "InternalError", Message: "no"})
		return nil
	}},
	{"the SSO session is over", func(w *world) error {
		_, err := w.ssoLogin(-time.Hour)
		return err
	}},
	{"the configuration has a secret in the wrong place", func(w *world) error {
		return os.WriteFile(w.configFile(), []byte("defaults:\n  aws_profile: [\n"), 0o600)
	}},
	{"the AWS configuration is damaged", func(w *world) error {
		return os.WriteFile(w.awsCredentials(), []byte("[default\naws_secret_access_key = "+secret+"\n"), 0o600)
	}},
	{"the cache can't be written", func(w *world) error {
		return errors.Join(os.RemoveAll(w.cache()), w.writeAll(map[string]string{w.cache(): "no folder"}))
	}},
}

// everything is each command that a person or MySQL Shell can give. A token is the answer of those
// that are marked.
var everything = []struct {
	call   call
	answer bool
}{
	{cmd("version"), false}, {get("dba"), true}, {cmd("token", dbaURL), true}, {cmd("list"), false},
	{call{args: []string{"store"}, stdin: testbed.Shell{}.Request(dbaURL, spoken)}, false},
	{call{args: []string{"store"}, stdin: testbed.Shell{}.Request("me@db.example.com", spoken)}, false},
	{call{args: []string{"erase"}, stdin: request("dba")}, false},
	{call{args: []string{"get"}, stdin: []byte(`{"SecretType":"password","Secret":"` + spoken)}, false},
	{cmd("get", spoken), false}, {cmd("explain", "dba:"+spoken+"@"+host), false},
	{cmd("explain", dbaURL), false}, {cmd("doctor"), false}, {cmd("doctor", dbaURL), false}, {cmd("doctor", "--json"),
		false},
	{cmd("discover", "--region", region), false}, {cmd("discover", "--json", "--region", region), false},
	{cmd("list-servers"), false}, {cmd("list-servers", "--json"), false},
	{cmd("connect", "--print", dbaURL), false}, {cmd("connect", dbaURL), false},
	{cmd("connect", "--print", "--uri", dbaURL), false},
	{cmd("login", "--no-browser", "--all"), false},
	{cmd("cache", "list"), false}, {cmd("cache", "list", "--json"), false},
	{cmd("setup", "--yes"), false}, {cmd("setup", "--undo", "--yes"), false}, {cmd("ca-bundle", "--path"), false},
	{cmd("logout"), false}, {cmd("cache", "clear"), false},
}

const dbaURL = "dba@" + host + ":3306"

// leaked searches every output, the log, the files outside of the cache, and the arguments and
// environments of all programs that were started, for every secret.
func leaked(t *trial) error {
	output := t.line("the output of every command", "no secret, but the token that was asked for")
	log := t.line("the log", "no secret")
	files := t.line("files outside of the cache", "no secret")
	children := t.line("arguments and environments of other programs", "no secret")
	profiles := []string{"role", "process", "sso", "default", "web"}
	errs := make([]error, len(troubles)*len(profiles))
	each(len(errs), 4, func(i int) {
		trouble, profile := i/len(profiles), i%len(profiles)
		if !t.short || trouble%len(profiles) == profile {
			s := search{troubles[trouble].name, profiles[profile], output, log, files, children}
			errs[i] = t.leak(s, troubles[trouble].begin)
		}
	})
	return errors.Join(errs...)
}

// search is one of a home's, with the lines that it counts for.
type search struct {
	trouble, profile             string
	output, log, files, children *line
}

func (t *trial) leak(s search, begin func(*world) error) error {
	w, err := t.newWorld()
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.plant(); err != nil {
		return err
	}
	if w.secretIn(w.run(get("dba", "AWS_PROFILE="+s.profile)).stdout) == "" {
		return fmt.Errorf("the token of profile %s isn't found as a secret", s.profile)
	}
	if err := begin(w); err != nil {
		return err
	}
	for _, e := range everything {
		c := e.call
		c.env = append([]string{"AWS_PROFILE=" + s.profile, "MYSQL_SECRET_STORE_RDS_LOG=" + w.log()}, c.env...)
		o := w.run(c)
		text := o.stderr
		if !e.answer {
			text += o.stdout
		}
		said := strings.ReplaceAll(c.String(), spoken, "…")
		how := fmt.Sprintf("%s, profile %s, trouble: %s", said, s.profile, s.trouble)
		bad := o.fault()
		if bad == "" && !strings.Contains(c.String(), spoken) { // what was typed may be repeated
			bad = w.secretIn(text)
		}
		s.output.try(bad, how)
		s.children.try(w.secretIn(w.read(w.spy())), how)
		s.log.try(w.secretIn(w.read(w.log())), how)
	}
	s.files.try(w.secretInFiles(), "profile "+s.profile+", trouble: "+s.trouble)
	if w.read(w.spy()) == "" || w.read(w.log()) == "" {
		return errors.New("there is no log, or no other program was started")
	}
	return nil
}

func (w *world) log() string { return filepath.Join(w.home, "log") }
func (w *world) spy() string { return filepath.Join(w.dir, "spy") }

// plant adds a credential_process, and has each program that can be started note how it was.
func (w *world) plant() error {
	note := "#!/bin/sh\n{ echo \"$0 $*\"; env; } >>" + w.spy() + "\n"
	process := filepath.Join(w.dir, "process")
	helper := filepath.Join(w.folder, "other-helper")
	wrapped := filepath.Join(w.folder, "mysql-secret-store-login-path")
	_, err := w.ssoLogin(time.Hour)
	return errors.Join(err, w.writeAll(map[string]string{
		process: note +
			`echo '{"Version":1,"AccessKeyId":"` + keyID + `","SecretAccessKey":"` + secret + "\"}'\n",
		helper:                             note + "exec " + wrapped + " \"$@\"\n",
		filepath.Join(w.folder, "mysqlsh"): note + strings.TrimPrefix(shellStandIn, "#!/bin/sh\n"),
		w.configFile():                     "delegate: " + helper + "\n",
		w.awsConfig(): w.profiles() +
			"[profile process]\nregion = " + region + "\ncredential_process = " + process + "\n",
	}))
}

// secrets are all that there are: planted, issued, and those of sign-ins.
func (w *world) secrets() []string {
	list := []string{secret, spoken, w.aws.WebToken + "\"", w.aws.SSOToken + "\"", "X-Amz-Signature="}
	for _, k := range w.keys.All() {
		list = append(list, k.Secret)
		if k.SessionToken != "" {
			list = append(list, k.SessionToken, url.QueryEscape(k.SessionToken))
		}
	}
	logins, _ := filepath.Glob(w.awsFile("sso/cache/*.json")) // the pattern is good
	for _, path := range logins {
		var login struct{ AccessToken, RefreshToken, ClientSecret string }
		_ = json.Unmarshal([]byte(w.read(path)), &login) // one that is damaged has none
		for _, s := range []string{login.AccessToken, login.RefreshToken, login.ClientSecret} {
			if s != "" {
				list = append(list, s)
			}
		}
	}
	return list
}

// secretIn says which secret is in a text, without repeating it.
func (w *world) secretIn(text string) string {
	for i, s := range w.secrets() {
		if at := strings.Index(text, s); at >= 0 {
			return fmt.Sprintf("secret %d after %q", i, text[max(0, at-40):at])
		}
	}
	return ""
}

func (w *world) secretInFiles() (found string) {
	_ = filepath.WalkDir(w.home, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil, path == w.log(), path == w.webToken():
		case d.IsDir() && (path == w.cache() || path == filepath.Join(w.home, ".aws")):
			return fs.SkipDir
		case d.Type().IsRegular():
			if bad := w.secretIn(w.read(path)); bad != "" {
				found = filepath.Base(path) + ": " + bad
			}
		}
		return nil
	})
	return found
}
