package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"mysql-secret-store-rds/internal/advice"
	"mysql-secret-store-rds/internal/server"
)

var (
	topKeys   = []string{"servers", "rules", "accounts", "defaults", "delegate", "cache", "timeout", "learn"}
	entryKeys = keysOf(fields)
	// In a rule "user" is a pattern, like "host"; an account and the defaults hold for many
	// servers, so they have no endpoint.
	ruleKeys = append([]string{"host"}, entryKeys...)
	wideKeys = slices.DeleteFunc(slices.Clone(entryKeys), func(k string) bool { return k == "endpoint" })
)

func keysOf(fields []field) (keys []string) {
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	return keys
}

// reader walks the YAML tree. Walking it, instead of decoding into structs, is what lets each
// error and each entry name its line. Its methods panic with the [*Error] that [catch] returns.
type reader struct {
	file    string
	anchors map[string]ast.Node
	steps   int // of the regular expressions so far
	merges  int // (<<) that lead to the map that is read
	merged  int // keys that they brought in so far
}

// catch, deferred, makes the mistake that a reader ended with the error of a function.
func catch(err *error) {
	switch mistake := recover().(type) {
	case nil:
	case *Error:
		*err = mistake
	default:
		panic(mistake)
	}
}

func parse(file string, data []byte) (_ *Config, err error) {
	defer catch(&err)
	c := &Config{File: file, Present: data != nil, Accounts: map[string]Entry{}, Delegate: "default", Cache: true,
		Timeout: DefaultTimeout, Learn: DefaultLearn, servers: map[hostPort]Entry{}}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		return c, nil
	}
	tokens := lexer.Tokenize(string(data))
	r := &reader{file: file, anchors: map[string]ast.Node{}}
	r.nesting(tokens)
	tree, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, syntaxError(file, data, err)
	}
	var root ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			panic(r.errorf(lineOf(doc.Body), "a second YAML document; one is all that is allowed"))
		}
		root = doc.Body
		ast.Walk(r, root)
	}
	if root != nil {
		r.config(root, c)
	}
	return c, nil
}

// syntaxError turns goccy's error, several lines with a drawing, into one line.
func syntaxError(file string, data []byte, err error) error {
	if y, ok := errors.AsType[yaml.Error](err); ok && y.GetToken() != nil {
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

func (r *reader) errorf(line int, format string, args ...any) *Error {
	return &Error{File: r.file, Line: line, Msg: fmt.Sprintf(format, args...)}
}

// lineOf returns a node's line, or 0.
func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// plain strips anchors, aliases and tags from a node.
func (r *reader) plain(n ast.Node) ast.Node {
	for range 10 {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			if token := v.Value.GetToken(); v.Start.Value == "!!str" {
				return &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: token, Value: token.Value}
			}
			n = v.Value
		case *ast.AliasNode:
			name := v.Value.GetToken().Value
			target, ok := r.anchors[name]
			if !ok {
				panic(r.errorf(lineOf(n), "no anchor &%s for *%s", name, name))
			}
			n = target
		default:
			return n
		}
	}
	panic(r.errorf(lineOf(n), "aliases that lead to each other"))
}

// pair is one key of a map with its value.
type pair struct {
	key   string
	line  int
	value ast.Node
}

// pairs returns the keys of a map in file order; nothing (null) counts as an empty map. what says
// what the map is, for the error.
func (r *reader) pairs(outer ast.Node, what string) (all []pair) {
	n := r.plain(outer)
	if r.merges > 10 {
		panic(r.errorf(lineOf(outer), "merges (<<) that lead to each other"))
	}
	var values []*ast.MappingValueNode
	switch v := n.(type) {
	case *ast.MappingNode:
		values = v.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{v}
	case *ast.NullNode, nil:
	default:
		panic(r.errorf(lineOf(outer), "%s should be a map of keys and values, not %s", what, describe(n)))
	}
	var merged []pair
	for _, v := range values {
		if !v.Key.IsMergeKey() {
			all = append(all, r.pair(v))
			continue
		}
		sources := []ast.Node{v.Value}
		if seq, ok := v.Value.(*ast.SequenceNode); ok {
			sources = seq.Values
		}
		for _, s := range sources {
			r.merges++
			m := r.pairs(s, "what << merges")
			r.merges--
			if r.merged += len(m); r.merged > maxMerged {
				panic(r.errorf(lineOf(outer), "merges (<<) of more than %d keys", maxMerged))
			}
			merged = append(merged, m...)
		}
	}
	for _, m := range merged {
		if !slices.ContainsFunc(all, func(p pair) bool { return p.key == m.key }) {
			all = append(all, m)
		}
	}
	return all
}

