package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sahilm/fuzzy"
	"golang.org/x/term"
)

// errNothingPicked is a person who left the picker.
var errNothingPicked = errors.New("nothing was picked")

// picker lets a person choose one of several lines by typing parts of it.
type picker struct {
	items    []string // in the order in which they are offered
	typed    string
	shown    []int // of items
	at       int   // of shown
	rows     int   // how many fit
	width    int
	drawn    int // lines on the screen
	colour   bool
	question string
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
	keyBack
	keyClear
)

// pick shows the items on the terminal and gives the index of the chosen one, or [errNothingPicked].
func (t *terminal) pick(ctx context.Context, question string, items []string, colour bool) (int, error) {
	state, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return 0, fmt.Errorf("the terminal can't be used to pick a server: %w", err)
	}
	defer func() { _ = term.Restore(int(t.in.Fd()), state) }()
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width < 20 || height < 4 {
		width, height = 80, 24
	}
	p := &picker{items: items, rows: min(height-3, 15), width: width, colour: colour, question: question}
	p.filter()
	keys := make(chan struct {
		key
		rune
	})
	done := make(chan struct{})
	defer close(done)
	go func() {
		r := bufio.NewReader(t.in)
		for {
			k, c := readKey(r)
			select {
			case keys <- struct {
				key
				rune
			}{k, c}:
			case <-done:
				return
			}
			if k == keyLeave {
				return
			}
		}
	}()
	for {
		p.draw(t.out)
		select {
		case <-ctx.Done():
			p.clear(t.out)
			return 0, errNothingPicked
		case k := <-keys:
			chosen, over := p.press(k.key, k.rune)
			if !over {
				continue
			}
			p.clear(t.out)
			if chosen < 0 {
				return 0, errNothingPicked
			}
			return chosen, nil
		}
	}
}

// readKey reads one key press. Escape sequences are those of ECMA-48 terminals; one that isn't known does nothing.
func readKey(r *bufio.Reader) (key, rune) {
	c, _, err := r.ReadRune()
	if err != nil {
		return keyLeave, 0
	}
	switch c {
	case '\r', '\n':
		return keyEnter, 0
	case 3, 4: // Ctrl-C, Ctrl-D
		return keyLeave, 0
	case 16: // Ctrl-P
		return keyUp, 0
	case 14: // Ctrl-N
		return keyDown, 0
	case 8, 127:
		return keyBack, 0
	case 21: // Ctrl-U
		return keyClear, 0
	case 0x1b:
		if r.Buffered() == 0 {
			return keyLeave, 0 // the Escape key alone
		}
		if next, _ := r.ReadByte(); next != '[' && next != 'O' {
			return keyNone, 0
		}
		for r.Buffered() > 0 {
			final, _ := r.ReadByte()
			switch {
			case final == 'A':
				return keyUp, 0
			case final == 'B':
				return keyDown, 0
			case final >= 0x40 && final <= 0x7e:
				return keyNone, 0
			}
		}
		return keyNone, 0
	}
	if unicode.IsPrint(c) {
		return keyRune, c
	}
	return keyNone, 0
}

// press acts on a key. When over, chosen is the item, or -1 for none.
func (p *picker) press(k key, c rune) (chosen int, over bool) {
	switch k {
	case keyEnter:
		if len(p.shown) == 0 {
			return 0, false
		}
		return p.shown[p.at], true
	case keyLeave:
		return -1, true
	case keyUp:
		p.at = max(p.at-1, 0)
	case keyDown:
		p.at = min(p.at+1, max(len(p.shown)-1, 0))
	case keyRune:
		p.typed += string(c)
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

// filter finds the items that have what was typed, word by word and fuzzily, the best first; with nothing typed all are
// there, in their order.
func (p *picker) filter() {
	p.at, p.shown = 0, nil
	words := strings.Fields(p.typed)
	if len(words) == 0 {
		for i := range p.items {
			p.shown = append(p.shown, i)
		}
		return
	}
	for _, m := range fuzzy.Find(words[0], p.items) {
		all := true
		for _, w := range words[1:] {
			all = all && len(fuzzy.Find(w, p.items[m.Index:m.Index+1])) > 0
		}
		if all {
			p.shown = append(p.shown, m.Index)
		}
	}
}

func (p *picker) draw(w io.Writer) {
	var b strings.Builder
	p.moveUp(&b)
	first := max(0, p.at-p.rows+1)
	last := min(len(p.shown), first+p.rows)
	fmt.Fprintf(&b, "\x1b[K%s (%d/%d) %s\r\n", p.question, len(p.shown), len(p.items), p.typed)
	for i := first; i < last; i++ {
		line := "  " + p.items[p.shown[i]]
		if i == p.at {
			line = "> " + p.items[p.shown[i]]
		}
		if r := []rune(line); len(r) >= p.width {
			line = string(r[:p.width-1])
		}
		if i == p.at && p.colour {
			line = "\x1b[7m" + line + "\x1b[0m"
		}
		b.WriteString("\x1b[K" + line + "\r\n")
	}
	b.WriteString("\x1b[K")
	for range p.drawn - (last - first + 1) { // what was there before
		b.WriteString("\r\n\x1b[K")
	}
	extra := max(0, p.drawn-(last-first+1))
	p.drawn = last - first + 1 + extra
	_, _ = io.WriteString(w, b.String())
}

// moveUp goes back to the first line that was drawn.
func (p *picker) moveUp(b *strings.Builder) {
	b.WriteString("\r")
	if p.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA", p.drawn)
	}
}

// clear takes the picker off the screen.
func (p *picker) clear(w io.Writer) {
	var b strings.Builder
	p.moveUp(&b)
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(w, b.String())
}
