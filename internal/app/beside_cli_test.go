package app_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// awsCLIFolder names where the AWS CLI is that the tests ask: bin/aws, and bin/python3 to run it
// with. Debian's own is in /usr; .ci/awscli unpacks the newest one into any folder.
const awsCLIFolder = "MYSQL_SECRET_STORE_RDS_TEST_AWSCLI"

// besideCLI is an AWS CLI.
type besideCLI struct {
	aws, python string
	version     string
}

// findCLI returns the AWS CLI to be held against.
func findCLI(t *testing.T) besideCLI {
	t.Helper()
	folder := os.Getenv(awsCLIFolder)
	if folder == "" {
		folder = "/usr"
	}
	bin := filepath.Join(folder, "bin")
	c := besideCLI{aws: peer(t, filepath.Join(bin, "aws")), python: peer(t, filepath.Join(bin, "python3"))}
	cmd := exec.CommandContext(t.Context(), c.aws, "--version")
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		missing(t, "the AWS CLI doesn't run in an empty home: "+string(out))
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(string(out), "aws-cli/"), " ")
	c.version = version
	if !c.atLeast("2.9") {
		missing(t, "the AWS CLI "+version+" is too old to export credentials")
	}
	return c
}

// atLeast reports whether the CLI is of a version, such as 2.13, or a later one.
func (c besideCLI) atLeast(version string) bool {
	have, want := strings.Split(c.version, "."), strings.Split(version, ".")
	for i := range min(len(have), len(want)) {
		h, _ := strconv.Atoi(have[i]) // "" is 0: anything will do
		w, _ := strconv.Atoi(want[i])
		if h != w {
			return h > w
		}
	}
	return true
}

// besideDriver is a process that has imported the CLI, testdata/beside/driver.py.
type besideDriver struct {
	mu  sync.Mutex
	in  *json.Encoder
	out *bufio.Reader
}

// start starts some drivers, which end with the test.
func (c besideCLI) start(t *testing.T, n int) chan *besideDriver {
	t.Helper()
	drivers := make(chan *besideDriver, n)
	for range n {
		// That it may have threads is said at each fork; they are native ones that no command here
		// uses.
		cmd := exec.Command(c.python, "-W", "ignore::DeprecationWarning", filepath.Join("testdata", "beside", "driver.py"))
		cmd.Env = []string{"HOME=/nonexistent/beside", "PATH=/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED=true"}
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		d := &besideDriver{in: json.NewEncoder(in), out: bufio.NewReader(out)}
		t.Cleanup(func() {
			_ = in.Close() // which ends it
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
		var version string
		if err := d.read(&version); err != nil || version != c.version {
			t.Fatalf("the driver runs the AWS CLI %q, not %s: %v", version, c.version, err)
		}
		drivers <- d
	}
	return drivers
}

func (d *besideDriver) read(v any) error {
	line, err := d.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

// run runs a command of the CLI.
func (d *besideDriver) run(t *testing.T, env []string, dir string, args []string) (code int, stdout, stderr string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	variables := map[string]string{}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		variables[name] = value
	}
	request := map[string]any{"env": variables, "dir": dir, "args": args}
	var reply struct {
		Code           int
		Stdout, Stderr string
	}
	if err := d.in.Encode(request); err != nil {
		t.Fatal(err)
	}
	if err := d.read(&reply); err != nil {
		t.Fatal(err)
	}
	return reply.Code, reply.Stdout, reply.Stderr
}
