package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dns-tui/config"
)

func field(layer string, p config.Param) config.Field { return config.Field{Layer: layer, Param: p} }

func edited(f config.Field, old, value float64) config.Edited {
	return config.Edited{Edit: config.Edit{Field: f, Value: value}, Old: old, OldKnown: true}
}

// What can be undone and redone, and what is pending, is one value; each case is what happened, and what is left.
func TestLedger(t *testing.T) {
	lr, momentum := field("", config.BaseLR), field("", config.Momentum)
	one := func(seq int, f config.Field) step { return step{Seq: seq, Edits: []config.Edited{edited(f, 1, 2)}} }
	scope := step{Seq: 3, Edits: []config.Edited{
		edited(field("a", config.Prune), 0, 1), edited(field("b", config.Prune), 0, 1),
	}}
	again := func(l *ledger) {
		s, _ := l.lastUndone()
		l.redone(s)
	}
	for _, c := range []struct {
		name       string
		do         func(*ledger)
		undo, redo string
		n          int // left to undo
	}{
		{"nothing", func(l *ledger) {}, "", "", 0},
		{"one", func(l *ledger) { l.accept(one(1, lr)) }, "base_lr 2 → 1", "", 1},
		{"a scope is one", func(l *ledger) { l.accept(one(1, lr)); l.accept(scope) }, "prune → off in a, b", "", 2},
		{"undone", func(l *ledger) { l.accept(one(1, lr)); l.accept(scope); l.undone() },
			"base_lr 2 → 1", "prune → on in a, b", 1},
		{"redone", func(l *ledger) { l.accept(one(1, lr)); l.undone(); again(l) }, "base_lr 2 → 1", "", 1},
		{"one of two redone", func(l *ledger) {
			l.accept(one(1, lr))
			l.accept(one(2, momentum))
			l.undone()
			l.undone()
			again(l)
		}, "base_lr 2 → 1", "momentum 1 → 2", 1},
		{"another forgets what was " +
			"undone", func(l *ledger) { l.accept(one(1, lr)); l.undone(); l.accept(one(2, momentum)) },
			"momentum 2 → 1", "", 1},
		{"a plan", func(l *ledger) { l.accept(step{Seq: 1, Plan: 7}) }, "plan 7", "", 1},
		{"a plan that is undone cannot be " +
			"redone", func(l *ledger) { l.accept(step{Seq: 1, Plan: 7}); l.undone() }, "", "", 0},
		{"part of a scope never took " +
			"effect", func(l *ledger) { l.accept(scope); l.forget(3, scope.Edits[:1]) },
			"b.prune on → off", "", 1},
		{"none of a scope did", func(l *ledger) {
			l.accept(one(1, lr))
			l.accept(scope)
			l.forget(3, scope.Edits[:1])
			l.forget(3, scope.Edits[1:])
		}, "base_lr 2 → 1", "", 1},
		{"what was before is known when it takes effect", func(l *ledger) {
			l.accept(one(1, lr))
			l.applied(1, []config.Edited{edited(lr, 0.5, 2)})
		}, "base_lr 2 → 0.5", "", 1},
		{"not without end", func(l *ledger) {
			for i := range 2 * maxSteps {
				l.accept(one(i+1, lr))
			}
		}, "base_lr 2 → 1", "", maxSteps},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l ledger
			c.do(&l)
			undo, redo := l.texts()
			if d := cmp.Diff([]any{c.undo, c.redo, c.n}, []any{undo, redo, len(l.undo)}); d != "" {
				t.Error(d)
			}
		})
	}
}

// Pending edits: who is answered, when, and with what.
func TestLedgerPending(t *testing.T) {
	a, b := field("a", config.Threshold), field("b", config.Threshold)
	failed := errors.New("no memory")
	for _, c := range []struct {
		name    string
		do      func(l *ledger, scope, other *pendingCommand)
		answers []string // of scope and other; "" is none yet
		pending int
		undo    string
	}{
		{"both wait", func(l *ledger, scope, other *pendingCommand) {}, []string{"", ""}, 3, "a.threshold 3 → 1"},
		{"a part of a command is no answer", func(l *ledger, scope, other *pendingCommand) {
			for _, t := range l.takePending(func(p pendingEdit) bool { return p.Field == b }) {
				t.Of.Applied = append(t.Of.Applied, t.Edits...)
				t.Of.settle(5, nil)
			}
		}, []string{"", ""}, 2, "a.threshold 3 → 1"},
		{"the whole is", func(l *ledger, scope, other *pendingCommand) {
			for _, t := range l.takePending(func(p pendingEdit) bool { return p.Of == scope }) {
				t.Of.Applied = append(t.Of.Applied, t.Edits...)
				t.Of.settle(5, nil)
			}
		}, []string{"threshold → 2 in a, b at 5", ""}, 1, "a.threshold 3 → 1"},
		{"a later change of a field replaces those before", func(l *ledger, scope, other *pendingCommand) {
			l.replace([]config.Edited{edited(a, 1, 4)}, 5)
		}, []string{"", "replaced by a later change before it took effect"}, 1, "b.threshold 2 → 1"},
		{"what fails is told", func(l *ledger, scope, other *pendingCommand) {
			for _, t := range l.takePending(func(p pendingEdit) bool { return p.Of == other }) {
				t.Of.settle(5, failed)
			}
		}, []string{"", "no memory"}, 2, "a.threshold 3 → 1"},
		{"all are canceled", func(l *ledger, scope, other *pendingCommand) {
			for _, t := range l.takePending(func(pendingEdit) bool { return true }) {
				t.Of.settle(5, ErrEnded)
			}
		}, []string{"the run has ended", "the run has ended"}, 0, "a.threshold 3 → 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l ledger
			commands := []*pendingCommand{{Seq: 1, Reply: make(chan reply, 1)}, {Seq: 2, Reply: make(chan reply, 1)}}
			scope := []config.Edited{edited(a, 1, 2), edited(b, 1, 2)}
			l.accept(step{Seq: 1, Edits: scope})
			l.wait(commands[0], scope)
			l.accept(step{Seq: 2, Edits: []config.Edited{edited(a, 1, 3)}})
			l.wait(commands[1], []config.Edited{edited(a, 1, 3)})
			c.do(&l, commands[0], commands[1])
			var answers []string
			for _, p := range commands {
				select {
				case r := <-p.Reply:
					if r.Err != nil {
						answers = append(answers, r.Err.Error())
					} else {
						answers = append(answers, fmt.Sprintf("%s at %d", r.Ack.Detail, r.Ack.Iter))
					}
				default:
					answers = append(answers, "")
				}
			}
			undo, _ := l.texts()
			if d := cmp.Diff([]any{c.answers, c.pending, c.undo}, []any{answers, len(l.pending), undo}); d != "" {
				t.Error(d)
			}
		})
	}
}