func (r *reader) pair(v *ast.MappingValueNode) pair {
	key := ast.Node(v.Key)
	if k, ok := key.(*ast.MappingKeyNode); ok {
		key = k.Value
	}
	key = r.plain(key)
	if _, isList := key.(*ast.SequenceNode); isList || isMap(key) {
		panic(r.errorf(lineOf(v.Key), "a key should be text, not %s", describe(key)))
	}
	return pair{key.GetToken().Value, lineOf(key), v.Value}
}

// known refuses a key that isn't in allowed.
func (r *reader) known(p pair, where string, allowed []string) {
	if slices.Contains(allowed, p.key) {
		return
	}
	msg := fmt.Sprintf("unknown key %q%s; allowed: %s", p.key, where, strings.Join(allowed, ", "))
	if near := advice.Nearest(p.key[:min(len(p.key), 64)], allowed); near != "" {
		msg += fmt.Sprintf(" (did you mean %s?)", near)
	}
	panic(r.errorf(p.line, "%s", msg))
}

func (r *reader) config(root ast.Node, c *Config) {
	top := r.pairs(root, "the configuration")
	for _, p := range top {
		if isHost(p) {
			panic(r.flat(p, top))
		}
		r.known(p, "", topKeys)
		c.sections = append(c.sections, p.key)
		switch p.key {
		case "servers":
			r.servers(p, c)
		case "rules":
			r.rules(p, c)
		case "accounts":
			r.accounts(p, c)
		case "defaults":
			c.Defaults = r.entry(p, "defaults", wideKeys)
		case "delegate":
			c.Delegate = r.delegate(p)
		case "cache":
			c.Cache = r.boolean(p)
		case "timeout":
			c.Timeout = r.duration(p, "")
		case "learn":
			c.Learn = r.learn(p)
		}
	}
}

// isHost reports whether a key of the file is a server's, which is one step too far out there: a
// name with a dot, an address, or a host with a port, and what is said of it.
func isHost(p pair) bool {
	host, port, err := splitHostPort(p.key)
	return isMap(p.value) && err == nil && (port > 0 || strings.ContainsAny(host, ".:"))
}

// flat answers a server at the top with where it belongs, and all of them as they would stand
// there.
func (r *reader) flat(first pair, top []pair) *Error {
	e := r.errorf(first.line, "%q is a server, which belongs under the key servers", first.key)
	e.Do = []advice.Action{advice.Say("write a line \"servers:\" above them, and indent them by two blanks")}
	var members []string
	for _, p := range top {
		if !isHost(p) {
			continue
		}
		member, err := r.inOneLine(p)
		if err != nil { // that is to be mended, too
			return e
		}
		members = append(members, member)
	}
	if len(members) <= 3 { // more is too much for one line
		e.Do = []advice.Action{advice.Put("write in its place", "servers: {"+strings.Join(members, ", ")+"}")}
	}
	return e
}

func (r *reader) inOneLine(server pair) (text string, err error) {
	defer catch(&err)
	var settings []string
	for _, f := range r.pairs(server.value, server.key) {
		r.known(f, "", entryKeys)
		settings = append(settings, f.key+": "+Quote(r.text(f, f.key)))
	}
	return fmt.Sprintf("%s: {%s}", Quote(server.key), strings.Join(settings, ", ")), nil
}

func (r *reader) servers(p pair, c *Config) {
	for _, s := range r.pairs(p.value, "servers") {
		host, port, err := splitHostPort(s.key)
		if err != nil {
			panic(r.errorf(s.line,
				"servers: %q: %v; allowed: an exact host or host:port (patterns belong under rules)", s.key, err))
		}
		e := r.entry(s, "servers: "+s.key, entryKeys)
		key := normal(host, port)
		if first, ok := c.servers[key]; ok {
			panic(r.errorf(s.line, "servers: %q is the same server as the entry on line %d", s.key, first.Where.Line))
		}
		c.servers[key] = e
	}
}

