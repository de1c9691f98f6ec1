package tui

import (
	"cmp"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/human"
	"dns-tui/model/session"
)

// shipped shows what the net comes to for who ships it: as it is, and as it is to become.
type shipped struct {
	*env
	keys *shippedKeys
	list list // of the rows
	rows []shippedRow
	note []string
	w, h int
}

// shippedKeys are the keys of what is shipped.
type shippedKeys struct {
	Up, Down, Measure binding
}

func defaultShippedKeys() shippedKeys {
	return shippedKeys{
		Up:   act("ship-up", "the row above", "up", "k"),
		Down: act("ship-down", "the row below", "down", "j"),
		Measure: act("weigh", "measure, now and as it is to become; the training waits about a second", "r").
			footer("measure").steer(),
	}
}

// measure asks for a measurement of what is shipped, now and with what is chosen, pending, or the autopilot's target;
// typed is what was typed for it, or "".
type measure struct{ typed string }

// shippedRow is a line of the table: what it is, in few words too, and its values, now and as they are to become.
type shippedRow struct {
	name, short string
	now, then   string
}

// Update implements screen.
func (s *shipped) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		s.list.reset()
	case travel:
		s.list.move(msg.by(s.room()))
	case action:
		switch msg.binding {
		case &s.keys.Up:
			s.list.move(-1)
		case &s.keys.Down:
			s.list.move(1)
		case &s.keys.Measure:
			return measure{}
		}
	}
	return nil
}

// leastRows is how many rows of the table have room before there is any for notes.
const leastRows = 5

// Arrange implements screen.
func (s *shipped) Arrange(w, h int) {
	s.w, s.h, s.rows, s.note = w, h, s.table(), nil
	for i, text := range s.notes() {
		if i > 0 {
			s.note = append(s.note, "")
		}
		s.note = append(s.note, strings.Split(ansi.Wrap(s.theme.text(text), max(1, min(w-4, 76)), ""), "\n")...)
	}
	if h-2-s.head()-len(s.note)-1 < min(len(s.rows), leastRows) { // no room for both
		s.note = nil
	}
	s.list.fit(len(s.rows), s.room())
}

// head is how many lines stand above the rows.
func (s *shipped) head() int {
	if len(s.rows) == 0 || s.h < 5 {
		return 0
	}
	return 1
}

// room is how many rows have room.
func (s *shipped) room() int {
	room := s.h - 2 - s.head()
	if len(s.note) > 0 && len(s.rows) > 0 {
		room -= len(s.note) + 1
	}
	return max(1, room)
}

// goal is what stands above the second column, with the iteration of the weights where it is another than that of the
// first, and that has room.
func (s *shipped) goal(room bool) string {
	x := s.snap.Shipped
	words := "next"
	if g := x.Measured.Goal; g != "" {
		words = "at " + g
	}
	if !room {
		return words
	}
	if of := x.Measured.Now.Iter; x.Now != nil && of != x.Now.Iter {
		words += " of " + human.Count(of)
	}
	return words
}

