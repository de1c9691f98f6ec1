package collective

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A rank that does not come to what passes beside the group is named, as one that does not come to a sum.
func TestLateBeside(t *testing.T) {
	const n, late = 3, 1
	groups := sharedGroup(t, n, Options{Timeout: 500 * time.Millisecond, Wire: BFloat16})
	each(n, func(r int) {
		w := groups[r].(Watcher)
		if WireOf(groups[r]) != BFloat16 {
			t.Errorf("rank %d: what is not exact travels in %v", r, WireOf(groups[r]))
		}
		w.Entered()
		w.Waiting(true) // all wait, and have what they wait for
		w.Waiting(false)
		if r != late {
			w.Entered()
			w.Waiting(true)
			defer w.Waiting(false)
		}
		<-groups[r].Failed()
		var e *RankError
		if err := groups[r].Err(); !errors.As(err, &e) || e.Rank != late ||
			!strings.Contains(e.Reason, "keeps the others waiting") {
			t.Errorf("rank %d: %v; wanted rank %d to keep the others waiting", r, err, late)
		}
	})
	for _, g := range groups {
		_ = g.Close()
	}
}
