package term

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestBar(t *testing.T) {
	t.Parallel()
	for columns, want := range map[int]string{
		79: "[============            ] 5/10 regions, 7 servers",
		39: "[======       ] 5/10 regions, 7 servers",
		29: "[=  ] 5/10 regions, 7 servers",
		28: "5/10 regions, 7 servers",
		10: "5/10 regio",
		0:  "",
	} {
		if got := bar(5, 10, "5/10 regions, 7 servers", columns); got != want || len(got) > columns {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

// TestQuestionStays: the line goes before the first question, and nothing is drawn or wiped while
// one is open.
func TestQuestionStays(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := &Progress{w: &out, width: func() int { return 80 }}
	p.Show(0, 3, "profiles", "0 servers")
	answered := p.Aside()
	fmt.Fprint(&out, "code? ")
	alsoAnswered := p.Aside() // another one, whose turn has not come
	p.Show(1, 3, "profiles", "0 servers")
	if got := out.String(); !strings.HasSuffix(got, "code? ") || !strings.Contains(got, "\r\x1b[K") {
		t.Errorf("got %q", got)
	}
	answered()
	p.Show(2, 3, "profiles", "0 servers")
	alsoAnswered()
	if got := out.String(); !strings.HasSuffix(got, "code? ") {
		t.Errorf("after the answers: %q", got)
	}
	p.Show(3, 3, "profiles", "0 servers")
	if got := out.String(); !strings.HasSuffix(got, "3/3 profiles, 0 servers") {
		t.Errorf("then: %q", got)
	}
}

// TestNoProgress: without a terminal nothing is shown, nor wiped.
func TestNoProgress(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range []*Progress{NewProgress(f), {}} {
		p.Show(0, 3, "profiles", "0 servers")
		p.Aside()()
		p.Clear()
	}
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("written: %v, %v", info.Size(), err)
	}
}

// TestProgressIsLimited: what comes soon after isn't drawn, unless it is the last.
func TestProgressIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := &Progress{w: &out, width: func() int { return 80 }}
		for done := range 300 {
			p.Show(done, 300, "regions", "0 servers")
			time.Sleep(10 * time.Millisecond)
		}
		if n := strings.Count(out.String(), "\r"); n != 30 {
			t.Errorf("drawn %d times in 3 seconds, not 30", n)
		}
		p.Show(299, 300, "regions", "0 servers")
		p.Show(300, 300, "regions", "0 servers")
		if !strings.HasSuffix(out.String(), "300/300 regions, 0 servers") {
			t.Errorf("the end isn't drawn: %q", out.String())
		}
	})
}
