package tui

import (
	"fmt"
	"math"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// frontier shows a search for the smallest net within an accuracy budget: accuracy against size as a plot, and its
// branches as a table to take one from.
type frontier struct {
	*env
	keys    *frontierKeys
	plotter plotter
	list    list // of the rows
	rows    []branchRow
	asked   int // what the selected branch was asked to keep; 0: the smallest within the budget
	words   []string
	plot    int // lines of the plot; 0: it has no room
	w, h    int
}

// frontierKeys are the keys of the frontier.
type frontierKeys struct {
	Up, Down, Take binding
}

func defaultFrontierKeys() frontierKeys {
	return frontierKeys{
		Up:   act("branch-up", "the larger branch", "up", "k"),
		Down: act("branch-down", "the smaller branch", "down", "j"),
		Take: act("take-branch",
			"take this branch, after a question: it becomes the run", "enter",
		).footer("take").steer(),
	}
}

// branchRow is a line of the table: a branch, one that is being made, or one that may come next.
type branchRow struct {
	asked, kept, total int
	branch             *session.SearchBranch // nil: it is not finished
	state              string
}

// Update implements screen.
func (f *frontier) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		f.asked = 0
	case travel:
		f.move(msg.by(f.room()))
	case action:
		switch msg.binding {
		case &f.keys.Up:
			f.move(-1)
		case &f.keys.Down:
			f.move(1)
		case &f.keys.Take:
			return f.take()
		}
	case tea.MouseMsg:
		f.mouse(msg)
	}
	return nil
}

// move selects a branch so many lines further, and stays with it when others come.
func (f *frontier) move(by int) {
	f.list.move(by)
	if f.list.chosen < len(f.rows) {
		f.asked = f.rows[f.list.chosen].asked
	}
}

// mouse selects branches by the wheel and by clicks.
func (f *frontier) mouse(msg tea.MouseMsg) {
	e := msg.Mouse()
	switch e.Button {
	case tea.MouseWheelUp:
		f.move(-1)
	case tea.MouseWheelDown:
		f.move(1)
	case tea.MouseLeft:
		from, to := f.list.window(len(f.rows), f.room())
		row := from + e.Y - 1 - f.plot - 1 - f.above() // below header, plot, frame and head
		if _, up := msg.(tea.MouseReleaseMsg); !up && row >= from && row < to {
			f.move(row - f.list.chosen)
		}
	}
}

// take asks whether the selected branch is to become the run.
func (f *frontier) take() intent {
	s := f.snap.Search
	if s == nil {
		return refuse(session.ErrNoSearch.Error())
	}
	if len(f.rows) == 0 {
		return refuse("no branch is finished yet")
	}
	b := f.rows[f.list.chosen].branch
	if b == nil {
		return refuse("this branch is not finished: " + f.rows[f.list.chosen].state)
	}
	lines := []string{s.Describe(b)}
	if s.Running {
		lines = append(lines, "the search ends; its command goes on with it another time")
	}
	lines = append(lines,
		"its masks are frozen and its anneal is done"+
			f.naming(": `%sautopilot off` trains it on at the solver's rate", &f.allKeys.App.Command),
		"what is now is saved first"+f.naming(": %s once more returns to it", &f.allKeys.Run.LastGood))
	return ask{&question{env: f.env, title: "Take this branch?", yes: "take it, and pause", lines: lines,
		do: send{session.Command{Kind: session.TakeBranch, Path: b.Path}}}}
}

