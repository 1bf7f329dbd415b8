//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"mysql-secret-store-rds/internal/cabundle"
	"mysql-secret-store-rds/internal/testbed"
)

const (
	account = "123456789012"
	region  = "eu-west-1"
	host    = "orders.cluster-abcdefghijkl." + region + ".rds.amazonaws.com"
	keyID   = "AKIAASSURANCE"
	secret  = "planted/long-term+secret"
)

// world is one throw-away home, with an AWS and a MySQL Shell of its own.
type world struct {
	short       bool
	dir, home   string
	folder      string // of mysqlsh
	program     string // in a folder of its own
	fakes       string // where the other helper keeps its things
	cachedLogin string // the SSO session's token file, if there is one
	keys        *testbed.Keys
	aws         *testbed.AWS
	env         []string
	noFiles     bool // nothing may be written to a file
}

// newWorld makes one. It has the profiles default (keys), role, sso and web.
func (t *trial) newWorld() (*world, error) {
	dir, err := os.MkdirTemp(t.dir, "world")
	if err != nil {
		return nil, err
	}
	w := &world{short: t.short, dir: dir, home: filepath.Join(dir, "home"), folder: filepath.Join(dir, "bin"),
		fakes: filepath.Join(dir, "fakes"),
		keys:  &testbed.Keys{}}
	w.keys.Add(testbed.Key{ID: keyID, Secret: secret, Owner: "arn:aws:iam::" + account + ":user/dba"})
	w.aws = testbed.StartAWS(w.keys)
	w.aws.DeviceInterval = time.Second
	w.aws.ApproveAfter(1)
	w.aws.SetServers(account, region, servers)
	own := filepath.Join(dir, "own")
	for _, d := range []string{own, w.folder, w.fakes, filepath.Join(w.home, ".mysqlsh")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	_, first, _ := strings.Cut(string(cabundle.PEM()), "\n\n") // after its heading
	authority, _, _ := strings.Cut(first, "\n\n")
	if w.program, err = testbed.Install(t.program, own, "rds"); err != nil {
		return nil, err
	}
	if _, err := testbed.Install(t.helper, w.folder, "login-path"); err != nil {
		return nil, err
	}
	w.env = slices.Concat(testbed.Env(w.home), w.aws.Env(), []string{
		testbed.EnvFakeDir + "=" + w.fakes, "PATH=" + w.folder +
			":/usr/bin:/bin", "SHELL=/bin/zsh", "LC_ALL=en_US.UTF-8",
	})
	return w, w.writeAll(map[string]string{
		filepath.Join(w.folder, "mysqlsh"): shellStandIn,
		w.awsFile("config"):                w.profiles(),
		w.awsCredentials(): "[default]\naws_access_key_id = " + keyID +
			"\naws_secret_access_key = " + secret + "\n",
		w.webToken():                    w.aws.WebToken,
		w.authorities():                 authority,
		w.config("config.yaml"):         "delegate: login-path\ndefaults:\n  ssl_ca: " + w.authorities() + "\n",
		w.options():                     "{\n    \"credentialStore.helper\": \"login-path\"\n}\n",
		filepath.Join(w.home, ".zshrc"): "# mine\n",
	})
}

const shellStandIn = `#!/bin/sh
if test "$1" = --version; then
	echo "mysqlsh   Ver 9.6.0 for Linux on x86_64 - for MySQL 9.6.0 (a stand-in)"
fi
`

// servers are what discover finds.
var servers = testbed.Servers{
	Clusters: []testbed.DBCluster{{
		Identifier: "orders", ResourceID: "cluster-ORDERS", Engine: "aurora-mysql", EngineVersion: "8.0.mysql_aurora.3.08.0",
		Host: host, Port: 3306, IAM: true, MasterUsername: "admin",
	}},
}

func (w *world) profiles() string {
	role := "role_arn = arn:aws:iam::" + account + ":role/"
	return "[default]\nregion = " + region + "\n" +
		"[profile role]\n" + role + "dba\nsource_profile = default\n" +
		"[profile web]\n" + role + "web\nweb_identity_token_file = " + w.webToken() + "\n" +
		"[sso-session corp]\nsso_start_url = https://testbed.awsapps.com/start\nsso_region = " + region + "\n" +
		"[profile sso]\nsso_session = corp\nsso_account_id = " + account + "\nsso_role_name = dba\nregion = " + region +
		"\n"
}

func (w *world) awsFile(name string) string { return filepath.Join(w.home, ".aws", name) }
func (w *world) webToken() string           { return filepath.Join(w.home, "webtoken") }
func (w *world) authorities() string        { return filepath.Join(w.home, "authorities.pem") }
func (w *world) options() string            { return filepath.Join(w.home, ".mysqlsh", "options.json") }
func (w *world) cache() string              { return filepath.Join(w.home, ".cache", "mysql-secret-store-rds") }
func (w *world) config(name string) string {
	return filepath.Join(w.home, ".config", "mysql-secret-store-rds", name)
}

// cached returns the only file of the cache with an extension.
func (w *world) cached(ext string) string {
	files, _ := filepath.Glob(filepath.Join(w.cache(), "*"+ext)) // the pattern is good
	if len(files) != 1 {
		return filepath.Join(w.cache(), fmt.Sprintf("%d-files%s", len(files), ext))
	}
	return files[0]
}

// ssoLogin logs in to the SSO session, for as long as that; a session that is over can be renewed.
func (w *world) ssoLogin(life time.Duration) (file string, err error) {
	file, text := w.aws.SSORefreshableLogin(w.home, "corp", life)
	return file, w.writeAll(map[string]string{file: string(text)})
}

func (w *world) writeAll(files map[string]string) error {
	var problems []error
	for path, text := range files {
		problems = append(problems, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600))
		if strings.HasPrefix(text, "#!") {
			problems = append(problems, os.Chmod(path, 0o700))
		}
	}
	return errors.Join(problems...)
}

