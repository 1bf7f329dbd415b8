package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/delegate"
)

// System is the machine as setup sees it. Tests make their own.
type System struct {
	GOOS     string
	Root     string   // what "/" is: "" but in tests
	Named    []string // the mysqlsh programs that a person named, instead of all that there are
	Home     string
	Binary   string // this program, symbolic links followed, by the path that a link to it may name
	Getenv   func(string) string
	Writable func(dir string) bool
	// Version is what a program says when it is called with "--version", or, if it is a helper,
	// with "version"; "" when it can't be run.
	Version func(ctx context.Context, path string) string
}

// Here is the machine that this is.
func Here(binary string) System {
	home, _ := os.UserHomeDir() // "" finds nothing there
	return System{GOOS: runtime.GOOS, Home: home, Binary: stable(binary), Getenv: os.Getenv, Writable: writable,
		Version: version}
}

func (s System) exe() string {
	if s.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// record is where setup notes what it did; "" when there is no home. It doesn't depend on what
// names the configuration, as --undo may be typed where XDG_CONFIG_HOME, say, is another.
func (s System) record() string {
	dir := under(s.Home, ".config")
	switch s.GOOS {
	case "darwin":
		dir = under(s.Home, "Library", "Application Support")
	case "windows":
		dir = s.Getenv("AppData")
	}
	return under(dir, about.Name, stateFile)
}

// stateFile is the name of the file in which setup notes what it did.
const stateFile = "setup.json"

// under returns a path in a folder; "" when there is no such folder.
func under(dir string, inside ...string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(append([]string{dir}, inside...)...)
}

// Shell is a MySQL Shell: its binary, symbolic links followed, and the folder in which
// it looks for helpers.
type Shell struct{ Path, Dir string }

// ShellAt returns the MySQL Shell that a path leads to.
func ShellAt(path string) Shell {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return Shell{path, filepath.Dir(path)}
}

// Shells finds every mysqlsh: on PATH, and where packages, Homebrew, archives and MySQL Shell for
// VS Code put it. Each folder stands once.
func (s System) Shells() []Shell {
	name := "mysqlsh" + s.exe()
	candidates := s.Named
	if len(candidates) == 0 {
		candidates = s.everywhere(name)
	}
	var shells []Shell
	for _, path := range candidates {
		found := ShellAt(path)
		// Beside a launcher with many names (snap, mise) no Shell looks for helpers.
		launcher := len(s.Named) == 0 && !strings.HasPrefix(filepath.Base(found.Path), "mysqlsh")
		known := slices.ContainsFunc(shells, func(sh Shell) bool { return sh.Dir == found.Dir })
		if !launcher && !known && s.Program(found.Path) {
			shells = append(shells, found)
		}
	}
	return shells
}

// everywhere returns the paths at which a mysqlsh may be, those on PATH first.
func (s System) everywhere(name string) (candidates []string) {
	for _, dir := range filepath.SplitList(s.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			candidates = append(candidates, filepath.Join(dir, name))
		}
	}
	var patterns []string
	for _, brew := range []string{"/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"} {
		patterns = append(patterns, brew+"/Cellar/mysql-shell*/*/bin", brew+"/opt/mysql-shell*/bin")
	}
	patterns = append(patterns, "/usr/local/mysql-shell*/bin", "/opt/mysql-shell*/bin", "/usr/bin", "/usr/local/bin")
	if s.GOOS == "windows" {
		patterns = nil
		for _, env := range []string{"ProgramFiles", "ProgramFiles(x86)", "ProgramW6432"} {
			if dir := s.Getenv(env); dir != "" {
				patterns = append(patterns, filepath.Join(dir, "MySQL", "MySQL Shell*", "bin"))
			}
		}
	}
	for _, pattern := range patterns {
		pattern = filepath.Join(s.Root+filepath.FromSlash(pattern), name)
		found, _ := filepath.Glob(pattern) // only a bad pattern is an error
		candidates = append(candidates, found...)
	}
	return append(candidates, s.vscode(name)...)
}

