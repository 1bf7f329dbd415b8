package term

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// picker lets a person choose one of several items by typing parts of it. It has the terminal's alternate screen for itself, so
// that whatever a terminal does with its lines when its size changes, nothing is left over.
type picker struct {
	question string
	list     list
	typed    string
	shown    []int // of the list
	at       int   // of shown
	rows     int   // how many fit
	width    int
	colour   bool
}

func newPicker(question string, lines []string, hidden func(string, []bool), colour bool) *picker {
	p := &picker{question: question, list: newList(lines, hidden), colour: colour}
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

// Pick shows the items on the terminal and returns the index of the one that was picked; the error is [ErrNothingPicked] when
// the person leaves, or ctx ends.
func (t *Terminal) Pick(ctx context.Context, question string, lines []string, hidden func(string, []bool)) (int, error) {
	state, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return 0, err
	}
	defer func() { _ = term.Restore(int(t.in.Fd()), state) }()
	_, _ = io.WriteString(t.out, "\x1b[?1049h") // the alternate screen, and back
	defer func() { _, _ = io.WriteString(t.out, "\x1b[?1049l") }()
	resized, stop := resizes()
	defer stop()
	p := newPicker(question, lines, hidden, Colours(t.out))
	done := make(chan struct{})
	defer close(done)
	keys := readKeys(t.in, done)
	for {
		width, height, err := term.GetSize(int(t.out.Fd()))
		if err != nil || width < 1 || height < 1 {
			width, height = 80, 24
		}
		p.width, p.rows = width, height-1
		p.draw(t.out)
		select {
		case <-ctx.Done():
			return 0, ErrNothingPicked
		case <-resized:
		case k := <-keys:
			switch picked, over := p.press(k); {
			case over && picked < 0:
				return 0, ErrNothingPicked
			case over:
				return picked, nil
			}
		}
	}
}

// readKeys reads what is pressed, until done.
func readKeys(in *os.File, done <-chan struct{}) <-chan stroke {
	keys := make(chan stroke)
	go func() {
		r := bufio.NewReader(in)
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
	return keys
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

func (p *picker) filter() { p.at, p.shown = 0, p.list.find(p.typed) }

// draw fills the screen, and leaves the cursor where the next letter goes.
func (p *picker) draw(w io.Writer) {
	var b strings.Builder
	asked := p.cut(fmt.Sprintf("%s (%d/%d) %s", p.question, len(p.shown), len(p.list.lines), p.typed))
	b.WriteString("\x1b[H\x1b[K" + asked)
	first := max(0, p.at-p.rows+1)
	for i := first; i < min(len(p.shown), first+p.rows); i++ {
		line := "  "
		if i == p.at {
			line = "> "
		}
		line = p.cut(line + p.list.lines[p.shown[i]].text)
		b.WriteString("\r\n\x1b[K" + Paint(line, Reverse, i == p.at && p.colour))
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
