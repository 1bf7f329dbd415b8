package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sahilm/fuzzy"
	"golang.org/x/term"

	"mysql-secret-store-rds/internal/inventory"
)

// errNothingPicked is a person who left the picker.
var errNothingPicked = errors.New("nothing was picked")

// item is one of those that a picker offers.
type item struct {
	line    string
	matches func(word string) bool // by what the line doesn't show; nil for nothing of that kind
}

// picker lets a person choose one of several items by typing parts of it. It has the terminal's alternate screen for itself, so
// that whatever a terminal does with its lines when its size changes, nothing is left over.
type picker struct {
	items    []item   // in the order in which they are offered
	lower    []string // their lines
	typed    string
	shown    []int // of items
	at       int   // of shown
	rows     int   // how many fit
	width    int
	colour   bool
	question string
}

func newPicker(question string, items []item, colour bool) *picker {
	p := &picker{items: items, lower: make([]string, len(items)), colour: colour, question: question}
	for i, it := range items {
		p.lower[i] = strings.ToLower(it.line)
	}
	p.filter()
	return p
}

// key is what a person pressed.
type key int

const (
	keyNone key = iota
	keyRune
	keyEnter
	keyLeave
	keyUp
	keyDown
	keyPageUp
	keyPageDown
	keyHome
	keyEnd
	keyBack
	keyClear
)

// stroke is a key, and the letter of a keyRune.
type stroke struct {
	key
	letter rune
}

// pick shows the items on the terminal and gives the index of the chosen one, or [errNothingPicked].
func (t *terminal) pick(ctx context.Context, question string, items []item, colour bool) (int, error) {
	state, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return 0, fmt.Errorf("the terminal can't be used to pick a server: %w", err)
	}
	defer func() { _ = term.Restore(int(t.in.Fd()), state) }()
	_, _ = io.WriteString(t.out, "\x1b[?1049h") // the alternate screen, and back
	defer func() { _, _ = io.WriteString(t.out, "\x1b[?1049l") }()
	resized, stop := resizes()
	defer stop()
	p := newPicker(question, items, colour)
	keys := make(chan stroke)
	done := make(chan struct{})
	defer close(done)
	go func() {
		r := bufio.NewReader(t.in)
		for {
			k := readKey(r)
			select {
			case keys <- k:
			case <-done:
				return
			}
			if k.key == keyLeave {
				return
			}
		}
	}()
	for {
		width, height, err := term.GetSize(int(t.out.Fd()))
		if err != nil || width < 1 || height < 1 {
			width, height = 80, 24
		}
		p.width, p.rows = width, height-1
		p.draw(t.out)
		select {
		case <-ctx.Done():
			return 0, errNothingPicked
		case <-resized:
		case k := <-keys:
			chosen, over := p.press(k)
			if !over {
				continue
			}
			if chosen < 0 {
				return 0, errNothingPicked
			}
			return chosen, nil
		}
	}
}

// readKey reads one key press. Escape sequences are those of ECMA-48 terminals; one that isn't known does nothing.
func readKey(r *bufio.Reader) stroke {
	c, _, err := r.ReadRune()
	if err != nil {
		return stroke{key: keyLeave}
	}
	switch c {
	case '\r', '\n':
		return stroke{key: keyEnter}
	case 3, 4: // Ctrl-C, Ctrl-D
		return stroke{key: keyLeave}
	case 16: // Ctrl-P
		return stroke{key: keyUp}
	case 14: // Ctrl-N
		return stroke{key: keyDown}
	case 8, 127:
		return stroke{key: keyBack}
	case 21: // Ctrl-U
		return stroke{key: keyClear}
	case 0x1b:
		if r.Buffered() == 0 {
			return stroke{key: keyLeave} // the Escape key alone
		}
		if next, _ := r.ReadByte(); next != '[' && next != 'O' {
			return stroke{}
		}
		sequence := ""
		for r.Buffered() > 0 {
			next, _ := r.ReadByte()
			sequence += string(rune(next))
			if next >= 0x40 && next <= 0x7e {
				break
			}
		}
		return stroke{key: ofSequence(sequence)}
	}
	if unicode.IsPrint(c) {
		return stroke{keyRune, c}
	}
	return stroke{}
}

// ofSequence is the key for which terminals send ESC [ or ESC O and this; Home and End differ from one to the other. It is no
// map, as that would be made at each start of the program.
func ofSequence(sequence string) key {
	switch sequence {
	case "A":
		return keyUp
	case "B":
		return keyDown
	case "5~":
		return keyPageUp
	case "6~":
		return keyPageDown
	case "H", "1~", "7~":
		return keyHome
	case "F", "4~", "8~":
		return keyEnd
	}
	return keyNone
}

