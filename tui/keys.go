package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"dns-tui/config"
	"dns-tui/model/session"
)

// modes is a set of modes, for bindings.
type modes uint

func in(ms ...mode) modes {
	var s modes
	for _, m := range ms {
		s |= 1 << m
	}
	return s
}

// binding is one action: the one table behind dispatch, help, footer, palette and preferences.
type binding struct {
	name   string   // in preferences and the palette
	keys   []string // as Bubble Tea calls them
	short  string   // in the footer; "" keeps it out
	help   string
	in     modes
	steers bool // it changes the run: not for those who only watch
	do     func(*App) tea.Cmd
}

// footerHints stand in the footer for several bindings.
var footerHints = []struct {
	in          mode
	label, text string
}{
	{browsing, "↑↓", "layer"}, {browsing, "←→", "threshold"}, {browsing, "1-5", "presets"},
	{plotting, "←→", "cursor"}, {plotting, "+-", "zoom"},
	{picturing, "↑↓←→", "scroll"}, {picturing, "+-", "zoom"},
	{sensing, "↑↓", "layer"}, {sensing, "←→", "point"},
	{forming, "↑↓", "field"}, {returning, "↑↓", "choose"}, {reading, "↑↓", "scroll"}, {helping, "↑↓", "scroll"},
}

// actions is filled by init: its functions refer to it.
var actions []binding

func init() {
	actions = append(browseActions(), viewActions()...)
	for i, s := range config.SigmaTable {
		actions = append(
			actions,
			binding{
				fmt.Sprint("preset-", i+1),
				[]string{fmt.Sprint(i + 1)},
				"",
				fmt.Sprintf("prunes %.0f %% of a normal distribution", 100*s.Sparsity),
				in(browsing),
				true,
				func(a *App) tea.Cmd { return a.preset(i) },
			},
		)
	}
}

func command(c session.Command) func(*App) tea.Cmd {
	return func(a *App) tea.Cmd { return a.do(c) }
}

func enter(m mode) func(*App) tea.Cmd {
	return func(a *App) tea.Cmd { return a.enter(m) }
}

