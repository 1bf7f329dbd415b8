package term

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Search looks for a word in what the lines of a list don't show, such as tags: it sets has of each
// item that has the word there. Items whose line has the word are set already, and stay so.
type Search func(word string, has []bool)

// list is what is picked from. Searching tens of thousands of items for every word would take
// longer than a key press may, but a key press changes one word, by one letter. So the results for
// a word are kept while that word is typed, or a longer one that begins with it.
type list struct {
	lines     []line
	elsewhere Search
	kept      []*word
}

// line is an item: what may be typed of it, in lower case, and its name.
type line struct{ lower, name, lowerName string }

// word is the results for a word, one for each item.
type word struct {
	text    string
	lower   []rune
	shown   []bool  // whether the line has the word
	has     []bool  // whether the item has it: in the line, or elsewhere
	letters []match // nil: not looked for
}

// match is whether a name has all letters of a word in their order, and how well: the higher the
// score, the better.
type match struct {
	ok    bool
	score int
}

func newList(rows []Row, elsewhere Search) *list {
	l := &list{lines: make([]line, len(rows)), elsewhere: elsewhere}
	for i, row := range rows {
		name, _, _ := strings.Cut(row.Host, ".")
		name = Visible(name)
		whole := Visible(row.Host + "  " + strings.Join(row.Details, "  "))
		l.lines[i] = line{strings.ToLower(whole), name, strings.ToLower(name)}
	}
	return l
}

// find returns the items whose line has every word that is typed, then those that have some word
// elsewhere, both in their order, so that the one used most stays the first. Where there are none,
// it returns those whose name has at least the letters of each word, the best first. With nothing
// typed it returns all.
func (l *list) find(typed string) []int {
	words := l.results(strings.Fields(typed))
	found := make([]int, 0, len(l.lines))
	var elsewhere []int
	for i := range l.lines {
		shown, has := true, true
		for _, w := range words {
			shown, has = shown && w.shown[i], has && w.has[i]
		}
		switch {
		case shown:
			found = append(found, i)
		case has:
			elsewhere = append(elsewhere, i)
		}
	}
	if found = append(found, elsewhere...); len(found) > 0 {
		return found
	}
	return l.findLetters(words)
}

// findLetters returns the items that have each word, or its letters in their name, the best first.
func (l *list) findLetters(words []*word) (found []int) {
	rest := map[int][]int{} // by score
	for _, w := range words {
		l.matchLetters(w)
	}
	for i := range l.lines {
		if score, ok := rate(i, words); ok {
			rest[score] = append(rest[score], i)
		}
	}
	for _, score := range slices.Backward(slices.Sorted(maps.Keys(rest))) {
		found = append(found, rest[score]...)
	}
	return found
}

// results returns the results for each word, and drops those that aren't needed any more.
func (l *list) results(typed []string) []*word {
	l.kept = slices.DeleteFunc(l.kept, func(w *word) bool {
		return !slices.ContainsFunc(typed, func(text string) bool { return strings.HasPrefix(text, w.text) })
	})
	words := make([]*word, len(typed))
	for n, text := range typed {
		words[n] = l.word(text)
	}
	return words
}

// beginning returns the kept results for the longest beginning of a text for which is says so.
func (l *list) beginning(text string, is func(w *word) bool) (begin *word) {
	for _, w := range l.kept {
		if strings.HasPrefix(text, w.text) && (begin == nil || len(w.text) > len(begin.text)) && is(w) {
			begin = w
		}
	}
	return begin
}

// word returns the results for a word. Where those for its beginning are kept, only lines that have
// that are searched.
func (l *list) word(text string) *word {
	begin := l.beginning(text, func(*word) bool { return true })
	if begin != nil && begin.text == text {
		return begin
	}
	lower := strings.ToLower(text)
	n := len(l.lines)
	w := &word{text: text, lower: []rune(lower), shown: make([]bool, n)}
	forEach(n, func(i int) {
		if begin == nil || begin.shown[i] {
			w.shown[i] = strings.Contains(l.lines[i].lower, lower)
		}
	})
	w.has = slices.Clone(w.shown)
	if l.elsewhere != nil {
		l.elsewhere(text, w.has)
	}
	l.kept = append(l.kept, w)
	return w
}

