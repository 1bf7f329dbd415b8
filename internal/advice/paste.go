package advice

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@/+=,:"

// Word returns text as one word of a POSIX shell, quoted only where it has to be; PowerShell reads
// all but an apostrophe the same way. What doesn't print, and could end a paste or hide what it is,
// becomes a command that prints it; a line break stays.
func Word(text string) string {
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	var b strings.Builder
	for {
		i := strings.IndexFunc(text, hidden)
		if i < 0 {
			i = len(text)
		}
		if i > 0 || b.Len() == 0 {
			b.WriteString("'" + strings.ReplaceAll(text[:i], "'", `'\''`) + "'")
		}
		if i == len(text) {
			return b.String()
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		b.WriteString(`"$(printf '`)
		for _, c := range []byte(text[i : i+size]) {
			fmt.Fprintf(&b, `\%03o`, c)
		}
		b.WriteString(`')"`)
		text = text[i+size:]
	}
}

// hidden reports whether a character doesn't print. One that stands for bytes which are no text
// doesn't either.
func hidden(r rune) bool { return r != '\n' && !unicode.IsPrint(r) || r == utf8.RuneError }

// Words returns a command of several words.
func Words(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Word(w)
	}
	return strings.Join(quoted, " ")
}
