package term

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Progress is a line on a terminal that says how far something is, and is drawn over. The zero
// value shows nothing.
type Progress struct {
	w     io.Writer // nil: nothing is shown
	width func() int

	mu     sync.Mutex
	last   time.Time // when it was drawn
	asking int       // questions that stand in its place
}

// NewProgress returns a Progress that is shown on f if that is a terminal.
func NewProgress(f *os.File) *Progress {
	if !Is(f) {
		return &Progress{}
	}
	return &Progress{w: f, width: func() int { return Width(f) }}
}

// Show draws a bar and "done/total what, more": always at the beginning and at the end, and between
// them ten times a second at most.
func (p *Progress) Show(done, total int, what, more string) {
	text := fmt.Sprintf("%d/%d %s, %s", done, total, what, more)
	p.draw(0 < done && done < total, func(columns int) string { return bar(done, total, text, columns) })
}

// Say shows what is being waited for.
func (p *Progress) Say(text string) {
	p.draw(false, func(columns int) string { return cut(Visible(text), columns) })
}

// draw draws the line of so many columns at most. One that may be left out is, soon after another.
func (p *Progress) draw(mayBeLeftOut bool, line func(columns int) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w == nil || p.asking > 0 || mayBeLeftOut && time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last = time.Now()
	fmt.Fprint(p.w, "\r\x1b[K"+line(p.width()-1))
}

// bar returns a bar followed by text, in so many columns at most: a line that wraps could not be
// drawn over.
func bar(done, total int, text string, columns int) string {
	room := min(columns-len(text)-len("[] "), 24)
	if room < 3 {
		return cut(text, columns)
	}
	full := 0
	if total > 0 {
		full = room * done / total
	}
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("=", full), strings.Repeat(" ", room-full), text)
}

// Aside takes the line away before a person is asked something; back, which has to follow the
// answer, lets it be drawn again once no question is open. Questions may overlap.
func (p *Progress) Aside() (back func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asking == 0 { // else it would be a question that is taken away
		p.clear()
	}
	p.asking++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asking--
	}
}

// Clear takes the line away.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *Progress) clear() {
	if !p.last.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.last = time.Time{}
	}
}
