package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

var (
	// ErrNone: the process has no terminal, or it can't be used.
	ErrNone = errors.New("no terminal")
	// ErrNoAnswer: a question was answered with nothing, or not in time.
	ErrNoAnswer = errors.New("no answer")
	// ErrNothingPicked: the list was left without picking anything.
	ErrNothingPicked = errors.New("nothing was picked")
)

// Terminal is the user's terminal itself. stdin and stdout belong to MySQL Shell, or to a script.
type Terminal struct {
	in  *os.File
	out *os.File
}

// Open opens the user's terminal. The error is an [ErrNone].
func Open() (*Terminal, error) {
	in, out, err := openConsole()
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNone, err)
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

// Ask prints a question and reads a line, without the space around it, until ctx ends; then, or when the line is empty, the error
// is [ErrNoAnswer]. After ctx has ended the reading goes on in the background, which no more than the process's end can stop.
func (t *Terminal) Ask(ctx context.Context, question string) (string, error) {
	if _, err := io.WriteString(t.out, question); err != nil {
		return "", fmt.Errorf("%w (%v)", ErrNone, err)
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
			return "", fmt.Errorf("%w (%v)", ErrNone, a.err)
		}
		if line == "" {
			return "", ErrNoAnswer
		}
		return line, nil
	}
}
