package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/session"
)

// ranks shows the processes that train together.
type ranks struct {
	*env
	keys *ranksKeys
	list list
	w, h int
}

// ranksKeys are the keys of the ranks.
type ranksKeys struct {
	Up, Down binding
}

func defaultRanksKeys() ranksKeys {
	return ranksKeys{
		Up:   act("rank-up", "the rank above", "up", "k"),
		Down: act("rank-down", "the rank below", "down", "j"),
	}
}

// Update implements screen.
func (r *ranks) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		r.list.reset()
	case travel:
		r.list.move(msg.by(r.room()))
	case action:
		switch msg.binding {
		case &r.keys.Up:
			r.list.move(-1)
		case &r.keys.Down:
			r.list.move(1)
		}
	}
	return nil
}

// Arrange implements screen.
func (r *ranks) Arrange(w, h int) {
	r.w, r.h = w, h
	r.list.fit(len(r.snap.Ranks), r.room())
}

// room is how many ranks have room, below the head of their table.
func (r *ranks) room() int { return max(1, r.h-3) }

// rankColumn is a column of the table. Where not all have room those of the highest order are left out first.
type rankColumn struct {
	head  string
	left  bool // text; numbers stand at the right
	order int
	of    func(i int, s *session.RankStats) string
}

// silent is from when on a rank's silence is shown: it says something of itself about once a second.
const silent = 3 * time.Second

func (r *ranks) columns() []rankColumn {
	slowest := slowestRank(r.snap.Ranks)
	return []rankColumn{
		{"rank", false, 0, func(i int, _ *session.RankStats) string { return fmt.Sprint(i) }},
		{"waits", false, 1, func(_ int, s *session.RankStats) string {
			if s.Waiting < 0 {
				return ""
			}
			return fmt.Sprintf("%.0f %%", 100*s.Waiting)
		}},
		{"", true, 0, func(i int, s *session.RankStats) string {
			switch {
			case s.Silent >= silent:
				return "silent for " + human.Clock(s.Silent)
			case i == slowest:
				return "slowest"
			}
			return ""
		}},
		{"health", true, 3, func(_ int, s *session.RankStats) string {
			switch h := s.Health; {
			case h.Phase != "":
				return r.theme.text(h.Phase)
			case h.Known:
				return fmt.Sprintf("%d %% %d °C %s", h.Utilization, h.Temperature, human.ShortBytes(h.Memory))
			}
			return ""
		}},
		{"machine", true, 2, func(_ int, s *session.RankStats) string { return r.theme.text(s.Host) }},
		{"process", false, 4, func(_ int, s *session.RankStats) string { return fmt.Sprint(s.PID) }},
		{"device", true, 3, func(_ int, s *session.RankStats) string { return r.theme.text(s.Device) }},
	}
}

// slowestRank is the rank for which the others wait: the one that waits least, where that says something; -1 else.
func slowestRank(all []session.RankStats) int {
	const apart = 0.1 // of their time
	least, most := 0, 0
	for i := range all {
		if all[i].Waiting < all[least].Waiting {
			least = i
		}
		if all[i].Waiting > all[most].Waiting {
			most = i
		}
	}
	if len(all) == 0 || all[least].Waiting < 0 || all[most].Waiting-all[least].Waiting < apart {
		return -1
	}
	return least
}

// table is the head and the rows, of as many columns as have room.
func (r *ranks) table() []string {
	t, columns := &r.theme, r.columns()
	all := r.snap.Ranks
	cells := make([][]string, len(columns))
	wide := make([]int, len(columns))
	for c, col := range columns {
		wide[c] = ansi.StringWidth(col.head)
		for i := range all {
			cells[c] = append(cells[c], col.of(i, &all[i]))
			wide[c] = max(wide[c], ansi.StringWidth(cells[c][i]))
		}
	}
	for c := range columns { // a column in which nobody has anything
		if columns[c].order > 0 && !slices.ContainsFunc(cells[c], func(v string) bool { return v != "" }) {
			wide[c] = 0
		}
	}
	for order := 4; order > 0 && around(wide) > r.w; order-- {
		for c := range columns {
			if columns[c].order == order {
				wide[c] = 0
			}
		}
	}
	line := func(cell func(c int) string) string {
		var text strings.Builder
		for c := range columns {
			if wide[c] == 0 {
				continue
			}
			fit := t.fitRight
			if columns[c].left {
				fit = t.fit
			}
			text.WriteString("  " + fit(t.plain(cell(c)), wide[c]))
		}
		return text.String()
	}
	lines := []string{t.dim.Render(line(func(c int) string { return columns[c].head }))}
	for i := range all {
		text := line(func(c int) string { return cells[c][i] })
		switch {
		case i == r.list.chosen:
			text = t.marked.Render(t.glyph.cursor + text[1:])
		case all[i].Silent >= silent:
			text = t.warn.Render(text)
		}
		lines = append(lines, text)
	}
	return lines
}

// around is how wide a table is in its frame.
func around(wide []int) int {
	n := 2
	for _, w := range wide {
		if w > 0 {
			n += 2 + w
		}
	}
	return n
}

// title says what all of them come to.
func (r *ranks) title() string {
	n := len(r.snap.Ranks)
	title := fmt.Sprintf("%d ranks", n)
	if v := r.snap.ImagesPerSecond(); v > 0 {
		title += fmt.Sprintf("  %s img/s, %s each", human.Count(int(v+0.5)), human.Count(int(v/float64(n)+0.5)))
	}
	return title + "  sums by " + r.theme.text(r.snap.Engine)
}

// alone is what stands where a run has no ranks.
const alone = "This run is one process. `--ranks 4` trains with four on this machine, `--gpu 0,1` or `--gpu all` " +
	"with one for each GPU, and `mpirun`, `srun` or `torchrun` with ranks on several machines: each reads its own " +
	"batches, gradients are summed, and all of them prune alike."

// View implements screen.
func (r *ranks) View() []string {
	t := &r.theme
	if len(r.snap.Ranks) == 0 {
		var lines []string
		for l := range strings.SplitSeq(ansi.Wrap(t.text(alone), max(1, min(r.w-4, 76)), ""), "\n") {
			lines = append(lines, " "+t.dim.Render(l))
		}
		return t.box("Ranks", lines, r.w, r.h)
	}
	all := r.table()
	from, to := r.list.window(len(all)-1, r.room())
	lines := append(all[:1:1], all[1+from:1+to]...)
	return t.box(t.plain(titled(r.title(), r.list.position(r.room()))), lines, r.w, r.h)
}

func (r *ranks) clipCell() string {
	if r.list.chosen >= len(r.snap.Ranks) {
		return ""
	}
	s := &r.snap.Ranks[r.list.chosen]
	return fmt.Sprintf("%s %d", s.Host, s.PID)
}

func (r *ranks) clipRows() [][]string {
	if len(r.snap.Ranks) == 0 {
		return nil
	}
	rows := [][]string{{"rank", "waits", "machine", "process", "device"}}
	for i := range r.snap.Ranks {
		s := &r.snap.Ranks[i]
		rows = append(rows, []string{
			fmt.Sprint(i), fmt.Sprintf("%.4f", s.Waiting), s.Host, fmt.Sprint(s.PID), s.Device,
		})
	}
	return rows
}
