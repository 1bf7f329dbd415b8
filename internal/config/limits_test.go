package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestLimits: a file of any content of the largest size is read in a time and a memory that are a
// small multiple of its size. Not parallel: it looks at the memory.
func TestLimits(t *testing.T) {
	const kb = 1 << 10
	rule := func(pattern string) string { return "rules:\n- {host: '" + pattern + "', aws_profile: x}\n" }
	merges := "defaults: &a\n  user: x\nservers:\n"
	for i := range 8 {
		merges += fmt.Sprintf("  s%d: &b%d\n    <<: [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*b%d,", max(i-1, 0)), 100))
	}
	merges = strings.Replace(merges, "*b0,", "*a,", 100)
	for _, c := range []struct{ name, text, want string }{
		{"brackets", strings.Repeat("[", 100*kb), "nested more than 32 deep"},
		{"braces", strings.Repeat("{a: ", 100*kb), "nested more than 32 deep"},
		{"closed brackets", strings.Repeat("[", 100*kb) + strings.Repeat("]", 100*kb), "nested more than 32 deep"},
		{"lists in lists", strings.Repeat("- ", 100*kb), "nested more than 32 deep"},
		{"keys of keys", strings.Repeat("? ", 100*kb), "nested more than 32 deep"},
		{"brackets in a list", strings.Repeat("- [\n", 10*kb), "nested more than 32 deep"},
		{"indented maps", indented(500), "nested more than 32 deep"},
		{"a long pattern", rule(strings.Repeat("a", 75*kb)), "rule 1: host: the regular expression is longer than 4 KB"},
		{"repetitions", rule("(((a{20}){20}){20})"), "invalid repeat count"},
		{"large classes", rule(strings.Repeat(`\pL`, 1000)), "too large when its repetitions are written out"},
		{"many patterns", "rules:\n" + strings.Repeat("- {host: 'a{900}', user: 'b{900}', aws_profile: x}\n", 5000), "all regular expressions together"},
		{"merges of merges", merges, "merges (<<) of more than"},
		{"a long key", strings.Repeat("k", 900*kb) + ": x", "unknown key"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := Parse("config.yaml", []byte(c.text))
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v", c.name, err)
		}
		if err != nil && len(err.Error()) > 2*kb {
			t.Errorf("%s: an error of %d bytes", c.name, len(err.Error()))
		}
		if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 300 || took > 10*time.Second {
			t.Errorf("%s: %d MB, %v", c.name, mb, took)
		}
	}
}

func indented(deep int) string {
	var b strings.Builder
	for i := range deep {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

// What people write stays far below the limits.
func TestWithinLimits(t *testing.T) {
	t.Parallel()
	text := "servers:\n"
	for i := range 2000 {
		text += fmt.Sprintf("  s%d.example.com: {endpoint: s%d.abcdefghijkl.eu-west-1.rds.amazonaws.com, user: x}\n", i, i)
	}
	text += "rules:\n"
	for i := range 2000 {
		text += fmt.Sprintf("- host: '(?P<team>[a-z0-9-]+)-%d\\.cluster-[a-z0-9]{12}\\..*\\.rds\\.amazonaws\\.com'\n  aws_profile: ${team}\n", i)
	}
	if _, err := Parse("config.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestParseEnds(t *testing.T) {
	t.Parallel()
	_, err := within(time.Millisecond, "config.yaml", func() (*Config, error) {
		time.Sleep(time.Second)
		return nil, nil
	})
	if err == nil || err.Error() != "config.yaml: it takes longer than 1ms to read" {
		t.Error(err)
	}
}
