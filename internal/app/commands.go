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
	args                  []string
	stdin, stdout, stderr *os.File
}

// errSaid is a failure of which everything has been said.
var errSaid = errors.New("failed")

// isCommand says whether a call without the protocol's form is a person's command all the same, or a mistyped one: MySQL
// Shell never makes one, so that the words for a mistake can be a person's, too.
func isCommand(root *cobra.Command, args []string) bool {
	if len(args) == 0 {
		return false
	}
	if slices.Contains([]string{"-h", "--help", "help", "--version", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}, args[0]) {
		return true
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	if slices.Contains(names, args[0]) {
		return true
	}
	near := spelling.Nearest(args[0], append(protocol.Commands[:], names...)) // of two equally near the Shell's own
	return slices.Contains(names, near)
}

// command runs a person's command, and gives the exit code.
func (c *console) command(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root.SetArgs(c.args[1:])
	if err := root.ExecuteContext(ctx); err != nil {
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
		Use:                        Name,
		Long:                       rootHelp,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version {
				fmt.Fprintln(c.stdout, early.Version())
				return nil
			}
			if len(args) == 0 {
				fmt.Fprint(c.stderr, helpOf(cmd))
				return errSaid
			}
			p := problem{text: fmt.Sprintf("%q is no command of %s", strings.Join(args, " "), Name), run: []string{Name + " --help"}}
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				p.text += fmt.Sprintf("; did you mean %s?", near[0])
				p.run = []string{strings.Join(append([]string{Name, near[0]}, args[1:]...), " ")}
			}
			return p
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
			of, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				of = root
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
	return root
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
		fmt.Fprintf(&b, "  %s <command>\n\nCommands:\n", Name)
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %s\n        %s\n", sub.Use, sub.Short)
			}
		}
		fmt.Fprintf(&b, "\n%s --help says more of each.\n", Name+" <command>")
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
