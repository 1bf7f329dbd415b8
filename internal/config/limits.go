package config

import (
	"fmt"
	"regexp/syntax"
	"time"

	"github.com/goccy/go-yaml/token"
)

// What a configuration is made of takes many times its size in memory: one of 100 KB that is all
// brackets took 9 GB, and a regular expression of 75 KB 3.5 GB. Nobody writes by hand what these
// refuse.
const (
	maxNesting = 32      // of lists and maps
	maxPattern = 4 << 10 // bytes of a regular expression
	maxProgram = 10_000  // steps of what it is compiled to
	maxSteps   = 500_000 // of all of them
	maxMerged  = 100_000 // keys that merges (<<) bring in
	maxParse   = DefaultTimeout
)

// within returns what f does, or an error when that takes longer than limit.
func within(limit time.Duration, file string, f func() (*Config, error)) (*Config, error) {
	var c *Config
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err = f()
	}()
	select {
	case <-done:
		return c, err
	case <-time.After(limit):
		return nil, &Error{File: file, Msg: fmt.Sprintf("it takes longer than %v to read", limit)}
	}
}

// nesting refuses lists and maps that are nested too deeply, before they are parsed.
func (r *reader) nesting(tokens token.Tokens) {
	flow, line := 0, 0
	var columns []int // at which block lists and maps began
	for _, t := range tokens {
		first := t.Position.Line != line
		line = t.Position.Line
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(flow-1, 0)
		}
		if flow == 0 && (first || t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType) {
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.Column)
		}
		if flow+len(columns) > maxNesting {
			panic(r.errorf(line, "lists and maps are nested more than %d deep", maxNesting))
		}
	}
}

// pattern refuses a regular expression that would take too much memory when it is compiled.
func (r *reader) pattern(text string) error {
	if len(text) > maxPattern {
		return fmt.Errorf("the regular expression is longer than %d KB", maxPattern>>10)
	}
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return err
	}
	n := steps(re)
	if n > maxProgram {
		return fmt.Errorf("the regular expression is too large when its repetitions are written out "+
			"(more than %d steps)", maxProgram)
	}
	if r.steps += n; r.steps > maxSteps {
		return fmt.Errorf("all regular expressions together are too large (more than %d steps)", maxSteps)
	}
	return nil
}

// steps is about as many as a compiled regular expression has.
func steps(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)/2
	for _, sub := range re.Sub {
		n += steps(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Max, re.Min+1, 1)
	}
	return min(n, 1<<30)
}
