package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// knowFleet writes an inventory of 2,000 servers in 26 accounts, with names as people give them.
func knowFleet(t *testing.T, b *bed) {
	t.Helper()
	var servers []inventory.Server
	var accounts []inventory.Account
	for i := range 26 {
		region := []string{"eu-central-1", "ap-southeast-2", "us-east-1"}[i%3]
		profile := []string{"prod-dba", "AdministratorAccess-%012d", "corp-%012d-readonly"}[i%3]
		if i%3 > 0 {
			profile = fmt.Sprintf(profile, 100000000000+i)
		}
		accounts = append(accounts, inventory.Account{
			HostID: fmt.Sprintf("ab%010d", i), Region: region, Number: fmt.Sprint(100000000000 + i), Partition: "aws",
			Profile: profile, Profiles: []string{profile}, Full: true, Seen: time.Now(),
		})
	}
	services := []string{"orders", "order-service", "customer-orders-production-europe", "billing", "our-reader-stats"}
	for i := range 2000 {
		a := accounts[i%len(accounts)]
		s := inventory.Server{
			Name: fmt.Sprintf("%s-%04d", services[i%5], i), Port: 3306, Kind: server.EndpointKind(i % 3), IAM: i%2 == 0, Engine: "aurora-mysql",
			EngineVersion: "8.0.mysql_aurora.3.08.2", Status: "available", Account: a.Number, Region: a.Region, HostID: a.HostID, Seen: a.Seen,
		}
		s.Host = s.Name + "." + []string{"", "cluster-", "cluster-ro-"}[s.Kind] + a.HostID + "." + a.Region + ".rds.amazonaws.com"
		servers = append(servers, s)
	}
	slices.SortFunc(servers, func(a, b inventory.Server) int { return strings.Compare(a.Host, b.Host) })
	path := filepath.Join(b.home, ".config", "mysql-secret-store-rds", "inventory.txt")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := inventory.Write(path, accounts, servers); err != nil {
		t.Fatal(err)
	}
}

// save keeps what a screen shows for a person to look at, in the folder that SCREENS names.
func save(t *testing.T, shown, name string) {
	t.Helper()
	if dir := os.Getenv("SCREENS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(shown), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var widths = []int{60, 80, 200}

// checkWidth fails for a line that is wider than the screen, or was broken by it.
func checkWidth(t *testing.T, shown string, columns int) {
	t.Helper()
	for line := range strings.Lines(shown) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestFleetFits: among 2,000 servers the picker and list-servers show name, profile, region and kind
// at any width.
func TestFleetFits(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	knowFleet(t, b)
	row := regexp.MustCompile(`(?m)^[> ] \S+ +(prod-dba|\S+…\S+|AdministratorAccess-\d{12}|corp-\d{12}-readonly) +(eu-central-1|ap-southeast-2|us-east-1) +(instance|writer|reader)\b`)
	for _, columns := range widths {
		s := newScreenOf(t, columns, b.env(), b.helper+" connect")
		shown := s.wait("Server? (2000/2000)", "> ")
		save(t, shown, fmt.Sprintf("picker-%d", columns))
		if n := len(row.FindAllString(shown, -1)); n != 23 {
			t.Errorf("%d columns: %d rows:\n%s", columns, n, shown)
		}
		// What is typed finds what list-servers does, and scattered letters nothing else.
		s.press("orders")
		want := strings.Count(run(t, b.env(), b.helper, "list-servers", "orders"), "\n") - 1
		s.wait(fmt.Sprintf("Server? (%d/2000) orders", want))
		s.press("C-u", "cstord0012")
		s.wait("Server? (1/2000) cstord0012", "> custom")
		s.press("Escape")
	}
	for _, columns := range widths {
		s := newScreenOf(t, columns, b.env(), "clear; "+b.helper+" list-servers 001")
		shown := s.wait("exit code 0")
		save(t, shown, fmt.Sprintf("list-servers-%d", columns))
		checkWidth(t, shown, columns)
		row := regexp.MustCompile(`(?m)^\S+ +(instance|writer|reader) +\S.* +\S+ +(eu-central-1|ap-southeast-2|us-east-1) +(token|password)$`)
		if n := len(row.FindAllString(shown, -1)); n < 12 {
			t.Errorf("%d columns: %d rows:\n%s", columns, n, shown)
		}
	}
	// Everything, as long as it is, with --wide.
	s := newScreenOf(t, 80, b.env(), "clear; "+b.helper+" list-servers --wide orders-0010")
	s.wait("HOST", "8.0.mysql_aurora.3.08.2", "exit code 0")
}

// printed returns all that was printed, in the lines in which it was, however wide.
func (s *screen) printed() string { return s.run("capture-pane", "-p", "-J", "-S", "-") }

// checkWrapped fails for a printed line that the terminal had to break, unless it is to be pasted.
func checkWrapped(t *testing.T, printed string, columns int, paste *regexp.Regexp) {
	t.Helper()
	for line := range strings.Lines(printed) {
		line = strings.TrimRight(line, " \n")
		if utf8.RuneCountInString(line) > columns && !paste.MatchString(line) && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("%d columns: %s", columns, line)
		}
	}
}

// TestHelpFits: each command's help is as wide as the terminal, and its commands to paste are whole.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	commands := []string{
		"", "setup", "discover", "list-servers", "connect", "explain", "doctor", "token", "password", "login", "logout", "cache", "ca-bundle", "completion",
	}
	paste := regexp.MustCompile(`^  (MYSQL_PWD=.*|mysqlsh .*|mysql-secret-store-rds .*)$`)
	for _, columns := range widths {
		for _, command := range commands {
			s := newScreenOf(t, columns, b.env(), b.helper+" "+command+" --help")
			s.wait("exit code 0")
			printed := s.printed()
			save(t, printed, fmt.Sprintf("help-%s-%d", command, columns))
			checkWrapped(t, printed, columns, paste)
		}
	}
}