// press acts on a key. When over, chosen is the item, or -1 for none.
func (p *picker) press(k stroke) (chosen int, over bool) {
	switch k.key {
	case keyEnter:
		if len(p.shown) == 0 {
			return 0, false
		}
		return p.shown[p.at], true
	case keyLeave:
		return -1, true
	case keyUp:
		p.move(-1)
	case keyDown:
		p.move(1)
	case keyPageUp:
		p.move(-max(p.rows, 1))
	case keyPageDown:
		p.move(max(p.rows, 1))
	case keyHome:
		p.move(-len(p.shown))
	case keyEnd:
		p.move(len(p.shown))
	case keyRune:
		p.typed += string(k.letter)
		p.filter()
	case keyBack:
		_, size := utf8.DecodeLastRuneInString(p.typed)
		p.typed = p.typed[:len(p.typed)-size]
		p.filter()
	case keyClear:
		p.typed = ""
		p.filter()
	}
	return 0, false
}

func (p *picker) move(by int) { p.at = max(min(p.at+by, len(p.shown)-1), 0) }

// filter finds the items that show every word that was typed, then those that have them otherwise, as in a tag, both in their
// order, so that the one used most stays the first; after them those that have the letters only, the best first. With nothing
// typed all are there.
func (p *picker) filter() {
	p.at, p.shown = 0, nil
	words := strings.Fields(p.typed)
	var rest []int
	has := make([][]bool, len(words)) // each word, by item: asking costs time when there are tens of thousands
	for n, w := range words {
		has[n] = make([]bool, len(p.items))
		for i := range p.items {
			has[n][i] = p.has(i, w)
		}
	}
	var hidden []int // have some of it where it isn't seen
	for i := range p.items {
		switch {
		case slices.ContainsFunc(has, func(has []bool) bool { return !has[i] }):
			rest = append(rest, i)
		case slices.ContainsFunc(words, func(w string) bool { return !p.shows(i, w) }):
			hidden = append(hidden, i)
		default:
			p.shown = append(p.shown, i)
		}
	}
	p.shown = append(p.shown, hidden...)
	scores := map[int]int{} // of those in rest
	for n, w := range words {
		found := map[int]int{}
		for _, m := range fuzzy.FindFrom(w, lines{p, rest}) {
			found[rest[m.Index]] = m.Score
		}
		rest = slices.DeleteFunc(rest, func(i int) bool {
			score, fuzzily := found[i]
			scores[i] += score
			return !fuzzily && !has[n][i]
		})
	}
	slices.SortStableFunc(rest, func(a, b int) int { return scores[b] - scores[a] })
	p.shown = append(p.shown, rest...)
}

// shows says whether a word as it was typed is in an item's line.
func (p *picker) shows(i int, word string) bool {
	return strings.Contains(p.lower[i], strings.ToLower(word))
}

// has says whether an item has a word as it was typed.
func (p *picker) has(i int, word string) bool {
	return p.shows(i, word) || p.items[i].matches != nil && p.items[i].matches(word)
}

// lines are some of a picker's, for [fuzzy.FindFrom].
type lines struct {
	*picker
	which []int
}

func (l lines) String(i int) string { return l.items[l.which[i]].line }
func (l lines) Len() int            { return len(l.which) }

// draw fills the screen, and leaves the cursor where the next letter goes.
func (p *picker) draw(w io.Writer) {
	var b strings.Builder
	asked := p.cut(fmt.Sprintf("%s (%d/%d) %s", p.question, len(p.shown), len(p.items), p.typed))
	b.WriteString("\x1b[H\x1b[K" + asked)
	first := max(0, p.at-p.rows+1)
	for i := first; i < min(len(p.shown), first+p.rows); i++ {
		line := "  "
		if i == p.at {
			line = "> "
		}
		line = p.cut(line + p.items[p.shown[i]].line)
		if i == p.at && p.colour {
			line = "\x1b[7m" + line + "\x1b[0m"
		}
		b.WriteString("\r\n\x1b[K" + line)
	}
	fmt.Fprintf(&b, "\x1b[J\x1b[1;%dH", utf8.RuneCountInString(asked)+1)
	_, _ = io.WriteString(w, b.String())
}

// cut leaves what fits into a line.
func (p *picker) cut(line string) string {
	if r := []rune(line); len(r) >= p.width {
		return string(r[:p.width-1])
	}
	return line
}

// pickerItems are the servers as the picker shows them; what isn't shown is found as by connect's filter.
func pickerItems(servers []inventory.Server) []item {
	width := 0
	for _, s := range servers {
		width = max(width, len(s.Host))
	}
	items := make([]item, len(servers))
	for i, s := range servers {
		line := visible(fmt.Sprintf("%-*s  %s  %s  %s", width, s.Host, s.Kind, s.Engine, dash(s.Profile)))
		items[i] = item{line, func(word string) bool { return s.Matches(word) }}
	}
	return items
}
