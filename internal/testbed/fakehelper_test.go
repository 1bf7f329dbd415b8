package testbed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A fake is the test binary under a helper's name, called as the Shell does.
type fake struct {
	shell Shell
	dir   string // what it keeps
}

func newFake(t *testing.T) fake {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := fake{dir: t.TempDir()}
	if f.shell.Helper, err = Install(self, t.TempDir(), "fake"); err != nil {
		t.Fatal(err)
	}
	// The race detector would have every process sleep for a second at its end.
	f.shell.Env = append(Env(t.TempDir()), EnvFakeDir+"="+f.dir, "GORACE=atexit_sleep_ms=0")
	return f
}

func (f fake) call(t *testing.T, command, input string) Reply {
	t.Helper()
	reply, err := f.shell.Call(testContext(t), command, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// everyByte returns the bytes 0 to 255 as the inside of a JSON string: as "\u00xx", or as they are
// where JSON lets them.
func everyByte(escaped bool) string {
	var b bytes.Buffer
	for i := range 256 {
		switch {
		case escaped || i < ' ':
			fmt.Fprintf(&b, `\u%04x`, i)
		case i == '"' || i == '\\':
			b.WriteString(`\` + string(rune(i)))
		default:
			b.WriteByte(byte(i))
		}
	}
	return b.String()
}

func TestFakeHelperKeepsBytes(t *testing.T) {
	t.Parallel()
	for _, escaped := range []bool{true, false} {
		for _, member := range []string{"ServerURL", "SecretID"} {
			t.Run(fmt.Sprintf("%s escaped %v", member, escaped), func(t *testing.T) {
				t.Parallel()
				f := newFake(t)
				all := everyByte(escaped)
				request := `{"SecretType":"gen` + all + `","` + member + `":"` + all + `"`
				store := request + `,"Secret":"` + all + all + `"}`
				if got := f.call(t, "store", store); got != (Reply{}) {
					t.Fatalf("store: %+v", got)
				}
				if b, err := os.ReadFile(filepath.Join(f.dir, "input")); err != nil || string(b) != store {
					t.Errorf("it was given %q, %v", b, err)
				}
				want := `{"SecretType":"gen` + all + `","SecretID":"` + all + `","ServerURL":"` + all + `","Secret":"` + all + all + `"}`
				if diff := cmp.Diff(Reply{Output: want}, f.call(t, "get", request+"}")); diff != "" {
					t.Errorf("get: -want +got:\n%s", diff)
				}
				// By the other member's name it is the same secret.
				other := map[string]string{"ServerURL": "SecretID", "SecretID": "ServerURL"}[member]
				if got := f.call(t, "get", strings.Replace(request, member, other, 1)+"}"); got.Output != want {
					t.Errorf("get by %s: %+v", other, got)
				}
				want = `[{"SecretType":"gen` + all + `", "SecretID":"` + all + `", "ServerURL":"` + all + `"}]`
				if diff := cmp.Diff(Reply{Output: want}, f.call(t, "list", "")); diff != "" {
					t.Errorf("list: -want +got:\n%s", diff)
				}
				missing := Reply{"Could not find the secret", 1}
				for i, want := range []Reply{{}, missing} {
					if got := f.call(t, "erase", request+"}"); got != want {
						t.Errorf("erase %d: %+v", i+1, got)
					}
				}
				if got := f.call(t, "get", request+"}"); got != missing {
					t.Errorf("get after erase: %+v", got)
				}
				if got := f.call(t, "list", ""); got.Output != "[]" {
					t.Errorf("list after erase: %+v", got)
				}
			})
		}
	}
}

func TestFakeHelperKeepsSecretsApart(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	request := func(typ, id string) string { return `{"SecretType":"` + typ + `","ServerURL":"` + id + `"` }
	type key struct{ typ, id string }
	secrets := map[key]string{{"password", "a@h"}: "1", {"password", "A@h"}: "2", {"generic", "a@h"}: "3", {"", ""}: "4"}
	for k, s := range secrets {
		if got := f.call(t, "store", request(k.typ, k.id)+`,"Secret":"`+s+`"}`); got != (Reply{}) {
			t.Fatalf("%+v", got)
		}
	}
	for k, s := range secrets {
		var got struct{ Secret string }
		if err := json.Unmarshal([]byte(f.call(t, "get", request(k.typ, k.id)+"}").Output), &got); err != nil || got.Secret != s {
			t.Errorf("%+v: %q, %v", k, got, err)
		}
	}
}

func TestFakeHelperMisused(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for command, input := range map[string]string{"get": `{"SecretType":`, "": "{}", "what": "{}"} {
		if got := f.call(t, command, input); got.ExitCode != 1 || got.Output == "" {
			t.Errorf("%q: %+v", command, got)
		}
	}
	if got := f.call(t, "version", ""); got != (Reply{Output: "fake 1.0"}) {
		t.Errorf("version: %+v", got)
	}
	b, err := os.ReadFile(filepath.Join(f.dir, "calls"))
	if err != nil || !strings.HasSuffix(string(b), f.shell.Helper+" version\n") || strings.Count(string(b), "\n") != 4 {
		t.Errorf("calls: %q, %v", b, err)
	}
}

func TestIsFakeHelper(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/bin/mysql-secret-store-login-path": true,
		"mysql-secret-store-keychain.exe":    true,
		"/bin/mysql-secret-store-rds":        false, // that is ours
		"mysql-secret-store-rds.exe":         false,
		"/mysql-secret-store-x/testbed.test": false,
	} {
		if got := IsFakeHelper([]string{path, "get"}); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
