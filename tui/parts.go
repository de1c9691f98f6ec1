package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/guptarohit/asciigraph"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
)

// header is the first line: net, data, progress, speed, state.
func (a *App) header(w int) string {
	s, t := a.snap, &a.theme
	state := s.State.String()
	switch s.State {
	case model.Paused, model.Failed:
		state = t.warn.Render(strings.ToUpper(state))
	case model.Testing:
		state = fmt.Sprintf("testing %d/%d", s.Tested, s.ToTest)
	case model.Running:
		state = ""
	default:
		state = t.good.Render(state)
	}
	share := 0.0
	if s.MaxIter > 0 {
		share = float64(s.Iter) / float64(s.MaxIter)
	}
	left := t.title.Render("dns-tui") + "  " + s.Net
	if s.Source != "" && w >= 90 {
		left += " · " + base(s.Source)
	}
	progress := Thousands(s.Iter) + "/" + Thousands(s.MaxIter)
	right := []string{progress}
	if w >= 60 {
		right = append(right, t.glyph.barStart+t.bar(share, max(6, w/6))+t.glyph.barEnd)
	}
	right = append(right, fmt.Sprintf("%.0f %%", 100*share))
	switch {
	case s.Vitals.Phase != "" && (s.State == model.Running || s.State == model.Testing):
		right = append(right, t.good.Render(s.Vitals.Phase))
	case state != "":
		right = append(right, state)
	case w >= 50:
		right = append(right, rate(s.PerSecond))
		if v := s.ImagesPerSecond(); w >= 130 && v > 0 {
			right = append(right, Thousands(int(v+0.5))+" img/s")
		}
	}
	if w >= 70 && s.Remaining > 0 && s.State == model.Running {
		right = append(right, "ETA "+eta(s.Remaining))
	}
	if w >= 110 {
		right = append(right, fmt.Sprintf("lr %.3g", s.Rate))
	}
	if w >= 130 {
		right = append(right, device(s))
	}
	return t.fit(t.plain(t.ends(left, strings.Join(right, "  "), w)), w)
}

// device is the device's name, and how it is as far as that is known: "H100 62 % 71 °C 1.2 G".
func device(s *model.Snapshot) string {
	name, v := deviceName(s.Device), s.Vitals
	if !v.Known {
		return name + " " + bytes(s.Memory)
	}
	return fmt.Sprintf("%s %d %% %d °C %s", name, v.Utilization, v.Temperature, bytes(v.Memory))
}

