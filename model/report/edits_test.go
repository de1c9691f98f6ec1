package report

import (
	"strings"
	"testing"

	"dns-tui/config"
	"dns-tui/model/session"
)

// A ramp that ends before its time is one row, which says when, and leaves the value that it had come to.
func TestEndedRamp(t *testing.T) {
	from := 0.9
	plan := session.Plan{
		ID: 1, Edit: config.Edit{Field: config.Field{Layer: "a", Param: config.Threshold}, Value: 1.6},
		From: &from, At: 900, Over: 2000, Begun: true, Start: 0.9, Old: 0.9, OldKnown: true,
	}
	layer := session.StartLayer{Name: "a", Type: "Convolution", Rule: "seed", Weights: 10, Threshold: 0.9}
	r, err := New("a.journal", []session.Change{
		{Began: &session.Began{Solver: "s.prototxt", Start: &session.Start{Layers: []session.StartLayer{layer}}}},
		{Iter: 900, Ramp: &session.Ramp{Plan: plan}},
		{Iter: 1900, Ramp: &session.Ramp{Plan: plan, Ended: true}},
		{Iter: 3000, Measure: &session.Measure{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Changes) != 1 || !strings.HasSuffix(r.Changes[0].New, ", ended at 1900") {
		t.Errorf("rows %+v", r.Changes)
	}
	if got := r.Layers[0].Threshold; got != "1.25" {
		t.Errorf("the threshold is %s, wanted 1.25, half the way", got)
	}
}

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
