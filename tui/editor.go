package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model/session"
)

// editor shows the selected layer, and how its threshold is chosen.
type editor struct {
	*env
	sel     *selection
	choices *choices
}

// View shows the selected layer in w by h cells: slider, histogram, what the next surgery would do.
func (d *editor) View(w, h int) []string {
	t, l := &d.theme, d.sel.layer()
	if l == nil {
		return t.box("", []string{"no layer of this net can be pruned"}, w, h)
	}
	inner := w - 4
	lo, hi := d.choices.scale(l)
	value := d.choices.threshold(l)
	lines := []string{" " + d.slider(lo, hi, value, inner, l)}
	if ticks := d.tickLabels(lo, hi, inner, l); ticks != "" && h >= 6 {
		lines = append(lines, " "+ticks)
	}
	info := d.editorInfo(l, inner, max(2, min(5, h-5)))
	for _, s := range d.histogram(l, lo, hi, value, inner, min(h-2-len(lines)-len(info), 8)) {
		lines = append(lines, " "+s)
	}
	for _, s := range info {
		lines = append(lines, " "+s)
	}
	title := t.text(l.Name + "  " + l.Type)
	if l.Rule != gpu.SeedRule {
		title += ", " + config.RuleName(l.Rule) + " rule"
	}
	return t.box(title, lines, w, h)
}

// editorInfo is the text under the slider: the linked handles, what the next surgery would do, what the last ones did.
func (d *editor) editorInfo(l *session.LayerStats, w, rows int) []string {
	t := &d.theme
	names := [...]string{"t", "sparsity", "kept"}
	if l.Rule == gpu.PaperRule {
		names[0] = "c_rate"
	}
	var parts []string
	for h := range handles {
		text := names[h] + " " + d.choices.handleValue(h, l)
		if h == d.choices.handle {
			text = t.marked.Render(t.glyph.cursor + text)
		}
		parts = append(parts, text)
	}
	head := strings.Join(parts, "  ")
	if _, ok := d.choices.draft[l.Name]; ok {
		word := "%s applies"
		switch {
		case d.drives(l.Name):
			word = "%s takes it from the autopilot"
		case d.noSurgery(l) != "":
			word = "%s sets it"
		}
		head += "  " + t.warn.Render(d.naming(word, &d.allKeys.Main.Apply))
	} else if state, at := d.choices.state(l); state == sent || state == pending {
		word := state.String()
		if at >= 0 {
			word += ", for the surgery at " + human.Count(at)
		}
		head += "  " + t.warn.Render(word)
	}
	lines := []string{head}
	if s := d.deadOutputs(l); s != "" {
		lines = append(lines, s)
	}
	return firstLines(append(lines, d.surgeryInfo(l, w)...), rows)
}

// deadOutputs warns of outputs without a weight, and of those that the chosen threshold would kill.
func (d *editor) deadOutputs(l *session.LayerStats) string {
	t := &d.theme
	kind := "neurons"
	if l.Kernel[0] > 0 {
		kind = "filters"
	}
	would := max(0, l.Dead) + d.choices.dying(l)
	switch {
	case would > max(0, l.Dead) && would == l.Outputs && l.Outputs > 0:
		return t.warn.Render(fmt.Sprintf("! the layer would die: all %d %s lose their last weight", would, kind))
	case would > max(0, l.Dead):
		return t.warn.Render(fmt.Sprintf("! %d of %d %s would lose their last weight", would, l.Outputs, kind))
	case l.Dead > 0:
		return t.warn.Render(fmt.Sprintf("! %d of %d %s have no weight left", l.Dead, l.Outputs, kind))
	}
	return ""
}

// surgeryInfo is what surgery did, newest first in words, the last ones as sparklines, and the sizes of gradient and
// step.
func (d *editor) surgeryInfo(l *session.LayerStats, w int) []string {
	t, k := &d.theme, &d.allKeys.Main
	h := d.snap.Hyper.Layer(l.Name)
	second := "no surgery yet"
	if l.LastIter >= 0 {
		second = fmt.Sprintf("last surgery: pruned %s spliced %s at %s",
			human.Count(l.Pruned), human.Count(l.Spliced), human.Count(l.LastIter))
	}
	switch {
	case !h.Prune:
		second = "left out of surgery" + aside(d.naming("%s prunes it", &k.Prune))
	case h.MaskFrozen:
		second = "mask frozen" + aside(d.naming("%s lets it go", &k.FreezeMask))
	case d.drives(l.Name):
		second = "driven by the autopilot" +
			d.naming(": a threshold of yours, %s or %s ends that", &k.Prune, &k.FreezeMask)
	default:
		if why := d.noSurgery(l); why != "" {
			second = "no surgery is due: " + t.text(why)
		}
	}
	if h.WeightsFrozen {
		second += ", weights frozen" + aside(d.naming("%s lets them train", &k.FreezeWeights))
	}
	lines := []string{t.dim.Render(second)}
	if n := len(l.Operations); n > 1 {
		pruned, spliced := make([]float64, n), make([]float64, n)
		for i, o := range l.Operations {
			pruned[i], spliced[i] = float64(o.Pruned), float64(o.Spliced)
		}
		cells := max(4, min(20, (w-32)/3))
		lines = append(lines, fmt.Sprintf("pruned %s spliced %s kept %s",
			t.fit(t.spark(pruned, cells), cells), t.fit(t.spark(spliced, cells), cells),
			t.accent.Render(t.spark(l.History.Values, cells))))
	}
	if m := l.Norms; m.Iter >= 0 && m.Weights > 0 {
		norms := fmt.Sprintf("norms: weights %.3g  gradient %.3g  step %.3g (ratio %.1e)",
			m.Weights, m.Gradient, m.Step, m.Step/m.Weights)
		lines = append(lines, t.dim.Render(t.plain(norms)))
	}
	return lines
}

