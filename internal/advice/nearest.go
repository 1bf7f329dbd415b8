// The nearest name to one that was mistyped.
package advice

// Nearest returns the candidate at most two edits away from word (a letter more, less or another,
// or two swapped), or one for a word of up to four letters, the first of the nearest ones, or "".
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

// edits is how many letters are to be put in, taken out or changed, or neighbours to be swapped
// (the optimal string alignment distance).
func edits(a, b string) int {
	d := make([][]int, len(a)+1) // of the beginnings of a and b
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
