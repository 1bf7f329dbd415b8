package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mysql-secret-store-rds/internal/early"
	"mysql-secret-store-rds/internal/paste"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/spelling"
)

// console is what a person's command talks to.
type console struct {
	args          []string
	stdin, stderr *os.File
	stdout        *output
}

// output is stdout. What goes wrong with it is remembered, so that a command whose words are lost fails.
type output struct {
	*os.File
	err error // the first one
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.File.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// WriteString is not the file's own.
func (o *output) WriteString(s string) (int, error) { return o.Write([]byte(s)) }

// errSaid is a failure of which everything has been said.
var errSaid = errors.New("failed")

// isCommand says whether a call without the protocol's form is a person's command all the same, or a mistyped one: MySQL
// Shell never makes one, so that the words for a mistake can be a person's, too.
func isCommand(root *cobra.Command, args []string) bool {
	if len(args) == 0 {
		return false
	}
	if isHidden(args[0]) || len(args[0]) > 1 && args[0][0] == '-' {
		return true
	}
	names := commandNames(root)
	near := nearest(args[0], append(protocol.Commands[:], names...)) // of two equally near the Shell's own
	return slices.Contains(names, near)
}

// isHidden knows the commands that no list has: help, and those that completions call.
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
	if near := spelling.Nearest(typed, words); near != "" {
		return near
	}
	var begun []string
	for _, w := range words {
		if len(typed) > 1 && strings.HasPrefix(w, typed) {
			begun = append(begun, w)
		}
	}
	if len(begun) == 1 {
		return begun[0]
	}
	return ""
}

// mistyped answers arguments that begin with no command. It comes before the flags are read: whoever mistypes a command
// has its flags right, as a rule.
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
	p := problem{text: fmt.Sprintf("%q is no command of %s", withoutPassword(typed), Name), run: []string{Name + " --help"}}
	if near := nearest(typed, names); near != "" {
		if p.text += fmt.Sprintf("; did you mean %s?", near); known {
			p.text = "the command comes first, and what it is told after it"
		}
		words := []string{Name, near}
		for _, a := range slices.Delete(slices.Clone(args), at, at+1) {
			if a == "--" {
				break // what follows is another program's, and may be a password
			}
			words = append(words, withoutPassword(a))
		}
		p.run = []string{paste.Words(words...)}
	}
	return p
}

// command runs a person's command, and gives the exit code.
func (c *console) command(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // what doesn't end at the first Ctrl-C ends at the second
	root.SetArgs(c.args[1:])
	err := mistyped(root, c.args[1:])
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		err = c.stdout.err
	}
	if err != nil {
		var code exitError
		if errors.As(err, &code) {
			return int(code)
		}
		if !errors.Is(err, errSaid) {
			printError(c.stderr, describe(err))
		}
		return exitFail
	}
	return exitOK
}

// root builds the commands. It happens only when a person calls: what MySQL Shell calls has been dispatched.
func (c *console) root() *cobra.Command {
	version := false
	cobra.EnableCommandSorting = false // they stand in the order in which a newcomer needs them
	root := &cobra.Command{
		Use:           Name,
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version {
				fmt.Fprintln(c.stdout, early.Version())
				return nil
			}
			fmt.Fprint(c.stderr, helpOf(cmd))
			return errSaid
		},
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), helpOf(cmd)) })
	root.SetFlagErrorFunc(mistypedFlag)
	root.SetHelpCommand(&cobra.Command{
		Use:    "help [command]",
		Hidden: true, // as --help says the same
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 && slices.Contains(protocol.Commands[:], args[0]) {
				return root.Help() // which says what those are
			}
			if err := mistyped(root, args); err != nil {
				return err
			}
			of, _, err := root.Find(args)
			if err != nil {
				return err
			}
			return of.Help()
		},
	})
	// Not cobra's own, which has a template: with text/template the linker keeps every method of every type, which
	// makes the program nearly three times as large, and slower to start.
	root.Flags().BoolVar(&version, "version", false, "print the version")
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		c.setupCommand(root), c.discoverCommand(), c.listServersCommand(), c.connectCommand(), c.explainCommand(), c.doctorCommand(),
		c.tokenCommand(), c.loginCommand(), c.logoutCommand(), c.cacheCommand(), c.caBundleCommand(), c.completionCommand(root),
	)
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true
	}
	noFiles(root)
	return root
}

// withoutPassword gives a word that may be a Server URL with a password without it.
func withoutPassword(word string) string {
	if user, _, ok := strings.Cut(word, "@"); ok && strings.Contains(user, ":") {
		return "user@host:port"
	}
	return word
}

// mistypedFlag answers a flag that isn't there with the nearest one that is.
func mistypedFlag(cmd *cobra.Command, err error) error {
	p := problem{text: err.Error(), run: []string{cmd.CommandPath() + " --help"}}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := spelling.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			p.text += fmt.Sprintf("; did you mean --%s?", near)
		}
	}
	return p
}

// noArguments wants none. What discover is given without a flag is meant to be a profile, as a rule.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	p := problem{text: fmt.Sprintf("%s takes no argument, such as %q", strings.TrimPrefix(cmd.CommandPath(), Name+" "), args[0]), run: []string{cmd.CommandPath() + " --help"}}
	if cmd.Flags().Lookup("profile") != nil {
		p.run = []string{cmd.CommandPath() + " --profile " + paste.Word(args[0])}
	}
	return p
}

// oneArgument wants exactly one argument, of which what says what it is.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return problem{text: cmd.Name() + " takes one server", run: []string{cmd.CommandPath() + " " + what}}
		}
		return nil
	}
}

// helpOf is a command's help. All of it is plain text, the same on a terminal and in a file.
func helpOf(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n", strings.TrimSpace(cmd.Long))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s <command>\n\nCommands:\n", cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %s\n        %s\n", sub.Use, sub.Short)
			}
		}
		fmt.Fprintf(&b, "\n%s <command> --help says more of each.\n", cmd.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if flags := cmd.LocalFlags(); flags.HasAvailableFlags() && cmd.HasParent() {
		fmt.Fprintf(&b, "\nFlags:\n%s", flags.FlagUsages())
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	if !cmd.HasParent() {
		b.WriteString(rootNotes)
	}
	return b.String()
}

const rootHelp = `mysql-secret-store-rds gives MySQL Shell IAM tokens for Amazon RDS and Aurora.

MySQL Shell calls it by itself, once it stands beside the Shell and is switched on:
  mysql-secret-store-rds setup
or by hand, in MySQL Shell:
  \option --persist credentialStore.helper rds`

const rootNotes = `
The calls of MySQL Shell, a JSON object on stdin and the reply on stdout:
  mysql-secret-store-rds <version|store|get|erase|list>

Environment:
  MYSQL_SECRET_STORE_RDS_CONFIG     the configuration file (default: config.yaml in the
                                    folder mysql-secret-store-rds of the user's configuration)
  MYSQL_SECRET_STORE_RDS_CACHE_DIR  the folder for tokens and credentials (default: the folder
                                    mysql-secret-store-rds of the user's cache)
  MYSQL_SECRET_STORE_RDS_LOG        a file to log each decision to (default: none)

Exit codes: 0 success, 1 failure, or that of the helper a call was passed on to.
`

// warn says something that is no failure.
func warn(w io.Writer, text string) { fmt.Fprintln(w, "warning: "+visible(text)) }
