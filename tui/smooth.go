package tui

import (
	"math"

	"dns-tui/human"
	"dns-tui/model/session"
)

// smoothing is how strongly the raw loss is smoothed: over what part of the run, or as Caffe's average_loss does.
type smoothing int

// The strengths, in the order of their key.
const (
	overThirtieth smoothing = iota
	overTenth
	overThird
	byCaffe
	overHundredth
	smoothings
)

// part is what part of the run's iterations a strength averages over.
func (s smoothing) part() int { return [...]int{30, 10, 3, 1, 100}[s] }

// of is the smoothed loss of a run, and how that was made.
func (s smoothing) of(sn *session.Snapshot) (session.Series, string) {
	if s == byCaffe {
		return sn.Smooth, "average_loss"
	}
	over := s.over(sn)
	return smoothed(&sn.Losses, over), "EMA " + human.Count(over)
}

// another is the smoothed loss of another run, as its journal tells it: over as many iterations as that of this one.
func (s smoothing) another(sn *session.Snapshot, loss session.Series) session.Series {
	if s == byCaffe {
		return loss
	}
	return smoothed(&loss, s.over(sn))
}

// over is how many iterations a strength averages over.
func (s smoothing) over(sn *session.Snapshot) int {
	n := len(sn.Losses.Iters)
	if n == 0 {
		return 1
	}
	return roundDown((sn.Losses.Iters[n-1] - sn.Losses.Iters[0]) / s.part())
}

func smoothed(raw *session.Series, over int) session.Series {
	return session.Series{Iters: raw.Iters, Values: average(raw, float64(over))}
}

// roundDown is 1, 2 or 5 times a power of ten, no more than a number of 1 or more: so that the average of a run that
// grows seldom changes its strength.
func roundDown(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, m := range []int{5, 2, 1} {
			if n >= m*unit && n < 10*unit {
				return m * unit
			}
		}
		if n < unit {
			return 1
		}
	}
}

// average is the exponential average of a curve over so many iterations, tau. A point of iteration i counts at
// iteration t with
//
//	exp(-(t - i) / tau)
//
// and the sum is divided by that of all these weights, which corrects the bias of the first points (Kingma and Ba,
// "Adam", section 3). Where points are missing, or one is no number, it begins anew.
func average(s *session.Series, tau float64) []float64 {
	out := make([]float64, len(s.Values))
	sum, weight := 0.0, 0.0
	for i, v := range s.Values {
		if gapBefore(s.Iters, i) {
			sum, weight = 0, 0
		} else if i > 0 {
			decay := math.Exp(-float64(s.Iters[i]-s.Iters[i-1]) / tau)
			sum, weight = sum*decay, weight*decay
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			out[i], sum, weight = math.NaN(), 0, 0
			continue
		}
		sum, weight = sum+v, weight+1
		out[i] = sum / weight
	}
	return out
}

// farApart is how many times as far as its neighbours two points are apart that have a gap between them.
const farApart = 4

// gapBefore reports whether points are missing before one: it is much farther from the one before than these are from
// their neighbours.
func gapBefore(iters []int, i int) bool {
	if i < 1 || len(iters) < 3 {
		return false
	}
	usual := 0
	if i >= 2 {
		usual = iters[i-1] - iters[i-2]
	}
	if i+1 < len(iters) {
		usual = max(usual, iters[i+1]-iters[i])
	}
	return iters[i]-iters[i-1] > farApart*usual
}
