package session

import (
	"fmt"
	"strings"

	"dns-tui/config"
	"dns-tui/gpu"
)

// risk says what is risky about edits, or "".
func risk(h *config.Hyper, g *histograms, edits []config.Edit) string {
	var risky []config.Edited
	why := ""
	after, done, err := h.Apply(edits...)
	if err != nil {
		return ""
	}
	for _, e := range done {
		if e.Old == e.Value {
			continue
		}
		if w := riskOf(h, after, g, e); w != "" {
			risky, why = append(risky, e), w
		}
	}
	if len(risky) > 1 {
		return EditsText(risky)
	}
	return why
}

// A threshold that takes the last weight of one output in manyOutputs, or more, is risky.
const manyOutputs = 50

// riskOf says what is risky about an edit that leads from one Hyper to another, or "".
func riskOf(before, after *config.Hyper, g *histograms, e config.Edited) string {
	was, now := e.Old, e.Value
	switch e.Param {
	case config.BaseLR, config.LRMult:
		if now >= 2*was {
			return e.String()
		}
	case config.Momentum:
		if 1-now <= (1-was)/2 { // as good as twice the rate
			return e.String()
		}
	case config.WeightDecay:
		if now >= 10*was && now > 0 {
			return e.String()
		}
	case config.Prune:
		if after.Layer(e.Layer).Prune {
			return e.String()
		}
	case config.Threshold, config.CRate:
		l := before.Layer(e.Layer)
		if now <= was || !l.Prune || l.MaskFrozen {
			return ""
		}
		g := g.of(e.Layer)
		if g == nil {
			return ""
		}
		kept, next := g.Total()-int(g.PrunedBelow[len(g.PrunedBelow)-1]), g.Total()-g.Pruned(now)
		if 2*next < kept {
			return fmt.Sprintf("%s, which keeps %d of %d weights", e, next, kept)
		}
		live := len(g.DeathThresholds) - g.Dead(was)
		if die := g.Dead(now) - g.Dead(was); die > 0 && manyOutputs*die >= live {
			return fmt.Sprintf("%s, which leaves %d of %d outputs without a weight", e, die, live)
		}
	}
	return ""
}

// surgeryWarnings say what thresholds would do at the next surgery that nobody can want; "" is nothing.
func surgeryWarnings(h *config.Hyper, g *histograms, edits []config.Edit) string {
	var out []string
	after, _, err := h.Apply(edits...)
	if err != nil {
		return ""
	}
	for _, e := range edits {
		was, now := h.Layer(e.Layer), after.Layer(e.Layer)
		if !e.WaitsForSurgery() && e.Param != config.Prune || now == nil || !now.Prune || now.MaskFrozen ||
			was.Prune && now.Threshold <= was.Threshold {
			continue
		}
		if g := g.of(e.Layer); g != nil {
			if s := g.Warning(e.Layer, now.Threshold); s != "" {
				out = append(out, s)
			}
		}
	}
	return strings.Join(out, "; ")
}

// NoSurgery says why a layer will not be operated on again by itself, and which key would change that; "" where it
// will.
func NoSurgery(h *config.Hyper, layer string, iter int, finished bool) string {
	why := WhyNoSurgery(h, layer, iter, finished)
	l := h.Layer(layer)
	switch {
	case why == "" || l == nil:
		return why
	case finished:
		return why + ": S redraws the masks"
	case !l.Prune:
		return why + ": p prunes it"
	case l.MaskFrozen:
		return why + ": f lets it go"
	}
	return fmt.Sprintf("%s: `:%s never` resumes surgery, S redraws the masks once", why, h.StopField(l))
}

// WhyNoSurgery is the reason alone.
func WhyNoSurgery(h *config.Hyper, layer string, iter int, finished bool) string {
	l := h.Layer(layer)
	switch {
	case l == nil:
		return "not a layer that can be pruned"
	case finished:
		return "the run is finished"
	case !l.Prune:
		return "left out of surgery"
	case l.MaskFrozen:
		return "its mask is frozen"
	case iter < h.StopOf(l):
		return ""
	case l.Rule == gpu.PaperRule:
		return fmt.Sprintf("iter_stop is %d", l.Stop)
	}
	return fmt.Sprintf("surgery_stop_iter is %d", h.Stop)
}
