package tui

import (
	"cmp"
	"fmt"
	"slices"

	"charm.land/lipgloss/v2"

	"dns-tui/model/session"
)

// mostLayers is how many layers a plot tells apart.
const mostLayers = 7

// layerCurve is how a layer is drawn in a plot that has a curve for each: the index of the layer, its letter and style.
type layerCurve struct {
	index int
	char  string
	style lipgloss.Style
}

// layerCurves are the layers that have a curve, in the order of the net: all, or the largest and the selected one.
// Letters and colours of a layer stay while the net does, but for those of a small one that is selected.
func (p plotter) layerCurves() []layerCurve {
	all := make([]int, len(p.snap.Layers))
	for i := range all {
		all[i] = i
	}
	if len(all) > mostLayers {
		slices.SortStableFunc(all, func(i, k int) int {
			return cmp.Compare(p.snap.Layers[k].Weights, p.snap.Layers[i].Weights)
		})
		if selected := slices.Index(all, p.sel.index); selected >= mostLayers {
			all[mostLayers-1] = all[selected]
		}
		all = all[:mostLayers]
		slices.Sort(all)
	}
	out := make([]layerCurve, len(all))
	for i, index := range all {
		out[i] = layerCurve{index, letter(i), p.theme.distinct(i)}
	}
	return out
}

// layers adds what each layer keeps.
func (p plotter) layers(out *plotted) {
	shown := p.layerCurves()
	out.left = len(p.snap.Layers) - len(shown)
	if out.left > 0 {
		out.detail = fmt.Sprintf("%d of %d layers", len(shown), len(p.snap.Layers))
	}
	for _, c := range shown {
		l := &p.snap.Layers[c.index]
		out.curves = append(out.curves, curve{name: p.theme.text(l.Name), series: keptUntil(l, p.snap.Iter),
			style: c.style, char: c.char, named: true})
	}
	if kept, total := p.snap.Kept(); total > 0 {
		out.note = "all " + percent(fraction(kept, total))
	}
}

// keptUntil is what a layer kept at each of its surgeries, and has kept since the last.
func keptUntil(l *session.LayerStats, iter int) session.Series {
	h := &l.History
	last, _, ok := h.Last()
	if !ok || iter <= last {
		return *h
	}
	return session.Series{
		Iters:  append(slices.Clip(h.Iters), iter),
		Values: append(slices.Clip(h.Values), fraction(l.Kept, l.Weights)),
	}
}
