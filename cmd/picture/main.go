// Picture makes docs/terminal.svg, the picture in README: it runs the real program in a real
// terminal (tmux) against the servers of internal/testbed, types what a person would, and draws
// what the terminal shows.
//
//	go run ./cmd/picture            # writes docs/terminal.svg
//	go run ./cmd/picture -o FILE
//
// Three things in it are stand-ins, all on 127.0.0.1: AWS, the RDS server, and MySQL Shell, which
// is MariaDB's client with the Shell's name (see shell.go). The login and the answer are real: the
// server checks the token's signature, and the client asks the server. What differs from run to run
// is replaced by "…" before it is drawn.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	if isShell() { // as which the session runs it
		fail(shell(os.Args))
		return
	}
	file := flag.String("o", "docs/terminal.svg", "where the picture goes")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	picture, err := draw(ctx)
	fail(err)
	fail(os.WriteFile(*file, picture, 0o644))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// draw makes the picture in a folder that is gone afterwards.
func draw(ctx context.Context) (picture []byte, err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer w.close()
	t, err := startTerminal(ctx, w.dir, w.env)
	if err != nil {
		return nil, err
	}
	defer t.close()
	frames, err := session(t)
	if err != nil {
		return nil, err
	}
	return svg(frames), nil
}

// session types what a person would, and gives what the terminal shows after each part.
func session(t *terminal) (frames [][]line, err error) {
	const connect = "mysql-secret-store-rds connect --user dba"
	for _, step := range []struct {
		keys  []string
		until string // this is shown
		keep  bool   // what is shown then is a frame of the picture
	}{
		{[]string{"mysql-secret-store-rds discover", "Enter"}, "list-servers shows it", false},
		{[]string{connect}, connect, true},
		{[]string{"Enter"}, "Server? (7/7)", false}, // a screen of its own, which is gone afterwards
		{[]string{"shop"}, "Server? (3/7) shop", true},
		{[]string{"Enter"}, strings.TrimSpace(prompt), false},
		{[]string{"select current_user();", "Enter"}, "dba@%", true},
	} {
		if err := t.press(step.keys...); err != nil {
			return nil, err
		}
		shown, err := t.wait(step.until)
		if err != nil {
			return nil, err
		}
		if step.keep {
			frames = append(frames, behind(shown, connect))
		}
	}
	return frames, nil
}
