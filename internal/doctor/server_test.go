package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/testbed"
)

// TestMain sends whatever would leave this machine to a proxy that isn't there; Go reads these
// variables only once, and doesn't proxy loopback addresses.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:9"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

const (
	acct     = "123456789012"
	other    = "210987654321"
	owner    = "arn:aws:iam::123456789012:user/dba"
	orders   = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com"
	shop     = "shop.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"
	shop1    = "shop-1.abcdefghijkl.eu-west-1.rds.amazonaws.com"
	gate     = "gate.proxy-abcdefghijkl.eu-west-1.rds.amazonaws.com"
	ordersID = "arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ORDERS/dba"
)

// seen is in the local time zone, in which findings tell it.
var seen = time.Date(2026, 11, 20, 15, 4, 0, 0, time.Local)

// newHome gives the test an AWS of nothing: no variable, no metadata service, and a home of its own
// with this text as ~/.aws/config. The variables are the process's, so that these tests don't run
// in parallel.
func newHome(t *testing.T, config string) (home string) {
	t.Helper()
	var unset []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			unset = append(unset, name)
		}
	}
	for _, name := range unset {
		t.Setenv(name, "") // so that it is put back
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	home = t.TempDir()
	dir := filepath.Join(home, ".aws")
	file := filepath.Join(dir, "config")
	credentials := filepath.Join(dir, "credentials")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, []byte(config), 0o600), os.WriteFile(credentials, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"HOME": home, "USERPROFILE": home, "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2",
		"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": credentials,
	} {
		t.Setenv(name, value)
	}
	return home
}

// ward is a server in good health, to be made ill.
type ward struct {
	Server
	aws     *testbed.AWS
	rds     *testbed.RDS
	keys    *testbed.Keys
	servers testbed.Servers
}

const awsConfig = `[profile prod]
aws_access_key_id = AKIATESTBED
aws_secret_access_key = top/secret+key
[profile foreign]
aws_access_key_id = AKIAFOREIGN
aws_secret_access_key = foreign
[profile stale]
aws_access_key_id = ASIASTALE
aws_secret_access_key = stale
aws_session_token = stale-token
[profile unknown]
aws_access_key_id = AKIANOBODY
aws_secret_access_key = nothing
[profile empty]
region = eu-west-1
[profile role]
role_arn = arn:aws:iam::123456789012:role/team/reader
source_profile = prod
`

func newWard(t *testing.T) *ward {
	t.Helper()
	newHome(t, awsConfig)
	w := &ward{keys: &testbed.Keys{}}
	w.keys.Add(testbed.Key{ID: "AKIATESTBED", Secret: "top/secret+key", Owner: owner})
	w.keys.Add(testbed.Key{ID: "AKIAFOREIGN", Secret: "foreign", Owner: "arn:aws:iam::" + other + ":user/guest"})
	w.keys.Add(testbed.Key{ID: "ASIASTALE", Secret: "stale", SessionToken: "stale-token", Owner: owner, Expires: time.Now().Add(-time.Hour)})
	w.aws = testbed.StartAWS(w.keys)
	t.Cleanup(w.aws.Close)
	for _, v := range w.aws.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	w.servers = testbed.Servers{
		Instances: []testbed.DBInstance{
			{Identifier: "orders", ResourceID: "db-ORDERS", Engine: "mysql", EngineVersion: "8.0.40", Host: orders, IAM: true},
			{Identifier: "shop-1", Cluster: "shop", ResourceID: "db-SHOP1", Engine: "aurora-mysql", Host: shop1},
		},
		Clusters: []testbed.DBCluster{{Identifier: "shop", ResourceID: "cluster-SHOP", Engine: "aurora-mysql", Host: shop, IAM: true}},
		Proxies:  []testbed.DBProxy{{Name: "gate", ResourceID: "prx-GATE", EngineFamily: "MYSQL", Host: gate, IAMAuth: []string{"REQUIRED"}}},
	}
	w.aws.AllowConnect(owner)
	var err error
	w.rds, err = testbed.StartRDS(w.keys, testbed.Endpoint{Host: orders, Port: 3306, Region: "eu-west-1"},
		testbed.Endpoint{Host: shop, Port: 3306, Region: "eu-west-1"}, testbed.Endpoint{Host: shop1, Port: 3306, Region: "eu-west-1"},
		testbed.Endpoint{Host: gate, Port: 3306, Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.rds.Close)
	w.CA = x509.NewCertPool()
	w.CA.AppendCertsFromPEM(w.rds.CAPEM)
	w.CAFile, w.CAKnown = "ca.pem", true
	w.Config = &config.Config{File: "config.yaml"}
	w.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, w.rds.Addr)
	}
	w.Lookup = func(_ context.Context, host string) ([]string, []string, error) {
		return []string{host}, []string{"10.0.0.7"}, nil
	}
	w.to(orders)
	w.sign("prod")
	return w
}

