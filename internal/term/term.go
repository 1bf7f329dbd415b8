// Package term is the terminal: whether a file is one and how wide it is, what may be shown on it,
// the questions that are asked there, a list to pick from, and progress.
package term

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/term"
)

// Is reports whether a file is a terminal.
func Is(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Width returns how many columns a terminal has, or 80 when it doesn't say.
func Width(f *os.File) int {
	width, _ := size(f)
	return width
}

// size returns how many columns and lines a terminal has, or 80 and 24 when it doesn't say.
func size(f *os.File) (width, height int) {
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 1 || height < 1 {
		return 80, 24
	}
	return width, height
}

// colouring are the escape sequences that colour text and the like (ECMA-48, CSI).
const colouring = `\x1b\[[0-9;?]*[A-Za-z]`

// maxLine is how many characters of a line that isn't the program's own are shown.
const maxLine = 1000

// FirstLine returns the first line of what a server says, at most 1000 characters of it.
func FirstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	s = strings.TrimSpace(s)
	if begin := cut(s, maxLine); begin != s {
		return begin + ellipsis
	}
	return s
}

// LastLine returns the last line of a program's output that says something, at most 200 characters
// of it, without what doesn't print.
func LastLine(output string) string {
	output = regexp.MustCompile(colouring).ReplaceAllString(output, "")
	lines := strings.FieldsFunc(output, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range slices.Backward(lines) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if shows(r) {
				return r
			}
			return -1
		}, line))
		if line != "" {
			return cut(line, 200)
		}
	}
	return ""
}

// Colour is how text is shown, as the parameter of ECMA-48's SELECT GRAPHIC RENDITION.
type Colour string

// The colours that this program uses.
const (
	Red     Colour = "31"
	Green   Colour = "32"
	Yellow  Colour = "33"
	reverse Colour = "7" // text and background exchanged
)

// Colours reports whether to colour what is written to f: on a terminal, unless NO_COLOR is set
// (https://no-color.org).
func Colours(f *os.File) bool { return Is(f) && os.Getenv("NO_COLOR") == "" }

// Paint returns text in a colour, or as it is when none is wanted.
func Paint(text string, c Colour, wanted bool) string {
	if !wanted {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
