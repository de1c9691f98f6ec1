package caffe

import "github.com/agnivade/levenshtein"

// Closest returns the candidate that word may be a misspelling of (within a Levenshtein distance of one, and
// a third of its length), or "".
func Closest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+1
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(word, c); d < bestDistance || d == bestDistance && best == "" {
			best, bestDistance = c, d
		}
	}
	return best
}