// to makes host the server to visit.
func (w *ward) to(host string) {
	e, ok := server.ParseEndpoint(host)
	if !ok {
		panic("no endpoint: " + host)
	}
	w.URL = server.URL{User: "dba", Host: host, Port: 3306}
	w.Resolution = resolve.Resolution{
		Outcome: resolve.ToToken, Endpoint: e,
		Target: server.Target{Host: host, Port: 3306, User: "dba", Region: e.Region, Profile: w.Resolution.Target.Profile},
	}
}

// sign makes a profile's credentials sign.
func (w *ward) sign(profile string) {
	w.Resolution.Target.Profile = profile
	w.Provider = credentials.New(credentials.Source{Profile: profile, Region: "eu-west-1", User: "dba"}, credentials.Options{})
}

// know puts what there is of orders into the inventory.
func (w *ward) know(change func(*inventory.Server)) {
	s := inventory.Server{
		Host: orders, Port: 3306, Name: "orders", Engine: "mysql", EngineVersion: "8.0.40", ResourceID: "db-ORDERS", IAM: true,
		Account: acct, Region: "eu-west-1", Partition: "aws", HostID: "abcdefghijkl", Seen: seen,
	}
	change(&s)
	w.Known = &s
}

// denyRDS makes RDS answer nothing.
func (w *ward) denyRDS() {
	for _, operation := range []string{"DescribeDBInstances", "DescribeDBClusters", "DescribeDBProxies"} {
		w.aws.Break(testbed.Fault{Operation: operation, Status: 403, Code: "AccessDenied", Message: "no"})
	}
}

func (w *ward) visit(t *testing.T) []Finding {
	t.Helper()
	w.aws.SetServers(acct, "eu-west-1", w.servers)
	var list []Finding
	CheckServer(t.Context(), w.Server, func(f Finding) { list = append(list, f) })
	return list
}

// lines are findings as text, without what is to be done.
func lines(list []Finding, keep func(Finding) bool) (text []string) {
	for _, f := range list {
		if keep(f) {
			text = append(text, fmt.Sprintf("%v %s: %s", f.Status, f.Name, f.Text))
		}
	}
	return text
}

func isBad(f Finding) bool { return f.Status != OK }

func TestHealthyServer(t *testing.T) {
	w := newWard(t)
	got := w.visit(t)
	for i := range got {
		got[i].Text = until.ReplaceAllString(got[i].Text, "until DAY")
	}
	want := []Finding{
		{"target", OK, "a token for dba at " + orders + ":3306 in eu-west-1", nil},
		{"name", OK, orders + ": 10.0.0.7", nil},
		{"credentials", OK, owner, nil},
		{"clock", OK, "the same as AWS's", nil},
		{"server", OK, "instance orders (db-ORDERS), mysql 8.0.40, account 123456789012", nil},
		{"permission", OK, "rds-db:connect is allowed on " + ordersID, nil},
		{"iam", OK, "IAM authentication is enabled", nil},
		{"tcp", OK, orders + ":3306 is reachable", nil},
		{"tls", OK, "TLS 1.3, certificate good until DAY (ca.pem)", nil},
		{"token", OK, "accepted: logged in as dba@%", nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"dba"}, w.rds.Logins()); diff != "" {
		t.Errorf("logins, -want +got:\n%s", diff)
	}
	if asked := w.aws.Simulations(); len(asked) != 1 || !slices.Equal(asked[0].Resources, []string{ordersID}) {
		t.Errorf("simulated: %+v", asked)
	}
}

const (
	createDBA = "CREATE USER 'dba'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;\n" +
		"GRANT SELECT, INSERT, UPDATE, DELETE ON `DATABASE`.* TO 'dba'@'%'; -- the name of yours"
	alterDBA = "-- the password that it has stops working, for everybody who uses it\nALTER USER 'dba'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;"
)

func policyFor(arn string) string {
	return "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\",\n      \"Action\": \"rds-db:connect\",\n" +
		"      \"Resource\": \"" + arn + "\"\n    }\n  ]\n}"
}

// What passes while a test does.
var (
	tenMinutes = regexp.MustCompile(`\b(10m[012]|9m5[89])s\b`)
	written    = regexp.MustCompile(`written \d+ seconds? ago`)
	until      = regexp.MustCompile(`until \d{4}-\d\d-\d\d`)
	digits     = regexp.MustCompile(`doctor-\d+`)
)

