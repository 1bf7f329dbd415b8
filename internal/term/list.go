package term

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// list is what is picked from, and remembers how its items have the words that are typed: tens of thousands of them should keep
// up with the keys, of which each changes one word.
type list struct {
	lines  []line
	hidden func(word string, has []bool)
	words  []word // those of the last search
}

// line is an item as it is shown.
type line struct {
	text  string
	lower string
	ascii bool // text is: each place in it is the same in lower
}

// word is one that was typed, and how each of the items has it.
type word struct {
	text    string
	letters []letter
	shown   []bool  // in its line
	has     []bool  // there or where it isn't seen
	scores  []int32 // how well its line has the word's letters in their order; 0: not looked yet; noMatch: it hasn't
}

const (
	unscored = math.MinInt32
	noMatch  = math.MinInt32 + 1
)

func newList(texts []string, hidden func(string, []bool)) list {
	l := list{lines: make([]line, len(texts)), hidden: hidden}
	for i, text := range texts {
		text := Visible(text)
		l.lines[i] = line{text: text, lower: strings.ToLower(text), ascii: isPlain(text)}
	}
	return l
}

// find returns the items that show every word that was typed, then those that have them otherwise, as in a tag, both in their
// order, so that the one used most stays the first; after them those that have the letters only, the best first. With nothing
// typed all are there.
func (l *list) find(typed string) []int {
	l.learn(strings.Fields(typed))
	found := make([]int, 0, len(l.lines))
	var hidden []int       // have some of it where it isn't seen
	var scattered []scored // those with the letters only: score and item, so that they sort by both
	for i := range l.lines {
		shown, has := true, true
		for _, w := range l.words {
			shown = shown && w.shown[i]
			has = has && w.has[i]
		}
		switch {
		case shown:
			found = append(found, i)
		case has:
			hidden = append(hidden, i)
		default:
			if score, ok := l.score(i); ok {
				scattered = append(scattered, scored{i, score})
			}
		}
	}
	found = append(found, hidden...)
	return append(found, byScore(scattered)...)
}

// learn looks for the words that weren't typed before.
func (l *list) learn(typed []string) {
	words := make([]word, len(typed))
	for n, text := range typed {
		known := slices.IndexFunc(l.words, func(w word) bool { return w.text == text })
		if known >= 0 {
			words[n] = l.words[known]
			continue
		}
		lower := strings.ToLower(text)
		w := word{text: text, letters: lettersOf(text), shown: make([]bool, len(l.lines)), scores: make([]int32, len(l.lines))}
		var prev *word
		for i := range l.words {
			if strings.HasPrefix(text, l.words[i].text) && (prev == nil || len(prev.text) < len(l.words[i].text)) {
				prev = &l.words[i]
			}
		}
		for i := range l.lines {
			w.shown[i] = (prev == nil || prev.shown[i]) && strings.Contains(l.lines[i].lower, lower)
			w.scores[i] = unscored
			if prev != nil && prev.scores[i] == noMatch {
				w.scores[i] = noMatch
			}
		}
		w.has = slices.Clone(w.shown)
		if l.hidden != nil {
			l.hidden(text, w.has)
		}
		words[n] = w
	}
	l.words = words
}

// score returns how well an item has the letters of all words; ok is false for one that hasn't.
func (l *list) score(i int) (total int, ok bool) {
	for _, w := range l.words {
		m := &w.scores[i]
		if *m == unscored {
			*m = noMatch
			if score, ok := l.lines[i].score(w.letters); ok {
				*m = int32(score)
			}
		}
		switch {
		case *m != noMatch:
			total += int(*m)
		case !w.has[i]:
			return 0, false
		}
	}
	return total, true
}

// letter is one of a word, and what counts as the same.
type letter struct {
	ascii byte // in lower case; 0 if there is none
	all   string
}

func lettersOf(word string) []letter {
	var letters []letter
	for _, r := range word {
		c := letter{all: string(r)}
		for f := r; ; {
			if f < utf8.RuneSelf {
				c.ascii = max(c.ascii, byte(f)) // the lower case is the greater
			}
			if f = unicode.SimpleFold(f); f == r {
				break
			}
			c.all += string(f)
		}
		letters = append(letters, c)
	}
	return letters
}

// index returns where a letter stands first from a place on and before another one, or -1.
func (l *line) index(c letter, from, to int) int {
	at := -1
	if l.ascii {
		at = strings.IndexByte(l.lower[from:to], c.ascii)
	} else {
		at = strings.IndexAny(l.text[from:to], c.all)
	}
	if at < 0 {
		return -1
	}
	return from + at
}

// score returns how well a line has the letters of a word in their order, with others between them. Better is what begins a part
// of the line, what stands together, and a short line: the scores are those of Sublime Text and of
// https://github.com/sahilm/fuzzy.
func (l *line) score(word []letter) (total int, ok bool) {
	end := len(l.text)
	at := l.index(word[0], 0, end)
	beside, bonus := -1, 0 // the place after the letter before, and what standing there is worth
	for n, c := range word {
		if at < 0 {
			return 0, false
		}
		// The letter may stand anywhere before the first place of the next one.
		next := end
		if n+1 < len(word) {
			if next = l.index(word[n+1], at+l.size(at), end); next < 0 {
				return 0, false
			}
		}
		best, place := -1, at
		for j := at; j >= 0; j = l.index(c, j+l.size(j), next) {
			score := l.worth(j)
			if j == beside {
				score += 2*bonus + 5
				bonus += 2*bonus + 5
			}
			if score > best {
				best, place = score, j
			}
			if best >= 20 {
				break
			}
		}
		if n == 0 {
			best -= min(5*place, 15)
		}
		total += best
		beside, at = place+l.size(place), next
	}
	return total + len(word) - end, true
}

func (l *line) size(at int) int {
	if l.ascii {
		return 1
	}
	_, size := utf8.DecodeRuneInString(l.text[at:])
	return size
}

// worth is how good a place is for a letter: the first one, or one that begins a part.
func (l *line) worth(at int) int {
	if at == 0 {
		return 10
	}
	before := rune(l.text[at-1])
	if before >= utf8.RuneSelf {
		before, _ = utf8.DecodeLastRuneInString(l.text[:at])
	}
	switch before {
	case '/', '-', '_', ' ', '.', '\\':
		return 20
	}
	if here, _ := utf8.DecodeRuneInString(l.text[at:]); unicode.IsUpper(here) && unicode.IsLower(before) {
		return 20
	}
	return 0
}

func byScore(items []scored) []int {
	low, high := math.MaxInt, math.MinInt
	for _, s := range items {
		low = min(low, s.score)
		high = max(high, s.score)
	}
	if len(items) == 0 {
		return nil
	}
	places := make([]int, high-low+2)
	for _, s := range items {
		places[high-s.score+1]++
	}
	for i := range places[1:] {
		places[i+1] += places[i]
	}
	sorted := make([]int, len(items))
	for _, s := range items {
		at := &places[high-s.score]
		sorted[*at] = s.item
		*at++
	}
	return sorted
}

type scored struct{ item, score int }
