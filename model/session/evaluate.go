package session

import (
	"errors"
	"fmt"
	"time"

	"dns-tui/model"
	"dns-tui/model/solver"
)

// testAll evaluates every test net. Commands that come meanwhile are carried out between batches where they only set
// something; one that stops or pauses ends the test.
func (t *Trainer) testAll() error {
	before := t.state
	t.state = Testing
	defer func() {
		if t.state == Testing {
			t.state = before
		}
		t.tested, t.toTest = 0, 0
		for _, r := range t.deferred {
			t.carryOut(r)
		}
		t.deferred = nil
	}()
	results := make([]solver.TestResult, 0, len(t.solver.Tests))
	t.toTest = 0
	for i := range t.solver.Tests {
		t.toTest += int(t.run.Solver.TestIter[i])
	}
	t.tested = 0
	for i := range t.solver.Tests {
		r, err := t.solver.Test(i, t.interrupted)
		if errors.Is(err, model.ErrStopped) {
			t.note(Event{Iter: t.solver.Iter, Text: "test interrupted"})
			return nil
		}
		if err != nil {
			return err
		}
		results = append(results, *r)
	}
	t.tests = results
	for i := range results {
		if a, ok := results[i].Accuracy(); ok && i == 0 {
			t.curves.accuracy.Add(t.solver.Iter, a)
		}
		for _, o := range results[i].Outputs {
			if o.LossWeight != 0 && i == 0 {
				t.curves.testLoss.Add(t.solver.Iter, o.Value)
				break
			}
		}
	}
	t.recordTest(results)
	t.note(Event{Iter: t.solver.Iter, Text: t.testText(), Tests: results})
	t.speed.reset()
	t.publish()
	return nil
}

// interrupted looks at the commands between two batches of a test.
func (t *Trainer) interrupted() bool {
	t.tested++
	if time.Since(t.published) >= publishEvery {
		t.publish()
	}
	for {
		select {
		case r := <-t.requests:
			switch r.cmd.Kind {
			case TestNow:
				r.reply <- reply{err: errors.New("a test is running")}
			case SurgeryNow:
				t.deferred = append(t.deferred, r) // a test sees one set of masks
			case GoBack, Probe:
				t.deferred = append(t.deferred, r)
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

func (t *Trainer) testText() string {
	s := "test"
	for _, r := range t.tests {
		for _, o := range r.Outputs {
			s += fmt.Sprintf("  %s %.4f", o.Name, o.Value)
		}
	}
	return s
}
