package tui

import (
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// base is what settings that are typed change: those of the descent, or those typed before it begins.
func (s *autopilotScreen) base() autopilot.Settings {
	if a := s.snap.Autopilot; a != nil {
		return a.Asked
	}
	return s.draft
}

// edits are what has the session go by other settings.
func (s *autopilotScreen) edits(next autopilot.Settings) []autopilot.Setting {
	from := autopilot.DefaultSettings()
	if a := s.snap.Autopilot; a != nil {
		from = a.Asked
	}
	return from.Differences(next)
}

// change has the session go by other settings; before there is a target they wait for one.
func (s *autopilotScreen) change(next autopilot.Settings, err error) intent {
	if err != nil {
		return refuse(err.Error())
	}
	edits := s.edits(next)
	switch {
	case s.snap.Autopilot != nil && len(edits) == 0:
		return nil
	case s.snap.Autopilot == nil && next.Target.Unit == autopilot.NoTarget && s.inFile.Unit == autopilot.NoTarget:
		s.draft = next
		return notice{text: "noted: the descent begins with a target"}
	}
	s.predictor.forget()
	return steerAutopilot(session.AutopilotSet, edits...)
}

// typeOption types the value of an option.
func (s *autopilotScreen) typeOption(o autopilot.Option) intent {
	base := s.base()
	value := o.Text(base)
	if value == o.Text(autopilot.DefaultSettings()) {
		value = ""
	}
	if o.Name == "target" && value == "" {
		value = s.inFile.String()
	}
	return s.typeValue(o, value)
}

// typeLimit types floor or ceiling of the selected layer.
func (s *autopilotScreen) typeLimit(name string) intent {
	l := s.sel.layer()
	o, err := autopilot.FindOption(name)
	if l == nil || err != nil {
		return nil
	}
	s.onLayers = true
	for _, word := range o.Completions([]string{l.Name}) {
		if strings.HasSuffix(word, "=") {
			return s.typeValue(o, word)
		}
	}
	return nil
}

func (s *autopilotScreen) typeValue(o autopilot.Option, value string) intent {
	if s.none != nil {
		return refuse(s.none.Error())
	}
	s.typing = &optionLine{screen: s, option: o}
	s.predictor.forget()
	line := typeLine{purpose: s.typing, value: value}
	if i, err := s.typing.typed(value); err == nil && s.snap.Autopilot == nil {
		return intents{line, i}
	}
	s.typing.err = nil // nobody has typed yet
	return line
}

// ofLayer does something to the selected layer; where that is not on the screen, it is shown first.
func (s *autopilotScreen) ofLayer(b *binding, do func(layer string) intent) intent {
	l := s.sel.layer()
	switch {
	case l == nil:
		return refuse("no layer of this net can be pruned")
	case !s.shows(layersPart):
		s.onLayers = true
		return notice{text: l.Name + " is selected: " + b.key() + " once more does it"}
	}
	return do(l.Name)
}

// pin pins a layer, or has its threshold found again.
func (s *autopilotScreen) pin(layer string) intent {
	base := s.base()
	pinned := func(l autopilot.LayerLimits) bool { return l.Name == layer && l.Pinned }
	if slices.ContainsFunc(base.Limits, pinned) {
		return s.change(base.Unpin(layer))
	}
	return s.change(base.Pin([]string{layer}))
}

// exclude leaves a layer out, or takes it in.
func (s *autopilotScreen) exclude(layer string) intent {
	base := s.base()
	if slices.Contains(base.Exclude, layer) || len(base.Layers) > 0 && !slices.Contains(base.Layers, layer) {
		return s.change(base.TakeIn(layer))
	}
	if a := s.snap.Autopilot; a != nil && slices.Contains(a.Descent.Settings.Exclude, layer) {
		// The net or a person left it out of surgery: it is taken in by its name.
		base.Layers, base.Exclude = nil, nil
		for i := range s.outlook.layers {
			if l := &s.outlook.layers[i]; !l.Excluded || l.Name == layer {
				base.Layers = append(base.Layers, l.Name)
			}
		}
		return s.change(base, base.Validate())
	}
	return s.change(base.LeaveOut(layer))
}

// optionLine is the value of an option, with what it would come to.
type optionLine struct {
	plainLine
	screen *autopilotScreen
	option autopilot.Option
	next   autopilot.Settings // as typed, where that is valid
	valid  bool
	err    error // why it is not
}

func (*optionLine) String() string   { return "option" }
func (l *optionLine) prompt() string { return l.option.Name + ": " }

// aims reports whether what is typed has a target.
func (l *optionLine) aims() bool { return l.next.Target.Unit != autopilot.NoTarget }

// parse reads what is typed; nothing is neither valid nor wrong.
func (l *optionLine) parse(text string) error {
	l.next, l.valid, l.err = autopilot.Settings{}, false, nil
	if strings.TrimSpace(text) == "" {
		return nil
	}
	e, err := autopilot.ParseSetting(l.option.Name, text)
	if err == nil {
		l.next, err = l.screen.base().With(e)
	}
	l.valid, l.err = err == nil, err
	return err
}

func (l *optionLine) typed(text string) (intent, error) {
	p := &l.screen.predictor
	p.forget()
	if err := l.parse(text); err != nil || !l.valid {
		return nil, err
	}
	return p.want(l.screen.edits(l.next)), nil
}

func (l *optionLine) entered(text string) (intent, error) {
	if err := l.parse(text); err != nil {
		return nil, err
	}
	if !l.valid {
		return l.canceled(), nil
	}
	l.screen.typing = nil
	return l.screen.change(l.next, nil), nil
}

func (l *optionLine) canceled() intent {
	l.screen.typing = nil
	l.screen.predictor.forget()
	return nil
}

// complete implements completing.
func (l *optionLine) complete(text string) []string {
	return completeWord(text, l.option.Completions(layerNames(l.screen.snap)))
}

func layerNames(s *session.Snapshot) []string {
	names := make([]string, len(s.Layers))
	for i := range s.Layers {
		names[i] = s.Layers[i].Name
	}
	return names
}

// completeWord is a line with its last word completed, by each of some words.
func completeWord(text string, words []string) []string {
	head := text[:strings.LastIndexAny(text, " ,")+1]
	var out []string
	for _, w := range words {
		if !slices.Contains(strings.FieldsFunc(head, isBlank), w) {
			out = append(out, head+w)
		}
	}
	return out
}

func isBlank(r rune) bool { return r == ' ' || r == ',' }

// explainLines is how many lines below the options say what the selected one means.
func explainLines(h int) int {
	switch rows := h - 2; {
	case rows >= len(autopilot.Options)+6:
		return 6
	case rows >= 8:
		return 2
	case rows >= 5:
		return 1
	}
	return 0
}

// formRows is how many options a form of a height shows.
func formRows(h int) int { return max(1, h-2-explainLines(h)) }

// explain says what the selected option means, what is typed for it, and why it has its value.
func (s *autopilotScreen) explain(w, lines int) []string {
	o := autopilot.Options[s.form.chosen]
	texts := []string{o.Doc, "wanted: " + o.Form}
	if r := s.optionRow(o); r.value != "" {
		texts = append(texts, strings.TrimSuffix(o.Name+" "+r.value+": "+r.why, ": "))
	}
	var out []string
	for _, text := range texts {
		if lines > len(texts) {
			out = append(out, strings.Split(ansi.Wrap(s.theme.plain(text), max(10, w-4), ""), "\n")...)
		} else {
			out = append(out, s.theme.plain(text))
		}
	}
	out = firstLines(out, lines)
	for i := range out {
		out[i] = " " + s.theme.dim.Render(out[i])
	}
	return out
}

// options draws the form: each option with its value, and why it has that.
func (s *autopilotScreen) options(w, h int) []string {
	t := &s.theme
	const name = 15
	value := 6
	rows := make([]optionRow, len(autopilot.Options))
	for i, o := range autopilot.Options {
		rows[i] = s.optionRow(o)
		value = max(value, ansi.StringWidth(rows[i].value)+2)
	}
	value = min(value, max(6, min(28, (w-2-name)*3/5)))
	var lines []string
	from, to := s.form.window(len(rows), formRows(h))
	for i := from; i < to; i++ {
		cursor, n := "  ", t.fit(autopilot.Options[i].Name, name)
		if i == s.form.chosen && !s.onLayers {
			cursor, n = t.marked.Render(t.glyph.cursor)+" ", t.marked.Render(n)
		}
		r := rows[i]
		line := cursor + n
		if r.value != "" {
			line += t.fit(r.value, value-1) + " "
		}
		line += t.dim.Render(r.why)
		lines = append(lines, line)
	}
	if n := explainLines(h); n > 0 {
		lines = append(padded(lines, formRows(h)), s.explain(w, n)...)
	}
	return t.box(titled("Settings", s.form.position(formRows(h))), lines, w, h)
}

// optionRow is the value of an option, and why it has that.
type optionRow struct{ value, why string }

// optionRow looks an option up: in what is typed, in what was asked, in what a descent derived of it. What has its
// default is named by that alone.
func (s *autopilotScreen) optionRow(o autopilot.Option) optionRow {
	t, d := &s.theme, s.outlook.descent
	standard, asked := o.Text(autopilot.DefaultSettings()), o.Text(s.base())
	if s.typing != nil && s.typing.option.Name == o.Name && s.typing.valid {
		return optionRow{t.text("?" + o.Text(s.typing.next)), ""}
	}
	moved, ok := s.moved(o)
	switch {
	case ok:
		return optionRow{moved, "was " + o.Text(d.Settings) + "; a pause or a guard moved it"}
	case asked != standard && s.snap.Autopilot == nil:
		return optionRow{t.text("?" + asked), "typed; waits for a target"}
	case asked != standard:
		return optionRow{t.text(asked), "set"}
	case d == nil:
		return optionRow{"", t.text(o.Default)}
	}
	value := o.Text(d.Settings)
	var why []string
	for _, e := range d.Derived {
		if e.Name == o.Name {
			why = append(why, e.Why)
			if value == standard {
				value = e.Value
			}
		}
	}
	switch {
	case why != nil:
		return optionRow{t.text(value), t.text(strings.Join(why, "; "))}
	case o.Name == "start_kept" && value == standard:
		return optionRow{t.text(d.Budget.Cost.Format(d.Schedule.From)), "derived"}
	case value != standard:
		return optionRow{t.text(value), "derived"}
	}
	return optionRow{"", t.text(o.Default)}
}

// moved is the number of an option of which the schedule under way has another than what was asked for came to.
func (s *autopilotScreen) moved(o autopilot.Option) (string, bool) {
	d := s.outlook.descent
	if d == nil || s.outlook.asked {
		return "", false
	}
	now := -1
	switch o.Name {
	case "start_iter":
		now = d.Schedule.Begin
	case "end_iter":
		now = d.Schedule.End
	case "anneal_iter":
		now = d.Schedule.Anneal
	}
	text := strconv.Itoa(now)
	return text, now >= 0 && text != o.Text(d.Settings)
}
