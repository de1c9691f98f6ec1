package tui

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"

	"dns-tui/config"
)

// binding is one action and its keys: the one source of dispatch, help, footer, palette, preferences and README.
type binding struct {
	key.Binding
	name   string // in preferences and the palette
	short  string // in the footer; "" keeps it out
	in     screenSet
	steers bool // it changes the run, or prepares a change: not for viewers that only read
}

// act is an action with its name, what it does, and its keys as Bubble Tea calls them.
func act(name, help string, keys ...string) binding {
	return binding{Binding: key.NewBinding(key.WithKeys(keys...), key.WithHelp(label(keys), help)), name: name}
}

// footer is the action with a word for the footer.
func (b binding) footer(short string) binding { b.short = short; return b }

// steer is the action as one that changes the run, or prepares a change.
func (b binding) steer() binding { b.steers = true; return b }

// on is the action on other screens than those of its group.
func (b binding) on(s screenSet) binding { b.in = s; return b }

// keyMap has all actions. Their order is that of the help, of `dns-tui config` and of the README.
type keyMap struct {
	Main        mainKeys
	Run         runKeys
	Open        openKeys
	App         appKeys
	Plots       plotsKeys
	Pictures    picturesKeys
	Sensitivity sensitivityKeys
	Autopilot   autopilotKeys
	Frontier    frontierKeys
	Shipped     shippedKeys
	Ranks       ranksKeys
	Settings    settingsKeys
	Restore     restoreKeys
	Move        moveKeys
	Text        textKeys
	Presets     []binding // of the main screen: rows of the sigma table

	table []*binding // all of them
}

// runKeys steer the run, on every screen that shows it.
type runKeys struct {
	Pause, Step, StepSurgery, Surgery, Undo, Redo, LastGood, HalveRate, DoubleRate, Snapshot, Test binding
}

// openKeys open a screen.
type openKeys struct {
	Settings, Plots, Pictures, Sensitivity, Autopilot, Frontier, Ship, Ranks, Journal, Restore binding
}

// appKeys are of the program itself.
type appKeys struct {
	Glyphs, Freeze, CopyCell, CopyTable, Alert, Command, Palette, Detach, Suspend, Help, Quit, Back binding
}

// moveKeys move far in a list or a text.
type moveKeys struct {
	PageUp, PageDown, First, Last binding
}

// textKeys scroll a text, and filter the journal.
type textKeys struct {
	Up, Down, Search binding
}

// runScreens are those on which keys steer the run. The settings and the help have other uses for keys.
var runScreens = only(
	mainID,
	plotsID,
	picturesID,
	sensitivityID,
	autopilotID,
	frontierID,
	shipID,
	ranksID,
	journalID,
	restoreID,
)

// listScreens are those that scroll a list or a text.
var listScreens = only(
	mainID,
	sensitivityID,
	autopilotID,
	frontierID,
	shipID,
	ranksID,
	journalID,
	settingsID,
	restoreID,
	helpID,
)

// copyScreens are those with something to copy.
var copyScreens = only(mainID, sensitivityID, frontierID, shipID, ranksID, journalID, settingsID, restoreID)

// newKeyMap returns the keys that come with the program.
func newKeyMap() *keyMap {
	k := &keyMap{
		Main:        defaultMainKeys(),
		Run:         defaultRunKeys(),
		Open:        defaultOpenKeys(),
		App:         defaultAppKeys(),
		Plots:       defaultPlotsKeys(),
		Pictures:    defaultPicturesKeys(),
		Sensitivity: defaultSensitivityKeys(),
		Autopilot:   defaultAutopilotKeys(),
		Frontier:    defaultFrontierKeys(),
		Shipped:     defaultShippedKeys(),
		Ranks:       defaultRanksKeys(),
		Settings:    defaultSettingsKeys(),
		Restore:     defaultRestoreKeys(),
		Move: moveKeys{
			PageUp:   act("page-up", "a page up", "pgup"),
			PageDown: act("page-down", "a page down", "pgdown"),
			First:    act("first", "to the first", "home"),
			Last:     act("last", "to the last", "end"),
		},
		Text: textKeys{
			Up:     act("read-up", "up", "up", "k"),
			Down:   act("read-down", "down", "down", "j"),
			Search: act("search", "show the lines that have a text", "/").footer("filter"),
		},
	}
	for i, s := range config.SigmaTable {
		help := fmt.Sprintf("prunes %.0f %% of a normal distribution", 100*s.Sparsity)
		preset := act(fmt.Sprint("preset-", i+1), help, fmt.Sprint(i+1)).steer()
		k.Presets = append(k.Presets, preset)
	}
	k.list()
	return k
}

