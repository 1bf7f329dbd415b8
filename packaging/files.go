package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// projectFolder is the folder with go.mod: the working folder or one above it, as tests run in
// their package's and goreleaser's commands in dist.
func projectFolder() string {
	dir, _ := os.Getwd() // "" is the working folder, too
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}

// files writes what the packages hold besides the program: the licences of what is linked, the man
// pages and the changes, compressed, and the completions, as the program prints them.
func files(folder string) error {
	modules, err := linkedModules(platforms...)
	if err != nil {
		return err
	}
	project := projectFolder()
	changes, err := os.ReadFile(filepath.Join(project, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	made := map[string][]byte{
		"THIRD_PARTY_LICENSES": []byte(thirdParty(modules)),
		"copyright":            []byte(copyright),
		"changelog.gz":         compressed(changes),
	}
	pages, err := filepath.Glob(filepath.Join(project, "man", "*.[15]"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		made["man/"+filepath.Base(page)+".gz"] = compressed(text)
	}
	if err := completions(made); err != nil {
		return err
	}
	for name, text := range made {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copyright is Debian's file (Debian Policy 12.5).
const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: mysql-secret-store-rds

Files: *
Copyright: the authors of mysql-secret-store-rds
License: Apache-2.0
 On Debian systems the text of the Apache License 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
Comment: The program holds code of others, whose licences are in
 /usr/share/doc/mysql-secret-store-rds/THIRD_PARTY_LICENSES.
`

// compressed is a text as gzip -9n has it: the same for the same text.
func compressed(text []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that there is
	_, _ = w.Write(text)                                  // a buffer takes it
	_ = w.Close()
	return b.Bytes()
}

// completions asks the program itself, in a home where nothing is.
func completions(made map[string][]byte) error {
	dir, err := os.MkdirTemp("", "packaging")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is of no use to anybody
	binary := filepath.Join(dir, program+".exe")
	build := exec.Command("go", "build", "-o", binary, "./cmd/"+program)
	build.Dir = projectFolder()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, bytes.TrimSpace(out))
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		cmd := exec.Command(binary, "completion", shell)
		cmd.Env = []string{"HOME=" + dir, "USERPROFILE=" + dir, "AppData=" + dir, "LocalAppData=" + dir}
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), program) {
			return fmt.Errorf("%s completion %s: %w", program, shell, err)
		}
		made["completions/"+shell] = out
	}
	return nil
}
