package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// Where .ci/clients has unpacked the programs that docs/clients.md is about.
const clientsFolder = "MYSQL_SECRET_STORE_RDS_TEST_CLIENTS"

// TestClients: each example of docs/clients.md, as it stands there, and connect, with the real
// client programs. They log in at a real MySQL server that asks for the token in clear, and at the
// RDS-like one, which checks its signature. At servers that can't show who they are they refuse,
// before the token is sent.
func TestClients(t *testing.T) {
	t.Parallel()
	w := newClients(t)
	w.behindTunnel(t)
	w.takeNames(t)
	w.ofSecret(t)
	servers := w.servers(t)
	all := w.examples(t)
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range all {
				t.Run(c.name, func(t *testing.T) { w.try(t, s, c) })
			}
		})
	}
}

// clients are the programs, and a bed that they see as the test does.
type clients struct {
	*bed
	debian string // the folder that they are in
	dir    string // the one that both see
	mysqld string // the real server's address
	hosts  string // where its name leads
	token  string // which it takes
}

func newClients(t *testing.T) *clients {
	t.Helper()
	w := &clients{debian: os.Getenv(clientsFolder), dir: t.TempDir(), mysqld: loopback(t)}
	if w.debian == "" {
		missing(t, clientsFolder+" names no folder; unpack the clients with: .ci/clients FOLDER")
	}
	var err error
	if w.bed, err = newBed(w.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	own := filepath.Join(w.dir, "bin", "mysql-secret-store-rds")
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, own, string(b))
	// On these paths, connect finds one client.
	for _, client := range []string{"mysql", "mariadb"} {
		folder := filepath.Join(w.dir, "only-"+client)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, file := range map[string]string{client: "/usr/bin/" + client, filepath.Base(own): own} {
			if err := os.Symlink(file, filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.write(t, filepath.Join(w.dir, "config.yaml"), "defaults: {ssl_ca: "+w.dir+"/ca.pem}\nservers:\n"+
		"  "+w.mysqld+":3306: {endpoint: "+orders+":3306, ssl_ca: "+w.dir+"/data/ca.pem}\n"+
		"rules:\n  - {user: keeper, secret: prod/keeper, ssl_ca: "+w.dir+"/tls-ca.pem}\n")
	w.hosts = w.hostsFile(t, w.mysqld)
	w.startMySQL(t)
	return w
}

func (w *clients) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	writeProgram(t, file, text)
}

// hostsFile returns an /etc/hosts where the name of the examples leads to an address.
func (w *clients) hostsFile(t *testing.T, addr string) string {
	file := filepath.Join(w.dir, "hosts-"+addr)
	w.write(t, file, "127.0.0.1 localhost\n"+addr+" "+orders+"\n")
	return file
}

// loopback returns an address of this machine on which nobody uses port 3306.
func loopback(t *testing.T) string {
	t.Helper()
	b := make([]byte, 3)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.%d.%d.%d", 16+b[0]%200, b[1], 1+b[2]%250)
}

// command is one that runs in the clients' Debian, as its root: in a name space of its own, where
// this user may be that.
func (w *clients) command(ctx context.Context, t *testing.T, hosts string, args ...string) *exec.Cmd {
	t.Helper()
	inside, err := filepath.Abs("testdata/clients/inside.sh")
	if err != nil {
		t.Fatal(err)
	}
	apart := []string{"--mount"}
	if os.Getuid() != 0 {
		apart = []string{"--user", "--map-root-user", "--mount"}
	}
	args = slices.Concat(apart, []string{"sh", inside, w.debian, w.dir, hosts}, args)
	cmd := exec.CommandContext(ctx, peer(t, "unshare"), args...)
	cmd.Env = slices.DeleteFunc(w.env(), func(v string) bool { return strings.HasPrefix(v, "PATH=") })
	cmd.Env = append(cmd.Env, "PATH="+w.dir+"/bin:/usr/bin:/usr/sbin", "NODE_PATH=/usr/share/nodejs/node_modules",
		"MYSQL_SECRET_STORE_RDS_CONFIG="+w.dir+"/config.yaml")
	return cmd
}

// sh runs a script there to its end, and gives its output.
func (w *clients) sh(t *testing.T, hosts, stdin, script string) string {
	t.Helper()
	stdout, stderr, err := w.trySh(t, hosts, stdin, script)
	if err != nil {
		t.Fatalf("%s\n%v: %s%s", script, err, stdout, stderr)
	}
	return stdout
}

func (w *clients) trySh(t *testing.T, hosts, stdin, script string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := testContext(t)
	defer cancel()
	cmd := w.command(ctx, t, hosts, "sh", "-euc", script)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// startMySQL starts a real server, with the certificate that it makes for itself.
func (w *clients) startMySQL(t *testing.T) {
	t.Helper()
	plugins := filepath.Join(w.dir, "plugins")
	if err := os.Mkdir(plugins, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, os.Environ(), peer(t, "gcc"), "-shared", "-fPIC", "-Wall", "-Werror", "-o", plugins+"/token_auth.so",
		"testdata/clients/token_auth.c")
	const more = "component_reference_cache.so" // which it misses
	if err := os.Symlink("/usr/lib/mysql/plugin/"+more, filepath.Join(plugins, more)); err != nil {
		t.Fatal(err)
	}
	common := "mysqld --no-defaults --user=root --innodb-redo-log-capacity=8M --datadir=" + w.dir + "/data "
	w.sh(t, w.hosts, "", common+"--initialize-insecure 2>&1")

	log, err := os.Create(filepath.Join(w.dir, "mysqld.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := w.command(context.Background(), t, w.hosts, append(strings.Fields(common),
		"--bind-address="+w.mysqld, "--port=3306", "--socket="+w.dir+"/s", "--pid-file="+w.dir+"/data/pid", "--mysqlx=OFF",
		"--secure-file-priv=NULL", "--skip-log-bin", "--performance-schema=OFF",
		"--plugin-dir="+plugins, "--plugin-load=token_auth.so")...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the signal is sent when the thread ends that started the server
		started <- cmd.Start()
		ended <- cmd.Wait()
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		how := <-ended
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("mysqld: %v\n%s", how, said)
		}
		_ = log.Close()
	})
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		said, err := os.ReadFile(log.Name())
		if err != nil || len(ended) > 0 || time.Now().After(deadline) {
			t.Fatalf("mysqld isn't ready: %v\n%s", err, said)
		}
		if bytes.Contains(said, []byte("ready for connections")) {
			break
		}
	}
	w.sql(t, "CREATE USER dba@'%' IDENTIFIED WITH token_auth REQUIRE SSL; GRANT ALL ON *.* TO dba@'%'; "+
		"CREATE DATABASE shop; CREATE TABLE shop.fruit (id INT PRIMARY KEY, name TEXT); "+
		"INSERT INTO shop.fruit VALUES (42, 'quince')")
}

