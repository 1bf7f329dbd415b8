// Demo shows the credential helper at work without an AWS account or a MySQL Shell: it starts an
// RDS-like and an AWS-like server on 127.0.0.1, builds the real helper, and calls it as MySQL
// Shell does. It leaves nothing behind, and ends with 0 only if every step did what it says.
//
//	go run ./cmd/demo
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mysql-secret-store-rds/internal/term"
	"mysql-secret-store-rds/internal/testbed"
)

func main() {
	if testbed.IsFakeHelper(os.Args) { // the demo's stand-in for the helper used before
		os.Exit(testbed.FakeHelper(os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	began := time.Now()
	d := &demo{out: os.Stdout, colour: term.Colours(os.Stdout)}
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Fprintf(d.out, "\n%s in %v; nothing is left behind.\n",
		d.paint(term.Green, "All of it worked,"), time.Since(began).Round(10*time.Millisecond))
	d.forReal()
}

const (
	orders  = "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"
	url     = "dba@" + orders + ":3306"
	foreign = "root@mysql.example.com:3306"

	// Of an account that nobody has discovered: one of two profiles reaches it.
	shop      = "shop.zyxwvutsrqpo.eu-west-1.rds.amazonaws.com"
	stranger  = "dba@" + shop + ":3306"
	master    = "admin@" + shop + ":3306"
	account   = "210987654321"
	masterARN = "arn:aws:secretsmanager:eu-west-1:" + account + ":secret:rds!db-demo-AbCdEf"
	password  = "7hG~made by RDS"
)

type demo struct {
	out    io.Writer
	colour bool

	dir   string
	aws   *testbed.AWS
	rds   *testbed.RDS
	shell testbed.Shell
	token string // of the first get
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "mysql-secret-store-rds-demo"); err != nil {
		return err
	}
	defer func() {
		if d.aws != nil {
			d.aws.Close()
		}
		if d.rds != nil {
			d.rds.Close()
		}
		err = errors.Join(err, os.RemoveAll(d.dir))
	}()
	const title = "mysql-secret-store-rds: MySQL Shell asks for a password, RDS gets an IAM token"
	fmt.Fprintf(d.out, "%s\n\n", d.paint(bold, title))

	for i, s := range []struct {
		title string
		do    func(context.Context) (came string, err error) // of what was done
	}{
		{"Build the helper", d.build},
		{"Start an RDS-like server and an AWS-like server on 127.0.0.1", d.start},
		{"The Shell looks for helpers", d.version},
		{"The Shell asks for the password of " + url, d.get},
		{"Log in with it over TLS, and run a query", d.login},
		{"Ask again: the token comes from the cache", d.cached},
		{"A token for one user is none for another", d.refused},
		{"The Shell erases a password that was refused", d.erase},
		{"The next one is signed anew, and works", d.again},
		{"Another server's password stays with the helper used before", d.delegated},
		{"list shows both", d.list},
		{"A server of an account that nobody has discovered: " + stranger, d.learn},
		{"Its master user's password is kept by AWS Secrets Manager: " + master, d.managed},
	} {
		fmt.Fprintf(d.out, "%2d. %s\n", i+1, s.title)
		start := time.Now()
		result, err := s.do(ctx)
		if err != nil {
			return fmt.Errorf("step %d, %q: %w", i+1, s.title, err)
		}
		first, rest, _ := strings.Cut(result, "\n")
		fmt.Fprintf(d.out, "    %s%s\n", first, d.paint(dim, fmt.Sprintf("  (%s)", rounded(time.Since(start)))))
		for line := range strings.Lines(rest) {
			fmt.Fprintf(d.out, "    %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return nil
}

const bold, dim term.Colour = "1", "2"

func (d *demo) paint(c term.Colour, text string) string { return term.Paint(text, c, d.colour) }

func rounded(t time.Duration) time.Duration {
	if t < 10*time.Millisecond {
		return t.Round(100 * time.Microsecond)
	}
	return t.Round(time.Millisecond)
}

func (d *demo) build(ctx context.Context) (string, error) {
	program, err := testbed.BuildHelper(ctx, d.dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	// As a user would: a link to the program beside MySQL Shell's own binary.
	folder := filepath.Join(d.dir, "mysqlsh", "bin")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	d.shell.Helper, err = testbed.Install(program, folder, "rds")
	return fmt.Sprintf("go build ./cmd/mysql-secret-store-rds: one static file of %d MB", info.Size()>>20), err
}

const (
	awsConfig = `[profile demo]
role_arn = arn:aws:iam::123456789012:role/dba
source_profile = keys
[profile other]
role_arn = arn:aws:iam::` + account + `:role/dba
source_profile = keys
`
	configuration = `accounts:
  abcdefghijkl: demo   # the id in the host name: one account and region
delegate: demo-keyring
`
)

// start brings up the servers, and gives the Shell a home whose configuration and AWS files lead
// to them: the profile assumes a role.
func (d *demo) start(context.Context) (string, error) {
	keys := &testbed.Keys{}
	keys.Add(testbed.Key{ID: "AKIADEMO", Secret: "demo-secret", Owner: "arn:aws:iam::123456789012:user/dba"})
	d.aws = testbed.StartAWS(keys)
	var err error
	d.rds, err = testbed.StartRDS(keys, testbed.Endpoint{Host: orders, Port: 3306, Region: "eu-west-1"},
		testbed.Endpoint{Host: shop, Port: 3306, Region: "eu-west-1"})
	if err != nil {
		return "", err
	}
	d.aws.SetServers(account, "eu-west-1", testbed.Servers{Instances: []testbed.DBInstance{{
		Identifier: "shop", ResourceID: "db-SHOP", Engine: "mysql", EngineVersion: "8.4.6", Host: shop, IAM: true,
		MasterUsername: "admin", MasterSecretARN: masterARN,
	}}})
	d.aws.SetSecret(testbed.Secret{ARN: masterARN, Stages: map[string]string{
		"AWSCURRENT": fmt.Sprintf(`{"username":"admin","password":%q}`, password),
	}})
	d.rds.SetPassword("admin", "caching_sha2_password", password)
	home, fakes := filepath.Join(d.dir, "home"), filepath.Join(d.dir, "other")
	for _, dir := range []string{filepath.Join(home, ".aws"), fakes} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	for name, text := range map[string]string{
		".aws/config":      awsConfig,
		".aws/credentials": "[keys]\naws_access_key_id = AKIADEMO\naws_secret_access_key = demo-secret\n",
		"config.yaml":      configuration,
	} {
		if err := os.WriteFile(filepath.Join(home, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if _, err := testbed.Install(self, filepath.Dir(d.shell.Helper), "demo-keyring"); err != nil {
		return "", err
	}
	d.shell.Dir = home
	d.shell.Env = append(testbed.Env(home), append(d.aws.Env(),
		"MYSQL_SECRET_STORE_RDS_CONFIG="+filepath.Join(home, "config.yaml"),
		"MYSQL_SECRET_STORE_RDS_CACHE_DIR="+filepath.Join(d.dir, "cache"),
		testbed.EnvFakeDir+"="+fakes)...)
	return fmt.Sprintf("%s stands for %s\nit takes MySQL logins whose password is a valid, unexpired SigV4 token, "+
		"and answers 1045 otherwise", d.rds.Addr, orders), nil
}

// call runs the helper and expects it to succeed.
func (d *demo) call(ctx context.Context, command string, input []byte) (string, error) {
	reply, err := d.shell.Call(ctx, command, input)
	if err == nil && reply.ExitCode != 0 {
		err = fmt.Errorf("%s: exit code %d: %s", command, reply.ExitCode, reply.Output)
	}
	return reply.Output, err
}

func (d *demo) version(ctx context.Context) (string, error) {
	d.shell.Before94 = true // stdin stays open, as up to 9.3
	defer func() { d.shell.Before94 = false }()
	return d.call(ctx, "version", nil)
}

func (d *demo) get(ctx context.Context) (string, error) {
	token, err := d.shell.Get(ctx, url)
	if err != nil {
		return "", err
	}
	d.token = token
	const begin = orders + ":3306?Action=connect&DBUser=dba&"
	if !strings.HasPrefix(token, begin) {
		return "", errors.New("the reply holds no token for this server")
	}
	return fmt.Sprintf("%sX-Amz-… (%d characters)\naccount id abcdefghijkl → profile demo → sts:AssumeRole → signed",
		begin, len(token)), d.assumed(1)
}

// assumed reports whether the role was assumed so many times.
func (d *demo) assumed(times int) error {
	if n := d.aws.Calls("AssumeRole"); n != times {
		return fmt.Errorf("%d AssumeRole calls, not %d", n, times)
	}
	return nil
}

func (d *demo) login(ctx context.Context) (string, error) {
	db, err := testbed.Connect(ctx, "dba", orders, 3306, d.token, d.rds)
	if err != nil {
		return "", fmt.Errorf("%w: %v", err, d.rds.Refusals())
	}
	var who, version string
	err = errors.Join(
		db.QueryRowContext(ctx, "select current_user()").Scan(&who),
		db.QueryRowContext(ctx, "select @@version").Scan(&version),
		db.Close())
	return fmt.Sprintf("select current_user(), @@version → %s, %s", who, version), err
}

func (d *demo) cached(ctx context.Context) (string, error) {
	token, err := d.shell.Get(ctx, url)
	if err == nil && token != d.token {
		err = errors.New("the token was not the cached one")
	}
	return "the same token; AWS was not asked again", cmp.Or(err, d.assumed(1))
}

func (d *demo) refused(ctx context.Context) (string, error) {
	_, err := testbed.Connect(ctx, "root", orders, 3306, d.token, d.rds)
	if err == nil || !strings.Contains(err.Error(), "1045") {
		return "", fmt.Errorf("want error 1045, got %v", err)
	}
	return err.Error(), nil
}

func (d *demo) erase(ctx context.Context) (string, error) {
	if _, err := d.call(ctx, "erase", d.shell.Request(url)); err != nil {
		return "", err
	}
	reply, err := d.call(ctx, "list", nil)
	if err == nil && reply != "[]" {
		err = fmt.Errorf("list is %q, not []", reply)
	}
	return "gone from the cache", err
}

func (d *demo) again(ctx context.Context) (string, error) {
	db, err := d.shell.Login(ctx, url, d.rds)
	if err != nil {
		return "", err
	}
	return "logged in again", cmp.Or(db.Close(), d.assumed(2))
}

func (d *demo) delegated(ctx context.Context) (string, error) {
	if _, err := d.call(ctx, "store", d.shell.Request(foreign, "a static password")); err != nil {
		return "", err
	}
	password, err := d.shell.Get(ctx, foreign)
	if err == nil && password != "a static password" {
		err = errors.New("the delegate's password came back changed")
	}
	return foreign + ": stored in and read from mysql-secret-store-demo-keyring, byte for byte", err
}

func (d *demo) list(ctx context.Context) (string, error) {
	reply, err := d.call(ctx, "list", nil)
	for _, want := range []string{url, foreign} {
		if err == nil && strings.Count(reply, `"ServerURL":"`+want) != 1 {
			err = fmt.Errorf("%s is not listed once: %s", want, reply)
		}
	}
	return url + "\n" + foreign, err
}

func (d *demo) learn(ctx context.Context) (string, error) {
	db, err := d.shell.Login(ctx, stranger, d.rds)
	if err != nil {
		return "", err
	}
	if n := d.aws.CallsBy(account, "DescribeDBInstances"); n != 1 {
		err = fmt.Errorf("the account was asked %d times, not once", n)
	}
	return "account id zyxwvutsrqpo → each profile is asked for this one server → profile other has it\n" +
		"logged in with its token; the next server of that account is known", cmp.Or(db.Close(), err)
}

func (d *demo) managed(ctx context.Context) (string, error) {
	db, err := d.shell.Login(ctx, master, d.rds)
	if err != nil {
		return "", err
	}
	return "logged in by caching_sha2_password with what the secret has; nothing of it is kept", db.Close()
}

// forReal tells whoever has MySQL Shell how to go on.
func (d *demo) forReal() {
	if _, err := exec.LookPath("mysqlsh"); err != nil {
		return
	}
	fmt.Fprint(d.out, `
MySQL Shell is installed here. To use the helper for real:
  go build -o ~/.local/bin/mysql-secret-store-rds ./cmd/mysql-secret-store-rds
  ~/.local/bin/mysql-secret-store-rds setup
`)
}