// TestDoctorFits: at once with 500 profiles, at any width, and the home folder is ~ where it is
// only shown.
func TestDoctorFits(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	knowFleet(t, b)
	var config strings.Builder
	for i := range 500 {
		fmt.Fprintf(&config, "[profile p%03d]\nregion = eu-west-1\nsso_session = corp%d\nsso_account_id = %012d\nsso_role_name = dba\n", i, i%3, i)
	}
	for i := range 3 {
		session := fmt.Sprintf("corp%d", i)
		fmt.Fprintf(&config, "[sso-session %s]\nsso_start_url = https://%s.awsapps.com/start\nsso_region = eu-west-1\n", session, session)
		file, text := b.aws.SSOLogin(b.home, session, time.Duration(i-1)*time.Hour)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(b.home, ".aws", "config"), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	paste := regexp.MustCompile(`^ +(mysql-secret-store-rds|/\S+) `)
	for _, columns := range widths {
		s := newScreenOf(t, columns, append(b.env(), "AWS_PROFILE=p001"), b.helper+" doctor --shell "+filepath.Join(b.folder, "mysqlsh"))
		s.wait("exit code 1")
		printed := s.printed()
		save(t, printed, fmt.Sprintf("doctor-%d", columns))
		checkWrapped(t, printed, columns, paste)
		for _, want := range []string{"AWS session corp0 (167 profiles): over since", "AWS session corp2 (166 profiles): good for 59m", "2000 servers in 26 accounts", "~/.mysqlsh/options.json"} {
			if joined := strings.Join(strings.Fields(printed), " "); !strings.Contains(joined, want) {
				t.Errorf("%d columns: no %q:\n%s", columns, want, printed)
			}
		}
	}
}

// TestDoctorSaysWhatItWaitsFor: on a terminal, and nothing of it stays; Ctrl-C is no failure of the
// server.
func TestDoctorSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	b.aws.Delay("DescribeDBClusters", 2*time.Second)
	command := b.helper + " doctor --shell " + filepath.Join(b.folder, "mysqlsh") + " dba@" + orders + ":3306"
	s := newScreen(t, b.env(), command)
	s.wait("waiting for RDS: what orders.cluster-")
	if printed := s.wait("exit code 1"); strings.Contains(printed, "waiting for") {
		t.Errorf("it is still there:\n%s", printed)
	}
	b.aws.Delay("DescribeDBClusters", 30*time.Second)
	s = newScreen(t, b.env(), command)
	s.wait("waiting for RDS: what orders.cluster-")
	s.press("C-c")
	s.wait("Interrupted: not everything was checked", "exit code 1")
	_, server, _ := strings.Cut(s.printed(), "Server dba@")
	unknown := strings.Count(server, "  fail  name ") // no DNS knows it here
	if strings.Count(server, "  fail  ") > unknown || strings.Contains(server, "waiting for") {
		t.Errorf("after Ctrl-C:\n%s", server)
	}
}

