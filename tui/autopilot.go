package tui

import (
	"errors"

	tea "charm.land/bubbletea/v2"

	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// autopilotScreen has the descent: where it stands, its schedule, what each layer would keep, and its settings.
type autopilotScreen struct {
	*env
	keys      *autopilotKeys
	sel       *selection
	plotter   plotter
	predictor predictor
	draft     autopilot.Settings // typed while the autopilot is off, and not sent: there is no target yet
	typing    *optionLine        // nil: nothing is typed
	onLayers  bool               // keys choose layers, not options
	inFile    autopilot.Target   // of the solver's file, while the autopilot is off
	none      error              // why this run has no autopilot

	outlook outlook
	form    list // of the options
	table   list // of the layers
	state   []string
	panes   []pane
	w, h    int
}

// autopilotKeys are the keys of the autopilot.
type autopilotKeys struct {
	Up, Down, Panel, Type, Pause, Pin, Exclude, Floor, Ceiling, Off binding
}

func defaultAutopilotKeys() autopilotKeys {
	return autopilotKeys{
		Up:      act("auto-up", "the option or layer above", "up", "k"),
		Down:    act("auto-down", "the option or layer below", "down", "j"),
		Panel:   act("auto-panel", "from the options to the layers, and back", "tab").footer("layers"),
		Type:    act("auto-type", "type the option, or the layer's floor", "enter", "e").footer("type").steer(),
		Pause:   act("auto-pause", "pause the descent, or let it go on", "h").footer("pause descent").steer(),
		Pin:     act("auto-pin", "pin the layer's threshold, or have it found again", "p").footer("pin").steer(),
		Exclude: act("auto-exclude", "leave the layer out of the descent, or take it in", "X").steer(),
		Floor:   act("auto-floor", "type what the layer keeps at least", "f").steer(),
		Ceiling: act("auto-ceiling", "type what the layer keeps at most", "c").steer(),
		Off: act(
			"auto-off",
			"hand the thresholds back, after a question",
			"D",
			"delete",
		).footer("hand back").
			steer(),
	}
}

func newAutopilotScreen(e *env, k *keyMap, sel *selection) *autopilotScreen {
	return &autopilotScreen{
		env:     e,
		keys:    &k.Autopilot,
		sel:     sel,
		plotter: plotter{e, sel},
		draft:   autopilot.DefaultSettings(),
	}
}

// Update implements screen.
func (s *autopilotScreen) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		s.onLayers = false
		s.form.reset()
		s.inFile = autopilot.Target{}
		if s.snap.Autopilot == nil && s.typing == nil {
			s.predictor.forget()
			return s.predictor.want(s.edits(s.draft)) // the solver's file may have a target
		}
	case predicted:
		return s.answered(msg)
	case travel:
		s.move(msg.by(s.listRows()))
	case action:
		return s.act(msg.binding)
	case tea.MouseMsg:
		s.mouse(msg)
	}
	return nil
}

// mouse selects options and layers by clicks and the wheel.
func (s *autopilotScreen) mouse(msg tea.MouseMsg) {
	e := msg.Mouse()
	switch e.Button {
	case tea.MouseWheelUp:
		s.move(-1)
	case tea.MouseWheelDown:
		s.move(1)
	case tea.MouseLeft:
		for _, p := range s.panes {
			x, y, ok := p.inside(e.X, e.Y-1) // below the header
			if ok && x > 0 {
				s.click(p, y)
			}
		}
	}
}

// click is on a line of a part, counted from its frame.
func (s *autopilotScreen) click(p pane, y int) {
	switch p.shows {
	case formPart:
		from, to := s.form.window(len(autopilot.Options), formRows(p.h))
		if i := from + y - 1; y >= 1 && i < to {
			s.onLayers, s.form.chosen = false, i
		}
	case layersPart:
		from, to := s.table.window(len(s.sel.visible), layerRows(p.h))
		if i := from + y - 2; y >= 2 && i < to { // below the head
			s.onLayers, s.sel.index = true, s.sel.visible[i]
		}
	}
}