// What a snapshot keeps of the pending edits comes back: those of one command together.
func TestLedgerRestores(t *testing.T) {
	var l ledger
	c := &pendingCommand{Seq: 4, Iter: 7, By: "anna"}
	edits := []config.Edited{
		edited(field("a", config.Threshold), 1, 2), edited(field("b.c", config.CRate), -0.5, 0.25),
	}
	l.accept(step{Seq: 4, Edits: edits})
	l.wait(c, edits)
	var lines [][]byte
	for _, ch := range l.changes() {
		line, err := ch.line()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	again := ledger{undo: l.undo}
	if unknown := again.restore(lines); unknown != nil {
		t.Error(unknown)
	}
	if d := cmp.Diff(l.changes(), again.changes()); d != "" {
		t.Error(d)
	}
	if of := again.pending[0].Of; of != again.pending[1].Of || of.Waiting != 2 || of.Origin != asked {
		t.Errorf("%+v: not one command of two edits", of)
	}
	unknown := again.restore([][]byte{[]byte(`{"iter":1,"field":"a.heat","new":"2"}`), []byte(`{"iter":1`)})
	if len(unknown) != 2 || len(again.pending) != 0 {
		t.Errorf("%q, %d pending; wanted both told", unknown, len(again.pending))
	}
}

// Of what a snapshot keeps, a step that this version does not know is told of; the rest is taken.
func TestSavedSessionTakesWhatItKnows(t *testing.T) {
	const data = `{"lately":[{"iter":3,"field":"lr_mult","old":"1","new":"2"}],"plan_id":7,"seq":4,"past":{"undo":[
		{"seq":1,"edits":[{"field":"lr_mult","old":"1","new":"2"}]},
		{"seq":2,"edits":[{"field":"conv1.sparsity_target","old":"1","new":"2"}]}],
		"redo":[{"seq":3,"edits":[{"field":"momentum","old":"0.9","new":"0.8"}]}]}}`
	k, unknown := parseSavedSession([]byte(data))
	if len(k.IterChanges) != 1 || k.PlanID != 7 || k.Seq != 4 || len(k.Past.Undo) != 1 || len(k.Past.Redo) != 1 {
		t.Errorf("%+v", k)
	}
	if len(unknown) != 1 || !strings.Contains(unknown[0], `no setting "conv1.sparsity_target"`) {
		t.Errorf("told %q", unknown)
	}
	if _, unknown := parseSavedSession(nil); unknown != nil {
		t.Errorf("of a snapshot that keeps nothing: %q", unknown)
	}
	if _, unknown := parseSavedSession([]byte("{")); len(unknown) != 1 {
		t.Errorf("of a damaged one: %q", unknown)
	}
}

// A line that this version does not know is kept byte for byte; an old value that cannot be read does not matter.
func TestUnknownLines(t *testing.T) {
	const line = `{"iter":3,"field":"conv1.nope","old":"1","new":"2","extra":{"a":1}}`
	c, err := parseChange([]byte(line))
	if err != nil || c.Unknown == nil || c.Unknown.Field != "conv1.nope" {
		t.Fatalf("%+v, %v", c, err)
	}
	if again, err := c.line(); err != nil || string(again) != line {
		t.Errorf("%s, %v; wanted %s", again, err, line)
	}
	c, err = parseChange([]byte(`{"iter":3,"field":"lr_mult","old":"lots","new":"2"}`))
	if err != nil || c.Unknown != nil || c.String() != "lr_mult 2" {
		t.Errorf("%+v, %v", c, err)
	}
}

// A line of edits that lacks their list, and one of a ramp that does not say where it came from.
func TestLinesThatLackSomething(t *testing.T) {
	if c, err := parseChange([]byte(`{"iter":3,"field":"edits"}`)); err != nil || c.Unknown == nil {
		t.Errorf("%+v, %v; wanted a line that is not known", c, err)
	}
	const plan = `{"id":1,"field":"lr_mult","value":"2","at":3,"over":5,"begun":true,"start":1`
	for old, want := range map[string]string{"": "", `,"old":"0.5"`: "0.5"} {
		var p Plan
		if err := json.Unmarshal([]byte(plan+old+"}"), &p); err != nil {
			t.Error(err)
		} else if got := p.OldText(); got != want {
			t.Errorf("%s: old value %q, wanted %q", old, got, want)
		}
	}
}
