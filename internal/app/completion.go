package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/spelling"
)

var completionShells = []string{"bash", "zsh", "fish", "powershell"}

func (c *console) completionCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "completion <bash|zsh|fish|powershell>",
		Short: "print a script that completes commands, flags and servers",
		Long: `Prints a script for your shell that completes the commands, their flags, and the servers that discover found.

  bash        source <(mysql-secret-store-rds completion bash)
  zsh         source <(mysql-secret-store-rds completion zsh)
  fish        mysql-secret-store-rds completion fish | source
  powershell  mysql-secret-store-rds completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: completionShells,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(completionShells, args[0]) {
				p := problem{text: "completion takes one of " + strings.Join(completionShells, ", "), run: []string{Name + " completion bash"}}
				if len(args) == 1 {
					if near := spelling.Nearest(args[0], completionShells); near != "" {
						p.text += fmt.Sprintf("; did you mean %s?", near)
						p.run = []string{Name + " completion " + near}
					}
				}
				return p
			}
			text, err := completionScript(root, args[0])
			if err == nil {
				_, err = c.stdout.WriteString(text)
			}
			return err
		},
	}
}

// completionScript is the script for one of completionShells.
func completionScript(root *cobra.Command, shell string) (string, error) {
	var b strings.Builder
	var err error
	switch shell {
	case "bash":
		err = root.GenBashCompletionV2(&b, true)
	case "zsh":
		err = root.GenZshCompletion(&b)
	case "fish":
		err = root.GenFishCompletion(&b, true)
	case "powershell":
		err = root.GenPowerShellCompletionWithDesc(&b)
	}
	return b.String(), err
}