// position maps a threshold to a cell of the slider.
func position(v, lo, hi float64, cells int) int {
	if hi <= lo {
		return 0
	}
	return max(0, min(cells-1, int((v-lo)/(hi-lo)*float64(cells-1)+0.5)))
}

// ruler returns the labels at the ends of a scale w cells wide, and the cells between: slider, ticks and histogram
// share them, so that they stand under each other.
func (d *editor) ruler(lo, hi float64, w int) (left, right string, cells int) {
	left, right = d.theme.plain("0σ "), d.theme.plain(fmt.Sprintf(" %.3gσ", hi-lo))
	return left, right, w - ansi.StringWidth(left) - ansi.StringWidth(right)
}

// slider draws the scale with the handle.
func (d *editor) slider(lo, hi, value float64, w int, l *session.LayerStats) string {
	t := &d.theme
	left, right, cells := d.ruler(lo, hi, w)
	if cells < 4 {
		return ""
	}
	line := make([]string, cells)
	for i := range line {
		line[i] = t.glyph.ruler
	}
	for _, v := range d.steps(l) {
		if v.Threshold <= hi {
			line[position(v.Threshold, lo, hi, cells)] = t.glyph.tick
		}
	}
	at := position(value, lo, hi, cells)
	return t.dim.Render(left+strings.Join(line[:at], "")) + t.marked.Render(t.glyph.handle) +
		t.dim.Render(strings.Join(line[at+1:], "")+right)
}

// tickLabels names the presets under the slider; labels that would touch are left out.
func (d *editor) tickLabels(lo, hi float64, w int, l *session.LayerStats) string {
	t := &d.theme
	left, _, cells := d.ruler(lo, hi, w)
	if cells < 4 {
		return ""
	}
	indent := ansi.StringWidth(left)
	out := []byte(strings.Repeat(" ", w))
	next := 0
	for _, v := range d.steps(l) {
		label := fmt.Sprintf("%.0f", 100*v.Sparsity)
		at := indent + position(v.Threshold, lo, hi, cells)
		if v.Threshold > hi || at < next || at+len(label) > w {
			continue
		}
		copy(out[at:], label)
		next = at + len(label) + 1
	}
	s := strings.TrimRight(string(out), " ")
	if s == "" {
		return ""
	}
	return t.dim.Render(s + " %")
}

// steps are the rows of the sigma table on a layer's slider; it is the seed rule's.
func (d *editor) steps(l *session.LayerStats) []config.SigmaStep {
	if l.Rule != gpu.SeedRule {
		return nil
	}
	return config.SigmaTable
}

// histogram draws the distances as bars aligned with the slider; what the next surgery prunes is dim and underlined by
// the slider's left part.
func (d *editor) histogram(l *session.LayerStats, lo, hi, value float64, w, rows int) []string {
	t := &d.theme
	left, right, cells := d.ruler(lo, hi, w)
	if l.Histogram == nil || cells < 4 || rows < 1 {
		return nil
	}
	kept, masked := l.Histogram.Bars(cells, hi-lo)
	top := 1
	for i := range kept {
		top = max(top, kept[i]+masked[i])
	}
	cut := position(lo+l.Histogram.Cut(value), lo, hi, cells)
	levels := len(t.glyph.spark) - 1
	out := make([]string, rows)
	for r := range rows {
		var pruned, stays strings.Builder
		for i := range kept {
			n := kept[i] + masked[i]
			height := n * levels * rows / top
			if n > 0 && height == 0 {
				height = 1
			}
			g := t.glyph.spark[max(0, min(levels, height-(rows-1-r)*levels))]
			if i < cut {
				pruned.WriteString(g)
			} else {
				stays.WriteString(g)
			}
		}
		out[r] = strings.Repeat(" ", ansi.StringWidth(left)) +
			t.dim.Render(pruned.String()) + t.accent.Render(stays.String())
	}
	if w >= 60 {
		out[0] = t.fit(out[0], w-ansi.StringWidth(right)) + "|w|"
	}
	return out
}

// click moves the handle to a cell of the slider, which is w cells wide.
func (d *editor) click(x, w int) {
	l := d.sel.layer()
	if l == nil {
		return
	}
	lo, hi := d.choices.scale(l)
	left, _, cells := d.ruler(lo, hi, w)
	if cell := x - ansi.StringWidth(left); cells >= 4 && cell >= 0 && cell < cells {
		d.choices.choose(l, lo+float64(cell)/float64(max(1, cells-1))*(hi-lo))
	}
}
