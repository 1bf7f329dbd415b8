package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/server"
)

var (
	topKeys   = []string{"servers", "rules", "accounts", "defaults", "delegate", "cache", "timeout"}
	entryKeys = []string{"aws_profile", "region", "endpoint", "user", "role_arn", "external_id", "role_session_name",
		"credential",
		"ssh", "schema", "mysqlsh_args", "db_user", "ssl_ca"}
	// In a rule "user" is a pattern, like "host"; an account and the defaults hold for many
	// servers, so they have no endpoint.
	ruleKeys = append([]string{"host"}, entryKeys...)
	wideKeys = slices.DeleteFunc(slices.Clone(entryKeys), func(k string) bool { return k == "endpoint" })
)

// rawField is a value as the file has it.
type rawField struct {
	text string
	list []string // instead of text, for a field that is a list
	line int
}

// texts are all that a field says.
func (f rawField) texts() []string {
	if f.list != nil {
		return f.list
	}
	return []string{f.text}
}

// reader walks the YAML tree. Walking it, instead of decoding into structs, is what lets each
// error and each entry name its line.
type reader struct {
	file    string
	anchors map[string]ast.Node
	steps   int // of the regular expressions so far
	merged  int // keys that merges brought in so far
}

func parse(file string, data []byte) (*Config, error) {
	c := &Config{File: file, Present: data != nil, Accounts: map[string]Entry{}, Delegate: "default", Cache: true,
		Timeout: DefaultTimeout, servers: map[string]Entry{}}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		return c, nil
	}
	tokens := lexer.Tokenize(string(data))
	if err := nesting(file, tokens); err != nil {
		return nil, err
	}
	tree, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, syntaxError(file, data, err)
	}
	r := &reader{file: file, anchors: map[string]ast.Node{}}
	var root ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, r.errorf(doc.Body, "a second YAML document; one is all that is allowed")
		}
		root = doc.Body
		ast.Walk(r, root)
	}
	if root == nil {
		return c, nil
	}
	if err := r.config(root, c); err != nil {
		return nil, err
	}
	return c, nil
}

// syntaxError turns goccy's error, several lines with a drawing, into one line.
func syntaxError(file string, data []byte, err error) error {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		line, msg := y.GetToken().Position.Line, y.GetMessage()
		if tab := tabAt(data, line); tab > 0 {
			line, msg = tab, "a tab indents this line, where YAML takes blanks only"
		}
		return &Error{File: file, Line: line, Msg: "not valid YAML: " + strings.ReplaceAll(msg, "\t", "<tab>")}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return &Error{File: file, Msg: "not valid YAML: " + first}
}

// tabAt returns the line that a tab indents, of one and the next, by which the parser notices it;
// or 0.
func tabAt(data []byte, line int) int {
	lines := bytes.Split(data, []byte("\n"))
	for n := line; n <= min(line+1, len(lines)); n++ {
		if n > 0 && bytes.HasPrefix(bytes.TrimLeft(lines[n-1], " "), []byte("\t")) {
			return n
		}
	}
	return 0
}

// Visit collects anchors; it makes the reader an ast.Visitor.
func (r *reader) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		r.anchors[a.Name.GetToken().Value] = a.Value
	}
	return r
}

func (r *reader) errorf(n ast.Node, format string, args ...any) error {
	line := 0
	if n != nil && n.GetToken() != nil {
		line = n.GetToken().Position.Line
	}
	return r.errorAt(line, format, args...)
}

func (r *reader) errorAt(line int, format string, args ...any) error {
	return &Error{File: r.file, Line: line, Msg: fmt.Sprintf(format, args...)}
}

// plain strips anchors, aliases and tags from a node.
func (r *reader) plain(n ast.Node) (ast.Node, error) {
	for range 10 {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			if v.Start.Value == "!!str" {
				return &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: v.Value.GetToken(),
					Value: v.Value.GetToken().Value}, nil
			}
			n = v.Value
		case *ast.AliasNode:
			name := v.Value.GetToken().Value
			target, ok := r.anchors[name]
			if !ok {
				return nil, r.errorf(n, "no anchor &%s for *%s", name, name)
			}
			n = target
		default:
			return n, nil
		}
	}
	return nil, r.errorf(n, "aliases that lead to each other")
}

// pair is one key of a map with its value.
type pair struct {
	key   string
	line  int
	value ast.Node
}

