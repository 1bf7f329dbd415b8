package setup

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mysql-secret-store-rds/internal/about"
)

// EnvCleartext makes MySQL's client library send a password, such as a token, in clear.
const EnvCleartext = "LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN"

// clearTextSince is the first MySQL Shell that does so when it is told
// --auth-method=mysql_clear_password.
var clearTextSince = []int{8, 0, 27}

// NeedsCleartext reports whether a MySQL Shell sends tokens only with [EnvCleartext], by what it
// says of its version ("mysqlsh   Ver 8.0.26 for Linux on x86_64 …"). One that says nothing is
// taken for newer.
func NeedsCleartext(version string) bool {
	m := regexp.MustCompile(`\bVer (\d+\.\d+\.\d+)`).FindStringSubmatch(version)
	return m != nil && slices.Compare(numbers(m[1]), clearTextSince) < 0
}

// older reports whether one build tells a lower version than another: "mysql-secret-store-rds 1.2.3
// (commit …)". One that tells no numbers is not older.
func older(a, b string) bool {
	version := func(build string) []int {
		word, _, _ := strings.Cut(strings.TrimPrefix(build, about.Name+" "), " ")
		return numbers(word)
	}
	one, other := version(a), version(b)
	return one != nil && other != nil && slices.Compare(one, other) < 0
}

// numbers returns those of a version such as "v1.2.3-rc1"; nil when it has another shape.
func numbers(version string) (list []int) {
	word, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	for n := range strings.SplitSeq(word, ".") {
		i, err := strconv.Atoi(n)
		if err != nil {
			return nil
		}
		list = append(list, i)
	}
	return list
}
