package tui

import (
	"fmt"
	"sort"
	"strings"

	"dns-tui/model/session"
)

// noSurgery says why no surgery of a layer is due, and what would change that; "" where one is.
func (e *env) noSurgery(l *session.LayerStats) string {
	if e.drives(l.Name) && !e.snap.State.Ended() { // at the iterations of the descent, whatever the settings say
		return ""
	}
	why := session.WhyNoSurgery(e.snap.Hyper, l.Name, e.snap.Iter, e.snap.State.Ended())
	if why == "" {
		return ""
	}
	h, k := e.snap.Hyper.Layer(l.Name), e.allKeys
	switch {
	case e.snap.State.Ended():
		return why + e.naming(": %s redraws the masks", &k.Run.Surgery)
	case !h.Prune:
		return why + e.naming(": %s prunes it", &k.Main.Prune)
	case h.MaskFrozen:
		return why + e.naming(": %s lets it go", &k.Main.FreezeMask)
	}
	command, surgery := e.naming("%s", &k.App.Command), e.naming("%s", &k.Run.Surgery)
	if command == "" || surgery == "" {
		return why
	}
	return fmt.Sprintf("%s: `%s%s never` resumes surgery, %s redraws the masks once", why, command,
		e.snap.Hyper.StopField(h), surgery)
}

// problem is what is wrong with the run, and how to go back.
func (e *env) problem() string {
	text, ok := strings.CutSuffix(e.snap.Problem, session.BackHint)
	if ok {
		text += e.naming("; %s goes back", &e.allKeys.Run.LastGood)
	}
	return text
}

// comes reports whether a layer's next surgery goes by a threshold that is known here: the one of a descent is yet to
// be found.
func (c *choices) comes(l *session.LayerStats) bool {
	h := c.snap.Hyper.Layer(l.Name)
	_, drafted := c.draft[l.Name]
	return h.Prune && !h.MaskFrozen && c.noSurgery(l) == "" && (drafted || !c.drives(l.Name))
}

// next predicts a layer's sparsity after its next surgery, with the threshold that is chosen, pending or set.
func (c *choices) next(l *session.LayerStats) (float64, bool) {
	if l.Histogram == nil || !c.comes(l) {
		return 0, false
	}
	return l.Histogram.Sparsity(c.threshold(l)), true
}

// whatIf is what the whole net would keep after surgery with everything that is chosen and pending.
type whatIf struct {
	kept, total int
	known       bool // every layer has been measured
}

// predictNet predicts it.
func (c *choices) predictNet() whatIf {
	w := whatIf{known: len(c.snap.Layers) > 0}
	for i := range c.snap.Layers {
		l := &c.snap.Layers[i]
		kept, total := l.Kept, l.Weights
		if c.comes(l) {
			if l.Histogram == nil {
				w.known = false
			} else {
				kept, total = l.Histogram.Total()-l.Histogram.Pruned(c.threshold(l)), l.Histogram.Total()
			}
		}
		w.kept, w.total = w.kept+kept, w.total+total
	}
	return w
}

// dying is how many outputs would lose their last weight in the next surgery; 0 where none is known to come.
func (c *choices) dying(l *session.LayerStats) int {
	h := l.Histogram
	if _, comes := c.next(l); !comes {
		return 0
	}
	v := float32(c.threshold(l))
	would := sort.Search(len(h.DeathThresholds), func(i int) bool { return h.DeathThresholds[i] > v })
	return max(0, would-max(0, l.Dead))
}
