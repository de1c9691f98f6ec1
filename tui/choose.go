package tui

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

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

// visible lists the layers that the filter lets through.
func (a *App) visible() []int {
	var out []int
	for i := range a.snap.Layers {
		if strings.Contains(strings.ToLower(a.snap.Layers[i].Name), strings.ToLower(a.filter)) {
			out = append(out, i)
		}
	}
	return out
}

// place is where the selected layer stands among the visible ones.
func (a *App) place(visible []int) int {
	at := 0
	for i, v := range visible {
		if v <= a.selected {
			at = i
		}
	}
	return at
}

func (a *App) move(by int) tea.Cmd {
	if v := a.visible(); len(v) > 0 {
		a.selected = v[max(0, min(a.place(v)+by, len(v)-1))]
	}
	return nil
}

// targets are the layers that a choice is for.
func (a *App) targets() []*session.LayerStats {
	l := a.layer()
	if l == nil {
		return nil
	}
	if a.scope == thisLayer {
		return []*session.LayerStats{l}
	}
	var out []*session.LayerStats
	for i := range a.snap.Layers {
		o := &a.snap.Layers[i]
		inner := strings.Contains(o.Type, "InnerProduct")
		if a.scope == allLayers || a.scope == markedLayers && a.marks[o.Name] || a.scope == innerProducts && inner ||
			a.scope == convolutions && !inner {
			out = append(out, o)
		}
	}
	return out
}

// threshold returns what the editor shows for a layer: the value being chosen, the one that waits, or the one in force.
func (a *App) threshold(l *session.LayerStats) float64 {
	if v, ok := a.draft[l.Name]; ok {
		return v
	}
	return a.inForce(l)
}

