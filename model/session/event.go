package session

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/solver"
)

// Event is something that happened to a run.
type Event struct {
	Seq  int // counts a run's events; 0 of Progress, which is not kept
	Iter int
	By   string // who asked for it, where several may
	What Payload
}

// Payload is what an event tells. String is a line of it for people.
type Payload interface {
	fmt.Stringer
	payload()
}

// Status is what became of a change or a command.
type Status string

// What became of a change; "" is an event that is none.
const (
	Pending  Status = "pending"
	Applied  Status = "applied"
	Rejected Status = "rejected"
	NoChange Status = ""
)

// Status is what became of the change that the event tells of.
func (e Event) Status() Status {
	switch w := e.What.(type) {
	case PlanMade:
		return Pending
	case ChangeApplied, SurgeryDone, RampBegun, RampDone, RampResumed, WentBack, AutopilotChanged:
		return Applied
	case CommandRejected, PlanRejected:
		return Rejected
	case TextEvent:
		return w.Status
	}
	return NoChange
}

// String is the event as a line: "applied: conv2.threshold 1.64 → 1.96".
func (e Event) String() string {
	if s := e.Status(); s != NoChange {
		return string(s) + ": " + e.What.String()
	}
	return e.What.String()
}

// What happens to a run.
type (
	// Notice is something that a user should know.
	Notice struct{ Text string }
	// Warning is something that a user should look at.
	Warning struct{ Text string }
	// ChangeApplied tells of settings that took effect, or of another prefix.
	ChangeApplied struct{ Change Change }
	// CommandRejected tells of a command, or a change of a replay, that was rejected.
	CommandRejected struct{ Command, Reason string }
	// SurgeryDone tells of a surgery that was asked for.
	SurgeryDone struct{ Layers int }

	// PlanMade tells of a change to come.
	PlanMade struct{ Plan Plan }
	// PlanCanceled tells of a plan that will not be carried out, or not to its end.
	PlanCanceled struct{ Plan Plan }
	// PlanRejected tells of a plan that could not be carried out.
	PlanRejected struct {
		Plan   Plan
		Reason string
	}
	// RampBegun tells of a ramp that begins.
	RampBegun struct{ Plan Plan }
	// RampResumed tells of a ramp that continues, since the change that had ended it was undone.
	RampResumed struct{ Plan Plan }
	// RampDone tells of a ramp that has come to its end.
	RampDone struct{ Plan Plan }

	// AutopilotChanged tells what the autopilot is told now.
	AutopilotChanged struct{ Change AutopilotChange }
	// AutopilotDone tells of a descent that has come to its end.
	AutopilotDone struct {
		Kept, Total int
		Anneal      int // iterations in which the learning rate falls from here on
	}
	// AutopilotRetreated tells of a descent that went back, to continue at half the pace.
	AutopilotRetreated struct {
		From, To int
		Why      string
		Left     int // how often it may do so again
	}

	// SnapshotWritten tells of a snapshot.
	SnapshotWritten struct {
		Path    string
		Why     string
		Guard   bool // it was written before a risky change
		Retried bool // after a failure
	}
	// SnapshotFailed tells of one that could not be written.
	SnapshotFailed struct {
		Reason string
		Note   string // what follows from it
	}
	// JournalFailed tells of lines that could not be written.
	JournalFailed struct {
		Reason        string
		Waiting, Lost int // lines
	}
	// JournalWritten tells that the lines that waited are written.
	JournalWritten struct{ Lost int }

	// TestDone tells of an evaluation of the test nets.
	TestDone struct{ Results []solver.TestResult }
	// TestInterrupted tells of one that was ended early.
	TestInterrupted struct{}
	// SensitivityMeasured tells of a measurement that has come to its end.
	SensitivityMeasured struct{ Layers int }
	// SensitivityFailed tells of one that could not be ended.
	SensitivityFailed struct{ Reason string }

	// NetMeasured tells what was measured of the net for who ships it.
	NetMeasured struct{ Measured Measured }
	// MeasuringFailed tells why it could not be.
	MeasuringFailed struct{ Reason string }

	// GateClosed tells of a loss that is not finite: nothing was updated with it.
	GateClosed struct{ Reason string }
	// Collapsed tells that a run can learn nothing more.
	Collapsed struct {
		What   string
		Paused bool
	}
	// SignalRestored tells that something passes from the data to the loss again.
	SignalRestored struct{}
	// LayerEmptied tells of a layer of which surgery has left nothing.
	LayerEmptied struct {
		Layer     string
		Param     string
		Threshold float64
	}

	// WentBack tells of a run that went back to a snapshot.
	WentBack struct {
		From, To int
		Path     string // its base name
		Returns  bool   // going back once more returns
	}
	// RunFinished tells that the last iteration is done; Unsaved is why its weights are in memory alone, or "".
	RunFinished struct{ Unsaved string }
	// RunFailed tells why a run cannot continue.
	RunFailed struct{ Reason string }

	// TextEvent is an event of a run of another version, of which only the text is known.
	TextEvent struct {
		Status Status
		Text   string
	}

	// Progress is what a display line says. Snapshots do not keep it.
	Progress struct {
		Iter      int
		MaxIter   int
		Loss      float64 // smoothed
		Rate      float64
		PerSecond float64
		Kept      int
		Total     int
		Outputs   []model.Output // of the train net, in the last pass
		// Seconds and Iters are the time and the iterations since the line before.
		Seconds float64
		Iters   int
		// Surgeries is in how many iterations so far some layer was operated on, and Descent where the autopilot's
		// descent stands (autopilot.Phase in words); "" without one.
		Surgeries int
		Descent   string
		// Last is the line that ends a run: the loss after the last update, and nothing else.
		Last bool
	}
)

