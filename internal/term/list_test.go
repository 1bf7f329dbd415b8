package term

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sahilm/fuzzy"

	"mysql-secret-store-rds/internal/inventory"
	"mysql-secret-store-rds/internal/server"
)

// lineOf is what may be typed of a row.
func lineOf(row Row) string { return row.Host + "  " + strings.Join(row.Details, "  ") }

// nameOf is what its letters are looked for in.
func nameOf(row Row) string {
	name, _, _ := strings.Cut(row.Host, ".")
	return name
}

// findPlainly returns what list.find does, from scratch and one step after the other.
func findPlainly(rows []Row, elsewhere Search, typed string) []int {
	words := strings.Fields(typed)
	var names []string
	for _, row := range rows {
		names = append(names, nameOf(row))
	}
	shows := func(i int, word string) bool {
		return strings.Contains(strings.ToLower(lineOf(rows[i])), strings.ToLower(word))
	}
	hidden := map[string][]bool{}
	for _, w := range words {
		hidden[w] = make([]bool, len(rows))
		elsewhere(w, hidden[w])
	}
	has := func(i int, word string) bool { return shows(i, word) || hidden[word][i] }
	var first, second, rest []int
	for i := range rows {
		switch {
		case !slices.ContainsFunc(words, func(w string) bool { return !shows(i, w) }):
			first = append(first, i)
		case !slices.ContainsFunc(words, func(w string) bool { return !has(i, w) }):
			second = append(second, i)
		default:
			rest = append(rest, i)
		}
	}
	if found := slices.Concat(first, second); len(found) > 0 {
		return found
	}
	scores := map[int]int{}
	for _, w := range words {
		found := map[int]int{}
		for _, m := range fuzzy.Find(w, names) {
			found[m.Index] = m.Score
		}
		rest = slices.DeleteFunc(rest, func(i int) bool {
			score, ok := found[i]
			scores[i] += score
			return !ok && !has(i, w)
		})
	}
	slices.SortStableFunc(rest, func(a, b int) int { return scores[b] - scores[a] })
	return rest
}

// TestFindAsPlainly: whatever is typed and taken back, the items are those that a search from
// scratch finds, in its order.
func TestFindAsPlainly(t *testing.T) {
	t.Parallel()
	servers, rows := fleet(100)
	t.Run("servers", func(t *testing.T) {
		t.Parallel()
		compareFind(t, rows, inventory.NewIndex(servers).Find)
	})
	t.Run("letters", func(t *testing.T) {
		t.Parallel()
		compareFind(t, odd(100), func(word string, has []bool) {
			tag := strings.Contains("team=orders", strings.ToLower(word))
			pattern := strings.HasSuffix(word, "*") // one letter more can find more
			for i := range has {
				has[i] = has[i] || i%5 == 0 && tag || i%7 == 0 && pattern
			}
		})
	})
}

func compareFind(t *testing.T, rows []Row, elsewhere Search) {
	l := newList(rows, elsewhere)
	var lines []string
	for _, row := range rows {
		lines = append(lines, lineOf(row), nameOf(row))
	}
	r := rand.New(rand.NewPCG(1, 1))
	letters := []rune(strings.Join(lines, "") + "*?[]")
	typed, words := "", [3]int{}
	pasted := slices.Clone(lines[:20])
	for range 4000 {
		switch n := r.IntN(20); {
		case n == 0 && len(pasted) > 0:
			typed, pasted = pasted[0]+" o", pasted[1:]
		case n == 0 || len(typed) > 16:
			typed = ""
		case n < 5:
			_, size := utf8.DecodeLastRuneInString(typed)
			typed = typed[:len(typed)-size]
		case n < 7:
			typed += " "
		case n < 16: // what follows the last word in some line
			_, rest, _ := strings.Cut(lines[r.IntN(len(lines))], typed[strings.LastIndex(typed, " ")+1:])
			typed += string([]rune(rest)[:min(1, len(rest))])
		default:
			typed += string(letters[r.IntN(len(letters))])
		}
		want := findPlainly(rows, elsewhere, typed)
		if got := l.find(typed); !slices.Equal(got, want) {
			t.Fatalf("%q: %v, not %v", typed, got, want)
		}
		words[min(len(strings.Fields(typed)), 2)]++
		if len(want) == 0 {
			typed = ""
		}
	}
	if slices.Min(words[:]) < 300 {
		t.Errorf("searches for no, one and more words: %v", words)
	}
}