// table is what is known, a line each.
func (s *shipped) table() []shippedRow {
	x := s.snap.Shipped
	if x == nil || x.Now == nil {
		if s.snap.Exported == 0 {
			return nil
		}
		return []shippedRow{{"bytes of the caffemodel", "caffemodel", human.Count(int(s.snap.Exported)), ""}}
	}
	var then *session.Weighed
	m := x.Measured
	if m != nil && m.Then != nil {
		then = &m.Then.Weighed
	}
	var rows []shippedRow
	add := func(name, short string, of func(*session.Weighed) string) {
		r := shippedRow{name: name, short: short, now: of(x.Now)}
		if then != nil {
			r.then = of(then)
		}
		if r.now+r.then != "" {
			rows = append(rows, r)
		}
	}
	number := func(name, short string, of func(*session.Weighed) int) {
		add(name, short, func(w *session.Weighed) string { return human.Count(of(w)) })
	}
	ofNet := func(name, short string, of func(*session.WeighedNet) string) {
		add(name, short, func(w *session.Weighed) string {
			if w.Net == nil {
				return ""
			}
			return of(w.Net)
		})
	}
	number("parameters", "parameters", func(w *session.Weighed) int { return w.Parameters })
	number("parameters that are not zero", "not zero", func(w *session.Weighed) int { return w.Kept })
	number("bytes of the caffemodel", "caffemodel", func(w *session.Weighed) int { return int(w.Bytes.Caffemodel) })
	number("bytes of the compact file", "compact file", func(w *session.Weighed) int { return int(w.Bytes.Compact) })
	number("bytes of the safetensors", "safetensors", func(w *session.Weighed) int { return int(w.Bytes.Safetensors) })
	ofNet("parameters of the smaller net", "smaller net", func(n *session.WeighedNet) string {
		return human.Count(n.Smaller)
	})
	ofNet("multiply-accumulates an image", "MAC", func(n *session.WeighedNet) string {
		return human.Count(int(n.MACs.Dense))
	})
	ofNet("without those of zeros", "MAC of kept", func(n *session.WeighedNet) string {
		return human.Count(int(n.MACs.Kept))
	})
	ofNet(fmt.Sprintf("live outputs%s", ofOutputs(x.Now)), "live outputs", func(n *session.WeighedNet) string {
		return human.Count(n.Live)
	})
	ms := func(name, short string, of func(*session.Timed) string) {
		if m == nil {
			return
		}
		r := shippedRow{name: name, short: short, now: of(&m.Now)}
		if m.Then != nil {
			r.then = of(m.Then)
		}
		rows = append(rows, r)
	}
	ms("ms a pass, dense", "ms, dense", func(x *session.Timed) string { return human.Milliseconds(x.Dense) })
	ms("ms a pass, zeros left out", "ms, sparse", func(x *session.Timed) string { return human.Milliseconds(x.Sparse) })
	return rows
}

// ofOutputs says how many outputs there are.
func ofOutputs(w *session.Weighed) string {
	if w.Net == nil {
		return ""
	}
	return " of " + human.Count(w.Net.Outputs)
}

// measuring says what is measured.
const measuring = " forward on the CPU, dense and with zeros left out, now and as the net is to become: with the " +
	"thresholds that are chosen or pending, or at the autopilot's target. The training waits about a second; nothing " +
	"of it changes."

// notes say of which iteration and how the figures are, and what can be measured.
func (s *shipped) notes() []string {
	x := s.snap.Shipped
	if x == nil {
		return []string{"The run's program is of a version that does not tell what it comes to: bytes of each form, " +
			"the smaller net, ms of a pass. `dns-tui inspect --model NET WEIGHTS` does, of a snapshot."}
	}
	var out []string
	if x.Problem != "" {
		out = append(out, "Not measured: "+x.Problem)
	}
	m := x.Measured
	if m == nil {
		way := cmp.Or(s.naming("%s measures ms of a pass", &s.keys.Measure), "Not measured so far: ms of a pass")
		return append(out, way+measuring)
	}
	text := fmt.Sprintf(
		"ms: medians of %d passes forward on the CPU, batch %d, at iteration %s; the training waited %.1f s.",
		m.Passes,
		m.Batch,
		human.Count(m.Now.Iter),
		m.Waited.Seconds(),
	)
	if m.Then != nil && m.Goal != "" {
		text += " At " + m.Goal + ": those weights, pruned at once; a descent keeps as much, but of other weights."
	} else if m.Then != nil {
		text += " Next: those weights, as surgery by the thresholds would leave them."
	}
	out = append(out, text)
	if x.Now != nil && m.Now.Iter != x.Now.Iter {
		if way := s.naming("%s measures again.", &s.keys.Measure); way != "" {
			out[len(out)-1] += " " + way
		}
	}
	return out
}

