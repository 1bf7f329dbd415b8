package learn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/testbed"
)

// The variables are the process's, and the same for all tests: no AWS but the one that a test's
// profiles name, and a home of their own.
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "learn")
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			err = errors.Join(err, os.Unsetenv(name))
		}
	}
	for _, v := range testbed.Env(home) {
		name, value, _ := strings.Cut(v, "=")
		err = errors.Join(err, os.Setenv(name, value))
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}

const (
	one   = "111111111111"
	two   = "222222222222"
	three = "333333333333"
	west  = "eu-west-1"
	id    = "abcdefghijkl" // of account one in eu-west-1
	idTwo = "zyxwvutsrqpo" // of account two
	host  = "orders." + id + ".eu-west-1.rds.amazonaws.com"
)

// world is an AWS, and the profiles that reach it.
type world struct {
	*testbed.AWS
	keys    *testbed.Keys
	config  strings.Builder
	options Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{keys: &testbed.Keys{}}
	w.AWS = testbed.StartAWS(w.keys)
	t.Cleanup(w.AWS.Close)
	fmt.Fprintf(&w.config, "[DEFAULT]\nendpoint_url = %s\n", w.URL)
	dir := t.TempDir()
	w.options = Options{
		Path: filepath.Join(dir, "config", "inventory.txt"), Store: cache.In(filepath.Join(dir, "cache")), User: "dba", Limit: 20 * time.Second,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	return w
}

// user adds a profile with the keys of a user of an account, and what settings say.
func (w *world) user(name, account string, settings ...string) {
	key := testbed.Key{ID: "AKIA" + strings.ToUpper(name), Secret: "secret of " + name, Owner: "arn:aws:iam::" + account + ":user/" + name}
	key.Secret = strings.ReplaceAll(key.Secret, " ", "+")
	w.keys.Add(key)
	w.profile(name, append([]string{"aws_access_key_id = " + key.ID, "aws_secret_access_key = " + key.Secret}, settings...)...)
}

// role adds a profile that assumes a role of an account with another's credentials.
func (w *world) role(name, account, source string, settings ...string) {
	w.profile(name, append([]string{"role_arn = " + roleOf(account), "source_profile = " + source}, settings...)...)
}

func roleOf(account string) string { return "arn:aws:iam::" + account + ":role/dba" }

// sso adds a profile of a session, whose token is good until then.
func (w *world) sso(t *testing.T, name, account, session string, until time.Time) {
	t.Helper()
	w.profile(name, "sso_session = "+session, "sso_account_id = "+account, "sso_role_name = dba")
	if !strings.Contains(w.config.String(), "[sso-session "+session+"]") {
		fmt.Fprintf(&w.config, "[sso-session %s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n", session)
	}
	logIn(t, session, w.SSOToken, until)
}

func logIn(t *testing.T, session, token string, until time.Time) {
	t.Helper()
	file := sso.File(profiles.SSOSession{Name: session})
	text := fmt.Sprintf(`{"accessToken":%q,"expiresAt":%q,"region":"eu-west-1"}`, token, until.UTC().Format(time.RFC3339))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) profile(name string, settings ...string) {
	fmt.Fprintf(&w.config, "[profile %s]\n%s\n", name, strings.Join(settings, "\n"))
}

// has gives an account instances of these names, whose hosts have its id.
func (w *world) has(account, hostID string, names ...string) {
	var s testbed.Servers
	for _, n := range names {
		s.Instances = append(s.Instances, testbed.DBInstance{
			Identifier: n, ResourceID: "db-" + n, Engine: "mysql", EngineVersion: "8.4.6", IAM: true, MasterUsername: "admin",
			Host: n + "." + hostID + ".eu-west-1.rds.amazonaws.com",
		})
	}
	w.SetServers(account, west, s)
}

// ask asks about a host; nothing may go wrong.
func (w *world) ask(t *testing.T, host string) Report {
	t.Helper()
	r, err := w.try(t, t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) try(t *testing.T, ctx context.Context, host string) (Report, error) {
	t.Helper()
	return Ask(ctx, Question{Endpoint: endpoint(t, host), Region: west}, w.load(t))
}

// file is the AWS configuration, whose name is a part of what keys are kept under.
func (w *world) file() string {
	return filepath.Join(filepath.Dir(filepath.Dir(w.options.Path)), "aws")
}

// load returns the options with the profiles.
func (w *world) load(t *testing.T) Options {
	t.Helper()
	file := w.file()
	o := w.options
	// What is as it was isn't written again, as its time counts.
	if text, err := os.ReadFile(file); err != nil || string(text) != w.config.String() {
		if err := os.WriteFile(file, []byte(w.config.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if o.Set, err = profiles.Load(profiles.Files{Config: file, Credentials: file + "-none"}); err != nil {
		t.Fatal(err)
	}
	return o
}

func endpoint(t *testing.T, host string) server.Endpoint {
	t.Helper()
	e, ok := server.ParseEndpoint(host)
	if !ok {
		t.Fatal(host)
	}
	return e
}

// inventory is what is kept, accounts by id and region, and servers by host.
func (w *world) inventory(t *testing.T) (map[string]inventory.Account, map[string]inventory.Server) {
	t.Helper()
	inv, err := inventory.Open(w.options.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer inv.Close()
	accounts, servers, err := inv.All()
	if err != nil {
		t.Fatal(err)
	}
	byID, byHost := map[string]inventory.Account{}, map[string]inventory.Server{}
	for _, a := range accounts {
		byID[a.HostID+" "+a.Region] = a
	}
	for _, s := range servers {
		byHost[s.Host] = s
	}
	return byID, byHost
}

// said are the answers as text: "profile: answer".
func said(r Report) []string {
	var list []string
	for _, a := range r.Answers {
		list = append(list, a.Profile+": "+a.Said.String())
	}
	return list
}

func wantSaid(t *testing.T, r Report, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, said(r)); diff != "" {
		t.Errorf("-want +got:\n%s\n%+v", diff, r.Answers)
	}
}

func describes(w *world) int {
	n := 0
	for _, kind := range []string{"Instances", "Clusters", "ClusterEndpoints", "Proxies", "ProxyEndpoints"} {
		n += w.Calls("DescribeDB" + kind)
	}
	return n + w.Calls("DescribeGlobalClusters")
}

// Among 300 accounts each is asked once at most, 32 at once; the second server of the account needs
// no question.
func TestAmongMany(t *testing.T) {
	t.Parallel()
	const n = 300
	w := newWorld(t)
	w.user("source", "999999999999")
	account := func(i int) string { return fmt.Sprint(100000000000 + i) }
	for i := range n {
		w.role(fmt.Sprintf("p%03d", i), account(i), "source")
		w.has(account(i), fmt.Sprintf("id%010d", i), "other")
	}
	w.has(account(n-1), id, "orders", "second")
	const delay = 100 * time.Millisecond
	w.Delay("AssumeRole", delay)
	w.Delay("DescribeDBInstances", delay)
	began := time.Now()
	r := w.ask(t, host)
	took := time.Since(began)
	rounds := (n+parallel-1)/parallel + 1
	if limit := time.Duration(rounds)*2*delay + 3*time.Second; took > limit {
		t.Errorf("took %v, want %v at most", took, limit)
	}
	if !r.Found || r.Account.Number != account(n-1) || r.Account.Profile != "p299" || r.Server.Host != host {
		t.Errorf("got %+v", r)
	}
	t.Logf("%d accounts: %v", n, took)
	if calls := describes(w); calls > n+1 {
		t.Errorf("%d accounts were asked in %d calls", n+1, calls)
	}
	for i := range n {
		if calls := w.CallsBy(account(i), "DescribeDBInstances"); calls > 1 {
			t.Errorf("account %s was asked %d times", account(i), calls)
		}
	}
	if w.Calls("GetCallerIdentity") != 0 {
		t.Error("STS was asked who is who")
	}
	before := describes(w)
	if r := w.ask(t, "second."+id+".eu-west-1.rds.amazonaws.com"); !r.Found || r.Account.Profile != "p299" || describes(w) != before {
		t.Errorf("the second server: %+v, %d more calls", r, describes(w)-before)
	}
}

// What is found is kept as discover keeps it, and what is said of it is the same.
func TestKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("a", two)
	w.user("b", one)
	w.has(one, id, "orders")
	r := w.ask(t, host)
	// The other one may have been too late.
	if a := r.Answers[1]; len(r.Answers) != 2 || a.Profile != "b" || a.Said != HasIt || a.Account != one || !strings.HasPrefix(r.Line(), "asked ") {
		t.Errorf("got %+v: %s", r.Answers, r.Line())
	}
	want := inventory.Server{
		Host: host, Port: 3306, Kind: server.Instance, Name: "orders", Engine: "mysql", EngineVersion: "8.4.6", Status: "available", ResourceID: "db-orders", IAM: true,
		MasterUser: "admin", Account: one, Region: west, Partition: "aws", HostID: id, Profile: "b",
	}
	account := inventory.Account{
		HostID: id, Region: west, Number: one, Partition: "aws", Profile: "b", Profiles: []string{"b"},
		Why: "it has " + host + ", and was asked when that was first used",
	}
	accounts, servers := w.inventory(t)
	seen := cmpopts.IgnoreTypes(time.Time{})
	for _, diff := range []string{
		cmp.Diff(want, r.Server, seen), cmp.Diff(account, r.Account, seen),
		cmp.Diff(map[string]inventory.Server{host: want}, servers, seen), cmp.Diff(map[string]inventory.Account{id + " " + west: account}, accounts, seen),
	} {
		if diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if seen := accounts[id+" "+west].Seen; time.Since(seen) > time.Minute {
		t.Errorf("seen at %v", seen)
	}
}

// Two accounts may have servers of one name: the host decides. The other one's id is learned.
func TestOneName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("a", two)
	w.user("b", three)
	w.has(two, idTwo, "orders")
	w.has(three, "mnopqrstuvwx", "orders")
	r := w.ask(t, host)
	wantSaid(t, r, "a: doesn't have it", "b: doesn't have it")
	if r.Found || describes(w) != 2 {
		t.Errorf("%+v, %d calls", r, describes(w))
	}
	accounts, servers := w.inventory(t)
	if a := accounts[idTwo+" "+west]; a.Profile != "a" || a.Number != two || len(accounts) != 2 || len(servers) != 0 {
		t.Errorf("kept: %+v, %+v", accounts, servers)
	}

	// They are known by now, and another account is the only one to be asked.
	w.user("c", one)
	w.has(one, id, "orders")
	w.options.Anew = true
	r = w.ask(t, host)
	wantSaid(t, r, "a: not asked", "b: not asked", "c: has it")
	if describes(w) != 3 {
		t.Errorf("%d calls", describes(w))
	}
	if want := "its account, 222222222222, has the id zyxwvutsrqpo in eu-west-1"; r.Answers[0].Why != want {
		t.Errorf("got %q, want %q", r.Answers[0].Why, want)
	}
}

// Of the profiles of an account one is asked: the one that the user has assigned, that of the
// environment, one that assumes a role.
func TestOneOfAnAccount(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		assigned, prefer, want string
	}{
		{"", "", "role"}, {"", "last", "last"}, {"base", "", "base"},
	} {
		w := newWorld(t)
		w.user("base", one, "aws_account_id = "+one)
		w.role("role", one, "base")
		w.user("last", one, "aws_account_id = "+one)
		w.has(one, id, "orders")
		if tc.assigned != "" {
			w.options.Assigned = map[string]string{one: tc.assigned}
		}
		r, err := Ask(t.Context(), Question{Endpoint: endpoint(t, host), Prefer: tc.prefer}, w.load(t))
		if err != nil || !r.Found || r.Account.Profile != tc.want || describes(w) != 1 {
			t.Errorf("%+v: %+v, %v", tc, r, err)
		}
	}
}

// AWS_PROFILE signs where nobody knows better: the others are asked only if it says
// that it hasn't the server.
func TestPreferred(t *testing.T) {
	t.Parallel()
	const refused, nothing, other, mfa = "refused", "nothing", "other", "mfa"
	for prefer, want := range map[string][]string{
		refused: {"refused: refused", "nothing: not asked", "other: not asked", "mfa: not asked", "right: not asked"},
		nothing: nil, // the others are asked then, in no order
		mfa:     {"refused: not asked", "nothing: not asked", "other: not asked", "mfa: couldn't be asked", "right: not asked"},
		other:   nil,
		"right": {"refused: not asked", "nothing: not asked", "other: not asked", "mfa: not asked", "right: has it"},
		"gone":  nil, // which is for the caller to see
	} {
		w := newWorld(t)
		w.profile(refused, "aws_access_key_id = AKIAGONE", "aws_secret_access_key = x")
		w.user(nothing, "333333333333")
		w.user(other, two)
		w.profile(mfa, "role_arn = "+roleOf("444444444444"), "source_profile = "+nothing, "mfa_serial = arn:aws:iam::1:mfa/x")
		w.user("right", one)
		w.has(one, id, "orders")
		w.has(two, "zzzzzzzzzzzz", "orders")
		w.options.Code = func(context.Context, string, string) (string, error) {
			t.Errorf("%s: a code is asked for", prefer)
			return "", credentials.ErrNoCode
		}
		r, err := Ask(t.Context(), Question{Endpoint: endpoint(t, host), Prefer: prefer}, w.load(t))
		if err != nil || r.Found != (want == nil || prefer == "right") {
			t.Errorf("%s: %+v, %v", prefer, r, err)
		}
		if want != nil {
			wantSaid(t, r, want...)
		}
		if r.Excludes(prefer) != (prefer == other) {
			t.Errorf("%s is excluded: %v", prefer, r.Excludes(prefer))
		}
	}
}

// A profile that AWS refuses is followed by the next one of its account, and isn't asked again.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("source", two)
	w.role("a", one, "source")
	w.profile("b", "role_arn = arn:aws:iam::"+one+":role/other", "source_profile = source")
	w.profile("gone", "aws_access_key_id = AKIAGONE", "aws_secret_access_key = x")
	w.DenyRole(roleOf(one))
	w.Delay("AssumeRole", 200*time.Millisecond) // the others are through by then
	w.has(one, id, "orders")
	r := w.ask(t, host)
	wantSaid(t, r, "source: doesn't have it", "a: refused", "b: has it", "gone: refused")
	if got, want := r.Line(), "asked 4 profiles; refused: a (sts:AssumeRole is not allowed), gone (InvalidClientTokenId in eu-west-1)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, tc := range []struct {
		anew  bool
		calls int
	}{{false, 0}, {true, 1}} {
		assumed, asked := w.CallsBy(one, "AssumeRole"), w.CallsBy("", "DescribeDBInstances")
		w.options.Anew = tc.anew
		r = w.ask(t, "other."+idTwo+".eu-west-1.rds.amazonaws.com")
		assumed, asked = w.CallsBy(one, "AssumeRole")-assumed, w.CallsBy("", "DescribeDBInstances")-asked
		if r.Found || asked != tc.calls {
			t.Errorf("anew is %v: %d and %d calls, %+v", tc.anew, assumed, asked, r)
		}
		if want := "refused: gone (InvalidClientTokenId in eu-west-1)"; !strings.Contains(r.Line(), want) {
			t.Errorf("anew is %v: %s", tc.anew, r.Line())
		}
	}
}

// Whoever changes the AWS files or a while later asks again.
func TestNotesEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("a", two)
	w.Break(testbed.Fault{Account: two, Operation: "DescribeDBInstances", Status: 403, Code: "AccessDenied", Message: "no"})
	if r := w.ask(t, host); r.Line() != "asked 1 profile; refused: a (rds:DescribeDBInstances is not allowed)" {
		t.Error(r.Line())
	}
	calls := describes(w)
	if r := w.ask(t, host); describes(w) != calls || r.Line() != "asked 1 profile; refused: a (rds:DescribeDBInstances is not allowed)" {
		t.Errorf("a moment later: %d calls, %s", describes(w)-calls, r.Line())
	}
	a := newAsking(Question{Endpoint: endpoint(t, host), Region: west}, w.load(t))
	a.choose()
	refused, nobody := a.refusedKey(&target{profile: "a", region: west}), a.nobodyKey(false)
	for _, tc := range []struct {
		name            string
		refused, nobody cache.Note
		calls           int
	}{
		{"still", cache.Note{At: time.Now().Add(-59 * time.Minute)}, cache.Note{At: time.Now().Add(-11 * time.Second)}, 0},
		{"nobody", cache.Note{At: time.Now().Add(-2 * time.Hour)}, cache.Note{At: time.Now()}, 0},
		{"later", cache.Note{At: time.Now().Add(-time.Hour)}, cache.Note{At: time.Now().Add(-11 * time.Second)}, 1},
		{"other files", cache.Note{At: time.Now(), Stamp: "other"}, cache.Note{At: time.Now(), Stamp: "other"}, 1},
	} {
		for key, n := range map[string]cache.Note{refused: tc.refused, nobody: tc.nobody} {
			if n.Key, n.Text = key, "no"; n.Stamp == "" {
				n.Stamp = map[string]string{refused: a.groups[0].targets[0].signer, nobody: a.state}[key]
			}
			if err := w.options.Store.PutNote(n); err != nil {
				t.Fatal(err)
			}
		}
		calls := describes(w)
		if w.ask(t, host); describes(w)-calls != tc.calls {
			t.Errorf("%s: %d calls, want %d", tc.name, describes(w)-calls, tc.calls)
		}
	}
}

