package tui

import (
	"cmp"

	"dns-tui/model/session"
)

// firstKeys says what to press in a run that is pruned so: the second line of what a run says of itself at its start.
// A viewer that only reads is told what it can look at, if that is something.
func (e *env) firstKeys(w session.RunBegun) string {
	k := e.allKeys
	var text string
	switch w.Pruning {
	case session.SchedulePrunes:
		text = e.naming("%s %s choose a threshold, %s applies", &k.Main.Lower, &k.Main.Higher, &k.Main.Apply)
	case session.DescentPrunes:
		text = cmp.Or(e.naming("%s shows it, %s pauses the run", &k.Open.Autopilot, &k.Run.Pause),
			e.naming("%s shows it", &k.Open.Autopilot))
	case session.DescentPaused:
		text = cmp.Or(e.naming("%s, then %s lets it go on", &k.Open.Autopilot, &k.Autopilot.Pause),
			e.naming("%s shows it", &k.Open.Autopilot))
	case session.DescentDone:
		text = e.naming("%s, then %s sets another target", &k.Open.Autopilot, &k.Autopilot.Type)
	case session.MasksFrozen:
		text = e.naming("%s lets a layer's mask go", &k.Main.FreezeMask)
	case session.SurgeryIsStopped:
		text = e.naming("%sstop never resumes it, %s once", &k.App.Command, &k.Run.Surgery)
	case session.SearchPrunes:
		text = e.naming("%s shows its branches", &k.Open.Frontier)
	default:
		text = e.naming("%s prunes a layer, %s all to a target", &k.Main.Prune, &k.Open.Autopilot)
	}
	if text == "" {
		return ""
	}
	return text + e.naming("; %s help", &k.App.Help)
}
