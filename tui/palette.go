package tui

import (
	"strings"
)

// palette finds an action by its name, with a box of those that fit above the line.
type palette struct {
	*env
	keys  *keyMap
	open  screenID
	found []*binding
	list  list
}

func newPalette(e *env, k *keyMap, open screenID) *palette {
	p := &palette{env: e, keys: k, open: open}
	p.find("")
	return p
}

func (*palette) String() string   { return "palette" }
func (*palette) prompt() string   { return "> " }
func (*palette) canceled() intent { return nil }

func (p *palette) typed(text string) (intent, error) { p.find(text); return nil, nil }

// find finds the actions whose name or help has every word of a text, those of this screen first.
func (p *palette) find(text string) {
	var here, elsewhere []*binding
	words := strings.Fields(strings.ToLower(text))
	for _, b := range p.keys.table {
		all := strings.ToLower(b.name + " " + b.Help().Desc)
		ok := b != &p.keys.App.Palette && !(p.readOnly && b.steers)
		for _, w := range words {
			ok = ok && strings.Contains(all, w)
		}
		switch {
		case !ok:
		case b.in.has(p.open):
			here = append(here, b)
		case b.in.has(mainID):
			elsewhere = append(elsewhere, b)
		}
	}
	p.found = append(here, elsewhere...)
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
	case "pgup":
		p.list.move(pageUp.by(p.rows()))
	case "pgdown":
		p.list.move(pageDown.by(p.rows()))
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
	return t.centred("Actions", lines, min(w, 76), w)
}
