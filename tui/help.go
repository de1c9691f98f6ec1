package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// screenTitles are the groups of the help.
var screenTitles = []struct {
	of    screenID
	title string
}{
	{mainID, "Main screen"}, {plotsID, "Plots"}, {picturesID, "Filters and masks"}, {sensitivityID, "Sensitivity"},
	{autopilotID, "Autopilot"}, {frontierID, "Frontier"},
	{settingsID, "Settings"}, {restoreID, "Plans and restore points"},
	{journalID, "Journal"},
}

// help shows the keys in as many columns as there is room for; where that is not enough it scrolls.
type help struct {
	*env
	keys  *keyMap
	list  list
	lines []string
	cols  int
	w, h  int
}

// Update implements screen. Any key that does not scroll goes back.
func (s *help) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		s.list.reset()
	case action:
		s.keys.Text.scroll(&s.list, msg.binding)
	case tea.MouseMsg:
		scrollByWheel(&s.list, msg)
	case tea.KeyPressMsg:
		return show{mainID}
	}
	return nil
}

// Arrange implements screen.
func (s *help) Arrange(w, h int) {
	s.w, s.h, s.lines = w, h, s.text()
	s.cols = max(1, (w-2)/58)
	s.list.reach(len(s.lines) - s.rows()*s.cols)
}

func (s *help) rows() int { return max(1, s.h-2) }

// text lists every key of the table, by screen: an action is told once, at the first that has it.
func (s *help) text() []string {
	t := &s.theme
	var lines []string
	told := map[*binding]bool{}
	for _, group := range screenTitles {
		lines = append(lines, t.title.Render(group.title))
		for _, b := range s.keys.table {
			if !b.in.has(group.of) || told[b] || !b.Enabled() {
				continue
			}
			told[b] = true
			help := b.Help()
			lines = append(lines, " "+t.title.Render(t.fit(t.plain(help.Key), 11))+" "+t.plain(help.Desc))
		}
	}
	return append(lines,
		"",
		t.dim.Render("In the table: ?95.0 % is predicted for the value that"),
		t.dim.Render("you are choosing, *95.0 % for a pending one."),
		t.dim.Render(t.plain("»1.224 is a threshold that the autopilot finds. On a bar")),
		t.dim.Render(t.plain("the mark "+t.glyph.mark+" is that prediction; ! is a layer with dead outputs.")))
}

// View implements screen.
func (s *help) View() []string {
	from, to := s.list.window(len(s.lines), len(s.lines))
	shown := s.lines[from:to]
	rows, cw := s.rows(), max(1, (s.w-2)/s.cols)
	var lines []string
	for r := range min(rows, len(shown)) {
		var line strings.Builder
		for c := range s.cols {
			if i := c*rows + r; i < len(shown) {
				line.WriteString(s.theme.fit(shown[i], cw))
			}
		}
		lines = append(lines, line.String())
	}
	return s.theme.box(s.theme.plain("Keys  ↑↓ scrolls, any other key goes back"), lines, s.w, s.h)
}
