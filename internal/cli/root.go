package cli

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/protocol"
	"mysql-secret-store-rds/internal/term"
)

// root builds the commands. It happens only when a person calls: what MySQL Shell calls has been
// dispatched.
func (c *console) root() *cobra.Command {
	version := false
	cobra.EnableCommandSorting = false // they stand in the order in which a newcomer needs them
	root := &cobra.Command{
		Use:           about.Name,
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version {
				fmt.Fprintln(c.stdout, about.Version())
				return nil
			}
			fmt.Fprint(c.stderr, helpOf(cmd, screenOf(c.stderr).width))
			return errSaid
		},
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprint(c.stdout, helpOf(cmd, screenOf(c.stdout).width))
	})
	root.SetFlagErrorFunc(mistypedFlag)
	root.SetHelpCommand(helpCommand(root))
	// Not cobra's own, which has a template: with text/template the linker keeps every method of
	// every type, which makes the program nearly three times as large, and slower to start.
	root.Flags().BoolVar(&version, "version", false, "print the version")
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		c.setupCommand(), c.discoverCommand(), c.listServersCommand(), c.connectCommand(), c.explainCommand(),
		c.doctorCommand(), c.tokenCommand(), c.passwordCommand(), c.loginCommand(), c.logoutCommand(), c.cacheCommand(),
		c.caBundleCommand(), c.completionCommand(),
	)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true
		if cmd.Flags().Lookup("shell") != nil { // which names a program
			_ = cmd.RegisterFlagCompletionFunc("shell", cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault))
		}
	}
	return root
}

// helpCommand is hidden, as --help says the same.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "help [command]",
		Hidden: true,
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
	}
}

// helpOf is a command's help, in plain text, as wide as a terminal is; 0: in the lines that it is
// written in. Commands to paste are not broken.
func helpOf(cmd *cobra.Command, width int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n", reflow(strings.TrimSpace(cmd.Long), width))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s <command>\n\nCommands:\n", cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				const indent = "        "
				fmt.Fprintf(&b, "%s\n%s\n", term.Wrap("  "+sub.Use, width, indent),
					term.Wrap(indent+sub.Short, width, indent))
			}
		}
		fmt.Fprintf(&b, "\n%s\n", term.Wrap(cmd.CommandPath()+" <command> --help says more of each.", width, ""))
	} else {
		fmt.Fprintln(&b, term.Wrap("  "+cmd.UseLine(), width, "      "))
	}
	if flags := cmd.LocalFlags(); flags.HasAvailableFlags() && cmd.HasParent() {
		fmt.Fprintf(&b, "\nFlags:\n%s", flags.FlagUsagesWrapped(width))
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	if !cmd.HasParent() {
		b.WriteString(reflow(rootNotes, width))
	}
	return b.String()
}

// reflow returns paragraphs in lines as wide as a terminal. Lines that begin with a blank stand for
// themselves: commands, which are not broken, and tables, whose second column goes below the first
// where there is no room beside it.
func reflow(text string, width int) string {
	if width == 0 {
		return text
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		last := len(lines) - 1
		if last >= 0 && continues(lines[last], line) {
			lines[last] += " " + strings.TrimSpace(line)
		} else {
			lines = append(lines, line)
		}
	}
	for i, line := range lines {
		name, rest, isTable := strings.Cut(strings.TrimSpace(line), "  ")
		switch rest = strings.TrimSpace(rest); {
		case !strings.HasPrefix(line, " "):
			lines[i] = term.Wrap(line, width, "")
		case isTable && utf8.RuneCountInString(line) > width:
			lines[i] = "  " + name + "\n" + term.Wrap("        "+rest, width, "        ")
		}
	}
	return strings.Join(lines, "\n")
}

// continues reports whether a line goes on with what the one before says.
func continues(before, line string) bool {
	if strings.HasPrefix(line, strings.Repeat(" ", 20)) {
		return true // in a table's second column
	}
	begins := line == "" || line[0] == ' ' || strings.HasPrefix(line, "Exit codes:")
	return !begins && before != "" && before[0] != ' ' && !strings.HasSuffix(before, ":")
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
  MYSQL_SECRET_STORE_RDS_PROFILE    the AWS profile that signs, as --profile has it (default: none)
  MYSQL_SECRET_STORE_RDS_LOG        a file to log each decision to (default: none)

Exit codes: 0 success, 1 failure, or that of the helper a call was passed on to.
`
