package session

import (
	"fmt"
	"math"
	"slices"

	"dns-tui/human"
)

// Search is a search for the smallest net within an accuracy budget, as it is now. Package search does it.
type Search struct {
	Phase     string         `json:"phase"`
	Budget    float64        `json:"budget"` // the accuracy that may be lost
	Before    float64        `json:"before"` // the accuracy of the net as it was
	Dense     float64        `json:"dense"`  // that of the first branch, with next to nothing pruned
	Images    int            `json:"images"` // that are held out
	Descended bool           `json:"descended"`
	Points    []SearchPoint  `json:"points"`
	Branches  []SearchBranch `json:"branches"`
}

// SearchPoint is a snapshot of the descent, to branch from.
type SearchPoint struct {
	Iter  int    `json:"iter"`
	Kept  int    `json:"kept"`
	Total int    `json:"total"`
	Path  string `json:"path"`
}

// SearchBranch is a net of the frontier: masks that were frozen, and annealed.
type SearchBranch struct {
	Asked    int     `json:"asked"` // entries to be kept
	Kept     int     `json:"kept"`
	Total    int     `json:"total"`
	From     int     `json:"from"` // the iteration that it left the descent in
	Iters    int     `json:"iters"`
	Accuracy float64 `json:"accuracy"`
	Loss     float64 `json:"loss"`
	Inside   bool    `json:"inside"` // within the budget
	Path     string  `json:"path"`
}

// Best is the branch within the budget that keeps least; nil where there is none.
func (s *Search) Best() *SearchBranch {
	var best *SearchBranch
	for i := range s.Branches {
		if b := &s.Branches[i]; b.Inside && (best == nil || b.Kept < best.Kept) {
			best = b
		}
	}
	return best
}

// Frontier is the branches, the largest first.
func (s *Search) Frontier() []SearchBranch {
	out := slices.Clone(s.Branches)
	slices.SortStableFunc(out, func(a, b SearchBranch) int { return b.Kept - a.Kept })
	return out
}

// Error is the standard error of an accuracy a on the held-out images, √(a·(1-a)/n).
func (s *Search) Error(a float64) float64 {
	return math.Sqrt(max(a*(1-a), 0) / float64(max(1, s.Images)))
}

// Describe says what a branch came to: "1,389 of 431,080 kept, 310.4x smaller, accuracy 0.9905 ±0.0012, inside".
func (s *Search) Describe(b *SearchBranch) string {
	where := "outside"
	if b.Inside {
		where = "inside"
	}
	return fmt.Sprintf("%s of %s kept, %.4gx smaller, accuracy %.4f ±%.4f, %s", human.Count(b.Kept),
		human.Count(b.Total), float64(b.Total)/float64(max(1, b.Kept)), b.Accuracy, s.Error(b.Accuracy), where)
}

// ShowSearch has snapshots show a search from now on.
func (t *Trainer) ShowSearch(s *Search) { t.search.Store(s) }