// browseActions are those of the main screen. Those that any screen takes say so.
func browseActions() []binding {
	b := in(browsing)
	views := in(browsing, plotting, picturing, sensing, reading, returning)
	return []binding{
		{"up", []string{"up", "k"}, "", "the layer above", b, false, func(a *App) tea.Cmd { return a.move(-1) }},
		{"down", []string{"down", "j"}, "", "the layer below", b, false, func(a *App) tea.Cmd { return a.move(1) }},
		{
			"lower",
			[]string{"left", "h"},
			"",
			"the handle a little down",
			b,
			true,
			func(a *App) tea.Cmd { return a.nudge(-1) },
		},
		{
			"higher",
			[]string{"right", "l"},
			"",
			"the handle a little up",
			b,
			true,
			func(a *App) tea.Cmd { return a.nudge(1) },
		},
		{
			"much-lower",
			[]string{"shift+left", "H"},
			"",
			"the handle down, ten times as far",
			b,
			true,
			func(a *App) tea.Cmd { return a.nudge(-10) },
		},
		{
			"much-higher",
			[]string{"shift+right", "L"},
			"",
			"the handle up, ten times as far",
			b,
			true,
			func(a *App) tea.Cmd { return a.nudge(10) },
		},
		{
			"handle",
			[]string{"tab"},
			"",
			"the next handle: threshold, sparsity, weights kept",
			b,
			false,
			(*App).nextHandle,
		},
		{"type", []string{"e", "="}, "type", "type the handle's value; the others follow", b, true, (*App).startValue},
		{
			"apply",
			[]string{"enter"},
			"apply",
			"apply what was chosen, at the layers' next surgery",
			b,
			true,
			(*App).apply,
		},
		{"drop", []string{"esc"}, "", "drop what was chosen; then the filter, then the marks", b, false, (*App).drop},
		{"mark", []string{"m"}, "", "mark this layer", b, false, (*App).mark},
		{
			"scope",
			[]string{"M"},
			"scope",
			"what a change is for: this layer, those marked, all convolutions, all inner products, all",
			b,
			false,
			(*App).nextScope,
		},
		{"copy", []string{"y"}, "", "copy this layer's threshold", b, false, (*App).copyThreshold},
		{"paste", []string{"Y"}, "", "choose the copied threshold here", b, true, (*App).pasteThreshold},
		{"filter", []string{"/"}, "", "show the layers whose name has a text", b, false, enter(filtering)},
		{
			"prune",
			[]string{"p"},
			"",
			"prune, or leave out of surgery",
			b,
			true,
			func(a *App) tea.Cmd { return a.toggle("prune") },
		},
		{
			"freeze-mask",
			[]string{"f"},
			"",
			"freeze the mask, or let it go",
			b,
			true,
			func(a *App) tea.Cmd { return a.toggle("frozen") },
		},
		{
			"freeze-weights",
			[]string{"w"},
			"",
			"freeze the weights, or let them train",
			b,
			true,
			func(a *App) tea.Cmd { return a.toggle("fixed") },
		},
		{"pause", []string{"space"}, "pause", "pause, or go on", views, true, (*App).togglePause},
		{
			"step",
			[]string{"n"},
			"",
			"one iteration, then pause",
			views,
			true,
			command(session.Command{Kind: session.Step, Count: 1}),
		},
		{
			"step-surgery",
			[]string{"N"},
			"",
			"train to the next surgery, then pause",
			views,
			true,
			command(session.Command{Kind: session.StepSurgery}),
		},
		{
			"surgery",
			[]string{"S"},
			"",
			"redraw all masks now",
			views,
			true,
			command(session.Command{Kind: session.SurgeryNow}),
		},
		{
			"undo",
			[]string{"u"},
			"undo",
			"take back the last change",
			views,
			true,
			command(session.Command{Kind: session.Undo}),
		},
		{
			"redo",
			[]string{"U", "ctrl+r"},
			"",
			"repeat what was taken back",
			views,
			true,
			command(session.Command{Kind: session.Redo}),
		},
		{
			"last-good",
			[]string{"B"},
			"",
			"go back to the last good state, and pause; once more returns",
			views,
			true,
			func(a *App) tea.Cmd { return a.askBack("", "B") },
		},
		{
			"lr-half",
			[]string{"["},
			"",
			"halve the learning rate",
			views,
			true,
			func(a *App) tea.Cmd { return a.scaleRate(0.5) },
		},
		{
			"lr-double",
			[]string{"]"},
			"",
			"double the learning rate",
			views,
			true,
			func(a *App) tea.Cmd { return a.scaleRate(2) },
		},
		{
			"snapshot",
			[]string{"s"},
			"snapshot",
			"write a snapshot",
			views,
			true,
			command(session.Command{Kind: session.SnapshotNow}),
		},
		{
			"test",
			[]string{"t"},
			"test",
			"evaluate the test nets",
			views,
			true,
			command(session.Command{Kind: session.TestNow}),
		},
		{"settings", []string{"o"}, "", "every setting in one form", views, false, enter(forming)},
		{"plots", []string{"v"}, "plots", "plots, large: cursor, zoom, log scale", b, false, enter(plotting)},
		{"picture", []string{"i"}, "", "the layer's filters, or a map of its mask", b, false, enter(picturing)},
		{"sensitivity", []string{"x"}, "", "accuracy against sparsity, of each layer", b, false, enter(sensing)},
		{"journal", []string{"J"}, "", "the journal, whole, with a filter", b, false, enter(reading)},
		{"states", []string{"b"}, "", "plans, and states to go back to", b, false, enter(returning)},
		{"glyphs", []string{"g"}, "", "draw with blocks, braille or ASCII", views, false, (*App).nextTier},
		{
			"freeze-screen",
			[]string{"F"},
			"",
			"hold the screen still, to select and copy; any key goes on",
			views,
			false,
			(*App).freeze,
		},
		{
			"command",
			[]string{":"},
			"",
			"set, plan or do anything: conv2.t 1.9, lr 0.001 at 20000",
			views,
			true,
			enter(typing),
		},
		{"palette", []string{"ctrl+p", "P"}, "", "find an action by its name", views, false, enter(choosing)},
		{"detach", []string{"d"}, "detach", "leave the terminal; the run goes on", views, false, (*App).detach},
		{"help", []string{"?"}, "help", "this text", views | in(forming), false, enter(helping)},
		{"quit", []string{"q"}, "quit", "stop with a snapshot, or without, or detach", b, false, enter(quitting)},
	}
}

