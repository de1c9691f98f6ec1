package session

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"dns-tui/config"
	"dns-tui/model/autopilot"
	"dns-tui/model/solver"
)

// pilot drives the thresholds of a run to a target: it finds them at each surgery of a descent, ends it, and takes it
// back where it goes wrong. What it is told is the settings' (descent).
type pilot struct {
	pilotParts
	planner  planner
	retreats retreats
	atTarget *autopilot.Solution // what the weights of the last surgery would come to
	note     string              // what it did last
	why      string              // it paused the descent by itself
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

func newPilot(p pilotParts) pilot {
	return pilot{
		pilotParts: p,
		planner:    planner{Solver: p.Solver, Run: p.Run, Descent: p.Descent},
		retreats:   newRetreats(p.Saver),
	}
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
	p.note, p.why = "", ""
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
	asked, err := p.Descent.asked().With(r.Settings...)
	if err != nil {
		return "", nil, err
	}
	next, found, err := p.planner.plan(asked)
	if err != nil {
		return "", nil, err
	}
	prediction := p.planner.predicted(next, found)
	if r.Action == AutopilotPredict {
		return prediction.String(), prediction, nil
	}
	edits := next.wanted(p.Solver.Hyper(), p.planner.driven(next), now == nil)
	if err := p.Settings.tellAutopilot(&AutopilotChange{Old: now, New: next}, edits, c); err != nil {
		return "", nil, err
	}
	p.atTarget, p.note, p.why = found.Clone(), "", ""
	for _, w := range next.Descent.Warnings {
		p.warn("autopilot: " + w)
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
		if p.Descent.asked().Target.Unit == autopilot.NoTarget && len(flags) == 0 {
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
	asked, err := p.Descent.asked().With(all...)
	if err != nil {
		return fmt.Errorf("autopilot: %w", err)
	}
	if now != nil && len(now.Asked.Differences(asked)) == 0 {
		return nil
	}
	r := AutopilotRequest{Settings: all}
	if _, _, err := p.request(r, unanswered("")); err != nil {
		return fmt.Errorf("autopilot: %w", err)
	}
	for _, d := range p.Descent.current().Descent.Derived {
		p.tell("autopilot: " + d.String())
	}
	return nil
}

// begins reports whether start will begin a descent, or the run is in one.
func (p *pilot) begins(flags []autopilot.Setting) bool {
	s, err := p.Descent.asked().With(flags...)
	return err == nil && s.Target.Unit != autopilot.NoTarget
}

func (p *pilot) tell(text string) { p.Events.note(Event{Iter: p.Solver.Iter, What: Notice{text}}) }

func (p *pilot) warn(text string) { p.Events.note(Event{Iter: p.Solver.Iter, What: Warning{text}}) }

// settingsText is settings as they are typed.
func settingsText(list []autopilot.Setting) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.String()
	}
	return strings.Join(texts, ", ")
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
		err := p.aim(true)
		return d.current().Held < 0, err // it waits where the target can't be reached
	case now.due(iter):
		if now.Held < 0 {
			_, kept, _ := d.cost(now)
			p.retreats.keepFew(iter, kept)
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
	layers, err := p.planner.look(nil)
	if err != nil {
		return err
	}
	if err := now.Descent.Settings.Bind(layers); err != nil {
		return err
	}
	p.Solver.KeepStatistics(d.layers())
	scale := now.Descent.Settings.Scale
	if s, err := p.planner.solve(layers, now.Descent.Budget, scale, false); err == nil {
		p.atTarget = s.Clone()
	}
	b := now.Descent.Budget
	b.Limit = now.budget(p.Solver.Iter)
	found, err := p.planner.solve(layers, b, scale, exact)
	if _, ok := errors.AsType[*autopilot.Unreachable](err); ok {
		if now.Held < 0 {
			p.warn("the descent is paused: " + err.Error())
		}
		return p.hold(err.Error())
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

// hold pauses the descent over a problem; one that is paused stays so.
func (p *pilot) hold(problem string) error {
	now := p.Descent.current()
	p.why = problem
	if now.Held >= 0 {
		return nil
	}
	next := *now
	next.Held = p.Solver.Iter
	// What a person did last is what undo undoes; where that led to the pause, it ends with it.
	c := unanswered(autopilotName)
	c.Origin = byItself
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
	_, kept, total := p.Descent.cost(d.current())
	p.note = ""
	p.Events.note(Event{Iter: p.Solver.Iter, What: AutopilotDone{kept, total, d.current().Descent.Schedule.Anneal}})
	return nil
}

// descending reports whether thresholds are on their way to a target.
func (p *pilot) descending() bool {
	d := p.Descent
	now := d.current()
	return now != nil && !d.done() && now.Held < 0 && p.Solver.Iter >= now.Descent.Schedule.Begin
}

// keep writes a snapshot that the descent may go back to.
func (p *pilot) keep(before string) {
	_, kept, _ := p.Descent.cost(p.Descent.current())
	p.retreats.keep(p.Solver.Iter, kept, before)
}

// retreatTo is the snapshot to go back to, and what the autopilot is told there; "" where there is none, or the descent
// has gone back as often as it may.
func (p *pilot) retreatTo() (string, Autopilot) {
	next := *p.Descent.current()
	p.retreats.troubled(p.Solver.Iter)
	if next.Retreat >= next.Descent.Settings.Retries {
		return "", next
	}
	path := p.retreats.next()
	if path != "" {
		next.Retreat++
	}
	return path, next
}

// rewound tells it that the run went back.
func (p *pilot) rewound() { p.retreats.rewound(p.Solver.Iter) }

// slower continues a descent that went back, at half the pace.
func (p *pilot) slower(next *Autopilot) error {
	now, iter := p.Descent.current(), p.Solver.Iter
	most := int(p.Run.Solver.GetMaxIter())
	from := max(next.Descent.Schedule.Budget(iter), next.Descent.Budget.Limit)
	if iter <= next.Descent.Schedule.Begin { // the first surgery took too much at once
		cost, _, _ := p.Descent.cost(next)
		from = math.Sqrt(from * max(cost, from))
	}
	s := next.Descent.Schedule.Slower(iter, from, 2)
	s.End = max(iter+1, min(s.End, most-s.Anneal/2)) // half the anneal is left in any case
	s.Anneal = min(s.Anneal, most-s.End)
	next.Descent.Schedule = s
	var edits []config.Edit
	if now == nil {
		if _, err := p.planner.look(next.Descent.Settings.Rule.Of); err != nil {
			return err
		}
		edits = next.wanted(p.Solver.Hyper(), p.planner.driven(next), true)
	}
	told := &AutopilotChange{Old: p.Descent.current(), New: next}
	return p.Settings.tellAutopilot(told, edits, unanswered(autopilotName))
}

// did notes what a guard did.
func (p *pilot) did(note string) { p.note = note }

// giveUp pauses a descent that can go back no more, and says so.
func (p *pilot) giveUp(why string) string {
	if err := p.hold(why); err != nil {
		return why
	}
	return fmt.Sprintf("%s; the descent is paused, after it went back %d times", why, p.Descent.current().Retreat)
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
	if now.Held >= 0 && p.why != "" {
		a.Note = p.why
	}
	a.Now, a.Kept, a.Total = p.Descent.cost(now)
	if p.atTarget != nil {
		a.AtTarget = p.atTarget.Layers
	}
	sn.Autopilot = a
}
