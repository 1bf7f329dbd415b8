//go:build unix

package credentials

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/sso"
	"mysql-secret-store-rds/internal/term"
)

// person is somebody at a terminal that is made of pipes.
type person struct {
	t        *testing.T
	dialogue *Dialogue
	keys     *os.File
	shown    *bufio.Reader
}

func newPerson(t *testing.T, patience time.Duration) *person {
	t.Helper()
	p := &person{t: t}
	in, keys, err1 := os.Pipe()
	screen, out, err2 := os.Pipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	p.keys, p.shown = keys, bufio.NewReader(screen)
	t.Cleanup(func() {
		for _, f := range []*os.File{in, keys, screen, out} {
			_ = f.Close()
		}
	})
	p.dialogue = &Dialogue{Patience: patience, Open: func() (*term.Terminal, error) {
		// Each has descriptors of its own, as with /dev/tty.
		in, err1 := syscall.Dup(int(in.Fd()))
		out, err2 := syscall.Dup(int(out.Fd()))
		err3 := syscall.SetNonblock(in, true) // so that a reading can be ended
		return term.New(os.NewFile(uintptr(in), "in"), os.NewFile(uintptr(out), "out")), errors.Join(err1, err2, err3)
	}}
	return p
}

// TestAPersonHasThreeMinutes for one answer, and for the browser.
func TestAPersonHasThreeMinutes(t *testing.T) {
	if PersonTime != 3*time.Minute {
		t.Error("not three minutes")
	}
	newHome(t, awsConfig)
	a, _ := startAWS(t)
	ctx, cancel := WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	set, err := profiles.Load(profiles.Default())
	if err != nil {
		t.Fatal(err)
	}
	session, _ := set.Session("corp")
	began := time.Now()
	if _, err := newPerson(t, 200*time.Millisecond).dialogue.Code(ctx, "mfa", "serial"); !errors.Is(err, ErrNoCode) {
		t.Errorf("no code: %v", err)
	}
	if err := newPerson(t, 200*time.Millisecond).dialogue.Login(ctx, aws.Config{}, session); !errors.Is(err, ErrSSOLogin) {
		t.Errorf("no answer: %v", err)
	}
	p := newPerson(t, 500*time.Millisecond)
	if _, err := p.keys.WriteString("y\n"); err != nil {
		t.Fatal(err)
	}
	provider := New(Source{Profile: "sso", Region: "eu-west-1"}, Options{Login: p.dialogue.Login})
	if _, err := provider.Retrieve(ctx); !errors.Is(err, sso.ErrCodeExpired) {
		t.Errorf("not confirmed: %v", err)
	}
	if took := time.Since(began); took < 900*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if a.Calls("StartDeviceAuthorization") != 1 {
		t.Errorf("%d device flows", a.Calls("StartDeviceAuthorization"))
	}
	question, _ := p.shown.ReadString('?')
	if !strings.HasPrefix(question, "AWS session corp is over. Log in now?") {
		t.Errorf("asked %q", question)
	}
}

// TestNobodyIsAskedWithoutNeed: kept credentials that are good for another token serve while the
// session is over.
func TestNobodyIsAskedWithoutNeed(t *testing.T) {
	w := newWorld(t, awsConfig, "")
	file, content := w.SSOLogin(w.home, "corp", time.Hour)
	w.login(t, file, content)
	w.Life = 3 * time.Minute // less than is wanted of kept ones
	options := Options{Store: w.store, Login: func(context.Context, aws.Config, profiles.SSOSession) error {
		t.Error("asked")
		return ErrSSOLogin
	}}
	if _, err := New(Source{Profile: "sso"}, options).Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.SSOToken = "another"
	if _, err := New(Source{Profile: "sso"}, options).Retrieve(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLoginComesBeforeTheCode: of a role that wants a code, behind a session that is over, the code
// is asked for when it can be used.
func TestLoginComesBeforeTheCode(t *testing.T) {
	w := newWorld(t, awsConfig+"[profile both]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = sso\n"+
		"mfa_serial = arn:aws:iam::123456789012:mfa/dba\n", "")
	var asked []string
	p := New(Source{Profile: "both", Region: "eu-west-1"}, Options{
		Store: w.store,
		Code: func(context.Context, string, string) (string, error) {
			asked = append(asked, "code")
			return w.MFACode, nil
		},
		Login: func(context.Context, aws.Config, profiles.SSOSession) error {
			asked = append(asked, "login")
			file, content := w.SSOLogin(w.home, "corp", time.Hour)
			w.login(t, file, content)
			return nil
		},
	})
	if _, err := p.Retrieve(t.Context()); err != nil || strings.Join(asked, " ") != "login code" {
		t.Errorf("asked for %v, %v", asked, err)
	}
}
