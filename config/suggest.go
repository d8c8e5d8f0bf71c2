package config

import "strings"

// nearest returns the word that a misspelt one was probably meant to be, or
// nothing if none is near.
func nearest(word string, words []string) string {
	best, found := max(len(word)/3, 1), ""

	for _, w := range words {
		if plain(w) == plain(word) {
			return w
		}
		if d := distance(word, w); d <= best && (found == "" || d < best) {
			best, found = d, w
		}
	}
	return found
}

// plain is a key without what differs between the ways to write it: stop_signal,
// stop-signal, stopSignal, STOP_SIGNAL.
func plain(key string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(key))
}

// distance counts the letters to add, drop, change or swap with their neighbour
// to get from one word to the other.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}

	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}

	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
