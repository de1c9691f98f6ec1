package tui

import (
	"fmt"
	"slices"

	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// outlook is what a descent leads to: the one under way, or one that is only asked about.
type outlook struct {
	descent  *autopilot.Descent   // nil: none is known
	asked    bool                 // it is an answer to what is typed, and not under way
	layers   []autopilot.Layer    // as they are, with limits, in the snapshot's order
	atTarget []autopilot.LayerCut // of layers, at the target; nil: not known
	totals   []int                // entries of layers, by the rule that they would have
}

// outlookOf is the outlook of the run, or of an answer where there is one. Limits are those of settings.
func outlookOf(s *session.Snapshot, answer *session.Prediction, settings autopilot.Settings) outlook {
	var o outlook
	for i := range s.Layers {
		l := &s.Layers[i]
		o.layers = append(o.layers, autopilot.Layer{Name: l.Name, Rule: l.Rule, Total: l.Weights, Kept: l.Kept,
			Positions: l.Positions, MaskFrozen: s.Hyper.Layer(l.Name).MaskFrozen})
		o.totals = append(o.totals, l.Weights)
	}
	if answer != nil {
		o.descent, o.asked = &answer.Descent, true
		if answersFor(answer, s) {
			o.atTarget, o.totals = answer.Solution.Layers, answer.Totals
		}
	} else if a := s.Autopilot; a != nil {
		o.descent = &a.Descent
		if len(a.AtTarget) == len(o.layers) {
			o.atTarget = a.AtTarget
		}
	}
	if o.descent != nil {
		settings = o.descent.Settings
	}
	_ = settings.Bind(o.layers) // a layer that is not there has no limits to show
	return o
}

// answersFor reports whether a prediction is of a run's layers.
func answersFor(p *session.Prediction, s *session.Snapshot) bool {
	n := len(s.Layers)
	if len(p.Layers) != n || len(p.Totals) != n || len(p.Solution.Layers) != n {
		return false
	}
	for i := range s.Layers {
		if p.Layers[i] != s.Layers[i].Name {
			return false
		}
	}
	return true
}

// amounts are what layers keep and cost; those that are excluded do not count.
type amounts struct {
	kept, total int
	bytes       float64 // of a compact file
	macs        float64 // of a pass for one image; negative where that is not known
}

// now is what the layers keep as they are.
func (o *outlook) now() amounts { return sumUp(o.layers) }

// then is what they will keep at the target.
func (o *outlook) then() amounts {
	layers := o.whole()
	for i := range layers {
		layers[i].Kept = o.atTarget[i].Kept
	}
	return sumUp(layers)
}

// whole are the layers by the rule that they would have.
func (o *outlook) whole() []autopilot.Layer {
	layers := slices.Clone(o.layers)
	for i := range layers {
		layers[i].Total = o.totals[i]
	}
	return layers
}

func sumUp(layers []autopilot.Layer) amounts {
	a := amounts{bytes: autopilot.ByteCost.Now(layers), macs: autopilot.MACCost.Now(layers)}
	for i := range layers {
		if l := &layers[i]; !l.Excluded {
			a.kept, a.total = a.kept+l.Kept, a.total+l.Total
			if l.Positions == 0 {
				a.macs = -1
			}
		}
	}
	return a
}

// cost is what the amounts cost in bytes and multiply-accumulates, as people read it.
func (a amounts) cost() string {
	text := "file about " + autopilot.ByteCost.Format(a.bytes)
	if a.macs >= 0 {
		text += ", " + autopilot.MACCost.Format(a.macs)
	}
	return text
}

// starvedPart is how few of its entries starve a layer: nearly nothing passes it.
const starvedPart = 1e-4

// starves reports whether a large layer would be starved at the target, and no floor of a person's says so.
func (o *outlook) starves(i int) bool {
	if o.atTarget == nil || o.layers[i].Excluded {
		return false
	}
	kept, most := o.atTarget[i].Kept, starvedPart*float64(o.totals[i])
	switch o.atTarget[i].Bound {
	case autopilot.Free, autopilot.AtMost:
		return float64(kept) <= most
	case autopilot.AtFloor:
		return float64(kept) <= most || kept <= autopilot.DefaultFloor && o.totals[i] >= 100
	}
	return false
}

// starved warns of such layers; "" of none. The key of a floor is named behind that word.
func (o *outlook) starved(key string) string {
	first, n := "", 0
	for i := range o.layers {
		if o.starves(i) {
			if n == 0 {
				first = o.layers[i].Name
			}
			n++
		}
	}
	way := " would be starved by the weights of now; where the descent leaves it so, a floor" + key +
		" or another scale helps"
	switch n {
	case 0:
		return ""
	case 1:
		return first + way
	}
	return fmt.Sprintf("%s and %d more%s", first, n-1, way)
}

// bound is what holds a layer, as far as that is known.
func (o *outlook) bound(i int) string {
	l := &o.layers[i]
	switch {
	case o.starves(i):
		return "starved"
	case o.atTarget != nil && o.atTarget[i].Bound != autopilot.Free:
		return o.atTarget[i].Bound.String()
	case o.atTarget != nil:
		return ""
	case l.Excluded:
		return autopilot.LeftExcluded.String()
	case l.Pinned:
		return autopilot.HeldPinned.String()
	}
	return ""
}
