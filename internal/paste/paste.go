// Package paste makes words that a person can paste into a shell, or into the configuration.
package paste

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@/+=,:"

// Word gives text as one word of a POSIX shell, quoted only where it has to be; PowerShell reads all but an
// apostrophe the same way.
func Word(text string) string {
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// SetIn says in which entry of a configuration a setting belongs.
func SetIn(entry, setting string) string { return fmt.Sprintf("set in %s: \"%s\"", entry, setting) }

// Words gives a command of several words.
func Words(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Word(w)
	}
	return strings.Join(quoted, " ")
}

// Setting says where a member of a section belongs in a configuration, a YAML file: it is a line of its own, unless the
// file has the section already, which may stand there only once. A file that can't be read counts as one without.
func Setting(file, section, member string) string {
	text, _ := os.ReadFile(file)
	// Compiled here, as initialisation would cost every call of the helper.
	if regexp.MustCompile(`(?m)^["']?` + section + `["']?\s*:`).Match(text) {
		return fmt.Sprintf("add to %s, under \"%s:\": \"%s\"", file, section, member)
	}
	return fmt.Sprintf("write into %s: \"%s: {%s}\"", file, section, member)
}
