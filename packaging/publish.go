package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// addressFile has the project's public address. Formula, manifests and packages take it from there;
// README and docs name it, and replaceAddress changes them with it.
const addressFile = "packaging/address"

// placeholderHost is where nobody is (RFC 2606): the address until the project has one.
const placeholderHost = "project.invalid"

func readAddress() (string, error) {
	text, err := os.ReadFile(filepath.Join(projectFolder(), addressFile))
	return strings.TrimSpace(string(text)), err
}

// replaceAddress writes another address wherever the old one stands in the files that git knows.
func replaceAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if u.Scheme != "https" || u.Host == "" || strings.HasSuffix(u.Path, "/") || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is no address such as https://github.com/owner/name", address)
	}
	old, err := readAddress()
	if err != nil {
		return err
	}
	names, err := output("git", "grep", "-lF", "-e", old)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(names, "\n") {
		path := filepath.Join(projectFolder(), name)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, address)), 0o644); err != nil {
			return err
		}
		fmt.Println(name)
	}
	return nil
}

// publishable says whether what is in the folder may be published as a tag.
func publishable(tag string) error {
	address, err := readAddress()
	if err != nil {
		return err
	}
	version, err := sourceVersion()
	if err != nil {
		return err
	}
	newest, err := newestChange()
	if err != nil {
		return err
	}
	return errors.Join(
		checkAddress(address, os.Getenv("GITHUB_REPOSITORY")),
		same("the tag", tag, "internal/about/about.go", "v"+version),
		same("the newest heading of CHANGELOG.md", newest, "internal/about/about.go", version),
	)
}

// checkAddress refuses the placeholder, and an address that isn't that of the repository (owner/name;
// "" when it isn't known) which the release goes to.
func checkAddress(address, repository string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return err
	case u.Host == placeholderHost:
		return fmt.Errorf("%s still has the placeholder %s: go run ./packaging address https://github.com/owner/name",
			addressFile, address)
	case repository != "" && address != "https://github.com/"+repository:
		return fmt.Errorf("%s has %s, and this would be published by https://github.com/%s", addressFile, address, repository)
	}
	return nil
}

func same(one, value, other, wanted string) error {
	if value != wanted {
		return fmt.Errorf("%s says %q, and %s %q", one, value, other, wanted)
	}
	return nil
}

// sourceVersion is the version of the release that the source becomes.
func sourceVersion() (string, error) {
	return find("internal/about/about.go", `version = "(\d+\.\d+\.\d+)-dev"`)
}

// newestChange is the first heading of the changes.
func newestChange() (string, error) { return find("CHANGELOG.md", `(?m)^## (.*)$`) }

func find(file, pattern string) (string, error) {
	text, err := os.ReadFile(filepath.Join(projectFolder(), filepath.FromSlash(file)))
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s has nothing like %s", file, pattern)
	}
	return string(m[1]), nil
}
