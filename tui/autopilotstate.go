package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/autopilot"
)

// say adds a text to the state, in as many lines as it takes in so many cells; one, cut, on a terminal that has few.
func (s *autopilotScreen) say(room int, style lipgloss.Style, text string) {
	lines := []string{s.theme.text(text)}
	if s.h >= fewLines {
		lines = strings.Split(ansi.Wrap(lines[0], max(10, room-2), ""), "\n")
	}
	for i, l := range lines {
		if i > 0 {
			l = "  " + l
		}
		s.state = append(s.state, " "+style.Render(l))
	}
}

// arrangeState writes where the descent stands, what is asked about, and warnings. Of what is typed brief says what is
// wanted, too, which else stands below the options.
func (s *autopilotScreen) arrangeState(room int, brief bool) {
	t, a, o := &s.theme, s.snap.Autopilot, &s.outlook
	s.state = s.state[:0]
	add := func(style lipgloss.Style, text string) { s.say(room, style, text) }
	switch {
	case len(o.layers) == 0:
		add(t.warn, "no layer of this net can be pruned")
		return
	case s.none != nil:
		add(t.warn, s.none.Error())
		return
	}
	if err := s.problem(); err != nil {
		add(t.warn, err.Error())
	}
	if o.asked {
		what := "asked: "
		if s.typing == nil {
			what = "the solver's file has: "
		}
		add(t.accent, what+targetWords(o.descent)+o.thenWords())
	}
	if s.typing != nil && brief {
		add(t.dim, s.typing.option.Name+": "+s.typing.option.Form)
		add(t.dim, s.typing.option.Doc)
	}
	switch {
	case a == nil:
		way := s.naming(": type (%s) a target, such as 20x, and the thresholds are found for you", &s.keys.Type)
		add(lipgloss.NewStyle(), "off"+way)
	case a.Held >= 0 && !a.Done:
		add(t.warn, stateWords(s.snap))
	default:
		add(t.good, stateWords(s.snap))
	}
	add(lipgloss.NewStyle(), s.nowWords())
	if o.atTarget != nil && !o.asked && (a == nil || !a.Done) {
		add(lipgloss.NewStyle(), "at the target"+o.thenWords())
	}
	if a != nil && a.Note != "" {
		add(t.warn, a.Note)
	}
	for _, w := range s.warnings() {
		add(t.warn, "! "+w)
	}
}

// nowWords is what is kept as it is.
func (s *autopilotScreen) nowWords() string {
	now, a := s.outlook.now(), s.snap.Autopilot
	text := fmt.Sprintf("keeps %s of %s, %s; %s", human.Count(now.kept), human.Count(now.total),
		timesSmaller(now.kept, now.total), now.cost())
	if a != nil && !a.Done && a.Descent.Budget.Cost != autopilot.CountCost { // the schedule has no curve so far
		cost := a.Descent.Budget.Cost
		text += fmt.Sprintf(" (%s of %s planned by now)", cost.Format(a.Now), cost.Format(a.Planned))
	}
	return text
}

// warnings are what a descent that is under way or asked about is warned of.
func (s *autopilotScreen) warnings() []string {
	var out []string
	if text := s.outlook.starved(aside(s.naming("%s", &s.keys.Floor))); text != "" {
		out = append(out, text)
	}
	if a, d := s.snap.Autopilot, s.outlook.descent; d != nil && (s.outlook.asked || a != nil && !a.Done) {
		out = append(out, d.Warnings...)
	}
	return out
}

// thenWords is what is kept at the target; "" where that is not known.
func (o *outlook) thenWords() string {
	if o.atTarget == nil {
		return ""
	}
	then := o.then()
	return fmt.Sprintf(": %s kept, %s; %s", human.Count(then.kept), timesSmaller(then.kept, then.total), then.cost())
}