func (r *reader) accounts(p pair, c *Config) {
	for _, a := range r.pairs(p.value, "accounts") {
		id := strings.ToLower(a.key)
		name := "accounts: " + a.key
		if id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			panic(r.errorf(a.line,
				"%s: not an account id; allowed: the letters and digits after the server's name in its endpoint, "+
					"such as abcdefghijkl, or an account number of 12 digits", name))
		}
		if strings.Trim(id, "0123456789") == "" && len(id) > 8 && !server.IsAccountNumber(id) { // no id by chance
			panic(r.errorf(a.line, "%s: %d digits; an account number has 12, the zeros that it begins with included",
				name, len(id)))
		}
		var e Entry
		if isMap(r.plain(a.value)) {
			e = r.entry(a, name, wideKeys)
		} else {
			profile := r.text(a, name+" (a profile, or a map of fields)")
			e = r.build(name, a.line, map[string]rawField{"aws_profile": {[]string{profile}, a.line}})
		}
		if first, ok := c.Accounts[id]; ok {
			panic(r.errorf(a.line, "%s stands on line %d already", name, first.Where.Line))
		}
		c.Accounts[id] = e
	}
}

func (r *reader) entry(p pair, name string, allowed []string) Entry {
	return r.build(name, p.line, r.rawFields(p.value, name, allowed))
}

func (r *reader) build(name string, line int, raw map[string]rawField) Entry {
	f, err := buildFields(r.file, name, raw, nil)
	if err != nil {
		panic(err)
	}
	return Entry{Fields: f, Where: Where{r.file, line, name}}
}

func (r *reader) rawFields(n ast.Node, name string, allowed []string) map[string]rawField {
	raw := map[string]rawField{}
	for _, p := range r.pairs(n, name) {
		r.known(p, " in "+name, allowed)
		if what := name + ": " + p.key; p.key == "mysqlsh_args" {
			raw[p.key] = rawField{r.list(p, what), p.line}
		} else {
			raw[p.key] = rawField{[]string{r.text(p, what)}, p.line}
		}
	}
	return raw
}

func (r *reader) rules(p pair, c *Config) {
	switch n := r.plain(p.value).(type) {
	case *ast.SequenceNode:
		for i, item := range n.Values {
			c.rules = append(c.rules, r.rule(item, fmt.Sprintf("rule %d", i+1)))
		}
	case *ast.NullNode, nil:
	default:
		panic(r.errorf(p.line, "rules should be a list (each line of it begins with \"-\"), not %s", describe(n)))
	}
}

func (r *reader) rule(item ast.Node, name string) rule {
	line := lineOf(item)
	raw := r.rawFields(item, name, ruleKeys)
	rl := rule{where: Where{r.file, line, name}, raw: raw}
	var groups []string // of both patterns
	rl.host, groups = r.compile(raw, "host", "(?i)", name, groups)
	rl.user, groups = r.compile(raw, "user", "", name, groups)
	if rl.host == nil && rl.user == nil {
		panic(r.errorf(line, "%s has neither host nor user; what holds for every server belongs under defaults", name))
	}
	r.build(name, line, r.withoutGroups(raw, name, groups)) // what has none can be checked now
	return rl
}

// compile takes a rule's pattern for key, if any, out of raw, and adds its groups to the others.
func (r *reader) compile(
	raw map[string]rawField, key, flags, name string, groups []string,
) (*regexp.Regexp, []string) {
	f, ok := raw[key]
	if !ok {
		return nil, groups
	}
	delete(raw, key)
	// Parsed alone first, so that "a)(b" can't escape the anchors. What is right alone may still fail
	// between them: `\Qa` does, whose quoting has no end.
	err := r.pattern(f.texts[0])
	var re *regexp.Regexp
	if err == nil {
		re, err = regexp.Compile(flags + `^(?:` + f.texts[0] + `)$`)
	}
	if err != nil {
		panic(r.errorf(f.line, "%s: %s: %v; allowed: a regular expression as in Go, which must match the whole %s",
			name, key, err, key))
	}
	for _, g := range re.SubexpNames() {
		if slices.Contains(groups, g) {
			panic(r.errorf(f.line, "%s: the group %s is defined twice", name, g))
		}
		if g != "" {
			groups = append(groups, g)
		}
	}
	return re, groups
}

