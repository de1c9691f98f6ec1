package tui

import (
	"fmt"
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
	steers bool // it changes the run: not for viewers that only read
}

// does binds keys, as Bubble Tea calls them, to what they do.
func does(help string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(label(keys), help))
}

// keyMap has all actions. Their order is that of the help, of `dns-tui config` and of the README.
type keyMap struct {
	Main        mainKeys
	Run         runKeys
	Open        openKeys
	App         appKeys
	Plots       plotsKeys
	Pictures    picturesKeys
	Sensitivity sensitivityKeys
	Settings    settingsKeys
	Restore     restoreKeys
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
	Settings, Plots, Pictures, Sensitivity, Journal, Restore binding
}

// appKeys are of the program itself.
type appKeys struct {
	Glyphs, Freeze, Command, Palette, Detach, Help, Quit, Back binding
}

// textKeys scroll a text, and filter the journal.
type textKeys struct {
	Up, Down, PageUp, PageDown, Search binding
}

// steering are the screens on which keys steer the run: those that have no other use for the keys.
var steering = on(mainID, plotsID, picturesID, sensitivityID, journalID, restoreID)

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
		Settings:    defaultSettingsKeys(),
		Restore:     defaultRestoreKeys(),
		Text: textKeys{
			Up:       binding{Binding: does("up", "up", "k"), name: "read-up"},
			Down:     binding{Binding: does("down", "down", "j"), name: "read-down"},
			PageUp:   binding{Binding: does("a page up", "pgup"), name: "page-up"},
			PageDown: binding{Binding: does("a page down", "pgdown"), name: "page-down"},
			Search: binding{Binding: does("show the lines that have a text", "/"), name: "search", short: "filter",
				in: on(journalID)},
		},
	}
	for i, s := range config.SigmaTable {
		help := fmt.Sprintf("prunes %.0f %% of a normal distribution", 100*s.Sparsity)
		preset := binding{Binding: does(help, fmt.Sprint(i+1)), name: fmt.Sprint("preset-", i+1), steers: true}
		k.Presets = append(k.Presets, preset)
	}
	k.list()
	return k
}

func defaultRunKeys() runKeys {
	k := runKeys{
		Pause:       binding{Binding: does("pause, or go on", "space"), name: "pause", short: "pause"},
		Step:        binding{Binding: does("one iteration, then pause", "n"), name: "step"},
		StepSurgery: binding{Binding: does("train to the next surgery, then pause", "N"), name: "step-surgery"},
		Surgery:     binding{Binding: does("redraw all masks now", "S"), name: "surgery"},
		Undo:        binding{Binding: does("undo the last change", "u"), name: "undo", short: "undo"},
		Redo:        binding{Binding: does("redo what was undone", "U", "ctrl+r"), name: "redo"},
		LastGood: binding{
			Binding: does("go back to the last good restore point, and pause; once more returns", "B"),
			name:    "last-good",
		},
		HalveRate:  binding{Binding: does("halve the learning rate", "["), name: "lr-half"},
		DoubleRate: binding{Binding: does("double the learning rate", "]"), name: "lr-double"},
		Snapshot:   binding{Binding: does("write a snapshot", "s"), name: "snapshot", short: "snapshot"},
		Test:       binding{Binding: does("evaluate the test nets", "t"), name: "test", short: "test"},
	}
	for b := range bindings(&k) {
		b.steers = true
	}
	return k
}

func defaultOpenKeys() openKeys {
	return openKeys{
		Settings:    binding{Binding: does("every setting in one form", "o"), name: "settings", in: steering},
		Plots:       binding{Binding: does("plots, large: cursor, zoom, log scale", "v"), name: "plots", short: "plots"},
		Pictures:    binding{Binding: does("the layer's filters, or a map of its mask", "i"), name: "picture"},
		Sensitivity: binding{Binding: does("accuracy against sparsity, of each layer", "x"), name: "sensitivity"},
		Journal:     binding{Binding: does("the journal, whole, with a filter", "J"), name: "journal"},
		Restore:     binding{Binding: does("plans, and restore points", "b"), name: "states"},
	}
}

func defaultAppKeys() appKeys {
	return appKeys{
		Glyphs: binding{Binding: does("draw with blocks, braille or ASCII", "g"), name: "glyphs", in: steering},
		Freeze: binding{
			Binding: does("hold the screen still, to select and copy; any key goes on", "F"),
			name:    "freeze-screen", in: steering,
		},
		Command: binding{
			Binding: does("set, plan or do anything: conv2.t 1.9, lr 0.001 at 20000", ":"),
			name:    "command", in: steering, steers: true,
		},
		Palette: binding{Binding: does("find an action by its name", "ctrl+p", "P"), name: "palette", in: steering},
		Detach: binding{Binding: does("leave the terminal; the run goes on", "d"), name: "detach", short: "detach",
			in: steering},
		Help: binding{Binding: does("this text", "?"), name: "help", short: "help", in: steering | on(settingsID)},
		Quit: binding{Binding: does("stop with a snapshot, or without, or detach", "q"), name: "quit", short: "quit",
			in: on(mainID)},
		Back: binding{Binding: does("back to the main screen", "esc", "q"), name: "back", short: "back",
			in: on(plotsID, picturesID, sensitivityID, restoreID, settingsID, journalID, helpID)},
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
	case &k.Open.Journal:
		return journalID, true
	case &k.Open.Restore:
		return restoreID, true
	}
	return 0, false
}

// list fills the table, and says on which screens the actions are that do not say so themselves.
func (k *keyMap) list() {
	k.table = nil
	for _, g := range []struct {
		in   screenSet
		keys any
	}{
		{on(mainID), &k.Main}, {steering, &k.Run}, {on(mainID), &k.Open}, {0, &k.App}, {on(plotsID), &k.Plots},
		{on(picturesID), &k.Pictures}, {on(sensitivityID), &k.Sensitivity}, {on(settingsID), &k.Settings},
		{on(restoreID), &k.Restore}, {on(journalID, helpID), &k.Text},
	} {
		for b := range bindings(g.keys) {
			if b.in == 0 {
				b.in = g.in
			}
			k.table = append(k.table, b)
		}
	}
	for i := range k.Presets {
		k.Presets[i].in = on(mainID)
		k.table = append(k.table, &k.Presets[i])
	}
}

// bindings yields the fields of a struct of them.
func bindings(keys any) func(yield func(*binding) bool) {
	v := reflect.ValueOf(keys).Elem()
	return func(yield func(*binding) bool) {
		for i := range v.NumField() {
			if !yield(v.Field(i).Addr().Interface().(*binding)) {
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
		b.Binding = does(b.Help().Desc, want.Key...)
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
