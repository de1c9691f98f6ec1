package tui

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
)

// binding is one action: the one table behind dispatch, help and footer.
type binding struct {
	keys  []string
	label string // of the keys, as shown
	short string // in the footer; "" keeps it out
	help  string
	do    func(*App) tea.Cmd
}

// bindings is filled by init: its functions refer to it.
var bindings []binding

func init() {
	bindings = []binding{
		{[]string{"up", "k"}, "↑", "", "the layer above", func(a *App) tea.Cmd { return a.move(-1) }},
		{[]string{"down", "j"}, "↓", "", "the layer below", func(a *App) tea.Cmd { return a.move(1) }},
		{nil, "↑↓", "layer", "", nil},
		{[]string{"left", "h"}, "←", "", "a lower threshold, by 0.01", func(a *App) tea.Cmd { return a.nudge(-0.01) }},
		{[]string{"right", "l"}, "→", "", "a higher threshold, by 0.01", func(a *App) tea.Cmd { return a.nudge(0.01) }},
		{[]string{"shift+left", "H"}, "shift+← H", "", "a lower threshold, by 0.1", func(a *App) tea.Cmd { return a.nudge(-0.1) }},
		{[]string{"shift+right", "L"}, "shift+→ L", "", "a higher threshold, by 0.1", func(a *App) tea.Cmd { return a.nudge(0.1) }},
		{nil, "←→", "threshold", "", nil},
		{[]string{"1"}, "1", "", "threshold for 50 % sparsity", func(a *App) tea.Cmd { return a.preset(0) }},
		{[]string{"2"}, "2", "", "threshold for 68 % sparsity", func(a *App) tea.Cmd { return a.preset(1) }},
		{[]string{"3"}, "3", "", "threshold for 80 % sparsity", func(a *App) tea.Cmd { return a.preset(2) }},
		{[]string{"4"}, "4", "", "threshold for 90 % sparsity", func(a *App) tea.Cmd { return a.preset(3) }},
		{[]string{"5"}, "5", "", "threshold for 95 % sparsity", func(a *App) tea.Cmd { return a.preset(4) }},
		{nil, "1-5", "presets", "", nil},
		{[]string{"enter"}, "⏎", "apply", "apply the chosen threshold at the layer's next surgery", (*App).apply},
		{[]string{"esc"}, "esc", "", "drop the chosen threshold", func(a *App) tea.Cmd { return a.drop() }},
		{[]string{"space"}, "space", "pause", "pause, or go on", (*App).togglePause},
		{[]string{"n"}, "n", "", "one iteration, then pause", func(a *App) tea.Cmd { return a.do(model.Command{Kind: model.Step, Count: 1}) }},
		{[]string{"u"}, "u", "undo", "take back the last change", func(a *App) tea.Cmd { return a.do(model.Command{Kind: model.Undo}) }},
		{[]string{"p"}, "p", "", "prune this layer, or leave it out of surgery", func(a *App) tea.Cmd { return a.toggle("prune") }},
		{[]string{"f"}, "f", "", "freeze this layer's mask, or let it go", func(a *App) tea.Cmd { return a.toggle("frozen") }},
		{[]string{"["}, "[", "", "halve the learning rate", func(a *App) tea.Cmd { return a.scaleRate(0.5) }},
		{[]string{"]"}, "]", "", "double the learning rate", func(a *App) tea.Cmd { return a.scaleRate(2) }},
		{[]string{"S"}, "S", "surgery now", "redraw all masks now", func(a *App) tea.Cmd { return a.do(model.Command{Kind: model.SurgeryNow}) }},
		{[]string{"s"}, "s", "snapshot", "write a snapshot", func(a *App) tea.Cmd { return a.do(model.Command{Kind: model.SnapshotNow}) }},
		{[]string{"t"}, "t", "test", "evaluate the test nets", func(a *App) tea.Cmd { return a.do(model.Command{Kind: model.TestNow}) }},
		{[]string{":"}, ":", "command", "set anything by name: conv2.threshold 1.9", (*App).startTyping},
		{[]string{"?"}, "?", "help", "this text", func(a *App) tea.Cmd { a.mode = helping; return nil }},
		{[]string{"q"}, "q", "quit", "stop with a snapshot, or without, or not at all", func(a *App) tea.Cmd { a.mode = quitting; return nil }},
	}
}

func (a *App) move(by int) tea.Cmd {
	if a.snap != nil {
		a.selected = max(0, min(a.selected+by, len(a.snap.Layers)-1))
	}
	return nil
}

// threshold returns what the editor shows for a layer: the value being chosen, the one that waits, or the one in force.
func (a *App) threshold(l *model.LayerStats) float64 {
	if v, ok := a.draft[l.Name]; ok {
		return v
	}
	if v, ok := a.pendingThreshold(l); ok {
		return v
	}
	return a.snap.Hyper.Layer(l.Name).Threshold
}

