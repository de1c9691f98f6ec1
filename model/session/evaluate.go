package session

import (
	"errors"
	"slices"
	"time"

	"dns-tui/model"
	"dns-tui/model/solver"
)

// tests are the evaluations of a run's test nets.
type tests struct {
	results     []solver.TestResult // of the last
	done, total int                 // batches, while one is under way
	at          int                 // iteration of the last that the solver asked for; -1 before the first
	deferred    []request           // what must not happen during a test
}

// testAll evaluates every test net. Commands that come meanwhile are carried out between batches where they only set
// something; one that stops or pauses ends the test.
func (t *Trainer) testAll() error {
	before := t.state
	t.state = Testing
	defer func() {
		if t.state == Testing {
			t.state = before
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
	t.display.speed.reset()
	t.publish()
	return nil
}

// betweenBatches looks at the commands between two batches of a test, and reports whether one ends it.
func (t *Trainer) betweenBatches() bool {
	t.tests.done++
	if time.Since(t.display.published) >= publishEvery {
		t.publish()
	}
	for {
		select {
		case r := <-t.requests:
			switch r.cmd.Kind {
			case TestNow:
				r.reply <- reply{err: errors.New("a test is running")}
			case SurgeryNow, GoBack, Probe: // a test sees one set of masks
				t.tests.deferred = append(t.tests.deferred, r)
			case Resume, Step, StepSurgery:
				r.reply <- reply{ack: Ack{Iter: t.solver.Iter}}
			case Pause:
				t.state = Paused
				t.publish()
				r.reply <- reply{ack: Ack{Iter: t.solver.Iter}}
				return true
			default:
				t.carryOut(r)
				if t.stopping {
					return true
				}
			}
		default:
			return false
		}
	}
}

// tested takes in the results of a test: the first test net's accuracy and loss are curves.
func (c *curves) tested(iter int, results []solver.TestResult) {
	if len(results) == 0 {
		return
	}
	if a, ok := results[0].Accuracy(); ok {
		c.accuracy.Add(iter, a)
	}
	loss := func(o model.Output) bool { return o.LossWeight != 0 }
	if i := slices.IndexFunc(results[0].Outputs, loss); i >= 0 {
		c.testLoss.Add(iter, results[0].Outputs[i].Value)
	}
}
