//go:build unix

package learn

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mysql-secret-store-rds/internal/testbed"
)

// A profile that takes long holds up nobody; the one that has the server ends the others.
func TestSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.has(one, id, "orders")
	for i := range 2 * parallel { // more than there are slots
		w.profile(fmt.Sprintf("slow%d", i), "credential_process = sleep 60")
	}
	w.user("a", one)
	began := time.Now()
	r := w.ask(t, host)
	if took := time.Since(began); !r.Found || r.Account.Profile != "a" || took > 10*time.Second {
		t.Errorf("%v: %+v", took, r)
	}
	if a := r.Answers[0]; a.Said != NoNeed || a.Why != "a had it first" {
		t.Errorf("a slow one: %+v", a)
	}
}

// Everything ends in time, and who didn't answer is named.
func TestLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile("slow", "credential_process = sleep 60")
	w.user("a", two)
	w.options.Limit = 1500 * time.Millisecond
	began := time.Now()
	r := w.ask(t, host)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
	wantSaid(t, r, "slow: couldn't be asked", "a: doesn't have it")
	if want := "asked 1 profile; not asked: slow (no answer within 1.5s)"; r.Line() != want {
		t.Errorf("got %s, want %s", r.Line(), want)
	}
	// Whoever signs then needs some of the time.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	w.options.Limit, w.options.Anew = 30*time.Second, true
	r, err := w.try(t, ctx, host)
	if left := context.Cause(ctx); err != nil || left != nil || !strings.Contains(r.Line(), "slow (no answer within 1.5s)") {
		t.Errorf("%s, %v, %v", r.Line(), err, left)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	began = time.Now()
	r, err = w.try(t, ctx, host)
	if took := time.Since(began); err != nil || took > 4*time.Second || !strings.Contains(r.Line(), "slow (interrupted)") {
		t.Errorf("after %v: %s, %v", took, r.Line(), err)
	}
}

// Who signs where nobody knows better goes on signing, if it has the server and says so in time.
func TestSigner(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		signer, takes, want string
	}{
		{"signer", "0.2", "signer"}, {"", "0.2", "quick"}, {"signer", "2", "quick"}, {"elsewhere", "0.2", "quick"},
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.user("elsewhere", two)
			w.role("quick", one, "elsewhere")
			w.has(one, id, "orders")
			w.profile("signer", "credential_process = "+w.program(one, tc.takes))
			began := time.Now()
			q := Question{Endpoint: endpoint(t, host), Signer: tc.signer}
			r, err := Ask(t.Context(), q, w.load(t))
			if took := time.Since(began); err != nil || r.Account.Profile != tc.want || took > 4*time.Second {
				t.Errorf("after %v: %+v, %v", took, r, err)
			}
			if accounts, _ := w.inventory(t); accounts[id+" "+west].Profile != tc.want {
				t.Errorf("kept: %+v", accounts)
			}
		})
	}
}

// program is one that gives the keys of a user of an account after so many seconds.
func (w *world) program(account, seconds string) string {
	key := testbed.Key{ID: "AKIAPROGRAM", Secret: "program", Owner: "arn:aws:iam::" + account + ":user/program"}
	w.keys.Add(key)
	return fmt.Sprintf(`sh -c 'sleep %s; echo "{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\"}"'`,
		seconds, key.ID, key.Secret)
}