func (a *App) pendingThreshold(l *model.LayerStats) (float64, bool) {
	s, ok := a.snap.PendingValue(a.field(l))
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// field is the name of a layer's threshold.
func (a *App) field(l *model.LayerStats) string {
	return l.Name + "." + a.snap.Hyper.Layer(l.Name).ThresholdName()
}

func (a *App) nudge(by float64) tea.Cmd {
	if l := a.layer(); l != nil {
		a.choose(l, a.threshold(l)+by)
	}
	return nil
}

// choose makes v the threshold that enter will send, rounded to three decimals and kept on the scale.
func (a *App) choose(l *model.LayerStats, v float64) {
	lo, hi := a.scale(l)
	v = math.Round(max(lo, min(v, max(hi, maxThreshold)))*1000) / 1000
	if v == a.inForce(l) {
		delete(a.draft, l.Name)
		return
	}
	a.draft[l.Name] = v
}

// inForce is the threshold that counts without the draft.
func (a *App) inForce(l *model.LayerStats) float64 {
	if v, ok := a.pendingThreshold(l); ok {
		return v
	}
	return a.snap.Hyper.Layer(l.Name).Threshold
}

// maxThreshold is where the editor ends; the command line takes more.
const maxThreshold = 6

// preset chooses the threshold of a row of the sigma table: by the table under the seed rule, by the layer's own
// histogram under the paper rule, whose thresholds mean something else in each layer.
func (a *App) preset(i int) tea.Cmd {
	l := a.layer()
	if l == nil {
		return nil
	}
	row := config.SigmaTable[i]
	if l.Rule == gpu.SeedRule {
		a.choose(l, row.Threshold)
		return nil
	}
	if l.Histogram == nil {
		return nil
	}
	lo, hi := a.scale(l)
	want := row.Sparsity * float64(l.Histogram.Total())
	for v := lo; v <= hi; v += 0.01 {
		if float64(l.Histogram.Pruned(v)) >= want {
			a.choose(l, v)
			break
		}
	}
	return nil
}

func (a *App) apply() tea.Cmd {
	l := a.layer()
	if l == nil {
		return nil
	}
	v, ok := a.draft[l.Name]
	if !ok {
		return nil
	}
	delete(a.draft, l.Name)
	return a.do(model.Command{Kind: model.Set, Field: a.field(l), Value: strconv.FormatFloat(v, 'g', -1, 64)})
}

func (a *App) drop() tea.Cmd {
	if l := a.layer(); l != nil {
		delete(a.draft, l.Name)
	}
	return nil
}

func (a *App) togglePause() tea.Cmd {
	if a.snap != nil && a.snap.State == model.Paused {
		return a.do(model.Command{Kind: model.Resume})
	}
	return a.do(model.Command{Kind: model.Pause})
}

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
	return a.do(model.Command{Kind: model.Set, Field: l.Name + "." + name, Value: value})
}

func (a *App) scaleRate(by float64) tea.Cmd {
	if a.snap == nil {
		return nil
	}
	return a.do(model.Command{Kind: model.Set, Field: "lr_mult", Value: strconv.FormatFloat(a.snap.Hyper.LRMult*by, 'g', -1, 64)})
}

// quitKey answers the quit dialogue.
func (a *App) quitKey(name string) tea.Cmd {
	switch name {
	case "s", "enter":
		a.mode = browsing
		return a.stop(true)
	case "a":
		a.mode = browsing
		return a.stop(false)
	case "c", "esc", "q":
		a.mode = browsing
	}
	return nil
}

func (a *App) startTyping() tea.Cmd {
	if a.snap == nil {
		return nil
	}
	a.mode = typing
	a.input.Reset()
	a.input.ShowSuggestions = true
	a.input.SetSuggestions(append(a.snap.Hyper.Fields(), "step", "surgery", "test", "snapshot", "pause", "resume", "undo", "quit"))
	a.input.SetWidth(max(1, a.width-4))
	return a.input.Focus()
}

// typeKey edits the command line.
func (a *App) typeKey(k tea.KeyPressMsg, name string) tea.Cmd {
	switch name {
	case "esc":
		a.mode = browsing
		return nil
	case "enter":
		a.mode = browsing
		c, err := parseCommand(a.input.Value())
		switch {
		case err != nil:
			a.notice, a.noticeBad = err.Error(), true
			return nil
		case c == nil:
			a.mode = quitting
			return nil
		}
		return a.do(*c)
	}
	var cmd tea.Cmd
	a.input, cmd = a.input.Update(k)
	return cmd
}

// parseCommand reads a command line; nil without an error is "quit".
func parseCommand(s string) (*model.Command, error) {
	w := strings.Fields(strings.ReplaceAll(s, "=", " "))
	if len(w) > 0 && w[0] == "set" {
		w = w[1:]
	}
	if len(w) == 0 {
		return nil, fmt.Errorf("nothing typed: FIELD VALUE, step N, surgery, test, snapshot, pause, resume, undo or quit")
	}
	simple := map[string]model.Kind{"surgery": model.SurgeryNow, "test": model.TestNow, "snapshot": model.SnapshotNow, "pause": model.Pause,
		"resume": model.Resume, "undo": model.Undo}
	kind, ok := simple[w[0]]
	switch {
	case len(w) == 1 && (w[0] == "quit" || w[0] == "q"):
		return nil, nil
	case ok && len(w) == 1:
		return &model.Command{Kind: kind}, nil
	case w[0] == "step" && len(w) <= 2:
		n := 1
		if len(w) == 2 {
			var err error
			if n, err = strconv.Atoi(w[1]); err != nil {
				return nil, fmt.Errorf("step %s: wanted a number of iterations", w[1])
			}
		}
		return &model.Command{Kind: model.Step, Count: n}, nil
	case len(w) == 2:
		return &model.Command{Kind: model.Set, Field: w[0], Value: w[1]}, nil
	}
	return nil, fmt.Errorf("%q: wanted FIELD VALUE, step N, surgery, test, snapshot, pause, resume, undo or quit", s)
}
