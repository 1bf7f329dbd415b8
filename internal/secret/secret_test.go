package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/secret"
)

const plain = "hunter2-token"

type exported struct{ Token secret.Text }

// Package fmt can call no method on what an unexported field holds.
type unexported struct{ token secret.Text }

type deep struct {
	list []*unexported
	Map  map[string]exported
	any  any
}

func values() map[string]any {
	s := secret.New(plain)
	return map[string]any{
		"alone":               s,
		"pointer":             &s,
		"slice":               []secret.Text{s},
		"array":               [1]secret.Text{s},
		"slice of pointers":   []*secret.Text{&s},
		"map":                 map[string]secret.Text{"k": s},
		"interface":           any(s),
		"exported field":      exported{s},
		"pointer to exported": &exported{s},
		"unexported field":    unexported{s},
		"pointer to unexp.":   &unexported{s},
		"deep":                deep{[]*unexported{{s}}, map[string]exported{"k": {s}}, s},
		"error":               fmt.Errorf("sign: %w %v", fmt.Errorf("%q", s), unexported{s}),
	}
}

// checkHidden looks for the secret's bytes in every form that a verb could give them.
func checkHidden(t *testing.T, how, text string) {
	t.Helper()
	for form, bad := range map[string]string{
		"plain":     plain,
		"hex":       fmt.Sprintf("%x", plain),
		"HEX":       fmt.Sprintf("%X", plain),
		"spacedhex": fmt.Sprintf("% x", plain),
		"bytes":     strings.Trim(fmt.Sprintf("%d", []byte(plain)), "[]"),
	} {
		if strings.Contains(text, bad) {
			t.Errorf("%s shows the secret (%s): %s", how, form, text)
		}
	}
}

func TestFmtHides(t *testing.T) {
	t.Parallel()
	verbs := []string{
		"%v", "%+v", "%#v", "%s", "%q", "%#q", "%+q", "%x", "%X", "% x", "%#x", "%d", "%c", "%U", "%b", "%o", "%O", "%e", "%f", "%g",
		"%t", "%p", "%w", "%z", "%!", "%100v", "%-5s", "%.3s", "%[1]v",
	}
	for name, v := range values() {
		for _, verb := range verbs {
			checkHidden(t, "Sprintf "+verb+" of "+name, fmt.Sprintf(verb, v))
		}
		checkHidden(t, "Sprint of "+name, fmt.Sprint(v))
		checkHidden(t, "Sprintln of "+name, fmt.Sprintln(v, v))
		for how, format := range map[string]string{"a superfluous argument": "x", "a width": "%*d"} {
			checkHidden(t, how+", "+name, fmt.Sprintf(format, v, 1))
		}
	}
	if got := fmt.Sprintf("%v|%s|%#v|%x", secret.New(plain), secret.New(plain), secret.New(plain), exported{secret.New(plain)}); got != "[redacted]|[redacted]|[redacted]|{[redacted]}" {
		t.Errorf("got %s", got)
	}
}

func TestLogsHide(t *testing.T) {
	t.Parallel()
	for name, v := range values() {
		var b bytes.Buffer
		options := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
		for _, h := range []slog.Handler{slog.NewTextHandler(&b, options), slog.NewJSONHandler(&b, options)} {
			l := slog.New(h).With("with", v).WithGroup("g")
			l.Debug("msg", "value", v, slog.Group("inner", "value", v), slog.Any("list", []any{v}))
		}
		if strings.Count(b.String(), "\n") != 2 {
			t.Errorf("%s: want a line from each of two handlers:\n%s", name, &b)
		}
		checkHidden(t, "slog of "+name, b.String())
	}
}

func TestLogValue(t *testing.T) {
	t.Parallel()
	if got := secret.New(plain).LogValue().String(); got != "[redacted]" {
		t.Errorf("LogValue = %s", got)
	}
}

func TestEncodingsHide(t *testing.T) {
	t.Parallel()
	for name, v := range values() {
		b, err := json.Marshal(v)
		if err != nil {
			t.Errorf("json.Marshal of %s: %v", name, err)
		}
		checkHidden(t, "json.Marshal of "+name, string(b))
		b, err = xml.Marshal(v)
		if err == nil {
			checkHidden(t, "xml.Marshal of "+name, string(b))
		}
	}
	b, err := json.Marshal(exported{secret.New(plain)})
	if err != nil || string(b) != `{"Token":"[redacted]"}` {
		t.Errorf("json.Marshal = %s, %v", b, err)
	}
}

func TestReveal(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", plain, "\x00\xff"} {
		text := secret.New(s)
		if text.Reveal() != s {
			t.Errorf("New(%q).Reveal() = %q", s, text.Reveal())
		}
	}
	var zero secret.Text
	if zero.Reveal() != "" || zero.String() != "[redacted]" {
		t.Errorf("the zero value: %q, shown as %s", zero.Reveal(), zero)
	}
}