// TestErrorsFit: errors and hints wrap, paths in them begin with ~, and what is to be pasted is one
// line, with the path that a shell takes.
func TestErrorsFit(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	if err := os.Remove(filepath.Join(b.home, ".aws", "credentials")); err != nil {
		t.Fatal(err)
	}
	for _, columns := range widths {
		s := newScreenOf(t, columns, b.env(), b.helper+" explain dba@"+orders+"; "+b.helper+" token dba@"+orders+"; "+b.helper+" discver --profile prod")
		s.wait("exit code 1")
		printed := s.printed()
		save(t, printed, fmt.Sprintf("errors-%d", columns))
		checkWrapped(t, printed, columns, regexp.MustCompile(`^hint: |^  accounts: \{abcdefghijkl: PROFILE\}$`))
		for _, want := range []string{"hint: mysql-secret-store-rds discover", "accounts: {abcdefghijkl: PROFILE}", "~/.config/mysql-secret-store-rds/config.yaml"} {
			if !strings.Contains(printed, want) {
				t.Errorf("%d columns: no %q:\n%s", columns, want, printed)
			}
		}
	}
}

// TestDoctorsPastesAreWhole: SQL and policies are lines as they are to be pasted, at any width.
func TestDoctorsPastesAreWhole(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	b.aws.SetServers("123456789012", "eu-west-1", someServers("123456789012", "eu-west-1", "abcdefghijkl"))
	b.rds.SetUsers("dba")
	folder := filepath.Join(b.home, ".config", "mysql-secret-store-rds")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("servers:\n  127.0.0.1:%d:\n    endpoint: %s:3306\n    ssl_ca: %s/ca.pem\n", b.rds.Port(), orders, folder)
	for file, text := range map[string]string{"config.yaml": text, "ca.pem": string(b.rds.CAPEM)} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	begin := regexp.MustCompile(`(?m)^( +)\{\n`)
	for _, columns := range widths {
		command := fmt.Sprintf("%s doctor --shell %s nobody@127.0.0.1:%d", b.helper, filepath.Join(b.folder, "mysqlsh"), b.rds.Port())
		s := newScreenOf(t, columns, b.env(), command)
		s.wait("exit code 1")
		printed := s.printed()
		save(t, printed, fmt.Sprintf("doctor-server-%d", columns))
		found := begin.FindStringSubmatch(printed)
		if found == nil {
			t.Errorf("%d columns: no policy:\n%s", columns, printed)
			continue
		}
		_, policy, _ := strings.Cut(printed, found[0])
		policy, _, _ = strings.Cut(policy, "\n"+found[1]+"}\n")
		for line := range strings.Lines(policy) {
			if !strings.HasPrefix(line, found[1]+" ") {
				t.Errorf("%d columns: %q has another indent", columns, line)
			}
		}
		if policy = "{" + policy + "}"; !json.Valid([]byte(policy)) {
			t.Errorf("%d columns: no JSON: %s", columns, policy)
		}
		if !regexp.MustCompile(`(?m)^ +CREATE USER 'nobody'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;$`).MatchString(printed) {
			t.Errorf("%d columns: no statement:\n%s", columns, printed)
		}
	}
}
