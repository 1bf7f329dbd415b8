package term

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// ellipsis stands for what was left out.
const ellipsis = "…"

// Shorten returns text with its middle left out where it is wider than width: names tend to differ
// at their ends.
func Shorten(text string, width int) string {
	r := []rune(text)
	switch {
	case len(r) <= width:
		return text
	case width < 2:
		return cut(text, width)
	}
	end := (width - 1) / 2
	return string(r[:width-1-end]) + ellipsis + string(r[len(r)-end:])
}

// ShortenHost returns a host name in at most width columns: its domain is cut first, and the middle
// of its first label where that doesn't fit, either.
func ShortenHost(host string, width int) string {
	if utf8.RuneCountInString(host) <= width {
		return host
	}
	label, _, _ := strings.Cut(host, ".")
	switch n := utf8.RuneCountInString(label); {
	case n > width:
		return Shorten(label, width)
	case n > width-2: // no room for a dot, and something after it
		return label
	}
	return cut(host, width-1) + ellipsis
}

// cut returns the beginning of text that is no wider than width.
func cut(text string, width int) string {
	for i := range text {
		if width--; width < 0 {
			return text[:i]
		}
	}
	return text
}

// Widen returns the widths of columns that have room for one more row, too.
func Widen(widths []int, row []string) []int {
	for i, text := range row {
		if i == len(widths) {
			widths = append(widths, 0)
		}
		widths[i] = max(widths[i], utf8.RuneCountInString(text))
	}
	return widths
}

// Fit returns how many columns each of some texts may take so that they fit into room, together: of
// those that may give way, the widest do.
func Fit(widths []int, room int, giveWay ...int) []int {
	sum := 0
	for _, w := range widths {
		sum += w
	}
	fit := slices.Clone(widths)
	for ; sum > room; sum-- {
		widest := giveWay[0]
		for _, i := range giveWay {
			if fit[i] >= fit[widest] {
				widest = i
			}
		}
		if fit[widest] == 0 {
			break
		}
		fit[widest]--
	}
	return fit
}

// Wrap returns text in lines of at most width columns, all but the first of which begin with
// indent. It breaks at single blanks only; a word that is wider than a line has one of its own. A
// width of 0 is no limit.
func Wrap(text string, width int, indent string) string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	body := strings.TrimLeft(text, " ")
	first := len(text) - len(body) // which is part of the first line
	var b strings.Builder
	b.WriteString(text[:first])
	column := first
	for i, word := range strings.Split(body, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString("\n" + indent)
			column = utf8.RuneCountInString(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
