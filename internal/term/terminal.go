package term

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
)

// ErrNoAnswer is returned for a question that was answered with an empty line, or not in time.
var ErrNoAnswer = errors.New("no answer")

// Terminal is the user's terminal itself. stdin and stdout belong to MySQL Shell, or to a script.
type Terminal struct {
	in  *os.File
	out *os.File
}

// Open opens the terminal; an error means that there is none to ask on.
func Open() (*Terminal, error) {
	in, out, err := openConsole()
	if err != nil {
		return nil, err
	}
	return &Terminal{in, out}, nil
}

// Close closes the terminal.
func (t *Terminal) Close() {
	_ = t.in.Close()
	if t.out != t.in {
		_ = t.out.Close()
	}
}

// Files returns the terminal as a program's input and output.
func (t *Terminal) Files() (in, out *os.File) { return t.in, t.out }

// Ask prints a question and returns the line that is typed, trimmed, or [ErrNoAnswer]. It waits
// until ctx ends; the reading goes on in the background then, which no more than the process's end
// can stop. Any other error means that the terminal can't be used.
func (t *Terminal) Ask(ctx context.Context, question string) (string, error) {
	if _, err := io.WriteString(t.out, question); err != nil {
		return "", err
	}
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(t.in).ReadString('\n')
		read <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		_, _ = io.WriteString(t.out, "\n") // the error that follows begins on a line of its own
		return "", ErrNoAnswer
	case a := <-read:
		line := strings.TrimSpace(a.line)
		if line == "" && a.err != nil && a.err != io.EOF {
			return "", a.err
		}
		if line == "" {
			return "", ErrNoAnswer
		}
		return line, nil
	}
}
