package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layers are the packages by what they may import: those of the lines above, and none of their own
// line but for those in beside.
var layers = []string{
	"about testbed",
	"advice disk secret server term testbed/fakehelper",
	"cabundle cabundle/generate config delegate inventory profiles protocol stamp cache",
	"sso credentials resolve",
	"connect discover learn managed password setup doctor",
	"early shell cli",
	"app",
}

// beside says why a package imports one of its own layer.
var beside = map[string]string{
	"cache stamp":      "a kept token has the stamp of all that it depends on",
	"stamp inventory":  "part of that is the inventory",
	"stamp profiles":   "and so are the AWS files",
	"credentials sso":  "one process refreshes a session's token",
	"doctor discover":  "it asks RDS about one server",
	"doctor learn":     "it says what came of asking",
	"doctor managed":   "it reads a secret",
	"doctor password":  "it signs a token to try",
	"password managed": "a password may be one that AWS keeps",
	"learn discover":   "it asks RDS about a server, and keeps what it learns, as discover does",
	"password learn":   "it asks whose a server is that nobody knows",
	"doctor setup":     "setup knows what stands beside each Shell",
	"shell early":      "which has read the request already",
}

// TestDependencies holds the direction of imports; see docs/architecture.md.
func TestDependencies(t *testing.T) {
	t.Parallel()
	const module = "mysql-secret-store-rds/internal/"
	layer := map[string]int{}
	for i, names := range layers {
		for name := range strings.FieldsSeq(names) {
			layer[name] = i
		}
	}
	packages := listPackages(t, "./...")
	used := map[string]bool{}
	for _, p := range packages {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		own, known := layer[name]
		if ours && !known {
			t.Errorf("package %s has no layer", name)
		}
		for _, path := range p.Imports {
			imported, ok := strings.CutPrefix(path, module)
			switch pair := name + " " + imported; {
			case !ok || !ours || strings.HasPrefix(name, "testbed"):
			case beside[pair] != "":
				used[pair] = true
			case layer[imported] >= own || imported == "testbed":
				t.Errorf("%s imports %s, which is not below it", name, imported)
			}
		}
	}
	for pair := range beside {
		if !used[pair] {
			t.Errorf("nobody needs %q any more", pair)
		}
	}

	// Who may use what, outside of the testbed.
	const aws = "they are the doors to AWS"
	owners := []struct{ prefix, owners, why string }{
		{"github.com/aws/", "credentials password managed discover sso doctor", aws},
		{"github.com/aws/aws-sdk-go-v2/aws", "credentials password managed discover learn sso doctor cli",
			aws + "; cli and learn hand configurations from one to the other"},
		{"github.com/go-sql-driver/", "doctor", "it alone logs in"},
		{"github.com/goccy/go-yaml", "config", "it alone reads the configuration"},
		{"github.com/gofrs/flock", "disk", "it alone locks"},
		{"github.com/spf13/", "cli", "it alone knows what a person types"},
		{"golang.org/x/net", "resolve", "it alone asks DNS"},
		{"golang.org/x/sys", "setup term", "they ask what they may do before they do it"},
		{"golang.org/x/term", "term", "it alone knows terminals"},
	}
	for _, p := range packages {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || strings.HasPrefix(name, "testbed") {
			continue
		}
		for _, imported := range p.Imports {
			// The longest prefix decides.
			best := -1
			for i, o := range owners {
				if strings.HasPrefix(imported, o.prefix) && (best < 0 || len(o.prefix) > len(owners[best].prefix)) {
					best = i
				}
			}
			if best >= 0 && !slices.Contains(strings.Fields(owners[best].owners), name) {
				t.Errorf("%s imports %s: use %s, %s", name, imported, owners[best].owners, owners[best].why)
			}
		}
		programs := []string{"delegate", "sso", "connect", "setup", "credentials", "cabundle/generate"}
		if slices.Contains(p.Imports, "os/exec") && !slices.Contains(programs, name) {
			t.Errorf("%s imports os/exec: only delegate, connect, sso and setup run programs (credentials knows their errors)", name)
		}
	}

	// Package early has to be initialised before what is slow to be.
	for _, p := range listPackages(t, "-deps", "./internal/early") {
		for _, slow := range []string{"net/http", "crypto/tls", "github.com/aws/", "github.com/goccy/", "regexp", module + "config/"} {
			if strings.HasPrefix(p.ImportPath+"/", slow) {
				t.Errorf("package early links %s, and would have to wait for it", p.ImportPath)
			}
		}
	}

	// What must never be linked into the program, whose every package costs time at each call.
	forbidden := map[string]string{
		"internal/testbed":             "a program for production holds no test server",
		"github.com/go-mysql-org":      "belongs to the test server",
		"github.com/rogpeppe":          "belongs to the tests",
		"github.com/sahilm":            "belongs to the tests",
		"gopkg.in/yaml.v3":             "is archived; goccy/go-yaml reads YAML here",
		"testing":                      "belongs to the tests",
		"runtime/cgo":                  "the program is static",
		"github.com/99designs/keyring": "is abandoned",
	}
	for _, p := range listPackages(t, "-deps", "./cmd/mysql-secret-store-rds") {
		for prefix, why := range forbidden {
			if strings.HasPrefix(strings.TrimPrefix(p.ImportPath, "mysql-secret-store-rds/"), prefix) {
				t.Errorf("the program links %s, which %s", p.ImportPath, why)
			}
		}
	}
}

// TestTheLinkerDropsWhatIsNotCalled: a package that looks for methods by name, as text/template
// does when it is used, makes the linker keep all of them; with the AWS SDK's that triples the
// program.
func TestTheLinkerDropsWhatIsNotCalled(t *testing.T) {
	t.Parallel()
	linked, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	const service = "github.com/aws/aws-sdk-go-v2/service/"
	for name, want := range map[string]bool{service + "ec2.(*Client).DescribeRegions": true, service + "ec2.(*Client).RunInstances": false} {
		if bytes.Contains(linked, []byte(name)) != want {
			t.Errorf("%s is linked: %v", name, !want)
		}
	}
}

// TestTheProcessBelongsToApp: arguments, streams and the exit are app's, and early's, which has to
// come before it; see docs/architecture.md.
func TestTheProcessBelongsToApp(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../*/*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	process := regexp.MustCompile(`\bos\.(Args|Stdin|Stdout|Stderr|Exit)\b`)
	for _, f := range files {
		switch filepath.Base(filepath.Dir(f)) {
		case "app", "early", "testbed":
			continue
		}
		if strings.HasSuffix(f, "credentials/process.go") {
			continue // a credential_process has the terminal, as with the AWS CLI: it may ask for a code
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if use := process.FindString(line); use != "" && !strings.HasSuffix(f, "_test.go") && !strings.HasPrefix(strings.TrimSpace(line), "//") {
				t.Errorf("%s:%d uses %s", f, i+1, use)
			}
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
