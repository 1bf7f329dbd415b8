package app_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// besideCase is a configuration to be asked about: a file of testdata/beside, in the form
//
//	# The rule that it shows.
//	-- config --                          ~/.aws/config
//	-- credentials --                     ~/.aws/credentials
//	-- sso/NAME --                        the token file of an SSO session, or of a start URL
//	-- login/NAME --                      the token file of a login_session
//	-- ANY/OTHER --                       a file below the home; those in bin can be run
//	-- config (escaped) --                a file's bytes as a Go string, its lines joined
//	-- profile --                         asked for as --profile
//	-- env --                             NAME=value, a line each
//	-- needs --                           the first version of the CLI that knows this
//	-- differs --                         why we answer differently, on purpose
//
// with the placeholders of [placeholders].
type besideCase struct {
	name, rule string
	profile    string
	env        []string
	needs      string
	differs    string
	files      []besideFile
}

// besideFile is a file below the home.
type besideFile struct{ path, text string }

// readBesideCases reads the corpus.
func readBesideCases(t *testing.T) []besideCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "beside", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []besideCase
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseBesideCase(strings.TrimSuffix(filepath.Base(file), ".txtar"), text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		cases = append(cases, c)
	}
	return cases
}

func parseBesideCase(name string, text []byte) (besideCase, error) {
	archive := txtar.Parse(text)
	c := besideCase{name: name, rule: strings.TrimSpace(string(archive.Comment))}
	if !strings.HasPrefix(c.rule, "# ") {
		return c, errors.New("it has to begin with the rule that it shows, as a comment")
	}
	for _, f := range archive.Files {
		body := string(f.Data)
		line := strings.TrimSuffix(body, "\n")
		switch f.Name {
		case "profile":
			c.profile = line
		case "env":
			c.env = strings.Split(line, "\n")
		case "needs":
			c.needs = line
		case "differs":
			c.differs = line
		default:
			file, err := besideFileOf(f.Name, body)
			if err != nil {
				return c, err
			}
			c.files = append(c.files, file)
		}
	}
	return c, nil
}

func besideFileOf(name, text string) (besideFile, error) {
	if plain, escaped := strings.CutSuffix(name, " (escaped)"); escaped {
		name = plain
		bytes, err := strconv.Unquote(`"` + strings.ReplaceAll(text, "\n", "") + `"`)
		if err != nil {
			return besideFile{}, err
		}
		text = bytes
	}
	kind, of, _ := strings.Cut(name, "/")
	switch kind {
	case "config", "credentials":
		name = ".aws/" + name
	case "sso":
		sum := sha1.Sum([]byte(of))
		name = ".aws/sso/cache/" + hex.EncodeToString(sum[:]) + ".json"
	case "login":
		sum := sha256.Sum256([]byte(of))
		name = ".aws/login/cache/" + hex.EncodeToString(sum[:]) + ".json"
	}
	return besideFile{name, text}, nil
}

func (f besideFile) write(t *testing.T, fill placeholders) {
	t.Helper()
	path := filepath.Join(fill.home, filepath.FromSlash(f.path))
	mode := os.FileMode(0o600)
	if strings.HasPrefix(f.path, "bin/") {
		mode = 0o700
	}
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(fill.in(f.text)), mode))
	if err != nil {
		t.Fatal(err)
	}
}

// exportArgs are the CLI's arguments that ask for the credentials.
func (c besideCase) exportArgs() []string {
	args := []string{"configure", "export-credentials"}
	if c.profile != "" {
		args = append(args, "--profile", c.profile)
	}
	return args
}
