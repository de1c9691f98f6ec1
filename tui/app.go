// Package tui is the terminal UI: it draws a session's snapshots and sends it commands. It knows no device and no file.
package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"dns-tui/model"
)

// Options of the UI.
type Options struct {
	// Open makes the session, in the background: the first frame does not wait for it.
	Open func() (model.Session, error)
	// Name is shown while the session is being made.
	Name string
	// ASCII keeps to characters that every terminal has.
	ASCII bool
	// Refresh is the time between two looks at the session; 0 is a fifth of a second.
	Refresh time.Duration
}

// App is the top-level Bubble Tea model. Its parts are drawn from the latest snapshot; nothing in Update or View waits.
type App struct {
	opts    Options
	theme   theme
	session model.Session
	snap    *model.Snapshot
	err     error // why no session could be made

	width, height int
	selected      int
	draft         map[string]float64 // thresholds being chosen, by layer, not sent yet
	mode          mode
	input         textinput.Model
	notice        string // the answer to the last command, until the next key
	noticeBad     bool
	leaving       bool // a stop was sent; quit when it is done
	spin          int
	resizes       int
}

// mode is what the keyboard goes to.
type mode int

const (
	browsing mode = iota
	helping
	quitting
	typing
)

// New returns the UI.
func New(o Options) *App {
	if o.Refresh <= 0 {
		o.Refresh = 200 * time.Millisecond
	}
	in := textinput.New()
	in.Prompt = ":"
	in.CharLimit = 200
	styles := in.Styles()
	styles.Cursor.Blink = false // a blinking cursor sends bytes for nothing
	in.SetStyles(styles)
	return &App{opts: o, theme: newTheme(o.ASCII), draft: map[string]float64{}, input: in, width: 80, height: 24}
}

// Err returns why the session could not be made, after the program has ended.
func (a *App) Err() error { return a.err }

// settleTime is how long a size must last before the screen is drawn anew.
const settleTime = 250 * time.Millisecond

type (
	settledMsg int
	openedMsg  struct {
		session model.Session
		err     error
	}
	tickMsg struct{}
	ackMsg  struct {
		cmd model.Command
		ack model.Ack
		err error
	}
)

// Init implements tea.Model.
func (a *App) Init() tea.Cmd {
	open := func() tea.Msg {
		s, err := a.opts.Open()
		return openedMsg{s, err}
	}
	return tea.Batch(open, a.tick())
}

func (a *App) tick() tea.Cmd {
	return tea.Tick(a.opts.Refresh, func(time.Time) tea.Msg { return tickMsg{} })
}

// Update implements tea.Model.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		a.width, a.height = m.Width, m.Height
		// Frames on their way when the size changed may have left anything on the screen: once it has settled, it is
		// drawn anew.
		a.resizes++
		n := a.resizes
		return a, tea.Tick(settleTime, func(time.Time) tea.Msg { return settledMsg(n) })
	case settledMsg:
		if int(m) == a.resizes {
			return a, tea.ClearScreen
		}
	case openedMsg:
		if m.err != nil {
			a.err = m.err
			return a, tea.Quit
		}
		a.session = m.session
		a.look()
	case tickMsg:
		a.spin++
		a.look()
		if a.leaving && a.snap != nil && (a.snap.State == model.Stopped || a.snap.State == model.Failed) {
			return a, tea.Quit
		}
		return a, a.tick()
	case ackMsg:
		a.answer(m)
		a.look()
	case tea.KeyPressMsg:
		return a, a.key(m)
	case tea.PasteMsg:
		if a.mode == typing {
			var cmd tea.Cmd
			a.input, cmd = a.input.Update(msg)
			return a, cmd
		}
	}
	return a, nil
}

// look takes the latest snapshot.
func (a *App) look() {
	if a.session == nil {
		return
	}
	a.snap = a.session.Snapshot()
	a.selected = max(0, min(a.selected, len(a.snap.Layers)-1))
}

// do hands a command to the session; the answer comes as a message.
func (a *App) do(c model.Command) tea.Cmd {
	s := a.session
	if s == nil {
		return nil
	}
	return func() tea.Msg {
		ack, err := s.Do(context.Background(), c)
		return ackMsg{c, ack, err}
	}
}

// answer shows what became of a command.
func (a *App) answer(m ackMsg) {
	a.noticeBad = m.err != nil
	if m.cmd.Kind == model.Stop && m.err != nil {
		a.leaving = false // the snapshot failed, and the run goes on
	}
	switch {
	case errors.Is(m.err, model.ErrReplaced), errors.Is(m.err, model.ErrUndone):
		return
	case m.err != nil:
		a.notice = fmt.Sprintf("%s: %v", m.cmd, m.err)
	case m.ack.Detail != "":
		a.notice = fmt.Sprintf("%d: %s", m.ack.Iter, m.ack.Detail)
	default:
		a.notice = fmt.Sprintf("%d: %s", m.ack.Iter, m.cmd)
	}
}

// layer returns the selected layer, or nil.
func (a *App) layer() *model.LayerStats {
	if a.snap == nil || a.selected >= len(a.snap.Layers) {
		return nil
	}
	return &a.snap.Layers[a.selected]
}

// key dispatches a key by the mode.
func (a *App) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if name == "ctrl+c" {
		if a.mode == quitting || a.session == nil {
			return a.stop(false)
		}
		a.mode = quitting
		return nil
	}
	a.notice = ""
	switch a.mode {
	case helping:
		a.mode = browsing
		return nil
	case quitting:
		return a.quitKey(name)
	case typing:
		return a.typeKey(k, name)
	}
	for i := range bindings {
		for _, b := range bindings[i].keys {
			if b == name && bindings[i].do != nil {
				return bindings[i].do(a)
			}
		}
	}
	return nil
}

// stop ends the run and the UI.
func (a *App) stop(save bool) tea.Cmd {
	if a.session == nil || a.snap != nil && a.snap.State.Ended() && a.snap.State != model.Finished {
		return tea.Quit
	}
	a.leaving = true
	return a.do(model.Command{Kind: model.Stop, Save: save})
}

// View implements tea.Model.
func (a *App) View() tea.View {
	v := tea.NewView(a.Frame(a.width, a.height))
	v.AltScreen = true
	v.WindowTitle = "dns-tui " + a.opts.Name
	return v
}

// Frame draws the whole screen as h lines of w cells.
func (a *App) Frame(w, h int) string {
	if w <= 0 || h <= 0 {
		return ""
	}
	var lines []string
	switch {
	case a.snap == nil:
		lines = a.loading(w, h)
	case a.mode == helping:
		lines = a.help(w, h)
	default:
		lines = a.layout(w, h)
		if a.mode == quitting {
			lines = a.overlay(lines, a.quitDialogue(w), w, h)
		}
	}
	for len(lines) < h {
		lines = append(lines, "")
	}
	lines = lines[:h]
	for i := range lines {
		lines[i] = a.theme.fit(lines[i], w)
	}
	return strings.Join(lines, "\n")
}

// loading is the screen before the session is there.
func (a *App) loading(w, _ int) []string {
	dots := strings.Repeat(".", 1+a.spin%3)
	return []string{a.theme.fit(a.theme.title.Render("dns-tui")+"  "+a.opts.Name, w), "", "  loading the net and its weights" + dots}
}

// overlay puts a box in the middle of the screen.
func (a *App) overlay(lines, box []string, w, h int) []string {
	for len(lines) < h {
		lines = append(lines, "")
	}
	top := max(0, (h-len(box))/2)
	for i, l := range box {
		if top+i < len(lines) {
			lines[top+i] = a.theme.fit(l, w)
		}
	}
	return lines
}
