package tui

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/human"
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

// choices are the thresholds that are being chosen: for one layer or many, by three handles. They are not sent before
// they are applied.
type choices struct {
	*env
	keys    *mainKeys
	presets []binding
	sel     *selection
	handle  handle             // what the arrows move
	scope   scope              // what a choice is for
	marks   map[string]bool    // layers
	marked  string             // the layer that was marked last
	draft   map[string]float64 // thresholds being chosen, by layer, not sent yet
	copied  *copied
}

func newChoices(e *env, k *keyMap, sel *selection) *choices {
	return &choices{env: e, keys: &k.Main, presets: k.Presets, sel: sel,
		marks: map[string]bool{}, draft: map[string]float64{}}
}

// act does what a key is for.
func (c *choices) act(b *binding) intent {
	k := c.keys
	switch b {
	case &k.Lower:
		return c.nudge(-1)
	case &k.Higher:
		return c.nudge(1)
	case &k.MuchLower:
		return c.nudge(-10)
	case &k.MuchHigher:
		return c.nudge(10)
	case &k.Handle:
		c.nextHandle()
	case &k.Type:
		if c.sel.layer() != nil {
			return typeLine{purpose: valueLine{c}}
		}
	case &k.Apply:
		return c.apply()
	case &k.ApplyAll:
		return c.applyAll()
	case &k.Drop:
		return c.drop()
	case &k.DropAll:
		clear(c.draft)
	case &k.Mark:
		c.mark()
	case &k.MarkUp:
		c.markOn(-1)
	case &k.MarkDown:
		c.markOn(1)
	case &k.MarkRange:
		c.markRange()
	case &k.Scope:
		return c.nextScope()
	case &k.Copy:
		return c.copyThreshold()
	case &k.Paste:
		return c.pasteThreshold()
	case &k.Prune:
		return c.toggle(config.Prune)
	case &k.FreezeMask:
		return c.toggle(config.MaskFrozen)
	case &k.FreezeWeights:
		return c.toggle(config.WeightsFrozen)
	}
	for i := range c.presets {
		if b == &c.presets[i] {
			return c.preset(i)
		}
	}
	return nil
}

// targets are the layers that a choice is for.
func (c *choices) targets() []*session.LayerStats {
	l := c.sel.layer()
	if l == nil {
		return nil
	}
	if c.scope == thisLayer {
		return []*session.LayerStats{l}
	}
	var out []*session.LayerStats
	for i := range c.snap.Layers {
		o := &c.snap.Layers[i]
		inner := strings.Contains(o.Type, "InnerProduct")
		if c.scope == allLayers || c.scope == markedLayers && c.marks[o.Name] || c.scope == innerProducts && inner ||
			c.scope == convolutions && !inner {
			out = append(out, o)
		}
	}
	return out
}

// threshold returns what the editor shows for a layer: the value being chosen, the one that is pending, or the one
// that is set.
func (c *choices) threshold(l *session.LayerStats) float64 {
	if v, ok := c.draft[l.Name]; ok {
		return v
	}
	return c.undrafted(l)
}

func (c *choices) pendingThreshold(l *session.LayerStats) (float64, bool) {
	return c.snap.PendingValue(c.thresholdField(l))
}

// undrafted is the threshold without the draft: the one that is on its way, the one that is pending, or the one that
// is set.
func (c *choices) undrafted(l *session.LayerStats) float64 {
	if v, ok := c.sentValue(c.thresholdField(l)); ok {
		return v
	}
	if v, ok := c.pendingThreshold(l); ok {
		return v
	}
	return c.snap.Hyper.Layer(l.Name).Threshold
}

// thresholdField is a layer's threshold, by its rule.
func (c *choices) thresholdField(l *session.LayerStats) config.Field {
	return config.Field{Layer: l.Name, Param: c.snap.Hyper.Layer(l.Name).ThresholdParam()}
}

// scale returns the ends of a layer's slider, in the units of its threshold.
func (c *choices) scale(l *session.LayerStats) (lo, hi float64) {
	if l.Rule == gpu.PaperRule && l.Sigma > 0 {
		lo = -l.Mu / l.Sigma
	}
	hi = lo + 3
	if t := c.threshold(l); t > hi {
		hi = min(t+0.25, max(maxThreshold, t))
	}
	return lo, hi
}

// nudge moves the handle by so many small steps: 0.01 of the threshold, 0.1 % of sparsity, or a hundredth of the
// weights kept.
func (c *choices) nudge(steps int) intent {
	for _, l := range c.targets() {
		h := l.Histogram
		if c.handle == byThreshold || h == nil {
			c.choose(l, c.threshold(l)+0.01*float64(steps))
			continue
		}
		pruned, total := h.Pruned(c.threshold(l)), h.Total()
		by := float64(steps) * float64(total) / 1000
		if c.handle == byKept { // more kept is fewer pruned
			by = -float64(steps) * float64(total-pruned) / 100
		}
		n := pruned + int(math.Copysign(math.Ceil(math.Abs(by)), by))
		c.choose(l, h.Threshold(clamp(n, total)))
	}
	return nil
}

