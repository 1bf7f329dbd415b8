package about

import (
	"regexp"
	"testing"
)

func TestVersion(t *testing.T) {
	t.Cleanup(func() { commit = "" })
	if got := Version(); !regexp.MustCompile(`^mysql-secret-store-rds \d+\.\d+\.\d+(-dev)? \(commit [^()]+\)$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
	commit = "0123abc"
	if got, want := Version(), "mysql-secret-store-rds "+version+" (commit 0123abc)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
