package profiles

import (
	"errors"
	"strings"
	"time"
)

// ParseTime reads a time as AWS's tools and those beside them write it: RFC 3339, and the same with
// a blank for the T, with UTC or +0000 for the Z, or with no zone, which means UTC. The error doesn't quote it.
func ParseTime(text string) (time.Time, error) {
	t := strings.TrimSpace(text)
	t = strings.TrimSuffix(strings.TrimSuffix(t, "UTC"), "GMT")
	t = strings.Replace(strings.TrimSpace(t), " ", "T", 1)
	for _, zone := range []string{"Z07:00", "Z0700", "Z07", ""} {
		for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "20060102T150405"} {
			if at, err := time.Parse(layout+zone, t); err == nil {
				return at, nil
			}
		}
	}
	return time.Time{}, errors.New("not a time")
}
