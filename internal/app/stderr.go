package app

import (
	"os"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// catchStderr keeps what the AWS SDK and the credential_process it runs write to stderr out of
// the reply. The result gives the last line of it, for the error message. It replaces os.Stderr
// for the rest of the process; our own error goes to the file that main was given.
func catchStderr() (last func() string) {
	r, w, err := os.Pipe()
	if err != nil {
		if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
			os.Stderr = null
		}
		return func() string { return "" }
	}
	os.Stderr = w
	tail := make(chan string, 1)
	go func() {
		var kept []byte
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			kept = append(kept, buf[:n]...)
			kept = kept[max(0, len(kept)-4096):]
			if err != nil {
				tail <- lastLine(string(kept))
				return
			}
		}
	}()
	return func() string {
		_ = w.Close()
		select {
		case line := <-tail:
			return line
		case <-time.After(100 * time.Millisecond): // a child of the process still has it open
			return ""
		}
	}
}

// lastLine gives the last line that says something, at most 200 characters, without escapes.
func lastLine(s string) string {
	s = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`).ReplaceAllString(s, "") // colours and the like
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
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
