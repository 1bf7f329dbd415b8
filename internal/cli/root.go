package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/protocol"
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
			fmt.Fprint(c.stderr, helpOf(cmd))
			return errSaid
		},
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), helpOf(cmd)) })
	root.SetFlagErrorFunc(mistypedFlag)
	root.SetHelpCommand(helpCommand(root))
	// Not cobra's own, which has a template: with text/template the linker keeps every method of
	// every type, which makes the program nearly three times as large, and slower to start.
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