// sql gives statements to the real server as its root.
func (w *clients) sql(t *testing.T, statements string) {
	t.Helper()
	w.sh(t, w.hosts, statements, "mysql --no-defaults --user=root --socket="+w.dir+"/s")
}

// accept makes the real server take the token that the program now has for a Server URL.
func (w *clients) accept(t *testing.T, url string) {
	t.Helper()
	w.token = strings.TrimSpace(w.sh(t, w.hosts, "", "mysql-secret-store-rds token "+url))
	w.sql(t, "ALTER USER dba@'%' IDENTIFIED WITH token_auth AS '"+w.token+"'")
}

// whoAmI is what each client asks.
const whoAmI = "SELECT CURRENT_USER();"

// behindTunnel: the certificate that a MySQL server makes for itself has no name, like the one
// that is seen through a tunnel. MySQL's client is told to verify who signed it.
func (w *clients) behindTunnel(t *testing.T) {
	url := "dba@" + w.mysqld + ":3306"
	w.accept(t, url)
	connect := "PATH=" + w.dir + "/only-%s mysql-secret-store-rds connect " + url
	if got := w.sh(t, w.hosts, whoAmI, fmt.Sprintf(connect, "mysql")); !strings.Contains(got, "dba@%") {
		t.Errorf("mysql through a tunnel: %s", got)
	}
	_, stderr, err := w.trySh(t, w.hosts, whoAmI, fmt.Sprintf(connect, "mariadb"))
	if err == nil || !strings.Contains(stderr, "MariaDB's client can't verify a server by another name than its own") {
		t.Errorf("mariadb through a tunnel: %v: %s", err, stderr)
	}
	direct := "PATH=" + w.dir + "/only-mysql mysql-secret-store-rds connect dba@" + orders + ":3306"
	if got, stderr, err := w.trySh(t, w.hosts, whoAmI, direct); err == nil {
		t.Errorf("mysql logged in at a server whose authority it doesn't know: %s%s", got, stderr)
	}
}

