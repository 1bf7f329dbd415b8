package advice

import (
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0 tokens": Count(0, "token"), "1 token": Count(1, "token"), "2 tokens": Count(2, "token"),
		"1 entry": Count(1, "entry", "entries"), "3 entries": Count(3, "entry", "entries"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 seconds", 119 * time.Second: "119 seconds", 2 * time.Minute: "2 minutes", 119 * time.Minute: "119 minutes",
		2 * time.Hour: "2 hours", 47 * time.Hour: "47 hours", 48 * time.Hour: "2 days", 1000 * time.Hour: "41 days",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)
	for at, want := range map[time.Time]string{
		now.Add(time.Hour): "13:00", now.Add(24 * time.Hour): "12:00 on 2026-03-05", now.AddDate(1, 0, 0): "12:00 on 2027-03-04",
	} {
		if got := Clock(now, at); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
}