func (w Notice) String() string        { return w.Text }
func (w Warning) String() string       { return "WARNING: " + w.Text }
func (w ChangeApplied) String() string { return w.Change.String() }

func (w CommandRejected) String() string { return w.Command + ": " + w.Reason }
func (w SurgeryDone) String() string     { return fmt.Sprintf("surgery on %d layers", w.Layers) }

func (w PlanMade) String() string { return fmt.Sprintf("%s: %s", planName(w.Plan.ID), w.Plan) }
func (w PlanCanceled) String() string {
	return fmt.Sprintf("%s is canceled: %s", planName(w.Plan.ID), w.Plan)
}
func (w PlanRejected) String() string { return fmt.Sprintf("%s: %s", planName(w.Plan.ID), w.Reason) }
func (w RampBegun) String() string    { return fmt.Sprintf("%s begins: %s", planName(w.Plan.ID), w.Plan) }
func (w RampResumed) String() string {
	return fmt.Sprintf("%s resumes: %s", planName(w.Plan.ID), w.Plan)
}

func (w RampDone) String() string {
	p := w.Plan
	return fmt.Sprintf("%s %s → %s, the end of %s", p.Field, p.OldText(), p.Text(), planName(p.ID))
}

func (w AutopilotChanged) String() string { return w.Change.String() }

func (w AutopilotDone) String() string {
	text := fmt.Sprintf("the descent is done: %d of %d kept, %.4gx smaller; masks are frozen", w.Kept, w.Total,
		autopilot.TimesSmaller(w.Kept, w.Total))
	if w.Anneal > 0 {
		text += fmt.Sprintf(", and the learning rate falls to 0 in %d iterations", w.Anneal)
	}
	return text
}

func (w AutopilotRetreated) String() string {
	return fmt.Sprintf("%s: the descent goes back from %d to %d, and on at half the pace (%d more times at most)",
		w.Why, w.From, w.To, w.Left)
}

// Before says before what a guard was saved.
func (w SnapshotWritten) Before() string { return "saved before " + w.Why }

// BackHint ends the problem of a run that can go back.
const BackHint = "; B goes back"

func (w SnapshotWritten) String() string {
	switch {
	case w.Guard:
		return w.Before() + ": B goes back to it"
	case w.Retried:
		return "snapshot " + w.Path + ", after a failure"
	}
	return "snapshot " + w.Path
}

