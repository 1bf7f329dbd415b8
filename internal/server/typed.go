package server

import (
	"errors"
	"strings"
)

// Typed is a server as a person types it: a Server URL, or less of one, or all of MySQL Shell's
// connection string, mysql://user@host:port/schema?options.
type Typed struct {
	URL     URL // its User is "" when nobody was named; its Host may be a part of one
	Schema  string
	Options []string // the names of those after the "?"
}

// ParseTyped takes apart what a person typed. Like that of [Parse], the error never repeats it, and
// a password is one.
func ParseTyped(s string) (Typed, error) {
	rest, connection := s, hasPrefixFold(s, "mysql://")
	switch {
	case connection:
		rest = s[len("mysql://"):]
	case hasPrefixFold(s, "mysqlx://"):
		return Typed{}, errors.New("RDS doesn't speak the X protocol")
	case strings.Contains(s, "://"), strings.HasPrefix(s, "file:"):
		u, err := Parse(s)
		return Typed{URL: u}, err
	}
	user, address, named := strings.Cut(rest, "@")
	if !named {
		user, address = "nobody", rest
	}
	if strings.Contains(user, ":") {
		return Typed{}, errors.New("a password in the URL")
	}
	var t Typed
	address, t.Options = cutOptions(address)
	if !isPath(address) {
		var err error
		address, t.Schema, _ = strings.Cut(address, "/")
		if t.Schema, err = unescape(t.Schema); err != nil {
			return Typed{}, err
		}
	}
	var err error
	if t.URL, err = Parse(user + "@" + address); err != nil {
		return Typed{}, err
	}
	if !named {
		t.URL.User = ""
	}
	return t, nil
}

// isPath reports whether what stands after the "@" is a socket or a named pipe.
func isPath(address string) bool {
	return address == "" || strings.ContainsRune(`/(\`, rune(address[0])) || hasPrefixFold(address, "%2F")
}

// cutOptions cuts off what stands after a "?", and returns the options' names.
func cutOptions(address string) (before string, names []string) {
	before, options, _ := strings.Cut(address, "?")
	for option := range strings.FieldsFuncSeq(options, func(r rune) bool { return r == '&' }) {
		name, _, _ := strings.Cut(option, "=")
		names = append(names, name)
	}
	return before, names
}
