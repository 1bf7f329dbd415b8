package app

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/discover"
)

func TestBarLine(t *testing.T) {
	t.Parallel()
	p := discover.Progress{Done: 5, Total: 10, Servers: 7, What: "regions"}
	for columns, want := range map[int]string{
		79: "[============            ] 5/10 regions, 7 servers",
		39: "[======       ] 5/10 regions, 7 servers",
		29: "[=  ] 5/10 regions, 7 servers",
		28: "5/10 regions, 7 servers",
		10: "5/10 regio",
		0:  "",
	} {
		if got := barLine(p, columns); got != want || len(got) > columns {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

// TestQuestionStays: the bar goes before the first question, and nothing is drawn or wiped while one is open.
func TestQuestionStays(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := &progressBar{w: &out, on: true, width: func() int { return 80 }}
	b.show(discover.Progress{Total: 3, What: "profiles"})
	asking, answer, waits := make(chan bool), make(chan bool), make(chan bool)
	code := b.aside(func(context.Context, string, string) (string, error) {
		fmt.Fprint(&out, "code? ")
		asking <- true
		<-answer
		return "1", nil
	})
	second := b.aside(func(context.Context, string, string) (string, error) { // whose turn has not come
		waits <- true
		<-answer
		return "2", nil
	})
	done := make(chan bool)
	for _, ask := range []func(context.Context, string, string) (string, error){code, second} {
		go func() {
			_, _ = ask(t.Context(), "p", "s")
			done <- true
		}()
		select {
		case <-asking:
		case <-waits:
		}
	}
	b.show(discover.Progress{Done: 1, Total: 3, What: "profiles"})
	if got := out.String(); !strings.HasSuffix(got, "code? ") || !strings.Contains(got, "\r\x1b[K") {
		t.Errorf("got %q", got)
	}
	close(answer)
	<-done
	<-done
	if got := out.String(); !strings.HasSuffix(got, "code? ") {
		t.Errorf("after the answers: %q", got)
	}
	b.show(discover.Progress{Done: 3, Total: 3, What: "profiles"})
	if got := out.String(); !strings.HasSuffix(got, "3/3 profiles, 0 servers") {
		t.Errorf("then: %q", got)
	}
}
