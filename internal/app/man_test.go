package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/google/go-cmp/cmp"
)

// TestManPages: man/ has what --help and docs/configuration.md say. With UPDATE_SCRIPTS set, it is written there.
func TestManPages(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	help := func(args ...string) string { return run(t, b.env(), b.helper, append(args, "--help")...) }

	var page strings.Builder
	page.WriteString("mysql-secret-store-rds 1 \"\" \"\" \"mysql-secret-store-rds\"\n===\n\n# NAME\n\n" +
		"mysql-secret-store-rds - IAM tokens for Amazon RDS and Aurora in MySQL Shell\n\n# SYNOPSIS\n\n**mysql-secret-store-rds** *command* …\n\n# DESCRIPTION\n\n")
	root := help()
	page.WriteString(verbatim(root))
	page.WriteString("# COMMANDS\n\n")
	commands := regexp.MustCompile(`(?m)^  ([a-z-]+)( .*)?\n        `).FindAllStringSubmatch(root, -1)
	if len(commands) < 10 {
		t.Fatalf("only %d commands in --help", len(commands))
	}
	for _, c := range commands {
		page.WriteString("## " + c[1] + "\n\n" + verbatim(help(c[1])))
	}
	page.WriteString("# FILES\n\n*~/.config/mysql-secret-store-rds/config.yaml*: the configuration; see **config.yaml**(5)\n\n" +
		"*~/.config/mysql-secret-store-rds/inventory.txt*: what discover found\n\n" +
		"*~/.cache/mysql-secret-store-rds*: tokens and temporary credentials\n\n# SEE ALSO\n\n**config.yaml**(5), **mysqlsh**(1)\n")

	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	configuration := "config.yaml 5 \"\" \"\" \"mysql-secret-store-rds\"\n===\n\n# NAME\n\nconfig.yaml - the configuration of mysql-secret-store-rds\n\n# DESCRIPTION\n\n" +
		strings.TrimPrefix(string(text), "# Configuration\n\n") + "\n# SEE ALSO\n\n**mysql-secret-store-rds**(1)\n"
	for name, markdown := range map[string]string{"mysql-secret-store-rds.1": page.String(), "config.yaml.5": configuration} {
		got := string(md2man.Render([]byte(markdown)))
		file := filepath.Join("../../man", name)
		if os.Getenv("UPDATE_SCRIPTS") != "" {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s is not what the program says (-file +program); UPDATE_SCRIPTS=1 go test ./internal/app mends it:\n%s", name, diff)
		}
	}
}

// verbatim keeps a text's lines as they are.
func verbatim(text string) string {
	return "```\n" + strings.TrimSpace(text) + "\n```\n\n"
}