// withoutGroups returns the values that refer to no groups, and refuses those that refer to others
// than the rule's patterns have.
func (r *reader) withoutGroups(raw map[string]rawField, name string, groups []string) map[string]rawField {
	allowed := strings.Join(groups, ", ")
	if allowed == "" {
		allowed = "none, for it names no group with (?P<name>…)"
	}
	fixed := map[string]rawField{}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		f := raw[key]
		used, err := f.groups()
		if err != nil {
			panic(r.errorf(f.line, "%s: %s: %v", name, key, err))
		}
		for _, g := range used {
			if !slices.Contains(groups, g) {
				panic(r.errorf(f.line, "%s: %s: no group %s in this rule's host or user; allowed: %s",
					name, key, g, allowed))
			}
		}
		if len(used) == 0 {
			fixed[key] = f
		}
	}
	return fixed
}

func (r *reader) delegate(p pair) string {
	const allowed = "allowed: default, none, a helper's name such as login-path, or an absolute path"
	text := r.text(p, "delegate ("+allowed+")")
	if !delegateName().MatchString(text) && !filepath.IsAbs(text) {
		panic(r.errorf(p.line, "delegate: %q; %s", text, allowed))
	}
	return text
}

func (r *reader) boolean(p pair) bool {
	n := r.plain(p.value)
	b, ok := n.(*ast.BoolNode)
	if !ok {
		panic(r.errorf(p.line, "%s should be true or false, not %s", p.key, describe(n)))
	}
	return b.Value
}

// list reads a list of texts; one text is a list of one.
func (r *reader) list(p pair, what string) []string {
	seq, ok := r.plain(p.value).(*ast.SequenceNode)
	if !ok {
		return []string{r.text(p, what+" (a list of arguments)")}
	}
	list := []string{}
	for _, v := range seq.Values {
		list = append(list, r.text(pair{p.key, cmp.Or(lineOf(v), p.line), v}, what))
	}
	return list
}

// learn reads a time, or that nobody is asked.
func (r *reader) learn(p pair) time.Duration {
	switch v := r.plain(p.value).(type) {
	case *ast.StringNode:
		if v.Value == "off" {
			return 0
		}
	case *ast.BoolNode: // which "off" is to YAML 1.1, and to editors that know no other
		if !v.Value {
			return 0
		}
	}
	return r.duration(p, ", or off")
}

// duration reads a time: 30s, 1m30s, or a whole number of seconds. The error adds what else is
// allowed.
func (r *reader) duration(p pair, or string) time.Duration {
	text := ""
	switch v := r.plain(p.value).(type) {
	case *ast.StringNode:
		text = v.Value
	case *ast.IntegerNode:
		text = v.GetToken().Value + "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > 10*time.Minute {
		panic(r.errorf(p.line, "%s should be a time from 1s to 10m, such as 30s%s", p.key, or))
	}
	return d
}

// text reads a string that isn't empty. A number is not one: 0123 would lose its zero.
func (r *reader) text(p pair, what string) (s string) {
	switch v := r.plain(p.value).(type) {
	case *ast.StringNode:
		s = v.Value
	case *ast.LiteralNode:
		s = strings.TrimRight(v.Value.Value, "\n")
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		panic(r.errorf(p.line, "%s should be text, not %s: put it in quotes", what, describe(v)))
	default:
		panic(r.errorf(p.line, "%s should be text, not %s", what, describe(v)))
	}
	switch {
	case s == "":
		panic(r.errorf(p.line, "%s is empty; leave the key out instead", what))
	case strings.ContainsAny(s, "\n\r\x00"):
		panic(r.errorf(p.line, "%s should be one line of text", what))
	}
	return s
}

func isMap(n ast.Node) bool {
	_, ok := n.(ast.MapNode)
	return ok
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
