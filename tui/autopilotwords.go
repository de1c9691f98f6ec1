package tui

import (
	"fmt"
	"slices"

	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// drives reports whether the autopilot finds a layer's threshold.
func (e *env) drives(layer string) bool {
	a := e.snap.Autopilot
	return a != nil && !a.Done && slices.Contains(a.Driven, layer)
}

// whole is a fraction in percent, of which 100 is all.
func whole(fraction float64) string { return fmt.Sprintf("%d %%", int(100*fraction)) }

// stateWords is where a descent stands: "descending, 42 %, next surgery at 12,480".
func stateWords(s *session.Snapshot) string {
	a := s.Autopilot
	switch {
	case a == nil:
		return "off"
	case a.Done && a.Phase == autopilot.Annealing:
		return fmt.Sprintf("annealing, %s, rate ×%.2f", whole(a.Progress), a.RateFactor)
	case a.Done:
		return "done"
	case a.Held >= 0:
		return fmt.Sprintf("paused since %s, at %s", human.Count(a.Held), whole(a.Descent.Schedule.Progress(a.Held)))
	case s.State.Ended():
		return fmt.Sprintf("the run ended at %s of the descent", whole(a.Progress))
	case a.Phase == autopilot.Waiting:
		return "waiting until " + human.Count(a.Descent.Schedule.Begin)
	case a.Next < 0:
		return "descending, " + whole(a.Progress)
	}
	return fmt.Sprintf("descending, %s, next surgery at %s", whole(a.Progress), human.Count(a.Next))
}

// fewWords is where a descent stands, for the first line of each screen; "" where the autopilot is off.
func fewWords(s *session.Snapshot) string {
	a := s.Autopilot
	switch {
	case a == nil:
		return ""
	case a.Done && a.Phase == autopilot.Annealing:
		return "annealing " + whole(a.Progress)
	case a.Done:
		return "autopilot done"
	case a.Held >= 0:
		return "autopilot paused"
	case a.Phase == autopilot.Waiting:
		return "autopilot waits"
	}
	return "autopilot " + whole(a.Progress)
}

// targetWords is what a descent leads to: "310x by iteration 18,000".
func targetWords(d *autopilot.Descent) string {
	return fmt.Sprintf("%s by iteration %s", d.Settings.Target, human.Count(d.Schedule.End))
}

// scheduleWords is a schedule in a line.
func scheduleWords(s *autopilot.Schedule) string {
	text := fmt.Sprintf("%s descent from %s to %s, surgery every %s", s.Shape, human.Count(s.Begin),
		human.Count(s.End), human.Count(s.Interval))
	if s.Anneal > 0 {
		text += ", anneal to " + human.Count(s.End+s.Anneal)
	}
	return text
}

// timesSmaller is how many times the kept entries all are.
func timesSmaller(kept, total int) string {
	if kept >= total {
		return "dense"
	}
	return fmt.Sprintf("%.4g × smaller", autopilot.TimesSmaller(kept, total))
}
