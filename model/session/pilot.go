package session

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/solver"
)

// pilot drives the thresholds of a run to a target: it makes what is asked a descent, and finds thresholds at each
// surgery of it. What it is told is the settings' (descent).
type pilot struct {
	pilotParts
	finder autopilot.Solver
	found  []autopilot.Layer // all layers that can be pruned, as of the last surgery
	goal   *autopilot.Solution
	note   string // what it did last, or why it waits
	points []pilotPoint
	// trouble is the iteration in which a guard took the descent back last: up to there nothing is known to be good.
	trouble int
}

// pilotParts are what a pilot works with.
type pilotParts struct {
	Solver   *solver.Solver
	Run      *config.Run
	Settings *settings
	Events   *events
	Saver    *saver
	Descent  *descent
}

func newPilot(p pilotParts) pilot { return pilot{pilotParts: p, trouble: -1} }

// facts are what a descent is derived from.
func (p *pilot) facts() autopilot.Facts {
	s, run := p.Solver, p.Run
	return autopilot.Facts{
		Iter: s.Iter, MaxIter: int(run.Solver.GetMaxIter()),
		Trained: len(run.Weights) > 0 || run.Snapshot != "" || s.Iter > 0,
		BaseLR:  s.Hyper().BaseLR, Policy: run.Solver.GetLrPolicy(), Rate: s.PolicyRate,
	}
}

