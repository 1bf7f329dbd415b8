package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/protocol"
)

// IsCommand reports whether a call without the protocol's form is a person's command all the same,
// or a mistyped one: MySQL Shell never makes one, so that the words for a mistake can be a
// person's, too.
func IsCommand(args []string) bool {
	if len(args) == 0 {
		return false
	}
	if isHidden(args[0]) || len(args[0]) > 1 && args[0][0] == '-' {
		return true
	}
	names := commandNames(newConsole(Streams{}).root())
	near := nearest(args[0], append(protocol.Commands[:], names...)) // of two equally near the Shell's own
	return slices.Contains(names, near)
}

// isHidden reports whether it is one of the commands that no list has: help, and those that
// completions call.
func isHidden(name string) bool {
	return slices.Contains([]string{"help", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}, name)
}

func commandNames(of *cobra.Command) []string {
	var names []string
	for _, c := range of.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// nearest is the word that was meant: typed in another case, mistyped, or begun.
func nearest(typed string, words []string) string {
	typed = strings.ToLower(typed)
	if near := advice.Nearest(typed, words); near != "" {
		return near
	}
	begun := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.HasPrefix(w, typed) })
	if len(typed) > 1 && len(begun) == 1 {
		return begun[0]
	}
	return ""
}

// mistyped answers arguments that begin with no command. It comes before the flags are read:
// whoever mistypes a command has its flags right, as a rule.
func mistyped(root *cobra.Command, args []string) error {
	names := commandNames(root)
	at := slices.IndexFunc(args, func(a string) bool { return a == "--" || !strings.HasPrefix(a, "-") })
	if at < 0 || args[at] == "--" || isHidden(args[at]) {
		return nil
	}
	typed, known := args[at], slices.Contains(names, args[at])
	help := slices.Contains(args, "--help") || slices.Contains(args, "-h")
	if known && (at == 0 || help) || help && slices.Contains(protocol.Commands[:], typed) {
		return nil
	}
	p := advice.Problemf("%q is no command of %s", withoutPassword(typed), about.Name).With(advice.Ours("--help"))
	if near := nearest(typed, names); near != "" {
		if p.Text += fmt.Sprintf("; did you mean %s?", near); known {
			p.Text = "the command comes first, and what it is told after it"
		}
		words := []string{about.Name, near}
		for _, a := range slices.Delete(slices.Clone(args), at, at+1) {
			if a == "--" {
				break // what follows is another program's, and may be a password
			}
			words = append(words, withoutPassword(a))
		}
		if !takes(near, words[2:]) {
			words = []string{about.Name, near, "--help"}
		}
		p.Do = advice.Commands(advice.Words(words...))
	}
	return p
}

// takes reports whether a command takes arguments: its flags are there, and as many words as it
// wants.
func takes(command string, args []string) bool {
	root := newConsole(Streams{}).root()
	cmd, rest, err := root.Find(append([]string{command}, args...))
	if err != nil || cmd.ParseFlags(rest) != nil {
		return false
	}
	return cmd.ValidateArgs(cmd.Flags().Args()) == nil
}

// withoutPassword returns a word that may be a Server URL with a password without it.
func withoutPassword(word string) string {
	at := strings.LastIndexByte(word, '@')
	if at < 0 || !strings.Contains(word[:at], ":") {
		return word
	}
	_, login, isURI := strings.Cut(word[:at], "://")
	if !isURI {
		login = word[:at]
	}
	user, _, _ := strings.Cut(login, ":")
	if user == "" {
		return exampleServer
	}
	return user + word[at:]
}

// exampleServer is the server in a command to paste where nobody has named one.
const exampleServer = "dba@host:3306"

// mistypedFlag answers a flag that isn't there with the nearest one that is.
func mistypedFlag(cmd *cobra.Command, err error) error {
	p := advice.Problemf("%s", err.Error()).With(advice.Run(cmd.CommandPath() + " --help"))
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if ok && len(unknown.GetSpecifiedName()) > 1 {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := advice.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			p.Text += fmt.Sprintf("; did you mean --%s?", near)
		}
	}
	return p
}

// noArguments wants none. What discover is given without a flag is meant to be a profile, as a
// rule.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	name, flag := strings.TrimPrefix(cmd.CommandPath(), about.Name+" "), " --help"
	if cmd.Flags().Lookup("profile") != nil {
		flag = " --profile " + advice.Word(args[0])
	}
	return advice.Problemf("%s takes no argument, such as %q", name, args[0]).With(advice.Run(cmd.CommandPath() + flag))
}

func oneArgument(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return advice.Problemf("%s takes one server", cmd.Name()).
			With(advice.Run(cmd.CommandPath() + " " + exampleServer))
	}
	return nil
}
