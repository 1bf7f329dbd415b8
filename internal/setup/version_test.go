package setup

import "testing"

func TestNeedsCleartext(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"mysqlsh   Ver 8.0.26 for Linux on x86_64 - for MySQL 8.0.26 (MySQL Community Server (GPL))": true,
		"mysqlsh   Ver 8.0.12 for Linux on x86_64":                                                   true,
		"mysqlsh   Ver 8.0.27 for Linux on x86_64":                                                   false,
		"mysqlsh   Ver 8.4.8 for Linux on x86_64":                                                    false,
		"mysqlsh   Ver 10.0.1 for Linux on x86_64":                                                   false,
		"": false, "something else": false,
	} {
		if got := NeedsCleartext(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
