package server

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want URL
	}{
		{"host", "dba@db.example.com", URL{Kind: TCP, User: "dba", Host: "db.example.com"}},
		{"host and port", "dba@db.example.com:3307", URL{Kind: TCP, User: "dba", Host: "db.example.com", Port: 3307}},
		{"highest port", "dba@h:65535", URL{Kind: TCP, User: "dba", Host: "h", Port: 65535}},
		{"lowest port", "dba@h:1", URL{Kind: TCP, User: "dba", Host: "h", Port: 1}},
		{"letter case kept", "Dba@DB.Example.COM", URL{Kind: TCP, User: "Dba", Host: "DB.Example.COM"}},
		{"final dot kept", "dba@db.example.com.", URL{Kind: TCP, User: "dba", Host: "db.example.com."}},
		{"one label", "root@localhost", URL{Kind: TCP, User: "root", Host: "localhost"}},
		{"IPv4", "root@127.0.0.1:13306", URL{Kind: TCP, User: "root", Host: "127.0.0.1", Port: 13306}},
		{"underscore in the host", "u@my_host", URL{Kind: TCP, User: "u", Host: "my_host"}},
		{"encoded host", "u@db%2Eexample%2ecom", URL{Kind: TCP, User: "u", Host: "db.example.com"}},
		{"host beyond ASCII", "u@b%C3%BCro", URL{Kind: TCP, User: "u", Host: "büro"}},

		// Oracle's tests use such users (unittest/mysql_secret_store_t.cc).
		{
			"encoded punctuation in the user",
			"test%21%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D@h:1",
			URL{Kind: TCP, User: "test!#$%&'()*+,/:;=?@[]", Host: "h", Port: 1},
		},
		{"lower-case escapes", "a%3ab@h", URL{Kind: TCP, User: "a:b", Host: "h"}},
		{"plus is plus", "a+b@h", URL{Kind: TCP, User: "a+b", Host: "h"}},
		{"encoded space", "a%20b@h", URL{Kind: TCP, User: "a b", Host: "h"}},
		{"user beyond ASCII", "%E2%98%83@h", URL{Kind: TCP, User: "☃", Host: "h"}},
		{"unencoded user beyond ASCII", "☃@h", URL{Kind: TCP, User: "☃", Host: "h"}},

		{"IPv6", "u@[::1]", URL{Kind: TCP, User: "u", Host: "::1"}},
		{"IPv6 and port", "u@[2001:DB8::1]:3306", URL{Kind: TCP, User: "u", Host: "2001:DB8::1", Port: 3306}},
		{"IPv6 with zone", "u@[fe80::1%25eth0]:3306", URL{Kind: TCP, User: "u", Host: "fe80::1%eth0", Port: 3306}},
		{"IPv4 in IPv6", "u@[::ffff:10.0.0.1]", URL{Kind: TCP, User: "u", Host: "::ffff:10.0.0.1"}},

		{"encoded socket", "u@/path%2Fto%2Fmysql.sock", URL{Kind: Socket, User: "u", Path: "/path/to/mysql.sock"}},
		{"wholly encoded socket", "u@%2Fpath%2fto", URL{Kind: Socket, User: "u", Path: "/path/to"}},
		{"wholly encoded socket, lower case", "u@%2fpath", URL{Kind: Socket, User: "u", Path: "/path"}},
		{"socket in parentheses", "u@(/path/to/mysql.sock)", URL{Kind: Socket, User: "u", Path: "/path/to/mysql.sock"}},
		{"pipe", `u@\\.\MySQL80`, URL{Kind: Pipe, User: "u", Path: `\\.\MySQL80`}},
		{"pipe with encoded space", `u@\\.\My%20SQL`, URL{Kind: Pipe, User: "u", Path: `\\.\My SQL`}},
		{"pipe in parentheses", `u@(\\.\MySQL80)`, URL{Kind: Pipe, User: "u", Path: `\\.\MySQL80`}},

		{"SSH", "ssh://me@jump.example.com:22", URL{Kind: SSH, User: "me", Host: "jump.example.com", Port: 22}},
		{"SSH without port", "ssh://me@Jump", URL{Kind: SSH, User: "me", Host: "Jump"}},
		{"SSH, IPv6", "ssh://me@[::1]:22", URL{Kind: SSH, User: "me", Host: "::1", Port: 22}},
		{"key file", "file:/home/me/.ssh/id_rsa", URL{Kind: File, Path: "/home/me/.ssh/id_rsa"}},
		{"key file with encoded space", "file:/home/my%20key", URL{Kind: File, Path: "/home/my key"}},
		{"key file with three slashes", "file:///home/key", URL{Kind: File, Path: "///home/key"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tt.in)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.in, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Fatalf("Parse(%q) (-want +got):\n%s", tt.in, diff)
			}
			again, err := Parse(got.String())
			if err != nil {
				t.Fatalf("Parse(%q), from String: %v", got.String(), err)
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("after String and Parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"nothing", "", "no user"},
		{"no user", "db.example.com:3306", "no user"},
		{"empty user", "@db.example.com", "an empty user"},
		{"password", "u:hunter2@h", "a password in the URL"},
		{"empty password", "u:@h", "a password in the URL"},
		{"password, SSH", "ssh://u:hunter2@h", "a password in the URL"},
		{"password with an @", "u@hunter2@h", "a character that no host name has"},

		{"schema", "u@h/sakila", "a character that no host name has"},
		{"schema after a port", "u@h:3306/sakila", "the port is not a number"},
		{"schema after IPv6", "u@[::1]/sakila", "text after the IPv6 address"},
		{"schema after IPv6 and port", "u@[::1]:3306/sakila", "the port is not a number"},
		{"options", "u@h?ssl-mode=REQUIRED", "a character that no host name has"},
		{"options after a port", "u@h:3306?ssl-mode=REQUIRED", "the port is not a number"},
		{"fragment", "u@h#x", "a character that no host name has"},

		{"scheme mysql", "mysql://u@h", "a scheme other than ssh and file"},
		{"scheme mysqlx", "mysqlx://u@h:33060", "a scheme other than ssh and file"},
		{"scheme in capitals", "SSH://u@h", "a scheme other than ssh and file"},
		{"SSH without user", "ssh://h", "no user"},
		{"SSH to a socket", "ssh://u@/tmp%2Fs", "an SSH server needs a host"},
		{"SSH to a pipe", `ssh://u@\\.\p`, "an SSH server needs a host"},
		{"key file without path", "file:", "file: without a path"},
		{"key file, bad escape", "file:/a%2", "an incomplete percent-encoding"},

		{"no host", "u@", "no host"},
		{"port without host", "u@:3306", "no host"},
		{"host of 256 bytes", "u@" + strings.Repeat("a", 256), "a host name of more than 255 bytes"},
		{"encoded slash in the host", "u@h%2Fx", "a character that no host name has"},
		{"encoded colon in the host", "u@h%3A3306", "a character that no host name has"},
		{"encoded space in the host", "u@h%20x", "a character that no host name has"},
		{"encoded line feed in the host", "u@h%0Ax", "a character that no host name has"},
		{"encoded per cent in the host", "u@h%25x", "a character that no host name has"},

		{"port 0", "u@h:0", "the port is not in 1..65535"},
		{"port 65536", "u@h:65536", "the port is not in 1..65535"},
		{"port beyond an int", "u@h:99999999999999999999", "the port is not in 1..65535"},
		{"empty port", "u@h:", "the port is not a number"},
		{"signed port", "u@h:+3306", "the port is not a number"},
		{"hexadecimal port", "u@h:0xCEA", "the port is not a number"},
		{"encoded port", "u@h:%33306", "the port is not a number"},
		{"two ports", "u@h:3306:3306", "the port is not a number"},
		{"port in Arabic digits", "u@h:٣٣٠٦", "the port is not a number"},
		{"IPv6, empty port", "u@[::1]:", "the port is not a number"},

		{"IPv6 without brackets", "u@::1", "no host"},
		{"open bracket", "u@[::1", "no ] after the IPv6 address"},
		{"IPv4 in brackets", "u@[127.0.0.1]", "not an IPv6 address in the brackets"},
		{"name in brackets", "u@[localhost]", "not an IPv6 address in the brackets"},
		{"empty brackets", "u@[]", "not an IPv6 address in the brackets"},
		{"empty zone", "u@[fe80::1%25]", "not an IPv6 address in the brackets"},
		{"unencoded zone", "u@[fe80::1%eth0]", "an invalid percent-encoding"},

		{"bad escape", "a%zzb@h", "an invalid percent-encoding"},
		{"signed escape", "a%+1b@h", "an invalid percent-encoding"},
		{"cut escape", "a%2@h", "an incomplete percent-encoding"},
		{"cut escape in the host", "u@h%", "an incomplete percent-encoding"},
		{"encoded NUL in the user", "a%00b@h", "a NUL character"},
		{"encoded NUL in the host", "u@h%00", "a NUL character"},
		{"encoded NUL in the socket", "u@/tmp%00", "a NUL character"},
		{"encoded NUL in the zone", "u@[fe80::1%25%00]", "a NUL character"},
		{"NUL", "u@h\x00", "contains a space or a control character"},
		{"space", "u @h", "contains a space or a control character"},
		{"line feed", "u@h\n", "contains a space or a control character"},
		{"delete", "u\x7f@h", "contains a space or a control character"},
		{"encoded bytes that are no UTF-8", "%FF@h", "not valid UTF-8 once decoded"},
		{"encoded surrogate", "%ED%A0%80@h", "not valid UTF-8 once decoded"},
		{"bytes that are no UTF-8", "\xff@h", "not valid UTF-8"},
		{"replacement character", "\ufffd@h", "not valid UTF-8"},

		{"empty parentheses", "u@()", "a character that no host name has"},
		{"host in parentheses", "u@(h)", "parentheses around neither a socket nor a pipe"},
		{"relative socket", "u@(tmp/s)", "parentheses around neither a socket nor a pipe"},
		{"open parenthesis", "u@(/tmp", "a character that no host name has"},
		{"text after the parentheses", "u@(/tmp/s):3306", "a character that no host name has"},
		{"pipe without a name", `u@\\.\`, "a character that no host name has"},
		{"pipe without a name in parentheses", `u@(\\.\)`, "parentheses around neither a socket nor a pipe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(tt.in)
			if err == nil {
				t.Fatalf("Parse(%q) = %+v, want the error %q", tt.in, got, tt.want)
			}
			if err.Error() != tt.want {
				t.Errorf("Parse(%q): error %q, want %q", tt.in, err, tt.want)
			}
		})
	}
}

func TestURLString(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url  URL
		want string
	}{
		{URL{Kind: TCP, User: "dba", Host: "DB.example.com"}, "dba@DB.example.com"},
		{URL{Kind: TCP, User: "test!#", Host: "h", Port: 3306}, "test%21%23@h:3306"},
		{URL{Kind: TCP, User: "a:b@c", Host: "h"}, "a%3Ab%40c@h"},
		{URL{Kind: TCP, User: "u", Host: "fe80::1%eth0", Port: 3306}, "u@[fe80::1%25eth0]:3306"},
		{URL{Kind: Socket, User: "u", Path: "/path/to"}, "u@/path%2Fto"},
		{URL{Kind: Pipe, User: "u", Path: `\\.\pipe`}, `u@\\.\pipe`},
		{URL{Kind: SSH, User: "me", Host: "jump", Port: 22}, "ssh://me@jump:22"},
		{URL{Kind: File, Path: "/home/my key"}, "file:/home/my%20key"},
	}
	for _, tt := range tests {
		if got := tt.url.String(); got != tt.want {
			t.Errorf("%#v.String() = %q, want %q", tt.url, got, tt.want)
		}
	}
}

func TestPortOrDefault(t *testing.T) {
	t.Parallel()
	for port, want := range map[int]int{0: 3306, 3306: 3306, 13306: 13306} {
		if got := (URL{Port: port}).PortOrDefault(); got != want {
			t.Errorf("port %d: PortOrDefault() = %d, want %d", port, got, want)
		}
	}
}

func TestKindString(t *testing.T) {
	t.Parallel()
	seen := map[string]URLKind{"unknown": -1}
	for k := TCP; k <= File; k++ {
		if first, dup := seen[k.String()]; dup {
			t.Errorf("kinds %d and %d are both called %q", first, k, k)
		}
		seen[k.String()] = k
	}
	if got := (File + 1).String(); got != "unknown" {
		t.Errorf("a kind that doesn't exist is called %q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"test%21%23@DB.example.com:3306", "u@[fe80::1%25eth0]:3306", "u@/path%2Fto", "u@%2fpath", "u@(/path)",
		`u@\\.\pipe`, `u@(\\.\pipe)`, "ssh://me@jump:22", "file:/a%20b", "u:p@h", "mysql://u@h/s?o=1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := Parse(s)
		if err != nil {
			return
		}
		text := u.String()
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("Parse(%q) = %+v, but Parse(%q): %v", s, u, text, err)
		}
		if diff := cmp.Diff(u, again); diff != "" {
			t.Fatalf("Parse(%q) and Parse(%q) (-first +second):\n%s", s, text, diff)
		}
		if again.String() != text {
			t.Fatalf("String is not stable: %q, then %q", text, again.String())
		}
	})
}