func (w SnapshotFailed) String() string {
	if w.Note == "" {
		return "snapshot failed: " + w.Reason
	}
	return fmt.Sprintf("snapshot failed: %s; %s", w.Reason, w.Note)
}

func (w JournalFailed) String() string {
	return fmt.Sprintf("journal: %s; %d lines wait in memory, and are lost if the run ends before they can be "+
		"written%s",
		w.Reason, w.Waiting, lostText(w.Lost))
}

func (w JournalWritten) String() string {
	return "the journal is written again, with every line that waited" + lostText(w.Lost)
}

func lostText(lines int) string {
	if lines == 0 {
		return ""
	}
	return fmt.Sprintf("; %d did not fit, and are lost", lines)
}

func (w TestDone) String() string {
	var s strings.Builder
	s.WriteString("test")
	for _, r := range w.Results {
		for _, l := range model.List(model.BlobNames(r.Outputs), false) {
			fmt.Fprintf(&s, "  %s %.4f", l.Name, r.Outputs[l.Index].Value)
			if l.More != "" {
				s.WriteString("  " + l.More)
			}
		}
	}
	return s.String()
}

func (w TestInterrupted) String() string { return "test interrupted" }

func (w SensitivityMeasured) String() string {
	return fmt.Sprintf("sensitivity of %d layers is measured", w.Layers)
}
func (w SensitivityFailed) String() string { return "sensitivity: " + w.Reason }

func (w NetMeasured) String() string {
	m := &w.Measured
	text := "what you ship: " + m.Now.words()
	if m.Then != nil && m.Goal != "" {
		text += "; at " + m.Goal + " " + m.Then.words()
	} else if m.Then != nil {
		text += "; with the thresholds chosen " + m.Then.words()
	}
	return text
}

func (w MeasuringFailed) String() string { return "what you ship could not be measured: " + w.Reason }

func (w GateClosed) String() string { return "paused: " + w.Reason }

func (w Collapsed) String() string {
	if w.Paused {
		return "paused: " + w.What
	}
	return "WARNING: " + w.What
}

func (w SignalRestored) String() string { return "data passes to the loss again" }

func (w LayerEmptied) String() string {
	return fmt.Sprintf("%s keeps no weight, so nothing passes it: lower its %s, now %g", w.Layer, w.Param, w.Threshold)
}

func (w WentBack) String() string {
	text := fmt.Sprintf("from %d back to %d", w.From, w.To)
	if w.Path != "" {
		text += ", " + w.Path
	}
	if w.Returns {
		text += "; back once more returns"
	}
	return text
}

func (w RunFinished) String() string {
	if w.Unsaved != "" {
		return "finished, not saved: " + w.Unsaved
	}
	return "finished"
}

func (w RunFailed) String() string { return "failed: " + w.Reason }

func (w TextEvent) String() string { return w.Text }

// Remaining is how long the run goes on at its present speed; 0 where that is not known.
func (w Progress) Remaining() time.Duration {
	if w.PerSecond <= 0 || w.MaxIter <= w.Iter {
		return 0
	}
	return time.Duration(float64(w.MaxIter-1-w.Iter) / w.PerSecond * float64(time.Second))
}

func (w Progress) String() string {
	return fmt.Sprintf("loss %.6g  lr %.4g", w.Loss, w.Rate)
}

