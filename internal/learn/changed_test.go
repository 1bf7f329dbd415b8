package learn

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mysql-secret-store-rds/internal/profiles"
)

// A profile whose account was another one is asked when nobody else has the server, and the AWS files
// have changed: other keys may be there by now, as of those who paste them.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("pasted", two)
	w.has(two, idTwo, "shop")
	w.has(one, id, "orders")
	const shop = "shop." + idTwo + ".eu-west-1.rds.amazonaws.com"
	if r := w.ask(t, shop); !r.Found {
		t.Fatalf("%+v", r)
	}

	// As long as nothing has changed, that is known.
	if r := w.ask(t, host); r.Found || describes(w) != 1 || !r.Excludes("pasted") {
		t.Errorf("%d calls, %+v", describes(w), r)
	}

	settings := strings.Split(w.config.String(), "\n")
	w.user("b", one)
	other := strings.Split(w.config.String(), "\n")[len(settings)-1:]
	w.config.Reset()
	w.config.WriteString(strings.Join(slices.Concat(settings[:2], []string{"[profile pasted]"}, other[1:]), "\n"))
	r := w.ask(t, host)
	if wantSaid(t, r, "pasted: has it"); r.Account.Number != one || r.Excludes("pasted") {
		t.Errorf("%+v", r)
	}

	// Where it still is the same account, that is asked once more, and then known.
	w.config.WriteString("\n")
	r = w.ask(t, "x.mnopqrstuvwx.eu-west-1.rds.amazonaws.com")
	if wantSaid(t, r, "pasted: doesn't have it"); !r.Excludes("pasted") {
		t.Errorf("%+v", r)
	}
}

// A program's account may change without the AWS files.
func TestOtherAccountOfAProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("other", two)
	w.has(two, idTwo, "shop")
	w.ask(t, "shop."+idTwo+".eu-west-1.rds.amazonaws.com")
	w.config.Reset()
	fmt.Fprintf(&w.config, "[DEFAULT]\nendpoint_url = %s\n", w.URL)
	w.profile("other", "credential_process = "+filepath.Join(t.TempDir(), "none"))
	past := time.Now().Add(-time.Hour) // the inventory is younger than the file, as after discover
	w.load(t)
	if err := os.Chtimes(w.file(), past, past); err != nil {
		t.Fatal(err)
	}
	r := w.ask(t, host)
	if wantSaid(t, r, "other: couldn't be asked"); r.Excludes("other") {
		t.Errorf("%+v", r)
	}
}

// The other profiles of an account, as the AWS files have it, are kept with the one that was asked, so
// that AWS_PROFILE may name any of them.
func TestOthersOfAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("source", two)
	w.role("first", one, "source")
	w.profile("second", "role_arn = arn:aws:iam::"+one+":role/other", "source_profile = source")
	w.has(one, id, "orders")
	want := []string{"first", "second"}
	if r := w.ask(t, host); !slices.Equal(r.Account.Profiles, want) {
		t.Errorf("said: %+v", r.Account)
	}
	if accounts, _ := w.inventory(t); !slices.Equal(accounts[id+" "+west].Profiles, want) {
		t.Errorf("kept: %+v", accounts)
	}
}

// Of several logins, that of who signs where nobody knows better is asked for first, and alone if it
// has the server.
func TestLoginOfTheSigner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, name := range []string{"others1", "others2", "mine", "others3"} {
		w.sso(t, name, strings.Repeat(fmt.Sprint(i+1), 12), "signer-"+name, time.Now().Add(-time.Hour))
	}
	w.has(three, id, "orders")
	var asked []string
	w.options.Login = func(_ context.Context, _ aws.Config, s profiles.SSOSession) error {
		asked = append(asked, s.Name)
		logIn(t, s.Name, w.SSOToken, time.Now().Add(time.Hour))
		return nil
	}
	r, err := Ask(t.Context(), Question{Endpoint: endpoint(t, host), Signer: "mine"}, w.load(t))
	if err != nil || r.Account.Profile != "mine" || !slices.Equal(asked, []string{"signer-mine"}) {
		t.Errorf("asked for %v: %+v, %v", asked, r, err)
	}
}
