package app_test

import (
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/config"
)

const docsWidth = 80

// markdown returns the project's documents by their path from the top folder.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	top := filepath.Join("..", "..")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "dist", "testdata", filepath.Join("packaging", "made")}, name) {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		docs[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil || len(docs) < 10 {
		t.Fatalf("%d documents: %v", len(docs), err)
	}
	return docs
}

// TestDocsFit: all documents can be read in a terminal of 80 columns. With UPDATE_SCRIPTS set,
// paragraphs that are wider are wrapped; what can't be, such as code and tables, stays to be
// mended.
func TestDocsFit(t *testing.T) { // not in parallel: the man pages are made of what it wraps
	others := []string{"docs/assurance.md"} // generated
	for name, text := range markdown(t) {
		if slices.Contains(others, name) {
			continue
		}
		wrapped := wrapMarkdown(text, docsWidth)
		if wrapped != text && os.Getenv("UPDATE_SCRIPTS") != "" {
			if err := os.WriteFile(filepath.Join("..", "..", filepath.FromSlash(name)), []byte(wrapped), 0o644); err != nil {
				t.Fatal(err)
			}
			text = wrapped
		}
		n, program := 0, false
		for line := range strings.Lines(text) {
			n++
			line = strings.TrimSuffix(line, "\n")
			// Programs in other languages are as wide as those are written.
			if rest, fence := strings.CutPrefix(line, "```"); fence {
				program = name == "docs/clients.md" && rest != "" && rest != "sh"
			}
			if !program && utf8.RuneCountInString(line) > docsWidth && strings.Contains(strings.TrimLeft(line, "-#>| "), " ") {
				t.Errorf("%s:%d: wider than %d columns (UPDATE_SCRIPTS=1 go test ./internal/app wraps paragraphs): %s", name, n, docsWidth, line)
			}
		}
	}
}

// wrapMarkdown wraps each paragraph and item of a list that has a line which is too wide. Code,
// tables and headings stay as they are.
func wrapMarkdown(text string, width int) string {
	var out, block []string
	flush := func() {
		if slices.ContainsFunc(block, func(line string) bool { return utf8.RuneCountInString(line) > width }) {
			block = wrapBlock(block, width)
		}
		out = append(out, block...)
		block = nil
	}
	inCode := false
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		fence := strings.HasPrefix(trimmed, "```")
		indented := strings.HasPrefix(line, "    ") && block == nil // code, too
		switch {
		case fence, inCode, indented, trimmed == "", strings.HasPrefix(trimmed, "|"), strings.HasPrefix(line, "#"), strings.HasPrefix(trimmed, "<"):
			flush()
			out = append(out, line)
		default:
			if item.MatchString(line) {
				flush()
			}
			block = append(block, line)
		}
		if fence {
			inCode = !inCode
		}
	}
	flush()
	return strings.Join(out, "\n")
}

var (
	item = regexp.MustCompile(`^ *(?:[-*]|\d+\.) +`)
	// atom is what stays in one line: code with its blanks, and what hangs on it.
	atom = regexp.MustCompile("(?:`[^`]+`|[^ `])+|`")
	// opener would begin something else at the beginning of a line.
	opener = regexp.MustCompile(`^([-+*>#|]|\d+[.)]$)`)
)

func wrapBlock(lines []string, width int) []string {
	first := item.FindString(lines[0])
	if first == "" {
		first = lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], " "))]
	}
	rest := strings.Repeat(" ", len(first))
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	words := atom.FindAllString(strings.TrimPrefix(strings.Join(lines, " "), strings.TrimSpace(first)), -1)
	var out []string
	line := first
	for _, word := range words {
		switch blank := strings.TrimSpace(line) == "" || line == first; {
		case blank:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width && !opener.MatchString(word):
			out = append(out, line)
			line = rest + word
		default:
			line += " " + word
		}
	}
	return append(out, line)
}

