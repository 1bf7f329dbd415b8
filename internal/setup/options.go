package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// span is where a member of a JSON object stands: from its key to the end of its value.
type span struct {
	key        string
	start, end int
	value      int // where the value begins
}

// blank reports whether there is only what JSON takes for white space.
func blank(text []byte) bool { return len(bytes.Trim(text, " \t\r\n")) == 0 }

// members returns the places of an object's members, and where its text begins after the brace.
func members(text []byte) (list []span, open int, err error) {
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		const text = "it begins with a byte order mark, which MySQL Shell doesn't read: save it without"
		return nil, 0, errors.New(text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	first, err := d.Token()
	if err != nil || first != json.Delim('{') {
		return nil, 0, errors.New("not a JSON object")
	}
	open = int(d.InputOffset())
	at := open
	for d.More() {
		start := at + bytes.IndexByte(text[at:], '"')
		var value json.RawMessage
		key, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("not JSON: %w", err)
		}
		at = int(d.InputOffset())
		list = append(list, span{key: fmt.Sprint(key), start: start, end: at, value: at - len(value)})
	}
	if _, err := d.Token(); err != nil {
		return nil, 0, fmt.Errorf("not JSON: %w", err)
	}
	if !blank(text[d.InputOffset():]) {
		return nil, 0, errors.New("text after the JSON object")
	}
	return list, open, nil
}

// find returns the member with a key, the last one of several, which is the one that counts; or -1.
func find(list []span, key string) int {
	for i, m := range slices.Backward(list) {
		if m.key == key {
			return i
		}
	}
	return -1
}

// member returns a member's value as it stands there, or nil.
func member(text []byte, key string) (json.RawMessage, error) {
	if blank(text) {
		return nil, nil
	}
	list, _, err := members(text)
	if at := find(list, key); at >= 0 {
		return json.RawMessage(text[list[at].value:list[at].end]), nil
	}
	return nil, err
}

// setMember returns a member another value, adds it at the end, or, when value is nil, takes it
// out. All other bytes stay. A text of white space alone becomes an object, and stays one: MySQL
// Shell doesn't start with an empty file.
func setMember(text []byte, key string, value json.RawMessage) ([]byte, error) {
	name, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	if blank(text) {
		if value == nil {
			return text, nil
		}
		return fmt.Appendf(nil, "{%s: %s}\n", name, value), nil
	}
	list, open, err := members(text)
	if err != nil {
		return nil, err
	}
	at := find(list, key)
	put := func(from, to int, middle string) []byte {
		return bytes.Join([][]byte{text[:from], []byte(middle), text[to:]}, nil)
	}
	switch {
	case at >= 0 && value != nil:
		return put(list[at].value, list[at].end, string(value)), nil
	case at >= 0 && at > 0:
		return put(list[at-1].end, list[at].end, ""), nil
	case at >= 0 && len(list) > 1:
		return put(list[0].start, list[1].start, ""), nil
	case at >= 0:
		return put(open, list[0].end, ""), nil
	case value == nil:
		return text, nil
	case len(list) == 0:
		return put(open, open, fmt.Sprintf("%s: %s", name, value)), nil
	}
	// As far from the last one as the first is from its brace: that is how the file is indented.
	space := string(text[open:list[0].start])
	if space == "" {
		space = " "
	}
	last := list[len(list)-1].end
	return put(last, last, fmt.Sprintf(",%s%s: %s", space, name, value)), nil
}

// isEmpty reports whether a text is an object without members.
func isEmpty(text []byte) bool {
	list, _, err := members(text)
	return blank(text) || err == nil && len(list) == 0
}
