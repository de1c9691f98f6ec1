package session

import (
	"errors"
	"fmt"
	"slices"

	"dns-tui/config"
)

// step is what one undo undoes: the edits of a command, or a plan.
type step struct {
	Seq   int             `json:"seq"` // of the command
	Edits []config.Edited `json:"edits,omitempty"`
	Plan  int             `json:"plan,omitempty"`  // that made the edits, or, without edits, the plan that was made
	Ended []Plan          `json:"ended,omitempty"` // ramps under way that ended for it
	// What the autopilot was told with it.
	Autopilot *toldAutopilot `json:"autopilot,omitempty"`
}

// toldAutopilot is a step's change of what the autopilot is told; nil is off.
type toldAutopilot struct {
	Old *Autopilot `json:"old,omitempty"`
	New *Autopilot `json:"new,omitempty"`
	// ByHand: it follows from the step's edits, by which a person took layers in hand.
	ByHand bool `json:"by_hand,omitempty"`
}

// back are the edits that undo it. No two are of one field. Where a rule changes back, what belongs to the rule of now
// goes before it, and thresholds, which have another name under the other, come last.
func (s step) back() []config.Edited {
	out := make([]config.Edited, len(s.Edits))
	for i, e := range s.Edits {
		out[i] = e.Back()
	}
	if !slices.ContainsFunc(out, func(e config.Edited) bool { return e.Param == config.Rule }) {
		return out
	}
	slices.Reverse(out)
	last := func(e config.Edited) int { return int(switched(e.WaitsForSurgery())) }
	slices.SortStableFunc(out, func(a, b config.Edited) int { return last(a) - last(b) })
	return out
}

// origin says where the edits of a command come from.
type origin uint8

const (
	asked    origin = iota // by a person or a plan
	undone                 // an undo: redo makes what it undid again
	redone                 // a redo
	byItself               // the autopilot, which no person asked for it: no step of undo
)

// pendingCommand is a command that sets something, until the last of its edits has taken effect: a threshold waits for
// the surgery of its layer.
type pendingCommand struct {
	Seq     int
	Iter    int // at which it was asked for
	By      string
	Reply   chan reply
	Origin  origin
	Waiting int // edits that wait
	Applied []config.Edited
	Err     error // of one that will not take effect
}

// unanswered is a command whose answer nobody waits for.
func unanswered(by string) *pendingCommand {
	return &pendingCommand{By: by, Reply: make(chan reply, 1)}
}

// settle answers a command of which nothing waits any more; why is what became of the last edit, where that was not
// applied.
func (c *pendingCommand) settle(iter int, why error) {
	if why != nil {
		c.Err = why
	}
	switch {
	case c.Waiting > 0:
	case len(c.Applied) == 0:
		c.Reply <- reply{Ack{}, c.Err}
	default:
		c.Reply <- reply{Ack{Iter: iter, Detail: EditsText(c.Applied)}, nil}
	}
}

// pendingEdit is an edit that waits for the surgery of its layer.
type pendingEdit struct {
	config.Edited
	Of *pendingCommand
}

// ledger is what was asked of a run: the edits that wait for surgery, what can be undone, and what can be redone, the
// newest last. A step is undoable once its command was accepted. A snapshot carries the ledger.
type ledger struct {
	seq        int // of the last command
	undo, redo []step
	pending    []pendingEdit
}

// maxSteps bounds what can be undone.
const maxSteps = 200

// history is what a snapshot keeps of what can be undone and redone, and the number of the last command.
func (l *ledger) history() (undo, redo []step, seq int) { return l.undo, l.redo, l.seq }

// restoreSteps takes what a snapshot kept. Commands are numbered on from there.
func (l *ledger) restoreSteps(undo, redo []step, seq int) {
	*l = ledger{seq: max(l.seq, seq), undo: undo, redo: redo}
}

// idle reports that nothing is pending.
func (l *ledger) idle() bool { return len(l.pending) == 0 }

// next is the number of a new command.
func (l *ledger) next() int {
	l.seq++
	return l.seq
}

// accept takes in a step that was asked for: what was undone before can no longer be redone.
func (l *ledger) accept(s step) {
	l.push(s)
	l.redo = nil
}

func (l *ledger) push(s step) {
	l.undo = append(l.undo, s)
	if len(l.undo) > maxSteps {
		l.undo = slices.Clone(l.undo[1:])
	}
}

// last is the step that undo would undo.
func (l *ledger) last() (step, bool) {
	if len(l.undo) == 0 {
		return step{}, false
	}
	return l.undo[len(l.undo)-1], true
}

// undone moves the last step to those that can be redone; one without edits, a plan, is forgotten.
func (l *ledger) undone() {
	n := len(l.undo) - 1
	if s := l.undo[n]; len(s.Edits) > 0 || s.Autopilot != nil {
		l.redo = append(l.redo, s)
	}
	l.undo = l.undo[:n]
}

// discard forgets the last step, which cannot be undone.
func (l *ledger) discard() { l.undo = l.undo[:len(l.undo)-1] }

// lastUndone is the step that redo would make again.
func (l *ledger) lastUndone() (step, bool) {
	if len(l.redo) == 0 {
		return step{}, false
	}
	return l.redo[len(l.redo)-1], true
}

// redone moves the step that was undone last back to those that can be undone, as the command that made it again.
func (l *ledger) redone(s step) {
	l.redo = l.redo[:len(l.redo)-1]
	l.push(s)
}

