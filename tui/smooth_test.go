package tui

import (
	"math"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// The average is the sum of all points since the last gap, each by its weight, over the sum of the weights.
func TestAverage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := session.Series{}
		iter := 0
		for range rapid.IntRange(0, 60).Draw(t, "points") {
			iter += rapid.SampledFrom([]int{10, 10, 10, 12, 400}).Draw(t, "distance")
			v := rapid.Float64Range(0, 3).Draw(t, "value")
			if rapid.IntRange(0, 9).Draw(t, "bad") == 0 {
				v = rapid.SampledFrom([]float64{math.NaN(), math.Inf(1)}).Draw(t, "what")
			}
			s.Iters, s.Values = append(s.Iters, iter), append(s.Values, v)
		}
		tau := rapid.Float64Range(1, 500).Draw(t, "tau")
		got, from := average(&s, tau), 0
		for i, v := range s.Values {
			if gapBefore(s.Iters, i) {
				from = i
			}
			if math.IsNaN(v) || math.IsInf(v, 0) {
				if !math.IsNaN(got[i]) {
					t.Fatalf("%v is smoothed to %v", v, got[i])
				}
				from = i + 1
				continue
			}
			sum, weights := 0.0, 0.0
			for k := from; k <= i; k++ {
				w := math.Exp(-float64(s.Iters[i]-s.Iters[k]) / tau)
				sum, weights = sum+w*s.Values[k], weights+w
			}
			if want := sum / weights; math.Abs(got[i]-want) > 1e-9 {
				t.Fatalf("point %d is %v, wanted %v", i, got[i], want)
			}
		}
	})
}

func TestGapBefore(t *testing.T) {
	for _, c := range []struct {
		iters []int
		gaps  []int // the points after one
	}{
		{[]int{0, 10, 20, 500, 510, 520}, []int{3}},
		{[]int{0, 60, 120, 121, 122, 123}, nil}, // first a journal's points, then the run's own
		{[]int{0, 10, 20, 70}, []int{3}},
		{[]int{0, 10, 20, 50}, nil},
		{[]int{0, 500}, nil},
		{nil, nil},
	} {
		var got []int
		for i := range c.iters {
			if gapBefore(c.iters, i) {
				got = append(got, i)
			}
		}
		if len(got) != len(c.gaps) || len(got) > 0 && got[0] != c.gaps[0] {
			t.Errorf("%v: gaps before %v, wanted %v", c.iters, got, c.gaps)
		}
	}
}

func TestRoundDown(t *testing.T) {
	for n, want := range map[int]int{
		-3: 1, 0: 1, 1: 1, 2: 2, 4: 2, 5: 5, 9: 5, 10: 10, 119: 100, 499: 200, 123456: 100000,
	} {
		if got := roundDown(n); got != want {
			t.Errorf("%d: %d, wanted %d", n, got, want)
		}
	}
}

// A key changes how strongly the loss is smoothed, and the title says it; one strength is Caffe's.
func TestSmoothKey(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, "v")
	var titles []string
	for range smoothings {
		title, _, _ := strings.Cut(strings.TrimLeft(ansi.Strip(frame(a, 120, 40)), " "), "whole run")
		_, title, _ = strings.Cut(title, "Loss  ")
		titles = append(titles, strings.TrimSpace(title))
		press(a, "e")
	}
	want := "0.0184  EMA 200; 0.0200  EMA 1,000; 0.0225  EMA 2,000; 0.0123  average_loss; 0.0149  EMA 100"
	if got := strings.Join(titles, "; "); got != want {
		t.Errorf("the titles say %s; wanted %s", got, want)
	}
	if a.smoothing != overThirtieth {
		t.Errorf("after all strengths it is %d", a.smoothing)
	}
}

// Train and test loss are on one plot, and what its axis leaves out is said, not drawn as a plateau.
func TestLossPlot(t *testing.T) {
	s := scene()
	s.TestLoss = session.Series{Iters: []int{0, 6000, 12000}, Values: []float64{2.3, 0.1, 0.05}}
	for _, l := range []look{{blockTier, false}, {brailleTier, true}, {asciiTier, false}} {
		a, _ := open(t, s, l)
		press(a, "v")
		text := ansi.Strip(frame(a, 120, 40))
		for _, want := range []string{"smoothed", "test", "raw", "clipped, max 2.30"} {
			if !strings.Contains(text, want) {
				t.Errorf("%v: no %q in\n%s", l, want, text)
			}
		}
		press(a, "O")
		if text := ansi.Strip(frame(a, 120, 40)); strings.Contains(text, "clipped") {
			t.Errorf("%v: a logarithmic scale has room for all, and says\n%s", l, text)
		}
	}
}

// Of a stretch above the axis only the flanks reach the top.
func TestHeights(t *testing.T) {
	nan := math.NaN()
	s := scale{lo: 0, hi: 2, factor: 1}
	for _, c := range []struct {
		values, want []float64
		clipped      int
	}{
		{[]float64{0, 1, 2}, []float64{0, 0.5, 1}, -1},
		{[]float64{4, 4, 4, 1}, []float64{nan, nan, 1, 0.5}, 0},
		{[]float64{1, 4, 1}, []float64{0.5, 1, 0.5}, 1},
		{[]float64{1, nan, 4, 4, nan}, []float64{0.5, nan, nan, nan, nan}, 2},
		{[]float64{nan, math.Inf(1), 1}, []float64{nan, nan, 0.5}, -1},
	} {
		got := append([]float64(nil), c.values...)
		clipped := s.heights(got)
		for i := range got {
			if got[i] != c.want[i] && !(math.IsNaN(got[i]) && math.IsNaN(c.want[i])) || clipped != c.clipped {
				t.Errorf("%v: %v and %d, wanted %v and %d", c.values, got, clipped, c.want, c.clipped)
				break
			}
		}
	}
}

// The plot of a smoothed loss does not cross a NaN.
func TestNoLineOverNaN(t *testing.T) {
	s := scene()
	for i := 100; i < 110; i++ {
		s.Losses.Values[i] = math.NaN()
	}
	a, _ := open(t, s, look{})
	d := plotsOf(a).plotter.gather(configpb.Preferences_LOSS)
	win := window{from: 0, to: 12000, cols: 201}
	for i := range d.curves {
		v := win.sample(&d.curves[i])
		for col := 101; col < 109; col++ {
			if !math.IsNaN(v[col]) {
				t.Errorf("%s has %v at %d, where the loss is no number", d.curves[i].name, v[col], win.iter(col))
			}
		}
	}
}