// pairs returns the keys of a map in file order; nothing (null) counts as an empty map. what says
// what the map is, for the error.
func (r *reader) pairs(n ast.Node, what string, depth int) ([]pair, error) {
	outer := n
	n, err := r.plain(n)
	if err != nil {
		return nil, err
	}
	if depth > 10 {
		return nil, r.errorf(outer, "merges (<<) that lead to each other")
	}
	var values []*ast.MappingValueNode
	switch v := n.(type) {
	case *ast.MappingNode:
		values = v.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{v}
	case *ast.NullNode, nil:
		return nil, nil
	default:
		return nil, r.errorf(outer, "%s should be a map of keys and values, not %s", what, describe(n))
	}
	var own, merged []pair
	for _, v := range values {
		if v.Key.IsMergeKey() {
			sources := []ast.Node{v.Value}
			if seq, ok := v.Value.(*ast.SequenceNode); ok {
				sources = seq.Values
			}
			for _, s := range sources {
				m, err := r.pairs(s, "what << merges", depth+1)
				if err != nil {
					return nil, err
				}
				if r.merged += len(m); r.merged > maxMerged {
					return nil, r.errorf(outer, "merges (<<) of more than %d keys", maxMerged)
				}
				merged = append(merged, m...)
			}
			continue
		}
		key := ast.Node(v.Key)
		if k, ok := key.(*ast.MappingKeyNode); ok {
			key = k.Value
		}
		key, err := r.plain(key)
		if err != nil {
			return nil, err
		}
		switch key.(type) {
		case *ast.MappingNode, *ast.SequenceNode, *ast.MappingValueNode:
			return nil, r.errorf(v.Key, "a key should be text, not %s", describe(key))
		}
		tk := key.GetToken()
		own = append(own, pair{tk.Value, tk.Position.Line, v.Value})
	}
	for _, m := range merged {
		if !slices.ContainsFunc(own, func(p pair) bool { return p.key == m.key }) {
			own = append(own, m)
		}
	}
	return own, nil
}

// known refuses a key that isn't in allowed.
func (r *reader) known(p pair, where string, allowed []string) error {
	if slices.Contains(allowed, p.key) {
		return nil
	}
	msg := fmt.Sprintf("unknown key %q%s; allowed: %s", p.key, where, strings.Join(allowed, ", "))
	if near := advice.Nearest(p.key[:min(len(p.key), 64)], allowed); near != "" {
		msg += fmt.Sprintf(" (did you mean %s?)", near)
	}
	return r.errorAt(p.line, "%s", msg)
}