// choose makes v the threshold that enter will send, rounded to three decimals and kept on the scale.
func (c *choices) choose(l *session.LayerStats, v float64) {
	lo, hi := c.scale(l)
	v = math.Round(max(lo, min(v, max(hi, maxThreshold)))*1000) / 1000
	if v == c.undrafted(l) {
		delete(c.draft, l.Name)
		return
	}
	c.draft[l.Name] = v
}

// maxThreshold is where the editor ends; the command line takes more.
const maxThreshold = 6

// preset chooses the threshold of a row of the sigma table: by the table under the seed rule, by the layer's own
// histogram under the paper rule, whose thresholds mean something else in each layer.
func (c *choices) preset(i int) intent {
	row := config.SigmaTable[i]
	for _, l := range c.targets() {
		switch {
		case l.Rule == gpu.SeedRule:
			c.choose(l, row.Threshold)
		case l.Histogram != nil:
			c.choose(l, l.Histogram.Threshold(int(math.Round(row.Sparsity*float64(l.Histogram.Total())))))
		}
	}
	return c.tellNone()
}

// tellNone says so for what was chosen.
func (c *choices) tellNone() intent {
	if c.takesFromAutopilot() {
		way := c.naming(": %s takes it into your hands", &c.keys.Apply)
		return notice{text: "the autopilot finds this threshold" + way}
	}
	for _, l := range c.targets() {
		if why := c.noSurgery(l); why != "" {
			return refuse(l.Name + ": no surgery is due: " + why)
		}
	}
	return nil
}

func (c *choices) nextHandle() { c.handle = (c.handle + 1) % handles }

func (c *choices) nextScope() intent {
	c.scope = (c.scope + 1) % scopes
	if c.scope == markedLayers && len(c.marks) == 0 {
		c.scope++
	}
	return notice{text: "changes are for " + c.scope.String()}
}

func (c *choices) mark() {
	l := c.sel.layer()
	if l == nil {
		return
	}
	if c.marks[l.Name] {
		delete(c.marks, l.Name)
	} else {
		c.marks[l.Name], c.marked = true, l.Name
	}
	if c.scope == markedLayers && len(c.marks) == 0 {
		c.scope = thisLayer
	}
}

// markOn marks the selected layer and the one that is so many further, and selects that.
func (c *choices) markOn(by int) {
	for range 2 {
		if l := c.sel.layer(); l != nil {
			c.marks[l.Name], c.marked = true, l.Name
		}
		c.sel.move(by)
		by = 0
	}
}

// markRange marks the layers as they are listed from the one that was marked last to the selected one.
func (c *choices) markRange() {
	from, to := -1, -1
	for k, i := range c.sel.visible {
		name := c.snap.Layers[i].Name
		if name == c.marked {
			from = k
		}
		if i == c.sel.index {
			to = k
		}
	}
	if to < 0 {
		return
	}
	if from < 0 {
		from = to
	}
	for k := min(from, to); k <= max(from, to); k++ {
		c.marks[c.snap.Layers[c.sel.visible[k]].Name] = true
	}
}

func (c *choices) copyThreshold() intent {
	l := c.sel.layer()
	if l == nil {
		return nil
	}
	c.copied = &copied{l.Name, l.Rule, c.threshold(l)}
	return notice{
		text: fmt.Sprintf("copied the threshold of %s, %s", l.Name, c.thresholdField(l).Format(c.copied.threshold)),
	}
}

func (c *choices) pasteThreshold() intent {
	if c.copied == nil {
		return refuse("nothing is copied" + c.naming(": %s copies a layer's threshold", &c.keys.Copy))
	}
	for _, l := range c.targets() {
		if l.Rule != c.copied.rule {
			return refuse(fmt.Sprintf("%s has another rule than %s: their thresholds mean different things",
				l.Name, c.copied.from))
		}
	}
	for _, l := range c.targets() {
		c.choose(l, c.copied.threshold)
	}
	return nil
}

// apply sends what was chosen in the scope, and for the selected layer.
func (c *choices) apply() intent {
	var edits []config.Edit
	take := func(l *session.LayerStats) {
		if v, ok := c.draft[l.Name]; ok {
			delete(c.draft, l.Name)
			edits = append(edits, config.Edit{Field: c.thresholdField(l), Value: v})
		}
	}
	for _, l := range c.targets() {
		take(l)
	}
	if l := c.sel.layer(); l != nil {
		take(l)
	}
	return set(edits...)
}

