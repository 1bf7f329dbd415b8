package term

import (
	"errors"
	"os"
)

// openConsole opens the console that the process is attached to.
func openConsole() (in, out *os.File, err error) {
	in, err = os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	out, err = os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, errors.Join(err, in.Close())
	}
	return in, out, nil
}

// heedStops does nothing: Windows stops nobody.
func heedStops() {}

// resizes tells nothing: Windows has no such signal.
func resizes() (resized <-chan os.Signal, stop func()) { return nil, func() {} }
