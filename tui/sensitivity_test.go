package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/model/session"
)

func TestPointOn(t *testing.T) {
	c := session.Series{Iters: []int{0, 5000, 9000}, Values: []float64{0.99, 0.98, 0.9}}
	for at, want := range map[int]string{
		-5: "[0] [0.990]", 0: "[0] [0.990]", 2500: "[2500] [0.985]", 5000: "[5000] [0.980]", 7000: "[7000] [0.940]",
		9000: "[9000] [0.900]", 10000: "[9000] [0.900]",
	} {
		p := pointOn(&c, at)
		if got := fmt.Sprintf("%v %.3f", p.Iters, p.Values); got != want {
			t.Errorf("at %d: %s, wanted %s", at, got, want)
		}
	}
	if p := pointOn(&session.Series{}, 3); len(p.Iters) != 0 {
		t.Error("a curve without points has one")
	}
}

// Each layer has a line, a letter that tells which, and a dot where it is now; the chosen point has the cursor.
func TestSensitivityPlot(t *testing.T) {
	for _, l := range []look{{blockTier, false}, {brailleTier, true}, {asciiTier, true}} {
		s := scene()
		measured(s)
		a, _ := open(t, s, l)
		press(a, "x", "right", "right")
		lines := strings.Split(ansi.Strip(frame(a, 120, 40)), "\n")
		plot := strings.Join(lines[7:34], "\n")
		for _, letter := range []string{"a", "b", "c", "d"} {
			if !strings.Contains(plot, letter) {
				t.Errorf("%v: no line is called %s:\n%s", l, letter, plot)
			}
		}
		if n := strings.Count(plot, a.theme.glyph.handle); n < 3 || n > 5 { // one is said in the words below
			t.Errorf("%v: %d dots of four layers:\n%s", l, n, plot)
		}
		if !strings.Contains(plot, "60 %") || !strings.Contains(plot, "96 %") {
			t.Errorf("%v: the axes lack their ticks:\n%s", l, plot)
		}
		if plotOf := a.screens[sensitivityID].(*sensitivity); plotOf.plot < 20 {
			t.Errorf("the plot has %d lines", plotOf.plot)
		}
	}
}

// Of many layers the largest and the selected one have a line, and how many have none is said.
func TestCurvesOfManyLayers(t *testing.T) {
	s := scene()
	for i := range 26 {
		l := s.Layers[i%4]
		l.Name, l.Weights, l.Kept = fmt.Sprintf("small%d", i), 100+i, 50
		s.Layers = append(s.Layers, l)
		s.Hyper.Layers = append(s.Hyper.Layers, config.LayerHyper{Name: l.Name, Threshold: 1, Prune: true})
	}
	measured(s)
	layerHistories(s)
	a, _ := open(t, s, look{})
	names := func() (out []string) {
		for _, c := range plotsOf(a).plotter.layerCurves() {
			out = append(out, s.Layers[c.index].Name)
		}
		return out
	}
	if got, want := names(), []string{"conv1", "conv2", "ip1", "ip2", "small23", "small24", "small25"}; !slices.Equal(
		got,
		want,
	) {
		t.Errorf("%v have a line, wanted %v", got, want)
	}
	for range 6 {
		press(a, "down")
	}
	if got := names(); !slices.Contains(got, "small2") || len(got) != mostLayers {
		t.Errorf("small2 is selected, and %v have a line", got)
	}
	press(a, "x")
	if text := ansi.Strip(frame(a, 120, 40)); !strings.Contains(text, "23 layers without a line") {
		t.Errorf("it is not said how many layers have no line:\n%s", text)
	}
	press(a, "esc", "v", "tab", "tab", "tab", "tab", "tab")
	text := ansi.Strip(frame(a, 120, 40))
	for _, want := range []string{"Kept by layer", "7 of 30 layers", "and 23 more", "a conv1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// What a layer keeps is known since its last surgery.
func TestKeptUntil(t *testing.T) {
	l := session.LayerStats{Weights: 100, Kept: 20}
	l.History.Add(0, 1)
	l.History.Add(50, 0.2)
	before := len(l.History.Iters)
	got := keptUntil(&l, 90)
	if fmt.Sprint(got.Iters, got.Values) != "[0 50 90] [1 0.2 0.2]" || len(l.History.Iters) != before {
		t.Errorf("%v %v", got.Iters, got.Values)
	}
	if got := keptUntil(&l, 50); len(got.Iters) != 2 {
		t.Errorf("%v", got.Iters)
	}
}