// branchRows are the lines of the table, the largest net first.
func branchRows(sn *session.Snapshot) []branchRow {
	s := sn.Search
	if s == nil {
		return nil
	}
	var rows []branchRow
	best := s.Best()
	for i := range s.Branches {
		b := &s.Branches[i]
		r := branchRow{asked: b.Asked, kept: b.Kept, total: b.Total, branch: b, state: "done"}
		switch {
		case b.Path == s.Taken:
			r.state = "taken"
		case b == best:
			r.state = "done, smallest within"
		}
		rows = append(rows, r)
	}
	if y := s.Trying; y != nil {
		rows = append(rows, branchRow{asked: y.Asked, kept: y.Asked, total: y.Total, state: tryState(sn, y)})
		for _, n := range []struct {
			kept  int
			state string
		}{{y.IfWithin, "next, if this is within"}, {y.IfOutside, "next, if this is outside"}} {
			if n.kept > 0 {
				rows = append(rows, branchRow{asked: n.kept, kept: n.kept, total: y.Total, state: n.state})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b branchRow) int { return b.kept - a.kept })
	return rows
}

// tryState says how far a branch is that is being made: "annealing 42 %".
func tryState(sn *session.Snapshot, y *session.SearchTry) string {
	part := func(word string, from, to int) string {
		done := float64(sn.Iter-from) / float64(max(1, to-from))
		return fmt.Sprintf("%s %.0f %%", word, 100*max(0, min(done, 1)))
	}
	switch {
	case sn.State == session.Testing:
		return "testing"
	case sn.Iter < y.Freezes:
		return part("descending", y.From, y.Freezes)
	}
	return part("annealing", y.Freezes, y.Ends)
}

// searchWords say what a search does, or has come to.
func searchWords(sn *session.Snapshot) []string {
	s := sn.Search
	var out []string
	switch a := sn.Autopilot; {
	case s.Running && s.Trying != nil:
		out = append(out, tryState(sn, s.Trying)+"  "+s.Phase)
	case s.Running && !s.Descended && a != nil && len(s.Branches) > 0:
		out = append(out, fmt.Sprintf("%s: %.0f %%, %s of %s kept", s.Phase, 100*a.Progress, human.Count(a.Kept),
			human.Count(a.Total)))
	case s.Running || s.Done || s.Taken != "" || s.Failed != "":
		out = append(out, s.Outcome())
	default:
		out = append(out, s.Outcome()+" (cut off: its command goes on with it)")
	}
	if len(s.Branches) > 0 {
		out = append(out, fmt.Sprintf("a budget of %g: at least %.4f, of %.4f unpruned by the same training", s.Budget,
			s.Least(), s.Dense))
	}
	return out
}

// roomForPlot is the least height of the screen at which the plot is drawn.
const roomForPlot = 16

// Arrange implements screen.
func (f *frontier) Arrange(w, h int) {
	f.w, f.h, f.plot, f.words = w, h, 0, nil
	f.rows = branchRows(f.snap)
	s := f.snap.Search
	if s == nil {
		return
	}
	f.words = searchWords(f.snap)
	if h >= roomForPlot {
		f.plot = max(10, min(h/2, h-2-f.above()-len(f.rows)))
	} else {
		f.words = f.words[:1]
	}
	asked := f.asked
	if best := s.Best(); asked == 0 && best != nil {
		asked = best.Asked
	}
	if i := slices.IndexFunc(f.rows, func(r branchRow) bool { return r.asked == asked }); i >= 0 {
		f.list.chosen = i
	}
	f.list.fit(len(f.rows), f.room())
}

// above is how many lines of the table's frame stand above the branches: the words and the head.
func (f *frontier) above() int { return len(f.words) + 1 }

// room is how many branches have room.
func (f *frontier) room() int { return max(1, f.h-f.plot-2-f.above()) }

// View implements screen.
func (f *frontier) View() []string {
	t, s := &f.theme, f.snap.Search
	if s == nil {
		return t.box("Frontier", []string{
			"",
			" No search: none steers this run, and",
			" none was made at its snapshot_prefix.",
			"",
			" `dns-tui search` finds the smallest",
			" net within an accuracy budget. Here",
			" it shows accuracy against size, and",
			" branches, of which one can be taken.",
		}, f.w, f.h)
	}
	var lines []string
	if f.plot > 0 {
		lines = f.drawPlot(s)
	}
	title := "Branches"
	if s.Images > 0 {
		title += fmt.Sprintf("  accuracy on %s held-out images", human.Count(s.Images))
	}
	return append(lines, t.box(t.plain(titled(title, f.list.position(f.room()))), f.table(s), f.w, f.h-f.plot)...)
}

// column is one of the table: its head, its width, and what a row has there.
type column struct {
	head  string
	width int
	left  bool
	cell  func(*session.Search, *branchRow) string
}

// columns are those of the table. A terminal without room for all has the budget and the state in one.
var columns = []column{
	{"kept", 9, false, func(_ *session.Search, r *branchRow) string { return human.Count(r.kept) }},
	{"smaller", 9, false, func(_ *session.Search, r *branchRow) string { return session.Smaller(r.kept, r.total) }},
	{"accuracy", 10, false, ofBranch(func(s *session.Search, b *session.SearchBranch) string {
		return fmt.Sprintf("%.4f", b.Accuracy)
	})},
	{"±", 8, false, ofBranch(func(s *session.Search, b *session.SearchBranch) string {
		return fmt.Sprintf("%.4f", s.Error(b.Accuracy))
	})},
	{"  budget", 10, true, ofBranch(func(_ *session.Search, b *session.SearchBranch) string {
		return "  " + b.Where()
	})},
	{"  state", 27, true, func(_ *session.Search, r *branchRow) string { return "  " + r.state }},
	{"  snapshot", 30, true, ofBranch(func(_ *session.Search, b *session.SearchBranch) string {
		return "  " + base(b.Path)
	})},
}

// fewColumns are those of a narrow terminal.
var fewColumns = []column{
	{"kept", 10, false, columns[0].cell}, {"smaller", 8, false, columns[1].cell},
	{"accuracy", 9, false, columns[2].cell}, {" budget", 9, true, func(_ *session.Search, r *branchRow) string {
		if r.branch == nil {
			return " " + shortState.Replace(r.state)
		}
		return " " + r.branch.Where()
	}},
}

// shortState makes the first word of a state as short as it can be.
var shortState = strings.NewReplacer("descending", "descends", "annealing", "anneals", "next, ", "next ")

// ofBranch is a cell of the rows that are finished.
func ofBranch(text func(*session.Search, *session.SearchBranch) string) func(*session.Search, *branchRow) string {
	return func(s *session.Search, r *branchRow) string {
		if r.branch == nil {
			return ""
		}
		return text(s, r.branch)
	}
}

// shown are the columns that have room.
func (f *frontier) shown() []column {
	width := 2 + 2 // the frame and the cursor
	for i, c := range columns {
		if width += c.width; width > f.w {
			if i < len(columns)-1 {
				return fewColumns
			}
			return columns[:i]
		}
	}
	return columns
}

// table is the words and the branches.
func (f *frontier) table(s *session.Search) []string {
	t := &f.theme
	var lines []string
	for i, text := range f.words {
		style := t.dim
		switch {
		case i == 0 && s.Failed != "" && s.Taken == "":
			style = t.warn
		case i == 0:
			style = t.good
		}
		lines = append(lines, " "+style.Render(t.text(text)))
	}
	shown := f.shown()
	line := func(cell func(column) string) string {
		var b strings.Builder
		for _, c := range shown {
			if c.left {
				b.WriteString(t.fit(cell(c), c.width))
			} else {
				b.WriteString(t.fitRight(cell(c), c.width))
			}
		}
		return b.String()
	}
	lines = append(lines, t.dim.Render("  "+line(func(c column) string { return t.plain(c.head) })))
	if len(f.rows) == 0 {
		return append(lines, t.dim.Render("  no branch yet"))
	}
	from, to := f.list.window(len(f.rows), f.room())
	for i := from; i < to; i++ {
		r := &f.rows[i]
		text := line(func(c column) string { return t.text(c.cell(s, r)) })
		switch {
		case i == f.list.chosen:
			text = t.marked.Render(t.glyph.cursor + " " + text)
		case r.branch == nil:
			text = t.dim.Render("  " + text)
		default:
			text = "  " + text
		}
		lines = append(lines, text)
	}
	return lines
}

// perOctave is how finely the plot's axis counts the logarithm of how many times smaller a net is.
const perOctave = 1000

// octaves is where a net of so many kept entries stands on the axis.
func octaves(kept, total int) int {
	return int(perOctave * math.Log2(autopilot.TimesSmaller(kept, max(1, total))))
}

// plotDepth is how far below the budget the plot reaches, in budgets, and at least: accuracies of nets that learned
// nothing would press the others to the top. What lies below stands at the bottom; the table has its number.
const (
	plotDepth      = 5
	plotDepthLeast = 0.01
)

// drawPlot draws accuracy against how many times smaller, on a logarithmic scale, with the budget as a line.
func (f *frontier) drawPlot(s *session.Search) []string {
	t := &f.theme
	least := s.Least() - max(plotDepthLeast, plotDepth*s.Budget)
	var found, allowed session.Series
	win := window{from: 0, to: perOctave}
	for i := range f.rows {
		r := &f.rows[i]
		x := octaves(r.kept, r.total)
		win.to = max(win.to, x)
		if n := len(found.Iters); r.branch != nil && (n == 0 || x > found.Iters[n-1]) {
			found.Add(x, max(r.branch.Accuracy, least))
		}
	}
	for _, p := range s.Points {
		win.to = max(win.to, octaves(p.Kept, p.Total))
	}
	d := plotted{fraction: true, still: true, nothing: "no values yet", span: max(plotDepthLeast/2, 2*s.Budget),
		ruler: func(win window) ruler { return f.ruler(s, win) }}
	if len(s.Branches) > 0 {
		allowed.Add(win.from, s.Least())
		allowed.Add(win.to, s.Least())
		d.curves = []curve{{name: "budget", series: allowed, style: t.warn, char: "-"},
			{name: "accuracy", series: found, style: t.accent, char: "*", dots: found}}
	}
	title := "Frontier  accuracy against times smaller"
	if best := s.Best(); best != nil {
		title += fmt.Sprintf("; %s within the budget", session.Smaller(best.Kept, best.Total))
	}
	return t.box(t.plain(title), f.plotter.draw(d, win, area{f.w - 2, f.plot - 2, false, false, -1}), f.w, f.plot)
}

// ruler has a tick at each branch, a dim one at each snapshot of the descent, marks at the selected branch and at the
// one that is being made, and numbers of times below.
func (f *frontier) ruler(s *session.Search, win window) ruler {
	t := &f.theme
	r := t.ruler(win.cols)
	put := func(x int, glyph string, style lipgloss.Style) { r.mark(win.column(x), glyph, style) }
	for _, p := range s.Points {
		put(octaves(p.Kept, p.Total), t.glyph.tick, t.dim)
	}
	for i := range f.rows {
		b := &f.rows[i]
		switch {
		case b.branch != nil:
			put(octaves(b.kept, b.total), t.glyph.tick, t.title)
		case s.Trying != nil && b.asked == s.Trying.Asked:
			put(octaves(b.kept, b.total), t.plain("▲"), t.warn)
		}
	}
	if f.list.chosen < len(f.rows) {
		b := &f.rows[f.list.chosen]
		put(octaves(b.kept, b.total), t.glyph.handle, t.marked)
	}
	for _, times := range timesTicks(math.Exp2(float64(win.to) / perOctave)) {
		r.label(win.column(octaves(1, int(times))), fmt.Sprintf("%.0fx", times))
	}
	return r
}
