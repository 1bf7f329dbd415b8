package testbed

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if IsFakeHelper(os.Args) {
		os.Exit(FakeHelper(os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}
