package cli

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/profiles"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
)

var completionShells = []string{"bash", "zsh", "fish", "powershell"}

// completionScripts are a script for each of completionShells. They aren't cobra's, which run what
// is typed to split it into words.
//
//go:embed completion
var completionScripts embed.FS

func (c *console) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion <bash|zsh|fish|powershell>",
		Short: "print a script that completes commands, flags and servers",
		Long: `Prints a script for your shell that completes the commands, their flags, and the servers that are known.

  bash        source <(mysql-secret-store-rds completion bash)
  zsh         source <(mysql-secret-store-rds completion zsh)
  fish        mysql-secret-store-rds completion fish | source
  powershell  mysql-secret-store-rds completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: completionShells,
		RunE: func(_ *cobra.Command, args []string) error {
			near := ""
			if len(args) == 1 {
				near = advice.Nearest(args[0], completionShells)
			}
			p := advice.Problemf("completion takes one of %s", strings.Join(completionShells, ", "))
			switch {
			case near == "":
				return p.With(advice.Ours("completion", "bash"))
			case near != args[0]:
				p.Text += fmt.Sprintf("; did you mean %s?", near)
				return p.With(advice.Ours("completion", near))
			}
			_, err := c.stdout.WriteString(completionScript(near))
			return err
		},
	}
}

func completionScript(shell string) string {
	text, err := completionScripts.ReadFile("completion/" + shell)
	if err != nil {
		panic(err) // it is one that isn't embedded
	}
	return string(text)
}

// offered returns those of the candidates that may be put on a command line as they are: no shell
// reads more into them than a word. A blank is the exception; the scripts quote it. Every text that
// isn't the program's own goes through here, as anybody may have written an AWS configuration or
// named a server.
func offered(candidates []string) []string {
	const first = `\p{L}\p{Nd}_./:%`
	word := regexp.MustCompile(`^[` + first + `]([` + first + `@+=, -]*[` + first + `@+=,-])?$`)
	return slices.DeleteFunc(candidates, func(candidate string) bool { return !word.MatchString(candidate) })
}

// completeServers completes a Server URL from the servers that are known, for commands that want
// its user.
func completeServers(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return completeServer(cmd, args, typed, true)
}

// completeHosts is completeServers for a command that finds the user by itself: a host alone is
// enough.
func completeHosts(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return completeServer(cmd, args, typed, false)
}

func completeServer(
	cmd *cobra.Command, args []string, typed string, wantsUser bool,
) ([]string, cobra.ShellCompDirective) {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 && dash < len(args) { // cobra itself ends the arguments with a "--"
		return nil, cobra.ShellCompDirectiveDefault // mysqlsh's own arguments, such as a script
	}
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cfg, err := readConfig()
	if err != nil {
		cfg = &config.Config{}
	}
	servers, _ := allServers(cfg) // as far as there are any
	uses := readUses()
	user := func(u server.URL) string { // without a look into DNS and without a question, as there may be many
		res, _ := resolve.URL(context.Background(), u, cfg, nil, noAlias) // whoever connects is told
		return cmp.Or(res.Login, uses[useKey(u.Host, u.Port)].User, uses.LastUser(), userName())
	}
	return offered(matchServers(servers, typed, wantsUser, user)), cobra.ShellCompDirectiveNoFileComp
}

// matchServers completes what was typed of a Server URL, user@host:port, from the known servers.
// Where no user was typed, user says whose it is, or, unless that is wanted, hosts alone are
// completed, with their port once a colon was typed.
func matchServers(servers []inventory.Server, typed string, wantsUser bool, user func(server.URL) string) []string {
	name, rest, named := strings.Cut(typed, "@")
	if !named {
		name, rest = "", typed
	}
	rest = strings.ToLower(rest)
	var matches []string
	for _, s := range servers {
		u := server.URL{Kind: server.TCP, Host: s.Host, Port: cmp.Or(s.Port, server.DefaultPort)}
		address := strings.TrimPrefix(u.String(), "@")
		match, fits := address, strings.HasPrefix(address, rest)
		switch {
		case name != "":
			match = name + "@" + address
		case named || wantsUser:
			u.User = user(u)
			match = u.String()
			fits = fits || !named && strings.HasPrefix(match, typed)
		case !strings.Contains(rest, ":") && s.Kind < server.Tunnel: // of which several may share a host
			match = s.Host
		}
		if fits {
			matches = append(matches, match)
		}
	}
	return matches
}

// completeProfiles completes the names of AWS profiles that weren't given yet. It asks AWS nothing.
func completeProfiles(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return completeNames(args, typed, (*profiles.Set).Names)
}

func completeLogins(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return completeNames(args, typed, (*profiles.Set).Names, (*profiles.Set).Sessions)
}

func completeNames(
	args []string, typed string, lists ...func(*profiles.Set) []string,
) (matches []string, directive cobra.ShellCompDirective) {
	if set, err := loadProfiles(); err == nil {
		for _, names := range lists {
			for _, name := range names(set) {
				if strings.HasPrefix(name, typed) && !slices.Contains(args, name) && !slices.Contains(matches, name) {
					matches = append(matches, name)
				}
			}
		}
	}
	return offered(matches), cobra.ShellCompDirectiveNoFileComp
}