func TestWrapMarkdown(t *testing.T) {
	t.Parallel()
	const text = `# A heading that is wider than that

short stays
as it is

one two three four ` + "`a b c d` and" + ` five - six
- an item of several words (` + "`x y`" + `)
- short

| a table | that is wide enough |

    code that is wider than that
` + "```\ncode that is wider than that\n```\n"
	const want = `# A heading that is wider than that

short stays
as it is

one two three four
` + "`a b c d` and five -\nsix" + `
- an item of several
  words (` + "`x y`" + `)
- short

| a table | that is wide enough |

    code that is wider than that
` + "```\ncode that is wider than that\n```\n"
	if diff := cmp.Diff(want, wrapMarkdown(text, 20)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// code is a block of it in a document.
var code = regexp.MustCompile("(?ms)^ *```.*?^ *```$")

// prose is a document without its code.
func prose(text string) string {
	text = code.ReplaceAllString(text, "")
	return regexp.MustCompile("`[^`\n]+`").ReplaceAllStringFunc(text, func(code string) string {
		return "`" + strings.Repeat("x", len(code)-2) + "`"
	})
}

// anchors are what links to a document's headings end with, by GitHub's rule: the heading's words
// in small letters without punctuation, joined by hyphens, and numbered when they come again.
func anchors(text string) map[string]bool {
	text = code.ReplaceAllString(text, "")
	found := map[string]bool{}
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(text, -1) {
		heading := regexp.MustCompile(`\[([^]]+)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, heading)
		name := slug
		if n := seen[slug]; n > 0 {
			name += "-" + strconv.Itoa(n)
		}
		seen[slug]++
		found[name] = true
	}
	return found
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	got := anchors("# A `get`, at *once*\n## What's [new](x.md)?\n```\n# none\n```\n## `… has … in it`\n## Same\n## Same\n")
	want := map[string]bool{"a-get-at-once": true, "whats-new": true, "-has--in-it": true, "same": true, "same-1": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestDocsLinks: links between documents lead to a file that is there, and to a heading that it
// has.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	docs := markdown(t)
	link := regexp.MustCompile(`\[[^]]*\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"`)
	n := 0
	for name, text := range docs {
		for _, m := range link.FindAllStringSubmatch(prose(text), -1) {
			target := m[1] + m[2]
			u, err := url.Parse(target)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			n++
			to := name
			if u.Path != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(filepath.FromSlash(name)), filepath.FromSlash(u.Path)))
			}
			if _, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, target)
			} else if u.Fragment != "" && !anchors(docs[to])[u.Fragment] {
				t.Errorf("%s: the link %s leads to a heading that isn't there", name, target)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d links", n)
	}
}

// TestDocsSayThingsOnce: no sentence stands in two documents; a link does. What is new may be said
// again in CHANGELOG.md.
func TestDocsSayThingsOnce(t *testing.T) {
	t.Parallel()
	const length = 10 // words in a row
	in := map[string]string{}
	for name, text := range markdown(t) {
		if name == "CHANGELOG.md" || name == "docs/assurance.md" {
			continue
		}
		words := strings.Fields(strings.NewReplacer("*", "", "`", "").Replace(code.ReplaceAllString(text, "")))
		for i := 0; i+length <= len(words); i++ {
			phrase := strings.Join(words[i:i+length], " ")
			if other := in[phrase]; other != "" && other != name {
				t.Errorf("%s and %s say the same: %s", other, name, phrase)
				break
			}
			in[phrase] = name
		}
	}
}

// TestDocumentedConfiguration: what the documents show of a configuration is one, and the table of
// fields has each field of the schema, with an example that it can have.
func TestDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	n := 0
	for name, text := range markdown(t) {
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1) {
			n++
			if _, err := config.Parse("config.yaml", []byte(block[1])); err != nil {
				t.Errorf("%s shows this, and it is %v:\n%s", name, err, block[1])
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d examples", n)
	}
	var schema struct {
		Defs map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal(config.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	fields := schema.Defs["entry"].Properties
	text := markdown(t)["docs/configuration.md"]
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` +\\|[^|]+\\| (.*?) +\\|$").FindAllStringSubmatch(text, -1) {
		field, example := row[1], row[2]
		if _, ok := fields[field]; !ok {
			t.Errorf("configuration.md has a row for %s, which is no field", field)
		}
		delete(fields, field)
		if strings.HasPrefix(example, "[below]") { // in an example of YAML
			if !regexp.MustCompile("(?s)```yaml\n[^`]*\\b" + field + ": ").MatchString(text) {
				t.Errorf("configuration.md has no example of %s", field)
			}
			continue
		}
		yaml := "defaults: {" + field + ": " + strings.Trim(example, "`") + "}\n"
		if _, err := config.Parse("config.yaml", []byte(yaml)); err != nil {
			t.Errorf("configuration.md: %s: %v", yaml, err)
		}
	}
	for field := range fields {
		t.Errorf("configuration.md's table lacks %s", field)
	}
}
