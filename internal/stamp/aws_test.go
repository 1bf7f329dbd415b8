package stamp

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// unset removes a variable for the rest of the test.
func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "")
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

// newHome gives the test a home with AWS files in it, and an environment without AWS variables.
func newHome(t *testing.T) string {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			unset(t, name)
		}
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	writeAWS(t, home)
	return home
}

// writeAWS writes AWS files of one size and one time.
func writeAWS(t *testing.T, home string) {
	t.Helper()
	dir := filepath.Join(home, ".aws")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, name := range []string{"config", "credentials"} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, []byte("[default]\n"), 0o600), os.Chtimes(file, long, long)); err != nil {
			t.Fatal(err)
		}
	}
}

// The variables of the AWS SDK that choose credentials, written down a second time so that none
// gets lost.
var choosing = strings.Fields(`
	AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN
	AWS_PROFILE AWS_DEFAULT_PROFILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
	AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE AWS_LOGIN_CACHE_DIRECTORY
	AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
	AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
	AWS_EC2_METADATA_DISABLED AWS_EC2_METADATA_V1_DISABLED
	AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE
	AWS_REGION AWS_DEFAULT_REGION AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_ENDPOINT_URL
	AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL_SSO AWS_ENDPOINT_URL_SSO_OIDC AWS_ENDPOINT_URL_SIGNIN`)

func TestVariables(t *testing.T) {
	newHome(t)
	unchanged := Identity()
	seen := map[string]string{unchanged: "nothing"}
	for _, name := range choosing {
		t.Run(name, func(t *testing.T) {
			for _, value := range []string{"", "a", "b"} {
				t.Setenv(name, value)
				now := Identity()
				if other, known := seen[now]; known {
					t.Errorf("%s=%q is taken for %s", name, value, other)
				}
				seen[now] = name + "=" + value
				if Identity() != now {
					t.Errorf("%s=%q: not the same twice", name, value)
				}
			}
		})
		if Identity() != unchanged {
			t.Fatalf("not the same again without %s", name)
		}
	}
}

func TestVariablesThatChooseNothing(t *testing.T) {
	newHome(t)
	before := Identity()
	for _, name := range []string{"AWS_PAGER", "AWS_CLI_AUTO_PROMPT", "AWS_MAX_ATTEMPTS", "AWS_DEFAULT_OUTPUT", "LANG"} {
		t.Setenv(name, "changed")
		if Identity() != before {
			t.Errorf("%s makes another identity", name)
		}
	}
}

// One value must not pass for two: where values end is part of what is compared.
func TestVariablesAreKeptApart(t *testing.T) {
	newHome(t)
	const between = ":AWS_SECRET_ACCESS_KEY=true:"
	t.Setenv("AWS_ACCESS_KEY_ID", "a"+between+"b")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "c")
	before := Identity()
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b"+between+"c")
	if Identity() == before {
		t.Error("two different pairs of values are the same identity")
	}
}

func TestFiles(t *testing.T) {
	for _, name := range []string{"config", "credentials"} {
		for _, tc := range []struct {
			name   string
			change func(file string) error
		}{
			{"touched", func(file string) error {
				info, err := os.Stat(file)
				if err != nil {
					return err
				}
				later := info.ModTime().Add(time.Second)
				return os.Chtimes(file, later, later)
			}},
			{"grown", func(file string) error {
				info, err := os.Stat(file)
				if err != nil {
					return err
				}
				err = os.WriteFile(file, []byte("[default]\n\n"), 0o600)
				return errors.Join(err, os.Chtimes(file, info.ModTime(), info.ModTime()))
			}},
			{"removed", os.Remove},
		} {
			t.Run(name+" "+tc.name, func(t *testing.T) {
				home := newHome(t)
				before := Identity()
				file := filepath.Join(home, ".aws", name)
				if err := tc.change(file); err != nil {
					t.Fatal(err)
				}
				if Identity() == before {
					t.Errorf("not noticed")
				}
				writeAWS(t, home)
				if Identity() != before {
					t.Errorf("another identity when everything is as it was")
				}
			})
		}
	}
}

func TestFilesMoved(t *testing.T) {
	for variable, name := range map[string]string{"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"} {
		t.Run(variable, func(t *testing.T) {
			home, elsewhere := newHome(t), t.TempDir()
			writeAWS(t, elsewhere)
			t.Setenv(variable, filepath.Join(elsewhere, ".aws", name))
			before := Identity()
			if err := os.Remove(filepath.Join(home, ".aws", name)); err != nil {
				t.Fatal(err)
			}
			if Identity() != before {
				t.Error("the file in the home still counts")
			}
			if err := os.Remove(filepath.Join(elsewhere, ".aws", name)); err != nil {
				t.Fatal(err)
			}
			if Identity() == before {
				t.Error("the file that the variable names doesn't count")
			}
		})
	}
}

func TestHomes(t *testing.T) {
	newHome(t)
	before := Identity()
	elsewhere := t.TempDir()
	writeAWS(t, elsewhere)
	t.Setenv("HOME", elsewhere)
	t.Setenv("USERPROFILE", elsewhere)
	if Identity() == before {
		t.Error("another home with files that look alike is the same identity")
	}
	// The files are then those in the home that the system knows, of which nothing is read here.
	for _, f := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(f, filepath.Join(elsewhere, "nothing"))
	}
	unset(t, "HOME")
	unset(t, "USERPROFILE")
	if Identity() == "" {
		t.Error("no identity without a home")
	}
}

// It is kept in the cache file and may be logged.
func TestNoSecrets(t *testing.T) {
	home := newHome(t)
	for _, name := range choosing {
		t.Setenv(name, "TOPSECRET")
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "TOPSECRET"))
	got := Identity()
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

// A file that can't even be looked at counts as none.
func TestNoFile(t *testing.T) {
	home := newHome(t)
	file := filepath.Join(home, ".aws", "config")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(file, "below"))
	below := Identity()
	if _, err := os.Stat(filepath.Join(file, "below")); err == nil || errors.Is(err, fs.ErrPermission) {
		t.Fatalf("got %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if Identity() != below {
		t.Error("two ways not to be there")
	}
}