// A failure that may be over in a minute is no refusal.
func TestThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("a", one)
	w.has(one, id, "orders")
	w.Throttle("DescribeDBInstances", 1)
	r := w.ask(t, host)
	wantSaid(t, r, "a: couldn't be asked")
	if got := r.Line(); got != "no AWS profile could be asked; not asked: a (Throttling)" || describes(w) != 2 {
		t.Errorf("%s, in %d calls", got, describes(w))
	}
	w.Mend()
	w.options.Anew = true
	if r := w.ask(t, host); !r.Found {
		t.Errorf("afterwards: %+v", r)
	}
}

// A server that was created a minute ago is found by the others of its account.
func TestCreatedAMinuteAgo(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"orders." + id, "orders.cluster-" + id, "orders.shardgrp-" + id, "orders.proxy-" + id} {
		w := newWorld(t)
		w.user("a", two)
		w.user("b", one)
		w.user("c", three)
		w.has(two, idTwo, "x")
		w.has(one, id, "y")
		w.SetServers(three, west, testbed.Servers{Clusters: []testbed.DBCluster{{
			Identifier: "z", Engine: "aurora-postgresql", Host: "z.cluster-mnopqrstuvwx.eu-west-1.rds.amazonaws.com",
		}}})
		r := w.ask(t, missing+".eu-west-1.rds.amazonaws.com")
		if !r.Found || r.Account.Number != one || r.Account.HostID != id || r.Account.Profile != "b" || r.Server.Host != "" {
			t.Errorf("%s: %+v", missing, r)
		}
		accounts, servers := w.inventory(t)
		if accounts[id+" "+west].Profile != "b" || len(servers) != 0 {
			t.Errorf("%s: kept %+v, %+v", missing, accounts, servers)
		}
	}

	// With nothing there, the ids of the others are known the next time.
	w := newWorld(t)
	w.user("a", two)
	w.SetServers(two, west, testbed.Servers{Clusters: []testbed.DBCluster{{
		Identifier: "z", Engine: "aurora-postgresql", Host: "z.cluster-" + idTwo + ".eu-west-1.rds.amazonaws.com",
	}}})
	if r := w.ask(t, host); r.Found || r.Answers[0].Why != "its account has the id zyxwvutsrqpo in eu-west-1" {
		t.Errorf("got %+v", r)
	}
	calls := describes(w)
	w.options.Anew = true
	if r := w.ask(t, host); r.Found || describes(w) != calls || r.Line() != "no AWS profile was asked, as all of them are of other accounts" {
		t.Errorf("%d calls: %s", describes(w)-calls, r.Line())
	}
}

