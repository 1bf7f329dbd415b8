// Package protocol is the language that MySQL Shell and a credential helper speak: one JSON
// object in, one JSON value or one fixed message out. Its only documentation is MySQL Shell's
// source (mysqlshdk/libs/secret-store-api and mysql-secret-store/core, 8.0.12 to 9.6.0).
package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mysql-secret-store-rds/internal/about"
	"mysql-secret-store-rds/internal/secret"
	"mysql-secret-store-rds/internal/server"
)

// Commands are the words a helper is called with, in the order of Oracle's usage line.
var Commands = [...]string{"version", "store", "get", "erase", "list"}

// TypePassword is the secret type of server, ssh:// and file: credentials.
const TypePassword = "password"

// Message is an error whose text MySQL Shell and Oracle's own tests look for, letter for letter.
type Message string

func (m Message) Error() string { return string(m) }

// ErrNotFound, alone on both streams, means "no credential here": the Shell is silent about it.
const ErrNotFound Message = "Could not find the secret"

// CheckArgs takes the arguments of the process, argv[0] included, and gives the command, or the
// error that Oracle's helpers answer with.
func CheckArgs(argv []string) (string, error) {
	name := about.Name
	if len(argv) > 0 {
		name = argv[0]
	}
	fail := func(msg string) (string, error) {
		return "", Message(msg + ", usage: " + name + " <" + strings.Join(Commands[:], "|") + ">")
	}
	switch {
	case len(argv) <= 1:
		return fail("Missing command")
	case len(argv) > 2:
		return fail("Too many commands")
	}
	for _, c := range Commands {
		if c == argv[1] {
			return c, nil
		}
	}
	return fail("Unknown command: '" + argv[1] + "'")
}

// Request is what store, get and erase are given.
type Request struct {
	Type   string
	ID     string // the Server URL or other name, letter for letter; "" unless IDIsText
	Secret secret.Text

	// IDIsText is false when the ID holds bytes that are no UTF-8 or half a surrogate pair:
	// such an ID is nobody's Server URL, and ID does not hold it.
	IDIsText bool
}

// DecodeRequest reads the object that MySQL Shell writes for command (store, get or erase).
// Names are case-sensitive, unknown members are ignored, and of two members of one name the
// first counts, as in Oracle's helpers. ServerURL is read before SecretID: 9.4 and later send
// both, older Shells the former only. The errors have Oracle's texts and hold no part of input.
func DecodeRequest(command string, input []byte) (Request, error) {
	members, err := decodeObject(input)
	if err != nil {
		return Request{}, err
	}
	var r Request
	if r.Type, _, err = stringMember(members, "SecretType"); err != nil {
		return Request{}, err
	}
	id, isText, err := stringMember(members, idName(members))
	if err != nil {
		return Request{}, err
	}
	if r.IDIsText = isText; isText {
		r.ID = id
	}
	if command == "store" {
		s, _, err := stringMember(members, "Secret")
		if err != nil {
			return Request{}, err
		}
		r.Secret = secret.New(s)
	}
	return r, nil
}

// Server returns the Server URL, when the request is about the password of a database server with a
// host name, which may be ours. Everything else belongs to another helper.
func (r Request) Server() (server.URL, bool) {
	if r.Type != TypePassword || !r.IDIsText {
		return server.URL{}, false
	}
	u, err := server.Parse(r.ID)
	return u, err == nil && u.Kind == server.TCP
}

// idName is the member that holds the ID: ServerURL, or else SecretID.
func idName(members map[string]json.RawMessage) string {
	if _, ok := members["ServerURL"]; ok {
		return "ServerURL"
	}
	return "SecretID"
}

// DecodeFilter reads what list was given: nothing at all, or an object with a SecretType, of
// which "" means every type.
func DecodeFilter(input []byte) (string, error) {
	if len(bytes.TrimSpace(input)) == 0 {
		return "", nil
	}
	members, err := decodeObject(input)
	if err != nil {
		return "", err
	}
	if _, ok := members["SecretType"]; !ok {
		return "", nil
	}
	t, _, err := stringMember(members, "SecretType")
	return t, err
}

// Complete reports whether input is one whole JSON value, after which a sender has no more to say.
func Complete(input []byte) bool { return json.Valid(input) }

func decodeObject(input []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(input))
	var whole json.RawMessage
	if err := json.Unmarshal(input, &whole); err != nil {
		return nil, unparsable(err)
	}
	first, err := d.Token()
	if err != nil {
		return nil, unparsable(err)
	}
	if first != json.Delim('{') {
		return nil, Message("Failed to parse JSON: expected an object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, unparsable(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, unparsable(err)
		}
		if _, seen := members[name.(string)]; !seen {
			members[name.(string)] = value
		}
	}
	return members, nil
}

func unparsable(err error) error { return Message("Failed to parse JSON: " + parseProblem(err)) }

