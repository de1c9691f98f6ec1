package tui

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/session"
)

// handle is what the arrows move: three ways to say the same, linked by the layer's histogram.
type handle int

const (
	byThreshold handle = iota
	bySparsity
	byKept
	handles
)

// scope is what a choice is for.
type scope int

const (
	thisLayer scope = iota
	markedLayers
	convolutions
	innerProducts
	allLayers
	scopes
)

func (s scope) String() string {
	return [...]string{"this layer", "marked layers", "all convolutions", "all inner products", "all layers"}[s]
}

// copied is a threshold to be chosen elsewhere.
type copied struct {
	from      string
	rule      gpu.Rule
	threshold float64
}

// targets are the layers that a choice is for.
func (d *editor) targets() []*session.LayerStats {
	l := d.sel.layer()
	if l == nil {
		return nil
	}
	if d.scope == thisLayer {
		return []*session.LayerStats{l}
	}
	var out []*session.LayerStats
	for i := range d.snap.Layers {
		o := &d.snap.Layers[i]
		inner := strings.Contains(o.Type, "InnerProduct")
		if d.scope == allLayers || d.scope == markedLayers && d.marks[o.Name] || d.scope == innerProducts && inner ||
			d.scope == convolutions && !inner {
			out = append(out, o)
		}
	}
	return out
}

// threshold returns what the editor shows for a layer: the value being chosen, the one that waits, or the one in force.
func (d *editor) threshold(l *session.LayerStats) float64 {
	if v, ok := d.draft[l.Name]; ok {
		return v
	}
	return d.inForce(l)
}

