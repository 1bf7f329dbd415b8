package profiles

import (
	"errors"
	"strings"
)

// errOpen is a quote without its second one, or a backslash with nothing behind it.
var errOpen = errors.New("a quote or a backslash is left open")

// splitWords splits a text into words as a POSIX shell would, without any expansion. It is how the
// AWS CLI reads section names and, but for Windows, credential_process (Python's shlex.split).
func splitWords(s string) ([]string, error) {
	var (
		words         []string
		word          strings.Builder
		began, escape bool
		quote         rune
	)
	for _, r := range s {
		switch {
		case escape:
			if quote != 0 && r != quote && r != '\\' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escape = false
		case r == '\\' && quote != '\'':
			began, escape = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			began, quote = true, r
		case strings.ContainsRune(" \t\r\n", r):
			if began {
				words = append(words, word.String())
				word.Reset()
				began = false
			}
		default:
			word.WriteRune(r)
			began = true
		}
	}
	if quote != 0 || escape {
		return nil, errOpen
	}
	if began {
		words = append(words, word.String())
	}
	return words, nil
}

// SplitCommand splits a credential_process into its program and arguments as the AWS CLI does, which
// runs it without a shell: on Windows by the rules of its C runtime, where a backslash is a letter
// but before a double quote; elsewhere as a shell would.
func SplitCommand(command string, windows bool) ([]string, error) {
	if !windows {
		return splitWords(command)
	}
	var (
		words         []string
		word          strings.Builder
		began, quoted bool
		backslashes   int
	)
	for _, r := range command {
		if r == '\\' {
			backslashes++
			continue
		}
		if backslashes > 0 {
			began = true
		}
		if r == '"' {
			word.WriteString(strings.Repeat(`\`, backslashes/2))
			if began = true; backslashes%2 == 1 {
				word.WriteByte('"')
			} else {
				quoted = !quoted
			}
			backslashes = 0
			continue
		}
		word.WriteString(strings.Repeat(`\`, backslashes))
		backslashes = 0
		if (r == ' ' || r == '\t') && !quoted {
			if began {
				words = append(words, word.String())
				word.Reset()
				began = false
			}
			continue
		}
		word.WriteRune(r)
		began = true
	}
	if quoted {
		return nil, errOpen
	}
	word.WriteString(strings.Repeat(`\`, backslashes))
	if began || backslashes > 0 {
		words = append(words, word.String())
	}
	return words, nil
}
