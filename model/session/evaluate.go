package session

import (
	"errors"
	"slices"

	"dns-tui/caffe/caffepb"
	"dns-tui/model"
	"dns-tui/model/solver"
)

// tests are the evaluations of a run's test nets.
type tests struct {
	results     []solver.TestResult // of the last
	done, total int                 // batches, while one is under way
	lastIter    int                 // iteration of the last that the solver asked for; -1 before the first
	deferred    []request           // what must not happen during a test
}

func newTests() tests { return tests{lastIter: -1} }

// due reports whether the solver asks for a test before an iteration, and none was made there.
func (x *tests) due(p *caffepb.SolverParameter, iter int) bool {
	n := int(p.GetTestInterval())
	return n > 0 && iter%n == 0 && (iter > 0 || p.GetTestInitialization()) && x.lastIter != iter
}

// dueAtEnd reports whether a test belongs to the end of a run; only asks for it where the solver does.
func (x *tests) dueAtEnd(p *caffepb.SolverParameter, iter int, only bool) bool {
	n := int(p.GetTestInterval())
	return n > 0 && (!only || due(n, iter)) && x.lastIter != iter
}

// scheduled notes that the solver's test before an iteration is made.
func (x *tests) scheduled(iter int) { x.lastIter = iter }

// rewound forgets where the last test was made, of a run that went back.
func (x *tests) rewound() { x.lastIter = -1 }

// last is what the last test gave.
func (x *tests) last() []solver.TestResult { return x.results }

// text is what the last test gave.
func (x *tests) text() string { return TestDone{x.results}.String() }

// show puts the last test, and how far the one under way is, into a snapshot.
func (x *tests) show(sn *Snapshot) {
	sn.Tests, sn.Tested, sn.ToTest = slices.Clone(x.results), x.done, x.total
}

// testAll evaluates every test net. Commands that come meanwhile are carried out between batches where they only set
// something; one that stops or pauses ends the test.
func (t *Trainer) testAll() error {
	before := t.control.State
	t.control.State = Testing
	defer func() {
		if t.control.State == Testing {
			t.control.State = before
		}
		t.tests.done, t.tests.total = 0, 0
		for _, r := range t.tests.deferred {
			t.carryOut(r)
		}
		t.tests.deferred = nil
	}()
	results := make([]solver.TestResult, 0, len(t.solver.Tests))
	t.tests.done, t.tests.total = 0, 0
	for i := range t.solver.Tests {
		t.tests.total += int(t.run.Solver.TestIter[i])
	}
	for i := range t.solver.Tests {
		r, err := t.solver.Test(i, t.betweenBatches)
		if errors.Is(err, model.ErrStopped) {
			t.note(TestInterrupted{})
			return nil
		}
		if err != nil {
			return err
		}
		results = append(results, *r)
	}
	t.tests.results = results
	t.curves.tested(t.solver.Iter, results)
	t.rec.tested(results)
	t.note(TestDone{results})
	t.display.interrupted()
	t.publish()
	return nil
}

// betweenBatches looks at the commands between two batches of a test, and reports whether one ends it.
func (t *Trainer) betweenBatches() bool {
	t.tests.done = min(t.tests.done+t.ranks.size(), t.tests.total)
	if t.display.stale() {
		t.publish()
	}
	for {
		select {
		case r := <-t.requests:
			switch k := r.Command.Kind; {
			case r.Command.By == BySearch: // it does one thing after the other
				t.tests.deferred = append(t.tests.deferred, r)
			case k == TestNow:
				r.Reply <- reply{Err: errors.New("a test is running")}
			case k == SurgeryNow, k == GoBack, k == TakeBranch, k == Probe: // a test sees one set of masks
				t.tests.deferred = append(t.tests.deferred, r)
			case k == Resume, k == Step, k == StepSurgery:
				r.Reply <- reply{Ack: Ack{Iter: t.solver.Iter}}
			case k == Pause:
				t.control.halt(t.searching())
				t.publish()
				r.Reply <- reply{Ack: Ack{Iter: t.solver.Iter}}
				return true
			default:
				t.carryOut(r)
				if t.control.isStopping() {
					return true
				}
			}
		default:
			return false
		}
	}
}
