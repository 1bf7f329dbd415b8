package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mysql-secret-store-rds/internal/secret"
)

// secrets compares secrets by what they hide.
var secrets = cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() })

// wantMessage checks for exactly the error text that the Shell and Oracle's tests look for.
func wantMessage(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Fatalf("error %q, want none", err)
		}
		return
	}
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	var m Message
	if !errors.As(err, &m) {
		t.Errorf("the error is a %T, want a Message", err)
	}
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// The texts are those of mysql-secret-store/core/program.cc.
func TestCheckArgs(t *testing.T) {
	t.Parallel()
	const usage = ", usage: /usr/bin/mysql-secret-store-rds <version|store|get|erase|list>"
	const argv0 = "/usr/bin/mysql-secret-store-rds"
	tests := []struct {
		argv    []string
		want    string
		message string
	}{
		{[]string{argv0, "version"}, "version", ""},
		{[]string{argv0, "store"}, "store", ""},
		{[]string{argv0, "get"}, "get", ""},
		{[]string{argv0, "erase"}, "erase", ""},
		{[]string{argv0, "list"}, "list", ""},
		{nil, "", "Missing command, usage: mysql-secret-store-rds <version|store|get|erase|list>"},
		{[]string{argv0}, "", "Missing command" + usage},
		{[]string{argv0, "get", "get"}, "", "Too many commands" + usage},
		{[]string{argv0, "--help", "x", "y"}, "", "Too many commands" + usage},
		{[]string{argv0, "unknown"}, "", "Unknown command: 'unknown'" + usage},
		{[]string{argv0, "GET"}, "", "Unknown command: 'GET'" + usage},
		{[]string{argv0, "get "}, "", "Unknown command: 'get '" + usage},
		{[]string{argv0, ""}, "", "Unknown command: ''" + usage},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", tt.argv), func(t *testing.T) {
			t.Parallel()
			got, err := CheckArgs(tt.argv)
			wantMessage(t, err, tt.message)
			if got != tt.want {
				t.Errorf("command %q, want %q", got, tt.want)
			}
		})
	}
}

func TestErrNotFound(t *testing.T) {
	t.Parallel()
	// helper_interface.cc compares the whole output with this text.
	if got := ErrNotFound.Error(); got != "Could not find the secret" {
		t.Errorf("ErrNotFound = %q", got)
	}
}

