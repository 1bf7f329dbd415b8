// Package secret holds text that must not be shown: tokens, passwords and keys.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Text is a secret. Every way of printing, logging or encoding it gives "[redacted]";
// only [Text.Reveal] gives the text.
type Text struct {
	// Behind a pointer: where fmt can't call Format (an unexported field, the verb %p) it prints
	// the field itself, which is then an address.
	s *string
	_ [0]func() // no ==: it would compare addresses
}

// New makes a secret of s.
func New(s string) Text { return Text{s: &s} }

// Reveal returns the secret itself. It is called where the secret leaves for its one lawful
// destination: the reply to MySQL Shell and the private cache file.
func (t Text) Reveal() string {
	if t.s == nil {
		return ""
	}
	return *t.s
}

// Format hides the secret under every verb of package fmt.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String hides the secret.
func (t Text) String() string { return redacted }

// GoString hides the secret.
func (t Text) GoString() string { return redacted }

// LogValue hides the secret in package slog's records.
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret in JSON and other encodings.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }
