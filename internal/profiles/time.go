package profiles

import (
	"errors"
	"strings"
	"time"
)

// ParseTime reads a time as AWS's tools and those beside them write it: RFC 3339, and the same with
// a blank for the T and with UTC or +0000 for the Z; and as mail and date(1) have it. Without a zone
// nobody knows what time it is. The error doesn't quote it.
func ParseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.UnixDate, time.RFC1123, time.RFC1123Z, time.RFC850} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	t := strings.ToUpper(text)
	for _, utc := range []string{"UTC", "GMT"} {
		if bare, ok := strings.CutSuffix(t, utc); ok {
			t = strings.TrimSpace(bare) + "Z"
		}
	}
	t = strings.Replace(t, " ", "T", 1)
	for _, zone := range []string{"Z07:00", "Z0700", "Z07"} {
		for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "20060102T150405"} {
			if at, err := time.Parse(layout+zone, t); err == nil {
				return at, nil
			}
		}
	}
	return time.Time{}, errors.New("not a time")
}
