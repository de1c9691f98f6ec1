package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"dns-tui/caffe"
	"dns-tui/files"
	"dns-tui/human"
	"dns-tui/model/autopilot"
)

// Search is a search for the smallest net within an accuracy budget, as it is now. Package search does it.
type Search struct {
	Phase     string  `json:"phase"`
	Budget    float64 `json:"budget"` // the accuracy that may be lost
	Before    float64 `json:"before"` // the accuracy of the net as it was
	Dense     float64 `json:"dense"`  // that of the first branch, with next to nothing pruned
	Images    int     `json:"images"` // that are held out
	Descended bool    `json:"descended"`
	Done      bool    `json:"done,omitempty"`   // the last branch was made
	Failed    string  `json:"failed,omitempty"` // why it ended before
	// Taken is the snapshot of the branch that a person took, to whom the run belongs since; "": none.
	Taken    string         `json:"taken,omitempty"`
	Points   []SearchPoint  `json:"points"`
	Branches []SearchBranch `json:"branches"`

	// Of a search that steers the run now.
	Running bool       `json:"-"`
	Trying  *SearchTry `json:"-"` // the branch that is being made; nil between two. Never changed
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

// SearchTry is a branch that is being made.
type SearchTry struct {
	Asked, Total int // entries to be kept, of so many
	// The iterations in which it leaves the descent, its masks freeze, and its anneal ends.
	From, Freezes, Ends int
	// What the branch after it is to keep, by what becomes of this one; 0: none follows.
	IfWithin, IfOutside int
}

// BySearch is who asks, of the commands of a search.
const BySearch = "search"

// Errors of searches.
var (
	// ErrTaken is returned to a search of which a branch was taken: it steers the run no more.
	ErrTaken = errors.New("a branch was taken")
	// ErrNoSearch is returned by TakeBranch for a run without a search.
	ErrNoSearch = errors.New("no search steers this run, and none was made at its snapshot_prefix")

	// ErrHalted is returned to a search that would train, or test, while a person has the run paused.
	ErrHalted = errors.New("the run is paused")

	errSearching = errors.New("a search steers the run: pause it, take one of its branches, or stop it")
)

// SearchPath is where a search keeps its state, beside the snapshots of a prefix.
func SearchPath(prefix string) string { return prefix + ".search" }

// SearchPrefix is the prefix of the snapshots that a search writes, of a run's.
func SearchPrefix(prefix string) string { return prefix + searchSuffix }

// RunPrefix is the prefix of the run that a snapshot's prefix belongs to: one that was written before a risky change,
// or by a search, has a word more.
func RunPrefix(prefix string) string {
	for _, suffix := range []string{guardSuffix, presentSuffix, searchSuffix} {
		prefix = strings.TrimSuffix(prefix, suffix)
	}
	return prefix
}

// ReadSearch reads the state of a search; nil where there is none.
func ReadSearch(path string) (*Search, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	s := &Search{}
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err != nil {
		return nil, &caffe.FileError{Path: path, Msg: fmt.Sprintf("is not the state of a search: %v", err), Err: err}
	}
	return s, nil
}

// Save writes the state of a search.
func (s *Search) Save(path string) error {
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return files.Write(path, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
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

// Branch is the branch of a snapshot; nil where there is none.
func (s *Search) Branch(path string) *SearchBranch {
	for i := range s.Branches {
		if s.Branches[i].Path == path {
			return &s.Branches[i]
		}
	}
	return nil
}

// Frontier is the branches, the largest first.
func (s *Search) Frontier() []SearchBranch {
	out := slices.Clone(s.Branches)
	slices.SortStableFunc(out, func(a, b SearchBranch) int { return b.Kept - a.Kept })
	return out
}

// Least is the accuracy that the budget allows.
func (s *Search) Least() float64 { return s.Dense - s.Budget }

// Error is the standard error of an accuracy a on the held-out images, √(a·(1-a)/n).
func (s *Search) Error(a float64) float64 {
	return math.Sqrt(max(a*(1-a), 0) / float64(max(1, s.Images)))
}

// Smaller is how many times smaller a net is that keeps so much: "310.4x".
func Smaller(kept, total int) string {
	return fmt.Sprintf("%.4gx", autopilot.TimesSmaller(kept, total))
}

// Where says on which side of the budget a branch lies.
func (b *SearchBranch) Where() string {
	if b.Inside {
		return "within"
	}
	return "outside"
}

// Describe says what a branch came to: "1,389 of 431,080 kept, 310.4x smaller, accuracy 0.9905 ±0.0012, within".
func (s *Search) Describe(b *SearchBranch) string {
	return fmt.Sprintf("%s of %s kept, %s smaller, accuracy %.4f ±%.4f, %s", human.Count(b.Kept),
		human.Count(b.Total), Smaller(b.Kept, b.Total), b.Accuracy, s.Error(b.Accuracy), b.Where())
}

// Outcome says what a search has come to, or what it does.
func (s *Search) Outcome() string {
	switch b := s.Branch(s.Taken); {
	case b != nil:
		return "taken: " + s.Describe(b)
	case s.Failed != "":
		return "failed: " + s.Failed
	}
	return s.Phase
}

// took takes in that a branch was taken.
func (s *Search) took(path string) { s.Taken, s.Running, s.Trying = path, false, nil }
