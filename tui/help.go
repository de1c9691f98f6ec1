package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// screenTitles are the groups of the help.
var screenTitles = []struct {
	of    screenID
	title string
}{
	{mainID, "Main screen"}, {plotsID, "Plots"}, {picturesID, "Filters and masks"}, {sensitivityID, "Sensitivity"},
	{autopilotID, "Autopilot"}, {frontierID, "Frontier"}, {shipID, "What you ship"}, {ranksID, "Ranks"},
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

// helpColumn is the least width of a column of the help, where there are several.
const helpColumn = 58

// Arrange implements screen.
func (s *help) Arrange(w, h int) {
	s.w, s.h = w, h
	s.cols = max(1, (w-2)/helpColumn)
	s.lines = s.text(s.columnWidth())
	s.list.reach(len(s.lines) - s.rows()*s.cols)
}

// columnWidth is the width of a column, with the space behind it.
func (s *help) columnWidth() int { return max(1, (s.w-2)/s.cols) }

func (s *help) rows() int { return max(1, s.h-2) }

// legend is what the signs of the main screen mean.
func (s *help) legend() [][2]string {
	g := &s.theme.glyph
	signs := [][2]string{
		{g.cursor + " " + g.on, "the selected layer, a marked one"},
		{"→ next", "the sparsity after the next surgery; on a bar " + g.mark},
		{"!3", "outputs without a weight, now or after the next surgery"},
		{"ALL !", "the layer would keep nothing"},
		{"preview", "chosen here, not sent; ? where there is no room"},
		{"sent", "on its way: the run answers between two iterations"},
		{"pending", "waits for the layer's next surgery, at an iteration; *"},
		{"applied", "the threshold's last change, and its iteration"},
		{"ramping", "a plan moves the threshold, until that iteration"},
		{"autopilot", "it finds the threshold; »1.224"},
		{"stopped", "no surgery will come; since when"},
		{"frozen, off", "the mask stays as it is; left out of surgery"},
	}
	if s.can(&s.keys.Main.Apply) {
		return signs
	}
	ofChoices := []string{"preview", "sent"}
	return slices.DeleteFunc(signs, func(e [2]string) bool { return slices.Contains(ofChoices, e[0]) })
}

// text is the legend and every key of the table, by screen, as far as they have the text that is searched. An action
// is told once, at the first screen that has it; a viewer that only reads is told none that it cannot use. What has no
// room in a line of so many cells goes on below.
func (s *help) text(width int) []string {
	t := &s.theme
	var lines []string
	add := func(title string, entries [][2]string) {
		var found []string
		for _, e := range entries {
			if strings.Contains(strings.ToLower(e[0]+" "+e[1]+" "+title), strings.ToLower(s.search)) {
				found = append(found, s.entry(t.plain(e[0]), t.plain(e[1]), width)...)
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
			if !b.in.has(group.of) || told[b] || !s.can(b) {
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

// helpKeys is the room of the keys.
const helpKeys = 11

// entry is keys and what they do, in as many lines as that takes.
func (s *help) entry(keys, does string, width int) []string {
	t := &s.theme
	room := width - helpKeys - 3 // a space before and behind the keys, and behind the line
	parts := []string{does}
	if room >= 10 {
		parts = strings.Split(ansi.Wrap(does, room, ""), "\n")
	}
	var lines []string
	if ansi.StringWidth(keys) > helpKeys { // they have a line of their own
		lines, keys = append(lines, " "+t.title.Render(keys)), ""
	}
	for _, p := range parts {
		lines = append(lines, " "+t.title.Render(t.fit(keys, helpKeys))+" "+p)
		keys = ""
	}
	return lines
}

// View implements screen.
func (s *help) View() []string {
	from, to := s.list.window(len(s.lines), s.rows()*s.cols)
	shown := s.lines[from:to]
	rows, cw := s.rows(), s.columnWidth()
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
	title := titled("Signs and keys", readTo(to, len(s.lines), len(s.lines) > rows*s.cols))
	if s.search != "" {
		title += "  /" + s.theme.text(s.search)
	} else {
		k := &s.keys.Text
		title += s.naming("  %s searches, %s%s scrolls, any other key goes back", &k.Search, &k.Up, &k.Down)
	}
	return s.theme.box(s.theme.plain(title), lines, s.w, s.h)
}