// viewActions are those of the other screens.
func viewActions() []binding {
	plot, pic, sens, form, ret, read := in(
		plotting,
	), in(
		picturing,
	), in(
		sensing,
	), in(
		forming,
	), in(
		returning,
	), in(
		reading,
		helping,
	)
	at := func(f func(*App, int), n int) func(*App) tea.Cmd {
		return func(a *App) tea.Cmd { f(a, n); return nil }
	}
	return []binding{
		{
			"back",
			[]string{"esc", "q"},
			"back",
			"back to the main screen",
			plot | pic | sens | ret | form | read,
			false,
			enter(browsing),
		},

		{"plot-next", []string{"tab", "down", "j"}, "next", "the next plot", plot, false, at((*App).turnPlot, 1)},
		{"plot-before", []string{"shift+tab", "up", "k"}, "", "the plot before", plot, false, at((*App).turnPlot, -1)},
		{"cursor-left", []string{"left", "h"}, "", "the cursor left", plot, false, at((*App).moveCursor, -1)},
		{"cursor-right", []string{"right", "l"}, "", "the cursor right", plot, false, at((*App).moveCursor, 1)},
		{"pan-left", []string{"shift+left", "H"}, "", "earlier", plot, false, at((*App).pan, -1)},
		{"pan-right", []string{"shift+right", "L"}, "", "later", plot, false, at((*App).pan, 1)},
		{"zoom-in", []string{"+", "="}, "", "closer, around the cursor", plot, false, at((*App).zoom, 1)},
		{"zoom-out", []string{"-"}, "", "farther", plot, false, at((*App).zoom, -1)},
		{
			"whole",
			[]string{"0"},
			"whole",
			"the whole run",
			plot,
			false,
			func(a *App) tea.Cmd { a.plot.from, a.plot.to = 0, 0; return nil },
		},
		{
			"log",
			[]string{"O"},
			"log",
			"a logarithmic scale, or a plain one",
			plot,
			false,
			func(a *App) tea.Cmd { a.plot.log = !a.plot.log; return nil },
		},

		{
			"scroll-up",
			[]string{"up", "k"},
			"",
			"up",
			pic,
			false,
			func(a *App) tea.Cmd { return a.scrollPicture(-1, 0) },
		},
		{
			"scroll-down",
			[]string{"down", "j"},
			"",
			"down",
			pic,
			false,
			func(a *App) tea.Cmd { return a.scrollPicture(1, 0) },
		},
		{
			"scroll-left",
			[]string{"left", "h"},
			"",
			"left",
			pic,
			false,
			func(a *App) tea.Cmd { return a.scrollPicture(0, -1) },
		},
		{
			"scroll-right",
			[]string{"right", "l"},
			"",
			"right",
			pic,
			false,
			func(a *App) tea.Cmd { return a.scrollPicture(0, 1) },
		},
		{"closer", []string{"+", "="}, "", "closer", pic, false, func(a *App) tea.Cmd { return a.zoomPicture(1) }},
		{"farther", []string{"-"}, "", "farther", pic, false, func(a *App) tea.Cmd { return a.zoomPicture(-1) }},
		{
			"filters",
			[]string{"tab"},
			"filters/map",
			"filters as pictures, or the map of the mask",
			pic,
			false,
			(*App).turnPicture,
		},
		{
			"next-layer",
			[]string{"pgdown"},
			"",
			"the next layer",
			pic,
			false,
			func(a *App) tea.Cmd { a.move(1); return a.lookAnew() },
		},
		{
			"layer-before",
			[]string{"pgup"},
			"",
			"the layer before",
			pic,
			false,
			func(a *App) tea.Cmd { a.move(-1); return a.lookAnew() },
		},

		{
			"sens-up",
			[]string{"up", "k"},
			"",
			"the layer above",
			sens,
			false,
			func(a *App) tea.Cmd { return a.move(-1) },
		},
		{
			"sens-down",
			[]string{"down", "j"},
			"",
			"the layer below",
			sens,
			false,
			func(a *App) tea.Cmd { return a.move(1) },
		},
		{"sens-left", []string{"left", "h"}, "", "less sparse", sens, false, at((*App).movePoint, -1)},
		{"sens-right", []string{"right", "l"}, "", "sparser", sens, false, at((*App).movePoint, 1)},
		{
			"sens-choose",
			[]string{"enter"},
			"choose",
			"choose the point's threshold for the layer",
			sens,
			true,
			(*App).choosePoint,
		},
		{
			"measure",
			[]string{"r"},
			"measure",
			"measure, beside the training",
			sens,
			true,
			command(session.Command{Kind: session.Probe}),
		},
		{
			"measure-off",
			[]string{"R"},
			"",
			"stop measuring",
			sens,
			true,
			command(session.Command{Kind: session.Probe, Value: "off"}),
		},

		{"form-up", []string{"up", "k"}, "", "the field above", form, false, at((*App).moveField, -1)},
		{"form-down", []string{"down", "j"}, "", "the field below", form, false, at((*App).moveField, 1)},
		{"form-edit", []string{"enter", "e"}, "edit", "type the field's value", form, true, (*App).editField},

		{"state-up", []string{"up", "k"}, "", "up", ret, false, at((*App).moveState, -1)},
		{"state-down", []string{"down", "j"}, "", "down", ret, false, at((*App).moveState, 1)},
		{"go-back", []string{"enter"}, "go back", "go back to this state, and pause", ret, true, (*App).goBack},
		{"cancel-plan", []string{"delete", "D"}, "drop plan", "drop this plan", ret, true, (*App).dropPlan},

		{"read-up", []string{"up", "k"}, "", "up", read, false, at((*App).scrollText, -1)},
		{"read-down", []string{"down", "j"}, "", "down", read, false, at((*App).scrollText, 1)},
		{"page-up", []string{"pgup"}, "", "a page up", read, false, at((*App).scrollText, -10)},
		{"page-down", []string{"pgdown"}, "", "a page down", read, false, at((*App).scrollText, 10)},
		{"search", []string{"/"}, "filter", "show the lines that have a text", in(reading), false, enter(searching)},
	}
}