// Every kind of endpoint is asked for by its own operation, and kept as discover does.
func TestKinds(t *testing.T) {
	t.Parallel()
	const tail = id + ".eu-west-1.rds.amazonaws.com"
	servers := testbed.Servers{
		Instances: []testbed.DBInstance{
			{Identifier: "shop-1", Cluster: "shop", ResourceID: "db-1", Engine: "aurora-mysql", Host: "shop-1." + tail, MasterUsername: "admin"},
			{Identifier: "pg", ResourceID: "db-P", Engine: "postgres", Host: "pg." + tail},
		},
		Clusters: []testbed.DBCluster{{
			Identifier: "shop", ResourceID: "cluster-S", Engine: "aurora-mysql", Host: "shop.cluster-" + tail,
			ReaderHost: "shop.cluster-ro-" + tail, Port: 3308, IAM: true, MasterUsername: "admin", MasterSecretARN: "arn:secret",
		}},
		ClusterEndpoints: []testbed.ClusterEndpoint{{Identifier: "reports", Cluster: "shop", Host: "reports.cluster-custom-" + tail}},
		Proxies:          []testbed.DBProxy{{Name: "gate", ResourceID: "prx-G", EngineFamily: "MYSQL", Host: "gate.proxy-" + tail, IAMAuth: []string{"REQUIRED"}}},
		ProxyEndpoints:   []testbed.ProxyEndpoint{{Name: "ro", Proxy: "gate", Host: "ro.endpoint.proxy-" + tail}},
		Globals: []testbed.GlobalCluster{{Identifier: "world", Engine: "aurora-mysql", Host: "world.global-abcdef.global.rds.amazonaws.com",
			Members: []testbed.GlobalMember{
				{ClusterARN: "arn:aws:rds:us-east-1:" + one + ":cluster:far", Writer: true}, {ClusterARN: "arn:aws:rds:eu-west-1:" + one + ":cluster:shop"},
			}}},
	}
	far := testbed.Servers{Clusters: []testbed.DBCluster{{Identifier: "far", ResourceID: "cluster-F", Engine: "aurora-mysql", Port: 3309, IAM: true,
		Host: "far.cluster-mnopqrstuvwx.us-east-1.rds.amazonaws.com"}}}
	for host, want := range map[string]inventory.Server{
		"shop-1." + tail:                               {Port: 3306, ResourceID: "db-1", MasterUser: "admin", MasterSecretARN: "arn:secret", Cluster: "shop"},
		"shop.cluster-" + tail:                         {Port: 3308, ResourceID: "cluster-S", MasterUser: "admin", MasterSecretARN: "arn:secret", Cluster: "shop"},
		"shop.cluster-ro-" + tail:                      {Port: 3308, ResourceID: "cluster-S", MasterUser: "admin", MasterSecretARN: "arn:secret", Cluster: "shop"},
		"reports.cluster-custom-" + tail:               {Port: 3308, ResourceID: "cluster-S", MasterUser: "admin", MasterSecretARN: "arn:secret", Cluster: "shop"},
		"gate.proxy-" + tail:                           {Port: 3306, ResourceID: "prx-G"},
		"ro.endpoint.proxy-" + tail:                    {Port: 3306, ResourceID: "prx-G", Cluster: "gate"},
		"world.global-abcdef.global.rds.amazonaws.com": {Port: 3309, ResourceID: "cluster-F", Cluster: "far"},
		"pg." + tail:                                   {},
	} {
		w := newWorld(t)
		w.user("a", two)
		w.user("b", one)
		w.SetServers(one, west, servers)
		w.SetServers(one, "us-east-1", far)
		r := w.ask(t, host)
		got := r.Server
		got = inventory.Server{Port: got.Port, ResourceID: got.ResourceID, MasterUser: got.MasterUser, MasterSecretARN: got.MasterSecretARN, Cluster: got.Cluster}
		if diff := cmp.Diff(want, got); diff != "" || !r.Found || r.Account.Profile != "b" {
			t.Errorf("%s: %+v (-want +got):\n%s", host, r, diff)
		}
		calls := describes(w)
		if again := w.ask(t, host); !again.Found || again.Account.Profile != "b" || describes(w) != calls {
			t.Errorf("%s again: %+v, %d calls", host, again, describes(w)-calls)
		}
		if _, known := w.inventory(t); len(known) != 1 && want.Port != 0 {
			t.Errorf("%s: kept %v", host, slices.Collect(maps.Keys(known)))
		}
	}
}