func (w *world) close() {
	w.aws.Close()
	_ = os.RemoveAll(w.dir) // its parent is removed at the end
}

// serverURL is the Server URL of a user.
func serverURL(user string) string { return user + "@" + host + ":3306" }

// request is MySQL Shell's request for a user's password.
func request(user string) []byte { return testbed.Shell{}.Request(serverURL(user)) }

// wrong says what is wrong with the reply to a get, if that has a password: anything else than a
// token that the user's server takes now.
func (w *world) wrong(o outcome, user string) string {
	if o.code != 0 {
		return ""
	}
	var reply struct{ Secret string }
	if err := json.Unmarshal([]byte(o.stdout), &reply); err != nil {
		return "the reply is no JSON: " + err.Error()
	}
	server := []testbed.Endpoint{{Host: host, Port: 3306, Region: region}}
	if err := w.keys.VerifyToken(reply.Secret, user, server, time.Now()); err != nil {
		return "a wrong token: " + err.Error()
	}
	return ""
}

// names are those of all files in the home and beside the Shell, with what differs from call to call
// left out.
func (w *world) names() []string {
	var names []string
	note := func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(w.dir, path) // both are absolute
			names = append(names, hash.ReplaceAllString(name, "*"))
		}
		return nil
	}
	for _, dir := range []string{w.home, w.folder} {
		_ = filepath.WalkDir(dir, note) // it has no error
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var hash = regexp.MustCompile(`[0-9a-f]{32,64}`)

// more returns the names that weren't there before.
func more(now, before []string) string {
	known := func(name string) bool { return slices.Contains(before, name) }
	return strings.Join(slices.DeleteFunc(slices.Clone(now), known), ", ")
}

// read returns a file's text, or "".
func (w *world) read(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// password is what a get answers, or "".
func (o outcome) password() string {
	var reply struct{ Secret string }
	_ = json.Unmarshal([]byte(o.stdout), &reply) // a failure has none
	return reply.Secret
}
