package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// ErrNothingPicked is returned when a person leaves without picking anything.
var ErrNothingPicked = errors.New("nothing was picked")

// Row is an item to pick: a host, whose first label is its name, and what is shown beside it.
type Row struct {
	Host string
	// Details are one or more, the same number in each row. Where not all fits, the last one goes
	// first, then the hosts' domains; then the names and the first detail are shortened.
	Details []string
}

// picker lets a person choose one of several items by typing parts of it. It has the terminal's
// alternate screen for itself, so that whatever a terminal does with its lines when its size
// changes, nothing is left over.
type picker struct {
	question string
	rows     []Row
	needs    []int // columns that the widest name takes, and the widest detail of each kind
	hosts    int   // and the widest host
	list     *list
	typed    string
	shown    []int // of the list, in the order in which they are offered
	at       int   // of shown
	height   int   // how many fit
	width    int
	colour   bool
}

func newPicker(question string, rows []Row, elsewhere Search, colour bool) *picker {
	p := &picker{question: question, list: newList(rows, elsewhere), colour: colour}
	for i, row := range rows {
		visible := Row{Host: Visible(row.Host)}
		for _, d := range row.Details {
			visible.Details = append(visible.Details, Visible(d))
		}
		p.rows = append(p.rows, visible)
		p.hosts = max(p.hosts, utf8.RuneCountInString(visible.Host))
		p.needs = Widen(p.needs, append([]string{p.list.lines[i].name}, visible.Details...))
	}
	p.filter()
	return p
}

// Pick shows rows to pick from on the terminal, and returns the index of the picked one, or
// [ErrNothingPicked]. Typing leaves those that have each word in the row or, unless that is nil,
// elsewhere.
func (t *Terminal) Pick(ctx context.Context, question string, rows []Row, elsewhere Search) (int, error) {
	state, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return 0, err
	}
	defer func() { _ = term.Restore(int(t.in.Fd()), state) }()
	_, _ = io.WriteString(t.out, "\x1b[?1049h") // the alternate screen, and back
	defer func() { _, _ = io.WriteString(t.out, "\x1b[?1049l") }()
	resized, stop := resizes()
	defer stop()
	p := newPicker(question, rows, elsewhere, Colours(t.out))
	done := make(chan struct{})
	defer close(done)
	keys := readKeys(t.in, done)
	for {
		width, height := size(t.out)
		p.width, p.height = width, height-1
		p.draw(t.out)
		select {
		case <-ctx.Done():
			return 0, ErrNothingPicked
		case <-resized:
		case k := <-keys:
			picked, over := p.press(k)
			if !over {
				continue
			}
			if picked < 0 {
				return 0, ErrNothingPicked
			}
			return picked, nil
		}
	}
}

// press acts on a key. When over, picked is the item, or -1 for none.
func (p *picker) press(k stroke) (picked int, over bool) {
	switch k {
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
		p.move(-max(p.height, 1))
	case keyPageDown:
		p.move(max(p.height, 1))
	case keyHome:
		p.move(-len(p.shown))
	case keyEnd:
		p.move(len(p.shown))
	case keyBack:
		_, size := utf8.DecodeLastRuneInString(p.typed)
		p.typed = p.typed[:len(p.typed)-size]
		p.filter()
	case keyClear:
		p.typed = ""
		p.filter()
	case keyNone:
	default:
		p.typed += string(rune(k))
		p.filter()
	}
	return 0, false
}

func (p *picker) move(by int) { p.at = max(min(p.at+by, len(p.shown)-1), 0) }

// filter shows the items that have what is typed.
func (p *picker) filter() { p.at, p.shown = 0, p.list.find(p.typed) }

// draw fills the screen, and leaves the cursor where the next letter goes.
func (p *picker) draw(w io.Writer) {
	var b strings.Builder
	asked := cut(fmt.Sprintf("%s (%d/%d) %s", p.question, len(p.shown), len(p.rows), p.typed), p.width-1)
	b.WriteString("\x1b[H\x1b[K" + asked)
	columns := p.columns()
	first := max(0, p.at-p.height+1)
	for i := first; i < min(len(p.shown), first+p.height); i++ {
		line := "  "
		if i == p.at {
			line = "> "
		}
		line = cut(line+lay(p.rows[p.shown[i]], columns), p.width-1)
		b.WriteString("\r\n\x1b[K" + Paint(line, reverse, i == p.at && p.colour))
	}
	fmt.Fprintf(&b, "\x1b[J\x1b[1;%dH", utf8.RuneCountInString(asked)+1)
	_, _ = io.WriteString(w, b.String())
}

// columns returns the widths of the columns: those of all rows, so that they stay where they are
// while somebody types.
func (p *picker) columns() []int {
	const mark, gap = 2, 2
	needs, sum := p.needs, 0
	for _, w := range needs {
		sum += gap + w
	}
	room := p.width - 1 - mark + gap
	if last := len(needs) - 1; last > 1 && sum-needs[0]+p.hosts > room {
		sum -= gap + needs[last]
		needs = needs[:last]
	}
	columns := Fit(needs, room-gap*len(needs), 0, 1)
	columns[0] = min(p.hosts, columns[0]+max(0, room-sum))
	return columns
}

// lay returns a row in columns of the given widths; details without one are left out.
func lay(row Row, columns []int) string {
	line := fmt.Sprintf("%-*s", columns[0], ShortenHost(row.Host, columns[0]))
	for i, width := range columns[1:] {
		line += fmt.Sprintf("  %-*s", width, Shorten(row.Details[i], width))
	}
	return strings.TrimRight(line, " ")
}
