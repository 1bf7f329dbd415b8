package setup

import (
	"regexp"
	"slices"
	"strconv"
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
	m := regexp.MustCompile(`\bVer (\d+)\.(\d+)\.(\d+)`).FindStringSubmatch(version)
	if m == nil {
		return false
	}
	var numbers []int
	for _, text := range m[1:] {
		n, _ := strconv.Atoi(text) // digits
		numbers = append(numbers, n)
	}
	return slices.Compare(numbers, clearTextSince) < 0
}