// wait has edits of a command wait for surgery.
func (l *ledger) wait(c *pendingCommand, edits []config.Edited) {
	for _, e := range edits {
		c.Waiting++
		l.pending = append(l.pending, pendingEdit{e, c})
	}
}

// takePending takes the pending edits off that are picked, and returns them by command, in the order in which they
// were asked for. The commands count them as no longer waiting.
func (l *ledger) takePending(pick func(pendingEdit) bool) []commandEdits {
	if !slices.ContainsFunc(l.pending, pick) {
		return nil
	}
	var out []commandEdits
	var rest []pendingEdit
	index := map[*pendingCommand]int{} // in out
	for _, p := range l.pending {
		if !pick(p) {
			rest = append(rest, p)
			continue
		}
		i, ok := index[p.Of]
		if !ok {
			i, out = len(out), append(out, commandEdits{Of: p.Of})
			index[p.Of] = i
		}
		out[i].Edits = append(out[i].Edits, p.Edited)
		p.Of.Waiting--
	}
	l.pending = rest
	return out
}

// settleAll answers all commands that wait, of a run that ends; its last snapshot shows them as they are.
func (l *ledger) settleAll(iter int, why error) {
	told := map[*pendingCommand]bool{}
	for _, p := range l.pending {
		if !told[p.Of] {
			told[p.Of], p.Of.Waiting = true, 0
			p.Of.settle(iter, why)
		}
	}
}

// commandEdits are the edits of a command that waited.
type commandEdits struct {
	Of    *pendingCommand
	Edits []config.Edited
}

// fieldsOf are the fields of edits.
func fieldsOf(edits []config.Edited) map[config.Field]config.Edited {
	out := make(map[config.Field]config.Edited, len(edits))
	for _, e := range edits {
		out[e.Field] = e
	}
	return out
}

// replace cancels the pending edits of the fields of later ones.
func (l *ledger) replace(later []config.Edited, iter int) {
	if l.idle() {
		return
	}
	fields := fieldsOf(later)
	for _, t := range l.takePending(func(p pendingEdit) bool { _, ok := fields[p.Field]; return ok }) {
		l.forget(t.Of.Seq, t.Edits)
		t.Of.settle(iter, ErrReplaced)
	}
}

// applied notes what edits of a command changed, when they take effect.
func (l *ledger) applied(seq int, edits []config.Edited) {
	s := l.find(seq)
	if s == nil {
		return
	}
	fields := fieldsOf(edits)
	for i := range s.Edits {
		if e, ok := fields[s.Edits[i].Field]; ok {
			s.Edits[i].Old = e.Old
		}
	}
}

// forget removes edits that will not take effect from their step, and the step where those were all.
func (l *ledger) forget(seq int, edits []config.Edited) {
	s := l.find(seq)
	if s == nil {
		return
	}
	fields := fieldsOf(edits)
	gone := func(e config.Edited) bool { _, ok := fields[e.Field]; return ok }
	s.Edits = slices.DeleteFunc(slices.Clone(s.Edits), gone) // redo may share the old
	if len(s.Edits) == 0 && s.Autopilot == nil {
		l.undo = slices.DeleteFunc(slices.Clone(l.undo), func(s step) bool { return s.Seq == seq })
	}
}

func (l *ledger) find(seq int) *step {
	for i := len(l.undo) - 1; i >= 0; i-- {
		if l.undo[i].Seq == seq {
			return &l.undo[i]
		}
	}
	return nil
}

// texts say what undo and redo would do; "" is nothing.
func (l *ledger) texts() (undo, redo string) {
	if s, ok := l.last(); ok {
		switch undo = planName(s.Plan); {
		case s.Autopilot != nil:
			undo = (&AutopilotChange{Old: s.Autopilot.New, New: s.Autopilot.Old}).String()
		case len(s.Edits) > 0:
			undo = EditsText(s.back())
		}
	}
	if s, ok := l.lastUndone(); ok {
		if redo = EditsText(s.Edits); s.Autopilot != nil {
			redo = (&AutopilotChange{Old: s.Autopilot.Old, New: s.Autopilot.New}).String()
		}
	}
	return undo, redo
}

// changes are the pending edits as snapshots show and keep them.
func (l *ledger) changes() []Change {
	var out []Change
	for _, p := range l.pending {
		out = append(out, Change{
			Iter: p.Of.Iter, Edits: []config.Edited{p.Edited}, By: p.Of.By, Seq: p.Of.Seq,
		})
	}
	return out
}

// restore takes the pending edits of a snapshot, whose callers are gone. It returns those that this version does not
// know, with the reason.
func (l *ledger) restore(lines [][]byte) (unknown []string) {
	l.pending = nil
	commands := map[int]*pendingCommand{}
	for i, line := range lines {
		c, err := parseChange(line)
		if err == nil && c.Unknown != nil {
			err = errors.New(c.Unknown.Reason)
		}
		if err == nil && len(c.Edits) != 1 {
			err = errors.New("not one edit")
		}
		if err != nil {
			unknown = append(
				unknown, fmt.Sprintf("a pending change of the snapshot is not known, and is canceled: %v", err),
			)
			continue
		}
		key := c.Seq
		if key == 0 { // of an older version
			key = -1 - i
		}
		of := commands[key]
		if of == nil {
			of = &pendingCommand{Seq: c.Seq, Iter: c.Iter, By: c.By, Reply: make(chan reply, 1)}
			if l.find(c.Seq) == nil {
				of.Origin = undone
			}
			commands[key] = of
		}
		l.wait(of, c.Edits)
	}
	return unknown
}