// deviceName is a device's name without its maker, its family and what it has: "H100" of "NVIDIA H100 80GB HBM3".
func deviceName(full string) string {
	var words []string
	for _, w := range strings.Fields(strings.SplitN(full, " (", 2)[0]) {
		switch {
		case w == "NVIDIA" || w == "GeForce" || w == "Tesla" || w == "Quadro":
			continue
		case len(words) > 0 && (strings.HasSuffix(w, "GB") || w == "PCIe" || strings.HasPrefix(w, "HBM")):
			return strings.Join(words, " ")
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func base(path string) string {
	path = strings.TrimRight(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// layers is the table: one line a layer, a line for all.
func (a *App) layers(w, h int) []string {
	t := &a.theme
	inner := w - 2
	kept, total := a.snap.Kept()
	name, count := min(10, max(6, inner-29)), max(8, len(Thousands(total)))+1
	for _, l := range a.snap.Layers {
		name = max(name, min(ansi.StringWidth(l.Name)+1, inner/4))
	}
	showCount := inner >= 64
	rest := inner - 2 - name - 9 - 9 - 9 // cursor, name, kept, threshold, next
	if showCount {
		rest -= count + 1
	}
	barW := max(0, rest-4)
	row := func(cursor, n, weights, kept, bar, thr, next string) string {
		s := t.fit(cursor, 2) + t.fit(n, name)
		if showCount {
			s += t.fitRight(weights, count) + " "
		}
		s += t.fitRight(kept, 8) + " "
		if barW >= 3 {
			s += " " + bar + " "
		}
		return s + t.fitRight(thr, 9) + t.fitRight(next, 9)
	}
	lines := []string{t.dim.Render(row("", "layer", "weights", "kept", t.fit("sparsity", barW+2), "threshold", t.plain("→ next")))}
	rows := max(1, h-4)
	top := max(0, min(a.selected-rows/2, len(a.snap.Layers)-rows))
	for i := top; i < min(top+rows, len(a.snap.Layers)); i++ {
		l := &a.snap.Layers[i]
		kept := share(l.Kept, l.Weights)
		cursor, n := "", l.Name
		if i == a.selected {
			cursor, n = t.marked.Render(t.glyph.cursor), t.marked.Render(t.fit(l.Name, name))
		}
		bar := t.glyph.barStart + t.bar(1-kept, barW) + t.glyph.barEnd
		lines = append(lines, row(cursor, n, Thousands(l.Weights), percent(kept), bar, a.thresholdCell(l), a.nextCell(l)))
	}
	small := "dense"
	if kept > 0 && kept < total {
		small = fmt.Sprintf("%.1f × smaller", float64(total)/float64(kept))
	}
	for len(lines) < h-3 {
		lines = append(lines, "")
	}
	all := t.fit("", 2) + t.fit("all", name)
	if showCount {
		all += t.fitRight(Thousands(total), count) + " "
	}
	lines = append(lines, all+t.fitRight(percent(share(kept, total)), 8)+"  "+t.plain(small))
	return t.box("Layers", lines, w, h)
}

func share(n, of int) float64 { return float64(n) / float64(max(1, of)) }

// thresholdCell shows the threshold in force, and marks one that is off or frozen.
func (a *App) thresholdCell(l *model.LayerStats) string {
	h := a.snap.Hyper.Layer(l.Name)
	switch {
	case !h.Prune:
		return "off"
	case h.Frozen:
		return "frozen"
	}
	return fmt.Sprintf("%.3f", h.Threshold)
}

// nextCell predicts the sparsity after the next surgery, with the threshold that is chosen, waits or is in force.
func (a *App) nextCell(l *model.LayerStats) string {
	h := a.snap.Hyper.Layer(l.Name)
	_, drafted := a.draft[l.Name]
	_, waits := a.pendingThreshold(l)
	if l.Histogram == nil || (!h.Prune || h.Frozen) && !drafted {
		return "-"
	}
	n, total := l.Histogram.Pruned(a.threshold(l)), l.Histogram.Total()
	s := percent(share(n, total))
	switch {
	case n == total:
		return a.theme.warn.Render("ALL !") // the layer would keep nothing
	case drafted:
		return "?" + s
	case waits:
		return "*" + s
	}
	return s
}

// scale returns the ends of a layer's slider, in the units of its threshold.
func (a *App) scale(l *model.LayerStats) (lo, hi float64) {
	if l.Rule == gpu.PaperRule && l.Sigma > 0 {
		lo = -l.Mu / l.Sigma
	}
	hi = lo + 3
	if t := a.threshold(l); t > hi {
		hi = min(t+0.25, max(maxThreshold, t))
	}
	return lo, hi
}

// editor shows the selected layer: slider, histogram, what the next surgery would do.
func (a *App) editor(w, h int) []string {
	t, l := &a.theme, a.layer()
	if l == nil {
		return t.box("", []string{"no layer of this net can be pruned"}, w, h)
	}
	inner := w - 4
	lo, hi := a.scale(l)
	value := a.threshold(l)
	lines := []string{" " + a.slider(lo, hi, value, inner, l)}
	if ticks := a.ticks(lo, hi, inner, l); ticks != "" && h >= 6 {
		lines = append(lines, " "+ticks)
	}
	info := a.editorInfo(l, value)
	for _, s := range a.histogram(l, lo, hi, value, inner, min(h-2-len(lines)-len(info), 4)) {
		lines = append(lines, " "+s)
	}
	for _, s := range info {
		lines = append(lines, " "+s)
	}
	title := l.Name + "  " + l.Type
	if l.Rule == gpu.PaperRule {
		title += ", paper rule"
	}
	return t.box(title, lines, w, h)
}

// editorInfo is the text under the slider.
func (a *App) editorInfo(l *model.LayerStats, value float64) []string {
	t := &a.theme
	h := a.snap.Hyper.Layer(l.Name)
	name := "t"
	if l.Rule == gpu.PaperRule {
		name = "c_rate"
	}
	first := t.title.Render(fmt.Sprintf("%s %.3f", name, value))
	if l.Histogram != nil {
		n, total := l.Histogram.Pruned(value), l.Histogram.Total()
		first += fmt.Sprintf("  next surgery: %s, %s kept", percent(share(n, total)), Thousands(total-n))
	}
	if _, ok := a.draft[l.Name]; ok {
		first += "  " + t.warn.Render(t.plain("⏎ applies"))
	} else if _, ok := a.pendingThreshold(l); ok {
		first += "  " + t.warn.Render("pending")
	}
	second := fmt.Sprintf("last surgery: pruned %s spliced %s", Thousands(l.Pruned), Thousands(l.Spliced))
	if l.LastIter < 0 {
		second = "no surgery yet"
	} else {
		second += fmt.Sprintf(" at %s", Thousands(l.LastIter))
	}
	if !h.Prune {
		second = "left out of surgery (p prunes it)"
	} else if h.Frozen {
		second = "mask frozen (f lets it go)"
	}
	return []string{first, t.dim.Render(second)}
}

// position maps a threshold to a cell of the slider.
func position(v, lo, hi float64, cells int) int {
	if hi <= lo {
		return 0
	}
	return max(0, min(cells-1, int((v-lo)/(hi-lo)*float64(cells-1)+0.5)))
}

// ruler returns the labels at the ends of a scale w cells wide, and the cells between: slider, ticks and histogram share
// them, so that they stand under each other.
func (a *App) ruler(lo, hi float64, w int) (left, right string, cells int) {
	left, right = a.theme.plain("0σ "), a.theme.plain(fmt.Sprintf(" %.3gσ", hi-lo))
	return left, right, w - ansi.StringWidth(left) - ansi.StringWidth(right)
}

// slider draws the scale with the handle.
func (a *App) slider(lo, hi, value float64, w int, l *model.LayerStats) string {
	t := &a.theme
	left, right, cells := a.ruler(lo, hi, w)
	if cells < 4 {
		return ""
	}
	line := make([]string, cells)
	for i := range line {
		line[i] = t.glyph.ruler
	}
	for _, v := range a.presets(l) {
		if v.Threshold <= hi {
			line[position(v.Threshold, lo, hi, cells)] = t.glyph.tick
		}
	}
	at := position(value, lo, hi, cells)
	return t.dim.Render(left+strings.Join(line[:at], "")) + t.marked.Render(t.glyph.handle) + t.dim.Render(strings.Join(line[at+1:], "")+right)
}

// ticks labels the presets under the slider; labels that would touch are left out.
func (a *App) ticks(lo, hi float64, w int, l *model.LayerStats) string {
	t := &a.theme
	left, _, cells := a.ruler(lo, hi, w)
	if cells < 4 {
		return ""
	}
	indent := ansi.StringWidth(left)
	out := []byte(strings.Repeat(" ", w))
	next := 0
	for _, v := range a.presets(l) {
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

// presets are the rows of the sigma table on a layer's slider; the paper rule has no table.
func (a *App) presets(l *model.LayerStats) []config.SigmaStep {
	if l.Rule == gpu.PaperRule {
		return nil
	}
	return config.SigmaTable
}

// histogram draws the distances as bars aligned with the slider; what the next surgery prunes is dim and underlined by
// the slider's left part.
func (a *App) histogram(l *model.LayerStats, lo, hi, value float64, w, rows int) []string {
	t := &a.theme
	left, right, cells := a.ruler(lo, hi, w)
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
		out[r] = strings.Repeat(" ", ansi.StringWidth(left)) + t.dim.Render(pruned.String()) + t.accent.Render(stays.String())
	}
	if w >= 60 {
		out[0] = t.fit(out[0], w-ansi.StringWidth(right)) + "|w|"
	}
	return out
}

// plot draws a curve with asciigraph.
func (a *App) plot(title string, s *model.Series, w, h int, note string) []string {
	t := &a.theme
	inner, rows := w-2, h-2
	if rows < 1 || inner < 8 {
		return t.box(title, nil, w, h)
	}
	if len(s.Values) == 0 {
		return t.box(title, []string{"", t.dim.Render(" no values yet")}, w, h)
	}
	values := s.Values
	if len(values) == 1 {
		values = []float64{values[0], values[0]}
	}
	const label = 9
	g := asciigraph.Plot(values, asciigraph.Height(max(1, rows-1)), asciigraph.Width(max(2, inner-label)), asciigraph.Precision(precision(values)))
	lines := strings.Split(t.plain(g), "\n")
	if len(lines) > rows {
		lines = lines[:rows]
	}
	if note != "" {
		title += "  " + note
	}
	return t.box(title, lines, w, h)
}

// precision gives a plot's labels enough decimals to differ.
func precision(values []float64) uint {
	lo, hi := values[0], values[0]
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
	}
	switch d := hi - lo; {
	case d >= 10:
		return 0
	case d >= 1:
		return 2
	case d >= 0.01:
		return 3
	}
	return 4
}

func (a *App) lossPlot(w, h int, note string) []string {
	s := cutSpike(a.snap.Losses)
	return a.plot("Loss", &s, w, h, number(a.snap.Smoothed)+note)
}

// cutSpike cuts a curve off at three times the highest value of its newer half: the first losses of a run would press
// all that follows to the floor.
func cutSpike(s model.Series) model.Series {
	top := 0.0
	for _, v := range s.Values[len(s.Values)/2:] {
		top = max(top, 3*v)
	}
	cut := make([]float64, len(s.Values))
	for i, v := range s.Values {
		cut[i] = min(v, top)
	}
	s.Values = cut
	return s
}

// lossAndAccuracy is the loss plot with the last accuracy beside the loss, where there is no room for its own plot.
func (a *App) lossAndAccuracy(w, h int) []string {
	note := ""
	if _, v, ok := a.snap.Accuracy.Last(); ok {
		note = fmt.Sprintf("  acc %.2f %%", 100*v)
	}
	return a.lossPlot(w, h, note)
}

func (a *App) accuracyPlot(w, h int) []string {
	note := ""
	if _, v, ok := a.snap.Accuracy.Last(); ok {
		note = fmt.Sprintf("%.2f %%", 100*v)
	}
	return a.plot("Accuracy", &a.snap.Accuracy, w, h, note)
}

// journal shows what waits, then what happened, newest at the bottom.
func (a *App) journal(w, h int) []string {
	t := &a.theme
	rows := max(0, h-2)
	var lines []string
	for _, e := range a.snap.Events {
		status := ""
		switch e.Status {
		case model.Applied:
			status = t.good.Render("applied ")
		case model.Rejected:
			status = t.warn.Render("REJECTED ")
		}
		lines = append(lines, " "+t.dim.Render(Thousands(e.Iter))+" "+status+t.plain(e.Text))
	}
	for _, c := range a.snap.Pending {
		lines = append(lines, " "+t.dim.Render(Thousands(c.Iter))+" "+t.warn.Render("pending ")+t.plain(fmt.Sprintf("%s %s → %s", c.Field, c.Old, c.New)))
	}
	if len(lines) > rows {
		lines = lines[len(lines)-rows:]
	}
	return t.box("Journal", lines, w, h)
}

// footer is the last line: the command line, the answer to the last command, a problem, or the keys.
func (a *App) footer(w int) string {
	t := &a.theme
	switch {
	case a.mode == typing:
		return t.fit(a.input.View(), w)
	case a.notice != "" && a.noticeBad:
		return t.fit(t.warn.Render(t.plain(" "+a.notice)), w)
	case a.notice != "":
		return t.fit(t.plain(" "+a.notice), w)
	case a.snap.Problem != "":
		return t.fit(t.warn.Render(t.plain(" "+a.snap.Problem)), w)
	}
	// Help and quit have the last word where not everything fits.
	var last, s string
	for _, b := range bindings {
		if b.short == "help" || b.short == "quit" {
			last += " " + t.title.Render(t.plain(b.label)) + " " + b.short + " "
		}
	}
	room := w - ansi.StringWidth(last)
	for _, b := range bindings {
		if b.short == "" || b.short == "help" || b.short == "quit" {
			continue
		}
		item := " " + t.title.Render(t.plain(b.label)) + " " + b.short + " "
		if room -= ansi.StringWidth(item); room < 0 {
			break
		}
		s += item
	}
	s += last
	return t.fit(s, w)
}