func defaultRunKeys() runKeys {
	k := runKeys{
		Pause:       act("pause", "pause, or go on", "space").footer("pause"),
		Step:        act("step", "one iteration, then pause", "n"),
		StepSurgery: act("step-surgery", "train to the next surgery, then pause", "N"),
		Surgery:     act("surgery", "redraw all masks now", "S"),
		Undo:        act("undo", "undo the last change", "u").footer("undo"),
		Redo:        act("redo", "redo what was undone", "U", "ctrl+r"),
		LastGood:    act("last-good", "go back to the last good restore point, and pause; once more returns", "B"),
		HalveRate:   act("lr-half", "halve the learning rate", "["),
		DoubleRate:  act("lr-double", "double the learning rate", "]"),
		Snapshot:    act("snapshot", "write a snapshot", "s").footer("snapshot"),
		Test:        act("test", "evaluate the test nets", "t").footer("test"),
	}
	for b := range bindings(&k) {
		b.steers = true
	}
	return k
}

func defaultOpenKeys() openKeys {
	return openKeys{
		Settings:    act("settings", "every setting in one form", "o"),
		Plots:       act("plots", "plots, large: cursor, zoom, log scale", "v").footer("plots"),
		Pictures:    act("picture", "the layer's filters, or a map of its mask", "i"),
		Sensitivity: act("sensitivity", "accuracy against sparsity, of each layer", "x").footer("sensitivity"),
		Autopilot:   act("autopilot", "thresholds for a target, found while training", "a").footer("autopilot"),
		Frontier:    act("frontier", "a search: accuracy against size, and its branches", "A"),
		Ship:        act("ship", "what you ship: bytes of each form, the smaller net, ms of a pass", "W"),
		Ranks:       act("ranks", "the ranks that train together: which is slowest, which is silent", "T"),
		Journal:     act("journal", "the journal, whole, with a filter", "J"),
		Restore:     act("states", "plans, and restore points", "b"),
	}
}

func defaultAppKeys() appKeys {
	return appKeys{
		Glyphs: act("glyphs", "draw with blocks, braille or ASCII", "g").on(runScreens),
		Freeze: act("freeze-screen", "hold the screen still, to select and copy; any key goes on", "F").on(runScreens),
		CopyCell: act("copy-cell", "copy what is selected to your clipboard, as a command or a path (OSC 52)", "c").
			on(copyScreens),
		CopyTable: act("copy-table", "copy the table to your clipboard (OSC 52)", "C").on(copyScreens),
		Alert: act(
			"alert",
			"tell when a test is done, the run ends, or it goes wrong: bell, title",
			"!",
		).on(runScreens),
		Command: act("command", "set, plan or do anything: conv2.t 1.9, lr 0.001 at 20000", ":").footer("set").steer().
			on(runScreens | only(settingsID)),
		Palette: act("palette", "find an action by its name", "ctrl+p", "P").on(runScreens),
		Detach:  act("detach", "leave the terminal; the run goes on", "d").footer("detach").on(runScreens),
		Suspend: act("suspend", "suspend the viewer, not the run; `fg` brings it back", "ctrl+z").on(^screenSet(0)),
		Help:    act("help", "this text", "?").footer("help").on(runScreens | only(settingsID)),
		Quit:    act("quit", "stop with a snapshot, or without, or detach", "q").footer("quit").on(only(mainID)),
		Back:    act("back", "back to the main screen", "esc", "q").footer("back").on(^only(mainID)),
	}
}

// opens is the screen that an action opens.
func (k *keyMap) opens(b *binding) (screenID, bool) {
	switch b {
	case &k.App.Back:
		return mainID, true
	case &k.App.Help:
		return helpID, true
	case &k.Open.Settings:
		return settingsID, true
	case &k.Open.Plots:
		return plotsID, true
	case &k.Open.Pictures:
		return picturesID, true
	case &k.Open.Sensitivity:
		return sensitivityID, true
	case &k.Open.Autopilot:
		return autopilotID, true
	case &k.Open.Frontier:
		return frontierID, true
	case &k.Open.Ship:
		return shipID, true
	case &k.Open.Ranks:
		return ranksID, true
	case &k.Open.Journal:
		return journalID, true
	case &k.Open.Restore:
		return restoreID, true
	}
	return 0, false
}

