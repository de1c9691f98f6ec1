package tui

import (
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// Accuracy never leaves 0 to 100 %, and neither does its axis, even around a single point.
func TestFractionAxis(t *testing.T) {
	for _, value := range []float64{0, 0.5, 0.9909, 1} {
		s := scene()
		s.Accuracy = session.Series{Iters: []int{0}, Values: []float64{value}}
		a, _ := open(t, s, look{})
		box := mainOf(a).plotter.box(configpb.Preferences_ACCURACY, 60, 12, "")
		labels := 0
		for _, line := range box[1 : len(box)-2] {
			text, _, isTick := strings.Cut(strings.TrimLeft(ansi.Strip(line), "│ "), "┤")
			if !isTick {
				continue
			}
			labels++
			number, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
			label, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil || !isPercent && label != 0 || label < 0 || label > 100 {
				t.Errorf("accuracy %v is drawn on an axis with %q:\n%s", value, text, strings.Join(box, "\n"))
				break
			}
		}
		if labels < 2 {
			t.Errorf("accuracy %v is drawn with %d labels", value, labels)
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
		0:   "at 0:  accuracy 99.00 %",
		100: "at 100:  accuracy 99.00 % at 0",
		414: "at 414:  accuracy 98.00 % at 500",
		500: "at 500:  accuracy 98.00 %",
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

// Plots that stand together have one axis of iterations, that of all that there is of the run.
func TestOneRangeOfIterations(t *testing.T) {
	s := scene()
	s.Accuracy = session.Series{Iters: []int{0, 6000}, Values: []float64{0.9, 0.95}}
	s.Speed = session.Series{Iters: []int{9000, 13000}, Values: []float64{10, 11}}
	a, _ := open(t, s, look{})
	frame(a, 120, 40)
	ruler := func(k configpb.Preferences_Plot) string {
		box := mainOf(a).plotter.box(k, 80, 20, "")
		return ansi.Strip(box[len(box)-2])
	}
	p := plotsOf(a)
	want, win := ruler(configpb.Preferences_LOSS), p.window()
	if !strings.Contains(want, "10,000") {
		t.Fatalf("the axis is %s", want)
	}
	for i, k := range plotKinds {
		p.index = i
		some := k == configpb.Preferences_ACCURACY || k == configpb.Preferences_SPEED
		if got := ruler(k); some && got != want {
			t.Errorf("%v has the axis\n%s, the loss\n%s", k, got, want)
		}
		if p.window() != win {
			t.Errorf(
				"%v is shown from %d to %d, the first from %d to %d",
				k,
				p.window().from,
				p.window().to,
				win.from,
				win.to,
			)
		}
	}
}
