package term

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// shows reports whether a character may be shown. The others may move the cursor, end a paste,
// change the order of letters or break a line: control characters, those of Unicode's upper half of
// Latin-1 among them (U+009B is an escape sequence's beginning), marks of writing direction, line
// separators, and characters of no width.
func shows(r rune) bool { return unicode.IsPrint(r) }

// Visible returns s as it may be shown: every character that doesn't print, such as an escape in a
// DNS name or a tag, is replaced.
func Visible(s string) string { return replaceHidden(s, "") }

// Text is [Visible] for whole lines, in which tabs may separate columns.
func Text(s string) string { return replaceHidden(s, "\n\t") }

func replaceHidden(s, except string) string {
	if isPlain(s, except) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if shows(r) || strings.ContainsRune(except, r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// isPlain reports whether s is printable ASCII, as nearly everything is. It takes a tenth of the
// time that looking at each rune does.
func isPlain(s, except string) bool {
	for i := range len(s) {
		if (s[i] < ' ' || s[i] > '~') && strings.IndexByte(except, s[i]) < 0 {
			return false
		}
	}
	return true
}

// JSON returns a JSON text that may be shown and says the same: in its strings, characters that
// don't print are escaped.
func JSON(text string) string {
	if isPlain(text, "\n") {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case r == '\n' || shows(r): // a string has no line break that isn't escaped
			b.WriteRune(r)
		case utf16.RuneLen(r) == 2:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
