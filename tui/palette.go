package tui

import (
	"slices"
	"strings"

	"dns-tui/model/session"
)

// palette finds an action by its name, with a box of those that fit above the line.
type palette struct {
	*env
	keys   *keyMap
	open   screenID
	moment []*binding // what fits the moment
	found  []*binding
	list   list
}

func newPalette(e *env, k *keyMap, open screenID, choices int) *palette {
	p := &palette{env: e, keys: k, open: open, moment: k.moment(e.snap, choices)}
	p.find("")
	return p
}

func (*palette) String() string   { return "palette" }
func (*palette) prompt() string   { return "> " }
func (*palette) canceled() intent { return nil }

func (p *palette) typed(text string) (intent, error) { p.find(text); return nil, nil }

// moment are the actions that fit what the run is at, the likeliest first; choices are not sent yet.
func (k *keyMap) moment(s *session.Snapshot, choices int) []*binding {
	var out []*binding
	add := func(fits bool, bindings ...*binding) {
		if fits {
			out = append(out, bindings...)
		}
	}
	add(choices > 0, &k.Main.Apply)
	add(choices > 1, &k.Main.ApplyAll, &k.Main.DropAll)
	add(s.Problem != "" && s.Back != "", &k.Run.LastGood)
	add(s.State == session.Paused, &k.Run.Pause, &k.Run.Step, &k.Run.StepSurgery)
	add(s.WriteProblem != "", &k.App.Command, &k.Run.Snapshot)
	add(s.Search != nil && s.Search.Running, &k.Open.Frontier)
	add(s.Autopilot != nil && !s.Autopilot.Done, &k.Open.Autopilot)
	add(s.State.Ended(), &k.Open.Journal, &k.Open.Plots)
	add(s.Undo != "", &k.Run.Undo)
	add(s.Redo != "", &k.Run.Redo)
	return out
}

// find finds the actions whose name or help has every word of a text: those that fit the moment first, then those of
// this screen.
func (p *palette) find(text string) {
	var first, here, elsewhere []*binding
	words := strings.Fields(strings.ToLower(text))
	for _, b := range p.keys.table {
		all := strings.ToLower(b.name + " " + b.Help().Desc)
		ok := b != &p.keys.App.Palette && p.may(b)
		for _, w := range words {
			ok = ok && strings.Contains(all, w)
		}
		switch {
		case !ok:
		case slices.Contains(p.moment, b):
			first = append(first, b)
		case b.in.has(p.open):
			here = append(here, b)
		case b.in.has(mainID):
			elsewhere = append(elsewhere, b)
		}
	}
	slices.SortStableFunc(first, func(a, b *binding) int {
		return slices.Index(p.moment, a) - slices.Index(p.moment, b)
	})
	p.found = slices.Concat(first, here, elsewhere)
	p.list.reset()
	p.Arrange()
}

// entered does the selected action.
func (p *palette) entered(string) (intent, error) {
	if p.list.chosen >= len(p.found) {
		return nil, nil
	}
	return action{p.found[p.list.chosen]}, nil
}

func (p *palette) key(name, _ string) (bool, error) {
	switch name {
	case "up", "ctrl+p":
		p.list.move(-1)
	case "down", "ctrl+n":
		p.list.move(1)
	case "pgup", "pgdown": // home and end are the line's
		p.list.move(jumps[name].by(p.rows()))
	default:
		return false, nil
	}
	return true, nil
}

// rows is how many actions have room.
func (p *palette) rows() int { return max(1, min(p.height-6, 14)) }

// Arrange implements boxed.
func (p *palette) Arrange() { p.list.fit(len(p.found), p.rows()) }

// Box implements boxed.
func (p *palette) Box(w int) []string {
	t := &p.theme
	var lines []string
	from, to := p.list.window(len(p.found), p.rows())
	for i := from; i < to; i++ {
		b := p.found[i]
		s := t.fit(" "+t.plain(b.name), 17) + t.fit(t.plain(b.Help().Key), 12) + t.plain(b.Help().Desc)
		if i == p.list.chosen {
			s = t.marked.Render(t.glyph.cursor) + t.marked.Render(s[1:])
		}
		lines = append(lines, s)
	}
	if len(p.found) == 0 {
		lines = append(lines, " no action has this")
	}
	return t.centred(titled("Actions", p.list.position(p.rows())), lines, min(w, 76), w)
}
