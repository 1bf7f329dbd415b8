package testbed

import (
	"encoding/xml"
	"io"
	"strconv"
)

// xmlOut writes elements as they come. What it can't write has no reader any more.
type xmlOut struct{ w io.Writer }

func (x xmlOut) raw(parts ...string) {
	for _, s := range parts {
		_, _ = io.WriteString(x.w, s)
	}
}

// root opens the outermost element, in the service's namespace.
func (x xmlOut) root(name, service string) {
	x.raw("<", name, ` xmlns="`, namespaces[service], `">`)
}

func (x xmlOut) open(names ...string) {
	for _, n := range names {
		x.raw("<", n, ">")
	}
}

func (x xmlOut) close(names ...string) {
	for _, n := range names {
		x.raw("</", n, ">")
	}
}

// text writes an element unless its value is empty, as AWS does.
func (x xmlOut) text(name, value string) {
	if value == "" {
		return
	}
	x.raw("<", name, ">")
	_ = xml.EscapeText(x.w, []byte(value))
	x.raw("</", name, ">")
}

func (x xmlOut) flag(name string, value bool) { x.text(name, strconv.FormatBool(value)) }

func (x xmlOut) number(name string, value int) { x.text(name, strconv.Itoa(value)) }