func (d *editor) pendingThreshold(l *session.LayerStats) (float64, bool) {
	s, ok := d.snap.PendingValue(d.thresholdField(l))
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// inForce is the threshold that counts without the draft.
func (d *editor) inForce(l *session.LayerStats) float64 {
	if v, ok := d.pendingThreshold(l); ok {
		return v
	}
	return d.snap.Hyper.Layer(l.Name).Threshold
}

// thresholdField is the name of a layer's threshold.
func (d *editor) thresholdField(l *session.LayerStats) string {
	return l.Name + "." + d.snap.Hyper.Layer(l.Name).ThresholdName()
}

// nudge moves the handle by so many small steps: 0.01 of the threshold, 0.1 % of sparsity, or a hundredth of the
// weights kept.
func (d *editor) nudge(steps int) intent {
	for _, l := range d.targets() {
		h := l.Histogram
		if d.handle == byThreshold || h == nil {
			d.choose(l, d.threshold(l)+0.01*float64(steps))
			continue
		}
		pruned, total := h.Pruned(d.threshold(l)), h.Total()
		by := float64(steps) * float64(total) / 1000
		if d.handle == byKept { // more kept is fewer pruned
			by = -float64(steps) * float64(total-pruned) / 100
		}
		n := pruned + int(math.Copysign(math.Ceil(math.Abs(by)), by))
		d.choose(l, h.Threshold(clamp(n, total)))
	}
	return nil
}

// choose makes v the threshold that enter will send, rounded to three decimals and kept on the scale.
func (d *editor) choose(l *session.LayerStats, v float64) {
	lo, hi := d.scale(l)
	v = math.Round(max(lo, min(v, max(hi, maxThreshold)))*1000) / 1000
	if v == d.inForce(l) {
		delete(d.draft, l.Name)
		return
	}
	d.draft[l.Name] = v
}

// maxThreshold is where the editor ends; the command line takes more.
const maxThreshold = 6

// preset chooses the threshold of a row of the sigma table: by the table under the seed rule, by the layer's own
// histogram under the paper rule, whose thresholds mean something else in each layer.
func (d *editor) preset(i int) intent {
	row := config.SigmaTable[i]
	for _, l := range d.targets() {
		switch {
		case l.Rule == gpu.SeedRule:
			d.choose(l, row.Threshold)
		case l.Histogram != nil:
			d.choose(l, l.Histogram.Threshold(int(math.Round(row.Sparsity*float64(l.Histogram.Total())))))
		}
	}
	return d.tellNone()
}

// noSurgery says why no surgery of a layer is due; "" where one is.
func (e *env) noSurgery(l *session.LayerStats) string {
	return session.NoSurgery(e.snap.Hyper, l.Name, e.snap.Iter, e.snap.State.Ended())
}

// tellNone says so for what was chosen.
func (d *editor) tellNone() intent {
	for _, l := range d.targets() {
		if why := d.noSurgery(l); why != "" {
			return refuse(l.Name + ": no surgery is due: " + why)
		}
	}
	return nil
}

func (d *editor) nextHandle() { d.handle = (d.handle + 1) % handles }

func (d *editor) nextScope() intent {
	d.scope = (d.scope + 1) % scopes
	if d.scope == markedLayers && len(d.marks) == 0 {
		d.scope++
	}
	return notice{text: "changes are for " + d.scope.String()}
}

func (d *editor) mark() {
	l := d.sel.layer()
	if l == nil {
		return
	}
	if d.marks[l.Name] {
		delete(d.marks, l.Name)
	} else {
		d.marks[l.Name] = true
	}
	if d.scope == markedLayers && len(d.marks) == 0 {
		d.scope = thisLayer
	}
}

func (d *editor) copyThreshold() intent {
	l := d.sel.layer()
	if l == nil {
		return nil
	}
	d.copied = &copied{l.Name, l.Rule, d.threshold(l)}
	return notice{text: fmt.Sprintf("copied the threshold of %s, %s", l.Name, formatThreshold(d.copied.threshold))}
}

func (d *editor) pasteThreshold() intent {
	if d.copied == nil {
		return refuse("nothing is copied: y copies a layer's threshold")
	}
	for _, l := range d.targets() {
		if l.Rule != d.copied.rule {
			return refuse(fmt.Sprintf("%s has another rule than %s: their thresholds mean different things",
				l.Name, d.copied.from))
		}
	}
	for _, l := range d.targets() {
		d.choose(l, d.copied.threshold)
	}
	return nil
}

// apply sends what was chosen in the scope, and for the selected layer.
func (d *editor) apply() intent {
	var edits []session.Edit
	take := func(l *session.LayerStats) {
		if v, ok := d.draft[l.Name]; ok {
			delete(d.draft, l.Name)
			edits = append(edits, session.Edit{Field: d.thresholdField(l), New: formatThreshold(v)})
		}
	}
	for _, l := range d.targets() {
		take(l)
	}
	if l := d.sel.layer(); l != nil {
		take(l)
	}
	return set(edits...)
}

func formatThreshold(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// drop gives up the nearest choice: what was chosen, then the filter, then the marks.
func (d *editor) drop() intent {
	dropped := false
	targets := d.targets()
	if l := d.sel.layer(); l != nil {
		targets = append(targets, l)
	}
	for _, l := range targets {
		if _, ok := d.draft[l.Name]; ok {
			delete(d.draft, l.Name)
			dropped = true
		}
	}
	switch {
	case dropped:
	case d.sel.filter != "":
		d.sel.narrow("")
	default:
		d.marks, d.scope = map[string]bool{}, thisLayer
	}
	return nil
}

// toggle switches a setting of the scope's layers: to what the selected layer has not.
func (d *editor) toggle(name string) intent {
	l := d.sel.layer()
	if l == nil {
		return nil
	}
	old, err := d.snap.Hyper.Get(l.Name + "." + name)
	if err != nil {
		return nil
	}
	value := "on"
	if old == "on" {
		value = "off"
	}
	var edits []session.Edit
	for _, o := range d.targets() {
		if now, _ := d.snap.Hyper.Get(o.Name + "." + name); now != value {
			edits = append(edits, session.Edit{Field: o.Name + "." + name, New: value})
		}
	}
	return set(edits...)
}

// handleValue is the text of a handle for a layer.
func (d *editor) handleValue(h handle, l *session.LayerStats) string {
	switch {
	case h == byThreshold:
		return fmt.Sprintf("%.3f", d.threshold(l))
	case l.Histogram == nil:
		return "-"
	case h == bySparsity:
		return percent(l.Histogram.Sparsity(d.threshold(l)))
	}
	return Thousands(l.Histogram.Total() - l.Histogram.Pruned(d.threshold(l)))
}

// prompt asks for the value of the handle.
func (d *editor) prompt() string {
	l := d.sel.layer()
	names := [...]string{d.snap.Hyper.Layer(l.Name).ThresholdName(), "sparsity %", "weights kept"}
	of := l.Name
	if d.scope != thisLayer {
		of = d.scope.String()
	}
	return of + "  " + names[d.handle] + ": "
}

// reGrouped is a number with commas between thousands, as counts of weights are shown.
var reGrouped = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+$`)

// chooseTyped makes what is typed the choice, as it is typed.
func (d *editor) chooseTyped(text string) error {
	text, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	text = strings.TrimSpace(text)
	handle := d.handle
	if isPercent { // whatever was asked for, that is what it says
		handle = bySparsity
	}
	if handle == byKept && reGrouped.MatchString(text) { // elsewhere a comma may stand for a point: 0,95
		text = strings.ReplaceAll(text, ",", "")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is not a number", text)
	}
	for _, l := range d.targets() {
		h := l.Histogram
		if handle != byThreshold && h == nil {
			return fmt.Errorf("%s has not been measured yet", l.Name)
		}
		switch {
		case handle == byThreshold:
			if _, _, err := d.snap.Hyper.Set(d.thresholdField(l), formatThreshold(v)); err != nil {
				return err
			}
			d.draft[l.Name] = v
			if v == d.inForce(l) {
				delete(d.draft, l.Name)
			}
		case handle == bySparsity && (v < 0 || v > 100):
			return fmt.Errorf("sparsity is %g %%, wanted 0 to 100", v)
		case handle == bySparsity:
			d.choose(l, h.Threshold(int(math.Round(v/100*float64(h.Total())))))
		case v < 0 || v > float64(h.Total()):
			return fmt.Errorf("%g weights kept, wanted 0 to %s in %s", v, Thousands(h.Total()), l.Name)
		default:
			d.choose(l, h.Threshold(h.Total()-int(v)))
		}
	}
	return nil
}

// sparsityValue turns "95%", typed as a layer's threshold, into the threshold that gives it. Other values stay as they
// are.
func sparsityValue(s *session.Snapshot, field, value string) (string, error) {
	text, isPercent := strings.CutSuffix(strings.TrimSpace(value), "%")
	if !isPercent {
		return value, nil
	}
	field = s.Hyper.Canonical(field)
	layer, _ := config.SplitField(field)
	l := s.Layer(layer)
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case l == nil || !config.IsThreshold(field):
		return "", fmt.Errorf("%s: %s is a fraction; wanted a number", field, value)
	case err != nil || !(v >= 0 && v <= 100):
		return "", fmt.Errorf("%s: %q is not a sparsity; must be 0 to 100 %%", field, value)
	case l.Histogram == nil:
		return "", fmt.Errorf("%s has not been measured yet", layer)
	}
	at := l.Histogram.Threshold(int(math.Round(v / 100 * float64(l.Histogram.Total()))))
	return formatThreshold(math.Round(1000*at) / 1000), nil
}

// whatIf is what the whole net would keep after surgery with everything that is chosen and waits.
type whatIf struct {
	kept, total int
	known       bool // every layer has been measured
}

func (d *editor) predictNet() whatIf {
	w := whatIf{known: len(d.snap.Layers) > 0}
	for i := range d.snap.Layers {
		l := &d.snap.Layers[i]
		kept, total := l.Kept, l.Weights
		if d.noSurgery(l) == "" {
			if l.Histogram == nil {
				w.known = false
			} else {
				kept, total = l.Histogram.Total()-l.Histogram.Pruned(d.threshold(l)), l.Histogram.Total()
			}
		}
		w.kept, w.total = w.kept+kept, w.total+total
	}
	return w
}
