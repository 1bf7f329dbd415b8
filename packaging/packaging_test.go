package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestFiles: what the packages hold is there, and each linked module's licence is among it.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := files(dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	licences := string(read("THIRD_PARTY_LICENSES"))
	info := ownBuild(t)
	for _, d := range info.Deps {
		if !strings.Contains(licences, "\n"+d.Path+" "+d.Version+" (") {
			t.Errorf("no word of %s %s", d.Path, d.Version)
		}
	}
	for _, want := range []string{"stdlib ", "mousetrap", "Mozilla Public License Version 2.0",
		"https://proxy.golang.org/github.com/go-sql-driver/mysql/@v/"} {
		if !strings.Contains(licences, want) {
			t.Errorf("no %q in THIRD_PARTY_LICENSES", want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if !strings.Contains(string(read("completions/"+shell)), program) {
			t.Errorf("no completion for %s", shell)
		}
	}
	pages, err := filepath.Glob("../man/*")
	if err != nil || len(pages) < 2 {
		t.Fatalf("man pages %v, %v", pages, err)
	}
	for _, page := range pages {
		want, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(read("man/" + filepath.Base(page) + ".gz")))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is another: %v", page, err)
		}
		if !z.ModTime.IsZero() || z.Name != "" {
			t.Errorf("%s has a time or a name in it, which differ from build to build", page)
		}
	}
}

