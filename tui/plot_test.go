package tui

import (
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"dns-tui/config/configpb"
	"dns-tui/model"
)

// An axis whose labels repeat reads nothing: while seven cells can tell the labels of two rows apart, they differ.
func TestLabelsDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.Float64Range(1e-5, 50).Draw(t, "step")
		v := rapid.Float64Range(1e-3, 1e3*step+1e-3).Draw(t, "value")
		a, b := compact(v, step, false), compact(v+step, step, false)
		if len(a) > 7 || len(b) > 7 {
			t.Fatalf("%q and %q take more than seven cells", a, b)
		}
		if a == b && v+step < 9.9 {
			t.Fatalf("%v and %v both read %q", v, v+step, a)
		}
	})
}

// Accuracy never leaves 0 to 1, and neither does its axis, even around a single point.
func TestFractionAxis(t *testing.T) {
	for _, value := range []float64{0, 0.5, 0.9909, 1} {
		s := scene()
		s.Accuracy = model.Series{Iters: []int{0}, Values: []float64{value}}
		a, _ := open(t, s, look{})
		box := a.plotBox(configpb.Preferences_ACCURACY, 60, 12, "")
		for _, line := range box[1 : len(box)-2] {
			text := strings.TrimLeft(ansi.Strip(line), "│ ")
			label, err := strconv.ParseFloat(strings.Fields(text)[0], 64)
			if err != nil || label < 0 || label > 1 {
				t.Errorf("accuracy %v is drawn on an axis with %q:\n%s", value, text, strings.Join(box, "\n"))
				break
			}
		}
	}
}
