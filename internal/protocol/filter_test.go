package protocol

import (
	"encoding/json"
	"errors"
	"testing"
)

// FuzzDecodeFilter: what list was given is a type as encoding/json reads it, or an error for the Shell.
func FuzzDecodeFilter(f *testing.F) {
	for _, text := range []string{"", " ", "{}", `{"SecretType":"password"}`, `{"SecretType":1}`,
		`{"secrettype":"x"}`, "null", "[]", `{"SecretType":"a","SecretType":"b"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		kind, err := DecodeFilter(input)
		if err != nil {
			if m := Message(""); !errors.As(err, &m) || kind != "" {
				t.Fatalf("%v (%T) beside %q", err, err, kind)
			}
			return
		}
		if kind != "" && !json.Valid(input) {
			t.Fatalf("%q is no JSON, and its type is %q", input, kind)
		}
	})
}
