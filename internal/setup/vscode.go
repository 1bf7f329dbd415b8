package setup

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// extension begins the name of the folder in which MySQL Shell for VS Code is; its version follows,
// so that each upgrade moves the Shell that it brings.
const extension = "oracle.mysql-shell-for-vs-code-"

// VSCode reports whether a Shell is the one that MySQL Shell for VS Code brings.
func (sh Shell) VSCode() bool { return inExtension(sh.Dir) }

// inExtension reports whether a path is in the extension's folder.
func inExtension(path string) bool {
	return slices.ContainsFunc(strings.Split(filepath.ToSlash(path), "/"), func(element string) bool {
		return strings.HasPrefix(element, extension)
	})
}

// vscode returns the paths at which MySQL Shell for VS Code may have a mysqlsh: that of the newest
// version in each of VS Code's folders (.vscode, .vscode-server, .vscode-insiders, …), and the one
// that the extension's own link leads to.
func (s System) vscode(name string) (candidates []string) {
	if s.Home == "" {
		return nil
	}
	homes, _ := os.ReadDir(s.Home) // of a home that can't be read nothing is known
	for _, home := range homes {
		if strings.HasPrefix(home.Name(), ".vscode") {
			candidates = append(candidates, s.newest(filepath.Join(s.Home, home.Name(), "extensions"), name)...)
		}
	}
	link := filepath.Join(s.Home, ".mysqlsh-gui", "mysqlsh")
	if to, err := filepath.EvalSymlinks(link); err == nil && inExtension(to) {
		candidates = append(candidates, link)
	}
	return candidates
}

// newest returns the mysqlsh of the newest version of the extension in a folder; none if there is
// no such Shell.
func (s System) newest(extensions, name string) []string {
	entries, _ := os.ReadDir(extensions)
	path := func(version string) string { return filepath.Join(extensions, extension+version, "shell", "bin", name) }
	var versions []string
	for _, e := range entries {
		if version, ok := strings.CutPrefix(e.Name(), extension); ok && s.Program(path(version)) {
			versions = append(versions, version)
		}
	}
	if len(versions) == 0 {
		return nil
	}
	return []string{path(slices.MaxFunc(versions, func(a, b string) int {
		return cmp.Or(slices.Compare(numbers(a), numbers(b)), strings.Compare(a, b))
	}))}
}

// OptionsOf is where a Shell keeps its persisted options, by its folder or a path in it: MySQL Shell
// for VS Code has a file of its own; "" when there is no home.
func (s System) OptionsOf(path string) string {
	if inExtension(path) {
		return s.options("MYSQLSH_GUI_CUSTOM_CONFIG_DIR", "mysqlsh-gui")
	}
	return s.OptionsFile()
}

// group are the Shells that read one file of options.
type group struct {
	file   string
	shells []Shell
}

// groups returns the Shells by their files of options.
func (s System) groups(shells []Shell) (list []group) {
	for _, sh := range shells {
		file := s.OptionsOf(sh.Dir)
		i := slices.IndexFunc(list, func(g group) bool { return g.file == file })
		if i < 0 {
			i, list = len(list), append(list, group{file: file})
		}
		list[i].shells = append(list[i].shells, sh)
	}
	return list
}

// forVSCode reports whether the file of options is that of MySQL Shell for VS Code.
func (g group) forVSCode() bool { return len(g.shells) > 0 && g.shells[0].VSCode() }
