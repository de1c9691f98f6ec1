package tui

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// An axis whose labels repeat reads nothing: while seven cells can tell the labels of two rows apart, they differ.
func TestLabelsDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.Float64Range(1e-5, 50).Draw(t, "step")
		v := rapid.Float64Range(1e-3, 1e3*step+1e-3).Draw(t, "value")
		a, b := axisLabel(v, step, false), axisLabel(v+step, step, false)
		if len(a) > 7 || len(b) > 7 {
			t.Fatalf("%q and %q take more than seven cells", a, b)
		}
		if a == b && v+step < 9.9 {
			t.Fatalf("%v and %v both read %q", v, v+step, a)
		}
		// In a logarithmic scale the step is of the exponent, and small where a curve is flat.
		at, by := rapid.Float64Range(1e-2, 1).
			Draw(t, "value of a flat curve"),
			rapid.Float64Range(2e-3, 0.1).
				Draw(t, "step of its exponent")
		next := at * math.Pow(10, by)
		if a, b := axisLabel(at, by, true), axisLabel(next, by, true); len(a) > 7 || len(b) > 7 ||
			a == b && next > 1.05*at {
			t.Fatalf("%v and %v read %q and %q in a logarithmic scale", at, next, a, b)
		} else if by < 0.04 && a == b {
			t.Fatalf("%v and %v both read %q in a logarithmic scale", at, next, a)
		}
	})
}

// Accuracy never leaves 0 to 1, and neither does its axis, even around a single point.
func TestFractionAxis(t *testing.T) {
	for _, value := range []float64{0, 0.5, 0.9909, 1} {
		s := scene()
		s.Accuracy = session.Series{Iters: []int{0}, Values: []float64{value}}
		a, _ := open(t, s, look{})
		box := mainOf(a).plotter.box(configpb.Preferences_ACCURACY, 60, 12, "")
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

// What a question says is grammar for one as for many, and is not cut where there is room for all of it.
func TestQuestionWhole(t *testing.T) {
	why := "before conv1.threshold 0.8 → 1.644, which keeps 39 of 255 weights; " +
		"a reason as long as this one goes over the edge of the box"
	s := scene()
	s.Back = "d/x_iter_7.solverstate"
	s.RestorePoints = append(s.RestorePoints, session.RestorePoint{Path: s.Back, Iter: s.Iter - 1, Why: why, Total: 9})
	a, _ := open(t, s, look{})
	press(a, "B")
	text := ansi.Strip(strings.Join(a.dialog.View(120), "\n"))
	for _, want := range []string{": 1 iteration is given up", "over the edge of the box"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// Between two tests nothing was measured: the cursor reads the nearest test, and says which.
func TestReadingBetweenTests(t *testing.T) {
	s := scene()
	s.Accuracy = session.Series{Iters: []int{0, 500}, Values: []float64{0.99, 0.98}}
	a, _ := open(t, s, look{})
	for i, k := range plotKinds {
		if k == configpb.Preferences_ACCURACY {
			plotsOf(a).index = i
		}
	}
	for at, want := range map[int]string{
		0:   "at 0:  accuracy 0.9900",
		100: "at 100:  accuracy 0.9900 at 0",
		414: "at 414:  accuracy 0.9800 at 500",
		500: "at 500:  accuracy 0.9800",
	} {
		p := plotsOf(a)
		p.cursor = at
		got := strings.TrimSpace(ansi.Strip(p.reading(p.plotter.gather(configpb.Preferences_ACCURACY), p.window())[0]))
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Before the first iteration there is no loss, not one of 0.
func TestNoLossYet(t *testing.T) {
	s := scene()
	s.Iter, s.Smoothed, s.Losses, s.Smooth = 0, 0, session.Series{}, session.Series{}
	a, _ := open(t, s, look{})
	if p := plotsOf(a).plotter.gather(configpb.Preferences_LOSS); p.note != "" {
		t.Errorf("the loss reads %q", p.note)
	}
}