// takeNames gives the real server a certificate with the examples' host name.
func (w *clients) takeNames(t *testing.T) {
	t.Helper()
	for name, b := range map[string][]byte{"ca": w.rds.CAPEM, "cert": w.rds.CertPEM, "key": w.rds.KeyPEM} {
		w.write(t, w.dir+"/tls-"+name+".pem", string(b))
	}
	w.sql(t, strings.ReplaceAll("SET GLOBAL ssl_ca = 'DIR/tls-ca.pem', GLOBAL ssl_cert = 'DIR/tls-cert.pem', "+
		"GLOBAL ssl_key = 'DIR/tls-key.pem'; ALTER INSTANCE RELOAD TLS", "DIR", w.dir))
	w.accept(t, "dba@"+orders+":3306")
}

// ofSecret: a user whose password AWS Secrets Manager keeps logs in with each client, by the plugin
// that MySQL itself would choose, and without sending it in clear.
func (w *clients) ofSecret(t *testing.T) {
	t.Helper()
	const password = `it's "secret"`
	w.aws.SetSecret(testbed.Secret{
		ARN:    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/keeper-AbCdEf",
		Stages: map[string]string{"AWSCURRENT": credential("keeper", password)},
	})
	w.sql(t, "CREATE USER keeper@'%' IDENTIFIED WITH caching_sha2_password BY '"+strings.ReplaceAll(password, "'", "''")+
		"' REQUIRE SSL")
	url := "keeper@" + orders + ":3306"
	for _, client := range []string{"mysql", "mariadb"} {
		for _, command := range []string{
			"PATH=" + w.dir + "/only-" + client + " mysql-secret-store-rds connect " + url,
			`sh -c "$(PATH=` + w.dir + "/only-" + client + " mysql-secret-store-rds connect --print " + url + `)"`,
		} {
			stdout, stderr, err := w.trySh(t, w.hosts, whoAmI, command)
			if err != nil || !strings.Contains(stdout, "keeper@%") || strings.Contains(command+stdout+stderr, password) {
				t.Errorf("%s: %v: %s%s", command, err, stdout, stderr)
			}
		}
	}
}

// aServer is one that clients try.
type aServer struct {
	name  string
	hosts string       // where the host name of the examples leads to it
	rds   *testbed.RDS // nil: the real one
	trap  string       // why no client must send a token to it: what they say; empty: they may
}

