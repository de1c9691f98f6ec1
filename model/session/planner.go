package session

import (
	"slices"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/autopilot"
	"dns-tui/model/solver"
)

// planner makes what is asked of the autopilot a descent, and finds thresholds, by what it sees of the net.
type planner struct {
	Solver  *solver.Solver
	Run     *config.Run
	Descent *descent

	finder autopilot.Solver
	found  []autopilot.Layer // all layers that can be pruned, as of the last look
}

// facts are what a descent is derived from.
func (p *planner) facts() autopilot.Facts {
	s, run := p.Solver, p.Run
	return autopilot.Facts{
		Iter: s.Iter, MaxIter: int(run.Solver.GetMaxIter()),
		Trained: p.Descent.trained(), BaseLR: s.Hyper().BaseLR, Policy: run.Solver.GetLrPolicy(), Rate: s.PolicyRate,
	}
}

// look waits for the device and measures all layers, by the rules that rule makes of their own; nil is by these.
func (p *planner) look(rule func(gpu.Rule) gpu.Rule) ([]autopilot.Layer, error) {
	found, err := p.Solver.Magnitudes(rule)
	if err != nil {
		return nil, err
	}
	out := p.found[:0]
	for i, l := range p.Solver.Layers() {
		h, m := p.Solver.Hyper().Layer(l.Name), &found[i]
		by := h.Rule
		if rule != nil {
			by = rule(by)
		}
		out = append(out, autopilot.Layer{
			Name: l.Name, Rule: by, Total: m.Total, Kept: m.Kept, Positions: l.Positions, Mu: m.Mu, Sigma: m.Sigma,
			Counts: m.Counts, PrunedCounts: m.PrunedCounts, Threshold: h.Threshold, MaskFrozen: h.MaskFrozen,
		})
	}
	p.found = out
	return out, nil
}

// plan makes what is asked a descent from this iteration on, and finds the thresholds of its target.
func (p *planner) plan(asked autopilot.Settings) (*Autopilot, *autopilot.Solution, error) {
	now := p.Descent.current()
	layers, err := p.look(asked.Rule.Of)
	if err != nil {
		return nil, nil, err
	}
	hardened := p.Descent.done()
	for i := range layers { // frozen by the descent before, not by a person
		if l := &layers[i]; hardened && p.Descent.has(l.Name) {
			l.MaskFrozen = false
		}
	}
	next := &Autopilot{Asked: asked, Held: -1}
	if now != nil {
		next.Retreat = now.Retreat
		if !hardened {
			next.Held = now.Held
		}
	}
	resolved, left := p.leaveOut(asked, now)
	resolved, as := p.continued(resolved, now, hardened)
	d, err := resolved.Descend(p.facts(), layers)
	if err != nil {
		return nil, nil, err
	}
	next.Descent = *d
	next.Descent.Derived = slices.Concat(left, as, d.Derived)
	if s := &next.Descent.Schedule; now != nil {
		if sameWay(now.Asked, asked) && !hardened {
			*s = now.Descent.Schedule
		} else if p.Solver.Iter > now.Descent.Schedule.Begin {
			s.From = max(d.Budget.Cost.Now(layers), 1) // it continues from what is kept
		}
	}
	found, err := p.solve(layers, d.Budget, d.Settings.Scale, false)
	if err != nil {
		return nil, nil, err
	}
	return next, found, nil
}

// leaveOut excludes the layers that net and person left out of surgery, where the settings do not name them.
func (p *planner) leaveOut(s autopilot.Settings, now *Autopilot) (autopilot.Settings, []autopilot.Derived) {
	switch {
	case len(s.Layers) > 0:
		return s, nil
	case now != nil: // as when it began
		left := missing(now.Descent.Settings.Exclude, s.Exclude, now.Asked.Exclude)
		s.Exclude = append(slices.Clip(s.Exclude), left...)
		return s, nil
	}
	var names []string
	asks := solver.AsksForSurgery(p.Run.Solver, p.Solver.Net.Prunable())
	for _, l := range p.Solver.Layers() {
		if !l.Pruning.Enabled || asks && !p.Solver.Hyper().Layer(l.Name).Prune {
			names = append(names, l.Name)
		}
	}
	names = missing(names, s.Exclude, nil)
	var out []autopilot.Derived
	for _, name := range names {
		out = append(out, autopilot.Derived{
			Name: "exclude", Value: name, Why: "net or settings leave it out of surgery; name it in layers to prune it",
		})
	}
	s.Exclude = append(slices.Clip(s.Exclude), names...)
	return s, out
}

// missing are the names that neither of two lists has.
func missing(names, a, b []string) []string {
	var out []string
	for _, name := range names {
		if !slices.Contains(a, name) && !slices.Contains(b, name) {
			out = append(out, name)
		}
	}
	return out
}

// continued has a descent under way keep its end and its scale, where nobody asks for others.
func (p *planner) continued(
	s autopilot.Settings, now *Autopilot, hardened bool,
) (autopilot.Settings, []autopilot.Derived) {
	if now == nil || hardened {
		return s, nil
	}
	var as []autopilot.Derived
	if s.Scale == autopilot.AutoScale && now.Asked.Scale == autopilot.AutoScale && s.Target == now.Asked.Target {
		s.Scale = now.Descent.Settings.Scale
		as = append(as, autopilot.Derived{Name: "scale", Value: s.Scale.String(), Why: "as it was derived before"})
	}
	was := &now.Descent.Schedule
	if s.End == autopilot.Auto && was.End > p.Solver.Iter && now.Asked.End == autopilot.Auto {
		s.End = was.End
		if s.Anneal == autopilot.Auto {
			s.Anneal = was.Anneal
		}
	}
	if s.Start != autopilot.Auto && s.Start < p.Solver.Iter && was.Begin <= p.Solver.Iter {
		s.Start = autopilot.Auto
	}
	return s, as
}

// sameWay reports whether two settings lead the same way to the same target.
func sameWay(a, b autopilot.Settings) bool {
	for _, e := range a.Differences(b) {
		switch e.Name {
		case "accuracy_drop", "loss_factor", "retries", "scale", "exponent", "theta", "theta_every":
		default:
			return false
		}
	}
	return true
}

// driven are the layers that a value drives, of those that look found.
func (p *planner) driven(a *Autopilot) []string { return a.drives(p.found) }

// predicted says what a descent comes to.
func (p *planner) predicted(a *Autopilot, found *autopilot.Solution) *Prediction {
	out := &Prediction{Descent: a.Descent, Solution: *found.Clone()}
	for i := range p.found {
		out.Layers, out.Totals = append(out.Layers, p.found[i].Name), append(out.Totals, p.found[i].Total)
	}
	return out
}

// solve finds thresholds by the histograms of layers, or exactly, by the entries themselves. What it returns is good
// until the next search.
func (p *planner) solve(
	layers []autopilot.Layer, b autopilot.Budget, scale autopilot.Scale, exact bool,
) (*autopilot.Solution, error) {
	if !exact {
		return p.finder.Solve(layers, b, scale)
	}
	entries := make([][]float32, len(layers))
	for i := range layers {
		l := &layers[i]
		if l.Excluded || l.MaskFrozen {
			continue
		}
		var err error
		if entries[i], err = p.Solver.Entries(l.Name); err != nil {
			return nil, err
		}
	}
	return p.finder.SolveExact(layers, entries, b, scale)
}
