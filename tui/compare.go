package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"dns-tui/model/session"
)

// Compared is another run, as its journal tells it.
type Compared struct {
	Name    string
	History *session.History
	Path    string // of the journal
}

// Journals finds and reads the journals of other runs. Both functions may wait: they are called in the background.
type Journals struct {
	// Beside lists the journals in the folder of a run's own, without that.
	Beside func(journal string) ([]string, error)
	// Read reads one.
	Read func(path string) (*session.History, error)
}

// What a dialog wants of the journals of other runs.
type (
	// listJournals asks which there are.
	listJournals struct{}
	// compareWith draws a run's curves beside this one's.
	compareWith struct{ path string }
	// compareNot draws them no longer.
	compareNot struct{ path string }
)

// What comes of it.
type (
	journalsListed struct {
		paths []string
		err   error
	}
	journalRead struct {
		path    string
		history *session.History
		err     error
	}
)

// compareDialog lists the journals beside this run's, to choose those whose curves are drawn beside its own.
type compareDialog struct {
	*env
	list    list
	paths   []string
	listed  bool
	reading map[string]bool
	problem string
}

// askCompare opens it.
func askCompare(e *env) intent {
	return intents{ask{&compareDialog{env: e, reading: map[string]bool{}}}, listJournals{}}
}

func (*compareDialog) String() string { return "compare" }

// Update implements dialog.
func (c *compareDialog) Update(name string) (intent, bool) {
	if to, ok := jumps[name]; ok {
		c.move(to.by(c.room()))
	}
	switch name {
	case "up", "k":
		c.move(-1)
	case "down", "j":
		c.move(1)
	case "space", "enter":
		return c.toggle(), true
	case "esc", "q", "c":
		return nil, false
	}
	return nil, true
}

// move selects another journal.
func (c *compareDialog) move(by int) {
	c.list.count = len(c.paths)
	c.list.move(by)
	c.list.fit(len(c.paths), c.room())
}

// room is how many journals have room.
func (c *compareDialog) room() int { return max(1, c.height-9) }

// toggle adds the selected run, or takes it away.
func (c *compareDialog) toggle() intent {
	if len(c.paths) == 0 {
		return nil
	}
	path := c.paths[c.list.chosen]
	switch {
	case c.reading[path]:
		return nil
	case c.compares(path):
		return compareNot{path}
	}
	c.reading[path] = true
	return compareWith{path}
}

// take takes in what came of reading journals.
func (c *compareDialog) take(msg tea.Msg) {
	switch m := msg.(type) {
	case journalsListed:
		c.listed, c.paths = true, m.paths
		for i := range c.compare { // those of the command line may lie elsewhere
			if p := c.compare[i].Path; p != "" && !slices.Contains(c.paths, p) {
				c.paths = append(c.paths, p)
			}
		}
		if m.err != nil {
			c.problem = m.err.Error()
		}
		c.move(0)
	case journalRead:
		delete(c.reading, m.path)
	}
}

// compares reports whether a run's curves are drawn.
func (e *env) compares(path string) bool {
	return slices.ContainsFunc(e.compare, func(o Compared) bool { return o.Path == path })
}

// View implements dialog.
func (c *compareDialog) View(w int) []string {
	t := &c.theme
	width := min(w, 64)
	lines := []string{""}
	say := func(text string) { lines = append(lines, "  "+t.text(text)) }
	switch {
	case !c.listed:
		say("looking for journals")
	case c.problem != "":
		lines = append(lines, "  "+t.warn.Render(t.text(c.problem)))
	case len(c.paths) == 0:
		say("no other journal lies beside this run's")
	}
	from, to := c.list.window(len(c.paths), c.room())
	for i, path := range c.paths[from:to] {
		lines = append(lines, c.line(path, from+i == c.list.chosen))
	}
	return t.centred(titled("Compare with", c.list.position(c.room())), append(lines, ""), width, w)
}

// line is a journal: whether it is drawn, and as what.
func (c *compareDialog) line(path string, selected bool) string {
	t := &c.theme
	box, name := "[ ] ", t.text(runName(path))
	for i := range c.compare {
		if c.compare[i].Path == path {
			box, name = "[x] ", name+"  "+t.distinct(i+1).Render(letter(i))
		}
	}
	if c.reading[path] {
		name += t.dim.Render("  is read")
	}
	if selected {
		return " " + t.marked.Render(t.glyph.cursor+" "+box) + name
	}
	return "   " + box + name
}

// runName is what a run is called whose journal has a path.
func runName(path string) string { return strings.TrimSuffix(base(path), ".journal") }

func (c *compareDialog) footer(w int) string {
	t := &c.theme
	return t.fit(t.hint("↑↓", "choose")+t.hint("space", "compare, or not")+t.hint("esc", "back"), w)
}

// listJournals asks which journals lie beside the run's.
func (a *App) listJournals() tea.Cmd {
	find, own := a.opts.Journals.Beside, a.snap.Journal
	if find == nil || own == "" {
		return func() tea.Msg {
			return journalsListed{err: fmt.Errorf("the folder of this run's journal is not known")}
		}
	}
	return func() tea.Msg {
		paths, err := find(own)
		return journalsListed{paths, err}
	}
}

// readJournal reads a journal.
func (a *App) readJournal(path string) tea.Cmd {
	read := a.opts.Journals.Read
	return func() tea.Msg {
		h, err := read(path)
		return journalRead{path, h, err}
	}
}

// compared takes in a journal that was read.
func (a *App) compared(m journalRead) {
	switch {
	case m.err != nil:
		a.tell(notice{"compare: " + m.err.Error(), true})
	case len(m.history.Loss.Values)+len(m.history.Accuracy.Values)+len(m.history.Kept.Values) == 0:
		a.tell(notice{"compare: " + m.path + ": it does not tell how the run did", true})
	case !a.compares(m.path):
		a.compare = append(slices.Clip(a.compare), Compared{runName(m.path), m.history, m.path})
	}
}

// comparedNot forgets a run.
func (a *App) comparedNot(path string) {
	a.compare = slices.DeleteFunc(slices.Clone(a.compare), func(o Compared) bool { return o.Path == path })
}
