package term

import (
	"bufio"
	"io"
	"unicode"
)

// stroke is what a person pressed: a letter, or one of these keys.
type stroke rune

const (
	keyNone stroke = -1 - iota
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

// readKeys reads what is pressed, until done is closed or the person leaves.
func readKeys(in io.Reader, done <-chan struct{}) <-chan stroke {
	keys := make(chan stroke)
	send := func(k stroke) bool {
		select {
		case keys <- k:
			return true
		case <-done:
			return false
		}
	}
	go func() {
		r := bufio.NewReader(in)
		for {
			k := readKey(r)
			if !send(k) || k == keyLeave {
				return
			}
			// What is typed next may be the answer to another question: only a picker that goes on
			// takes this.
			if k == keyEnter && !send(keyNone) {
				return
			}
		}
	}()
	return keys
}

// readKey reads one key press. Escape sequences are those of ECMA-48 terminals; one that isn't
// known does nothing.
func readKey(r *bufio.Reader) stroke {
	c, _, err := r.ReadRune()
	if err != nil {
		return keyLeave
	}
	switch c {
	case '\r', '\n':
		return keyEnter
	case 3, 4: // Ctrl-C, Ctrl-D
		return keyLeave
	case 16: // Ctrl-P
		return keyUp
	case 14: // Ctrl-N
		return keyDown
	case 8, 127:
		return keyBack
	case 21: // Ctrl-U
		return keyClear
	case 0x1b:
		if r.Buffered() == 0 {
			return keyLeave // the Escape key alone
		}
		if next, _ := r.ReadByte(); next != '[' && next != 'O' {
			return keyNone
		}
		sequence := ""
		for r.Buffered() > 0 {
			next, _ := r.ReadByte()
			sequence += string(rune(next))
			if next >= 0x40 && next <= 0x7e {
				break
			}
		}
		return ofSequence(sequence)
	}
	if unicode.IsPrint(c) {
		return stroke(c)
	}
	return keyNone
}

// ofSequence is the key for which terminals send ESC [ or ESC O and this; Home and End differ from
// one to the other. It is no map, as that would be made at each start of the program.
func ofSequence(sequence string) stroke {
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