func TestDecodeRequest(t *testing.T) {
	t.Parallel()
	get := func(id string) Request { return Request{Type: "password", ID: id, IDIsText: true} }
	tests := []struct {
		name    string
		command string
		in      string
		want    Request
	}{
		{"up to 9.3", "get", `{"SecretType":"password","ServerURL":"u@h:3306"}`, get("u@h:3306")},
		{"9.4 and later", "get", `{"SecretType":"password","SecretID":"u@h:3306","ServerURL":"u@h:3306"}`, get("u@h:3306")},
		{"SecretID alone", "get", `{"SecretType":"password","SecretID":"u@h"}`, get("u@h")},
		{"ServerURL before SecretID", "get", `{"SecretType":"password","SecretID":"id","ServerURL":"url"}`, get("url")},
		{"ServerURL before SecretID, any order", "erase", `{"ServerURL":"url","SecretID":"id","SecretType":"password"}`, get("url")},
		{"SecretID of no use beside a ServerURL", "get", `{"SecretType":"password","SecretID":7,"ServerURL":"url"}`, get("url")},
		{"empty strings", "get", `{"SecretType":"","SecretID":""}`, Request{IDIsText: true}},
		{"empty ServerURL is not a missing one", "get", `{"SecretType":"password","SecretID":"id","ServerURL":""}`, get("")},
		{"generic", "erase", `{"SecretType":"generic","SecretID":"any thing"}`, Request{Type: "generic", ID: "any thing", IDIsText: true}},
		{"undefined type", "get", `{"SecretType":"oops","SecretID":"x"}`, Request{Type: "oops", ID: "x", IDIsText: true}},
		{
			"store", "store", `{"SecretType":"password","SecretID":"u@h","ServerURL":"u@h","Secret":"hunter2"}`,
			Request{Type: "password", ID: "u@h", IDIsText: true, Secret: secret.New("hunter2")},
		},
		{
			"store an empty secret", "store", `{"SecretType":"password","ServerURL":"u@h","Secret":""}`,
			Request{Type: "password", ID: "u@h", IDIsText: true, Secret: secret.New("")},
		},
		{"the Secret is read for store only", "get", `{"SecretType":"password","ServerURL":"u@h","Secret":"hunter2"}`, get("u@h")},
		{"nor checked for others", "erase", `{"SecretType":"password","ServerURL":"u@h","Secret":null}`, get("u@h")},
		{
			"unknown members", "get",
			`{"Version":{"SecretType":"inner","SecretID":["x"]},"SecretType":"password","X":null,"ServerURL":"u@h","Y":[{"ServerURL":"z"}]}`,
			get("u@h"),
		},
		{
			"other letter case is another name", "get",
			`{"secrettype":"a","SECRETTYPE":"b","SecretType":"password","Secretid":"c","secretID":"d","SecretID":"e","serverurl":"f"}`, get("e"),
		},
		{
			"first of duplicates", "store",
			`{"SecretType":"password","SecretType":"x","ServerURL":"first","ServerURL":"second","Secret":"one","Secret":"two"}`,
			Request{Type: "password", ID: "first", IDIsText: true, Secret: secret.New("one")},
		},
		{"escaped member name", "get", `{"Secret\u0054ype":"password","\u0053erverURL":"u@h"}`, get("u@h")},
		{"white space", "get", " \t\r\n{ \"SecretType\" :\n\"password\" , \"ServerURL\":\t\"u@h\" } \n", get("u@h")},
		{"escapes in the ID", "get", `{"SecretType":"password","ServerURL":"a\u0040b\/\"\\\n\u003c\u0000"}`, get("a@b/\"\\\n<\x00")},
		{"surrogate pair", "get", `{"SecretType":"password","ServerURL":"\ud83d\ude00"}`, get("😀")},
		{"lone high surrogate", "get", `{"SecretType":"password","ServerURL":"\ud83d"}`, Request{Type: "password"}},
		{"lone low surrogate", "get", `{"SecretType":"password","ServerURL":"x\ude00y"}`, Request{Type: "password"}},
		{"high surrogate twice", "get", `{"SecretType":"password","ServerURL":"\ud83d\ud83d\ude00"}`, Request{Type: "password"}},
		{"invalid UTF-8 in the ID", "get", "{\"SecretType\":\"password\",\"ServerURL\":\"u\xff@h\"}", Request{Type: "password"}},
		{"invalid UTF-8 elsewhere", "get", "{\"SecretType\":\"password\",\"x\xff\":\"\xfe\",\"ServerURL\":\"u@h\"}", get("u@h")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := DecodeRequest(tt.command, []byte(tt.in))
			wantMessage(t, err, "")
			if diff := cmp.Diff(tt.want, got, secrets); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Oracle's tests store every byte 0–255 as an ID (unittest/mysql_secret_store_t.cc).
func TestDecodeRequestEveryByte(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		value := string([]byte{'a', byte(c), 'z'})
		literal := value
		if c < 0x20 || c == '"' || c == '\\' {
			literal = fmt.Sprintf(`a\u%04xz`, c)
		}
		got, err := DecodeRequest("get", []byte(`{"SecretType":"password","ServerURL":"`+literal+`"}`))
		if err != nil {
			t.Errorf("byte %#x: %v", c, err)
			continue
		}
		want := Request{Type: "password", IDIsText: c < 0x80}
		if want.IDIsText {
			want.ID = value
		}
		if diff := cmp.Diff(want, got, secrets); diff != "" {
			t.Errorf("byte %#x (-want +got):\n%s", c, diff)
		}
	}
}

func TestDecodeRequestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, command, in, message string }{
		{"no type", "get", `{"ServerURL":"u@h"}`, `"SecretType" is missing`},
		{"no ID", "get", `{"SecretType":"password"}`, `"SecretID" is missing`},
		{"no ID, store", "store", `{"SecretType":"password","Secret":"x"}`, `"SecretID" is missing`},
		{"nothing", "get", `{}`, `"SecretType" is missing`},
		{"no secret", "store", `{"SecretType":"password","ServerURL":"u@h"}`, `"Secret" is missing`},
		{"other letter case", "get", `{"SecretType":"password","Secretid":"u@h","ServerUrl":"u@h"}`, `"SecretID" is missing`},
		{"other letter case of the type", "get", `{"secretType":"password","SecretID":"u@h"}`, `"SecretType" is missing`},
		{"other letter case of the secret", "store", `{"SecretType":"password","SecretID":"u@h","secret":"x"}`, `"Secret" is missing`},
		{"type: number", "get", `{"SecretType":1,"ServerURL":"u@h"}`, `"SecretType" should be a string`},
		{"type: null", "get", `{"SecretType":null,"ServerURL":"u@h"}`, `"SecretType" should be a string`},
		{"URL: object", "get", `{"SecretType":"password","ServerURL":{"u":"h"},"SecretID":"u@h"}`, `"ServerURL" should be a string`},
		{"URL: null beside an ID", "get", `{"SecretType":"password","ServerURL":null,"SecretID":"u@h"}`, `"ServerURL" should be a string`},
		{"ID: list", "erase", `{"SecretType":"password","SecretID":["u@h"]}`, `"SecretID" should be a string`},
		{"ID: true", "erase", `{"SecretType":"password","SecretID":true}`, `"SecretID" should be a string`},
		{"secret: number", "store", `{"SecretType":"password","SecretID":"u@h","Secret":1234}`, `"Secret" should be a string`},
		{"first of duplicates", "get", `{"SecretType":1,"SecretType":"password","ServerURL":"u@h"}`, `"SecretType" should be a string`},

		{"no input", "get", "", "Failed to parse JSON: the text ends too early"},
		{"white space", "get", " \n", "Failed to parse JSON: the text ends too early"},
		{"cut", "get", `{"SecretType":"passw`, "Failed to parse JSON: the text ends too early"},
		{"no JSON", "get", `hunter2`, "Failed to parse JSON: syntax error at byte 1"},
		{"text after the object", "get", `{} hunter2`, "Failed to parse JSON: syntax error at byte 4"},
		{"two objects", "get", `{}{}`, "Failed to parse JSON: syntax error at byte 3"},
		{"comma at the end", "get", `{"a":1,}`, "Failed to parse JSON: syntax error at byte 8"},
		{"bad escape", "get", `{"a":"\x41"}`, "Failed to parse JSON: syntax error at byte 8"},
		{"raw control character", "get", "{\"a\":\"\n\"}", "Failed to parse JSON: syntax error at byte 7"},
		{"byte order mark", "get", "\xef\xbb\xbf{}", "Failed to parse JSON: syntax error at byte 1"},
		{"list", "get", `[{"SecretType":"password"}]`, "Failed to parse JSON: expected an object"},
		{"string", "get", `"hunter2"`, "Failed to parse JSON: expected an object"},
		{"number", "get", `1`, "Failed to parse JSON: expected an object"},
		{"null", "get", `null`, "Failed to parse JSON: expected an object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := DecodeRequest(tt.command, []byte(tt.in))
			wantMessage(t, err, tt.message)
			if diff := cmp.Diff(Request{}, got, secrets); diff != "" {
				t.Errorf("a request beside the error (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is cut from or put into a request, the error says nothing of what stood in it.
func TestDecodeRequestErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	const whole = `{"SecretType":"password","SecretID":"somebody@somewhere","Secret":"hunter2"}`
	check := func(in string) {
		_, err := DecodeRequest("store", []byte(in))
		if err == nil {
			return
		}
		for _, part := range []string{"hunter", "unter2", "somebody", "somewhere"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error quotes the input: %v", in, err)
			}
		}
	}
	for i := range whole {
		check(whole[:i])
		check(whole[i:])
		for _, c := range []string{"\n", `"`, `\`, `\q`, "{", "}", ",", ":", "\xff", "null", "\x00"} {
			check(whole[:i] + c + whole[i:])
			check(whole[:i] + c + whole[i+1:])
		}
	}
	check(`hunter2`)
	check(`"hunter2"`)
	check(`{hunter2}`)
	check(`{"hunter2"}`)
	check(`{"SecretType":"hunter2","SecretID":1}`)
	check(strings.Repeat(`{"hunter2":`, 20_000))
}

func TestDecodeFilter(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want, message string }{
		{"nothing", "", "", ""},
		{"white space", " \r\n\t", "", ""},
		{"empty object", "{}", "", ""},
		{"password", `{"SecretType":"password"}`, "password", ""},
		{"generic and others", `{"X":1,"SecretType":"generic","SecretType":"x"}`, "generic", ""},
		{"other letter case", `{"Secrettype":"generic"}`, "", ""},
		{"number", `{"SecretType":1}`, "", `"SecretType" should be a string`},
		{"null", `{"SecretType":null}`, "", `"SecretType" should be a string`},
		{"list", `[]`, "", "Failed to parse JSON: expected an object"},
		{"no JSON", `{hunter2`, "", "Failed to parse JSON: syntax error at byte 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := DecodeFilter([]byte(tt.in))
			wantMessage(t, err, tt.message)
			if got != tt.want {
				t.Errorf("filter %q, want %q", got, tt.want)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	const whole = ` {"SecretType":"password","ServerURL":"}\"{"} `
	for i := range whole {
		want := i >= len(whole)-1
		if got := Complete([]byte(whole[:i])); got != want {
			t.Errorf("Complete(%q) = %v", whole[:i], got)
		}
	}
}

func TestCredential(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, id, secret, want string }{
		{
			"token", "u@h.rds.amazonaws.com:3306", "h:3306?Action=connect&DBUser=u&X=<>%3D",
			`{"SecretType":"password","SecretID":"u@h.rds.amazonaws.com:3306","ServerURL":"u@h.rds.amazonaws.com:3306","Secret":"h:3306?Action=connect&DBUser=u&X=<>%3D"}`,
		},
		{"empty", "", "", `{"SecretType":"password","SecretID":"","ServerURL":"","Secret":""}`},
		{
			"characters to escape", "a\"b\\c/d\x01\x00", "\n\t\u2028",
			`{"SecretType":"password","SecretID":"a\"b\\c/d\u0001\u0000","ServerURL":"a\"b\\c/d\u0001\u0000","Secret":"\n\t\u2028"}`,
		},
		{"beyond ASCII", "ü☃😀", "é", `{"SecretType":"password","SecretID":"ü☃😀","ServerURL":"ü☃😀","Secret":"é"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Credential(tt.id, secret.New(tt.secret))
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	const (
		ours1   = `{"SecretType":"password","SecretID":"u@h1","ServerURL":"u@h1"}`
		ours2   = `{"SecretType":"password","SecretID":"u@h2","ServerURL":"u@h2"}`
		theirs3 = `{"SecretType":"password","ServerURL":"u@h3"}`
		generic = `{"SecretType":"generic","SecretID":"u@h1"}`
		odd     = "{ \"ServerURL\" :\t\"a\\u003cb\\u003e\\/\xff\" ,\r\n \"SecretType\" : \"password\", \"x\":[ 1 ,2 ]}"
	)
	tests := []struct {
		name   string
		ours   []string
		other  string
		filter string
		want   string
	}{
		{"nothing", nil, "", "", `[]`},
		{"white space", nil, " \n", "", `[]`},
		{"empty lists", []string{}, "[ ]\n", "", `[]`},
		{"ours", []string{"u@h1", "u@h2"}, "", "", "[" + ours1 + "," + ours2 + "]"},
		{"ours twice", []string{"u@h1", "u@h2", "u@h1"}, "[]", "", "[" + ours1 + "," + ours2 + "]"},
		{"theirs", nil, "[" + theirs3 + "," + generic + "]", "", "[" + theirs3 + "," + generic + "]"},
		{"both", []string{"u@h1"}, "\n[\n" + theirs3 + " ,\n " + generic + "\n]\n", "", "[" + ours1 + "," + theirs3 + "," + generic + "]"},
		{"kept byte for byte", []string{"u@h1"}, "[" + odd + "]", "", "[" + ours1 + "," + odd + "]"},
		{"kept byte for byte, filtered", nil, "[" + odd + "]", "password", "[" + odd + "]"},

		{"theirs is ours", []string{"u@h1"}, `[{"SecretType":"password","ServerURL":"u@h1"}]`, "", "[" + ours1 + "]"},
		{"theirs is ours, newer form", []string{"u@h1"}, "[" + ours1 + "]", "", "[" + ours1 + "]"},
		{"theirs is ours, SecretID alone", []string{"u@h1"}, `[{"SecretID":"u@h1","SecretType":"password"}]`, "", "[" + ours1 + "]"},
		{"theirs is ours, escaped", []string{"u@h1"}, `[{"SecretType":"password","ServerURL":"u\u0040h1"}]`, "", "[" + ours1 + "]"},
		{"theirs twice", nil, "[" + theirs3 + `,{"ServerURL":"u\u0040h3","SecretType":"password"}]`, "", "[" + theirs3 + "]"},
		{"one ID of two types", []string{"u@h1"}, "[" + generic + "]", "", "[" + ours1 + "," + generic + "]"},
		{"letter case is not one ID", []string{"u@h1"}, `[{"SecretType":"password","ServerURL":"u@H1"}]`, "", "[" + ours1 + `,{"SecretType":"password","ServerURL":"u@H1"}]`},
		{
			"IDs that are no text stay apart", nil,
			"[{\"SecretType\":\"password\",\"ServerURL\":\"\xfe\"},{\"SecretType\":\"password\",\"ServerURL\":\"\xff\"},{\"SecretType\":\"password\",\"ServerURL\":\"\\ud800\"},{\"SecretType\":\"password\",\"ServerURL\":\"\xfe\"}]",
			"",
			"[{\"SecretType\":\"password\",\"ServerURL\":\"\xfe\"},{\"SecretType\":\"password\",\"ServerURL\":\"\xff\"},{\"SecretType\":\"password\",\"ServerURL\":\"\\ud800\"}]",
		},

		{"filter password", []string{"u@h1"}, "[" + generic + "," + theirs3 + "]", "password", "[" + ours1 + "," + theirs3 + "]"},
		{"filter generic", []string{"u@h1"}, "[" + generic + "," + theirs3 + "]", "generic", "[" + generic + "]"},
		{"filter matches nothing", []string{"u@h1"}, "[" + generic + "," + theirs3 + "]", "x", "[]"},

		{"an entry that we don't understand", nil, `[1,{"x":"y"},` + theirs3 + "]", "", `[1,{"x":"y"},` + theirs3 + "]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := List(tt.ours, []byte(tt.other), tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, []byte(tt.want)) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestListOfAnotherShape(t *testing.T) {
	t.Parallel()
	for _, other := range []string{`{"SecretType":"password"}`, `"hunter2"`, `12345678`, `true`, `hunter2`, `[{"a":"hunter2"}`, `[] hunter2`, "\x00"} {
		got, err := List([]string{"u@h"}, []byte(other), "")
		if err == nil {
			t.Errorf("%q: no error", other)
			continue
		}
		if !strings.HasPrefix(err.Error(), "the other helper's list is no JSON array: ") {
			t.Errorf("%q: error %q", other, err)
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "12345678") {
			t.Errorf("%q: the error quotes the list: %v", other, err)
		}
		if want := `[{"SecretType":"password","SecretID":"u@h","ServerURL":"u@h"}]`; string(got) != want {
			t.Errorf("%q: got %s, want %s", other, got, want)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	const marker = "S3cr3t-Mark3r"
	f.Add("store", `{"SecretType":"password","SecretID":"u@h","ServerURL":"u@h","Secret":"`, `"}`)
	f.Add("get", `{"SecretType":"password","ServerURL":"u\u0040\ud83d\ude00h","X":["`, `"]}`)
	f.Add("erase", `{"SecretType":"generic","SecretID":"`, "\xff\\ud800\"}")
	f.Add("store", `{"SecretType":`, `}`)
	f.Add("get", ``, ``)
	f.Add("get", `[{"`, `":1}]`)
	f.Fuzz(func(t *testing.T, command, before, after string) {
		in := []byte(before + marker + after)
		r, err := DecodeRequest(command, in)
		if err != nil {
			if strings.Contains(err.Error(), marker) {
				t.Fatalf("the error quotes the input: %v", err)
			}
			var m Message
			if !errors.As(err, &m) {
				t.Fatalf("the error is a %T", err)
			}
			return
		}
		if !Complete(in) {
			t.Fatal("decoded, but not complete")
		}
		if !r.IDIsText {
			if r.ID != "" {
				t.Fatalf("an ID that is no text is given as %q", r.ID)
			}
			return
		}
		if !utf8.ValidString(r.ID) {
			t.Fatalf("the ID %q is not text", r.ID)
		}
		var reply struct{ SecretType, SecretID, ServerURL, Secret string }
		if err := json.Unmarshal(Credential(r.ID, secret.New(marker)), &reply); err != nil {
			t.Fatal(err)
		}
		if reply.SecretType != TypePassword || reply.SecretID != r.ID || reply.ServerURL != r.ID || reply.Secret != marker {
			t.Fatalf("for the ID %q the reply reads %+v", r.ID, reply)
		}
		again, err := DecodeRequest("store", Credential(r.ID, secret.New(marker)))
		want := Request{Type: TypePassword, ID: r.ID, IDIsText: true, Secret: secret.New(marker)}
		if diff := cmp.Diff(want, again, secrets); err != nil || diff != "" {
			t.Fatalf("the reply read as a request: %v (-want +got):\n%s", err, diff)
		}
	})
}

func FuzzList(f *testing.F) {
	f.Add("u@h", `[{"SecretType":"password","ServerURL":"u@h"}, {"SecretType":"generic","SecretID":"x"}]`, "")
	f.Add("a", "[ 1,\"\xff\",{} ]", "password")
	f.Add("", `{"a":"b"}`, "generic")
	f.Fuzz(func(t *testing.T, id, other, filter string) {
		got, err := List([]string{id}, []byte(other), filter)
		if !json.Valid(got) {
			t.Fatalf("not JSON: %q", got)
		}
		if err != nil {
			return
		}
		again, err := List(nil, got, filter)
		if err != nil || !bytes.Equal(got, again) {
			t.Fatalf("its own answer as the other's: %v\nfirst  %q\nsecond %q", err, got, again)
		}
	})
}
