package server

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTyped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Typed{
		"orders":           {URL: URL{Host: "orders"}},
		"orders:3307":      {URL: URL{Host: "orders", Port: 3307}},
		"dba@orders":       {URL: URL{User: "dba", Host: "orders"}},
		"dba@h.example:1":  {URL: URL{User: "dba", Host: "h.example", Port: 1}},
		"dba@orders/shop":  {URL: URL{User: "dba", Host: "orders"}, Schema: "shop"},
		"[::1]:13306":      {URL: URL{Host: "::1", Port: 13306}},
		"dba@/tmp%2Fsock":  {URL: URL{Kind: Socket, User: "dba", Path: "/tmp/sock"}},
		"dba@(/tmp/sock)":  {URL: URL{Kind: Socket, User: "dba", Path: "/tmp/sock"}},
		"ssh://me@bastion": {URL: URL{Kind: SSH, User: "me", Host: "bastion"}},
		"mysql://orders":   {URL: URL{Host: "orders"}},
		"MySQL://dba@h:3306/my%20shop?ssl-mode=REQUIRED&compression=x": {
			URL: URL{User: "dba", Host: "h", Port: 3306}, Schema: "my shop", Options: []string{"ssl-mode", "compression"},
		},
		"mysql://d%40a@[::1]:3306/": {URL: URL{User: "d@a", Host: "::1", Port: 3306}},
	} {
		got, err := ParseTyped(text)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v, %s", text, err, d)
		}
	}
	for text, want := range map[string]string{
		"dba:geheim@orders":                        "a password in the URL",
		"mysql://dba:geheim@h:3306/shop":           "a password in the URL",
		"mysql://dba:geheim/x?y@h@z":               "a password in the URL",
		"mysqlx://dba:geheim@h":                    "RDS doesn't speak the X protocol",
		"postgres://dba@h":                         "a scheme other than ssh and file",
		"mysql://dba@h:geheim":                     "the port is not a number",
		"mysql://@h":                               "an empty user",
		"team=web":                                 "",
		"orders*":                                  "",
		"mysql://dba@h/%ff?password=geheim&geheim": "not valid UTF-8 once decoded",
	} {
		_, err := ParseTyped(text)
		switch {
		case (err != nil) != (want != "") || err != nil && err.Error() != want:
			t.Errorf("%s: %v, want %q", text, err, want)
		case err != nil && strings.Contains(err.Error(), "geheim"):
			t.Errorf("%s: the error repeats what is secret: %v", text, err)
		}
	}
}
