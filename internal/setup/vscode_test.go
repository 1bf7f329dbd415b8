package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/config"
)

// codeShell is the folder of the Shell that a version of MySQL Shell for VS Code brings.
func codeShell(home, version string) string {
	return "home/" + home + "/extensions/" + extension + version + "/shell/bin/"
}

const codeOptions = "home/.mysqlsh-gui/options.json"

// TestVSCodeShells: the newest version in each of VS Code's folders, and the one that the
// extension's link leads to.
func TestVSCodeShells(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, dir := range []string{
		codeShell(".vscode", "1.9.2-linux-x64"), codeShell(".vscode", "1.19.15-linux-x64"), codeShell(".vscode", "1.19.3-linux-x64"),
		codeShell(".vscode-server", "1.8.0"), codeShell(".vscode-insiders", "2.0.0"), codeShell("elsewhere", "1.0.0"),
		"home/.vscode/extensions/oracle.other-9.0.0/shell/bin/",
	} {
		b.put(dir+"mysqlsh", "", 0o755)
	}
	b.put("home/.vscode/extensions/"+extension+"3.0.0/package.json", "{}", 0o644) // half installed
	shells := func() (dirs []string) {
		for _, sh := range b.System.Shells() {
			dirs = append(dirs, strings.TrimPrefix(sh.Dir, b.System.Root+"/")+"/")
			if !sh.VSCode() || b.System.OptionsOf(sh.Dir) != b.path(codeOptions) {
				t.Errorf("%+v has %s", sh, b.System.OptionsOf(sh.Dir))
			}
		}
		return dirs
	}
	want := []string{codeShell(".vscode", "1.19.15-linux-x64"), codeShell(".vscode-insiders", "2.0.0"), codeShell(".vscode-server", "1.8.0")}
	if diff := cmp.Diff(want, shells()); diff != "" {
		t.Error(diff)
	}
	b.link("home/.mysqlsh-gui/mysqlsh", b.path(codeShell("elsewhere", "1.0.0")+"mysqlsh"))
	if diff := cmp.Diff(append(want, codeShell("elsewhere", "1.0.0")), shells()); diff != "" {
		t.Error(diff)
	}
}

