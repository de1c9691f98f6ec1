package tui

import (
	"fmt"
	"strings"

	"dns-tui/model/session"
)

// firstKeys says what to press in a run that is pruned so: the second line of what a run says of itself at its start.
// Viewers that only read have nothing to press.
func (e *env) firstKeys(w session.RunBegun) string {
	if e.readOnly || e.allKeys == nil {
		return ""
	}
	key := func(b *binding) string {
		if !b.Enabled() || len(b.Keys()) == 0 {
			return ":"
		}
		return strings.Fields(b.Help().Key)[0]
	}
	k := e.allKeys
	var text string
	switch w.Pruning {
	case session.SchedulePrunes:
		text = fmt.Sprintf("%s %s choose a threshold, %s applies",
			key(&k.Main.Lower), key(&k.Main.Higher), key(&k.Main.Apply))
	case session.DescentPrunes:
		text = fmt.Sprintf("%s shows it, %s pauses the run", key(&k.Open.Autopilot), key(&k.Run.Pause))
	case session.DescentPaused:
		text = fmt.Sprintf("%s, then %s lets it go on", key(&k.Open.Autopilot), key(&k.Autopilot.Pause))
	case session.DescentDone:
		text = fmt.Sprintf("%s sets another target", key(&k.Open.Autopilot))
	case session.MasksFrozen:
		text = fmt.Sprintf("%s lets a layer's mask go", key(&k.Main.FreezeMask))
	case session.SurgeryIsStopped:
		text = fmt.Sprintf(":stop never resumes it, %s once", key(&k.Run.Surgery))
	case session.SearchPrunes:
		text = fmt.Sprintf("%s shows its branches", key(&k.Open.Frontier))
	default:
		text = fmt.Sprintf("%s prunes a layer, %s all to a target", key(&k.Main.Prune), key(&k.Open.Autopilot))
	}
	return fmt.Sprintf("%s; %s help", text, key(&k.App.Help))
}
