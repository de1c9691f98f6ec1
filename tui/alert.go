package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// alerts tell somebody who looks elsewhere, where that is asked for: by the terminal's bell, by its title, or both.
type alerts struct {
	by       configpb.Preferences_Alert
	seen     milestone
	headline string // in the title, until a key is pressed
}

// milestone is what alerts go by.
type milestone struct {
	known   bool
	ended   bool
	problem string
	tested  int     // iteration of the last test
	result  float64 // its accuracy, or its loss
}

func milestoneOf(s *session.Snapshot) milestone {
	m := milestone{known: true, ended: s.State.Ended(), problem: s.Problem, tested: -1}
	for _, c := range []*session.Series{&s.TestLoss, &s.Accuracy} { // accuracy where there is one
		if iter, v, ok := c.Last(); ok && iter >= m.tested {
			m.tested, m.result = iter, v
		}
	}
	return m
}

// look takes in a snapshot, and returns what there is to tell; "" of nothing.
func (a *alerts) look(s *session.Snapshot) string {
	before, now := a.seen, milestoneOf(s)
	a.seen = now
	switch {
	case !before.known:
		return ""
	case now.problem != "" && now.problem != before.problem:
		return now.problem
	case now.ended && !before.ended:
		return s.State.String()
	case now.tested > before.tested:
		if iter, v, ok := s.Accuracy.Last(); ok && iter == now.tested {
			return fmt.Sprintf("test %.2f %%", 100*v)
		}
		return "test loss " + number(now.result)
	}
	return ""
}

// tell tells it.
func (a *alerts) tell(text string) tea.Cmd {
	if a.by == configpb.Preferences_TITLE || a.by == configpb.Preferences_BELL_AND_TITLE {
		a.headline = text
	}
	if a.by == configpb.Preferences_BELL || a.by == configpb.Preferences_BELL_AND_TITLE {
		return tea.Raw("\a")
	}
	return nil
}

// next goes to the next way, and says which.
func (a *alerts) next() string {
	a.by = (a.by + 1) % configpb.Preferences_Alert(len(configpb.Preferences_Alert_name))
	a.headline = ""
	if a.by == configpb.Preferences_NO_ALERT {
		return "no alerts"
	}
	return [...]string{
		configpb.Preferences_BELL:           "the bell rings",
		configpb.Preferences_TITLE:          "the title says",
		configpb.Preferences_BELL_AND_TITLE: "bell and title tell",
	}[a.by] + " when a test is done, the run ends, or something goes wrong"
}

// title is the terminal's.
func (a *alerts) title(name string) string {
	if a.headline == "" {
		return "dns-tui " + name
	}
	return a.headline + " - dns-tui " + name
}
