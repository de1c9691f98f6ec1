package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
)

// settings lists every setting that can be changed while the run goes on, with what is pending and planned for it.
type settings struct {
	*env
	keys     *settingsKeys
	list     list
	fields   []config.Field
	explains bool // there is room for what the setting means
	w, h     int
}

// settingsKeys are the keys of the settings.
type settingsKeys struct {
	Up, Down, Edit binding
}

func defaultSettingsKeys() settingsKeys {
	return settingsKeys{
		Up:   act("form-up", "the field above", "up", "k"),
		Down: act("form-down", "the field below", "down", "j"),
		Edit: act("form-edit", "type the field's value", "enter", "e").footer("edit").steer(),
	}
}

// Update implements screen.
func (s *settings) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		s.list.reset()
	case travel:
		s.list.move(msg.by(s.rows()))
	case action:
		switch msg.binding {
		case &s.keys.Up:
			s.list.move(-1)
		case &s.keys.Down:
			s.list.move(1)
		case &s.keys.Edit:
			return s.edit()
		}
	}
	return nil
}

// edit types the value of the selected field; of two values the other one is taken.
func (s *settings) edit() intent {
	field := s.fields[s.list.chosen]
	old, err := s.snap.Hyper.Get(field)
	switch {
	case err != nil: // the layer is gone, of a run that was replaced
		return nil
	case field.IsSwitch():
		return set(config.Edit{Field: field, Value: 1 - old})
	}
	return typeLine{purpose: fieldLine{env: s.env, field: field}, value: field.Format(old)}
}

// Arrange implements screen.
func (s *settings) Arrange(w, h int) {
	s.w, s.h, s.fields = w, h, s.snap.Hyper.Fields()
	s.explains = s.h-2 >= 5
	s.list.fit(len(s.fields), s.rows())
}

// rows is how many fields have room.
func (s *settings) rows() int {
	if s.explains {
		return s.h - 3
	}
	return max(1, s.h-2)
}

// View implements screen.
func (s *settings) View() []string {
	t := &s.theme
	name, room := 12, min(12, max(7, (s.w-4)/3))
	for _, f := range s.fields {
		name = max(name, ansi.StringWidth(t.text(f.String()))+1)
	}
	name = max(1, min(name, s.w-4-room))
	var lines []string
	from, to := s.list.window(len(s.fields), s.rows())
	for i := from; i < to; i++ {
		f := s.fields[i]
		value, _ := s.snap.Hyper.Text(f)
		cursor, n := "  ", t.fit(t.text(f.String()), name)
		if i == s.list.chosen {
			cursor, n = t.marked.Render(t.glyph.cursor)+" ", t.marked.Render(n)
		}
		line := cursor + n + t.fitRight(t.text(value), room)
		if note := s.note(f); note != "" {
			line += "  " + note
		}
		lines = append(lines, line)
	}
	if s.explains {
		meaning := s.fields[s.list.chosen].Meaning()
		lines = append(padded(lines, s.rows()), " "+t.dim.Render(t.text(meaning)))
	}
	return t.box(titled("Settings", s.list.position(s.rows())), lines, s.w, s.h)
}

// note is what is pending and planned for a field.
func (s *settings) note(field config.Field) string {
	t, note := &s.theme, ""
	if v, ok := s.snap.PendingValue(field); ok {
		note = t.warn.Render(t.text("→ " + field.Format(v) + " pending"))
	}
	for _, p := range s.snap.Plans {
		if p.Field == field {
			note += "  " + t.text(fmt.Sprintf("plan %d: %s", p.ID, p))
		}
	}
	return note
}
