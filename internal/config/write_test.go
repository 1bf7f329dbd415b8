package config

import (
	"errors"
	"strings"
	"testing"
)

// TestAdd: a section that is there already can't be written once more.
func TestAdd(t *testing.T) {
	t.Parallel()
	for text, there := range map[string]bool{
		"": false, "# accounts:\n": false, "defaults:\n  db_user: x\n": false,
		"accounts:\n  bbbbbbbbbbbb: prod\n": true, "timeout: 5s\naccounts : {}\n": true, "\"accounts\": {}\n": true,
	} {
		want := `write into config.yaml:  accounts: {abcdefghijkl: PROFILE}`
		if there {
			want = `add to config.yaml, under accounts:  abcdefghijkl: PROFILE`
		}
		c, err := Parse("config.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.SetAccount("abcdefghijkl", "aws_profile", "PROFILE"); got.String() != want || got.Command {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestSetAccount: an account has one entry, which may be no more than its profile.
func TestSetAccount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"accounts: {}": `add to config.yaml, under accounts:  abcdefghijkl: {ssl_ca: /x}`,
		"accounts:\n  abcdefghijkl: prod": `set in accounts: abcdefghijkl (config.yaml:2):  ` +
			`abcdefghijkl: {aws_profile: prod, ssl_ca: /x}`,
		"accounts:\n  abcdefghijkl: {aws_profile: prod, db_user: x}": `set in accounts: abcdefghijkl (config.yaml:2):  ssl_ca: /x`,
	} {
		c, err := Parse("config.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.SetAccount("abcdefghijkl", "ssl_ca", "/x"); got.String() != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestPastesAreRead: what is to be pasted says what it should, as it stands, wherever it goes.
func TestPastesAreRead(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"prod", "my profile", "it's", "0123", "no", "a: b", "a, b", "{x}", "#x", "prod:", "-", "é", "123456789012_Admin", "~"} {
		for _, text := range []string{"", "accounts:\n  bbbbbbbbbbbb: other\n", "accounts:\n  abcdefghijkl: old\n", "accounts:\n  abcdefghijkl: {db_user: x}\n"} {
			c, err := Parse("config.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			a := c.SetAccount("abcdefghijkl", "aws_profile", profile)
			after := pasted(text, a.Text, a.Paste)
			if c, err = Parse("config.yaml", []byte(after)); err != nil || c.Accounts["abcdefghijkl"].Profile != profile {
				t.Errorf("%v in %q: %v, %+v", a, after, err, c)
			}
		}
	}
}

// pasted puts text where the words say, as a person does.
func pasted(file, where, text string) string {
	switch {
	case strings.HasPrefix(where, "write into "):
		return file + text + "\n"
	case strings.HasPrefix(where, "add to "):
		return strings.Replace(file, "accounts:\n", "accounts:\n  "+text+"\n", 1)
	case strings.HasPrefix(text, "abcdefghijkl: "): // all of the entry
		return "accounts:\n  " + text + "\n"
	}
	return strings.Replace(file, "{", "{"+text+", ", 1)
}

// TestFlatMap: servers that stand at the top are answered with the text that may stand in their
// place.
func TestFlatMap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"my-endpoint.abcdefghijkl.us-east-1.rds.amazonaws.com:\n  aws_profile: profile_name\n  region: us-east-1\n": "write in its place:  servers: " +
			"{my-endpoint.abcdefghijkl.us-east-1.rds.amazonaws.com: {aws_profile: profile_name, region: us-east-1}}",
		"a.b:\n  aws_profile: my profile\n'[::1]:3307': {credential: none}\n": "write in its place:  servers: {a.b: {aws_profile: 'my profile'}, '[::1]:3307': {credential: none}}",
		"a.b: {user: x, profil: y}\na.c: {user: x}\n":                         "write a line \"servers:\" above them, and indent them by two blanks",
		"a.a: {user: x}\na.b: {user: x}\na.c: {user: x}\na.d: {user: x}\n":    "write a line \"servers:\" above them, and indent them by two blanks",
	} {
		_, err := Parse("config.yaml", []byte(text))
		e, ok := errors.AsType[*Error](err)
		if !ok || len(e.Do) != 1 || e.Do[0].String() != want {
			t.Errorf("%q: %+v", text, err)
			continue
		}
		if paste := e.Do[0].Paste; paste != "" {
			if _, err := Parse("config.yaml", []byte(paste)); err != nil {
				t.Errorf("%s: %v", paste, err)
			}
		}
	}
}

// TestQuote: a profile's name is read as it is, whatever YAML makes of such a word.
func TestQuote(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"prod-dba", "123456789012", "012", "true", "No", "null", "~", "a: b", "- x", "a #b", "team/dba", `q"uote`, "*x", "é"} {
		c := mustParse(t, "accounts:\n  abc: "+Quote(name)+"\n")
		if got := c.Accounts["abc"].Profile; got != name {
			t.Errorf("%s is read as %q", Quote(name), got)
		}
	}
	if got := Quote("prod-dba"); got != "prod-dba" {
		t.Errorf("plain text is quoted: %s", got)
	}
}