func TestVSCodeOptions(t *testing.T) {
	t.Parallel()
	sh := Shell{Dir: "/h/.vscode/extensions/" + extension + "1/shell/bin"}
	for _, tc := range []struct {
		goos, home string
		env        map[string]string
		want       string
	}{
		{"linux", "/h", map[string]string{"MYSQLSH_USER_CONFIG_HOME": "/m"}, "/h/.mysqlsh-gui/options.json"},
		{"darwin", "/h", nil, "/h/.mysqlsh-gui/options.json"},
		{"windows", "/h", map[string]string{"AppData": "/a"}, "/a/MySQL/mysqlsh-gui/options.json"},
		{"linux", "/h", map[string]string{"MYSQLSH_GUI_CUSTOM_CONFIG_DIR": "/c"}, "/c/options.json"},
		{"linux", "", nil, ""},
	} {
		got := System{GOOS: tc.goos, Home: tc.home, Getenv: func(name string) string { return tc.env[name] }}.OptionsOf(sh.Dir)
		if got != filepath.FromSlash(tc.want) {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

// TestVSCode: its Shell gets the helper and an option of its own, also after an upgrade that moved
// it, and undo gives all of it back.
func TestVSCode(t *testing.T) {
	t.Parallel()
	b := newShellBench(t)
	dir := codeShell(".vscode", "1.19.15")
	b.put(dir+"mysqlsh", "", 0o755)
	b.put(codeOptions, `{"credentialStore.helper":"secret-service"}`, 0o600)
	b.put(options, `{"credentialStore.helper":"login-path"}`, 0o600)
	b.roots[b.path("usr/bin")] = true
	before := b.tree()
	words := b.done(Make(b.Input))
	b.has(words, "done: link ROOT/home/bin/"+about.Name+" to ROOT/"+dir+about.Name)
	b.has(words, "done: set credentialStore.helper to rds in ROOT/"+codeOptions+", for MySQL Shell for VS Code")
	b.has(words, "needs: write into ROOT/home/config/config.yaml: delegate: secret-service, if the passwords kept there are wanted rather")
	b.want(options, `{"credentialStore.helper":"login-path"}`) // it is another Shell's, which has no helper
	b.want("home/config/config.yaml", string(config.Starter("login-path")))

	upgraded := codeShell(".vscode", "1.20.0")
	b.put(upgraded+"mysqlsh", "", 0o755)
	if err := os.RemoveAll(filepath.Dir(filepath.Dir(b.path(dir)))); err != nil {
		t.Fatal(err)
	}
	b.has(b.done(Make(b.Input)), "done: link ROOT/home/bin/"+about.Name+" to ROOT/"+upgraded+about.Name)
	b.want(codeOptions, `{"credentialStore.helper":"rds"}`)

	b.has(b.done(Undo(b.Input)), "done: set credentialStore.helper back to \"secret-service\" in ROOT/"+codeOptions)
	b.want(upgraded+about.Name, "-")
	for path, text := range before {
		if strings.HasSuffix(path, "options.json") && b.tree()[path] != text {
			t.Errorf("%s is %s", path, b.tree()[path])
		}
	}

	// It is the only one: the other Shells' option would name a helper that none of them has.
	b = newBench(t)
	b.put(dir+"mysqlsh", "", 0o755)
	b.put(codeOptions, `{"credentialStore.helper":"keychain"}`, 0o600)
	b.done(Make(b.Input))
	b.want(codeOptions, `{"credentialStore.helper":"rds"}`)
	b.want(options, "-")
	b.want("home/config/config.yaml", string(config.Starter("keychain")))
}

// TestVSCodeOnWindows: a copy beside the extension's Shell.
func TestVSCodeOnWindows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.System.GOOS, b.env["PATH"], b.env["AppData"] = "windows", "", b.path("home/Roaming")
	dir := codeShell(".vscode", "1.19.15-win32-x64")
	b.put(dir+"mysqlsh.exe", "", 0o644)
	b.done(Make(b.Input))
	b.want(dir+about.Name+".exe", about.Name+" 1")
	b.want("home/Roaming/MySQL/mysqlsh-gui/options.json", "{\"credentialStore.helper\": \"rds\"}\n")
}

// TestVSCodeHelper: the helper that most Shells had is the one for other passwords, and a person
// learns where MySQL Shell for VS Code had its own.
func TestVSCodeHelper(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ most, vscode, delegate, needs string }{
		{"{}", "{}", "default", ""},
		{"{}", `{"credentialStore.helper":"login-path"}`, "default", ""},
		{"{}", `{"credentialStore.helper":"<disabled>"}`, "default", ""},
		{"{}", `{"credentialStore.helper":"keychain"}`, "default", "keychain"},
		{`{"credentialStore.helper":"keychain"}`, "{}", "keychain", "default"},
		{`{"credentialStore.helper":"keychain"}`, `{"credentialStore.helper":"keychain"}`, "keychain", ""},
		{`{"credentialStore.helper":"<disabled>"}`, `{"credentialStore.helper":"keychain"}`, "none", "keychain"},
	} {
		b := newShellBench(t)
		b.put(codeShell(".vscode", "1.0.0")+"mysqlsh", "", 0o755)
		b.put(options, tc.most, 0o600)
		b.put(codeOptions, tc.vscode, 0o600)
		words := strings.Join(b.done(Make(b.Input)), "\n")
		b.want("home/config/config.yaml", string(config.Starter(tc.delegate)))
		const said = "needs: write into ROOT/home/config/config.yaml: delegate: "
		if tc.needs == "" && strings.Contains(words, said) || !strings.Contains(words+",", said+tc.needs) && tc.needs != "" {
			t.Errorf("%+v:\n%s", tc, words)
		}
	}
}
