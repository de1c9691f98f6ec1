package tui

import (
	"math"
	"sort"

	"dns-tui/model/session"
)

// window is the part of the run that a plot shows, in as many columns.
type window struct {
	from, to, cols int
	per            int // values that stand side by side in a column; 0 is 1
}

// column is where an iteration stands, or -1.
func (w window) column(iter int) int {
	if iter < w.from || iter > w.to || w.cols < 1 {
		return -1
	}
	per := max(1, w.per)
	last := float64(w.cols*per - 1)
	return min(w.cols-1, int(float64(iter-w.from)/float64(max(1, w.to-w.from))*last+0.5)/per)
}

// iter is the iteration of a column.
func (w window) iter(col int) int {
	return w.from + int(float64(col)/float64(max(1, w.cols-1))*float64(w.to-w.from)+0.5)
}

// sample reads a curve at each of its places: the mean of the points nearest to a place, a line between points, NaN
// outside the curve and, where the curve has gaps, in these.
func (w window) sample(c *curve) []float64 {
	s := &c.series
	n := w.cols * max(1, w.per)
	out := make([]float64, n)
	step := float64(w.to-w.from) / float64(max(1, n-1))
	for i := range out {
		out[i] = math.NaN()
		at := float64(w.from) + step*float64(i)
		lo := sort.Search(len(s.Iters), func(k int) bool { return float64(s.Iters[k]) >= at-step/2 })
		hi := sort.Search(len(s.Iters), func(k int) bool { return float64(s.Iters[k]) >= at+step/2 })
		switch {
		case hi > lo:
			sum := 0.0
			for _, v := range s.Values[lo:hi] {
				sum += v
			}
			out[i] = sum / float64(hi-lo)
		case lo == 0 || lo == len(s.Iters) || c.gaps && gapBefore(s.Iters, lo):
		default:
			x0, x1 := float64(s.Iters[lo-1]), float64(s.Iters[lo])
			out[i] = s.Values[lo-1] + (s.Values[lo]-s.Values[lo-1])*(at-x0)/(x1-x0)
		}
	}
	return out
}

// extent is the range of iterations of some series.
func extent(all ...*session.Series) (from, to int) {
	from = math.MaxInt
	for _, s := range all {
		if n := len(s.Iters); n > 0 {
			from, to = min(from, s.Iters[0]), max(to, s.Iters[n-1])
		}
	}
	if from > to {
		return 0, 0
	}
	return from, to
}

// extent is the range of iterations of all that is plotted, of this run and of those beside it: plots that stand
// together, or one after the other, have one axis.
func (p plotter) extent() (from, to int) {
	s := p.snap
	all := []*session.Series{&s.Losses, &s.Smooth, &s.Accuracy, &s.TestLoss, &s.Rates, &s.KeptFraction, &s.Speed,
		&s.Utilization, &s.DeviceMemory, &s.Temperature}
	for i := range s.Layers {
		all = append(all, &s.Layers[i].History)
	}
	for _, o := range p.compare {
		h := o.History
		all = append(all, &h.Loss, &h.Accuracy, &h.TestLoss, &h.Rate, &h.Kept, &h.Speed)
	}
	return extent(all...)
}

// steady is a window that holds a growing run and seldom changes: its end moves in steps of a fifth, so that from one
// frame to the next all columns but the newest stay as they are, and little is sent.
func steady(from, to int) window {
	span := 10.0
	for span < float64(to-from) {
		span *= 1.2
	}
	return window{from: from, to: from + int(span)}
}
