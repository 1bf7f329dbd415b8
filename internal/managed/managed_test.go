package managed

import (
	"strings"
	"testing"

	"mysql-secret-store-rds/internal/server"
)

// TestPassword: what is a password, and what isn't, without a word of it in the error.
func TestPassword(t *testing.T) {
	t.Parallel()
	r := reader{secret: server.Secret{ID: "prod/x"}, user: "admin"}
	for text, want := range map[string]string{
		`{"username":"admin","password":"s3cret"}`:                                        "s3cret",
		`{"password":"s3cret"}`:                                                           "s3cret",
		`{"username":"","password":"s3cret"}`:                                             "s3cret",
		` {"engine":"mysql","port":3306,"username":"admin","password":"s3cret","x":[1]} `: "s3cret",
		`{"password":"a\"b\\c\u00e9\ud83d\ude00\ufffd"}`:                                  "a\"b\\cé😀\uFFFD",
		`{"Password":"other","password":"s3cret"}`:                                        "s3cret",
		`{"username":"Admin","password":"s3cret"}`:                                        `has the password of the database user "Admin", and that of "admin" is wanted`,
		`{"username":["s3cret"],"password":"s3cret"}`:                                     `has a "username" that is no text`,
		`{"Password":"s3cret"}`:                                                           `has no "password"`,
		`{"password":""}`:                                                                 `has a "password" that is empty`,
		`{"password":null}`:                                                               `has a "password" that is empty`,
		`{"password":5}`:                                                                  `has a "password" that is no text`,
		`{"password":{"s3cret":"s3cret"}}`:                                                `has a "password" that is no text`,
		`{"password":"s3cret\ud800"}`:                                                     `has a "password" that is no text`,
		`"s3cret"`:                                                                        "is no JSON object",
		`["s3cret"]`:                                                                      "is no JSON object",
		`null`:                                                                            "is no JSON object",
		``:                                                                                "is no JSON object",
		`s3cret`:                                                                          "is no JSON object",
		`{"username":"admin","password":"s3cret"`:                                         "is no JSON object",
		"\ufeff" + `{"username":"admin","password":"s3cret"}`:                             "is no JSON object",
		`{"username":"admin","password":"s3cret"}{"username":"admin","password":"another"}`: "is no JSON object",
	} {
		got, err := r.password(text)
		switch {
		case err == nil && got.Reveal() != want:
			t.Errorf("%s: %q, want %q", text, got.Reveal(), want)
		case err != nil && (!strings.HasPrefix(err.Error(), "the secret prod/x "+want) || strings.Contains(err.Error(), "s3cret")):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzPassword: no text ends the program, and no error has a part of the password.
func FuzzPassword(f *testing.F) {
	f.Add(`{"username":"admin","password":"s3cret"}`)
	f.Add(`{"username":"other","password":"s3cret"}`)
	f.Add(`{"password":["s3cret"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		r := reader{secret: server.Secret{ID: "prod/x"}, user: "admin"}
		p, err := r.password(text)
		if err != nil && p.Reveal() != "" || err == nil && p.Reveal() == "" {
			t.Errorf("%q, %v", p.Reveal(), err)
		}
		if err != nil && strings.Contains(text, "s3cret") && !strings.Contains(text, "username") &&
			strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	})
}
