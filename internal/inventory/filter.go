package inventory

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Filter gives the servers that match every word, those seen last first, then by account, region,
// name and host. A word matches in any letter case, as a part of the host, name, cluster, engine and its version, kind, account,
// region, profile, status, a tag's value or its key=value, or as a pattern (*, ?, […]) of the whole of one.
func Filter(servers []Server, words []string) []Server {
	lower := foldAll(words)
	var found []Server
	for _, s := range servers {
		if matches(s, lower) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b Server) int {
		return cmp.Or(b.Seen.Compare(a.Seen), strings.Compare(a.Account, b.Account), strings.Compare(a.Region, b.Region),
			strings.Compare(a.Name, b.Name), strings.Compare(a.Host, b.Host))
	})
	return found
}

// Matches says whether [Filter] would keep the server.
func (s Server) Matches(words ...string) bool { return matches(s, foldAll(words)) }

func foldAll(words []string) []string {
	lower := make([]string, len(words))
	for i, w := range words {
		lower[i] = fold(w)
	}
	return lower
}

// fold also replaces the slash, which path.Match's * would stop at.
func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "/", "\x00") }

func matches(s Server, words []string) bool {
	if len(words) == 0 {
		return true
	}
	fields := []string{
		s.Host, s.Name, s.Cluster, s.Engine, s.Engine + " " + s.EngineVersion, s.Kind.String(), s.Account, s.Region, s.Profile, s.Status,
	}
	for k, v := range s.Tags {
		fields = append(fields, v, k+"="+v)
	}
	for i, f := range fields {
		fields[i] = fold(f)
	}
	for _, w := range words {
		if !slices.ContainsFunc(fields, func(f string) bool {
			whole, err := path.Match(w, f)
			return strings.Contains(f, w) || err == nil && whole
		}) {
			return false
		}
	}
	return true
}