func (AutopilotChanged) payload()    {}
func (AutopilotDone) payload()       {}
func (AutopilotRetreated) payload()  {}
func (Notice) payload()              {}
func (Warning) payload()             {}
func (ChangeApplied) payload()       {}
func (CommandRejected) payload()     {}
func (SurgeryDone) payload()         {}
func (PlanMade) payload()            {}
func (PlanCanceled) payload()        {}
func (PlanRejected) payload()        {}
func (RampBegun) payload()           {}
func (RampResumed) payload()         {}
func (RampDone) payload()            {}
func (SnapshotWritten) payload()     {}
func (SnapshotFailed) payload()      {}
func (JournalFailed) payload()       {}
func (JournalWritten) payload()      {}
func (TestDone) payload()            {}
func (TestInterrupted) payload()     {}
func (SensitivityMeasured) payload() {}
func (SensitivityFailed) payload()   {}
func (NetMeasured) payload()         {}
func (MeasuringFailed) payload()     {}
func (GateClosed) payload()          {}
func (Collapsed) payload()           {}
func (SignalRestored) payload()      {}
func (LayerEmptied) payload()        {}
func (WentBack) payload()            {}
func (RunFinished) payload()         {}
func (RunFailed) payload()           {}
func (TextEvent) payload()           {}
func (Progress) payload()            {}

// Observer gets the events of a run that pass its filter. The run never waits for it: what finds no room is dropped and
// counted.
type Observer struct {
	filter  func(Event) bool // nil: all
	events  chan Event
	dropped atomic.Int64
}

// NewObserver returns an observer with room for so many events that were not read yet. filter may be nil: all pass.
func NewObserver(room int, filter func(Event) bool) *Observer {
	return &Observer{filter: filter, events: make(chan Event, room)}
}

// Events are those that passed, oldest first. The channel is never closed: Trainer.Done tells when no more will come.
func (o *Observer) Events() <-chan Event { return o.events }

// Dropped counts the events that passed and found no room.
func (o *Observer) Dropped() int64 { return o.dropped.Load() }

// observe hands an event on.
func (o *Observer) observe(e Event) {
	if o.filter != nil && !o.filter(e) {
		return
	}
	select {
	case o.events <- e:
	default:
		o.dropped.Add(1)
	}
}

// maxEvents bounds the events that a snapshot carries.
const maxEvents = 200

// events keeps the last events of a run, for its snapshots, and hands all on to its observers.
type events struct {
	kept      []Event
	seq       int
	observers []*Observer
}

func newEvents(observers []*Observer) events { return events{observers: observers} }

// note keeps an event and hands it on.
func (s *events) note(e Event) { s.send(s.store(e)) }

// store keeps an event for the snapshots.
func (s *events) store(e Event) Event {
	if len(s.kept) >= maxEvents {
		copy(s.kept, s.kept[1:])
		s.kept = s.kept[:maxEvents-1]
	}
	s.seq++
	e.Seq = s.seq
	s.kept = append(s.kept, e)
	return e
}

// observed reports whether somebody observes.
func (s *events) observed() bool { return len(s.observers) > 0 }

// show puts the events into a snapshot.
func (s *events) show(sn *Snapshot) { sn.Events = slices.Clone(s.kept) }

// send hands an event to the observers.
func (s *events) send(e Event) {
	for _, o := range s.observers {
		o.observe(e)
	}
}

// restore keeps what a journal tells of the iterations before one, of a run that is resumed there; iterChanges are
// the changes of that iteration.
func (s *events) restore(past *Course, iter int, iterChanges []Change) {
	for _, c := range past.Changes {
		if c.Iter < iter || c.Began != nil && c.Iter == iter {
			s.restoreChange(c)
		}
	}
	for _, c := range iterChanges {
		s.restoreChange(c)
	}
}

func (s *events) restoreChange(c Change) {
	e := Event{Iter: c.Iter, By: c.By}
	switch m := c.Measure; {
	case c.IsSetting(), c.Taken != nil:
		e.What = ChangeApplied{c}
	case c.start() != nil && c.start().Back > 0:
		e.What = WentBack{From: c.start().Back, To: c.Iter}
	case m != nil && m.Snapshot != nil:
		e.What = SnapshotWritten{Path: m.Snapshot.Path, Why: m.Snapshot.Why}
	case m != nil && m.Accuracy != nil:
		accuracy := model.Output{Name: "accuracy", Type: "Accuracy", Value: *m.Accuracy}
		e.What = TestDone{[]solver.TestResult{{Iter: c.Iter, Outputs: []model.Output{accuracy}}}}
	default:
		return
	}
	s.store(e)
}
