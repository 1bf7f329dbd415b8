package inventory

import (
	"path"
	"strings"
)

// Index finds words in many servers as [Filter] does, fast enough to do it at each key press: a
// value that many of them have, such as a region or a tag, is looked at once.
type Index struct {
	hosts  []string
	fields [][]int32 // of each server, without the host: indices of values
	values []value
}

// value is what a field holds, folded; of a tag key=value, and the value.
type value struct{ text, tag string }

// NewIndex returns the index of servers.
func NewIndex(servers []Server) *Index {
	x := &Index{hosts: make([]string, len(servers)), fields: make([][]int32, len(servers))}
	texts, tags := map[string]int32{}, map[[2]string]int32{}
	add := func(v value) int32 {
		x.values = append(x.values, value{fold(v.text), fold(v.tag)})
		return int32(len(x.values) - 1)
	}
	for i := range servers {
		s := &servers[i]
		plain := [...]string{
			s.Name, s.Cluster, s.Engine, s.Engine + " " + s.EngineVersion, s.Kind.String(), s.Account, s.Region,
			s.Profile, s.Status, s.Endpoint,
		}
		fields := make([]int32, 0, len(plain)+len(s.Tags))
		for _, text := range plain {
			at, ok := texts[text]
			if !ok {
				at = add(value{text: text})
				texts[text] = at
			}
			fields = append(fields, at)
		}
		for k, v := range s.Tags {
			at, ok := tags[[2]string{k, v}]
			if !ok {
				at = add(value{text: k + "=" + v, tag: v})
				tags[[2]string{k, v}] = at
			}
			fields = append(fields, at)
		}
		x.hosts[i], x.fields[i] = s.Host, fields
	}
	return x
}

// Find sets has of each server that a word matches otherwise than as a part of its host: whether it
// is one is for the caller to see.
func (x *Index) Find(word string, has []bool) {
	word = fold(word)
	pattern := strings.ContainsAny(word, `*?[\`)
	whole := func(text string) bool {
		if !pattern {
			return false
		}
		ok, err := path.Match(word, text)
		return err == nil && ok
	}
	matches := make([]bool, len(x.values))
	for i, v := range x.values {
		matches[i] = strings.Contains(v.text, word) || whole(v.text) || whole(v.tag)
	}
	for i, fields := range x.fields {
		for _, f := range fields {
			has[i] = has[i] || matches[f]
		}
		has[i] = has[i] || whole(x.hosts[i])
	}
}

// fold returns s in lower case, and without the slash, which path.Match's * would stop at.
func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "/", "\x00") }
