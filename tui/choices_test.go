package tui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/gpu"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// Under the paper rule the presets come from the layer's own histogram.
func TestPaperPresets(t *testing.T) {
	s := scene()
	l := &s.Layers[1]
	l.Rule, s.Hyper.Layers[1].Rule, s.Hyper.Layers[1].Threshold, l.Mu = gpu.PaperRule, gpu.PaperRule, 0, 0.04
	r := &gpu.SurgeryResult{
		Mu:       0.04,
		Sigma:    0.05,
		KeptAt:   make([]uint32, gpu.HistogramBins),
		PrunedAt: make([]uint32, gpu.HistogramBins),
	}
	for i := range 1000 {
		r.KeptAt[3*i] = 1
	}
	l.Histogram = solver.NewHistogram(gpu.PaperRule, r)
	a, f := open(t, s, look{})
	press(a, "down", "3", "enter")
	if len(f.got) != 1 || len(f.got[0].Edits) != 1 || f.got[0].Edits[0].Field.String() != "conv2.c_rate" {
		t.Fatalf("sent %v", f.got)
	}
	v := f.got[0].Edits[0].Value
	if n := l.Histogram.Pruned(v); n < 795 || n > 815 {
		t.Errorf("c_rate %g prunes %d of 1000, wanted 800", v, n)
	}
}

func TestPredictionShows(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, "down", "1")
	frame := ansi.Strip(frame(a, 120, 40))
	for _, want := range []string{
		"preview", "50.0 %", "t 0.674", "sparsity 50.0 %", "⏎ applies", "96.4 %", "pending",
		"pending ip1.threshold 2.4 → 2.1",
	} {
		if !strings.Contains(frame, want) {
			t.Errorf("no %q on the screen:\n%s", want, frame)
		}
	}
}

// The editor of a layer that surgery passes over shows what the layer's row does, until something is chosen.
func TestEditorOfAFrozenLayer(t *testing.T) {
	for name, change := range map[string]func(*session.Snapshot){
		"frozen": func(s *session.Snapshot) { s.Hyper.Layers[0].MaskFrozen = true },
		"off":    func(s *session.Snapshot) { s.Hyper.Layers[0].Prune = false },
	} {
		s := scene()
		s.Layers[0].Kept = 123
		change(s)
		a, _ := open(t, s, look{})
		row := "sparsity " + percent(1-fraction(123, s.Layers[0].Weights)) + "  kept 123"
		if screen := ansi.Strip(frame(a, 120, 40)); !strings.Contains(screen, row) {
			t.Errorf("%s: no %q on the screen:\n%s", name, row, screen)
		}
		press(a, "1") // a threshold that is chosen is about what it would do
		if screen := ansi.Strip(frame(a, 120, 40)); strings.Contains(screen, row) {
			t.Errorf("%s: a choice shows as %q:\n%s", name, row, screen)
		}
	}
}