// A global writer whose cluster can't be read is known all the same.
func TestGlobalAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("a", one)
	const global = "world.global-abcdef.global.rds.amazonaws.com"
	w.SetServers(one, west, testbed.Servers{Globals: []testbed.GlobalCluster{{Identifier: "world", Engine: "aurora-mysql", Host: global,
		Members: []testbed.GlobalMember{
			{ClusterARN: "arn:aws:rds:us-east-1:" + one + ":cluster:far", Writer: true}, {ClusterARN: "arn:aws:rds:eu-west-1:" + one + ":cluster:shop"},
		}}}})
	w.Break(testbed.Fault{Region: "us-east-1", Status: 403, Code: "AccessDenied", Message: "no"})
	for range 2 {
		r := w.ask(t, global)
		if !r.Found || r.Account.Profile != "a" || r.Account.Number != one || r.Server.Region != "us-east-1" || !r.Server.Partial() {
			t.Errorf("got %+v", r)
		}
	}
	if n := w.Calls("DescribeGlobalClusters"); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// Without a person, a login that is over and an MFA code are reasons.
func TestWithoutAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("base", two)
	w.role("mfa", one, "base", "mfa_serial = arn:aws:iam::222222222222:mfa/x")
	w.sso(t, "corp", one, "without", time.Now().Add(-time.Hour))
	w.sso(t, "ended", three, "ended", time.Now().Add(time.Hour))
	logIn(t, "ended", "another token", time.Now().Add(time.Hour))
	w.has(one, id, "orders")
	r := w.ask(t, host)
	wantSaid(t, r, "base: doesn't have it", "mfa: couldn't be asked", "corp: couldn't be asked", "ended: couldn't be asked")
	if want := "asked 1 profile; not asked: mfa (MFA), corp (SSO session without is over), ended (SSO session ended is over)"; r.Line() != want {
		t.Errorf("got  %s\nwant %s", r.Line(), want)
	}
	if w.Calls("AssumeRole") != 0 {
		t.Error("a role was assumed without a code")
	}
}