func (r *reader) config(root ast.Node, c *Config) error {
	top, err := r.pairs(root, "the configuration", 0)
	if err != nil {
		return err
	}
	for _, p := range top {
		if isHost(p) {
			return r.flat(p, top)
		}
		if err := r.known(p, "", topKeys); err != nil {
			return err
		}
		c.sections = append(c.sections, p.key)
		switch p.key {
		case "servers":
			err = r.servers(p, c)
		case "rules":
			err = r.rules(p, c)
		case "accounts":
			err = r.accounts(p, c)
		case "defaults":
			c.Defaults, err = r.entry(p.value, "defaults", p.line, wideKeys)
		case "delegate":
			c.Delegate, err = r.delegate(p)
		case "cache":
			c.Cache, err = r.boolean(p)
		case "timeout":
			c.Timeout, err = r.duration(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isHost reports whether a key of the file is a server's, which is one step too far out there: a
// name with a dot, an address, or a host with a port, and what is said of it.
func isHost(p pair) bool {
	switch p.value.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		return false
	}
	host, port, err := splitHostPort(p.key)
	return err == nil && (port > 0 || strings.ContainsAny(host, ".:"))
}

// flat answers a server at the top with where it belongs, and all of them as they would stand
// there.
func (r *reader) flat(first pair, top []pair) error {
	e := &Error{File: r.file, Line: first.line, Msg: fmt.Sprintf("%q is a server, which belongs under the key servers",
		first.key)}
	var members []string
	for _, p := range top {
		if !isHost(p) {
			continue
		}
		fields, err := r.pairs(p.value, p.key, 0)
		if err != nil {
			return err
		}
		var settings []string
		for _, f := range fields {
			text, err := r.text(f, p.key+": "+f.key)
			if err != nil || !slices.Contains(entryKeys, f.key) {
				members = nil // that is to be mended, too
				break
			}
			settings = append(settings, f.key+": "+Quote(text))
		}
		members = append(members, fmt.Sprintf("%s: {%s}", Quote(p.key), strings.Join(settings, ", ")))
	}
	const most = 3 // in one line
	if len(members) > most || len(members) == 0 {
		e.Do = []advice.Action{advice.Say("write a line \"servers:\" above them, and indent them by two blanks")}
		return e
	}
	e.Do = []advice.Action{advice.Put("write in its place", "servers: {"+strings.Join(members, ", ")+"}")}
	return e
}

func (r *reader) servers(p pair, c *Config) error {
	entries, err := r.pairs(p.value, "servers", 0)
	if err != nil {
		return err
	}
	for _, s := range entries {
		host, port, err := splitHostPort(s.key)
		if err != nil {
			return r.errorAt(s.line,
				"servers: %q: %v; allowed: an exact host or host:port (patterns belong under rules)", s.key, err)
		}
		e, err := r.entry(s.value, "servers: "+s.key, s.line, entryKeys)
		if err != nil {
			return err
		}
		key := serverKey(host, port)
		if first, ok := c.servers[key]; ok {
			return r.errorAt(s.line, "servers: %q is the same server as the entry on line %d", s.key, first.Where.Line)
		}
		c.servers[key] = e
	}
	return nil
}

func (r *reader) accounts(p pair, c *Config) error {
	entries, err := r.pairs(p.value, "accounts", 0)
	if err != nil {
		return err
	}
	for _, a := range entries {
		id := strings.ToLower(a.key)
		name := "accounts: " + a.key
		if id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return r.errorAt(a.line,
				"%s: not an account id; allowed: the letters and digits after the server's name in its endpoint, "+
					"such as abcdefghijkl, or an account number of 12 digits", name)
		}
		if strings.Trim(id, "0123456789") == "" && len(id) > 8 && !server.IsAccountNumber(id) { // so many are no id by chance
			return r.errorAt(a.line, "%s: %d digits; an account number has 12, the zeros that it begins with included",
				name, len(id))
		}
		value, err := r.plain(a.value)
		if err != nil {
			return err
		}
		var e Entry
		switch value.(type) {
		case *ast.MappingNode, *ast.MappingValueNode:
			e, err = r.entry(value, name, a.line, wideKeys)
		default:
			var profile string
			if profile, err = r.text(pair{a.key, a.line, value}, name+" (a profile, or a map of fields)"); err != nil {
				return err
			}
			e.Where = Where{r.file, a.line, name}
			e.Fields, err = buildFields(r.file, name, map[string]rawField{"aws_profile": {text: profile, line: a.line}},
				nil)
		}
		if err != nil {
			return err
		}
		if first, ok := c.Accounts[id]; ok {
			return r.errorAt(a.line, "%s stands on line %d already", name, first.Where.Line)
		}
		c.Accounts[id] = e
	}
	return nil
}

func (r *reader) entry(n ast.Node, name string, line int, allowed []string) (Entry, error) {
	fields, err := r.pairs(n, name, 0)
	if err != nil {
		return Entry{}, err
	}
	raw, err := r.rawFields(fields, name, allowed)
	if err != nil {
		return Entry{}, err
	}
	f, err := buildFields(r.file, name, raw, nil)
	return Entry{Fields: f, Where: Where{r.file, line, name}}, err
}

func (r *reader) rawFields(fields []pair, name string, allowed []string) (map[string]rawField, error) {
	raw := map[string]rawField{}
	for _, f := range fields {
		if err := r.known(f, " in "+name, allowed); err != nil {
			return nil, err
		}
		field := rawField{line: f.line}
		var err error
		if f.key == "mysqlsh_args" {
			field.list, err = r.list(f, name+": "+f.key)
		} else {
			field.text, err = r.text(f, name+": "+f.key)
		}
		if err != nil {
			return nil, err
		}
		raw[f.key] = field
	}
	return raw, nil
}

func (r *reader) rules(p pair, c *Config) error {
	n, err := r.plain(p.value)
	if err != nil {
		return err
	}
	var items []ast.Node
	switch v := n.(type) {
	case *ast.SequenceNode:
		items = v.Values
	case *ast.NullNode, nil:
	default:
		return r.errorAt(p.line, "rules should be a list (each line of it begins with \"-\"), not %s", describe(n))
	}
	for i, item := range items {
		rl, err := r.rule(item, fmt.Sprintf("rule %d", i+1))
		if err != nil {
			return err
		}
		c.rules = append(c.rules, rl)
	}
	return nil
}

func (r *reader) rule(item ast.Node, name string) (rule, error) {
	fields, err := r.pairs(item, name, 0)
	if err != nil {
		return rule{}, err
	}
	raw, err := r.rawFields(fields, name, ruleKeys)
	if err != nil {
		return rule{}, err
	}
	line := 0
	if len(fields) > 0 {
		line = fields[0].line
	} else if item.GetToken() != nil {
		line = item.GetToken().Position.Line
	}
	rl := rule{where: Where{r.file, line, name}, raw: raw}
	var names []string
	for _, p := range []struct {
		key    string
		prefix string
		re     **regexp.Regexp
	}{{"host", "(?i)", &rl.host}, {"user", "", &rl.user}} {
		f, ok := raw[p.key]
		if !ok {
			continue
		}
		delete(raw, p.key)
		// Compiled alone first, so that "a)(b" can't escape the anchors. What compiles alone may
		// still fail between them: `\Qa` does, whose quoting has no end.
		err := r.pattern(f.text)
		if err == nil {
			_, err = regexp.Compile(f.text)
		}
		if err == nil {
			*p.re, err = regexp.Compile(p.prefix + `^(?:` + f.text + `)$`)
		}
		if err != nil {
			return rule{}, r.errorAt(f.line,
				"%s: %s: %v; allowed: a regular expression as in Go, which must match the whole %s",
				name, p.key, err, p.key)
		}
		for _, g := range (*p.re).SubexpNames() {
			if g == "" {
				continue
			}
			if slices.Contains(names, g) {
				return rule{}, r.errorAt(f.line, "%s: the group %s is defined twice", name, g)
			}
			names = append(names, g)
		}
	}
	if rl.host == nil && rl.user == nil {
		return rule{}, r.errorAt(line,
			"%s has neither host nor user; what holds for every server belongs under defaults", name)
	}
	for _, k := range sortedKeys(raw) {
		used, err := groupsIn(strings.Join(raw[k].texts(), "\n"))
		if err != nil {
			return rule{}, r.errorAt(raw[k].line, "%s: %s: %v", name, k, err)
		}
		for _, g := range used {
			if !slices.Contains(names, g) {
				return rule{}, r.errorAt(raw[k].line, "%s: %s: no group %s in this rule's host or user; allowed: %s",
					name, k, g, orNone(names, "none, for it names no group with (?P<name>…)"))
			}
			rl.expands = true
		}
	}
	if rl.expands {
		// What has no groups can be checked now.
		fixed := map[string]rawField{}
		for k, f := range raw {
			if !strings.Contains(strings.Join(f.texts(), "\n"), "${") {
				fixed[k] = f
			}
		}
		_, err = buildFields(r.file, name, fixed, nil)
		return rl, err
	}
	f, err := buildFields(r.file, name, raw, nil)
	rl.entry = Entry{Fields: f, Where: rl.where}
	return rl, err
}

func orNone(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}

// Compiled when first needed: a cached get never gets here, and must not pay for them.
var (
	groupRef     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{([^}]*)\}`) })
	sessionName  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\w+=,.@-]{2,64}$`) })
	delegateName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`) })
)

// groupsIn lists the groups that a value refers to as ${name}.
func groupsIn(text string) ([]string, error) {
	var names []string
	for _, m := range groupRef().FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	if strings.Count(text, "${") != len(names) {
		return nil, errors.New("${ without its }; allowed: ${name}")
	}
	return names, nil
}

// buildFields checks an entry's values. With groups (a rule's match) they are expanded first; a
// value that expands to nothing is left out.
func buildFields(file, name string, raw map[string]rawField, groups map[string]string) (Fields, error) {
	var f Fields
	for _, k := range sortedKeys(raw) {
		v := raw[k]
		fail := func(format string, args ...any) (Fields, error) {
			return Fields{}, &Error{File: file, Line: v.line,
				Msg: name + ": " + k + ": " + fmt.Sprintf(format, args...)}
		}
		var texts []string
		for _, text := range v.texts() {
			if strings.Contains(text, "${") {
				if groups == nil {
					return fail("${…} stands for a group of a rule, and this is no rule")
				}
				text = groupRef().ReplaceAllStringFunc(text,
					func(ref string) string { return groups[ref[2:len(ref)-1]] })
				if text == "" {
					continue
				}
			}
			texts = append(texts, text)
		}
		if len(texts) == 0 {
			continue
		}
		text := texts[0]
		switch k {
		case "aws_profile":
			f.Profile = text
		case "region":
			if server.Partition(text) == "" {
				return fail("%q is no AWS region; allowed: a name such as eu-west-1", text)
			}
			f.Region = text
		case "endpoint":
			host, port, err := splitHostPort(text)
			if err != nil {
				return fail("%q: %v; allowed: host or host:port of an RDS or Aurora endpoint", text, err)
			}
			ep, ok := server.ParseEndpoint(host)
			if !ok {
				return fail("%q is no RDS or Aurora endpoint, and RDS refuses tokens signed for other names; "+
					"allowed: host or host:port such as orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com:3306", text)
			}
			if port == 0 {
				port = server.DefaultPort
			}
			f.Endpoint = Address{ep, port}
		case "user":
			f.User = text
		case "role_arn":
			if !isRoleARN(text) {
				return fail("%q is no role; allowed: an ARN such as arn:aws:iam::123456789012:role/name", text)
			}
			f.RoleARN = text
		case "external_id":
			f.ExternalID = text
		case "ssh":
			if strings.HasPrefix(text, "-") || strings.ContainsAny(text, " \t") {
				return fail("%q; allowed: the SSH server, such as me@bastion.example.com:22, or none", text)
			}
			f.SSH = text
		case "schema":
			f.Schema = text
		case "mysqlsh_args":
			f.Args = texts
		case "db_user":
			f.DBUser = text
		case "ssl_ca":
			if !filepath.IsAbs(text) {
				return fail("%q is no absolute path; allowed: a PEM file with certificate authorities, such as /etc/ssl/rds/global-bundle.pem", text)
			}
			f.SSLCA = text
		case "role_session_name":
			if !sessionName().MatchString(text) {
				return fail("%q; allowed: 2 to 64 letters, digits and _+=,.@-", text)
			}
			f.RoleSessionName = text
		case "credential":
			switch c := Credential(text); c {
			case IAM, Delegate, None:
				f.Credential = c
			default:
				return fail("%q; allowed: iam, delegate, none", text)
			}
		}
	}
	return f, nil
}

func isRoleARN(s string) bool {
	p := strings.SplitN(s, ":", 6)
	return len(p) == 6 && p[0] == "arn" && strings.HasPrefix(p[1], "aws") && p[2] == "iam" && p[3] == "" &&
		p[4] != "" && strings.HasPrefix(p[5], "role/") && len(p[5]) > len("role/")
}

func (r *reader) delegate(p pair) (string, error) {
	const allowed = "allowed: default, none, a helper's name such as login-path, or an absolute path"
	text, err := r.text(p, "delegate ("+allowed+")")
	if err != nil {
		return "", err
	}
	if !delegateName().MatchString(text) && !filepath.IsAbs(text) {
		return "", r.errorAt(p.line, "delegate: %q; %s", text, allowed)
	}
	return text, nil
}

func (r *reader) boolean(p pair) (bool, error) {
	n, err := r.plain(p.value)
	if err != nil {
		return false, err
	}
	if b, ok := n.(*ast.BoolNode); ok {
		return b.Value, nil
	}
	return false, r.errorAt(p.line, "%s should be true or false, not %s", p.key, describe(n))
}

// list reads a list of texts; one text is a list of one.
func (r *reader) list(p pair, what string) ([]string, error) {
	n, err := r.plain(p.value)
	if err != nil {
		return nil, err
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		text, err := r.text(p, what+" (a list of arguments)")
		return []string{text}, err
	}
	list := []string{}
	for _, v := range seq.Values {
		line := p.line
		if v.GetToken() != nil {
			line = v.GetToken().Position.Line
		}
		text, err := r.text(pair{p.key, line, v}, what)
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, nil
}

// duration reads a time: 30s, 1m30s, or a whole number of seconds.
func (r *reader) duration(p pair) (time.Duration, error) {
	n, err := r.plain(p.value)
	if err != nil {
		return 0, err
	}
	text := ""
	switch v := n.(type) {
	case *ast.StringNode:
		text = v.Value
	case *ast.IntegerNode:
		text = v.GetToken().Value + "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > 10*time.Minute {
		return 0, r.errorAt(p.line, "%s should be a time from 1s to 10m, such as 30s", p.key)
	}
	return d, nil
}

// text reads a string that isn't empty. A number is not one: 0123 would lose its zero.
func (r *reader) text(p pair, what string) (string, error) {
	n, err := r.plain(p.value)
	if err != nil {
		return "", err
	}
	var s string
	switch v := n.(type) {
	case *ast.StringNode:
		s = v.Value
	case *ast.LiteralNode:
		s = strings.TrimRight(v.Value.Value, "\n")
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return "", r.errorAt(p.line, "%s should be text, not %s: put it in quotes", what, describe(n))
	default:
		return "", r.errorAt(p.line, "%s should be text, not %s", what, describe(n))
	}
	if s == "" {
		return "", r.errorAt(p.line, "%s is empty; leave the key out instead", what)
	}
	if strings.ContainsAny(s, "\n\r\x00") {
		return "", r.errorAt(p.line, "%s should be one line of text", what)
	}
	return s, nil
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode, nil:
		return "nothing"
	}
	return "text"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
