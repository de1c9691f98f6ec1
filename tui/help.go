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

// help shows what the signs mean and all keys, in as many columns as there is room for; where that is not enough it
// scrolls.
type help struct {
	*env
	keys   *keyMap
	search string
	list   list
	lines  []string
	cols   int
	w, h   int
}

// Update implements screen. Any key that does not scroll or search goes back.
func (s *help) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		s.list.reset()
		s.search = ""
	case travel:
		s.list.scroll(msg.by(s.rows()))
	case action:
		if msg.binding == &s.keys.Text.Search {
			return typeLine{purpose: searchLine{text: &s.search, list: &s.list}, value: s.search}
		}
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

// legend is what the signs of the main screen mean.
func (s *help) legend() [][2]string {
	g := &s.theme.glyph
	return [][2]string{
		{g.cursor + " " + g.on, "the selected layer, a marked one"},
		{"→ next", "the sparsity after the next surgery; on a bar " + g.mark},
		{"!3", "outputs without a weight, now or after the next surgery"},
		{"ALL !", "the layer would keep nothing"},
		{"preview", "chosen here, not sent; ? where there is no room"},
		{"sent", "on its way: the run answers between two iterations"},
		{"pending", "waits for the layer's next surgery, at an iteration; *"},
		{"applied", "the threshold's last change, and its iteration"},
		{"autopilot", "it finds the threshold; »1.224"},
		{"stopped", "no surgery will come; since when"},
		{"frozen, off", "the mask stays as it is; left out of surgery"},
	}
}

// text is the legend and every key of the table, by screen, as far as they have the text that is searched. An action
// is told once, at the first screen that has it; a viewer that only reads is told none that it cannot use.
func (s *help) text() []string {
	t := &s.theme
	var lines []string
	add := func(title string, entries [][2]string) {
		var found []string
		for _, e := range entries {
			if strings.Contains(strings.ToLower(e[0]+" "+e[1]+" "+title), strings.ToLower(s.search)) {
				found = append(found, " "+t.title.Render(t.fit(t.plain(e[0]), 11))+" "+t.plain(e[1]))
			}
		}
		if len(found) > 0 {
			lines = append(append(lines, t.title.Render(title)), found...)
		}
	}
	add("Signs", s.legend())
	told := map[*binding]bool{}
	for _, group := range screenTitles {
		var entries [][2]string
		for _, b := range s.keys.table {
			if !b.in.has(group.of) || told[b] || !b.Enabled() || s.readOnly && b.steers {
				continue
			}
			told[b] = true
			entries = append(entries, [2]string{b.Help().Key, b.Help().Desc})
		}
		add(group.title, entries)
	}
	if len(lines) == 0 {
		lines = append(lines, " nothing has this text")
	}
	return lines
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
	title := "Signs and keys  / searches, ↑↓ scrolls, any other key goes back"
	if s.search != "" {
		title = "Signs and keys  /" + s.theme.text(s.search)
	}
	return s.theme.box(s.theme.plain(title), lines, s.w, s.h)
}
