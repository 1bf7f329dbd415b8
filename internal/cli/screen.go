package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"mysql-secret-store-rds/internal/disk"
	"mysql-secret-store-rds/internal/term"
)

// screen is where words for a person go. On a terminal they are wrapped to its width, and paths
// under the home folder begin with ~; elsewhere they stay as they are. What is to be pasted is
// never changed.
type screen struct {
	io.Writer
	width int    // 0: no terminal
	home  string // "": is not shortened
}

func screenOf(w io.Writer) screen {
	s := screen{Writer: w}
	var f *os.File
	switch w := w.(type) {
	case *os.File:
		f = w
	case *output:
		f = w.File
	case plainOutput:
		f = w.File
	}
	if f != nil && term.Is(f) {
		s.width, s.home = term.Width(f), disk.Home()
	}
	return s
}

// print prints a text that follows a prefix, see text.
func (s screen) print(prefix, text string) { fmt.Fprintln(s, s.text(prefix, text)) }

// text returns a text that follows a prefix, wrapped, each further line indented as much. A command
// at its end ("run: …") is not broken.
func (s screen) text(prefix, text string) string {
	const run = ": run: "
	if before, command, ok := strings.Cut(text, run); ok && s.width > 0 &&
		utf8.RuneCountInString(prefix+text) > s.width {
		return s.text(prefix, before+strings.TrimRight(run, " ")) + "\n  " + term.Visible(command)
	}
	indent := min(utf8.RuneCountInString(prefix), s.width/2)
	return term.Wrap(prefix+term.Visible(s.tilde(text)), s.width, strings.Repeat(" ", indent))
}

// paste returns a line to paste: on one line with where it goes, or on the next if it doesn't fit.
func (s screen) paste(prefix, where, paste string) string {
	whole := prefix + term.Visible(where+":  "+paste)
	if s.width == 0 || utf8.RuneCountInString(whole) <= s.width {
		return whole
	}
	return s.text(prefix, where+":") + "\n  " + term.Visible(paste)
}

// tilde shortens the paths under the home folder that a text shows, but for those in quotes, in
// which a shell doesn't take ~ for it.
func (s screen) tilde(text string) string {
	if s.home == "" || s.home == string(filepath.Separator) {
		return text
	}
	path := regexp.MustCompile(`(^|[\s(=:,;])` + regexp.QuoteMeta(s.home) + `(/|[\s),:;]|$)`)
	return path.ReplaceAllString(text, "${1}~${2}")
}

const gap = 2

// cells returns texts as a table shows them: what isn't known is a dash.
func cells(texts ...string) []string {
	for i, text := range texts {
		texts[i] = term.Visible(cmp.Or(text, "-"))
	}
	return texts
}

func printTable(w io.Writer, rows [][]string) {
	table := tabwriter.NewWriter(w, 0, 0, gap, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	_ = table.Flush()
}

func widthsOf(rows [][]string) (widths []int) {
	for _, row := range rows {
		widths = term.Widen(widths, row)
	}
	return widths
}

// fits reports whether rows, in columns, are no wider than width.
func fits(rows [][]string, width int) bool {
	sum := -gap
	for _, w := range widthsOf(rows) {
		sum += w + gap
	}
	return sum <= width
}