// matchLetters looks for the letters of a word, in the names that have those of its beginning.
func (l *list) matchLetters(w *word) {
	if w.letters != nil {
		return
	}
	begin := l.beginning(w.text, func(w *word) bool { return w.letters != nil })
	w.letters = make([]match, len(l.lines))
	forEach(len(l.lines), func(i int) {
		if begin == nil || begin.letters[i].ok {
			w.letters[i] = l.lines[i].match(w.lower)
		}
	})
}

// rate reports whether an item has every word, or at least its letters, and returns the score of
// these.
func rate(item int, words []*word) (score int, ok bool) {
	for _, w := range words {
		if !w.letters[item].ok && !w.has[item] {
			return 0, false
		}
		score += w.letters[item].score
	}
	return score, true
}

// The score of letters, as in Sublime Text and https://github.com/sahilm/fuzzy.
const (
	worthFirst     = 10  // a letter that is the name's first
	worthStart     = 20  // one after a separator, or an upper case one after a lower case one
	worthBeside    = 5   // one right after the letter before it; each further one in a row, three times as much
	worthLate      = -5  // each byte before the first letter,
	worthLatest    = -15 // but no more for all of them
	worthUnmatched = -1  // each byte of the name that is no letter of the word
)

// match finds the letters of a word, which is in lower case, in the name.
func (l *line) match(word []rune) match {
	text, lower := l.name, l.lowerName
	if len(lower) != len(text) { // a few letters are longer or shorter in lower case
		text = lower
	}
	score := worthUnmatched * (len(l.name) - len(word))
	at := strings.IndexRune(lower, word[0])
	if at < 0 {
		return match{}
	}
	after, row := -1, 0 // the place after the previous letter; what letters in a row were worth so far
	for n, c := range word {
		// Of the places before the first one of the next letter, the best counts.
		size, next := utf8.RuneLen(c), len(lower)
		if n+1 < len(word) {
			if next = index(lower, word[n+1], at+size, next); next < 0 {
				return match{}
			}
		}
		best, place := -1, at
		for j := at; j >= 0 && best < worthStart; j = index(lower, c, j+size, next) {
			worth := worthOf(text, j)
			if j == after {
				worth += 2*row + worthBeside
				row += 2*row + worthBeside
			}
			if worth > best {
				best, place = worth, j
			}
		}
		if n == 0 {
			best += max(worthLate*place, worthLatest)
		}
		score += best
		after, at = place+size, next
	}
	return match{ok: true, score: score}
}

// worthOf returns what a letter is worth at a place of the name.
func worthOf(text string, at int) int {
	if at == 0 {
		return worthFirst
	}
	before := rune(text[at-1])
	if before >= utf8.RuneSelf {
		before, _ = utf8.DecodeLastRuneInString(text[:at])
	}
	switch before {
	case '/', '-', '_', ' ', '.', '\\':
		return worthStart
	}
	if here, _ := utf8.DecodeRuneInString(text[at:]); unicode.IsUpper(here) && unicode.IsLower(before) {
		return worthStart
	}
	return 0
}

// index returns where in s[from:to] a letter is first, as a place in s, or -1.
func index(s string, letter rune, from, to int) int {
	at := strings.IndexRune(s[from:to], letter)
	if at < 0 {
		return -1
	}
	return from + at
}

// forEach does something for each of n items, which it divides among the processors.
func forEach(n int, do func(i int)) {
	size := n/runtime.GOMAXPROCS(0) + 1
	var wg sync.WaitGroup
	for from := 0; from < n; from += size {
		wg.Go(func() {
			for i := from; i < min(from+size, n); i++ {
				do(i)
			}
		})
	}
	wg.Wait()
}
