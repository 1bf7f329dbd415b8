package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDependencies holds the direction of imports: cmd, then app, then the rest, then the nouns.
func TestDependencies(t *testing.T) {
	t.Parallel()
	const module = "mysql-secret-store-rds/"
	packages := listPackages(t, "./...")

	// What each package may import of this module, and why that is right.
	allowed := map[string]string{
		"cmd/mysql-secret-store-rds":  "app",
		"cmd/demo":                    "testbed", // the real program is run, not linked
		"bench":                       "testbed",
		"internal/app":                "*",                                                                                // it wires them
		"internal/early":              "cache configfile identity inventory protocol serverurl",                           // and nothing that imports net/http
		"internal/protocol":           "secret",                                                                           // the reply holds one
		"internal/cache":              "private secret target",                                                            // keeps a token with its target
		"internal/credentials":        "cache profiles secret",                                                            // a profile in, credentials out, kept between calls
		"internal/token":              "credentials secret target",                                                        // target and credentials in, token out
		"internal/resolve":            "config inventory serverurl target",                                                // URL, configuration and what was learned in, target out
		"internal/config":             "configfile serverurl spelling",                                                    // endpoints are checked at load
		"internal/inventory":          "private serverurl",                                                                // a private file of endpoints
		"internal/discover":           "inventory paste private serverurl",                                                // AWS in, inventory out
		"internal/doctor":             "cname credentials discover inventory paste resolve secret serverurl target token", // looks at all of it
		"internal/setup":              "paste private",                                                                    // commands for a person; one setup at a time
		"internal/connect":            "private",                                                                          // the most used servers are counted in a private file
		"internal/cabundle":           "",
		"internal/cabundle/generate":  "",
		"internal/login":              "private",  // writes tokens for AWS's tools
		"internal/profiles":           "spelling", // a profile that isn't there has a nearest one
		"internal/testbed/fakehelper": "testbed",
		"internal/testbed":            "serverurl", // shares no code with what it checks
		"internal/configfile":         "", "internal/identity": "", "internal/serverurl": "", "internal/secret": "", "internal/private": "",
		"internal/target": "", "internal/cname": "", "internal/paste": "", "internal/delegate": "", "internal/spelling": "",
	}
	for _, p := range packages {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue
		}
		list, known := allowed[name]
		if !known {
			t.Errorf("package %s is not in the table: what may it import?", name)
		}
		for _, imported := range p.Imports {
			if i, ok := strings.CutPrefix(imported, module); ok && list != "*" && !slices.Contains(strings.Fields(list), path.Base(i)) {
				t.Errorf("%s imports %s", name, i)
			}
		}
	}

	// Who may use what, outside of the testbed.
	owners := []struct{ prefix, owners, why string }{
		{"github.com/aws/", "credentials token discover login doctor", "they are the doors to AWS"},
		{"github.com/aws/aws-sdk-go-v2/aws", "credentials token discover login doctor app", "they are the doors to AWS; app hands its configuration from one to the other"},
		{"github.com/go-sql-driver/", "doctor", "it alone logs in"},
		{"github.com/goccy/go-yaml", "config", "it alone reads the configuration"},
		{"github.com/gofrs/flock", "private", "it alone locks"},
		{"github.com/sahilm/fuzzy", "app", "it alone has a picker"},
		{"github.com/spf13/", "app", "it alone knows what a person types"},
		{"golang.org/x/net", "cname", "it alone asks DNS"},
		{"golang.org/x/sys", "setup", "it alone asks what it may write before it does"},
		{"golang.org/x/term", "app", "it alone knows terminals"},
	}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		if !strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "internal/testbed") {
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
			if best >= 0 && !slices.Contains(strings.Fields(owners[best].owners), path.Base(name)) {
				t.Errorf("%s imports %s: use %s, %s", name, imported, owners[best].owners, owners[best].why)
			}
		}
		if slices.Contains(p.Imports, "os/exec") && !slices.Contains([]string{"delegate", "login", "connect", "setup", "credentials", "generate"}, path.Base(name)) {
			t.Errorf("%s imports os/exec: only delegate, connect, login and setup run programs (credentials knows their errors)", name)
		}
	}

	// Package early has to be initialised before what is slow to be.
	for _, p := range listPackages(t, "-deps", "./internal/early") {
		for _, slow := range []string{"net/http", "crypto/tls", "github.com/aws/", "github.com/goccy/", "regexp", module + "internal/config/"} {
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
		"gopkg.in/yaml.v3":             "is archived; goccy/go-yaml reads YAML here",
		"testing":                      "belongs to the tests",
		"runtime/cgo":                  "the program is static",
		"github.com/99designs/keyring": "is abandoned",
	}
	for _, p := range listPackages(t, "-deps", "./cmd/mysql-secret-store-rds") {
		for prefix, why := range forbidden {
			if strings.HasPrefix(strings.TrimPrefix(p.ImportPath, module), prefix) {
				t.Errorf("the program links %s, which %s", p.ImportPath, why)
			}
		}
	}
}

// TestTheLinkerDropsWhatIsNotCalled: a package that looks for methods by name, as text/template does when it is used, makes
// the linker keep all of them; with the AWS SDK's that triples the program.
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
