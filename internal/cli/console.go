// Package cli has a person's commands, and what they print.
//
// A success prints what was asked for on stdout. A failure prints lines that begin with "error:" on
// stderr, and below them "hint:" lines, each of them something to type or to write. What is worth
// knowing and no failure begins with "warning:".
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/credentials"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

// Streams are what a command talks to.
type Streams struct {
	Args                  []string // all of the process
	Stdin, Stdout, Stderr *os.File
	Log                   *slog.Logger
	// CatchStderr keeps what programs write to the process's stderr out of it from now on; its
	// result returns their last line.
	CatchStderr func() (last func() string)
}

// Run runs the command that the arguments name, and returns the exit code.
func Run(s Streams) int {
	c := newConsole(s)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c.ask.Interrupted = ctx
	context.AfterFunc(ctx, stop) // what doesn't end at the first Ctrl-C ends at the second
	root := c.root()
	root.SetArgs(c.args[1:])
	err := mistyped(root, c.args[1:])
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		err = c.stdout.err
	}
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case !errors.Is(err, errSaid):
		printError(c.stderr, advice.Of(err))
	}
	return 1
}

type console struct {
	args          []string
	stdin, stderr *os.File
	stdout        *output
	log           *slog.Logger
	catchStderr   func() func() string
	ask           *credentials.Dialogue // what AWS wants of the person at the terminal
}

func newConsole(s Streams) *console {
	return &console{
		args: s.Args, stdin: s.Stdin, stdout: &output{File: s.Stdout}, stderr: s.Stderr,
		log: s.Log, catchStderr: s.CatchStderr, ask: &credentials.Dialogue{},
	}
}

// output is stdout. Whatever a command prints goes through [term.Text], so that no text that comes
// from elsewhere can command the terminal. What goes wrong with it is remembered, so that a command
// whose words are lost fails.
type output struct {
	*os.File
	err error // the first one
}

func (o *output) Write(p []byte) (int, error) {
	if _, err := o.asIs().Write([]byte(term.Text(string(p)))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString is not the file's own.
func (o *output) WriteString(s string) (int, error) { return o.Write([]byte(s)) }

// asIs is stdout for what may have a command to the terminal, such as a colour.
func (o *output) asIs() io.Writer { return plainOutput{o} }

type plainOutput struct{ *output }

func (o plainOutput) Write(p []byte) (int, error) {
	n, err := o.File.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// errSaid is a failure of which everything has been said.
var errSaid = errors.New("failed")

// exitError is a client that ended with an exit code of its own, and has said why.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func printError(w io.Writer, p advice.Problem) {
	s := screenOf(w)
	for _, line := range p.Lines() {
		s.print("error: ", line)
	}
	for _, do := range p.Do {
		switch {
		case do.Command:
			fmt.Fprintln(w, "hint: "+term.Visible(do.Text))
		case do.Paste != "":
			fmt.Fprintln(w, s.paste("hint: ", do.Text, do.Paste))
		default:
			s.print("hint: ", do.Text)
		}
	}
}

// sayf prints one line, whatever the texts in it have.
func sayf(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, term.Visible(fmt.Sprintf(format, args...)))
}

// say prints a sentence on stdout.
func (c *console) say(format string, args ...any) {
	screenOf(c.stdout).print("", fmt.Sprintf(format, args...))
}

// warn prints something that is no failure.
func warn(w io.Writer, text string) { screenOf(w).print("warning: ", text) }

func readConfig() (*config.Config, error) {
	_, cfg, err := readConfigFile()
	return cfg, err
}

// progress is a line on stderr, which makes room for questions; none where JSON is wanted.
func (c *console) progress(asJSON bool) *term.Progress {
	bar := &term.Progress{}
	if !asJSON {
		bar = term.NewProgress(c.stderr)
	}
	c.ask.Aside = bar.Aside
	return bar
}

// readConfigFile is readConfig that returns the file, too, as far as there is one.
func readConfigFile() (stamp.ConfigFile, *config.Config, error) {
	file, err := stamp.ReadConfig()
	if err != nil {
		return stamp.ConfigFile{}, nil, err
	}
	cfg, err := config.Parse(file.Path, file.Data)
	return file, cfg, err
}

// openStore returns the place for what is kept, which is none with "cache: false".
func openStore(cfg *config.Config) (cache.Store, error) {
	if !cfg.Cache {
		return cache.Store{}, nil
	}
	return cache.Open()
}
