// Package paste makes words that a person can paste into a shell.
package paste

import "strings"

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@/+=,:"

// Word gives text as one word of a POSIX shell, quoted only where it has to be; PowerShell reads all but an
// apostrophe the same way.
func Word(text string) string {
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
