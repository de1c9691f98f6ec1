package tui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// begunScene is a run that has just begun, by what prunes it.
func begunScene(w session.RunBegun) *session.Snapshot {
	s := scene()
	s.Events = []session.Event{{Seq: 1, What: w}}
	s.Pending = nil
	return s
}

// everyBegin is a run that begins, by each of what can prune it.
var everyBegin = []session.RunBegun{
	{Prunable: 4},
	{Pruning: session.SchedulePrunes, Layers: 4, Prunable: 4, Rule: "seed", Chance: 0.83, Stop: 8000},
	{Pruning: session.SchedulePrunes, Layers: 3, Prunable: 4, Chance: 1, Stop: config.Never},
	{Pruning: session.DescentPrunes, Layers: 4, Prunable: 4, Target: "100x", Interval: 20, End: 3600},
	{Pruning: session.DescentPaused, Layers: 4, Prunable: 4, Target: "100x"},
	{Pruning: session.DescentDone, Layers: 4, Prunable: 4, Target: "100x"},
	{Pruning: session.MasksFrozen, Prunable: 4},
	{Pruning: session.SurgeryIsStopped, Prunable: 4, Stop: 6000},
	{Pruning: session.SearchPrunes, Prunable: 4},
}

// A run that begins explains itself in two lines: what prunes it and when, and what to press.
func TestRunExplainsItself(t *testing.T) {
	var all strings.Builder
	for _, w := range everyBegin {
		a, _ := open(t, begunScene(w), look{})
		for _, line := range journalLines(a.env, 10) {
			all.WriteString(ansi.Strip(line) + "\n")
		}
	}
	golden(t, "begun", all.String())
	begins := begunScene(everyBegin[1])
	a, _ := open(t, begins, look{})
	golden(t, "begun_80x24", frame(a, 80, 24))
	a, _ = openWith(t, begins, look{}, Options{ReadOnly: true})
	if got := journalLines(a.env, 10); len(got) != 1 {
		t.Errorf("a viewer that only reads is told\n%s", strings.Join(got, "\n"))
	}
	p := config.DefaultPreferences()
	p.Bind = append(p.Bind, &configpb.Preferences_Key{Action: proto.String("apply"), Key: []string{"z"}})
	a, _ = openWith(t, begins, look{}, Options{Preferences: p})
	if got := journalLines(a.env, 10); len(got) != 2 || !strings.Contains(got[1], "z applies") {
		t.Errorf("with another key for apply:\n%s", strings.Join(got, "\n"))
	}
	// The newest lines are those that are shown.
	if got := journalLines(a.env, 1); len(got) != 1 || !strings.Contains(got[0], "? help") {
		t.Errorf("in one line: %q", got)
	}
}
