package solver

import (
	"math"

	"dns-tui/config"
	"dns-tui/gpu"
)

// Forecast says when a layer is operated on by itself. The draws depend on seed, iteration and layer alone, so it is
// exact as long as no setting changes.
type Forecast struct {
	Known  bool    // false: of a version that does not tell
	Next   int     // the iteration; -1: none in the next forecastHorizon
	Chance float64 // of each iteration to come, by the settings of now, in [0, 1]; 1 where no dice are thrown
}

// forecastHorizon is how many iterations a forecast looks ahead.
const forecastHorizon = 1024

// forecast is a layer's last one: no surgery before scanned, under these settings.
type forecast struct {
	hyper   *config.Hyper
	scanned int
}

// Chance is that of surgery in an iteration: (1 + gamma·i)^(-power) where i < stop, else 0.
func Chance(iter int, gamma, power float64, stop int) float64 {
	if iter >= stop {
		return 0
	}
	return min(1, math.Pow(1+gamma*float64(iter), -power))
}

// AnyOf is the chance that some of several layers are operated on. Those of the seed and the soft rule share a draw,
// those of the paper rule have one each.
type AnyOf struct {
	shared float64 // the largest chance of those that share a draw
	none   float64 // that none of the others is, less one
}

// Add takes in a layer.
func (a *AnyOf) Add(rule gpu.Rule, chance float64) {
	if rule == gpu.PaperRule {
		a.none = (1+a.none)*(1-chance) - 1
	} else {
		a.shared = max(a.shared, chance)
	}
}

// Chance is that of any.
func (a *AnyOf) Chance() float64 { return 1 - (1+a.none)*(1-a.shared) }

// Forecast says when a layer is operated on.
func (s *Solver) Forecast(p *Layer) Forecast {
	h, f := s.hyper, Forecast{Known: true, Next: -1}
	l := h.Layer(p.Name)
	switch {
	case l == nil || !l.Prune || l.MaskFrozen:
		return f
	case p.driven:
		if f.Chance = 1; s.surgeon.next >= s.Iter {
			f.Next = s.surgeon.next
		}
		return f
	}
	gamma, power, stop := h.Dice(l)
	if f.Chance = Chance(s.Iter, gamma, power, stop); f.Chance == 0 {
		return f
	}
	c := &p.forecast
	if c.hyper != h || c.scanned < s.Iter || c.scanned > s.Iter+forecastHorizon {
		*c = forecast{h, s.Iter}
	}
	for c.scanned < s.Iter+forecastHorizon && !s.surgeon.due(p, h, l, c.scanned) {
		c.scanned++
	}
	if c.scanned < s.Iter+forecastHorizon {
		f.Next = c.scanned
	}
	return f
}