// bind returns the table with the keys of preferences in place of its own.
func bind(p *config.Preferences) ([]binding, error) {
	table := append([]binding(nil), actions...)
	at := map[string]int{}
	for i := range table {
		at[table[i].name] = i
	}
	for _, b := range p.Bind {
		i, ok := at[b.GetAction()]
		if !ok {
			return nil, fmt.Errorf(
				"%s: bind: there is no action %q; `dns-tui config` lists them",
				p.Path,
				b.GetAction(),
			)
		}
		table[i].keys = b.Key
	}
	for i := range table {
		for j := range table[:i] {
			if table[i].in&table[j].in == 0 {
				continue
			}
			for _, k := range table[i].keys {
				if contains(table[j].keys, k) {
					return nil, fmt.Errorf(
						"%s: bind: key %q is of both %s and %s",
						p.Path,
						k,
						table[j].name,
						table[i].name,
					)
				}
			}
		}
	}
	return table, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

var keySymbols = strings.NewReplacer(
	"shift+",
	"shift+",
	"up",
	"↑",
	"down",
	"↓",
	"left",
	"←",
	"right",
	"→",
	"enter",
	"⏎",
	"pgup",
	"pgup",
	"pgdown",
	"pgdn",
)

// label is a binding's keys as people read them.
func (b *binding) label() string {
	out := make([]string, len(b.keys))
	for i, k := range b.keys {
		out[i] = k
		if !strings.HasPrefix(k, "pg") {
			out[i] = keySymbols.Replace(k)
		}
	}
	return strings.Join(out, " ")
}

// KeyTable lists the effective bindings, an action a line: name, keys, what it does.
func KeyTable(p *config.Preferences) (string, error) {
	table, err := bind(p)
	if err != nil {
		return "", err
	}
	var s strings.Builder
	for i := range table {
		b := &table[i]
		fmt.Fprintf(&s, "%-16s %-22s %s\n", b.name, strings.Join(b.keys, " "), b.help)
	}
	return s.String(), nil
}

// run does an action, unless it is not for those who only watch.
func (a *App) run(b *binding) tea.Cmd {
	if b.steers && a.opts.ReadOnly {
		a.say("you are reading only: attach without --read-only to steer")
		return nil
	}
	if a.snap == nil && b.name != "quit" {
		return nil
	}
	return b.do(a)
}
