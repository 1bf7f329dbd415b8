package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"mysql-secret-store-rds/internal/credentials"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// terminalWidth is how many columns a terminal has.
func terminalWidth(f *os.File) int {
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// terminal is the user's terminal itself. stdin and stdout belong to MySQL Shell, or to a script.
type terminal struct {
	in  *os.File
	out *os.File
}

// openTerminal gives the terminal, or [credentials.ErrNoTerminal].
func openTerminal() (*terminal, error) {
	in, out, err := openConsole()
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", credentials.ErrNoTerminal, err)
	}
	return &terminal{in, out}, nil
}

func (t *terminal) close() {
	_ = t.in.Close()
	if t.out != t.in {
		_ = t.out.Close()
	}
}

// ask prints a question and reads a line, until ctx ends. The reading goes on in the background then,
// which no more than the process's end can stop.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	if _, err := io.WriteString(t.out, question); err != nil {
		return "", fmt.Errorf("%w (%v)", credentials.ErrNoTerminal, err)
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
		return "", credentials.ErrNoCode
	case a := <-read:
		line := strings.TrimSpace(a.line)
		if line == "" && a.err != nil && a.err != io.EOF {
			return "", fmt.Errorf("%w (%v)", credentials.ErrNoTerminal, a.err)
		}
		if line == "" {
			return "", credentials.ErrNoCode
		}
		return line, nil
	}
}

// askCode asks for MFA codes on the user's terminal, never on stdin or stdout. What is typed is shown: it works once.
func askCode(ctx context.Context, profile, serial string) (string, error) {
	t, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer t.close()
	of := ""
	if profile != "" {
		of = fmt.Sprintf(" (AWS profile %s)", profile)
	}
	return t.ask(ctx, visible(fmt.Sprintf("%s: MFA code of %s%s: ", Name, serial, of)))
}