// list fills the table, and says on which screens the actions of a group are, where they do not say so themselves.
func (k *keyMap) list() {
	k.table = nil
	for _, g := range []struct {
		in   screenSet
		keys any
	}{
		{only(mainID), &k.Main}, {runScreens, &k.Run}, {runScreens | only(settingsID), &k.Open}, {0, &k.App},
		{listScreens, &k.Move}, {only(plotsID), &k.Plots},
		{only(picturesID), &k.Pictures}, {only(sensitivityID), &k.Sensitivity}, {only(autopilotID), &k.Autopilot},
		{only(frontierID), &k.Frontier}, {only(shipID), &k.Shipped}, {only(ranksID), &k.Ranks},
		{only(settingsID), &k.Settings}, {only(restoreID), &k.Restore},
		{only(journalID, helpID), &k.Text},
	} {
		for b := range bindings(g.keys) {
			if b.in == 0 {
				b.in = g.in
			}
			if to, ok := k.opens(b); ok && to != mainID {
				b.in &^= only(to)
			}
			k.table = append(k.table, b)
		}
	}
	for i := range k.Presets {
		k.Presets[i].in = only(mainID)
		k.table = append(k.table, &k.Presets[i])
	}
}

// mainFooter are the actions that the footer of the main screen names first, the most important first.
func (k *keyMap) mainFooter() []*binding {
	return []*binding{
		&k.Run.Pause, &k.Main.Apply, &k.Run.Undo, &k.App.Command, &k.Open.Plots, &k.Open.Sensitivity, &k.Open.Autopilot,
	}
}

// travels is how far an action moves in a list.
func (k *keyMap) travels(b *binding) (jump, bool) {
	switch b {
	case &k.Move.PageUp:
		return pageUp, true
	case &k.Move.PageDown:
		return pageDown, true
	case &k.Move.First:
		return toFirst, true
	case &k.Move.Last:
		return toLast, true
	}
	return 0, false
}

// bindings yields the fields of a struct of them.
func bindings(keys any) iter.Seq[*binding] {
	v := reflect.ValueOf(keys).Elem()
	return func(yield func(*binding) bool) {
		for _, field := range v.Fields() {
			if !yield(field.Addr().Interface().(*binding)) {
				return
			}
		}
	}
}

// bind returns the key map with the keys of preferences in place of its own. Keys that contradict each other are an
// error.
func bind(p *config.Preferences) (*keyMap, error) {
	k := newKeyMap()
	for _, want := range p.Bind {
		i := slices.IndexFunc(k.table, func(b *binding) bool { return b.name == want.GetAction() })
		if i < 0 {
			return nil, fmt.Errorf("%s: bind: there is no action %q; `dns-tui config` lists them",
				p.Path, want.GetAction())
		}
		b := k.table[i]
		b.SetKeys(want.Key...)
		b.SetHelp(label(want.Key), b.Help().Desc)
	}
	for i, b := range k.table {
		for _, before := range k.table[:i] {
			if b.in&before.in == 0 {
				continue
			}
			for _, name := range b.Keys() {
				if slices.Contains(before.Keys(), name) {
					return nil, fmt.Errorf("%s: bind: key %q is of both %s and %s", p.Path, name, before.name, b.name)
				}
			}
		}
	}
	return k, nil
}

var keySymbols = map[string]string{"up": "↑", "down": "↓", "left": "←", "right": "→", "enter": "⏎"}

// label is keys as people read them.
func label(keys []string) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		mods, last := "", k
		if j := strings.LastIndex(k[:max(0, len(k)-1)], "+"); j >= 0 {
			mods, last = k[:j+1], k[j+1:]
		}
		if s, ok := keySymbols[last]; ok {
			last = s
		}
		out[i] = mods + last
	}
	return strings.Join(out, " ")
}

// KeyTable lists the effective bindings, an action a line: name, keys, what it does.
func KeyTable(p *config.Preferences) (string, error) {
	k, err := bind(p)
	if err != nil {
		return "", err
	}
	var s strings.Builder
	for _, b := range k.table {
		fmt.Fprintf(&s, "%-16s %-22s %s\n", b.name, strings.Join(b.Keys(), " "), b.Help().Desc)
	}
	return s.String(), nil
}
