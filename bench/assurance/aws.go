//go:build linux

package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// tricks are texts that a terminal or a shell would obey.
const tricks = "\x1b[31mred\x1b]0;title\x07\u009b31m\u202egnp.exe $(touch /tmp/x)"

// manners are how an AWS can answer. A handler that waits does so until its client has gone.
var manners = []struct {
	name   string
	slow   bool // it costs a call its whole time
	answer func(w http.ResponseWriter, r *http.Request)
}{
	{"500", false, status(500, "")},
	{"503", false, status(503, "")},
	{"garbage", false, status(200, "\x00\xff{<[garbage")},
	{"empty", false, status(200, "")},
	{"an error of 5 MB", false, errorXML("Denied", strings.Repeat("x", 5<<20))},
	{"hostile texts in an error", false, errorXML("A"+xmlTricks, xmlTricks)},
	{"hostile texts in JSON", false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", "Odd"+strings.ToValidUTF8(tricks, ""))
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"message":%q,"error":"odd","error_description":%q}`, "\u202e\u009b31m", "\u202e\u009b31m")
	}},
	{"servers with hostile names", false, hostileServers},
	{"redirecting", false, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}},
	{"closing", false, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	{"closing halfway", false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "<AssumeRoleResponse>")
		panic(http.ErrAbortHandler)
	}},
	{"silent", true, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	{"dripping", true, drip(1, 100*time.Millisecond)},
	{"endless", true, drip(64<<10, 0)},
}

// xmlTricks is what XML lets through of tricks.
const xmlTricks = "&#x9b;31m\u009b31m\u202egnp.exe"

func errorXML(code, message string) http.HandlerFunc {
	return status(400,
		"<ErrorResponse><Error><Code>"+code+"</Code><Message>"+message+"</Message></Error></ErrorResponse>")
}

func status(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}
}

// drip answers without an end, so many bytes at a time.
func drip(n int, every time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat(" ", n)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(every)
		}
	}
}

// hostileServers answers every question about databases with one server of that name.
func hostileServers(w http.ResponseWriter, r *http.Request) {
	switch r.Form.Get("Action") {
	case "GetCallerIdentity":
		fmt.Fprintf(w, "<GetCallerIdentityResponse><GetCallerIdentityResult>"+
			"<Arn>arn:aws:iam::%s:user/%s</Arn><Account>%s</Account>"+
			"</GetCallerIdentityResult></GetCallerIdentityResponse>", account, xmlTricks, account)
	case "DescribeDBInstances":
		fmt.Fprint(w, "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances>")
		for _, name := range []string{"x$(touch /tmp/x)." + host, "a b", xmlTricks, "localhost", "evil.example.com"} {
			fmt.Fprintf(w, "<DBInstance><DBInstanceIdentifier>%s</DBInstanceIdentifier><Engine>mysql</Engine>"+
				"<DBInstanceStatus>available</DBInstanceStatus>"+
				"<IAMDatabaseAuthenticationEnabled>true</IAMDatabaseAuthenticationEnabled>"+
				"<Endpoint><Address>%s</Address><Port>3306</Port></Endpoint></DBInstance>", xmlTricks, name)
		}
		fmt.Fprint(w, "</DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>")
	default:
		action := r.Form.Get("Action")
		fmt.Fprintf(w, "<%sResponse><%sResult></%sResult></%sResponse>", action, action, action, action)
	}
}

// askers are the calls that ask AWS.
var askers = []struct {
	name string
	call call
}{
	{"get with a role", get("dba", "AWS_PROFILE=role")},
	{"get with an SSO session", get("dba", "AWS_PROFILE=sso")},
	{"get with a web identity", get("dba", "AWS_PROFILE=web")},
	{"get in a container", get("dba", "AWS_PROFILE=none", "AWS_CONTAINER_AUTHORIZATION_TOKEN=t")},
	{"login", cmd("login", "--no-browser", "--force", "sso")},
	{"discover", call{args: []string{"discover", "--region", region}, limit: 130 * time.Second}},
	{"doctor", call{args: []string{"doctor", serverURL("dba")}, limit: 90 * time.Second}},
}

// hostile has each of them meet each manner, and then has everything that was kept shown.
func hostile(t *trial) error {
	type meeting struct{ manner, asker int }
	var meetings []meeting
	lines := make([]*line, len(askers))
	for i, a := range askers {
		promise := "no wrong token, nothing that a terminal obeys"
		if a.call.limit > 0 {
			promise += fmt.Sprintf("; at most %v", a.call.limit)
		}
		lines[i] = t.line(a.name, promise)
		for j, m := range manners {
			if !t.short || !m.slow || i == 0 {
				meetings = append(meetings, meeting{j, i})
			}
		}
	}
	each(len(meetings), 12, func(i int) {
		m, a := manners[meetings[i].manner], askers[meetings[i].asker]
		l, start := lines[meetings[i].asker], time.Now()
		bad := t.meet(m.answer, a.call)
		l.try(bad, m.name)
		l.time(time.Since(start), m.name)
	})
	return nil
}

func (t *trial) meet(answer http.HandlerFunc, c call) string {
	w, err := t.newWorld()
	if err != nil {
		return err.Error()
	}
	defer w.close()
	if _, err := w.ssoLogin(time.Hour); err != nil {
		return err.Error()
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
		answer(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer server.Close()
	defer server.CloseClientConnections()
	w.env = append(w.env, "AWS_ENDPOINT_URL="+server.URL)
	if c.args[0] == "get" && strings.Contains(strings.Join(c.env, " "), "AWS_PROFILE=none") {
		w.env = append(w.env, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+server.URL)
		c.env = c.env[1:]
		w.env = append(w.env, "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_CONFIG_FILE=/dev/null")
	}
	for _, c := range []call{c, cmd("list-servers"), cmd("explain", serverURL("dba")), cmd("cache", "list")} {
		o := w.run(c)
		bad := o.fault()
		if bad == "" {
			bad = o.unprintable()
		}
		if bad == "" && c.args[0] == "get" && o.code == 0 {
			bad = w.wrong(o, "dba")
		}
		if bad != "" {
			return c.String() + ": " + bad
		}
	}
	if c.args[0] == "discover" {
		return w.onlyRDS()
	}
	return ""
}

// onlyRDS says which line of the inventory has a host that RDS doesn't name.
func (w *world) onlyRDS() string {
	for line := range strings.Lines(w.read(w.inventory())) {
		key, _, _ := strings.Cut(line, "\t")
		name, ok := strings.CutPrefix(key, "s ")
		if ok && (!strings.HasSuffix(name, ".rds.amazonaws.com") || strings.ContainsAny(name, " $()")) {
			return "kept as a server: " + name
		}
	}
	return ""
}
