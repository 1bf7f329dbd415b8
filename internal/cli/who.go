package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/config"
	"mysql-secret-store-rds/internal/connect"
	"mysql-secret-store-rds/internal/password"
	"mysql-secret-store-rds/internal/resolve"
	"mysql-secret-store-rds/internal/server"
	"mysql-secret-store-rds/internal/stamp"
	"mysql-secret-store-rds/internal/term"
)

// as returns the server with its user: the one that was named, else whom the configuration says,
// else the one last used there, else the one that a person names, else the person.
func (c chooser) as(ctx context.Context, ch chosen) (chosen, error) {
	var err error
	if ch.User = cmp.Or(ch.User, c.user); ch.User == "" {
		ch.User, ch.userBy, err = c.someUser(ctx, ch.URL)
	}
	ch.id = cmp.Or(ch.id, ch.URL.String())
	return ch, err
}

// someUser returns whom to log in as where nobody was named, and who says so.
func (c chooser) someUser(ctx context.Context, u server.URL) (user, by string, err error) {
	res, err := password.Resolve(ctx, u, c.cfg, resolve.LookupCNAME)
	if inConfig, ok := errors.AsType[*config.Error](err); ok {
		return "", "", inConfig
	}
	uses := readUses()
	switch last := uses[useKey(u.Host, u.Port)].User; {
	case res.Login != "":
		return res.Login, "from the configuration", nil
	case last != "":
		return last, "as the last time", nil
	}
	return askUser(ctx, u, cmp.Or(uses.LastUser(), userName()))
}

// askUser asks for a user on the terminal; without one it is the person.
func askUser(ctx context.Context, u server.URL, suggested string) (user, by string, err error) {
	t, err := term.Open()
	if err != nil {
		return userName(), "your own name", nil
	}
	defer t.Close()
	user, err = t.Line(ctx, term.Visible(fmt.Sprintf("Database user for %s [%s]: ", u.Host, suggested)))
	switch {
	case ctx.Err() != nil || errors.Is(err, term.ErrNoAnswer): // Ctrl-C, Ctrl-D
		return "", "", errSaid
	case err != nil:
		return "", "", fmt.Errorf("the terminal can't be used to ask for the database user: %w", err)
	}
	return cmp.Or(user, suggested), "", nil
}

// useKey is what the use of a server is remembered by: its host, with the port where several
// servers may share one.
func useKey(host string, port int) string {
	host = server.NormalHost(host)
	if _, ours := server.ParseEndpoint(host); ours {
		return host
	}
	if config.IsLoopback(host) {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(cmp.Or(port, server.DefaultPort)))
}

func readUses() connect.Uses {
	path, err := connect.UsesPath()
	if err != nil {
		return nil
	}
	return connect.ReadUses(path)
}

// addProfileFlag adds --profile to a command.
func addProfileFlag(cmd *cobra.Command, profile *string) {
	cmd.Flags().StringVar(profile, "profile", "", "the AWS profile that signs, whatever else says which")
	_ = cmd.RegisterFlagCompletionFunc("profile", completeProfiles) // it fails for a flag that isn't there
}

// useProfile makes a profile the one that signs, for this program and for those that it becomes or
// runs: MySQL Shell's helper reads it in the environment.
func useProfile(cmd *cobra.Command, name string) error {
	if !cmd.Flags().Changed("profile") {
		return nil
	}
	set, err := loadProfiles()
	if err != nil {
		return err
	}
	if _, ok := set.Profile(name); !ok {
		missing := set.Missing(name)
		p := missing.Worded("")
		switch {
		case missing.There != "":
			return p
		case missing.Nearest != "":
			return p.With(advice.Put("name it", "--profile "+advice.Word(missing.Nearest)))
		}
		return p.With(advice.AWS2("configure", "list-profiles"))
	}
	return os.Setenv(stamp.EnvProfile, name)
}
