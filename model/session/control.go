package session

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// control is what a run is doing, and how far it trains before it pauses.
type control struct {
	State     State
	Problem   string // why it is paused or failed
	Halted    bool   // a person paused the run that a search steers
	steps     int    // left before a pause; -1: none
	toSurgery bool   // pause after the next surgery
	stopping  bool   // end before the next iteration
}

func newControl(paused bool) control {
	p := control{steps: -1}
	if paused {
		p.State = Paused
	}
	return p
}

// running is an error where the run has ended.
func (p *control) running() error {
	if p.State.Ended() {
		return fmt.Errorf("the run is %s", p.State)
	}
	return nil
}

// operable is an error where no mask can be redrawn any more: a run that is finished can be operated on.
func (p *control) operable() error {
	if p.State == Finished {
		return nil
	}
	return p.running()
}

// pause pauses the run, over a problem where that is not "".
func (p *control) pause(problem string) { p.State, p.Problem = Paused, problem }

// resume trains on: without end, for some iterations, or to the next surgery; noSurgery is why none will come, or "".
func (p *control) resume(c Command, noSurgery string) error {
	if err := p.running(); err != nil {
		return err
	}
	switch {
	case c.Kind == StepSurgery && noSurgery != "":
		p.steps, p.toSurgery = -1, false
		return errors.New("no layer will be operated on again" + noSurgery)
	case c.Kind == Step && c.Count < 1:
		return fmt.Errorf("step %d: wanted at least 1 iteration", c.Count)
	}
	p.steps, p.toSurgery, p.Halted = -1, c.Kind == StepSurgery, false
	if c.Kind == Step {
		p.steps = c.Count
	}
	p.State, p.Problem = Running, ""
	return nil
}

// halt pauses the run because a person wants it, whether a search steers it or not.
func (p *control) halt(searching bool) { p.State, p.Halted = Paused, searching }

// goOn continues after a person's pause, as far as the search that steers the run has it train; between two steps of
// the search that is no further.
func (p *control) goOn() {
	p.Halted = false
	if p.steps >= 0 {
		p.State, p.Problem = Running, ""
	}
}

// pauseAfterSteps pauses a run that has made its steps.
func (p *control) pauseAfterSteps() {
	if p.steps == 0 && p.State == Running {
		p.steps, p.State = -1, Paused
	}
}

// settlesNext reports that the next iteration is to be waited for: it may be the last before a pause.
func (p *control) settlesNext(operates bool) bool { return p.steps > 0 || p.toSurgery && operates }

// stepped takes in that an iteration was done.
func (p *control) stepped() {
	if p.steps > 0 {
		p.steps--
	}
}

// operated takes in that the iteration operated.
func (p *control) operated() {
	if p.toSurgery {
		p.steps, p.toSurgery = 0, false
	}
}

// wentBack pauses a run that went back.
func (p *control) wentBack() {
	p.State, p.Problem, p.steps, p.toSurgery, p.Halted = Paused, "", -1, false, false
}

// fail ends the run over a problem.
func (p *control) fail(problem string) { p.State, p.Problem = Failed, problem }

// stop ends the run before the next iteration.
func (p *control) stop() { p.stopping = true }

// isStopping reports whether the run was told to stop.
func (p *control) isStopping() bool { return p.stopping }

// stopRequest tells the loop, from any goroutine, that a stop was asked for and has not been carried out: an iteration
// of many passes is not waited for without end.
type stopRequest struct{ asked atomic.Int64 } // when, in nanoseconds since 1970; 0: none was

// stopPatience is how long a stop waits for the iteration in hand before that is given up between two passes.
const stopPatience = 2 * time.Second

func (s *stopRequest) ask()   { s.asked.CompareAndSwap(0, time.Now().UnixNano()) }
func (s *stopRequest) clear() { s.asked.Store(0) }

// isAsked reports that a stop waits.
func (s *stopRequest) isAsked() bool { return s.asked.Load() != 0 }

// overdue reports whether a stop has waited long enough.
func (s *stopRequest) overdue() bool {
	at := s.asked.Load()
	return at != 0 && time.Since(time.Unix(0, at)) > stopPatience
}
