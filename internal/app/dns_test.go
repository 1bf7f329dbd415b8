package app_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/testbed"
)

// TestAliases runs the program with a DNS server of the test's own. That takes a mount namespace
// of its own, in which /etc/resolv.conf names that server, and port 53: Linux and root.
func TestAliases(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root on Linux can give a process another /etc/resolv.conf")
	}
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespaces here: %v: %s", err, out)
	}
	const server = "127.0.0.77"
	dns, err := testbed.StartDNS(server+":53", map[string]string{
		"db.corp.example":     "Alias.corp.example",
		"alias.corp.example":  orders,
		orders:                "ec2-1-2-3-4.eu-west-1.compute.amazonaws.com", // must not be signed for
		"loop.corp.example":   "loop2.corp.example",
		"loop2.corp.example":  "loop.corp.example",
		"other.corp.example":  "db.elsewhere.example",
		world:                 "second." + strings.TrimPrefix(orders, "orders."),
		"wide.corp.example":   world,
		"listed.corp.example": orders,
	})
	if err != nil {
		t.Skipf("port 53 of %s: %v", server, err)
	}
	t.Cleanup(dns.Close)

	b := startBed(t)
	dir := t.TempDir()
	resolv, cfg := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "config.yaml")
	for file, text := range map[string]string{
		resolv: "nameserver " + server + "\n",
		cfg: `servers:
  listed.corp.example: {}
  lost.corp.example: {aws_profile: default}
rules:
  - host: '.*\.corp\.example'
    aws_profile: default
`,
		filepath.Join(b.folder, "mysql-secret-store-dns"): "#!/bin/sh\nmount --bind " + resolv + " /etc/resolv.conf && exec " + b.helper + " \"$@\"\n",
		filepath.Join(b.folder, "mysql-secret-store-run"): "#!/bin/sh\nexec unshare -m " + filepath.Join(b.folder, "mysql-secret-store-dns") + " \"$@\"\n",
	} {
		writeProgram(t, file, text)
	}
	sh := b.shell(append(b.env(), "MYSQL_SECRET_STORE_RDS_CONFIG="+cfg))
	sh.Helper = filepath.Join(b.folder, "mysql-secret-store-run")
	ctx, cancel := testContext(t)
	defer cancel()

	asked := 0
	lookups := func() []string {
		all := dns.Queries()
		since := all[asked:]
		asked = len(all)
		return since
	}
	for _, tc := range []struct {
		name, url string
		host      string // that the token is for, or
		message   string // what get says instead
		lookups   []string
	}{
		{"chain", "dba@db.corp.example:3306", orders + ":3306", "", []string{"db.corp.example", "alias.corp.example"}},
		{"chain, cached", "dba@db.corp.example:3306", orders + ":3306", "", nil},
		{"letter case and final dot", "dba@DB.Corp.Example.:3307", orders + ":3307", "", []string{"db.corp.example", "alias.corp.example"}},
		{"exact entry", "dba@listed.corp.example", orders + ":3306", "", []string{"listed.corp.example"}},
		{"exact entry that leads nowhere", "dba@lost.corp.example", "", "lost.corp.example is no RDS or Aurora endpoint (DNS: lost.corp.example is no alias)", []string{"lost.corp.example"}},
		{"rule, no alias", "dba@plain.corp.example", "", "Could not find the secret", []string{"plain.corp.example"}},
		{"rule, alias of something else", "dba@other.corp.example", "", "Could not find the secret", []string{"other.corp.example", "db.elsewhere.example"}},
		{"rule, loop", "dba@loop.corp.example", "", "Could not find the secret", nil},
		{"not in the configuration", "dba@db.other.example", "", "Could not find the secret", nil},
		{"RDS name", "dba@" + orders, orders + ":3306", "", nil},
		{"address", "dba@127.0.0.1", "", "Could not find the secret", nil},
		{"global writer", "dba@" + world, world + ":3306", "", []string{world}},
		{"global writer that DNS doesn't know", "dba@lost" + strings.TrimPrefix(world, "world"), "",
			"names no region, and DNS doesn't tell it: add to " + cfg + `, under servers:  lost` + strings.TrimPrefix(world, "world") + `: {region: REGION}`,
			[]string{"lost" + strings.TrimPrefix(world, "world")}},
		{"alias of a global writer", "dba@wide.corp.example", world + ":3306", "", []string{"wide.corp.example", world}},
	} {
		token, err := sh.Get(ctx, tc.url)
		host, _, _ := strings.Cut(token, "?")
		if host != tc.host || (err == nil) != (tc.message == "") || err != nil && !strings.Contains(err.Error(), tc.message) {
			t.Errorf("%s: a token for %q, %v; want %q, %q", tc.name, host, err, tc.host, tc.message)
		}
		if got := lookups(); tc.name != "rule, loop" {
			if diff := cmp.Diff(tc.lookups, got); diff != "" && len(tc.lookups)+len(got) > 0 {
				t.Errorf("%s: look-ups (-want +got):\n%s", tc.name, diff)
			}
		} else if len(got) > 10 {
			t.Errorf("%s: %d look-ups", tc.name, len(got))
		}
	}

	// Another configuration that gives the same target is still a hit, and asks nobody.
	before, err := sh.Get(ctx, "dba@db.corp.example:3306")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(cfg, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("# a comment\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	lookups()
	after, err := sh.Get(ctx, "dba@db.corp.example:3306")
	if err != nil || after != before {
		t.Errorf("another token after a comment was added (%v)", err)
	}
	if got := lookups(); len(got) > 0 {
		t.Errorf("a hit looked up %v", got)
	}
	// An alias that led to RDS long ago is asked for again: its password may be the delegate's now.
	plain := "dba@plain.corp.example:3306"
	old := fmt.Sprintf(`{"version":1,"server_url":%q,"hops":["plain.corp.example",%q],"signed_at":"2024-01-01T00:00:00Z","token":"x"}`, plain, orders)
	sum := sha256.Sum256([]byte(plain))
	file := filepath.Join(b.home, ".cache", "mysql-secret-store-rds", hex.EncodeToString(sum[:16])+".json")
	if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	reply, err := sh.Call(ctx, "store", sh.Request(plain, "hunter2"))
	if err != nil || reply.ExitCode == 0 || !strings.Contains(reply.Output, "saved passwords go to another helper") {
		t.Errorf("store for a former alias: %+v, %v", reply, err)
	}
	lookups()
	// Erasing asks nobody.
	if reply, err := sh.Call(ctx, "erase", sh.Request("dba@db.corp.example:3306")); err != nil || reply.ExitCode != 0 {
		t.Errorf("erase: %+v, %v", reply, err)
	}
	if got := lookups(); len(got) > 0 {
		t.Errorf("erase looked up %v", got)
	}
}