// With a person, they come last: first the sessions, then one code after the other.
func TestWithAPerson(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		owner string
		want  []string
		codes int
	}{
		{"nobody is asked", two, []string{"base: has it", "mfa1: not asked", "mfa2: not asked", "corp1: not asked", "corp2: not asked"}, 0},
		{"a login", "555555555555", []string{"base: doesn't have it", "mfa1: not asked", "mfa2: not asked", "corp1: doesn't have it", "corp2: has it"}, 0},
		{"codes", "666666666666", []string{"base: doesn't have it", "mfa1: doesn't have it", "mfa2: has it", "corp1: doesn't have it", "corp2: doesn't have it"}, 2},
	} {
		w := newWorld(t)
		session := "with-" + tc.owner
		w.user("base", two)
		w.role("mfa1", three, "base", "mfa_serial = arn:aws:iam::222222222222:mfa/x")
		w.role("mfa2", "666666666666", "base", "mfa_serial = arn:aws:iam::222222222222:mfa/x")
		w.sso(t, "corp1", "444444444444", session, time.Now().Add(-time.Hour))
		w.sso(t, "corp2", "555555555555", session, time.Now().Add(-time.Hour))
		w.has(tc.owner, id, "orders")
		codes, logins := 0, make(chan struct{}, 1)
		w.options.Limit = 5 * time.Second
		w.options.Code = func(ctx context.Context, _, _ string) (string, error) {
			defer credentials.Pause(ctx)()
			codes++
			return w.MFACode, nil
		}
		w.options.Login = func(ctx context.Context, _ aws.Config, _ profiles.SSOSession) error {
			defer credentials.Pause(ctx)()
			select {
			case logins <- struct{}{}: // as Dialogue asks once
				if tc.codes > 0 {
					time.Sleep(6 * time.Second) // a person's time doesn't count
				}
				logIn(t, session, w.SSOToken, time.Now().Add(time.Hour))
			default:
				for time.Now().After(sso.Until(sso.File(profiles.SSOSession{Name: session}))) {
					time.Sleep(10 * time.Millisecond)
				}
			}
			return nil
		}
		r := w.ask(t, host)
		if !r.Found || r.Account.Number != tc.owner || codes != tc.codes {
			t.Errorf("%s: %d codes, %+v", tc.name, codes, r)
		}
		got := said(r)
		if tc.name == "a login" { // corp1 may be later than corp2
			got[3] = tc.want[3]
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.name, diff)
		}
	}
}