// Each thing that goes wrong is made to, and named.
func TestCauses(t *testing.T) {
	none := "not checked: "
	for _, tc := range []struct {
		name string
		make func(w *ward)
		want []string            // all that isn't ok
		do   map[string][]string // of findings by name; those that aren't here are not compared
	}{
		{"another helper's", func(w *ward) { w.Resolution = resolve.Resolution{Reason: "config.yaml:3"} },
			[]string{"warn target: no token is made for dba@" + orders + ":3306: config.yaml:3"}, nil},
		{"no name", func(w *ward) {
			w.Lookup = func(context.Context, string) ([]string, []string, error) { return nil, nil, errors.New("no such host") }
		}, []string{
			"fail name: " + orders + " can't be looked up: no such host",
			"warn tcp: not checked: there is no address to connect to",
			"warn tls: not checked: there is no address to connect to",
			"warn token: not checked: there is no address to connect to",
		}, nil},
		{"an alias of another server", func(w *ward) {
			w.URL.Host = "db.example.com"
			w.Lookup = func(context.Context, string) ([]string, []string, error) {
				return []string{"db.example.com", shop}, []string{"10.0.0.8"}, nil
			}
			w.rds.SetUsers() // the other server doesn't know the token
		}, []string{
			"warn name: db.example.com leads to " + shop + ", and the token is for " + orders,
			"fail token: refused (1045): db.example.com leads to " + shop + ", and the token is for " + orders +
				"; the server has no database user dba, or one that is not IDENTIFIED WITH AWSAuthenticationPlugin",
		}, map[string][]string{"name": {"write into config.yaml:  servers: {db.example.com:3306: {endpoint: " + shop + ":3306}}"}}},
		{"no profile", func(w *ward) { w.sign("gone") }, []string{
			`fail credentials: the AWS configuration has no profile "gone"`,
			"warn server: nothing is known about it: there are no credentials to ask RDS with",
			"warn permission: not checked: there are no valid credentials",
			"warn iam: can't tell whether IAM authentication is enabled: nothing is known about the server",
			"warn token: not checked: there are no valid credentials to sign it with",
		}, nil},
		{"expired credentials", func(w *ward) { w.sign("stale"); w.know(func(*inventory.Server) {}) }, []string{
			`fail credentials: the session keys of AWS profile "stale" have expired; HOME/.aws/config, where they are, was written just now: ` +
				`write new ones there, or use a profile that renews by itself`,
			"warn permission: not checked: there are no valid credentials",
			"warn token: not checked: there are no valid credentials to sign it with",
		}, nil},
		{"unknown keys", func(w *ward) { w.sign("unknown") }, []string{
			"fail credentials: STS GetCallerIdentity: InvalidClientTokenId: The security token included in the request is invalid. (profile \"unknown\")",
			"warn server: nothing is known about it: there are no credentials to ask RDS with",
			"warn permission: not checked: there are no valid credentials",
			"warn iam: can't tell whether IAM authentication is enabled: nothing is known about the server",
			"warn token: not checked: there are no valid credentials to sign it with",
		}, nil},
		{"STS out of reach", func(w *ward) {
			w.aws.Break(testbed.Fault{Operation: "GetCallerIdentity", Status: 400, Code: "Throttling", Message: "Rate exceeded"})
			w.know(func(*inventory.Server) {})
			w.rds.SetSkew(time.Hour)
		}, []string{
			"warn credentials: there are some, but STS couldn't be asked whose: AWS has too many calls just now " +
				`(STS GetCallerIdentity: Throttling: Rate exceeded, profile "prod"); wait a moment, and try again`,
			"warn permission: can't tell whether rds-db:connect is allowed on arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ORDERS/dba: STS couldn't be asked who it is for",
			"fail token: refused (1045): perhaps the credentials are not valid, or this machine's clock is wrong: STS couldn't be asked; " +
				"or rds-db:connect is not allowed on " + ordersID,
		}, nil},
		{"the clock", func(w *ward) { w.aws.Skew = -10 * time.Minute; w.rds.SetSkew(-10 * time.Minute) }, []string{
			"fail clock: 10m0s ahead of AWS's, which refuses what is signed more than 5 minutes off",
			"fail token: none can be signed: this machine's clock is 10m0s ahead of AWS's, which refuses what is signed more than 5 minutes off: " +
				"set this machine's clock",
		}, map[string][]string{"clock": {"sudo timedatectl set-ntp true"}}},
		{"the clock of temporary credentials", func(w *ward) { w.sign("role"); w.aws.Skew = 10 * time.Minute }, []string{
			"warn credentials: of no use until this machine's clock is right",
			"fail clock: 10m0s behind AWS's, which refuses what is signed more than 5 minutes off",
			"warn server: nothing is known about it: there are no credentials to ask RDS with",
			"warn permission: not checked: there are no valid credentials",
			"warn iam: can't tell whether IAM authentication is enabled: nothing is known about the server",
			"warn token: not checked: there are no valid credentials to sign it with",
		}, nil},
		{"an AWS that doesn't answer", func(w *ward) {
			w.Patience = time.Second
			for _, operation := range []string{"GetCallerIdentity", "DescribeDBInstances", "SimulatePrincipalPolicy"} {
				w.aws.Delay(operation, time.Hour) // only the first is waited for
			}
			w.rds.SetSkew(time.Hour)
		}, []string{
			"warn credentials: there are some, but STS couldn't be asked whose: STS did not answer within 1s: check the network, a VPC endpoint, HTTPS_PROXY",
			"warn server: nothing is known about it: AWS doesn't answer",
			"warn permission: can't tell: the server's resource id is not known",
			"warn iam: can't tell whether IAM authentication is enabled: nothing is known about the server",
			"fail token: refused (1045): perhaps the credentials are not valid, or this machine's clock is wrong: STS couldn't be asked; " +
				"or rds-db:connect is not allowed; or IAM authentication is not enabled on the server",
		}, nil},
		{"an RDS that doesn't answer", func(w *ward) {
			w.Patience = time.Second
			w.rds.SetSkew(time.Hour)
			w.know(func(*inventory.Server) {})
			for _, operation := range []string{"DescribeDBInstances", "SimulatePrincipalPolicy"} {
				w.aws.Delay(operation, time.Hour)
			}
		}, []string{
			"warn permission: can't tell whether rds-db:connect is allowed on " + ordersID + ": AWS doesn't answer",
			"fail token: refused (1045): perhaps rds-db:connect is not allowed on " + ordersID,
		}, map[string][]string{"permission": {policyFor(ordersID)}}},
		{"an RDS that may not be asked", func(w *ward) { w.denyRDS(); w.rds.SetSkew(time.Hour) }, []string{
			"warn server: nothing is known about it: RDS can't be asked: rds:DescribeDBInstances is not allowed",
			"warn permission: can't tell: the server's resource id is not known; this policy allows it, with what the command gives for RESOURCE_ID, or, where it names a cluster, too, with that one's DbClusterResourceId",
			"warn iam: can't tell whether IAM authentication is enabled: nothing is known about the server",
			"fail token: refused (1045): perhaps rds-db:connect is not allowed; or IAM authentication is not enabled on the server",
		}, map[string][]string{"permission": {
			"aws rds describe-db-instances --db-instance-identifier orders --query 'DBInstances[0].[DbiResourceId,DBClusterIdentifier]' --output text --region eu-west-1 --profile prod",
			policyFor("arn:aws:rds-db:eu-west-1:123456789012:dbuser:RESOURCE_ID/dba"),
		}}},
		{"a token for another user", func(w *ward) {
			w.Resolution.Target.User = "signer"
			w.Resolution.UserBy = "servers: orders (config.yaml:3)"
		}, []string{
			"fail target: a token for signer at " + orders + ":3306 in eu-west-1 (servers: orders (config.yaml:3)), and of no use to dba, as whom MySQL Shell logs in",
			"fail token: refused (1045): a token for signer at " + orders + ":3306 in eu-west-1 (servers: orders (config.yaml:3)), and of no use to dba, as whom MySQL Shell logs in",
		}, map[string][]string{"target": {"mysql-secret-store-rds connect signer@" + orders + ":3306"}}},
		{"another region, by the server's own entry", func(w *ward) {
			w.Resolution.Target.Region = "us-east-1"
			w.Resolution.Entry = config.Where{File: "config.yaml", Line: 3, Name: "servers: orders"}
		}, []string{
			"fail server: the token is for region us-east-1, and the server is in eu-west-1",
			"fail token: refused (1045): the token is for region us-east-1, and the server is in eu-west-1",
		}, map[string][]string{"server": {"set in servers: orders (config.yaml:3):  region: eu-west-1"}}},
		{"another region", func(w *ward) { w.Resolution.Target.Region = "us-east-1" }, []string{
			"fail server: the token is for region us-east-1, and the server is in eu-west-1",
			"fail token: refused (1045): the token is for region us-east-1, and the server is in eu-west-1",
		}, map[string][]string{"server": {"write into config.yaml:  servers: {" + orders + ":3306: {region: eu-west-1}}"}}},
		{"another port through a tunnel", func(w *ward) {
			w.URL.Host, w.URL.Port = "127.0.0.1", 3307
			w.Resolution.Target.Port = 3308
		}, []string{
			"fail server: the token is for port 3308, and the server's is 3306",
			"fail token: refused (1045): the token is for port 3308, and the server's is 3306",
		}, map[string][]string{"server": {"write into config.yaml:  servers: {127.0.0.1:3307: {endpoint: " + orders + ":3306}}"}}},
		{"another port", func(w *ward) {
			w.servers.Instances[0].Port = 3307
			w.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
		}, []string{
			"fail server: the token is for port 3306, and the server's is 3307",
			"fail tcp: " + orders + ":3306 can't be reached: connection refused; RDS says that the server's port is 3307",
			"warn tls: not checked: there is no connection",
			"warn token: not checked: there is no connection",
		}, map[string][]string{"server": {"mysql-secret-store-rds connect dba@" + orders + ":3307"}}},
		{"no server of that name", func(w *ward) { w.servers.Instances = nil; w.rds.SetUsers() }, []string{
			"fail server: RDS has no MySQL or MariaDB server " + orders + " in account 123456789012: it is gone, of another engine, or the credentials are another account's",
			"warn permission: can't tell: the server's resource id is not known",
			"warn iam: can't tell whether IAM authentication is enabled: nothing is known about the server",
			"fail token: refused (1045): RDS has no MySQL or MariaDB server " + orders + " in account 123456789012: it is gone, of another engine, or the credentials are another account's" +
				"; the server has no database user dba, or one that is not IDENTIFIED WITH AWSAuthenticationPlugin",
		}, nil},
		{"another account's credentials", func(w *ward) { w.sign("foreign"); w.know(func(*inventory.Server) {}); w.rds.SetSkew(time.Hour) }, []string{
			"fail permission: the credentials are of account 210987654321, and the server is in 123456789012, where they can't be allowed to connect",
			"fail token: refused (1045): the credentials are of account 210987654321, and the server is in 123456789012, where they can't be allowed to connect",
		}, map[string][]string{"permission": {"write into config.yaml:  servers: {" + orders + ":3306: {role_arn: arn:aws:iam::123456789012:role/ROLE}}"}}},
		{"stopped", func(w *ward) { w.servers.Instances[0].Status = "stopped" }, []string{
			"warn server: instance orders (db-ORDERS), mysql 8.0.40, account 123456789012; its status is stopped",
		}, nil},
		{"no permission", func(w *ward) { w.aws.DenyConnect(owner); w.rds.SetSkew(time.Hour) }, []string{
			"fail permission: rds-db:connect is not allowed to " + owner + " on " + ordersID + "; this policy allows it",
			"fail token: refused (1045): rds-db:connect is not allowed to " + owner + " on " + ordersID,
		}, map[string][]string{"permission": {policyFor(ordersID)}}},
		{"permission for another user", func(w *ward) {
			w.aws.AllowConnect(owner, "arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ORDERS/DBA")
			w.rds.SetSkew(time.Hour)
		}, []string{
			"fail permission: rds-db:connect is not allowed to " + owner + " on " + ordersID + "; this policy allows it",
			"fail token: refused (1045): rds-db:connect is not allowed to " + owner + " on " + ordersID,
		}, nil},
		{"forbidden", func(w *ward) { w.aws.ForbidConnect(owner); w.rds.SetSkew(time.Hour) }, []string{
			"fail permission: rds-db:connect is denied to " + owner + " on " + ordersID + ", by a policy that says so, a permissions boundary or the organization",
			"fail token: refused (1045): rds-db:connect is denied to " + owner + " on " + ordersID + ", by a policy that says so, a permissions boundary or the organization",
		}, map[string][]string{"permission": nil}},
		{"a role without permission", func(w *ward) {
			w.sign("role")
			w.aws.AddRole("arn:aws:iam::123456789012:role/team/reader")
			w.aws.DenyConnect("arn:aws:iam::123456789012:role/team/reader")
			w.rds.SetSkew(time.Hour)
		}, []string{
			"fail permission: rds-db:connect is not allowed to the role reader on " + ordersID + "; this policy allows it",
			"fail token: refused (1045): rds-db:connect is not allowed to the role reader on " + ordersID,
		}, nil},
		{"nobody may ask", func(w *ward) { w.sign("role"); w.rds.SetSkew(time.Hour) }, []string{
			"warn permission: can't tell whether rds-db:connect is allowed on " + ordersID +
				": iam:SimulatePrincipalPolicy is not allowed; this policy for the role reader allows it",
			"fail token: refused (1045): perhaps rds-db:connect is not allowed on " + ordersID,
		}, map[string][]string{"permission": {policyFor(ordersID)}}},
		{"nothing in sight", func(w *ward) { w.rds.SetSkew(time.Hour) }, []string{
			"fail token: refused (1045): perhaps none of the known causes; the server's own log (iam-db-auth-error) tells more. The user's name is case-sensitive: dba",
		}, nil},
		{"no IAM authentication", func(w *ward) { w.servers.Instances[0].IAM = false; w.rds.UnloadPlugin() }, []string{
			"fail iam: IAM authentication is not enabled on the server",
			"fail token: the server can't check it (1524: Plugin 'AWSAuthenticationPlugin' is not loaded): IAM authentication is not enabled on it",
		}, map[string][]string{"iam": {"aws rds modify-db-instance --db-instance-identifier orders --enable-iam-database-authentication --apply-immediately --region eu-west-1 --profile prod"}}},
		{"no IAM authentication, 1045", func(w *ward) { w.servers.Instances[0].IAM = false; w.rds.SetSkew(time.Hour) }, []string{
			"fail iam: IAM authentication is not enabled on the server",
			"fail token: refused (1045): IAM authentication is not enabled on the server",
		}, nil},
		{"no IAM authentication in the inventory", func(w *ward) {
			w.denyRDS()
			w.know(func(s *inventory.Server) { s.IAM = false })
			w.rds.SetSkew(time.Hour)
		}, []string{
			"warn iam: IAM authentication is not enabled on the server, as of 2026-11-20 15:04",
			"fail token: refused (1045): IAM authentication is not enabled on the server, as of 2026-11-20 15:04",
		}, nil},
		{"no IAM authentication in a cluster", func(w *ward) { w.to(shop1); w.sign("prod"); w.rds.SetSkew(time.Hour) }, []string{
			"fail iam: IAM authentication is not enabled on the server",
			"fail token: refused (1045): IAM authentication is not enabled on the server",
		}, map[string][]string{"iam": {"aws rds modify-db-cluster --db-cluster-identifier shop --enable-iam-database-authentication --apply-immediately --region eu-west-1 --profile prod"}}},
		{"an instance of a cluster in the inventory", func(w *ward) {
			w.denyRDS()
			w.know(func(s *inventory.Server) { s.Cluster = "orders-cluster" })
			w.rds.SetSkew(time.Hour)
		}, []string{
			"warn permission: can't tell: the server's resource id is not known; this policy allows it, with what the command gives for RESOURCE_ID",
			"fail token: refused (1045): perhaps rds-db:connect is not allowed",
		}, nil},
		{"a proxy without IAM", func(w *ward) {
			w.to(gate)
			w.sign("prod")
			w.servers.Proxies[0].IAMAuth = []string{"DISABLED"}
			w.rds.SetSkew(time.Hour)
		}, []string{
			"fail iam: the RDS Proxy takes no tokens: none of its secrets has IAM authentication",
			"fail token: refused (1045): the RDS Proxy takes no tokens: none of its secrets has IAM authentication",
		}, map[string][]string{"iam": {`aws rds modify-db-proxy --db-proxy-name gate --region eu-west-1 --profile prod --auth ` +
			`"$(aws rds describe-db-proxies --db-proxy-name gate --region eu-west-1 --profile prod --query 'DBProxies[0].Auth' --output json | sed 's/"DISABLED"/"REQUIRED"/')"`}}},
		{"a proxy without the user's secret", func(w *ward) { w.to(gate); w.sign("prod"); w.rds.SetUsers() }, []string{
			"fail token: refused (1045): perhaps the RDS Proxy has no secret for the database user dba, or may not read it",
		}, nil},
		{"no database user", func(w *ward) { w.rds.SetUsers("DBA") }, []string{
			"fail token: refused (1045): the server has no database user dba, or one that is not IDENTIFIED WITH AWSAuthenticationPlugin",
		}, map[string][]string{"token": {"-- if there is no such user:\n" + createDBA, "-- if there is one:\n" + alterDBA}}},
		{"no answer", func(w *ward) {
			w.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, os.ErrDeadlineExceeded }
		}, []string{
			"fail tcp: " + orders + ":3306 can't be reached: no answer within 3s: a security group may be in the way, or a VPN or tunnel is needed",
			"warn tls: not checked: there is no connection",
			"warn token: not checked: there is no connection",
		}, nil},
		{"a tunnel", func(w *ward) {
			w.Tunnel = "bastion.example.com"
			w.Lookup = func(context.Context, string) ([]string, []string, error) { return nil, nil, errors.New("no such host") }
			w.Dial = func(context.Context, string, string) (net.Conn, error) { panic("dialled past the tunnel") }
		}, []string{
			"warn name: can't tell: the far end of the tunnel (bastion.example.com) looks " + orders + " up; here: no such host",
			"warn tcp: can't tell: MySQL Shell connects through a tunnel (ssh: bastion.example.com)",
			"warn tls: " + none + "the server is behind a tunnel",
			"warn token: " + none + "the server is behind a tunnel",
		}, nil},
		{"no authority", func(w *ward) { w.CAKnown = false }, []string{
			"warn tls: not checked: ca.pem has no authority for " + orders + "; name a file that has",
			"warn token: not checked: a token is not sent to a server whose certificate can't be checked",
		}, map[string][]string{"tls": {"write into config.yaml:  servers: {" + orders + ":3306: {ssl_ca: /path/to/ca.pem}}"}}},
		{"no bundle", func(w *ward) { w.CAKnown, w.CAFile = false, "" }, []string{
			"warn tls: not checked: the bundle has no authorities for eu-west-1; they are at https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem: fetch them, or name a file that has them",
			"warn token: not checked: a token is not sent to a server whose certificate can't be checked",
		}, map[string][]string{"tls": {
			"mysql-secret-store-rds ca-bundle --fetch eu-west-1", "write into config.yaml:  servers: {" + orders + ":3306: {ssl_ca: /path/to/ca.pem}}",
		}}},
		{"another authority than those of the bundle", func(w *ward) { w.CA, w.CAFile = x509.NewCertPool(), "" }, []string{
			"fail tls: the certificate is not of an authority in the bundle (it is signed by CN=testbed authority); if it is right, name its authority",
			"warn token: not checked: there is no TLS to send it over",
		}, map[string][]string{"tls": {
			"mysql-secret-store-rds ca-bundle --fetch eu-west-1", "write into config.yaml:  servers: {" + orders + ":3306: {ssl_ca: /path/to/ca.pem}}",
		}}},
		{"another authority", func(w *ward) { w.CA = x509.NewCertPool() }, []string{
			"fail tls: the certificate is not of an authority in ca.pem (it is signed by CN=testbed authority); if it is right, name its authority",
			"warn token: not checked: there is no TLS to send it over",
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWard(t)
			tc.make(w)
			list := w.visit(t)
			got := lines(list, isBad)
			for i := range got {
				got[i] = tenMinutes.ReplaceAllString(got[i], "10m0s")
				got[i] = written.ReplaceAllString(strings.ReplaceAll(got[i], os.Getenv("HOME")+string(filepath.Separator), "HOME/"), "written just now")
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for name, want := range tc.do {
				i := slices.IndexFunc(list, func(f Finding) bool { return f.Name == name })
				if i < 0 {
					t.Errorf("%s was not checked", name)
				} else if diff := cmp.Diff(want, list[i].Do); diff != "" {
					t.Errorf("%s: do, -want +got:\n%s", name, diff)
				}
			}
			for _, secret := range []string{"top/secret", "stale-token", "X-Amz-"} {
				if strings.Contains(fmt.Sprint(list), secret) {
					t.Errorf("%s in the findings", secret)
				}
			}
		})
	}
}