// servers starts the others, and writes the file with the authorities.
func (w *clients) servers(t *testing.T) []aServer {
	t.Helper()
	start := func(name, host, trap string) aServer {
		addr := loopback(t)
		rds, err := testbed.StartRDSAt(addr+":3306", w.keys, testbed.Endpoint{Host: host, Port: 3306, Region: "eu-west-1"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(rds.Close)
		return aServer{name, w.hostsFile(t, addr), rds, trap}
	}
	all := []aServer{
		{name: "MySQL", hosts: w.hosts},
		start("RDS-like", orders, ""),
		start("another name", "x"+orders, `(?i)host ?name|does not match|is valid for|doesn't correspond|verify failed`),
		start("no TLS", orders, `(?i)ssl is required|does not support|ssl not enabled`),
		start("unknown authority", orders, `(?i)verif|issuer|unknown authority|certificate_unknown`),
	}
	all[3].rds.TurnOffTLS()
	// Amazon's, which are many, and those that the servers have: a client has to read all of them.
	known := w.sh(t, w.hosts, "", "mysql-secret-store-rds ca-bundle --print") + string(w.rds.CAPEM)
	for _, s := range all[1:4] {
		known += string(s.rds.CAPEM)
	}
	w.write(t, w.dir+"/ca.pem", known)
	return all
}

// try runs an example at a server.
func (w *clients) try(t *testing.T, s aServer, c anExample) {
	work := filepath.Join(w.dir, "work", strings.NewReplacer(" ", "-", "/", "-").Replace(s.name+"-"+c.name))
	if err := os.MkdirAll(work, 0o700); err != nil {
		t.Fatal(err)
	}
	var logins, refusals []string
	if s.rds != nil {
		logins, refusals = s.rds.Logins(), s.rds.Refusals()
	}
	stdout, stderr, err := w.trySh(t, s.hosts, whoAmI, "cd "+work+"\n"+c.script)
	said := fmt.Sprintf("%v\n%s%s", err, stdout, stderr)
	if strings.Contains(said, w.token) {
		t.Errorf("the token is printed: %s", said)
	}
	if s.rds == nil {
		if err != nil || !strings.Contains(stdout, c.want) {
			t.Errorf("no %q: %s", c.want, said)
		}
		return
	}
	logins, refusals = s.rds.Logins()[len(logins):], s.rds.Refusals()[len(refusals):]
	switch {
	case s.trap != "" && (len(logins) > 0 || len(refusals) > 0):
		t.Errorf("a token was sent: %q, %q, %s", logins, refusals, said)
	case s.trap != "" && (err == nil || !regexp.MustCompile(s.trap).MatchString(said)):
		t.Errorf("it doesn't refuse for the right reason: %s", said)
	case s.trap == "" && (len(logins) == 0 || len(refusals) > 0): // it may not know what the client asks then
		t.Errorf("logins %q, refusals %q: %s", logins, refusals, said)
	}
}

// anExample is a script that uses an example.
type anExample struct {
	name   string
	script string
	want   string // what it prints where it has logged in
}

// page reads the examples of docs/clients.md: those of each heading, in order, after the language.
func page(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string][]string{}
	heading, language := "", ""
	for line := range strings.Lines(string(b)) {
		fence, fenced := strings.CutPrefix(line, "```")
		key := heading + ": " + language
		switch {
		case fenced && language == "":
			language = strings.TrimSpace(fence)
			key = heading + ": " + language
			examples[key] = append(examples[key], "")
		case fenced:
			language = ""
		case language != "":
			examples[key][len(examples[key])-1] += line
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	return examples
}

// examples makes a script of each example of the page. One that isn't used here fails the test.
func (w *clients) examples(t *testing.T) []anExample {
	t.Helper()
	all := page(t)
	take := func(key string) string {
		if len(all[key]) == 0 {
			t.Fatalf("docs/clients.md has no more example for %q", key)
		}
		text := all[key][0]
		if all[key] = all[key][1:]; len(all[key]) == 0 {
			delete(all, key)
		}
		return text
	}
	begin := take("Other clients: sh")
	dump := take("mysqldump: sh")
	asMariaDB := strings.NewReplacer(" mysqldump ", " mariadb-dump ",
		"--enable-cleartext-plugin ", "", "--ssl-mode=VERIFY_IDENTITY", "--ssl-verify-server-cert")
	w.write(t, w.dir+"/example.py", take("Python: python")+pythonEnd)
	w.write(t, w.dir+"/example.js", take("Node.js: js")+jsEnd)
	w.buildGo(t, take("Go: go"))
	shared := take("JDBC: java")
	w.buildJava(t, "MariaDB", shared+take("MariaDB Connector/J: java"))
	w.buildJava(t, "MySQL", shared+take("MySQL Connector/J: java")) // the driver isn't in Debian
	w.trustStore(t, take("MySQL Connector/J: sh"))
	mysql := take("mysql: sh")
	mariadb, mydumper := take("mariadb: sh"), take("mydumper: sh")
	if len(all) > 0 {
		t.Errorf("not tried: %q", all)
	}
	w.saysItIsAnother(t, begin+mydumper, "Unknown option --ssl-mode")
	w.saysItIsAnother(t, begin+strings.ReplaceAll(mysql, " mysql ", " mariadb "),
		"unknown variable 'ssl-mode=VERIFY_IDENTITY'")

	const older = `import pymysql; pymysql.VERSION = (1, 1, 2, "final"); exec(open("example.py").read())`
	w.saysItIsAnother(t, "python3 -c '"+older+"' "+orders, "this PyMySQL sends a token without TLS")

	connect := "PATH=" + w.dir + "/only-%s mysql-secret-store-rds connect %s dba@" + orders + ":3306"
	const who, row = "dba@%", "(42,'quince')"
	return []anExample{
		{"mysql", begin + mysql, who},
		{"mariadb", begin + mariadb, who},
		{"mysqldump", begin + dump + "cat shop.sql", row},
		{"mariadb-dump", begin + asMariaDB.Replace(dump) + "cat shop.sql", row},
		{"Python", "python3 ../../example.py " + orders, who},
		{"Node.js", "node ../../example.js " + orders, who},
		{"Go", begin + `../../example "$ca"`, who},
		{"MariaDB Connector/J", "java -cp ../../MariaDB:/usr/share/java/mariadb-java-client.jar Example " + orders, who},
		{"connect with mysql", fmt.Sprintf(connect, "mysql", ""), who},
		{"connect with mariadb", fmt.Sprintf(connect, "mariadb", ""), who},
		{"connect --print with mysql", `eval "$(` + fmt.Sprintf(connect, "mysql", "--print") + `)"`, who},
		{"connect --print with mariadb", `eval "$(` + fmt.Sprintf(connect, "mariadb", "--print") + `)"`, who},
	}
}

// What follows the examples that are functions.
const (
	pythonEnd = `
import sys
with connect(sys.argv[1]) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT CURRENT_USER()")
    print(cursor.fetchone()[0])
`
	jsEnd = `
const pool = createPool(process.argv[2])
const ask = () => pool.query({ sql: 'SELECT CURRENT_USER()', rowsAsArray: true })
Promise.all([ask(), ask()]) // on a connection each
  .then(([[rows]]) => { console.log(rows[0][0]); return pool.end() })
  .catch((err) => { console.error(err); process.exit(1) })
`
	goBegin = `package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/go-sql-driver/mysql"
)

const host = "` + orders + `"

func main() {
	db, err := open(os.Args[1])
	who := ""
	if err == nil {
		err = db.QueryRow("SELECT CURRENT_USER()").Scan(&who)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(who)
}

`
	javaBegin = `
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.Properties;

class Example {
	public static void main(String[] args) throws Exception {
		ResultSet rows = connect(args[0]).createStatement().executeQuery("SELECT CURRENT_USER()");
		rows.next();
		System.out.println(rows.getString(1));
	}

`
)

func (w *clients) buildGo(t *testing.T, example string) {
	t.Helper()
	file := filepath.Join(w.dir, "example.go")
	w.write(t, file, goBegin+example)
	run(t, append(os.Environ(), "CGO_ENABLED=0"), "go", "build", "-o", filepath.Join(w.dir, "example"), file)
}

func (w *clients) buildJava(t *testing.T, name, example string) {
	t.Helper()
	w.write(t, filepath.Join(w.dir, name, "Example.java"), javaBegin+example+"}\n")
	w.sh(t, w.hosts, "", "cd "+w.dir+"/"+name+
		" && java -cp '/usr/share/java/*' org.eclipse.jdt.internal.compiler.batch.Main -21 -nowarn Example.java 2>&1")
}

// trustStore makes Java's file of a file with two authorities, as each of them takes keytool half a
// second.
func (w *clients) trustStore(t *testing.T, example string) {
	t.Helper()
	work := filepath.Join(w.dir, "truststore")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(w.dir, "data", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, filepath.Join(work, "two.pem"), string(other)+string(w.rds.CAPEM))
	got := w.sh(t, w.hosts, "", "cd "+work+"\nca=two.pem\n"+example+
		"keytool -list -keystore rds-truststore.p12 -storepass changeit")
	if strings.Count(got, "trustedCertEntry") != 2 {
		t.Errorf("not the two authorities: %s", got)
	}
}

// saysItIsAnother checks what the page says of a program that doesn't know an example's options.
func (w *clients) saysItIsAnother(t *testing.T, script, want string) {
	t.Helper()
	stdout, stderr, err := w.trySh(t, w.hosts, whoAmI, "cd "+w.dir+"\n"+script)
	if err == nil || !strings.Contains(stdout+stderr, want) {
		t.Errorf("want %q, got %v: %s%s", want, err, stdout, stderr)
	}
}
