// Fakehelper is a credential helper to delegate to, for the tests of the real program. It is a
// program of its own: a test binary of package app answers some calls by itself, as the real one
// does.
package main

import (
	"os"

	"mysql-secret-store-rds/internal/testbed"
)

func main() { os.Exit(testbed.FakeHelper(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
