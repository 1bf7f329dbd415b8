package inventory

import (
	"cmp"
	"path"
	"slices"
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

// Filter returns the servers that match every word, those seen last first, then by account, region,
// name and host. A word matches in any letter case, as a part of the host, name, cluster, engine
// and its version, kind, account, region, profile, status, endpoint, a tag's value or its
// key=value, or as a pattern (*, ?, […]) of the whole of one.
func Filter(servers []Server, words []string) []Server {
	found := slices.Clone(servers)
	for _, word := range words {
		has := make([]bool, len(found))
		for i := range found {
			has[i] = strings.Contains(found[i].Host, fold(word))
		}
		NewIndex(found).Find(word, has)
		matching := found[:0]
		for i, s := range found {
			if has[i] {
				matching = append(matching, s)
			}
		}
		found = matching
	}
	slices.SortStableFunc(found, func(a, b Server) int {
		return cmp.Or(b.Seen.Compare(a.Seen), strings.Compare(a.Account, b.Account),
			strings.Compare(a.Region, b.Region), strings.Compare(a.Name, b.Name), strings.Compare(a.Host, b.Host))
	})
	return found
}
