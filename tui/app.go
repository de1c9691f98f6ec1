// Package tui is the terminal UI: it draws a session's snapshots and sends it commands. It knows no device and no file.
package tui

import (
	"context"
	"errors"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"dns-tui/config"
	"dns-tui/config/configpb"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// Options of the UI.
type Options struct {
	// Open makes the session, in the background: the first frame does not wait for it.
	Open func() (session.Session, error)
	// Name is shown while the session is being made.
	Name string
	// Preferences are the user's; nil is those that come with the program.
	Preferences *config.Preferences
	// UTF8 says that the locale is UTF-8: without it pictures are drawn in ASCII.
	UTF8 bool
	// NoBraille says that the terminal's font is likely to have no braille: that is used only where it is asked for.
	NoBraille bool
	// NoColor keeps to the terminal's own colours.
	NoColor bool
	// Attached says that the run was there before: leaving while it does not answer leaves it as it is.
	Attached bool
	// ReadOnly refuses what would change the run.
	ReadOnly bool
	// History are the commands that were entered before, oldest first; Remember keeps one for the next time, where it
	// is set.
	History  []string
	Remember func(command string) error
	// Compare are runs whose curves are drawn beside this one's.
	Compare []Compared
	// Journals finds more of them; without its functions there are no more.
	Journals Journals
}

// App is the top-level Bubble Tea model: the session and its snapshots, the terminal, and which screen, dialog and line
// are open. Nothing in Update or View waits.
type App struct {
	*env
	opts    Options
	keys    *keyMap
	session session.Session
	err     error // why there is no session, or none any more

	sel     *selection
	screens [screenCount]screen
	open    screenID
	dialog  dialog // over the screen; nil where none is
	line    *line  // that is typed; nil where none is
	notice  notice // the answer to the last command, for a while or until the next key

	alerts  alerts
	exit    exit
	held    string // the frame that is held; "" where none is
	blurred bool
	slow    func() bool // whether the terminal lags; nil: not known
	resizes int
	frames  frames
	clock   func() time.Time
	news    time.Time // when the last snapshot came
	told    time.Time // when the notice was made
}

// exit is how the run is being left.
type exit struct {
	leaving  bool // a stop was sent; quit when it is done
	stopped  bool // the run was stopped from here
	stopSent bool // a stop was sent, and not rejected
}

// New returns the UI. Preferences whose bindings contradict each other are refused.
func New(o Options) (*App, error) {
	if o.Preferences == nil {
		o.Preferences = config.DefaultPreferences()
	}
	keys, err := bind(o.Preferences)
	if err != nil {
		return nil, err
	}
	e := &env{
		prefs:    o.Preferences,
		compare:  o.Compare,
		allKeys:  keys,
		readOnly: o.ReadOnly,
		logScale: o.Preferences.GetLogScale(),
		width:    80,
		height:   24,
	}
	e.history.lines = o.History
	sel := &selection{env: e}
	a := &App{env: e, opts: o, keys: keys, sel: sel, clock: time.Now}
	a.alerts.by = o.Preferences.GetAlert()
	a.screens = [screenCount]screen{
		mainID:        newMainScreen(e, keys, sel),
		plotsID:       &plots{env: e, keys: &keys.Plots, plotter: plotter{e, sel}},
		picturesID:    &pictures{env: e, keys: &keys.Pictures, sel: sel},
		sensitivityID: &sensitivity{env: e, keys: &keys.Sensitivity, sel: sel, plotter: plotter{e, sel}},
		autopilotID:   newAutopilotScreen(e, keys, sel),
		frontierID:    &frontier{env: e, keys: &keys.Frontier, plotter: plotter{e, sel}},
		shipID:        &shipped{env: e, keys: &keys.Shipped},
		ranksID:       &ranks{env: e, keys: &keys.Ranks},
		journalID:     &journal{env: e, keys: &keys.Text},
		settingsID:    &settings{env: e, keys: &keys.Settings},
		restoreID:     &restorePoints{env: e, keys: &keys.Restore},
		helpID:        &help{env: e, keys: keys},
	}
	a.theme = o.theme()
	return a, nil
}

// plain reports whether no colour is wanted.
func (o *Options) plain() bool {
	return o.NoColor || o.Preferences.GetTheme() == configpb.Preferences_MONO
}

// theme is the one to begin with, before the terminal has answered.
func (o *Options) theme() theme {
	return newTheme(firstTier(*o), o.Preferences.GetTheme() == configpb.Preferences_LIGHT, o.plain())
}

// adapt is a theme for what a terminal says of itself: its background, or how many colours it has.
func (o *Options) adapt(t theme, msg tea.Msg) theme {
	switch m := msg.(type) {
	case tea.BackgroundColorMsg:
		if o.Preferences.GetTheme() == configpb.Preferences_AUTO {
			return newTheme(t.tier, !m.IsDark(), o.plain())
		}
	case tea.ColorProfileMsg:
		if m.Profile != colorprofile.Unknown && m.Profile <= colorprofile.ASCII {
			o.NoColor = true
			return newTheme(t.tier, t.light, true)
		}
	}
	return t
}

// firstTier is what is drawn with at the start: what the preferences say, as far as the terminal can, or the finest.
func firstTier(o Options) tier {
	switch g := o.Preferences.GetGlyphs(); {
	case !o.UTF8, g == configpb.Preferences_ASCII:
		return asciiTier
	case g == configpb.Preferences_BLOCK, g == configpb.Preferences_BEST && o.NoBraille:
		return blockTier
	}
	return brailleTier
}

// Err returns why the session could not be made, after the program has ended.
func (a *App) Err() error { return a.err }

// Opened reports whether the session was there before the UI ended.
func (a *App) Opened() bool { return a.session != nil }

// Stopped reports whether the run was stopped from here.
func (a *App) Stopped() bool { return a.exit.stopped }

// StopSent reports whether the run was told to stop from here, though the terminal may have been left without its
// answer.
func (a *App) StopSent() bool { return a.exit.stopSent }

// settleTime is how long a size must last before the screen is drawn anew.
const settleTime = 250 * time.Millisecond

type (
	settledMsg int
	openedMsg  struct {
		session session.Session
		err     error
	}
	frameDue      struct{}
	notRemembered struct{ err error }
	tickMsg       struct{}
	ackMsg        struct {
		flight int
		cmd    session.Command
		typed  string // in the command line; "" where it was not
		ack    session.Ack
		err    error
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

// idleFactor is how much longer a look waits while nobody looks, or the terminal lags.
const idleFactor = 5

// interval is the time to the next look at the run.
func (a *App) interval() time.Duration {
	d := a.prefs.RefreshTime()
	if a.blurred || a.slow != nil && a.slow() {
		d *= idleFactor
	}
	return d
}

func (a *App) tick() tea.Cmd {
	return tea.Tick(a.interval(), func(time.Time) tea.Msg { return tickMsg{} })
}

// Update implements tea.Model.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := a.take(msg)
	a.arrange()
	return a, tea.Batch(cmd, a.paceFrames(msg))
}

// take takes in a message.
func (a *App) take(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		a.width, a.height, a.held = m.Width, m.Height, ""
		// Frames on their way when the size changed may have left anything on the screen: once it has settled, it is
		// drawn anew.
		a.resizes++
		n := a.resizes
		settle := tea.Tick(settleTime, func(time.Time) tea.Msg { return settledMsg(n) })
		return tea.Batch(a.pass(m), settle)
	case settledMsg:
		if int(m) == a.resizes {
			return tea.ClearScreen
		}
	case tea.BackgroundColorMsg, tea.ColorProfileMsg:
		a.theme = a.opts.adapt(a.theme, msg)
	case tea.ResumeMsg: // after a suspension
		a.look()
		return tea.ClearScreen
	case tea.FocusMsg:
		a.blurred = false
		a.look()
	case tea.BlurMsg:
		a.blurred = true
	case openedMsg:
		if m.err != nil {
			a.err = m.err
			return tea.Quit
		}
		a.session = m.session
		a.look()
		if s := a.snap.Search; s != nil && s.Running {
			return a.perform(show{frontierID})
		}
	case tickMsg:
		return a.ticked(m)
	case ackMsg:
		a.flights.end(m.flight)
		cmd := tea.Batch(a.answer(m), a.retype(m))
		a.look()
		return cmd
	case notRemembered:
		a.tell(notice{"the command is not kept for the next run: " + m.err.Error(), true})
		a.opts.Remember = nil // said once
	case journalsListed, journalRead:
		if read, ok := m.(journalRead); ok {
			a.compared(read)
		}
		if c, ok := a.dialog.(*compareDialog); ok {
			c.take(m)
		}
	case predicted:
		return a.perform(a.screens[autopilotID].Update(m))
	case tea.KeyPressMsg:
		return a.key(m)
	case tea.MouseMsg:
		if a.snap != nil && a.dialog == nil && a.line == nil && a.held == "" {
			return a.pass(m)
		}
	case tea.PasteMsg:
		if a.line != nil {
			return a.typed(m)
		}
	}
	return nil
}

// pass hands a message to the open screen.
func (a *App) pass(msg tea.Msg) tea.Cmd {
	if a.snap == nil {
		return nil
	}
	return a.perform(a.screens[a.open].Update(msg))
}

func (a *App) ticked(m tickMsg) tea.Cmd {
	a.ticks++
	a.look()
	a.forgetNotice()
	var alert tea.Cmd
	if a.snap != nil {
		if text := a.alerts.look(a.snap); text != "" {
			alert = a.alerts.tell(text)
		}
		ended := a.snap.State == session.Stopped || a.snap.State == session.Failed
		if a.exit.leaving && ended || a.gone() {
			return tea.Quit
		}
	}
	return tea.Batch(alert, a.pass(m), a.tick())
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
	before, now := a.snap, a.clock()
	a.snap = a.session.Snapshot()
	if a.snap == nil || before == nil || !a.snap.Published.Equal(before.Published) {
		a.follow(before, now.Sub(a.news))
		a.news = now
	}
	a.silence = now.Sub(a.news)
}

// follow takes in how long news took: what is usual of this run.
func (a *App) follow(before *session.Snapshot, took time.Duration) {
	if before == nil || before.State != session.Running && before.State != session.Testing {
		return
	}
	a.pace = max(took, a.pace-a.pace/8)
	if v := a.snap.PerSecond; v > 0 {
		a.pace = max(a.pace, time.Duration(float64(time.Second)/v))
	}
}

// How long the answer to a command stands in the last line, and a problem, if no key is pressed.
const (
	answerTime  = 4 * time.Second
	problemTime = 15 * time.Second
)

// tell shows a notice.
func (a *App) tell(n notice) { a.notice, a.told = n, a.clock() }

// forgetNotice takes a notice away that has stood for its time. What is wrong with a line stays as long as the line.
func (a *App) forgetNotice() {
	stands := answerTime
	if a.notice.bad {
		stands = problemTime
	}
	if a.line == nil && !a.exit.leaving && a.clock().Sub(a.told) >= stands {
		a.notice = notice{}
	}
}

// arrange lays out what is open, for what there is now.
func (a *App) arrange() {
	if a.snap == nil {
		return
	}
	a.sel.arrange()
	a.screens[a.open].Arrange(a.room())
	if a.line != nil {
		a.line.Arrange()
	}
}

// do hands a command to the session, which typed is the text of; the answer comes as a message.
func (a *App) do(c session.Command, typed string) tea.Cmd {
	s := a.session
	if s == nil {
		return nil
	}
	id := 0
	if !c.ReadsOnly() {
		id = a.flights.begin(c, a.snap)
	}
	return func() tea.Msg {
		ack, err := s.Do(context.Background(), c)
		return ackMsg{id, c, typed, ack, err}
	}
}

// predict asks the session what settings of the autopilot would come to; the screen gets the answer.
func (a *App) predict(settings []autopilot.Setting) tea.Cmd {
	s := a.session
	request := session.AutopilotRequest{Action: session.AutopilotPredict, Settings: settings}
	return func() tea.Msg {
		ack, err := s.Do(context.Background(), session.Command{Kind: session.Steer, Autopilot: request})
		return predicted{ack.Prediction, err}
	}
}

// retype puts a typed command that was rejected back into the line, with what is wrong beside it; one that was taken is
// remembered.
func (a *App) retype(m ackMsg) tea.Cmd {
	switch {
	case m.typed == "":
		return nil
	case m.err == nil || errors.Is(m.err, session.ErrUndone) || errors.Is(m.err, session.ErrReplaced):
		return a.remember(m.typed)
	case a.line != nil || a.dialog != nil || errors.Is(m.err, session.ErrEnded):
		return nil
	}
	problem := a.notice
	cmd := a.perform(typeLine{purpose: newCommandLine(a.env), value: m.typed})
	a.tell(problem)
	return cmd
}

// remember keeps a command, for this run and the next.
func (a *App) remember(text string) tea.Cmd {
	keep := a.opts.Remember
	if !a.history.add(text) || keep == nil {
		return nil
	}
	return func() tea.Msg {
		if err := keep(text); err != nil {
			return notRemembered{err}
		}
		return nil
	}
}

// answer shows what became of a command.
func (a *App) answer(m ackMsg) tea.Cmd {
	stop, ended := m.cmd.Kind == session.Stop, errors.Is(m.err, session.ErrEnded)
	if stop && m.err != nil && !ended {
		a.exit = exit{} // the snapshot failed, and the run goes on
	}
	switch {
	case m.cmd.Kind == session.Look:
		return a.perform(a.screens[picturesID].Update(lookedAt{m.cmd.Layer, m.cmd.Area, m.ack.Picture, m.err}))
	case stop && ended, errors.Is(m.err, session.ErrReplaced), errors.Is(m.err, session.ErrUndone):
	case m.err != nil:
		a.tell(notice{fmt.Sprintf("%s: %v", m.cmd, m.err), true})
	case m.ack.Detail != "":
		a.tell(notice{text: fmt.Sprintf("%d: %s", m.ack.Iter, m.ack.Detail)})
	default:
		a.tell(notice{text: fmt.Sprintf("%d: %s", m.ack.Iter, m.cmd)})
	}
	return nil
}