// applyAll sends all that was chosen, in whatever layer, as one change.
func (c *choices) applyAll() intent {
	var edits []config.Edit
	for i := range c.snap.Layers {
		l := &c.snap.Layers[i]
		if v, ok := c.draft[l.Name]; ok {
			edits = append(edits, config.Edit{Field: c.thresholdField(l), Value: v})
		}
	}
	clear(c.draft)
	if len(edits) == 0 {
		return refuse("nothing is chosen")
	}
	return set(edits...)
}

// drop gives up the nearest choice: what was chosen, then the filter, then the marks.
func (c *choices) drop() intent {
	dropped := false
	targets := c.targets()
	if l := c.sel.layer(); l != nil {
		targets = append(targets, l)
	}
	for _, l := range targets {
		if _, ok := c.draft[l.Name]; ok {
			delete(c.draft, l.Name)
			dropped = true
		}
	}
	switch {
	case dropped:
	case c.sel.filter != "":
		c.sel.narrow("")
	default:
		c.marks, c.scope = map[string]bool{}, thisLayer
	}
	return nil
}

// toggle switches a setting of the scope's layers: to what the selected layer has not.
func (c *choices) toggle(p config.Param) intent {
	l := c.sel.layer()
	if l == nil {
		return nil
	}
	old, err := c.snap.Hyper.Get(config.Field{Layer: l.Name, Param: p})
	if err != nil {
		return nil
	}
	var edits []config.Edit
	for _, o := range c.targets() {
		e := config.Edit{Field: config.Field{Layer: o.Name, Param: p}, Value: 1 - old}
		if now, _ := c.snap.Hyper.Get(e.Field); now != e.Value {
			edits = append(edits, e)
		}
	}
	return set(edits...)
}

// handleValue is the text of a handle for a layer.
func (c *choices) handleValue(h handle, l *session.LayerStats) string {
	switch {
	case h == byThreshold:
		return fmt.Sprintf("%.3f", c.threshold(l))
	case c.staysAsItIs(l) && h == bySparsity:
		return percent(1 - fraction(l.Kept, l.Weights))
	case c.staysAsItIs(l):
		return human.Count(l.Kept)
	case l.Histogram == nil:
		return "-"
	case h == bySparsity:
		return percent(l.Histogram.Sparsity(c.threshold(l)))
	}
	return human.Count(l.Histogram.Total() - l.Histogram.Pruned(c.threshold(l)))
}

// staysAsItIs reports whether surgery passes over a layer, and nothing is chosen, sent or pending for it: then its
// threshold tells nothing of what it keeps.
func (c *choices) staysAsItIs(l *session.LayerStats) bool {
	if _, chosen := c.draft[l.Name]; chosen {
		return false
	}
	state, _ := c.state(l)
	h := c.snap.Hyper.Layer(l.Name)
	return state != sent && state != pending && (h.MaskFrozen || !h.Prune)
}

// prompt asks for the value of the handle.
func (c *choices) prompt() string {
	l := c.sel.layer()
	names := [...]string{c.snap.Hyper.Layer(l.Name).ThresholdParam().String(), "sparsity %", "weights kept"}
	of := l.Name
	if c.scope != thisLayer {
		of = c.scope.String()
	}
	if c.takesFromAutopilot() {
		of += " (from the autopilot)"
	}
	return of + "  " + names[c.handle] + ": "
}

// takesFromAutopilot reports whether a choice takes a layer out of the autopilot's hands.
func (c *choices) takesFromAutopilot() bool {
	return slices.ContainsFunc(c.targets(), func(l *session.LayerStats) bool { return c.drives(l.Name) })
}

// reGrouped is a number with commas between thousands, as counts of weights are shown.
var reGrouped = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+$`)

// chooseTyped makes what is typed the choice, as it is typed.
func (c *choices) chooseTyped(text string) error {
	text, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	text = strings.TrimSpace(text)
	handle := c.handle
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
	for _, l := range c.targets() {
		h := l.Histogram // nil: thresholdPruning says so
		switch {
		case handle == byThreshold:
			if _, _, err := c.snap.Hyper.Apply(config.Edit{Field: c.thresholdField(l), Value: v}); err != nil {
				return err
			}
			c.draft[l.Name] = v
			if v == c.undrafted(l) {
				delete(c.draft, l.Name)
			}
		case handle == bySparsity && h != nil && (v < 0 || v > 100):
			return fmt.Errorf("sparsity is %g %%, wanted 0 to 100", v)
		case handle == byKept && h != nil && (v < 0 || v > float64(h.Total())):
			return fmt.Errorf("%g weights kept, wanted 0 to %s in %s", v, human.Count(h.Total()), l.Name)
		default:
			prunes := sparsely(v)
			if handle == byKept {
				prunes = keeping(int(v))
			}
			t, err := thresholdPruning(l, prunes)
			if err != nil {
				return err
			}
			c.choose(l, t)
		}
	}
	return nil
}
