package app

import (
	"os"
	"time"

	"mysql-secret-store-rds/internal/term"
)

// catchStderr keeps what the AWS SDK and the credential_process it runs write to stderr out of
// the reply. The result returns the last line of it, for the error message. It replaces os.Stderr
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
				tail <- term.LastLine(string(kept))
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
