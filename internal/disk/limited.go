package disk

import "bytes"

// Limited is a buffer for what a program says, of which nobody knows how much that is. More than
// Limit bytes are an error of Write, which makes the copying to it end.
type Limited struct {
	Limit  int
	OnFull func() // when there is more than that; nil does nothing

	buffer bytes.Buffer
	full   bool
}

// Write implements [io.Writer].
func (l *Limited) Write(data []byte) (int, error) {
	if l.full || l.buffer.Len()+len(data) > l.Limit {
		if !l.full && l.OnFull != nil {
			l.OnFull()
		}
		l.full = true
		return 0, l.Err("the output")
	}
	return l.buffer.Write(data)
}

// Bytes are what was written, as far as it isn't too much.
func (l *Limited) Bytes() []byte { return l.buffer.Bytes() }

// Err is a [*TooLargeError] when there was more than Limit bytes of what.
func (l *Limited) Err(what string) error {
	if l.full {
		return &TooLargeError{what, int64(l.Limit)}
	}
	return nil
}
