package report

import (
	"strings"
	"testing"
)

// A change of several fields is a row for each, a ramp a row; thresholds in force follow both, and lines that are no
// entries are named.
func TestEditsAndRamps(t *testing.T) {
	r, err := Read("testdata/edits.journal")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, c := range r.Changes {
		rows = append(rows, c.Field+" "+c.Old+" "+c.New)
	}
	want := "a.threshold 0.6 1, b.threshold 0.6 1, plan 1 b.threshold to 2 over 10 at 10"
	if got := strings.Join(rows, ", "); got != want {
		t.Errorf("rows %q, wanted %q", got, want)
	}
	if r.Layers[0].Threshold != "1" || r.Layers[1].Threshold != "2" ||
		!strings.HasSuffix(r.Notice, "edits.journal:3: is not a journal entry, and is skipped") {
		t.Errorf("thresholds %s and %s, notice %q", r.Layers[0].Threshold, r.Layers[1].Threshold, r.Notice)
	}
}
