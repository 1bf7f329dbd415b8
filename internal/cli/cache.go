package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/cache"
)

func (c *console) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache <list|clear>",
		Short: "show or clear what is kept: tokens and temporary AWS credentials",
		Long:  "Shows what is kept between calls, for whom and how long it is good, or clears it. No secret is shown.",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				if near := advice.Nearest(args[0], []string{"list", "clear"}); near != "" {
					return advice.Problemf("%q is neither list nor clear; did you mean %s?", args[0], near).
						With(advice.Ours("cache", near))
				}
			}
			return advice.Problemf("cache takes list or clear").
				With(advice.Ours("cache", "list"), advice.Ours("cache", "clear"))
		},
	}
	cmd.AddCommand(c.cacheListCommand(), c.cacheClearCommand())
	return cmd
}

func (c *console) cacheListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "show what is kept",
		Long: "Shows the tokens and credentials that are kept: for whom, whose, and how long they are good. " +
			"No secret is shown.",
		Args:                  noArguments,
		DisableFlagsInUseLine: true,
		RunE: func(*cobra.Command, []string) error {
			store, err := cache.Open()
			if err != nil {
				return err
			}
			tokens, problems := store.Tokens()
			kept, more := store.AllCredentials()
			for _, p := range append(problems, more...) {
				warn(c.stderr, "not used: "+p.Error())
			}
			if asJSON {
				return printJSON(c.stdout, listing(tokens, kept))
			}
			c.printCache(store.Dir(), tokens, kept, time.Now())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

func (c *console) cacheClearCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:                   "clear",
		Short:                 "drop everything that is kept",
		Long:                  "Drops all tokens and credentials that are kept. The next connections ask AWS again.",
		Args:                  noArguments,
		DisableFlagsInUseLine: true,
		RunE: func(*cobra.Command, []string) error {
			store, err := cache.Open()
			if err != nil {
				return err
			}
			return c.clearCache(store, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print how much was dropped as JSON")
	return cmd
}

type dropped struct {
	Tokens      int `json:"tokens"`
	Credentials int `json:"credentials"` // sets of them
}

// clearCache drops everything that is kept, and says how much that was.
func (c *console) clearCache(store cache.Store, asJSON bool) error {
	tokens, _ := store.Tokens()
	kept, _ := store.AllCredentials()
	d := dropped{len(tokens), len(kept)}
	if err := store.Clear(); err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.stdout, d)
	}
	fmt.Fprintln(c.stdout, d)
	return nil
}

func (d dropped) String() string {
	return fmt.Sprintf("%s and %s dropped", count(d.Tokens, "token"),
		count(d.Credentials, "set of credentials", "sets of credentials"))
}

func listing(tokens []cache.Entry, kept []cache.Credentials) any {
	type token struct {
		ServerURL  string    `json:"server_url"`
		Host       string    `json:"host"`
		Port       int       `json:"port"`
		User       string    `json:"user"`
		Region     string    `json:"region"`
		Profile    string    `json:"aws_profile,omitempty"`
		RoleARN    string    `json:"role_arn,omitempty"`
		FreshUntil time.Time `json:"fresh_until"`
	}
	type credentials struct {
		Profile string    `json:"aws_profile,omitempty"`
		Who     string    `json:"who,omitempty"`
		Account string    `json:"account,omitempty"`
		Source  string    `json:"source"`
		Expires time.Time `json:"expires"`
	}
	out := struct {
		Tokens      []token       `json:"tokens"`
		Credentials []credentials `json:"credentials"`
	}{[]token{}, []credentials{}}
	for _, e := range tokens {
		t := e.Target
		out.Tokens = append(out.Tokens, token{e.ServerURL, t.Host, t.Port, t.User, t.Region, e.Profile, t.RoleARN,
			e.FreshUntil()})
	}
	for _, k := range kept {
		out.Credentials = append(out.Credentials, credentials{k.Profile, k.Who, k.AccountID, k.Source, k.Expires})
	}
	return out
}

func (c *console) printCache(dir string, tokens []cache.Entry, kept []cache.Credentials, now time.Time) {
	sayf(c.stdout, "%s: %s, %s", dir, count(len(tokens), "token"),
		count(len(kept), "set of credentials", "sets of credentials"))
	rows := [][]string{{"\nKIND", "FOR", "PROFILE", "GOOD"}}
	for _, e := range tokens {
		rows = append(rows, cells("token", e.ServerURL, e.Profile, goodFor(e.FreshUntil(), now)))
	}
	for _, k := range kept {
		rows = append(rows, cells("credentials", whoseKept(k), k.Profile, goodFor(k.Expires, now)))
	}
	if len(rows) > 1 {
		printTable(c.stdout, rows)
	}
}

// whoseKept says whose credentials these are, with the account: a role has the same name in many.
func whoseKept(k cache.Credentials) string {
	switch {
	case k.AccountID == "" || strings.Contains(k.Who, k.AccountID):
		return k.Who
	case k.Who == "":
		return "account " + k.AccountID
	}
	return fmt.Sprintf("%s of account %s", k.Who, k.AccountID)
}

func goodFor(until, now time.Time) string {
	switch left := until.Sub(now); {
	case left <= 0:
		return "no more"
	case left < time.Minute:
		return left.Round(time.Second).String()
	default:
		return fmt.Sprintf("%dm", int(left.Minutes()))
	}
}
