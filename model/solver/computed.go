package solver

import (
	"fmt"
	"slices"
	"strings"

	"dns-tui/caffe/dataset"
	"dns-tui/gpu/collective"
)

// What the last bits of a run's results depend on, beside this program: libraries, vectors, a GPU and its precision,
// what decodes JPEGs. Snapshots and journals have it, and a run that goes on with others says so.

// jpegsBy begins what decodes JPEGs among what ComputedBy lists.
const jpegsBy = "JPEGs by "

// ComputedBy is what computes: what the device names, and what decodes JPEGs, where some were read.
func (s *Solver) ComputedBy() []string {
	parts := slices.Clone(s.device.Capabilities().ComputedBy)
	if name := dataset.JPEGsReadBy(); name != "" {
		parts = append(parts, jpegsBy+name)
	}
	return parts
}

// OtherComputedBy says that what computes now is not what did then: "was OpenBLAS 0.3.21, oneDNN 3.1; is OpenBLAS
// 0.3.21: the last bits may differ". It is "" where it is the same, or where one of the two is not known. Where one of
// them has read no JPEG, what decodes them does not count.
func OtherComputedBy(then, now []string) string {
	if len(then) == 0 || len(now) == 0 {
		return ""
	}
	decodes := func(part string) bool { return strings.HasPrefix(part, jpegsBy) }
	if slices.ContainsFunc(then, decodes) != slices.ContainsFunc(now, decodes) {
		then = slices.DeleteFunc(slices.Clone(then), decodes)
		now = slices.DeleteFunc(slices.Clone(now), decodes)
	}
	if slices.Equal(then, now) {
		return ""
	}
	return fmt.Sprintf("was %s; is %s: the last bits may differ", strings.Join(then, ", "), strings.Join(now, ", "))
}

// tellComputedBy says where a snapshot was computed by others.
func (s *Solver) tellComputedBy(then []string) {
	if other := OtherComputedBy(then, s.ComputedBy()); other != "" {
		s.Notices = append(s.Notices, "what computes, since the snapshot: "+other)
	}
}

// compareComputedBy gathers what computes on each rank, and says where that is not the same on all.
func (s *Solver) compareComputedBy(g collective.Group) error {
	lists, err := gather(g, s.device.Capabilities().ComputedBy, "what computes on rank %d")
	if err != nil {
		return err
	}
	if line := ranksComputedBy(lists); line != "" {
		s.Notices = append(s.Notices, line)
	}
	return nil
}

// ranksComputedBy says that the ranks do not compute by the same; "" where they do.
func ranksComputedBy(lists [][]string) string {
	var kinds []string
	ranks := map[string][]string{}
	for r, l := range lists {
		kind := strings.Join(l, ", ")
		if ranks[kind] == nil {
			kinds = append(kinds, kind)
		}
		ranks[kind] = append(ranks[kind], fmt.Sprint(r))
	}
	if len(kinds) < 2 {
		return ""
	}
	lines := make([]string, len(kinds))
	for i, kind := range kinds {
		word := "rank"
		if len(ranks[kind]) > 1 {
			word = "ranks"
		}
		lines[i] = fmt.Sprintf("%s %s by %s", word, strings.Join(ranks[kind], ", "), kind)
	}
	return fmt.Sprintf("the ranks do not compute by the same: %s: the last bits may differ from those of ranks that do",
		strings.Join(lines, "; "))
}
