package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

const program = "mysql-secret-store-rds"

// platforms are those of .goreleaser.yaml; what is linked doesn't depend on the processor.
var platforms = []string{"linux", "darwin", "windows"}

// module is a Go module, or Go itself, that is linked into the program.
type module struct {
	Path, Version string
	// Licences are SPDX's identifiers, sorted.
	Licences []string
	texts    []string // of its licences and notices
}

// source is where anybody gets a module's source, which the Mozilla licence wants to be said.
func (m module) source() string {
	if m.Path == "stdlib" {
		return "https://go.dev/dl/go" + m.Version + ".src.tar.gz"
	}
	upper := regexp.MustCompile(`[A-Z]`)
	escaped := upper.ReplaceAllStringFunc(m.Path, func(c string) string { return "!" + strings.ToLower(c) })
	return "https://proxy.golang.org/" + escaped + "/@v/" + m.Version + ".zip"
}

// linkedModules returns the modules whose packages are linked for the operating systems, Go's own
// first. One without a licence that is recognised is an error.
func linkedModules(systems ...string) ([]module, error) {
	goRoot, err := output("go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	found := map[string]module{}
	folders := map[string]bool{}
	for _, system := range systems {
		packages, err := listPackages(system)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			m := module{Path: "stdlib", Version: strings.TrimPrefix(runtime.Version(), "go")}
			root := goRoot
			if !p.Standard {
				m.Path, m.Version, root = p.Module.Path, p.Module.Version, p.Module.Dir
			}
			if p.Module.Main {
				continue
			}
			if known, ok := found[m.Path]; ok {
				m = known
			}
			if err := m.collect(p.Dir, root, folders); err != nil {
				return nil, err
			}
			found[m.Path] = m
		}
	}
	modules := slices.SortedFunc(maps.Values(found), func(a, b module) int {
		return cmp.Or(cmp.Compare(b2i(a.Path != "stdlib"), b2i(b.Path != "stdlib")), cmp.Compare(a.Path, b.Path))
	})
	for _, m := range modules {
		if len(m.Licences) == 0 {
			return nil, fmt.Errorf("%s %s has no licence", m.Path, m.Version)
		}
	}
	return modules, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

type listed struct {
	Dir      string
	Standard bool
	Module   struct {
		Path, Version, Dir string
		Main               bool
	}
}

func listPackages(system string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Standard,Module", "./cmd/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH=amd64")
	cmd.Dir = projectFolder()
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}

// collect adds what stands in a package's folder and those above it, up to the module's: a module
// may hold code of others, with its own licence.
func (m *module) collect(dir, root string, seen map[string]bool) error {
	for ; !seen[dir]; dir = filepath.Dir(dir) {
		seen[dir] = true
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			isLicence, isNotice := kindOfFile(e.Name())
			if e.IsDir() || !isLicence && !isNotice {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			if isLicence {
				id := recognise(string(text))
				if id == "" {
					return fmt.Errorf("%s: the licence in %s is none that is known here", m.Path,
						filepath.Join(dir, e.Name()))
				}
				if !slices.Contains(m.Licences, id) {
					m.Licences = append(m.Licences, id)
					slices.Sort(m.Licences)
				}
			}
			m.texts = append(m.texts, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
		}
		if dir == root {
			return nil
		}
	}
	return nil
}

// kindOfFile reports whether a file has a licence, or what has to be handed on beside it.
func kindOfFile(name string) (licence, notice bool) {
	word := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(name, ".txt"), ".md"))
	return word == "LICENSE" || word == "LICENCE" || word == "COPYING", word == "NOTICE" || word == "PATENTS"
}

// recognise returns SPDX's identifier of a licence's text; "" when it is none of those that may be
// linked into the program.
func recognise(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	has := func(words string) bool { return strings.Contains(strings.ToLower(text), words) }
	switch {
	case has("apache license version 2.0"):
		return "Apache-2.0"
	case has("mozilla public license version 2.0") || has("mozilla public license, version 2.0"):
		return "MPL-2.0"
	case has("permission is hereby granted, free of charge") && has("the software is provided \"as is\""):
		return "MIT"
	case has("redistribution and use in source and binary forms") && has("neither the name"):
		return "BSD-3-Clause"
	case has("redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	}
	return ""
}

// thirdParty is the file that goes with every package: each module, its licence and its source, and
// then each text once.
func thirdParty(modules []module) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is under the Apache License 2.0; see LICENSE. Its program holds code of others:\n\n", program)
	var texts []string
	of := map[string][]string{}
	for _, m := range modules {
		fmt.Fprintf(&b, "%s %s (%s)\n    %s\n", m.Path, m.Version, strings.Join(m.Licences, ", "), m.source())
		for _, text := range m.texts {
			if of[text] == nil {
				texts = append(texts, text)
			}
			if !slices.Contains(of[text], m.Path) {
				of[text] = append(of[text], m.Path)
			}
		}
	}
	for _, text := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(of[text], "\n"), text)
	}
	return b.String()
}

func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = projectFolder()
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), err
}
