// Package tui is the terminal UI: it draws a session's snapshots and sends it commands. It knows no device and no file.
package tui

import (
	"context"
	"errors"
	"fmt"
	"time"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"

	"dns-tui/config"
	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// Options of the UI.
type Options struct {
	// Open makes the session, in the background: the first frame does not wait for it.
	Open func() (session.Session, error)
	// Name is shown while the session is being made.
	Name string
	// Preferences are what the person likes; nil is what comes with the program.
	Preferences *config.Preferences
	// UTF8 says that the locale is UTF-8: without it pictures are drawn in ASCII.
	UTF8 bool
	// NoColor keeps to the terminal's own colours.
	NoColor bool
	// Attached says that the run was there before: who leaves while it does not answer leaves it as it is.
	Attached bool
	// ReadOnly refuses what would change the run.
	ReadOnly bool
	// Compare are runs whose curves are drawn beside this one's.
	Compare []Compared
}

// Compared is another run, as its journal tells it.
type Compared struct {
	Name    string
	History *session.History
}

// App is the top-level Bubble Tea model. Its parts are drawn from the latest snapshot; nothing in Update or View waits.
type App struct {
	opts     Options
	bindings []binding
	theme    theme
	session  session.Session
	snap     *session.Snapshot
	err      error // why there is no session, or none any more

	width, height int
	mode          mode
	under         mode // where a line that is typed goes back to
	input         textinput.Model
	question      question
	notice        string // the answer to the last command, until the next key
	noticeBad     bool
	leaving       bool   // a stop was sent; quit when it is done
	stopped       bool   // the run was stopped from here
	ordered       bool   // a stop was sent, and not refused
	still         string // the frame that is held; "" where none is
	blurred       bool
	slow          func() bool // whether the terminal lags; nil: not known
	spin          int
	resizes       int

	selected int                // layer
	filter   string             // of layers, by a part of their name
	marks    map[string]bool    // layers
	scope    scope              // what a choice is for
	handle   handle             // what the arrows move
	draft    map[string]float64 // thresholds being chosen, by layer, not sent yet
	copied   *copied
	top      int // first line of a text that scrolls
	search   string
	item     int // chosen in a list: form, states, palette
	field    string

	plot    plotState
	picture pictureState
	point   int // of the sensitivity
	layout  geometry
}

// mode is what the screen shows and the keyboard goes to.
type mode int

const (
	browsing mode = iota
	plotting
	picturing
	sensing
	reading
	forming
	returning
	helping
	quitting
	asking
	// A line is typed.
	typing
	filtering
	valuing
	searching
	editing
	choosing
)

func (m mode) String() string {
	return [...]string{"main", "plots", "picture", "sensitivity", "journal", "settings", "states", "help", "quit", "question", "command", "filter", "value", "search", "field", "palette"}[m]
}

// types reports whether keys go to the line.
func (m mode) types() bool { return m >= typing }

// New returns the UI. Preferences whose bindings contradict each other are refused.
func New(o Options) (*App, error) {
	if o.Preferences == nil {
		o.Preferences = config.DefaultPreferences()
	}
	table, err := bind(o.Preferences)
	if err != nil {
		return nil, err
	}
	in := textinput.New()
	in.CharLimit = 200
	in.ShowSuggestions = true
	// No colours of its own, and no blinking cursor, which sends bytes for nothing.
	line := textinput.StyleState{Suggestion: lipgloss.NewStyle().Faint(true)}
	in.SetStyles(textinput.Styles{Focused: line, Blurred: line})
	a := &App{
		opts:     o,
		bindings: table,
		draft:    map[string]float64{},
		marks:    map[string]bool{},
		input:    in,
		width:    80,
		height:   24,
	}
	a.plot.log = o.Preferences.GetLogScale()
	a.theme = newTheme(firstTier(o), o.Preferences.GetTheme() == configpb.Preferences_LIGHT, a.plain())
	return a, nil
}

// plain reports whether no colour is wanted.
func (a *App) plain() bool {
	return a.opts.NoColor || a.opts.Preferences.GetTheme() == configpb.Preferences_MONO
}

func firstTier(o Options) tier {
	switch g := o.Preferences.GetGlyphs(); {
	case !o.UTF8, g == configpb.Preferences_ASCII:
		return asciiTier
	case g == configpb.Preferences_BRAILLE:
		return brailleTier
	}
	return blockTier
}

// Err returns why the session could not be made, after the program has ended.
func (a *App) Err() error { return a.err }

// Opened reports whether the session was there before the UI ended.
func (a *App) Opened() bool { return a.session != nil }

// Stopped reports whether the run was stopped from here.
func (a *App) Stopped() bool { return a.stopped }

// StopOrdered reports whether the run was told to stop from here, though the terminal may have been left without its
// answer.
func (a *App) StopOrdered() bool { return a.ordered }

// settleTime is how long a size must last before the screen is drawn anew.
const settleTime = 250 * time.Millisecond

type (
	settledMsg int
	openedMsg  struct {
		session session.Session
		err     error
	}
	tickMsg struct{}
	ackMsg  struct {
		cmd session.Command
		ack session.Ack
		err error
	}
)

// Init implements tea.Model.
func (a *App) Init() tea.Cmd {
	open := func() tea.Msg {
		s, err := a.opts.Open()
		return openedMsg{s, err}
	}
	return tea.Batch(open, a.tick(), tea.RequestBackgroundColor)
}

// lazy is how much longer a look waits while nobody looks, or the terminal lags.
const lazy = 5

// interval is the time to the next look at the run.
func (a *App) interval() time.Duration {
	d := a.opts.Preferences.RefreshTime()
	if a.blurred || a.slow != nil && a.slow() {
		d *= lazy
	}
	return d
}

func (a *App) tick() tea.Cmd {
	return tea.Tick(a.interval(), func(time.Time) tea.Msg { return tickMsg{} })
}

// Update implements tea.Model.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		a.width, a.height, a.still = m.Width, m.Height, ""
		// Frames on their way when the size changed may have left anything on the screen: once it has settled, it is
		// drawn anew.
		a.resizes++
		n := a.resizes
		return a, tea.Batch(a.lookAnew(), tea.Tick(settleTime, func(time.Time) tea.Msg { return settledMsg(n) }))
	case settledMsg:
		if int(m) == a.resizes {
			return a, tea.ClearScreen
		}
	case tea.BackgroundColorMsg:
		if a.opts.Preferences.GetTheme() == configpb.Preferences_AUTO {
			a.theme = newTheme(a.theme.tier, !m.IsDark(), a.plain())
		}
	case tea.ColorProfileMsg:
		if m.Profile != colorprofile.Unknown && m.Profile <= colorprofile.ASCII {
			a.opts.NoColor = true
			a.theme = newTheme(a.theme.tier, a.theme.light, true)
		}
	case tea.FocusMsg:
		a.blurred = false
		a.look()
	case tea.BlurMsg:
		a.blurred = true
	case openedMsg:
		if m.err != nil {
			a.err = m.err
			return a, tea.Quit
		}
		a.session = m.session
		a.look()
	case tickMsg:
		return a, a.ticked()
	case ackMsg:
		a.answer(m)
		a.look()
	case tea.KeyPressMsg:
		return a, a.key(m)
	case tea.MouseMsg:
		return a, a.mouse(m)
	case tea.PasteMsg:
		if a.mode.types() {
			var cmd tea.Cmd
			a.input, cmd = a.input.Update(msg)
			a.typed()
			return a, cmd
		}
	}
	return a, nil
}