// look waits for the device and measures all layers, by the rules that rule makes of their own; nil is by these.
func (p *pilot) look(rule func(gpu.Rule) gpu.Rule) ([]autopilot.Layer, error) {
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
func (p *pilot) plan(asked autopilot.Settings) (*Autopilot, *autopilot.Solution, error) {
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
	d, err := p.continued(resolved, now, hardened).Descend(p.facts(), layers)
	if err != nil {
		return nil, nil, err
	}
	next.Descent = *d
	next.Descent.Derived = append(left, next.Descent.Derived...)
	if s := &next.Descent.Schedule; now != nil {
		if sameWay(now.Asked, asked) && !hardened {
			*s = now.Descent.Schedule
		} else if p.Solver.Iter > now.Descent.Schedule.Begin {
			s.From = max(d.Budget.Cost.Now(layers), 1) // it continues from what is kept
		}
	}
	goal, err := p.finder.Solve(layers, d.Budget, asked.Scale)
	if err != nil {
		return nil, nil, err
	}
	return next, goal, nil
}

// leaveOut excludes the layers that net and person left out of surgery, where the settings do not name them.
func (p *pilot) leaveOut(s autopilot.Settings, now *Autopilot) (autopilot.Settings, []autopilot.Derived) {
	if now != nil || len(s.Layers) > 0 {
		if now != nil && len(s.Layers) == 0 {
			s.Exclude = append(
				slices.Clip(s.Exclude),
				missing(now.Descent.Settings.Exclude, s.Exclude,
					now.Asked.Exclude)...)
		}
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

// continued has a descent under way keep its end, where nobody asks for another.
func (p *pilot) continued(s autopilot.Settings, now *Autopilot, hardened bool) autopilot.Settings {
	if now == nil || hardened {
		return s
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
	return s
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

// request does what a command asks of the autopilot.
func (p *pilot) request(r AutopilotRequest, c *pendingCommand) (string, *Prediction, error) {
	now := p.Descent.current()
	if r.Action > AutopilotSet && r.Action != AutopilotPredict && now == nil {
		return "", nil, errNoDescent
	}
	next := &Autopilot{}
	switch r.Action {
	case AutopilotSet, AutopilotPredict:
		return p.set(r, now, c)
	case AutopilotOff:
		next = nil
	case AutopilotPause, AutopilotResume:
		*next = *now
		switch pause := r.Action == AutopilotPause; {
		case p.Descent.done():
			return "", nil, errHardened
		case pause == (now.Held >= 0) && pause:
			return "", nil, fmt.Errorf("the descent is paused already, since iteration %d", now.Held)
		case pause == (now.Held >= 0):
			return "", nil, errors.New("the descent is not paused")
		case pause:
			next.Held = p.Solver.Iter
		default:
			if err := p.release(next); err != nil {
				return "", nil, err
			}
		}
	default:
		return "", nil, fmt.Errorf("unknown action %d of the autopilot", r.Action)
	}
	change := &AutopilotChange{Old: now, New: next}
	if err := p.Settings.tellAutopilot(change, nil, c); err != nil {
		return "", nil, err
	}
	p.note = ""
	return change.String(), nil, nil
}

// release lets a paused descent go on: its end moves by the pause.
func (p *pilot) release(next *Autopilot) error {
	held := p.Solver.Iter - max(next.Held, next.Descent.Schedule.Begin)
	next.Held = -1
	s := next.Descent.Schedule.Delayed(max(0, held))
	if most := int(p.Run.Solver.GetMaxIter()); s.End+s.Anneal > most {
		s.Anneal = max(0, most-s.End)
	}
	if s.End > int(p.Run.Solver.GetMaxIter()) {
		return fmt.Errorf("the descent would end at iteration %d, and max_iter is %d: set end_iter", s.End,
			p.Run.Solver.GetMaxIter())
	}
	next.Descent.Schedule = s
	return nil
}

// set begins a descent, or changes the one under way; or says what that would come to.
func (p *pilot) set(r AutopilotRequest, now *Autopilot, c *pendingCommand) (string, *Prediction, error) {
	asked, err := p.asked(now).With(r.Settings...)
	if err != nil {
		return "", nil, err
	}
	next, goal, err := p.plan(asked)
	if err != nil {
		return "", nil, err
	}
	prediction := p.predicted(next, goal)
	if r.Action == AutopilotPredict {
		return prediction.String(), prediction, nil
	}
	edits := next.wanted(p.Solver.Hyper(), p.drivenBy(next), now == nil)
	if err := p.Settings.tellAutopilot(&AutopilotChange{Old: now, New: next}, edits, c); err != nil {
		return "", nil, err
	}
	p.goal, p.note = goal.Clone(), ""
	for _, w := range next.Descent.Warnings {
		p.Events.note(Event{Iter: p.Solver.Iter, What: Warning{"autopilot: " + w}})
	}
	return prediction.String(), prediction, nil
}

// start begins what solver and flags say, of a run that begins; of one that resumes, what they say differently from
// then. A replay is told by its journal.
func (p *pilot) start(flags []autopilot.Setting) error {
	now := p.Descent.current()
	edits, err := p.Descent.edited()
	if err != nil {
		return fmt.Errorf("autopilot_param: %w", err)
	}
	resumed := p.Run.Snapshot != ""
	if resumed && len(edits) > 0 && p.Run.Settings == config.BySnapshot {
		p.tell(fmt.Sprintf("autopilot_param was edited since the snapshot (%s), which holds: --settings snapshot",
			settingsText(edits)))
		edits = nil
	} else if resumed && len(edits) > 0 {
		p.tell("autopilot_param was edited since the snapshot: " + settingsText(edits))
	}
	if now == nil && len(edits) > 0 { // asked starts from the file
		edits = nil
		if p.asked(nil).Target.Unit == autopilot.NoTarget && len(flags) == 0 {
			return nil
		}
	} else if now == nil && len(flags) == 0 {
		return nil
	}
	if p.Run.Replay != "" && !resumed {
		p.tell("the autopilot goes by the replayed journal, not by solver and flags")
		return nil
	}
	all := append(append([]autopilot.Setting(nil), edits...), flags...)
	asked, err := p.asked(now).With(all...)
	if err != nil {
		return fmt.Errorf("autopilot: %w", err)
	}
	if now != nil && len(now.Asked.Differences(asked)) == 0 {
		return nil
	}
	r := AutopilotRequest{Settings: all}
	if _, _, err := p.request(r, &pendingCommand{Reply: make(chan reply, 1)}); err != nil {
		return fmt.Errorf("autopilot: %w", err)
	}
	for _, d := range p.Descent.current().Descent.Derived {
		p.tell("autopilot: " + d.String())
	}
	return nil
}

// begins reports whether start will begin a descent, or the run is in one.
func (p *pilot) begins(flags []autopilot.Setting) bool {
	s, err := p.asked(p.Descent.current()).With(flags...)
	return err == nil && s.Target.Unit != autopilot.NoTarget
}

func (p *pilot) tell(text string) { p.Events.note(Event{Iter: p.Solver.Iter, What: Notice{text}}) }

// settingsText is settings as they are typed.
func settingsText(list []autopilot.Setting) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.String()
	}
	return strings.Join(texts, ", ")
}

// asked are the settings that a command changes: those of the descent under way, or those of the solver's file.
func (p *pilot) asked(now *Autopilot) autopilot.Settings {
	if now != nil {
		return now.Asked
	}
	s, _ := autopilot.FromSolver(p.Run) // its faults were told at the start
	return s
}

// drivenBy are the layers that a value drives, of those that look found.
func (p *pilot) drivenBy(a *Autopilot) []string {
	var out []string
	if a.Descent.Settings.Bind(p.found) != nil {
		return nil
	}
	for i := range p.found {
		if l := &p.found[i]; !l.Excluded && !l.Pinned && !l.MaskFrozen {
			out = append(out, l.Name)
		}
	}
	return out
}

// predicted says what a descent comes to.
func (p *pilot) predicted(a *Autopilot, goal *autopilot.Solution) *Prediction {
	out := &Prediction{Descent: a.Descent, Solution: *goal.Clone()}
	for i := range p.found {
		out.Layers, out.Totals = append(out.Layers, p.found[i].Name), append(out.Totals, p.found[i].Total)
	}
	return out
}

// String is the prediction in a line.
func (r *Prediction) String() string {
	s := &r.Solution
	return fmt.Sprintf("%s: %s of %s kept, %.4gx smaller, by iteration %d", r.Descent.Settings.Target,
		human.Count(s.Kept), human.Count(s.Total), s.Times(), r.Descent.Schedule.End)
}

// steer does the autopilot's part before an iteration: it finds thresholds where surgery is due, and ends the descent.
// It reports that the descent has come to its end, and the masks want their last surgery.
func (p *pilot) steer() (ends bool, err error) {
	d := p.Descent
	now, iter := d.current(), p.Solver.Iter
	if now == nil {
		return false, nil
	}
	d.setRate(iter)
	switch {
	case d.done():
		return false, nil
	case now.ends(iter):
		return true, p.aim(true)
	case now.due(iter):
		if now.Held < 0 {
			p.keepFew()
		}
		if err := p.aim(false); err != nil {
			return false, err
		}
		p.Solver.OperateNext()
	}
	return false, nil
}

// aim sets the thresholds that keep what the schedule says, exactly where the surgery is the last.
func (p *pilot) aim(exact bool) error {
	d := p.Descent
	now := d.current()
	layers, err := p.look(nil)
	if err != nil {
		return err
	}
	if err := now.Descent.Settings.Bind(layers); err != nil {
		return err
	}
	p.Solver.KeepStatistics(d.layers())
	scale := now.Descent.Settings.Scale
	goal, err := p.finder.Solve(layers, now.Descent.Budget, scale)
	if err == nil {
		p.goal = goal.Clone()
	}
	b := now.Descent.Budget
	b.Limit = now.budget(p.Solver.Iter)
	var found *autopilot.Solution
	if exact {
		found, err = p.solveExact(layers, b, scale)
	} else {
		found, err = p.finder.Solve(layers, b, scale)
	}
	if _, ok := errors.AsType[*autopilot.Unreachable](err); ok {
		return p.wait(err.Error())
	} else if err != nil {
		return err
	}
	var edits []config.Edit
	for i := range layers {
		l := &layers[i]
		if t := found.Layers[i].Threshold; d.drivesLayer(l.Name) && t != l.Threshold {
			f := config.Field{Layer: l.Name, Param: config.AnyThreshold}
			edits = append(edits, config.Edit{Field: f, Value: t})
		}
	}
	if edits == nil {
		return nil
	}
	_, err = p.Settings.set(edits)
	return err
}

// solveExact finds thresholds by the entries themselves.
func (p *pilot) solveExact(
	layers []autopilot.Layer, b autopilot.Budget, scale autopilot.Scale,
) (*autopilot.Solution, error) {
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

// wait pauses the descent, over a problem.
func (p *pilot) wait(problem string) error {
	now := p.Descent.current()
	p.note = problem
	if now.Held >= 0 {
		return nil
	}
	next := *now
	next.Held = p.Solver.Iter
	c := &pendingCommand{By: autopilotName, Reply: make(chan reply, 1)}
	p.Events.note(Event{Iter: p.Solver.Iter, What: Warning{"the descent is paused: " + problem}})
	return p.Settings.tellAutopilot(&AutopilotChange{Old: now, New: &next}, nil, c)
}

// harden ends the descent: the forward weights become the weights, and the masks stay.
func (p *pilot) harden(layers []string) error {
	d := p.Descent
	if err := p.Solver.Harden(layers); err != nil {
		return err
	}
	if _, err := p.Settings.set(hardenedEdits(p.Solver.Hyper(), layers)); err != nil {
		return err
	}
	d.harden(p.Solver.Iter)
	_, kept, total := p.cost(d.current())
	p.note = ""
	p.Events.note(Event{Iter: p.Solver.Iter, What: AutopilotDone{kept, total, d.current().Descent.Schedule.Anneal}})
	return nil
}

// keep writes a snapshot that a descent may go back to.
func (p *pilot) keep(before string) {
	if name := p.Saver.guardNow(before); name != "" {
		_, kept, _ := p.cost(p.Descent.current())
		p.points = append(p.points, pilotPoint{name, p.Solver.Iter, kept})
	}
}

// keepFew writes one where a descent has come so much further that it is worth it: at the 0.7th of what was kept.
func (p *pilot) keepFew() {
	_, kept, _ := p.cost(p.Descent.current())
	if n := len(p.points); p.Solver.Iter <= p.trouble ||
		n > 0 && float64(kept) > math.Sqrt2/2*float64(p.points[n-1].kept) {
		return
	}
	p.keep(fmt.Sprintf("more is pruned, of %s kept", human.Count(kept)))
}

// pilotPoint is a snapshot of a descent, where all was well.
type pilotPoint struct {
	path       string
	iter, kept int
}

// descending reports whether thresholds are on their way to a target.
func (p *pilot) descending() bool {
	d := p.Descent
	now := d.current()
	return now != nil && !d.done() && now.Held < 0 && p.Solver.Iter >= now.Descent.Schedule.Begin
}

// retreatTo is the snapshot to go back to, and what the autopilot is told there; "" where there is none, or the descent
// has gone back as often as it may. Each serves once, but for the first.
func (p *pilot) retreatTo() (string, Autopilot) {
	now := *p.Descent.current()
	p.trouble = max(p.trouble, p.Solver.Iter)
	for n := len(p.points); n > 0 && now.Retreat < now.Descent.Settings.Retries; n = len(p.points) {
		last := p.points[n-1]
		if n > 1 {
			p.points = p.points[:n-1]
		}
		if caffe.Exists(last.path) {
			now.Retreat++
			return last.path, now
		}
		if n == 1 {
			break
		}
	}
	return "", now
}

// slower continues a descent that went back, at half the pace.
func (p *pilot) slower(next *Autopilot) error {
	now, iter := p.Descent.current(), p.Solver.Iter
	most := int(p.Run.Solver.GetMaxIter())
	from := max(next.Descent.Schedule.Budget(iter), next.Descent.Budget.Limit)
	if kept, _, _ := p.cost(next); iter <= next.Descent.Schedule.Begin { // the first surgery took too much at once
		from = math.Sqrt(from * max(kept, from))
	}
	s := next.Descent.Schedule.Slower(iter, from, 2)
	s.End = max(iter+1, min(s.End, most-s.Anneal/2)) // half the anneal is left in any case
	s.Anneal = min(s.Anneal, most-s.End)
	next.Descent.Schedule = s
	var edits []config.Edit
	if now == nil {
		if _, err := p.look(next.Descent.Settings.Rule.Of); err != nil {
			return err
		}
		edits = next.wanted(p.Solver.Hyper(), p.drivenBy(next), true)
	}
	c := &pendingCommand{By: autopilotName, Reply: make(chan reply, 1)}
	return p.Settings.tellAutopilot(&AutopilotChange{Old: now, New: next}, edits, c)
}

// did notes what a guard did.
func (p *pilot) did(note string) { p.note = note }

// giveUp pauses a descent that can go back no more, and says so.
func (p *pilot) giveUp(why string) string {
	now := p.Descent.current()
	p.note = why
	next := *now
	next.Held = p.Solver.Iter
	c := &pendingCommand{By: autopilotName, Reply: make(chan reply, 1)}
	if err := p.Settings.tellAutopilot(&AutopilotChange{Old: now, New: &next}, nil, c); err != nil {
		return why
	}
	return fmt.Sprintf("%s; the descent is paused, after it went back %d times", why, now.Retreat)
}

// rewound forgets the snapshots behind the iteration to which the run went back.
func (p *pilot) rewound() {
	for n := len(p.points); n > 0 && p.points[n-1].iter > p.Solver.Iter; n = len(p.points) {
		p.points = p.points[:n-1]
	}
}

// autopilotName is who makes the changes that nobody asked for.
const autopilotName = "autopilot"

// show puts the autopilot into a snapshot.
func (p *pilot) show(sn *Snapshot) {
	d := p.Descent
	now, iter := d.current(), p.Solver.Iter
	if now == nil {
		return
	}
	s := &now.Descent.Schedule
	a := &AutopilotState{
		Autopilot: *now, Driven: d.layers(), Phase: s.Phase(iter), Next: s.Next(iter), Progress: s.Progress(iter),
		Planned: now.budget(iter), RateFactor: 1, Note: p.note, Done: d.done(),
	}
	if d.done() {
		a.Next, a.RateFactor = -1, s.RateFactor(iter)
		if a.Phase == autopilot.Annealing {
			a.Progress = float64(iter-s.End) / float64(s.Anneal)
		}
	}
	a.Now, a.Kept, a.Total = p.cost(now)
	if p.goal != nil {
		a.Goal = p.goal.Layers
	}
	sn.Autopilot = a
}

// cost is what the layers of a descent cost now, and how many of their entries are kept.
func (p *pilot) cost(a *Autopilot) (cost float64, kept, total int) {
	layers := p.Descent.bare()
	for i, l := range p.Solver.Layers() {
		layers[i].Kept, layers[i].Total, layers[i].Positions = l.Kept(), l.Total(), l.Positions
	}
	if a.Descent.Settings.Bind(layers) != nil {
		return 0, 0, 0
	}
	for i := range layers {
		if !layers[i].Excluded {
			kept, total = kept+layers[i].Kept, total+layers[i].Total
		}
	}
	return a.Descent.Budget.Cost.Now(layers), kept, total
}
