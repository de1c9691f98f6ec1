package search

import (
	"math"
	"slices"

	"dns-tui/model/session"
)

// fine is how near the last branch within the budget and the first outside are to come, by what they keep.
const fine = 1.12

// next is the branch to make after those that are there, and the snapshot that it leaves the descent from: by bisection
// the last snapshot within the budget and the first outside, then those between the two. ok is false where there is
// none.
func next(s *session.Search) (from session.SearchPoint, kept int, ok bool) {
	made := func(kept int) *session.SearchBranch {
		i := slices.IndexFunc(s.Branches, func(b session.SearchBranch) bool { return b.Asked == kept })
		if i < 0 {
			return nil
		}
		return &s.Branches[i]
	}
	lo, hi := 0, len(s.Points)
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		switch b := made(s.Points[mid].Kept); {
		case b == nil:
			return s.Points[mid], s.Points[mid].Kept, true
		case b.Inside:
			lo = mid
		default:
			hi = mid
		}
	}
	within, outside := bounds(s)
	if within == 0 || outside == 0 || float64(within) <= fine*float64(outside) {
		return from, 0, false
	}
	kept = int(math.Sqrt(float64(within) * float64(outside)))
	from = s.Points[0]
	for _, p := range s.Points {
		if p.Kept > kept {
			from = p
		}
	}
	return from, kept, made(kept) == nil
}

// bounds are what the smallest branch within the budget keeps and what the largest outside; 0 where there is none.
func bounds(s *session.Search) (within, outside int) {
	if b := s.Best(); b != nil {
		within = b.Kept
	}
	for _, b := range s.Branches {
		if !b.Inside && b.Kept > outside && (within == 0 || b.Kept < within) {
			outside = b.Kept
		}
	}
	return within, outside
}

// after is what the branch after one of so many entries is to keep, where that comes to lie within the budget, or not;
// 0 where none follows.
func (s *search) after(kept int, within bool) int {
	then := s.now
	then.Branches = append(slices.Clone(s.now.Branches), session.SearchBranch{Asked: kept, Kept: kept, Inside: within})
	_, k, ok := next(&then)
	if !ok || len(then.Branches) >= s.Branches {
		return 0
	}
	return k
}
