package term

import (
	"os"
	"strings"
	"unicode/utf8"
)

// Wrap returns text in lines of at most width columns, all but the first of which begin with indent.
// It breaks at single blanks only; a word that is wider than a line has one of its own. A width of 0
// is no limit.
func Wrap(text string, width int, indent string) string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	body := strings.TrimLeft(text, " ")
	first := len(text) - len(body) // which is part of the first line
	var b strings.Builder
	b.WriteString(text[:first])
	column, begun := first, false
	for word := range strings.SplitSeq(body, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case !begun:
		case column+1+n > width:
			b.WriteString("\n" + indent)
			column = utf8.RuneCountInString(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column, begun = column+n, true
	}
	return b.String()
}

// WrapWidth returns the columns at which to [Wrap] what is written to f: 0 if it is no terminal.
func WrapWidth(f *os.File) int {
	if !Is(f) {
		return 0
	}
	return Width(f)
}
