// Package term is the terminal: whether there is one and how wide it is, what may be shown on it, questions, a list to pick from,
// and how far something is.
package term

import (
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Is reports whether a file is a terminal.
func Is(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Width returns how many columns a terminal has; 80 where it doesn't say.
func Width(f *os.File) int {
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// Visible returns s as it may be shown: without the escapes that DNS, a tag or a user's name may hold.
func Visible(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// isPlain reports whether s is of ASCII's printable characters alone.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= utf8.RuneSelf-1 {
			return false
		}
	}
	return true
}

// sequences are those that colour a text and the like (ECMA-48, control sequences).
const sequences = `\x1b\[[0-9;?]*[A-Za-z]`

// LastLine returns the last line of a program's output that says something, at most 200 characters of it, without escapes.
func LastLine(output string) string {
	output = regexp.MustCompile(sequences).ReplaceAllString(output, "")
	lines := strings.FieldsFunc(output, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return -1
		}, lines[i]))
		if line != "" {
			return string([]rune(line)[:min(200, len([]rune(line)))])
		}
	}
	return ""
}

// Colour is a colour of text.
type Colour string

// The colours of text that there are, by their numbers (ECMA-48, SELECT GRAPHIC RENDITION).
const (
	Red     Colour = "31"
	Green   Colour = "32"
	Yellow  Colour = "33"
	Reverse Colour = "7" // the text's and the background's exchanged
)

// Colours reports whether colours are wanted on f: on a terminal, unless the user has set NO_COLOR (https://no-color.org).
func Colours(f *os.File) bool { return Is(f) && os.Getenv("NO_COLOR") == "" }

// Paint returns text in a colour, if that is wanted.
func Paint(text string, c Colour, wanted bool) string {
	if !wanted {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
