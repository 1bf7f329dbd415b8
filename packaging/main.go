// Command packaging makes what the packages hold besides the program, and says whether a release
// may be published. packaging/build and .goreleaser.yaml call it; see packaging/README.md.
package main

import (
	"errors"
	"fmt"
	"os"
)

const usage = `usage, in the project's folder:
  go run ./packaging files FOLDER       licences, man pages, completions
  go run ./packaging sbom BINARY FILE   what a binary was built from, as CycloneDX
  go run ./packaging address [URL]      the project's public address, or put another in its place
  go run ./packaging publishable TAG    may this be published as TAG?`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch command, args := args[0], args[1:]; {
	case command == "files" && len(args) == 1:
		return files(args[0])
	case command == "sbom" && len(args) == 2:
		return sbom(args[0], args[1])
	case command == "address" && len(args) == 0:
		address, err := readAddress()
		fmt.Println(address)
		return err
	case command == "address" && len(args) == 1:
		return replaceAddress(args[0])
	case command == "publishable" && len(args) == 1:
		return publishable(args[0])
	}
	return errors.New(usage)
}
