package setup

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestSetMember(t *testing.T) {
	t.Parallel()
	const key = "credentialStore.helper"
	for _, tc := range []struct{ name, text, set, removed string }{
		{"no file", "", "{\"credentialStore.helper\": \"rds\"}\n", ""},
		{"white space", " \n", "{\"credentialStore.helper\": \"rds\"}\n", " \n"},
		{"empty", "{}", `{"credentialStore.helper": "rds"}`, "{}"},
		{"alone", `{"credentialStore.helper": "keychain"}`, `{"credentialStore.helper": "rds"}`, "{}"},
		{"first", "{\r\n\t\"credentialStore.helper\":\"keychain\",\r\n\t\"a\": [1, {\"credentialStore.helper\": 2}]\r\n}\r\n",
			"{\r\n\t\"credentialStore.helper\":\"rds\",\r\n\t\"a\": [1, {\"credentialStore.helper\": 2}]\r\n}\r\n",
			"{\r\n\t\"a\": [1, {\"credentialStore.helper\": 2}]\r\n}\r\n"},
		{"last", `{"a":1,"credentialStore.helper":null}`, `{"a":1,"credentialStore.helper":"rds"}`, `{"a":1}`},
		{"missing", "{\n    \"a\": \"}\",\n    \"b\": 2\n}\n", "{\n    \"a\": \"}\",\n    \"b\": 2,\n    \"credentialStore.helper\": \"rds\"\n}\n",
			"{\n    \"a\": \"}\",\n    \"b\": 2\n}\n"},
		{"twice", `{"credentialStore.helper":"x","credentialStore.helper":"y"}`, `{"credentialStore.helper":"x","credentialStore.helper":"rds"}`, `{"credentialStore.helper":"x"}`},
		{"escaped", `{"\u0063redentialStore.helper": "x", "b": 1}`, `{"\u0063redentialStore.helper": "rds", "b": 1}`, `{"b": 1}`},
	} {
		got, err := setMember([]byte(tc.text), key, json.RawMessage(`"rds"`))
		if diff := cmp.Diff(tc.set, string(got)); diff != "" || err != nil {
			t.Errorf("%s: set: %v\n%s", tc.name, err, diff)
		}
		got, err = setMember([]byte(tc.text), key, nil)
		if diff := cmp.Diff(tc.removed, string(got)); diff != "" || err != nil {
			t.Errorf("%s: removed: %v\n%s", tc.name, err, diff)
		}
	}
	for _, text := range []string{"[]", "null", "{", `{"a":1`, `{"a":1}x`, `{"a" 1}`, "\ufeff{}", `{"a":1,}`} {
		if got, err := setMember([]byte(text), key, json.RawMessage(`"rds"`)); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// FuzzSetMember: what is set is there, the bytes of nothing else change, and taking it back gives
// the text from before.
func FuzzSetMember(f *testing.F) {
	for _, text := range []string{
		"", " ", "\v", "{}\v", "{ }", "{\n}", `{"a":1}`, "{\n  \"a\": 1,\n  \"k\": \"v\"\n}\n", `{"k":{"k":[]},"b":"\"}"}`, "{\r\n\t\"k\":null\r\n}\r\n", `{"k":1,"a":-0.5e3 ,"k":2}`,
		`{"\u006b":"x","a":true}`, "{\"a\xff\":\"\xfe\"}", `{"a":"\u003c"}x`, "\ufeff{}", `{"a":1,}`, `{"a" 1}`, "[]", "null", `{"":{}}`,
	} {
		f.Add([]byte(text), "k", "\"rds\"")
	}
	f.Add([]byte(`{"credentialStore.helper":"<disabled>"}`), "credentialStore.helper", "[1, {}]")
	f.Add([]byte(`{"a":"b"}`), "\"\\\n", "null")
	f.Fuzz(func(t *testing.T, text []byte, key, value string) {
		if !utf8.ValidString(key) || value == "" || strings.TrimSpace(value) != value || !json.Valid([]byte(value)) {
			return
		}
		var was map[string]json.RawMessage
		empty := strings.Trim(string(text), " \t\r\n") == ""
		readable := empty || json.Unmarshal(text, &was) == nil && was != nil // encoding/json is the peer
		before, err := member(text, key)
		if (err == nil) != readable {
			t.Fatalf("%q: %v", text, err)
		}
		changed, err := setMember(text, key, json.RawMessage(value))
		if (err == nil) != readable {
			t.Fatalf("%q: set: %v", text, err)
		}
		if !readable {
			return
		}
		if now, err := member(changed, key); err != nil || string(now) != value {
			t.Fatalf("%q became %q, where it is %s, %v", text, changed, now, err)
		}
		if diff := cmp.Diff(others(t, text, key), others(t, changed, key)); diff != "" {
			t.Fatalf("%q became %q:\n%s", text, changed, diff)
		}
		switch back, err := setMember(changed, key, before); {
		case err != nil:
			t.Fatalf("%q: back: %v", changed, err)
		case empty && !isEmpty(back), !empty && !bytes.Equal(back, text):
			t.Fatalf("%q came back as %q", text, back)
		}
		without, err := setMember(text, key, nil)
		if err != nil {
			t.Fatalf("%q: removed: %v", text, err)
		}
		if before == nil && !bytes.Equal(without, text) {
			t.Fatalf("without what was not in it %q is %q", text, without)
		}
		if diff := cmp.Diff(others(t, text, key), others(t, without, key)); diff != "" {
			t.Fatalf("%q became %q:\n%s", text, without, diff)
		}
	})
}

// others returns the bytes of all members but those with a key, from their own key on.
func others(t *testing.T, text []byte, key string) []string {
	t.Helper()
	list := []string{}
	if blank(text) {
		return list
	}
	all, _, err := members(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for _, m := range all {
		if m.key != key {
			list = append(list, string(text[m.start:m.end]))
		}
	}
	return list
}
