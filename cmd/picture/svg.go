package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A line is what a terminal shows in one row, without blanks at its end; a span is text of it in
// one style.
type (
	line []span
	span struct {
		text  string
		style style
	}
)

// style is what the terminal's escape sequences have switched on.
type style struct {
	colour  string // of the text: "", or SGR's number, such as "31" for red
	bold    bool
	faint   bool
	inverse bool
}

func (l line) text() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

var sgr = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// parse reads a screen as tmux writes it.
func parse(screen string) (lines []line) {
	var now style
	for raw := range strings.Lines(screen) {
		raw = steady(strings.TrimSuffix(raw, "\n"))
		var l line
		from := 0
		for _, at := range append(sgr.FindAllStringSubmatchIndex(raw, -1), []int{len(raw), len(raw), -1, -1}) {
			if at[0] > from {
				l = append(l, span{raw[from:at[0]], now})
			}
			if from = at[1]; at[2] >= 0 {
				now = now.after(raw[at[2]:at[3]])
			}
		}
		lines = append(lines, l)
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1].text()) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// after is the style after an SGR sequence.
func (s style) after(codes string) style {
	for _, code := range strings.Split(codes, ";") {
		switch {
		case code == "" || code == "0":
			s = style{}
		case code == "1":
			s.bold = true
		case code == "2":
			s.faint = true
		case code == "7":
			s.inverse = true
		case code == "27":
			s.inverse = false
		case code == "39":
			s.colour = ""
		case len(code) == 2 && code[0] == '3':
			s.colour = code
		}
	}
	return s
}

// behind are the lines behind the one that has the text, or all where none has or it is the last.
func behind(lines []line, text string) []line {
	for i, l := range lines[:max(0, len(lines)-1)] {
		if strings.Contains(l.text(), text) {
			return lines[i+1:]
		}
	}
	return lines
}

// steady replaces what differs from run to run.
func steady(text string) string {
	return regexp.MustCompile(`read in [0-9.]+m?s`).ReplaceAllString(text, "read in …")
}

// Measures of the picture, in its own units.
const (
	charWidth, lineHeight = 8.4, 18
	baseline              = 13 // below the top of a line
	margin, gap           = 16, 16
)

const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]g %[2]d" width="%[1]g" height="%[2]d"
  role="img" aria-labelledby="t d">
<!-- Made by "go run ./cmd/picture" from a run of the program; don't edit. -->
<title id="t">mysql-secret-store-rds in a terminal: discover, connect, a query</title>
<desc id="d">%[3]s</desc>
<style>
rect.screen { fill: #1b1f27 }
path { stroke: #4a5160; stroke-dasharray: 2 4 }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d7dae0 }
.bold { font-weight: bold } .faint { fill: #8b93a1 }
.c31 { fill: #ff7b72 } .c32 { fill: #7ee787 } .c33 { fill: #e3b341 }
.c34 { fill: #79c0ff } .c35 { fill: #d2a8ff } .c36 { fill: #76e3ea }
rect.inverse { fill: #d7dae0 } text.inverse { fill: #1b1f27 }
</style>
<rect class="screen" width="100%%" height="100%%" rx="8"/>
`

// svg draws the frames below each other, with a dotted line between them.
func svg(frames [][]line) []byte {
	var body, words strings.Builder
	y := margin
	for i, frame := range frames {
		if i > 0 {
			fmt.Fprintf(&body, "<path d=\"M%d %dH%g\"/>\n", margin, y+gap/2, margin+columns*charWidth)
			y += gap
		}
		for _, l := range frame {
			drawLine(&body, l, y)
			fmt.Fprintln(&words, html.EscapeString(strings.TrimRight(l.text(), " ")))
			y += lineHeight
		}
	}
	return fmt.Appendf(nil, head+"%[4]s</svg>\n", 2*margin+columns*charWidth, y+margin, words.String(), body.String())
}

// pieces are words with one blank between them: more than one is lost in a drawing.
var pieces = regexp.MustCompile(`\S+( \S+)*`)

// drawLine draws each piece where its columns are, whatever the width of the reader's font.
func drawLine(b *strings.Builder, l line, y int) {
	width := func(text string) float64 { return float64(utf8.RuneCountInString(text)) * charWidth }
	x := float64(margin)
	for _, s := range l {
		if s.style.inverse {
			fmt.Fprintf(b, "<rect class=\"inverse\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
				x, y, width(s.text), lineHeight)
		}
		for _, at := range pieces.FindAllStringIndex(s.text, -1) {
			text := s.text[at[0]:at[1]]
			fmt.Fprintf(b, "<text%s x=\"%.1f\" y=\"%d\" textLength=\"%.1f\">%s</text>\n",
				s.style.class(), x+width(s.text[:at[0]]), y+baseline, width(text), html.EscapeString(text))
		}
		x += width(s.text)
	}
}

// class is the attribute that has the style.
func (s style) class() string {
	var names []string
	for _, c := range []struct {
		is   bool
		name string
	}{{s.bold, "bold"}, {s.faint, "faint"}, {s.inverse, "inverse"}, {s.colour != "" && !s.inverse, "c" + s.colour}} {
		if c.is {
			names = append(names, c.name)
		}
	}
	if names == nil {
		return ""
	}
	return ` class="` + strings.Join(names, " ") + `"`
}