// title says of which iteration the figures of now are.
func (s *shipped) title() string {
	title, x := "What you ship", s.snap.Shipped
	if x == nil {
		return title
	}
	if x.Now != nil {
		title += " at iteration " + human.Count(x.Now.Iter)
		if x.Redrawn {
			title += ", before the last surgery"
		}
	}
	switch x.Stage {
	case session.Weighing:
		title += "  measuring…"
	case session.TimingPasses:
		title += "  timing passes…"
	}
	return title
}

// View implements screen.
func (s *shipped) View() []string {
	t := &s.theme
	wide, now, then := 0, 8, 0
	for _, r := range s.rows {
		wide, now = max(wide, ansi.StringWidth(r.name)), max(now, len(r.now))
		then = max(then, len(r.then))
	}
	const around = 2 + 2 // the frame and the cursor
	head, values, gap, long := "", then, "  ", true
	for _, long = range []bool{true, false} {
		if then > 0 {
			head = t.text(s.goal(long))
			then = max(values, 8, ansi.StringWidth(head))
		}
		if around+wide+2+now+2+then < s.w {
			break
		}
	}
	if !long {
		gap, wide = " ", min(12, s.w-around-1-now-1-then)
	}
	if wide < 8 { // no room for both columns
		wide, then = max(1, min(12, s.w-around-1-now)), 0
	}
	line := func(name, a, b string) string {
		text := t.fit(t.plain(name), wide) + gap + t.fitRight(a, now)
		if then > 0 {
			text += gap + t.fitRight(t.plain(b), then)
		}
		return text
	}
	var lines []string
	if s.head() > 0 {
		lines = append(lines, t.dim.Render("  "+line("", "now", head)))
	}
	from, to := s.list.window(len(s.rows), s.room())
	for i := from; i < to; i++ {
		r := &s.rows[i]
		name := r.name
		if !long {
			name = r.short
		}
		text := line(name, r.now, r.then)
		if i == s.list.chosen {
			text = t.marked.Render(t.glyph.cursor + " " + text)
		} else {
			text = "  " + text
		}
		lines = append(lines, text)
	}
	if len(s.note) > 0 {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		for _, n := range s.note {
			lines = append(lines, " "+t.dim.Render(n))
		}
	}
	return t.box(t.plain(titled(s.title(), s.list.position(s.room()))), lines, s.w, s.h)
}

func (s *shipped) clipCell() string {
	if s.list.chosen >= len(s.rows) {
		return ""
	}
	return strings.ReplaceAll(s.rows[s.list.chosen].now, ",", "")
}

func (s *shipped) clipRows() [][]string {
	if len(s.rows) == 0 {
		return nil
	}
	out := [][]string{{"", "now", "then"}}
	if x := s.snap.Shipped; x != nil && x.Measured != nil && x.Measured.Then != nil {
		out[0][2] = s.goal(true)
	}
	for _, r := range s.rows {
		out = append(out, []string{r.name, strings.ReplaceAll(r.now, ",", ""), strings.ReplaceAll(r.then, ",", "")})
	}
	return out
}

// weigh asks for a measurement with what is to come: the thresholds that are chosen or pending, or else the
// autopilot's target, which the run knows.
func (m *mainScreen) weigh(typed string) intent {
	if m.snap.Shipped == nil {
		return refuse("the run's program is of a version that does not measure what you ship")
	}
	c := session.Command{Kind: session.Weigh}
	if a := m.snap.Autopilot; a == nil || a.Done || m.anyChosen() {
		for i := range m.snap.Layers {
			l := &m.snap.Layers[i]
			if _, comes := m.choices.next(l); comes {
				c.Edits = append(
					c.Edits,
					config.Edit{Field: m.choices.thresholdField(l), Value: m.choices.threshold(l)},
				)
			}
		}
	}
	if typed != "" {
		return sendTyped{c, typed}
	}
	return send{c}
}