// A login counts at once, whatever was said a moment ago.
func TestAfterALogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sso(t, "corp", one, "after", time.Now().Add(-time.Hour))
	w.has(one, id, "orders")
	for range 2 {
		if r := w.ask(t, host); r.Found || r.Line() != "no AWS profile could be asked; not asked: corp (SSO session after is over)" {
			t.Errorf("before: %+v: %s", r, r.Line())
		}
	}
	logIn(t, "after", w.SSOToken, time.Now().Add(time.Hour))
	w.Fail("GetRoleCredentials", 1, 403, "ForbiddenException", "No access")
	if r := w.ask(t, host); r.Line() != "asked 1 profile; refused: corp (sso:GetRoleCredentials is not allowed)" {
		t.Error(r.Line())
	}
	logIn(t, "after", w.SSOToken, time.Now().Add(2*time.Hour)) // as somebody else
	if r := w.ask(t, "x."+id+".eu-west-1.rds.amazonaws.com"); !r.Found {
		t.Errorf("afterwards: %s", r.Line())
	}
}

// Whoever gives no code isn't asked for another.
func TestNoCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("base", two)
	w.role("mfa1", one, "base", "mfa_serial = arn:aws:iam::222222222222:mfa/x")
	w.role("mfa2", three, "base", "mfa_serial = arn:aws:iam::222222222222:mfa/x")
	asked := 0
	w.options.Code = func(context.Context, string, string) (string, error) {
		asked++
		return "", credentials.ErrNoCode
	}
	r := w.ask(t, host)
	if want := "asked 1 profile; not asked: mfa1, mfa2 (no MFA code was typed)"; r.Line() != want || asked != 1 {
		t.Errorf("asked %d times: %s", asked, r.Line())
	}
}