// Credentials that are kept sign without a question to AWS, so that the server is
// the first to refuse.
func TestClockOfKeptCredentials(t *testing.T) {
	w := newWard(t)
	w.sign("role")
	store := cache.In(t.TempDir())
	w.Provider = credentials.New(credentials.Source{Profile: "role", Region: "eu-west-1"}, credentials.Options{Store: store})
	if _, err := w.Provider.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := testbed.StartAWS(w.keys)
	t.Cleanup(later.Close)
	later.Skew = -10 * time.Minute
	later.AllowConnect("arn:aws:iam::123456789012:role/reader")
	t.Setenv("AWS_ENDPOINT_URL", later.URL)
	t.Setenv("AWS_ENDPOINT_URL_STS", later.URL)
	w.aws = later
	w.rds.SetSkew(later.Skew)
	want := []string{
		"fail clock: 10m0s ahead of AWS's, which refuses what is signed more than 5 minutes off",
		"fail token: refused (1045): this machine's clock is 10m0s ahead of AWS's, which refuses what is signed more than 5 minutes off",
	}
	got := lines(w.visit(t), isBad)
	for i := range got {
		got[i] = tenMinutes.ReplaceAllString(got[i], "10m0s")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Whoever isn't a MySQL server with TLS is sent nothing.
func TestNoTLS(t *testing.T) {
	greeting := "\x0a8.0.40\x00\x01\x00\x00\x0012345678\x00\xff\xf7\x2d\x02\x00\xff\x80\x15" + strings.Repeat("\x00", 10) + "123456789012\x00mysql_native_password\x00"
	packet := func(payload string) string {
		return string([]byte{byte(len(payload)), byte(len(payload) >> 8), 0, 0}) + payload
	}
	for _, tc := range []struct{ name, first, want string }{
		{"silence", "", "the connection was closed before TLS began: no MySQL server, or not the way to it"},
		{"no TLS", packet(greeting), "the server has no TLS, without which RDS takes no token: is it an RDS server?"},
		{"too many connections", packet("\xff\x10\x04Too many connections"), "the server wants no connection: 1040: Too many connections"},
		{"blocked", packet("\xff\x69\x04Host '10.0.0.1' is blocked"), "the server wants no connection: 1129: Host '10.0.0.1' is blocked"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWard(t)
			received := make(chan []byte, 10)
			w.Dial = func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() {
					defer server.Close()
					if _, err := server.Write([]byte(tc.first)); err != nil {
						return
					}
					_ = server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
					buf := make([]byte, 1000)
					n, _ := server.Read(buf) // nothing, it is hoped
					received <- buf[:n]
				}()
				return client, nil
			}
			want := []string{"fail tls: " + tc.want, "warn token: not checked: there is no TLS to send it over"}
			if diff := cmp.Diff(want, lines(w.visit(t), isBad)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if sent := <-received; len(sent) > 0 {
				t.Errorf("sent %q", sent)
			}
		})
	}
}

// A login that the server accepts is the proof: what AWS doesn't tell, or takes for forbidden, is no
// warning then.
func TestLoginIsTheProof(t *testing.T) {
	for name, prepare := range map[string]func(w *ward){
		"nobody may ask":   func(w *ward) { w.sign("role") },
		"RDS may not":      func(w *ward) { w.denyRDS() },
		"IAM says no":      func(w *ward) { w.aws.DenyConnect(owner) },
		"IAM says never":   func(w *ward) { w.aws.ForbidConnect(owner) },
		"an old inventory": func(w *ward) { w.denyRDS(); w.know(func(s *inventory.Server) { s.IAM = false }) },
		"gone from RDS":    func(w *ward) { w.servers.Instances = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			prepare(w)
			list := w.visit(t)
			if diff := cmp.Diff([]string(nil), lines(list, isBad)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			var names []string
			for _, f := range list {
				names = append(names, f.Name)
			}
			want := []string{"target", "name", "credentials", "clock", "server", "permission", "iam", "tcp", "tls", "token"}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Ctrl-C is no failure of the server.
func TestCancelled(t *testing.T) {
	w := newWard(t)
	for _, waiting := range []string{"STS: ", "RDS: ", "IAM: ", "a connection ", "a login "} {
		ctx, cancel := context.WithCancel(t.Context())
		w.Waiting = func(what string) {
			if strings.HasPrefix(what, waiting) {
				cancel()
			}
		}
		w.aws.SetServers(acct, "eu-west-1", w.servers)
		CheckServer(ctx, w.Server, func(f Finding) {
			if f.Status != OK {
				t.Errorf("cancelled at %s: %+v", waiting, f)
			}
		})
		cancel()
	}
}

// A certificate is for the endpoint; an alias that leads to it is no name on it.
func TestAlias(t *testing.T) {
	w := newWard(t)
	w.URL.Host = "db.example.com"
	w.Lookup = func(context.Context, string) ([]string, []string, error) {
		return []string{"db.example.com", orders}, []string{"10.0.0.7", "10.0.0.8"}, nil
	}
	list := w.visit(t)
	if diff := cmp.Diff([]string(nil), lines(list, isBad)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := list[1].Text, "db.example.com is an alias of "+orders+": 10.0.0.7, 10.0.0.8"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := list[8].Text, "; it is for "+orders+", not for db.example.com: clients need --ssl-mode=VERIFY_CA"; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want %s at its end", got, want)
	}
}

func TestWrongCertificate(t *testing.T) {
	w := newWard(t)
	host := "gone.abcdefghijkl.eu-west-1.rds.amazonaws.com"
	w.servers.Instances[0].Identifier, w.servers.Instances[0].Host = "gone", host
	w.to(host)
	w.sign("prod")
	got := lines(w.visit(t), isBad)
	if len(got) != 2 || !strings.HasPrefix(got[0], "fail tls: the certificate is not for "+host+" but for localhost, "+orders) {
		t.Errorf("got %q", got)
	}
	if len(w.rds.Refusals()) > 0 {
		t.Error("the token was sent nevertheless")
	}
}

// It ends when it is told to, whatever doesn't answer.
func TestEnds(t *testing.T) {
	w := newWard(t)
	for _, operation := range []string{"GetCallerIdentity", "DescribeDBInstances", "SimulatePrincipalPolicy"} {
		w.aws.Delay(operation, time.Minute)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	n := 0
	CheckServer(ctx, w.Server, func(Finding) { n++ })
	if took := time.Since(start); took > 5*time.Second || n < 9 {
		t.Errorf("%d findings after %v", n, took)
	}
	http.DefaultClient.CloseIdleConnections()
}

// What servers may say to a login besides 1045.
func TestCheckToken(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		attempt
		want Finding
	}{
		{"another plugin", attempt{err: mysql.ErrUnknownPlugin}, Finding{"token", Fail,
			"the server wants another plugin than mysql_clear_password (clients say 2059): the database user dba is not IDENTIFIED WITH AWSAuthenticationPlugin",
			[]string{alterDBA}}},
		{"a locked account", attempt{err: &mysql.MySQLError{Number: 3118, Message: "Account is locked."}},
			Finding{"token", Fail, "the server refuses the login: 3118: Account is locked.", nil}},
		{"the end", attempt{err: mysql.ErrInvalidConn}, Finding{"token", Fail, "the server ended the login: invalid connection", nil}},
		{"no answer to a statement", attempt{in: true, err: errors.New("gone away")},
			Finding{"token", Warn, "accepted, but select current_user() gives: gone away", nil}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []Finding
			v := &visit{t: server.Target{User: "dba"}, give: func(f Finding) { got = append(got, f) }}
			v.checkToken(t.Context(), tc.attempt)
			if diff := cmp.Diff([]Finding{tc.want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// This machine's name is in no DNS.
func TestLookup(t *testing.T) {
	t.Parallel()
	hops, addrs, err := Lookup(t.Context(), "localhost")
	if err != nil || !slices.Equal(hops, []string{"localhost"}) || !slices.Contains(addrs, "127.0.0.1") && !slices.Contains(addrs, "::1") {
		t.Errorf("got %q, %q, %v", hops, addrs, err)
	}
}
