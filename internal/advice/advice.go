// Package advice is the one shape of "what is wrong, and what to do": a [Problem], the words that a
// person can paste, and the nearest name to one that was mistyped.
package advice

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mysql-secret-store-rds/internal/about"
)

// Problem is an error as a person reads it.
type Problem struct {
	Text string
	Do   []Action // any one of which will do, the likeliest first
}

// Action is one thing to do about a problem.
type Action struct {
	Text    string
	Paste   string // what goes where Text says, as it stands; or ""
	Command bool   // Text is to be typed as it stands
	Long    bool   // it is too much for MySQL Shell's one line
}

// String is the action in one line.
func (a Action) String() string {
	if a.Paste == "" {
		return a.Text
	}
	return a.Text + ":  " + a.Paste
}

// Say returns an action in words.
func Say(format string, args ...any) Action { return Action{Text: fmt.Sprintf(format, args...)} }

// Put returns the action of putting text where the words say.
func Put(where, paste string) Action { return Action{Text: where, Paste: paste} }

// Run returns the action of typing a command; [Words] quotes what needs it.
func Run(command string) Action { return Action{Text: command, Command: true} }

// Problemf returns a problem without actions; With adds them.
func Problemf(format string, args ...any) Problem { return Problem{Text: fmt.Sprintf(format, args...)} }

// With returns the problem with more to do about it.
func (p Problem) With(do ...Action) Problem {
	p.Do = append(p.Do[:len(p.Do):len(p.Do)], do...)
	return p
}

// Error makes a problem an error of its own.
func (p Problem) Error() string { return p.Text }

// Advice implements [Adviser].
func (p Problem) Advice() Problem { return p }

// Adviser is an error that words itself.
type Adviser interface {
	error
	Advice() Problem
}

// Of returns the problem that an error is: that of the first [Adviser] in its chain, else its text,
// in which joined errors stand in lines of their own.
func Of(err error) Problem {
	if a, ok := errors.AsType[Adviser](err); ok {
		return a.Advice()
	}
	return Problem{Text: err.Error()}
}

// Lines returns the lines of the text: one, but for several errors in one.
func (p Problem) Lines() []string {
	var lines []string
	for line := range strings.SplitSeq(p.Text, "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// OneLine returns all of it in one line, as MySQL Shell prints it after "Failed to retrieve the
// password: ".
func (p Problem) OneLine() string {
	short := p
	short.Do = slices.DeleteFunc(slices.Clone(p.Do), func(a Action) bool { return a.Long })
	text, commands := short.split(strings.Join(p.Lines(), "; "), func(a Action) bool { return a.Command })
	if len(commands) > 0 {
		text += ": run: " + strings.Join(commands, ", or: ")
	}
	return strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(text)
}

// Split returns the text with what is only said, and apart from it what there is to type or to
// paste, and what is said after the first of that.
func (p Problem) Split() (text string, do []string) {
	return p.split(p.Text, func(a Action) bool { return a.Command || a.Paste != "" })
}

func (p Problem) split(text string, apart func(Action) bool) (string, []string) {
	var do []string
	for _, a := range p.Do {
		if do != nil || apart(a) {
			do = append(do, a.String())
		} else {
			text += ": " + a.String()
		}
	}
	return text, do
}

// Actions returns the words of everything that there is to do.
func (p Problem) Actions() []string {
	var do []string
	for _, a := range p.Do {
		do = append(do, a.String())
	}
	return do
}

// DidYouMean returns the end of a text that asks for the nearest name; "" without one.
func DidYouMean(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}

// Commands returns the actions of typing commands.
func Commands(commands ...string) []Action {
	do := make([]Action, len(commands))
	for i, c := range commands {
		do[i] = Run(c)
	}
	return do
}

// AWS2 returns the action of typing a command that only version 2 of the AWS CLI has.
func AWS2(words ...string) Action {
	return Put("with AWS CLI v2", Words(append([]string{"aws"}, words...)...))
}

// Ours returns the action of calling this program.
func Ours(words ...string) Action { return Run(Words(append([]string{about.Name}, words...)...)) }