func (a *App) pendingThreshold(l *session.LayerStats) (float64, bool) {
	s, ok := a.snap.PendingValue(a.thresholdField(l))
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// inForce is the threshold that counts without the draft.
func (a *App) inForce(l *session.LayerStats) float64 {
	if v, ok := a.pendingThreshold(l); ok {
		return v
	}
	return a.snap.Hyper.Layer(l.Name).Threshold
}

// thresholdField is the name of a layer's threshold.
func (a *App) thresholdField(l *session.LayerStats) string {
	return l.Name + "." + a.snap.Hyper.Layer(l.Name).ThresholdName()
}

// nudge moves the handle by so many small steps: 0.01 of the threshold, 0.1 % of sparsity, or a hundredth of the
// weights kept.
func (a *App) nudge(steps int) tea.Cmd {
	for _, l := range a.targets() {
		h := l.Histogram
		if a.handle == byThreshold || h == nil {
			a.choose(l, a.threshold(l)+0.01*float64(steps))
			continue
		}
		pruned, total := h.Pruned(a.threshold(l)), h.Total()
		by := float64(steps) * float64(total) / 1000
		if a.handle == byKept { // more kept is fewer pruned
			by = -float64(steps) * float64(total-pruned) / 100
		}
		n := pruned + int(math.Copysign(math.Ceil(math.Abs(by)), by))
		a.choose(l, h.Threshold(max(0, min(n, total))))
	}
	return nil
}

// choose makes v the threshold that enter will send, rounded to three decimals and kept on the scale.
func (a *App) choose(l *session.LayerStats, v float64) {
	lo, hi := a.scale(l)
	v = math.Round(max(lo, min(v, max(hi, maxThreshold)))*1000) / 1000
	if v == a.inForce(l) {
		delete(a.draft, l.Name)
		return
	}
	a.draft[l.Name] = v
}

// maxThreshold is where the editor ends; the command line takes more.
const maxThreshold = 6

// preset chooses the threshold of a row of the sigma table: by the table under the seed rule, by the layer's own
// histogram under the paper rule, whose thresholds mean something else in each layer.
func (a *App) preset(i int) tea.Cmd {
	row := config.SigmaTable[i]
	for _, l := range a.targets() {
		switch {
		case l.Rule == gpu.SeedRule:
			a.choose(l, row.Threshold)
		case l.Histogram != nil:
			a.choose(l, l.Histogram.Threshold(int(math.Round(row.Sparsity*float64(l.Histogram.Total())))))
		}
	}
	a.tellNone()
	return nil
}

func (a *App) nextHandle() tea.Cmd { a.handle = (a.handle + 1) % handles; return nil }

func (a *App) nextScope() tea.Cmd {
	a.scope = (a.scope + 1) % scopes
	if a.scope == markedLayers && len(a.marks) == 0 {
		a.scope++
	}
	a.notice, a.noticeBad = "changes are for "+a.scope.String(), false
	return nil
}

func (a *App) mark() tea.Cmd {
	if l := a.layer(); l != nil {
		if a.marks[l.Name] {
			delete(a.marks, l.Name)
		} else {
			a.marks[l.Name] = true
		}
		if a.scope == markedLayers && len(a.marks) == 0 {
			a.scope = thisLayer
		}
	}
	return nil
}

func (a *App) copyThreshold() tea.Cmd {
	if l := a.layer(); l != nil {
		a.copied = &copied{l.Name, l.Rule, a.threshold(l)}
		a.notice, a.noticeBad = fmt.Sprintf(
			"copied the threshold of %s, %s",
			l.Name,
			formatThreshold(a.copied.threshold),
		), false
	}
	return nil
}

func (a *App) pasteThreshold() tea.Cmd {
	if a.copied == nil {
		a.say("nothing is copied: y copies a layer's threshold")
		return nil
	}
	for _, l := range a.targets() {
		if l.Rule != a.copied.rule {
			a.say(
				fmt.Sprintf(
					"%s has another rule than %s: their thresholds mean different things",
					l.Name,
					a.copied.from,
				),
			)
			return nil
		}
	}
	for _, l := range a.targets() {
		a.choose(l, a.copied.threshold)
	}
	return nil
}

// apply sends what was chosen in the scope, and for the selected layer.
func (a *App) apply() tea.Cmd {
	var edits []session.Edit
	send := func(l *session.LayerStats) {
		if v, ok := a.draft[l.Name]; ok {
			delete(a.draft, l.Name)
			edits = append(edits, session.Edit{Field: a.thresholdField(l), New: formatThreshold(v)})
		}
	}
	for _, l := range a.targets() {
		send(l)
	}
	if l := a.layer(); l != nil {
		send(l)
	}
	return a.set(edits)
}

// set sends edits as one command.
func (a *App) set(edits []session.Edit) tea.Cmd {
	switch len(edits) {
	case 0:
		return nil
	case 1:
		return a.do(session.Command{Kind: session.Set, Field: edits[0].Field, Value: edits[0].New})
	}
	return a.do(session.Command{Kind: session.Set, Edits: edits})
}

func formatThreshold(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// drop takes back the nearest choice: what was chosen, then the filter, then the marks.
func (a *App) drop() tea.Cmd {
	dropped := false
	targets := a.targets()
	if l := a.layer(); l != nil {
		targets = append(targets, l)
	}
	for _, l := range targets {
		if _, ok := a.draft[l.Name]; ok {
			delete(a.draft, l.Name)
			dropped = true
		}
	}
	switch {
	case dropped:
	case a.filter != "":
		a.filter = ""
	default:
		a.marks, a.scope = map[string]bool{}, thisLayer
	}
	return nil
}

// toggle switches a setting of the scope's layers: to what the selected layer has not.
func (a *App) toggle(name string) tea.Cmd {
	l := a.layer()
	if l == nil {
		return nil
	}
	old, err := a.snap.Hyper.Get(l.Name + "." + name)
	if err != nil {
		return nil
	}
	value := "on"
	if old == "on" {
		value = "off"
	}
	var edits []session.Edit
	for _, o := range a.targets() {
		if now, _ := a.snap.Hyper.Get(o.Name + "." + name); now != value {
			edits = append(edits, session.Edit{Field: o.Name + "." + name, New: value})
		}
	}
	return a.set(edits)
}

func (a *App) togglePause() tea.Cmd {
	if a.snap.State == session.Paused {
		return a.do(session.Command{Kind: session.Resume})
	}
	return a.do(session.Command{Kind: session.Pause})
}

func (a *App) scaleRate(by float64) tea.Cmd {
	return a.do(
		session.Command{
			Kind:  session.Set,
			Field: "lr_mult",
			Value: strconv.FormatFloat(a.snap.Hyper.LRMult*by, 'g', -1, 64),
		},
	)
}

// quitKey answers the quit dialogue.
func (a *App) quitKey(name string) tea.Cmd {
	a.mode = browsing
	switch name {
	case "s", "enter":
		return a.stop(true)
	case "a":
		return a.abandon()
	case "d":
		return a.detach()
	case "c", "esc", "q":
	default:
		a.mode = quitting
	}
	return nil
}

// handleValue is the text of a handle for a layer.
func (a *App) handleValue(h handle, l *session.LayerStats) string {
	switch {
	case h == byThreshold:
		return fmt.Sprintf("%.3f", a.threshold(l))
	case l.Histogram == nil:
		return "-"
	case h == bySparsity:
		return percent(l.Histogram.Sparsity(a.threshold(l)))
	}
	return Thousands(l.Histogram.Total() - l.Histogram.Pruned(a.threshold(l)))
}

// startValue types the value of the handle.
func (a *App) startValue() tea.Cmd {
	l := a.layer()
	if l == nil {
		return nil
	}
	prompt := a.handlePrompt(l)
	return a.startLine(valuing, prompt, "", nil)
}

func (a *App) handlePrompt(l *session.LayerStats) string {
	names := [...]string{a.snap.Hyper.Layer(l.Name).ThresholdName(), "sparsity %", "weights kept"}
	of := l.Name
	if a.scope != thisLayer {
		of = a.scope.String()
	}
	return of + "  " + names[a.handle] + ": "
}

// reGrouped is a number with commas between thousands, as counts of weights are shown.
var reGrouped = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+$`)

// chooseTyped makes what is typed the choice, as it is typed.
func (a *App) chooseTyped(text string) error {
	text, isShare := strings.CutSuffix(strings.TrimSpace(text), "%")
	text = strings.TrimSpace(text)
	handle := a.handle
	if isShare { // whatever was asked for, that is what it says
		handle = bySparsity
	}
	if handle == byKept && reGrouped.MatchString(text) { // elsewhere a comma may stand for a point: 0,95
		text = strings.ReplaceAll(text, ",", "")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is not a number", text)
	}
	for _, l := range a.targets() {
		h := l.Histogram
		if handle != byThreshold && h == nil {
			return fmt.Errorf("%s has not been measured yet", l.Name)
		}
		switch {
		case handle == byThreshold:
			if _, _, err := a.snap.Hyper.Set(a.thresholdField(l), formatThreshold(v)); err != nil {
				return err
			}
			a.draft[l.Name] = v
			if v == a.inForce(l) {
				delete(a.draft, l.Name)
			}
		case handle == bySparsity && (v < 0 || v > 100):
			return fmt.Errorf("sparsity is %g %%, wanted 0 to 100", v)
		case handle == bySparsity:
			a.choose(l, h.Threshold(int(math.Round(v/100*float64(h.Total())))))
		case v < 0 || v > float64(h.Total()):
			return fmt.Errorf("%g weights kept, wanted 0 to %s in %s", v, Thousands(h.Total()), l.Name)
		default:
			a.choose(l, h.Threshold(h.Total()-int(v)))
		}
	}
	return nil
}

// sparsity turns "95%", typed as a layer's threshold, into the threshold that gives it. Other values stay as they are.
func (a *App) sparsity(field, value string) (string, error) {
	text, isShare := strings.CutSuffix(strings.TrimSpace(value), "%")
	if !isShare {
		return value, nil
	}
	field = a.snap.Hyper.Canonical(field)
	layer, _ := config.SplitField(field)
	l := a.snap.Layer(layer)
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case l == nil || !config.IsThreshold(field):
		return "", fmt.Errorf("%s: %s is a share; wanted a number", field, value)
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

func (a *App) predictNet() whatIf {
	w := whatIf{known: len(a.snap.Layers) > 0}
	for i := range a.snap.Layers {
		l := &a.snap.Layers[i]
		kept, total := l.Kept, l.Weights
		if a.none(l) == "" {
			if l.Histogram == nil {
				w.known = false
			} else {
				kept, total = l.Histogram.Total()-l.Histogram.Pruned(a.threshold(l)), l.Histogram.Total()
			}
		}
		w.kept, w.total = w.kept+kept, w.total+total
	}
	return w
}