// answered takes in what the session predicts. What is wrong with what is typed is said beside the line.
func (s *autopilotScreen) answered(msg predicted) intent {
	if errors.Is(msg.err, session.ErrNoAutopilot) {
		s.none = msg.err
	}
	i := s.predictor.answered(msg)
	if p := s.predictor.answer; s.typing == nil && s.snap.Autopilot == nil && p != nil {
		s.inFile = p.Descent.Settings.Target
	}
	if s.typing != nil && s.predictor.current && s.problem() != nil {
		return intents{i, refuse(s.problem().Error())}
	}
	return i
}

// problem is why what is typed cannot be. That there is no target yet is none.
func (s *autopilotScreen) problem() error {
	switch t := s.typing; {
	case t == nil:
		return nil
	case t.err != nil:
		return t.err
	case !t.aims() && s.inFile.Unit == autopilot.NoTarget:
		return nil
	}
	return s.predictor.problem
}

func (s *autopilotScreen) act(b *binding) intent {
	k := s.keys
	if b.steers && s.snap.State.Ended() {
		return refuse("the run is " + s.snap.State.String() + ": its thresholds stay as they are")
	}
	switch b {
	case &k.Up:
		s.move(-1)
	case &k.Down:
		s.move(1)
	case &k.Panel:
		s.onLayers = !s.onLayers
	case &k.Type:
		if s.onLayers {
			return s.typeLimit("floor")
		}
		return s.typeOption(autopilot.Options[s.form.chosen])
	case &k.Floor:
		return s.typeLimit("floor")
	case &k.Ceiling:
		return s.typeLimit("ceiling")
	case &k.Pin:
		return s.ofLayer(b, s.pin)
	case &k.Exclude:
		return s.ofLayer(b, s.exclude)
	case &k.Pause:
		return s.pause()
	case &k.Off:
		return s.handBack()
	}
	return nil
}

// move selects another option, or another layer.
func (s *autopilotScreen) move(by int) {
	if s.onLayers {
		s.sel.move(by)
	} else {
		s.form.move(by)
	}
}

// listRows is how many lines the list has that keys move in.
func (s *autopilotScreen) listRows() int {
	for _, p := range s.panes {
		switch {
		case p.shows == layersPart && s.onLayers:
			return layerRows(p.h)
		case p.shows == formPart && !s.onLayers:
			return formRows(p.h)
		}
	}
	return 1
}

// pause pauses the descent, or lets it go on.
func (s *autopilotScreen) pause() intent {
	do := session.AutopilotPause
	if a := s.snap.Autopilot; a != nil && a.Held >= 0 {
		do = session.AutopilotResume
	}
	return steerAutopilot(do)
}

// steerAutopilot is a command to the autopilot.
func steerAutopilot(do session.AutopilotAction, settings ...autopilot.Setting) intent {
	request := session.AutopilotRequest{Action: do, Settings: settings}
	return send{session.Command{Kind: session.Steer, Autopilot: request}}
}

// handBack asks whether the thresholds are to be a person's again.
func (s *autopilotScreen) handBack() intent {
	a := s.snap.Autopilot
	if a == nil {
		s.draft = autopilot.DefaultSettings()
		s.predictor.forget()
		return notice{text: "the autopilot is off; what was typed for it is dropped"}
	}
	lines := []string{
		"It is " + stateWords(s.snap) + ". Thresholds stay as they are, and are yours from then on.",
	}
	if a.Done && a.RateFactor < 1 {
		lines = append(lines, "The learning rate is the solver's again: the anneal ends.")
	}
	if way := s.naming("%s takes this back.", &s.allKeys.Run.Undo); way != "" {
		lines = append(lines, way)
	}
	return ask{&question{env: s.env, title: "Hand the thresholds back?", key: "D", yes: "hand them back",
		lines: lines, do: steerAutopilot(session.AutopilotOff)}}
}

