package inventory

import (
	"cmp"
	"slices"
	"strings"
)

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
