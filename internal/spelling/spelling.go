// Package spelling finds the word that a mistyped one was meant to be.
package spelling

// Nearest gives the candidate at most two edits away from word, or one for a word of up to four letters,
// the first of the nearest ones, or "".
func Nearest(word string, candidates []string) string {
	best, at := "", 3
	if len(word) <= 4 {
		at = 2
	}
	for _, c := range candidates {
		if d := edits(word, c); d < at {
			best, at = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