func (a *App) ticked() tea.Cmd {
	a.spin++
	a.look()
	if a.snap != nil && (a.leaving && (a.snap.State == session.Stopped || a.snap.State == session.Failed) || a.gone()) {
		return tea.Quit
	}
	return tea.Batch(a.tick(), a.lookAgain())
}

// gone reports whether a session in another process has ended, or its process has.
func (a *App) gone() bool {
	s, ok := a.session.(interface{ Gone() <-chan struct{} })
	if !ok {
		return false
	}
	select {
	case <-s.Gone():
		return true
	default:
		return false
	}
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
func (a *App) do(c session.Command) tea.Cmd {
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
	if m.cmd.Kind == session.Look {
		a.looked(m)
		return
	}
	a.noticeBad = m.err != nil
	if m.cmd.Kind == session.Stop && m.err != nil && !errors.Is(m.err, session.ErrEnded) {
		a.leaving, a.stopped, a.ordered = false, false, false // the snapshot failed, and the run goes on
	}
	switch {
	case m.cmd.Kind == session.Stop && errors.Is(m.err, session.ErrEnded):
		return
	case errors.Is(m.err, session.ErrReplaced), errors.Is(m.err, session.ErrUndone):
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
func (a *App) layer() *session.LayerStats {
	if a.snap == nil || len(a.visible()) == 0 || a.selected >= len(a.snap.Layers) {
		return nil
	}
	return &a.snap.Layers[a.selected]
}

// say shows a refusal until the next key.
func (a *App) say(text string) { a.notice, a.noticeBad = text, true }

// enter changes the screen.
func (a *App) enter(m mode) tea.Cmd {
	if a.snap == nil && m != quitting {
		return nil
	}
	if !m.types() {
		a.mode, a.top, a.item = m, 0, 0
	}
	switch m {
	case plotting:
		a.plot.cursor = -1
	case picturing:
		a.picture = pictureState{filters: true}
		return a.lookAnew()
	case typing:
		return a.startLine(typing, ":", "", append(a.snap.Hyper.Fields(), commandWords...))
	case filtering:
		return a.startLine(filtering, "/", a.filter, nil)
	case searching:
		return a.startLine(searching, "/", a.search, nil)
	case choosing:
		a.item = 0
		return a.startLine(choosing, "> ", "", nil)
	}
	return nil
}

// key dispatches a key by the mode.
func (a *App) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if a.still != "" {
		a.still = ""
		return nil
	}
	if name == "ctrl+c" {
		switch {
		case a.leaving: // the run does not answer: it is left to itself
			a.leaving, a.stopped = false, false
			return tea.Quit
		case a.mode == quitting || a.session == nil:
			return a.stop(true)
		}
		a.mode = quitting
		return nil
	}
	a.notice = ""
	switch {
	case a.session == nil:
		return a.loadingKey(name)
	case a.mode == quitting:
		return a.quitKey(name)
	case a.mode == asking:
		return a.answerKey(name)
	case a.mode.types():
		return a.lineKey(k, name)
	}
	for i := range a.bindings {
		if b := &a.bindings[i]; b.in&in(a.mode) != 0 && contains(b.keys, name) {
			return a.run(b)
		}
	}
	if a.mode == helping { // any other key leaves the help
		a.mode = browsing
	}
	return nil
}

// loadingKey is a key before the session is there. There is nothing to lose yet, and so no question.
func (a *App) loadingKey(name string) tea.Cmd {
	for i := range a.bindings {
		if b := &a.bindings[i]; b.name == "quit" && contains(b.keys, name) {
			return a.stop(false)
		}
	}
	if a.opts.Attached && name == "d" {
		return tea.Quit
	}
	return nil
}

// stop ends the run and the UI. Who only watches ends the UI.
func (a *App) stop(save bool) tea.Cmd {
	if a.opts.ReadOnly && a.session != nil {
		return a.detach()
	}
	a.stopped, a.ordered = a.session != nil, a.session != nil
	if a.session == nil || a.snap != nil && a.snap.State.Ended() && a.snap.State != session.Finished {
		return tea.Quit
	}
	a.leaving = true
	a.notice, a.noticeBad = "stopping; ctrl+c once more leaves without waiting", false
	return a.do(session.Command{Kind: session.Stop, Save: save})
}

// detach leaves the run to itself.
func (a *App) detach() tea.Cmd {
	if s, ok := a.session.(interface{ Run() string }); !ok || s.Run() == "" {
		if !a.leaving {
			a.say("this run could not be attached to: it has no socket (the journal says why)")
			return nil
		}
	}
	a.leaving, a.stopped = false, false
	return tea.Quit
}

// nextTier draws with other glyphs.
func (a *App) nextTier() tea.Cmd {
	a.theme = newTheme((a.theme.tier+1)%tiers, a.theme.light, a.theme.mono)
	a.notice, a.noticeBad = "drawn with "+a.theme.tier.String(), false
	return a.lookAnew()
}

// freeze holds the screen still.
func (a *App) freeze() tea.Cmd {
	a.still = a.Frame(a.width, a.height)
	return nil
}
