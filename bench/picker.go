package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// keyLimit is what a key may take in a list of 40,000 servers, in milliseconds.
const keyLimit = 10

var keyTime = regexp.MustCompile(`([0-9.]+) ms/key`)

// pressKeys runs the benchmark of package term that types into a list of 40,000 servers, and says
// what the slowest key took.
func pressKeys(limit bool) error {
	out, err := exec.Command("go", "test", "-run=^$", "-bench=^BenchmarkKeys$", "-benchtime=20x",
		"mysql-secret-store-rds/internal/term").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test: %w: %s", err, out)
	}
	found := keyTime.FindSubmatch(out)
	if found == nil {
		return fmt.Errorf("go test: no time in %s", out)
	}
	took, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return err
	}
	fmt.Printf("picker: the slowest key in a list of 40,000 servers takes %.1f ms\n\n", took)
	if limit && took > keyLimit {
		return fmt.Errorf("a key takes %.1f ms; the limit is %d", took, keyLimit)
	}
	return nil
}
