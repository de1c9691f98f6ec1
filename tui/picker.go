package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/escape"
)

// Offer is something that can be begun: what it is, and what choosing it does.
type Offer struct {
	Kind, Name string // "solver", its file
	What       string // about it: "lenet.prototxt, 6,000 iterations"
	Does       string // "starts a run"
	Command    string // that does the same
}

// Picker is a list of offers of which a person chooses one: what dns-tui shows where nothing is named. It is a program
// of its own, before there is a run.
type Picker struct {
	theme         theme
	opts          Options
	title, note   string
	offers        []Offer
	keys          pickerKeys
	list          list
	picked        bool
	width, height int
}

// pickerKeys are the picker's own: there is no run, and no preference for them.
type pickerKeys struct {
	Up, Down, PageUp, PageDown, First, Last, Pick, Suspend, Quit binding
}

// NewPicker returns a picker under a title; note is said below the offers, or "".
func NewPicker(o Options, title, note string, offers []Offer) *Picker {
	p := &Picker{
		opts: o, title: title, note: note, offers: offers, width: 80, height: 24,
		keys: pickerKeys{
			Up:       act("pick-up", "the one above", "up", "k"),
			Down:     act("pick-down", "the one below", "down", "j"),
			PageUp:   act("pick-page-up", "a page up", "pgup"),
			PageDown: act("pick-page-down", "a page down", "pgdown"),
			First:    act("pick-first", "the first", "home"),
			Last:     act("pick-last", "the last", "end"),
			Pick:     act("pick", "begin with it", "enter").footer("begin"),
			Suspend:  act("pick-suspend", "suspend; `fg` comes back", "ctrl+z"),
			Quit:     act("pick-none", "begin nothing", "q", "esc", "ctrl+c").footer("quit"),
		},
	}
	p.theme = o.theme()
	p.arrange()
	return p
}

// Picked is the number of the offer that was chosen; false where none was.
func (p *Picker) Picked() (int, bool) { return p.list.chosen, p.picked }

// Init implements tea.Model.
func (p *Picker) Init() tea.Cmd { return tea.RequestBackgroundColor }

// Update implements tea.Model.
func (p *Picker) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		p.width, p.height = m.Width, m.Height
	case tea.BackgroundColorMsg, tea.ColorProfileMsg:
		p.theme = p.opts.adapt(p.theme, msg)
	case tea.ResumeMsg: // after a suspension
		cmd = tea.ClearScreen
	case tea.KeyPressMsg:
		cmd = p.press(escOnce(m))
	}
	p.arrange()
	return p, cmd
}

// press does what a key is for.
func (p *Picker) press(m tea.KeyPressMsg) tea.Cmd {
	k := &p.keys
	is := func(b *binding) bool { return key.Matches(m, b.Binding) }
	switch page := p.rows(); {
	case is(&k.Up):
		p.list.move(-1)
	case is(&k.Down):
		p.list.move(1)
	case is(&k.PageUp):
		p.list.move(pageUp.by(page))
	case is(&k.PageDown):
		p.list.move(pageDown.by(page))
	case is(&k.First):
		p.list.move(toFirst.by(page))
	case is(&k.Last):
		p.list.move(toLast.by(page))
	case is(&k.Pick) && len(p.offers) > 0:
		p.picked = true
		return tea.Quit
	case is(&k.Suspend):
		return tea.Suspend
	case is(&k.Quit):
		return tea.Quit
	}
	return nil
}

// detailLines is how many lines say more of the selected offer, below the list: what it is, what choosing it does.
const detailLines = 3

// detailed reports whether these have room.
func (p *Picker) detailed() bool { return p.height >= 10 }

// rows is how many offers have room: between a head and a foot, in a frame.
func (p *Picker) rows() int {
	rows := p.height - 3
	if p.detailed() {
		rows -= detailLines + 1
	}
	return max(1, rows)
}

func (p *Picker) arrange() { p.list.fit(len(p.offers), p.rows()) }

// View implements tea.Model.
func (p *Picker) View() tea.View {
	v := tea.NewView(p.frame())
	v.AltScreen = true
	v.WindowTitle = "dns-tui"
	return v
}

// frame is the whole screen.
func (p *Picker) frame() string {
	w, h, t := p.width, p.height, &p.theme
	if w <= 0 || h <= 0 {
		return ""
	}
	title := titled(p.title, p.list.position(p.rows()))
	lines := t.box(t.text(title), p.table(w-2), w, p.rows()+2)
	if p.detailed() {
		lines = append(lines, p.details()...)
	}
	lines = padded(lines, h-1)[:max(0, h-1)]
	lines = append(lines, p.footer())
	for i := range lines {
		lines[i] = t.fit(lines[i], w)
	}
	return strings.Join(lines, "\n")
}

// table is the lines of the offers that are shown, each as wide as w.
func (p *Picker) table(w int) []string {
	t := &p.theme
	kind, name := 0, 0
	for _, o := range p.offers {
		kind, name = max(kind, len(o.Kind)), max(name, ansi.StringWidth(t.text(o.Name)))
	}
	name = min(name, max(10, w/2))
	from, to := p.list.window(len(p.offers), p.rows())
	var lines []string
	for i, o := range p.offers[from:to] {
		mark, cell := " ", t.fit(t.text(o.Name), name)
		if from+i == p.list.chosen {
			mark, cell = t.glyph.cursor, t.marked.Render(cell)
		}
		line := t.marked.Render(mark) + " "
		if w >= 50 {
			line += t.dim.Render(t.fit(o.Kind, kind)) + "  "
		}
		lines = append(lines, line+cell+"  "+t.text(o.What))
	}
	return lines
}

// details say more of the selected offer.
func (p *Picker) details() []string {
	t := &p.theme
	lines := []string{"", "", ""}
	if len(p.offers) > 0 {
		o := &p.offers[p.list.chosen]
		lines[0] = " " + t.text(o.Kind+" "+o.Name+": "+o.What)
		lines[1] = " " + t.title.Render(t.plain("⏎")) + " " + t.text(o.Does) + t.dim.Render(t.text(": "+o.Command))
	}
	if p.note != "" {
		lines[2] = " " + t.dim.Render(t.text(p.note))
	}
	return lines
}

// footer is the keys; those that leave have the last word.
func (p *Picker) footer() string {
	t := &p.theme
	s := ""
	for _, b := range slices.Backward([]*binding{&p.keys.Pick, &p.keys.Quit}) {
		s = t.hint(b.key(), b.short) + s
	}
	if more := t.hint("↑↓", "choose") + s; ansi.StringWidth(more) <= p.width {
		s = more
	}
	return s
}

// Lines are the offers as text: what each is, and the command for it.
func Lines(offers []Offer) []string {
	kind, name, what := 0, 0, 0
	cell := func(s string) string { return escape.Line(s) }
	for _, o := range offers {
		kind, name = max(kind, ansi.StringWidth(o.Kind)), max(name, ansi.StringWidth(cell(o.Name)))
		what = max(what, ansi.StringWidth(cell(o.What)))
	}
	pad := func(s string, w int) string { return s + strings.Repeat(" ", max(0, w-ansi.StringWidth(s))) }
	var lines []string
	for _, o := range offers {
		lines = append(lines, pad(o.Kind, kind)+"  "+pad(cell(o.Name), name)+"  "+pad(cell(o.What), what)+"  "+
			cell(o.Command))
	}
	return lines
}