// Parts of the screen: what its panes show.
const (
	statePart = iota
	barePart  // the state without a frame
	curvePart
	formPart
	layersPart
)

// fewLines is below which the screen has no room for frames around all of its parts.
const fewLines = 14

// Arrange implements screen: the parts are placed for the size of the terminal.
//
//	up to 99 wide       one column: state, schedule, and options or layers
//	100 and wider       two columns: state and options, schedule and layers
//	up to 13 high       one column: two lines of state, and options or layers
func (s *autopilotScreen) Arrange(w, h int) {
	s.w, s.h, s.panes = w, h, s.panes[:0]
	if s.snap.Autopilot != nil {
		s.draft = autopilot.DefaultSettings()
	}
	s.outlook = outlookOf(s.snap, s.predictor.answer, s.base())
	left := w * 9 / 20
	wide, small := w >= 100 && h >= fewLines, h < fewLines
	put := func(part, x, y, w, h int) { s.panes = append(s.panes, pane{shows: part, x: x, y: y, w: w, h: h}) }
	switch {
	case wide:
		s.arrangeState(left-4, false)
		state := min(len(s.state)+2, h/2)
		layers := min(len(s.sel.visible)+4, max(6, h/2))
		put(statePart, 0, 0, left, state)
		put(formPart, 0, state, left, h-state)
		put(curvePart, left, 0, w-left, h-layers)
		put(layersPart, left, h-layers, w-left, layers)
	case small:
		s.arrangeState(w, true)
		state := clamp(2, h-1)
		put(barePart, 0, 0, w, state)
		put(s.shownList(), 0, state, w, h-state)
	default:
		s.arrangeState(w-4, s.typing != nil)
		state, curve := min(len(s.state)+2, max(4, h/3)), 0
		if rest := h - state; rest >= 14 {
			curve = max(8, rest*2/5)
		}
		put(statePart, 0, 0, w, state)
		put(curvePart, 0, state, w, curve)
		put(s.shownList(), 0, state+curve, w, h-state-curve)
	}
	for _, p := range s.panes {
		switch p.shows {
		case formPart:
			s.form.fit(len(autopilot.Options), formRows(p.h))
		case layersPart:
			s.table = s.sel.list
			s.table.fit(len(s.sel.visible), layerRows(p.h))
		}
	}
}

// shownList is the list that a narrow terminal shows: while something is typed, what it would do.
func (s *autopilotScreen) shownList() int {
	if s.onLayers || s.typing != nil {
		return layersPart
	}
	return formPart
}

// shows reports whether a part is on the screen.
func (s *autopilotScreen) shows(part int) bool {
	for _, p := range s.panes {
		if p.shows == part && p.h > 0 {
			return true
		}
	}
	return false
}

// View implements screen.
func (s *autopilotScreen) View() []string {
	lines := make([]string, s.h)
	for _, p := range s.panes {
		for i, l := range firstLines(s.draw(p), p.h) { // panes stand in the order of their columns
			lines[p.y+i] += l
		}
	}
	return lines
}

// draw draws a part.
func (s *autopilotScreen) draw(p pane) []string {
	switch {
	case p.h <= 0:
		return nil
	case p.shows == statePart:
		return s.theme.box(s.title(), s.state, p.w, p.h)
	case p.shows == barePart:
		out := make([]string, p.h)
		for i, l := range padded(s.state, p.h)[:p.h] {
			out[i] = s.theme.fit(l, p.w)
		}
		return out
	case p.shows == curvePart:
		return s.schedule(p.w, p.h)
	case p.shows == formPart:
		return s.options(p.w, p.h)
	}
	return s.layers(p.w, p.h)
}

func (s *autopilotScreen) title() string {
	if a := s.snap.Autopilot; a != nil {
		return s.theme.text("Autopilot  " + targetWords(&a.Descent))
	}
	return "Autopilot"
}
