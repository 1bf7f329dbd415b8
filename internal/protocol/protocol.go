// Package protocol is the language that MySQL Shell and a credential helper speak: one JSON
// object in, one JSON value or one fixed message out. Its only documentation is MySQL Shell's
// source (mysqlshdk/libs/secret-store-api and mysql-secret-store/core, 8.0.12 to 9.6.0).
package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	case !slices.Contains(Commands[:], argv[1]):
		return fail("Unknown command: '" + argv[1] + "'")
	}
	return argv[1], nil
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
	if r.Type, _, err = members.text("SecretType"); err != nil {
		return Request{}, err
	}
	id, isText, err := members.text(members.idName())
	if err != nil {
		return Request{}, err
	}
	if r.IDIsText = isText; isText {
		r.ID = id
	}
	if command == "store" {
		s, _, err := members.text("Secret")
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
	t, _, err := members.text("SecretType")
	return t, err
}

// Complete reports whether input is one whole JSON value, after which a sender has no more to say.
func Complete(input []byte) bool { return json.Valid(input) }

// object is a JSON object, by the names of its members.
type object map[string]json.RawMessage

func decodeObject(input []byte) (object, error) {
	var whole json.RawMessage
	if err := json.Unmarshal(input, &whole); err != nil {
		return nil, unparsable(err)
	}
	d := json.NewDecoder(bytes.NewReader(input))
	switch first, err := d.Token(); {
	case err != nil:
		return nil, unparsable(err)
	case first != json.Delim('{'):
		return nil, Message("Failed to parse JSON: expected an object")
	}
	members := object{}
	for d.More() { // nothing fails here, as all of it is JSON
		name, _ := d.Token()
		var value json.RawMessage
		_ = d.Decode(&value)
		if _, seen := members[name.(string)]; !seen {
			members[name.(string)] = value
		}
	}
	return members, nil
}

// idName is the member that holds the ID: ServerURL, or else SecretID.
func (o object) idName() string {
	if _, ok := o["ServerURL"]; ok {
		return "ServerURL"
	}
	return "SecretID"
}

// text returns a member's string, and whether all of its bytes survived decoding as text.
func (o object) text(name string) (s string, isText bool, err error) {
	raw, ok := o[name]
	switch {
	case !ok:
		return "", false, Message(`"` + name + `" is missing`)
	case raw[0] != '"':
		return "", false, Message(`"` + name + `" should be a string`)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false, unparsable(err)
	}
	return s, utf8.Valid(raw) && !strings.ContainsRune(s, utf8.RuneError), nil
}

func unparsable(err error) error { return Message("Failed to parse JSON: " + parseProblem(err)) }

// parseProblem words a JSON error without quoting the input.
func parseProblem(err error) string {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	switch {
	case !ok:
		return err.Error()
	case syntax.Offset == 0 || strings.Contains(syntax.Error(), "unexpected end"):
		return "the text ends too early"
	}
	return fmt.Sprintf("syntax error at byte %d", syntax.Offset)
}

// credential is what names one (TypePassword, id), in the words of both generations and in the
// order that 9.4 and later write them.
type credential struct{ SecretType, SecretID, ServerURL string }

func named(id string) credential { return credential{TypePassword, id, id} }

// Credential is the answer to get for the credential (TypePassword, id). It reveals the secret: it
// is the reply.
func Credential(id string, s secret.Text) []byte {
	return encode(struct {
		credential
		Secret string
	}{named(id), s.Reveal()})
}

// IsCredential reports whether a helper's answer to get is one that MySQL Shell takes: it wants a
// type, an ID and a secret.
func IsCredential(reply []byte) bool {
	members, err := decodeObject(reply)
	if err != nil {
		return false
	}
	for _, name := range []string{"SecretType", members.idName(), "Secret"} {
		if _, _, err := members.text(name); err != nil {
			return false
		}
	}
	return true
}

// Secret is the secret in a helper's answer to get that [IsCredential] takes.
func Secret(reply []byte) secret.Text {
	members, _ := decodeObject(reply)
	text, _, _ := members.text("Secret")
	return secret.New(text)
}

// GetRequest is the request for the password of a Server URL, in the words of all versions.
func GetRequest(serverURL string) []byte { return encode(named(serverURL)) }

// Filter is the request that asks a helper to list credentials of one type (9.4 and later;
// earlier ones don't read it).
func Filter(typ string) []byte { return encode(map[string]string{"SecretType": typ}) }

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // texts into memory cannot fail
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// List is the answer to list: our passwords' IDs, then the entries of another helper's answer,
// each kept byte for byte. No credential stands in it twice, and with a filter only those of
// that type. An error says that other is no answer to list; the result then holds ours alone.
func List(ours []string, other []byte, filter string) ([]byte, error) {
	var entries [][]byte
	for _, id := range ours {
		entries = append(entries, GetRequest(id))
	}
	var theirs []json.RawMessage
	var err error
	if len(bytes.TrimSpace(other)) > 0 {
		if err = json.Unmarshal(other, &theirs); err != nil {
			err = fmt.Errorf("the other helper's list is no JSON array: %s", parseProblem(err))
		}
	}
	for _, raw := range theirs {
		entries = append(entries, raw)
	}
	seen := map[key]bool{}
	entries = slices.DeleteFunc(entries, func(raw []byte) bool {
		k, ok := entryKey(raw)
		again := seen[k]
		seen[k] = true
		return ok && (again || filter != "" && k.typ != filter)
	})
	return slices.Concat([]byte{'['}, bytes.Join(entries, []byte{','}), []byte{']'}), err
}

// Listed reports whether a helper's answer to list holds the credential (typ, id).
func Listed(list []byte, typ, id string) bool {
	var entries []json.RawMessage
	return json.Unmarshal(list, &entries) == nil && slices.ContainsFunc(entries, func(raw json.RawMessage) bool {
		k, ok := entryKey(raw)
		return ok && k == key{typ, id}
	})
}

// key names a credential in a list.
type key struct{ typ, id string }

// entryKey names the credential that an entry of a list stands for. Bytes that are no text are
// kept apart by comparing the raw JSON string instead of its decoded form.
func entryKey(raw []byte) (k key, ok bool) {
	members, err := decodeObject(raw)
	if err != nil {
		return k, false
	}
	typ, _, err1 := members.text("SecretType")
	id, isText, err2 := members.text(members.idName())
	if !isText {
		id = "\x00raw" + string(members[members.idName()])
	}
	return key{typ, id}, err1 == nil && err2 == nil
}