// A profile of another partition isn't asked.
func TestPartitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("china", two, "region = cn-north-1")
	w.profile("role", "role_arn = arn:aws-us-gov:iam::333333333333:role/x", "source_profile = china")
	w.user("here", one, "region = us-east-1")
	w.has(one, id, "orders")
	r := w.ask(t, host)
	wantSaid(t, r, "china: not asked", "role: not asked", "here: has it")
	if r.Answers[0].Why != "it is of the partition aws-cn" {
		t.Errorf("got %+v", r.Answers)
	}
}

// Kept credentials that AWS has ended are got anew.
func TestExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("source", two)
	w.role("a", one, "source")
	w.has(one, id, "orders")
	w.has(two, idTwo, "x")
	if r := w.ask(t, host); !r.Found {
		t.Fatalf("got %+v", r)
	}
	_ = os.Remove(w.options.Path)
	w.Fail("DescribeDBInstances", 2, 403, "ExpiredToken", "The security token included in the request is expired")
	before := w.Calls("AssumeRole")
	w.options.Anew = true
	if r := w.ask(t, host); !r.Found || w.Calls("AssumeRole") != before+1 {
		t.Errorf("%d more roles assumed: %+v", w.Calls("AssumeRole")-before, r)
	}
}

// An inventory that can't be written doesn't take the answer away; one that is damaged is left alone.
func TestInventories(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("a", one)
	w.has(one, id, "orders")
	dir := filepath.Dir(w.options.Path)
	if err := os.WriteFile(dir, []byte("a file in the folder's place"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := w.ask(t, host); !r.Found || r.Account.Profile != "a" || r.Server.Host != host {
		t.Errorf("not writable: %+v", r)
	}
	damaged := []byte("mysql-secret-store-rds inventory 1\ndamage\n")
	if err := errors.Join(os.Remove(dir), os.Mkdir(dir, 0o700), os.WriteFile(w.options.Path, damaged, 0o600)); err != nil {
		t.Fatal(err)
	}
	calls := describes(w)
	_, err := w.try(t, t.Context(), host)
	if _, ok := errors.AsType[*inventory.UntrustedError](err); !ok || describes(w) != calls {
		t.Errorf("damaged: %v, %d calls", err, describes(w)-calls)
	}
	if text, err := os.ReadFile(w.options.Path); err != nil || string(text) != string(damaged) {
		t.Errorf("it was changed: %q, %v", text, err)
	}
}

// A line stays short, however many profiles and reasons there are.
func TestLine(t *testing.T) {
	t.Parallel()
	var r Report
	for i := range 9 {
		r.Answers = append(r.Answers, Answer{Profile: fmt.Sprintf("a%d", i), Said: Refused, reason: "no"},
			Answer{Profile: fmt.Sprintf("b%d", i), Said: NotAsked, reason: fmt.Sprint("reason ", i)}, Answer{Profile: "c", Said: NoNeed})
	}
	const want = "asked 9 profiles; refused: a0, a1, a2, a3, a4 and 4 more (no); " +
		"not asked: b0 (reason 0), b1 (reason 1), b2 (reason 2), b3 (reason 3), 5 more for other reasons"
	if got := r.Line(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Without a cache it works, and without profiles nothing happens.
func TestWithout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options.Store = cache.Store{}
	if r := w.ask(t, host); r.Found || r.Line() != "there is no AWS profile to ask" {
		t.Errorf("got %+v: %s", r, r.Line())
	}
	w.user("a", one)
	w.has(one, id, "orders")
	if r := w.ask(t, host); !r.Found {
		t.Errorf("got %+v", r)
	}
}

// Of many that ask at once one asks AWS.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{true, false} {
		w := newWorld(t)
		w.user("a", two)
		w.user("b", one)
		w.Delay("DescribeDBInstances", 300*time.Millisecond)
		calls := 4 // of both, for that server and for any
		if there {
			w.has(one, id, "orders")
			calls = 2
		}
		if !there {
			w.SetServers(one, west, testbed.Servers{})
		}
		const n = 10
		o := w.load(t)
		results := make(chan Report, n)
		for range n {
			go func() {
				r, err := Ask(t.Context(), Question{Endpoint: endpoint(t, host)}, o)
				if err != nil {
					t.Error(err)
				}
				results <- r
			}()
		}
		for range n {
			r := <-results
			if r.Found != there || there && r.Account.Profile != "b" || !there && r.Line() != "asked 2 profiles" {
				t.Errorf("there is %v: %+v: %s", there, r, r.Line())
			}
		}
		if got := w.Calls("DescribeDBInstances"); got != calls {
			t.Errorf("there is %v: %d calls, want %d", there, got, calls)
		}
	}
}