// ownBuild is what the program says it was built from.
func ownBuild(t *testing.T) *buildinfo.BuildInfo {
	t.Helper()
	info, err := buildinfo.ReadFile(ownBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func ownBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), program+".exe")
	cmd := exec.Command("go", "build", "-o", binary, "../cmd/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// TestBillOfMaterials: a binary's names each of its modules, with a licence, and twice the same.
func TestBillOfMaterials(t *testing.T) {
	t.Setenv("VERSION", "1.2.3")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	binary, file := ownBinary(t), filepath.Join(t.TempDir(), "bom.json")
	write := func() []byte {
		if err := sbom(binary, file); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	text := write()
	if !bytes.Equal(text, write()) {
		t.Error("the second is another")
	}
	checkSchema(t, text)
	// Read by names of its own: CycloneDX's.
	var got struct {
		BOMFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Timestamp string
			Component struct{ Type, Version string }
		}
		Components []struct {
			Type, Name, Version, Purl string
			Licenses                  []struct{ License struct{ ID string } }
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.BOMFormat != "CycloneDX" || got.SpecVersion != "1.5" || got.Metadata.Timestamp != "2023-11-14T22:13:20Z" ||
		got.Metadata.Component.Version != "1.2.3" {
		t.Errorf("got %+v", got.Metadata)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(got.SerialNumber) {
		t.Errorf("serial number %s", got.SerialNumber)
	}
	var urls []string
	for _, c := range got.Components {
		urls = append(urls, c.Purl)
		if c.Type != "library" || len(c.Licenses) == 0 || c.Licenses[0].License.ID == "" {
			t.Errorf("component %+v", c)
		}
	}
	for _, d := range ownBuild(t).Deps {
		if !slices.Contains(urls, "pkg:golang/"+d.Path+"@"+d.Version) {
			t.Errorf("no word of %s %s", d.Path, d.Version)
		}
	}
}

// checkSchema holds a bill of materials against CycloneDX's own schema, where its folder is given: it
// is no dependency of the project's.
func checkSchema(t *testing.T, text []byte) {
	t.Helper()
	folder := os.Getenv("MYSQL_SECRET_STORE_RDS_TEST_CYCLONEDX")
	if folder == "" {
		t.Log("not held against CycloneDX's schema: MYSQL_SECRET_STORE_RDS_TEST_CYCLONEDX names no folder with it")
		return
	}
	c := jsonschema.NewCompiler()
	for _, name := range []string{"spdx.schema.json", "jsf-0.82.schemax.json", "bom-1.5.schema.json"} {
		file, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		schema, err := jsonschema.UnmarshalJSON(file)
		if err != nil {
			t.Fatal(err)
		}
		address := "http://cyclonedx.org/schema/" + strings.Replace(name, "schemax", "schema", 1)
		if err := c.AddResource(address, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.5.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                       "Apache-2.0",
		"Mozilla Public License Version 2.0\n====":                           "MPL-2.0",
		"GNU GENERAL PUBLIC LICENSE Version 3":                               "",
		"All rights reserved.":                                               "",
		"Redistribution and use in source and binary forms, with or without": "BSD-2-Clause",
	} {
		if got := recognise(text); got != want {
			t.Errorf("recognise(%q) is %q, want %q", text, got, want)
		}
	}
}

// TestNoLicence: a module without one stops the build.
func TestNoLicence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := module{Path: "example.com/x"}
	if err := m.collect(dir, dir, map[string]bool{}); err != nil || m.Licences != nil {
		t.Errorf("got %v, %v", m.Licences, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("Ask me first."), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.collect(dir, dir, map[string]bool{}); err == nil || !strings.Contains(err.Error(), "none that is known") {
		t.Errorf("got %v", err)
	}
}

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ address, repository, want string }{
		{"https://" + placeholderHost + "/x", "", "placeholder"},
		{"https://" + placeholderHost + "/x", "a/b", "placeholder"},
		{"https://github.com/a/b", "a/b", ""},
		{"https://github.com/a/b", "", ""},
		{"https://github.com/a/b", "c/d", "would be published by"},
	} {
		err := checkAddress(tc.address, tc.repository)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("checkAddress(%q, %q): %v", tc.address, tc.repository, err)
		}
	}
}

// TestReplaceAddress: all files that git knows have the new one, and no other change.
func TestReplaceAddress(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	const old, address = "https://old.example/x", "https://github.com/a/b"
	texts := map[string]string{"go.mod": "module x\n", addressFile: old + "\n", "README.md": "See " + old + "/releases, x.\n"}
	for name, text := range texts {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	for _, bad := range []string{"", "github.com/a/b", "http://github.com/a/b", "https://github.com/a/b/", "https://github.com/a/b?c"} {
		if err := replaceAddress(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if err := replaceAddress(address); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if got, err := os.ReadFile(name); err != nil || string(got) != strings.ReplaceAll(text, old, address) {
			t.Errorf("%s has %q (%v)", name, got, err)
		}
	}
}

// TestVersion: CHANGELOG.md's newest heading and the source's version are one.
func TestVersion(t *testing.T) {
	t.Parallel()
	version, err := sourceVersion()
	if err != nil {
		t.Fatal(err)
	}
	if newest, err := newestChange(); err != nil || newest != version {
		t.Errorf("CHANGELOG.md begins with %q, the source says %q: %v", newest, version, err)
	}
	if err := publishable("v0.0.1"); err == nil || !strings.Contains(err.Error(), `the tag says "v0.0.1"`) {
		t.Errorf("got %v", err)
	}
}

// TestOneAddress: no file leads to a release, a clone or a package of the project elsewhere.
func TestOneAddress(t *testing.T) {
	t.Parallel()
	address, err := readAddress()
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`https?://[^\s)"'<>]+/mysql-secret-store-rds\b[^\s)"'<>]*`)
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../.goreleaser.yaml", "../.github/workflows/*", "README.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range link.FindAllString(string(text), -1) {
				if found != address && !strings.HasPrefix(found, address+"/") {
					t.Errorf("%s leads to %s, and the project is at %s (%s)", name, found, address, addressFile)
				}
			}
		}
	}
}

// TestWorkflows: what others wrote is pinned by digest, and nothing may write unless it says why.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../.github/workflows/*")
	if err != nil || len(names) < 3 {
		t.Fatalf("workflows %v: %v", names, err)
	}
	pinned := regexp.MustCompile(`^uses: [a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		readOnly := false
		for lines := bufio.NewScanner(file); lines.Scan(); {
			line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "- ")
			readOnly = readOnly || lines.Text() == "permissions:" && lines.Scan() && lines.Text() == "  contents: read"
			if strings.HasPrefix(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("%s: not pinned: %s", name, line)
			}
			if strings.Contains(line, ": write") && filepath.Base(name) != "release.yaml" {
				t.Errorf("%s: %s", name, line)
			}
		}
		if !readOnly {
			t.Errorf("%s doesn't begin with permission to read alone", name)
		}
	}
}
