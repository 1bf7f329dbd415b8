package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
)

// onPath is the step that lets a person call this program by its name: none when PATH has it, also
// beside a Shell, in whose folder it is when Apply is done.
func (in Input) onPath(placed map[string]bool) []Step {
	sys := in.System
	if sys.isOnPath(placed) {
		return nil
	}
	dir := filepath.Dir(sys.Binary)
	s := Step{What: fmt.Sprintf("%s is not on PATH: %s is to be", about.Name, dir)}
	if named := sys.helperIn(dir); !sys.Program(named) && sys.GOOS != "windows" {
		const text = "%s is not on PATH, and is called %s: give it its name, and run setup again"
		s.What = fmt.Sprintf(text, about.Name, filepath.Base(sys.Binary))
		s.Needs = "ln -sfn " + advice.Words(sys.Binary, named)
		return []Step{s}
	}
	rc, line := sys.pathLine(dir)
	switch {
	case rc == "":
		s.Needs = line
	case sys.addsToPath(sys.inHome(rc), dir):
		s.What, s.Done = fmt.Sprintf("%s is on PATH from the next terminal on (%s)", about.Name, rc), true
	default:
		s.Needs = "echo " + advice.Word(line) + " >> " + rc
	}
	return []Step{s}
}

// isOnPath reports whether a folder of PATH has this program, or a Shell's that is placed.
func (s System) isOnPath(placed map[string]bool) bool {
	return slices.ContainsFunc(filepath.SplitList(s.Getenv("PATH")), func(dir string) bool {
		real, err := filepath.EvalSymlinks(dir)
		return err == nil && filepath.IsAbs(dir) && (placed[real] || s.Program(s.helperIn(dir)))
	})
}

// call is what a person types to call this program.
func (s System) call() string {
	if s.isOnPath(nil) {
		return about.Name
	}
	return advice.Word(s.Binary)
}

// pathLine returns what puts a folder on PATH in the user's shell, and the file that it belongs
// into; "" when it is to be typed once.
func (s System) pathLine(dir string) (rc, line string) {
	if s.GOOS == "windows" {
		const set = "in PowerShell: [Environment]::SetEnvironmentVariable('Path', " +
			"[Environment]::GetEnvironmentVariable('Path', 'User') + ';%s', 'User')"
		return "", fmt.Sprintf(set, strings.ReplaceAll(dir, "'", "''"))
	}
	rc = "~/.profile"
	switch filepath.Base(s.Getenv("SHELL")) {
	case "fish":
		return "", "fish_add_path " + advice.Word(dir)
	case "zsh":
		rc = "~/.zshrc"
		if zdotdir := s.Getenv("ZDOTDIR"); filepath.IsAbs(zdotdir) && zdotdir != s.Home {
			rc = advice.Word(filepath.Join(zdotdir, ".zshrc"))
		}
	case "bash":
		rc = "~/.bashrc"
		if s.GOOS == "darwin" { // whose terminals are login shells
			rc = "~/.bash_profile"
		}
	}
	inside, ok := strings.CutPrefix(dir, s.Home+string(os.PathSeparator))
	if ok && s.Home != "" && advice.Word(inside) == inside {
		return rc, `export PATH="$HOME/` + inside + `:$PATH"`
	}
	return rc, "export PATH=" + advice.Word(dir) + `:"$PATH"`
}

// addsToPath reports whether a shell's file puts a folder on PATH, be it by way of ~ or $HOME.
func (s System) addsToPath(rc, dir string) bool {
	words := []string{dir}
	if inside, ok := strings.CutPrefix(dir, s.Home+"/"); ok {
		words = append(words, "~/"+inside, "$HOME/"+inside, "${HOME}/"+inside)
	}
	return anyLine(rc, func(line string) bool {
		dirs := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(":=\"' \t;()", r) })
		return strings.Contains(line, "PATH") &&
			slices.ContainsFunc(dirs, func(dir string) bool { return slices.Contains(words, dir) })
	})
}

// inHome returns the path that ~ in front of it means.
func (s System) inHome(path string) string {
	if inside, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(s.Home, inside)
	}
	return path
}
