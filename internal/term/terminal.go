package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// ErrNoAnswer is returned for a question that was answered with an empty line, or not in time.
var ErrNoAnswer = errors.New("no answer")

// errBackground is what [Open] says in a process that would be stopped if it asked.
var errBackground = errors.New("this process is in the background")

// Terminal is the user's terminal itself. stdin and stdout belong to MySQL Shell, or to a script.
type Terminal struct {
	in  *os.File
	out *os.File
}

// Open opens the terminal; an error means that there is none to ask on, or that the process is in
// the background, so that what is typed there isn't for it.
func Open() (*Terminal, error) {
	in, out, err := openConsole()
	if err != nil {
		return nil, err
	}
	return &Terminal{in, out}, nil
}

// New returns a terminal of two files, which Close closes.
func New(in, out *os.File) *Terminal { return &Terminal{in, out} }

// Close closes the terminal.
func (t *Terminal) Close() {
	defer heedStops()
	_ = t.in.Close()
	if t.out != t.in {
		_ = t.out.Close()
	}
}

// Files returns the terminal as a program's input and output.
func (t *Terminal) Files() (in, out *os.File) { return t.in, t.out }

// Say prints a line.
func (t *Terminal) Say(format string, args ...any) {
	_, _ = io.WriteString(t.out, Visible(fmt.Sprintf(format, args...))+"\n")
}

// Ask prints a question and returns the line that is typed, trimmed, or [ErrNoAnswer]. It waits
// until ctx ends. Any other error means that the terminal can't be used.
func (t *Terminal) Ask(ctx context.Context, question string) (string, error) {
	line, err := t.Line(ctx, question)
	if err == nil && line == "" {
		return "", ErrNoAnswer
	}
	return line, err
}

// Line is [Terminal.Ask] for which an empty line is an answer, too.
func (t *Terminal) Line(ctx context.Context, question string) (string, error) {
	if _, err := io.WriteString(t.out, Text(question)); err != nil {
		return "", err
	}
	var line string
	var err error
	read := make(chan struct{})
	go func() {
		defer close(read)
		line, err = bufio.NewReader(t.in).ReadString('\n')
	}()
	select {
	case <-ctx.Done():
		_, _ = io.WriteString(t.out, "\n")           // what follows begins on a line of its own
		if t.in.SetReadDeadline(time.Now()) == nil { // else the system can't end a reading
			<-read // which would take the answer to the next question
			_ = t.in.SetReadDeadline(time.Time{})
		}
		return "", ErrNoAnswer
	case <-read:
	}
	switch line = strings.TrimSpace(line); {
	case line == "" && errors.Is(err, io.EOF):
		return "", ErrNoAnswer
	case line == "":
		return "", err
	}
	return line, nil
}
