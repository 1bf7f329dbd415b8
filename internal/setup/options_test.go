package setup

import (
	"bytes"
	"encoding/json"
	"testing"

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

// FuzzSetMember: what is set is there, nothing else changes, and taking it back gives the text from before.
func FuzzSetMember(f *testing.F) {
	f.Add([]byte("{\n  \"a\": 1,\n  \"k\": \"v\"\n}\n"))
	f.Add([]byte(`{"k":{"k":[]},"b":"\"}"}`))
	f.Add([]byte("{ }"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before, err := member(text, "k")
		if err != nil {
			return
		}
		changed, err := setMember(text, "k", json.RawMessage(`"rds"`))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if now, err := member(changed, "k"); err != nil || string(now) != `"rds"` {
			t.Fatalf("%q became %q, where it is %s, %v", text, changed, now, err)
		}
		var was, is map[string]json.RawMessage
		if len(bytes.TrimSpace(text)) > 0 {
			if err := json.Unmarshal(text, &was); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
		if err := json.Unmarshal(changed, &is); err != nil {
			t.Fatalf("%q: %v", changed, err)
		}
		delete(was, "k")
		delete(is, "k")
		if len(was) != len(is) {
			t.Fatalf("%q became %q", text, changed)
		}
		for name, value := range was {
			if !bytes.Equal(value, is[name]) {
				t.Fatalf("%s of %q became %s", name, text, is[name])
			}
		}
		if len(bytes.TrimSpace(text)) == 0 {
			return
		}
		if back, err := setMember(changed, "k", before); err != nil || !bytes.Equal(back, text) {
			t.Fatalf("%q came back as %q, %v", text, back, err)
		}
	})
}
