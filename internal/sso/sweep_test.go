package sso

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSweep: what a refresh left that couldn't be written goes; what another program may be writing
// stays.
func TestSweep(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token[1].json")
	now := time.Now()
	for name, stays := range map[string]bool{
		path: true, path + ".tmp-x": true, path + "2.tmp-1": true,
		temporary(path, now.Add(-time.Hour)): false, temporary(path, now): false,
		temporary(path, now.Add(-10*time.Second)): true,
	} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		sweep(path, now.Add(-time.Second))
		if _, err := os.Stat(name); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func temporary(path string, made time.Time) string {
	return fmt.Sprintf("%s.tmp-%d", path, made.UnixNano())
}
