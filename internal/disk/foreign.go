package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotFile is what is no file with a beginning and an end: a pipe, a socket, a folder, a device.
var ErrNotFile = errors.New("not a regular file")

// TooLargeError is more than this program reads.
type TooLargeError struct {
	What  string // a file's name, as a rule
	Limit int64  // in bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s: more than %s", e.What, size(e.Limit))
}

// size says a number of bytes in the largest unit that it is whole in.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// OpenForeign opens a file for reading that isn't ours to trust: another program's, or a person's.
// It follows links, and never waits: what is neither a regular file nor the null device, nor a
// folder, is an [ErrNotFile].
func OpenForeign(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if inPath, ok := errors.AsType[*fs.PathError](err); ok {
		inPath.Op = "open" // which is what fails, to a person
	}
	if err != nil {
		return nil, nil, err
	}
	if err := readable(path, info); err != nil { // opening some devices does something
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = readable(path, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readable says why a file has no content that ends, or nil.
func readable(path string, info fs.FileInfo) error {
	switch {
	case info.Mode().IsRegular():
		return nil
	case info.IsDir():
		return &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	}
	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
		return nil
	}
	return fmt.Errorf("%s: %w", path, ErrNotFile)
}

// Unfit reports whether an error says that a file must not be read, by whomever: it may have no
// end, or nobody may write to it.
func Unfit(err error) bool {
	_, large := errors.AsType[*TooLargeError](err)
	return large || errors.Is(err, ErrNotFile)
}

// ReadForeign returns the content of a file that [OpenForeign] opens and that has at most limit
// bytes; one that has more is a [*TooLargeError].
func ReadForeign(path string, limit int64) ([]byte, error) {
	f, info, err := OpenForeign(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > limit {
		return nil, &TooLargeError{path, limit}
	}
	return ReadAtMost(f, path, limit)
}

// ReadAtMost reads r, which is called what, to its end; more than limit bytes are a
// [*TooLargeError].
func ReadAtMost(r io.Reader, what string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &TooLargeError{what, limit}
	}
	return data, err
}

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
