//go:build unix

package credentials

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/disk"
)

// allocated returns how many MB f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) >> 20
}

// TestEndlessProcess: a credential_process that never stops talking is ended, also one that doesn't
// mind that nobody listens.
func TestEndlessProcess(t *testing.T) {
	role, twoRoles := orders, orders
	role.RoleARN, twoRoles.Profile = "arn:aws:iam::123456789012:role/one", "two"
	for name, of := range map[string]Source{"for a role": role, "for a role of a role": twoRoles} {
		t.Run(name, func(t *testing.T) {
			home := processOf(t, "exec yes\n")
			config := filepath.Join(home, ".aws", "config")
			text, err := os.ReadFile(config)
			text = append(text, "[profile one]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = default\n"+
				"[profile two]\nrole_arn = arn:aws:iam::123456789012:role/two\nsource_profile = one\n"...)
			if err := errors.Join(err, os.WriteFile(config, text, 0o600)); err != nil {
				t.Fatal(err)
			}
			_, err = inTime(t, 20*time.Second, t.Context(), of)
			if _, ok := errors.AsType[*ProcessError](err); !ok || err.Error() != "credential_process: its output is more than 1 MB" {
				t.Errorf("got %v", err)
			}
		})
	}
	of := orders
	for name, script := range map[string]string{
		"ends with its pipe": "exec yes\n",
		"goes on":            "echo $$ >$PID_FILE\ntrap '' PIPE\nwhile :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done 2>/dev/null\n",
	} {
		t.Run(name, func(t *testing.T) {
			processOf(t, script)
			mb := allocated(func() {
				_, err := inTime(t, 20*time.Second, t.Context(), of)
				if _, ok := errors.AsType[*ProcessError](err); !ok || err.Error() != "credential_process: its output is more than 1 MB" {
					t.Errorf("got %v", err)
				}
			})
			if mb > 100 {
				t.Errorf("%d MB", mb)
			}
		})
	}
}

// TestEndlessAnswer: an AWS that never stops talking is not read to its end.
func TestEndlessAnswer(t *testing.T) {
	const body = "<AssumeRoleResponse><AssumeRoleResult><PackedPolicySize>"
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write([]byte(body))
		for text := []byte(strings.Repeat("x", 64<<10)); err == nil; {
			_, err = w.Write(text)
		}
	}))
	t.Cleanup(aws.Close)
	newHome(t, "[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n")
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	of := orders
	of.RoleARN = "arn:aws:iam::123456789012:role/one"
	mb := allocated(func() {
		_, err := inTime(t, 20*time.Second, t.Context(), of)
		if _, ok := errors.AsType[*disk.TooLargeError](err); !ok || err.Error() != "AWS: the answer: more than 4 MB" {
			t.Errorf("got %v", err)
		}
	})
	if mb > 200 {
		t.Errorf("%d MB", mb)
	}
}
