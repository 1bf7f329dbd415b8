package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/google/go-cmp/cmp"
)

// withoutPaths leaves the words of links to files beside the document, which a man page has no use
// for.
func withoutPaths(markdown string) string {
	return regexp.MustCompile(`\[([^]]+)\]\([^:)]*\)`).ReplaceAllString(markdown, "$1")
}

// configurationPages are docs/configuration.md and the documents that have the rest of it, a level
// lower.
func configurationPages(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"configuration", "servers", "aws", "certificates"} {
		text, err := os.ReadFile("../../docs/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		if name == "configuration" {
			all.WriteString(strings.TrimPrefix(string(text), "# Configuration\n\n"))
			continue
		}
		all.WriteString("\n" + regexp.MustCompile("(?m)^#+ ").ReplaceAllString(string(text), "#$0"))
	}
	return all.String()
}

// TestManPages: man/ has what --help and the documents about the configuration say. With
// UPDATE_SCRIPTS set, it is written there.
func TestManPages(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	help := func(args ...string) string { return run(t, b.env(), b.helper, append(args, "--help")...) }

	var page strings.Builder
	page.WriteString(".TH mysql\\-secret\\-store\\-rds 1 \"\" \"\" \"mysql\\-secret\\-store\\-rds\"\n.nh\n.nr HY 0\n.ad l\n" + // HY: each paragraph sets groff's hyphenation to it
		".SH NAME\nmysql\\-secret\\-store\\-rds \\- IAM tokens for Amazon RDS and Aurora in MySQL Shell\n" +
		".SH SYNOPSIS\n\\fBmysql\\-secret\\-store\\-rds\\fP \\fIcommand\\fP …\n.SH DESCRIPTION\n")
	page.WriteString(roff(help()) + ".SH COMMANDS\n")
	n := 0
	var add func(path ...string)
	add = func(path ...string) {
		for _, c := range regexp.MustCompile(`(?m)^  ([a-z-]+)( .*)?\n        `).FindAllStringSubmatch(help(path...), -1) {
			n++
			path := append(slices.Clone(path), c[1])
			page.WriteString(".SS " + escape(strings.Join(path, " ")) + "\n" + roff(help(path...)))
			add(path...)
		}
	}
	if add(); n < 14 {
		t.Fatalf("only %d commands in --help", n)
	}
	page.WriteString(".SH FILES\n" +
		".TP\n\\fI~/.config/mysql\\-secret\\-store\\-rds/config.yaml\\fP\nthe configuration; see \\fBmysql\\-secret\\-store\\-rds.yaml\\fP(5)\n" +
		".TP\n\\fI~/.config/mysql\\-secret\\-store\\-rds/inventory.txt\\fP\nwhat discover found\n" +
		".TP\n\\fI~/.cache/mysql\\-secret\\-store\\-rds\\fP\ntokens and temporary credentials\n" +
		".SH SEE ALSO\n\\fBmysql\\-secret\\-store\\-rds.yaml\\fP(5), \\fBmysqlsh\\fP(1)\n")

	configuration := "mysql-secret-store-rds.yaml 5 \"\" \"\" \" \"\n===\n\n# NAME\n\n" +
		"mysql-secret-store-rds.yaml - the configuration of mysql-secret-store-rds\n\n# DESCRIPTION\n\n" +
		definitions(withoutPaths(configurationPages(t))) + "\n# SEE ALSO\n\n**mysql-secret-store-rds**(1)\n"
	fifth := string(md2man.Render([]byte(configuration)))
	// A hyphen would become a typographical one, which can't be pasted.
	fifth = regexp.MustCompile(`(?m)^[^.'\n].*`).ReplaceAllStringFunc(fifth, func(line string) string {
		return strings.ReplaceAll(strings.ReplaceAll(line, `\-`, "-"), "-", `\-`)
	})
	fifth = regexp.MustCompile(`(?m)^\.TH .*`).ReplaceAllString(fifth, "$0\n.nh\n.nr HY 0\n.ad l")
	for name, got := range map[string]string{"mysql-secret-store-rds.1": page.String(), "mysql-secret-store-rds.yaml.5": fifth} {
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

// TestManPagesFit: groff has no complaints, and a terminal of 80 columns is wide enough.
func TestManPagesFit(t *testing.T) {
	t.Parallel()
	groff := peer(t, "groff")
	for _, name := range []string{"mysql-secret-store-rds.1", "mysql-secret-store-rds.yaml.5"} {
		// -t as man does; no colours, no bold, no underlines.
		cmd := exec.Command(groff, "-man", "-t", "-k", "-ww", "-Tutf8", "-rLL=80n", "-P-cbou", filepath.Join("../../man", name))
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v: %s", name, err, stderr.String())
		}
		for _, line := range strings.Split(stdout.String(), "\n") {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
		for _, want := range map[string][]string{
			"mysql-secret-store-rds.1":      {"cache list", "cache clear", "--all-regions"},
			"mysql-secret-store-rds.yaml.5": {"role_session_name", "MYSQL_SECRET_STORE_RDS_LOG"},
		}[name] {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
}

// escape makes a text roff's, on a line of its own.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// roff sets what --help says: its paragraphs flow, its lists get tags, its commands stay as they
// are.
func roff(help string) string {
	var b strings.Builder
	lines := strings.Split(strings.TrimSpace(help), "\n")
	for i, before := 0, ""; i < len(lines); before = lines[i-1] {
		block := 0
		for i+block < len(lines) && strings.HasPrefix(lines[i+block], " ") {
			block++
		}
		switch line := lines[i]; {
		case block > 0:
			b.WriteString(roffBlock(lines[i:i+block], before))
			i += block
			continue
		case line == "":
		case i == 0, before == "", strings.HasPrefix(before, " "), strings.HasPrefix(line, "Exit codes:"):
			b.WriteString(".PP\n" + escape(line) + "\n")
		default:
			b.WriteString(escape(line) + "\n")
		}
		i++
	}
	return b.String()
}

var twoColumns = regexp.MustCompile(`^ {1,9}(\S.*?) {2,}(\S.*)$`)

// roffBlock sets indented lines below a heading: a list if they have two columns, or stand in
// pairs, else commands.
func roffBlock(lines []string, heading string) string {
	indent := func(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }
	var b strings.Builder
	pairs := len(lines) > 1 && indent(lines[1]) > indent(lines[0])
	switch {
	case heading == "Usage:": // may be longer than a line
		b.WriteString(".RS 4\n")
		for _, line := range lines {
			b.WriteString(escape(strings.TrimSpace(line)) + "\n.br\n")
		}
		b.WriteString(".RE\n")
	case heading != "Examples:" && (pairs || twoColumns.MatchString(lines[0])):
		for i, line := range lines {
			columns := twoColumns.FindStringSubmatch(line)
			switch {
			case columns != nil:
				b.WriteString(".TP\n\\fB" + escape(columns[1]) + "\\fP\n" + escape(columns[2]) + "\n")
			case i > 0 && indent(line) > 7:
				b.WriteString(escape(strings.TrimSpace(line)) + "\n")
			default:
				b.WriteString(".TP\n\\fB" + escape(strings.TrimSpace(line)) + "\\fP\n")
			}
		}
	default:
		b.WriteString(".RS 2\n.EX\n")
		for _, line := range lines {
			b.WriteString(escape(foldCommand(strings.TrimSpace(line), 70)) + "\n")
		}
		b.WriteString(".EE\n.RE\n")
	}
	return b.String()
}

// foldCommand breaks a shell command into lines of a width, where it can be pasted all the same.
func foldCommand(command string, width int) string {
	var b strings.Builder
	column, quote := 0, ' '
	for i, word := range strings.Split(command, " ") {
		switch n := utf8.RuneCountInString(word); {
		case i == 0:
			column = n
		case quote == ' ' && column+1+n+2 > width:
			b.WriteString(" \\\n    ")
			column = 4 + n
		default:
			b.WriteByte(' ')
			column += 1 + n
		}
		b.WriteString(word)
		for _, c := range word {
			switch {
			case quote == ' ' && (c == '\'' || c == '"'):
				quote = c
			case quote == c:
				quote = ' '
			}
		}
	}
	return b.String()
}

var table = regexp.MustCompile(`(?m)^\|.*\|\n\|[-| ]+\|\n((?:\|.*\|\n)+)`)

// definitions makes lists of tables, with an example in the third column: a terminal is too narrow
// for them.
func definitions(markdown string) string {
	return table.ReplaceAllStringFunc(markdown, func(text string) string {
		var b strings.Builder
		for _, row := range strings.Split(strings.TrimSpace(table.FindStringSubmatch(text)[1]), "\n") {
			cells := strings.Split(strings.Trim(row, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			if len(cells) == 3 {
				cells[1] += "; example: " + cells[2]
			}
			b.WriteString(cells[0] + "\n: " + cells[1] + "\n\n")
		}
		return b.String()
	})
}