// TestLettersOfOtherLength: a few are longer in lower case, or shorter.
func TestLettersOfOtherLength(t *testing.T) {
	t.Parallel()
	l := newList(rowsOf("ȺȺȺ-prod", "\u212A\u212A\u212A-prod", "Ⱥ\u212A-shop"), nil)
	for typed, want := range map[string][]int{
		"prod": {0, 1}, "pd": {0, 1}, "ⱥȺd": {0}, "kP": {1, 2}, "KKK": {1}, "ⱥks": {2},
	} {
		if got := l.find(typed); !slices.Equal(got, want) {
			t.Errorf("%q: %v, not %v", typed, got, want)
		}
	}
}

// rowsOf returns rows that have hosts alone.
func rowsOf(hosts ...string) (rows []Row) {
	for _, host := range hosts {
		rows = append(rows, Row{Host: host, Details: []string{""}})
	}
	return rows
}

// odd returns rows that have all that the score of letters depends on.
func odd(n int) (rows []Row) {
	r := rand.New(rand.NewPCG(3, 3))
	parts := []string{
		"orders", "Orders", "prodAdmin", "PROD", "o", "eu-west-1", "ooorrr", "Bücher", "ÄÖÜ", "日本", "ÉtéHiver", "x*y",
		`a\b`,
	}
	for range n {
		line := ""
		for range 1 + r.IntN(5) {
			line += parts[r.IntN(len(parts))] + []string{".", "-", "_", "/", "  ", "", "\\"}[r.IntN(7)]
		}
		rows = append(rows, rowsOf(line)...)
	}
	return rows
}

// fleet returns servers as a large company has them, and the rows that show them.
func fleet(n int) (servers []inventory.Server, rows []Row) {
	r := rand.New(rand.NewPCG(2, 2))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	for i := range n {
		service := pick("orders", "billing", "ledger", "shop", "search", "users", "reports", "payments", "parcels")
		env, account := pick("prod", "stage", "dev"), strconv.Itoa(100000000001+i/80)
		s := inventory.Server{
			Name:          fmt.Sprintf("%s-%s-%02d", service, env, r.IntN(100)),
			Kind:          server.EndpointKind(r.IntN(3)), // an instance, a writer or a reader
			Engine:        pick("aurora-mysql", "mysql", "mariadb"),
			EngineVersion: pick("8.0.40", "8.4.6", "8.0.mysql_aurora.3.08.2"),
			Status:        pick("available", "available", "stopped"),
			Account:       account,
			Region:        pick("eu-central-1", "eu-west-1", "us-east-1", "ap-southeast-2"),
			Profile:       env + "-" + account + "-dba",
			Tags: map[string]string{
				"team": pick("Commerce", "Finance", "Platform"), "env": env, "service": service,
				"cost-center": strconv.Itoa(i % 50),
			},
		}
		label := []string{"", "cluster-", "cluster-ro-"}[s.Kind]
		s.Host = fmt.Sprintf("%s.%sab%s.%s.rds.amazonaws.com", s.Name, label, account[2:], s.Region)
		servers = append(servers, s)
		rows = append(rows, Row{s.Host, []string{s.Profile, s.Region, s.Kind.String(), s.Engine}})
	}
	return servers, rows
}

// BenchmarkKeys types into a list of 40,000 servers. ms/key is what the slowest key takes, each at
// its best of all runs, as other programs may be using the machine, too.
func BenchmarkKeys(b *testing.B) {
	servers, rows := fleet(40_000)
	p := newPicker("Server?", rows, inventory.NewIndex(servers).Find, false)
	p.width, p.height = 100, 23
	best := map[string]time.Duration{} // by what is typed then
	for b.Loop() {
		for _, text := range []string{"orders prod eu", "mysql stop", "team=finance ordprd", "prod-1* zz", "?o*", "ordprd", "odp"} {
			p.press(keyClear)
			for _, letter := range text {
				start := time.Now()
				p.press(stroke(letter))
				p.draw(io.Discard)
				took := time.Since(start)
				if earlier, ok := best[p.typed]; !ok || took < earlier {
					best[p.typed] = took
				}
			}
		}
	}
	b.ReportMetric(slices.Max(slices.Collect(maps.Values(best))).Seconds()*1e3, "ms/key")
}

// BenchmarkOpen prepares a list of 40,000 servers.
func BenchmarkOpen(b *testing.B) {
	servers, rows := fleet(40_000)
	for b.Loop() {
		newPicker("Server?", rows, inventory.NewIndex(servers).Find, false)
	}
}