// OptionsFile is where MySQL Shell keeps its persisted options (MySQL Shell guide, "Configuring
// MySQL Shell Options"), also when it isn't there yet; "" when there is no home.
func (s System) OptionsFile() string { return s.options("MYSQLSH_USER_CONFIG_HOME", "mysqlsh") }

// options is the file of options in the folder that a variable names, else in the Shell's own.
func (s System) options(variable, folder string) string {
	const file = "options.json"
	if dir := s.Getenv(variable); dir != "" {
		if abs, err := filepath.Abs(dir); err == nil { // as --undo may be typed elsewhere
			dir = abs
		}
		return filepath.Join(dir, file)
	}
	if s.GOOS == "windows" {
		return under(s.Getenv("AppData"), "MySQL", folder, file)
	}
	return under(s.Home, "."+folder, file)
}

// OptionIn returns the helper that a file of a Shell's options names; "" when it names none.
func OptionIn(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	_, value, _, err := readOptions(file)
	var name string
	if err == nil && value != nil && json.Unmarshal(value, &name) != nil {
		err = fmt.Errorf("MySQL Shell's options, %s: %s is %s, and not a string", file, option, value)
	}
	return name, err
}

// delegateName is the name of the helper that a configuration's delegate means.
func (s System) delegateName(setting string) string { return delegate.Name(setting, s.GOOS) }

// unsetByHand is what a person has to type to be rid of an environment variable.
func (s System) unsetByHand(name string) string {
	if s.GOOS == "windows" {
		return "in PowerShell: Remove-Item Env:" + name
	}
	return "unset " + name
}

type completion struct{ shell, file, note string }

// completions returns the shells that seem to be used, and where their completions belong.
func (s System) completions() (list []completion) {
	if s.GOOS == "windows" || s.Home == "" {
		return nil
	}
	base := func(env string, otherwise ...string) string {
		if dir := s.Getenv(env); filepath.IsAbs(dir) { // no other counts (XDG Base Directory Specification)
			return dir
		}
		return under(s.Home, otherwise...)
	}
	data, config := base("XDG_DATA_HOME", ".local", "share"), base("XDG_CONFIG_HOME", ".config")
	zsh, rc, note := filepath.Join(data, "zsh", "site-functions"), filepath.Join(base("ZDOTDIR"), ".zshrc"), ""
	if !s.names(rc, zsh) {
		if rc == filepath.Join(s.Home, ".zshrc") {
			rc = "~/.zshrc"
		}
		note = "write into " + rc + ", before compinit: fpath+=(" + advice.Word(zsh) + ")"
	}
	isThere := func(f string) bool {
		_, err := os.Stat(filepath.Join(s.Home, f))
		return err == nil
	}
	add := func(c completion, files ...string) {
		if filepath.Base(s.Getenv("SHELL")) == c.shell || slices.ContainsFunc(files, isThere) {
			list = append(list, c)
		}
	}
	add(completion{"bash", filepath.Join(data, "bash-completion", "completions", about.Name), ""},
		".bashrc", ".bash_profile")
	add(completion{"zsh", filepath.Join(zsh, "_"+about.Name), note}, ".zshrc")
	add(completion{"fish", filepath.Join(config, "fish", "completions", about.Name+".fish"), ""}, ".config/fish")
	return list
}

// names reports whether a shell's file speaks of a folder, be it by way of ~ or $HOME.
func (s System) names(rc, dir string) bool {
	if inside, ok := strings.CutPrefix(dir, s.Home+"/"); ok {
		dir = "/" + inside
	}
	return anyLine(rc, func(line string) bool { return strings.Contains(line, dir) })
}

// anyLine reports whether a shell's file has a line that is no comment and the one that is sought.
func anyLine(rc string, sought func(line string) bool) bool {
	text, _ := readFile(rc) // none says nothing
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") && sought(line) {
			return true
		}
	}
	return false
}
