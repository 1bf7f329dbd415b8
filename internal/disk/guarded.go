package disk

import "fmt"

// ExposedError is a file that somebody else may change: it has to be refused when it says what is
// to be done.
type ExposedError struct {
	Path    string // the file or folder that is open to others
	Reason  string
	Foreign bool // it is another user's; else its mode is wrong
}

func (e *ExposedError) Error() string { return fmt.Sprintf("%s %s", e.Path, e.Reason) }