// parseProblem words a JSON error without quoting the input.
func parseProblem(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		if syntax.Offset == 0 || strings.Contains(syntax.Error(), "unexpected end") {
			return "the text ends too early"
		}
		return fmt.Sprintf("syntax error at byte %d", syntax.Offset)
	}
	return err.Error()
}

// stringMember returns a member's string, and whether all of its bytes survived decoding as text.
func stringMember(members map[string]json.RawMessage, name string) (s string, isText bool, err error) {
	raw, ok := members[name]
	if !ok {
		return "", false, Message(`"` + name + `" is missing`)
	}
	if len(raw) == 0 || raw[0] != '"' {
		return "", false, Message(`"` + name + `" should be a string`)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false, unparsable(err)
	}
	return s, utf8.Valid(raw) && !strings.ContainsRune(s, utf8.RuneError), nil
}

// Credential is the answer to get for the credential (TypePassword, id): the members of both
// generations, in the order that 9.4 and later write them. It reveals the secret: it is the reply.
func Credential(id string, s secret.Text) []byte {
	var b bytes.Buffer
	writeID(&b, id)
	b.WriteString(`,"Secret":`)
	writeString(&b, s.Reveal())
	b.WriteString("}")
	return b.Bytes()
}

// IsCredential reports whether a helper's answer to get is one that MySQL Shell takes: it wants a
// type, an ID and a secret.
func IsCredential(reply []byte) bool {
	members, err := decodeObject(reply)
	if err != nil {
		return false
	}
	for _, name := range []string{"SecretType", idName(members), "Secret"} {
		if _, _, err := stringMember(members, name); err != nil {
			return false
		}
	}
	return true
}

// GetRequest is the request for the password of a Server URL, in the words of all versions.
func GetRequest(serverURL string) []byte {
	var b bytes.Buffer
	writeID(&b, serverURL)
	b.WriteString("}")
	return b.Bytes()
}

// writeID begins the object of the credential (TypePassword, id), in both generations' words.
func writeID(b *bytes.Buffer, id string) {
	b.WriteString(`{"SecretType":"` + TypePassword + `","SecretID":`)
	writeString(b, id)
	b.WriteString(`,"ServerURL":`)
	writeString(b, id)
}

func writeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string into memory cannot fail
	b.Truncate(b.Len() - 1)
}

// List is the answer to list: our passwords' IDs, then the entries of another helper's answer,
// each kept byte for byte. No credential stands in it twice, and with a filter only those of
// that type. An error says that other is no answer to list; the result then holds ours alone.
func List(ours []string, other []byte, filter string) ([]byte, error) {
	seen := map[key]bool{}
	var entries [][]byte
	if filter == "" || filter == TypePassword {
		for _, id := range ours {
			k := key{TypePassword, id}
			if seen[k] {
				continue
			}
			seen[k] = true
			var b bytes.Buffer
			writeID(&b, id)
			b.WriteString("}")
			entries = append(entries, b.Bytes())
		}
	}
	var err error
	if len(bytes.TrimSpace(other)) > 0 {
		var theirs []json.RawMessage
		if err = json.Unmarshal(other, &theirs); err != nil {
			err = fmt.Errorf("the other helper's list is no JSON array: %s", parseProblem(err))
		}
		for _, raw := range theirs {
			k, ok := entryKey(raw)
			if ok && (seen[k] || filter != "" && k.typ != filter) {
				continue
			}
			if ok {
				seen[k] = true
			}
			entries = append(entries, raw)
		}
	}
	return append(append([]byte{'['}, bytes.Join(entries, []byte{','})...), ']'), err
}

// Filter is the request that asks a helper to list credentials of one type (9.4 and later;
// earlier ones don't read it).
func Filter(typ string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"SecretType":`)
	writeString(&b, typ)
	b.WriteString("}")
	return b.Bytes()
}

// Listed reports whether a helper's answer to list holds the credential (typ, id).
func Listed(list []byte, typ, id string) bool {
	var entries []json.RawMessage
	if json.Unmarshal(list, &entries) != nil {
		return false
	}
	for _, raw := range entries {
		if k, ok := entryKey(raw); ok && k == (key{typ, id}) {
			return true
		}
	}
	return false
}

// key names a credential in a list.
type key struct{ typ, id string }

// entryKey names the credential that an entry of a list stands for. Bytes that are no text are
// kept apart by comparing the raw JSON string instead of its decoded form.
func entryKey(raw json.RawMessage) (k key, ok bool) {
	members, err := decodeObject(raw)
	if err != nil {
		return k, false
	}
	name := idName(members)
	typ, _, err := stringMember(members, "SecretType")
	if err != nil {
		return k, false
	}
	id, isText, err := stringMember(members, name)
	if err != nil {
		return k, false
	}
	if !isText {
		id = "\x00raw" + string(members[name])
	}
	return key{typ, id}, true
}
