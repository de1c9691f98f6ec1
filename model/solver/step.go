package solver

import (
	"fmt"
	"math"
	"slices"

	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/model"
)

// pipeline is the iterations that a device is at work on. On a device with a lag the solver does not wait for an
// iteration's loss before it starts the next; on one without, every iteration is settled when Advance returns.
//
// A loss that is not finite is then seen late. So the device keeps a gate: a number that becomes NaN with the first
// such loss, behind which neither updates nor surgery change anything. When the solver sees the loss, the weights and
// masks are still those that it was made with, and the solver goes back to that iteration.
type pipeline struct {
	lag      int
	gate     *gpu.Tensor // nil without a lag
	scratch  *gpu.Tensor
	ring     []iteration // a ring of lag + 1
	first    int         // the oldest
	inFlight int
	sources  []model.NamedSource // of the train net
	// settledLoss is the loss of the iteration that was settled last.
	settledLoss float64
	// OnSettled is told of each iteration whose loss has come, in order.
	OnSettled func(iter int, loss float64)
	// Interrupted is asked between the passes of an iteration whether to give it up.
	Interrupted func() bool
	redrawn     []string // see Redrawn
}

// iteration is one that was started and is not settled.
type iteration struct {
	iter      int
	mark      gpu.Mark
	passes    int       // of all ranks
	losses    []float32 // of all passes, in their order
	stamp     []float32 // of the sums over ranks
	ops       []operation
	positions []uint64 // of the sources when it began
}

func (s *Solver) openPipeline() (err error) {
	s.lag = s.device.Capabilities().Lag
	s.ring = make([]iteration, s.lag+1)
	for i := range s.ring {
		s.ring[i].ops = make([]operation, 0, len(s.surgeon.layers))
		s.ring[i].stamp = make([]float32, 1)
	}
	s.sources = s.Net.Sources()
	if s.lag == 0 {
		return nil
	}
	if s.gate, err = gpu.NewTensor(s.device, 1); err != nil {
		return err
	}
	s.surgeon.gate = s.gate
	s.scratch, err = gpu.NewTensor(s.device, 1)
	return err
}

// Step does one iteration and waits for it: surgery where it is due, iter_size passes forward and backward, one
// update. It returns the loss. A loss that is not finite is an *UnstableError, and nothing was updated.
func (s *Solver) Step() (float64, error) {
	if err := s.Advance(); err != nil {
		return s.settledLoss, err
	}
	err := s.Drain()
	return s.settledLoss, err
}

// Advance starts one iteration, and settles those that the device is no longer to work on. An *UnstableError takes the
// solver back to the iteration whose loss was not finite.
func (s *Solver) Advance() error {
	if s.torn != nil {
		return s.torn
	}
	if err := s.device.Shortage(); err != nil { // of what was done since the last
		return &ShortError{Iter: s.Iter, Before: true, Err: err}
	}
	if err := s.tellAdvance(); err != nil {
		return err
	}
	s.device.Hurried() // in what was before
	f := s.begin()
	run := s.runPasses
	if s.ranks.group != nil {
		run = s.runPassesOfRank
	}
	if err := run(f); err != nil {
		return err
	}
	if err := s.device.Shortage(); err != nil {
		return s.fallShort(f, err)
	}
	if s.ranks.group == nil && s.device.Hurried() { // another time it would have other bits
		return s.giveUp(f, f.passes)
	}
	s.update(1 / float32(f.passes))
	f.mark = s.device.Mark()
	s.inFlight++
	s.Iter++
	lag := s.lag
	if s.ranks.group != nil && f.iter%compareEvery == 0 {
		lag = 0 // what is compared are the weights after this very iteration
	}
	for s.inFlight > lag {
		if err := s.settle(); err != nil {
			return err
		}
	}
	return nil
}

// begin begins an iteration: it draws which masks to redraw, and redraws them.
func (s *Solver) begin() *iteration {
	f := &s.ring[(s.first+s.inFlight)%len(s.ring)]
	f.iter, f.passes = s.Iter, s.passes()
	f.losses = slices.Grow(f.losses[:0], f.passes*s.Net.LossLen()) // the device writes there, so it stays where it is
	f.ops, f.positions = f.ops[:0], f.positions[:0]
	for _, src := range s.sources {
		f.positions = append(f.positions, src.Records())
	}
	for _, p := range s.surgeon.layers {
		if s.SurgeryDue(p) {
			f.ops = append(f.ops, operation{})
			s.surgeon.operate(p, s.hyper.Layer(p.Name), s.Iter, &f.ops[len(f.ops)-1])
		}
	}
	s.limitGradients()
	return f
}

// runPasses runs the passes of an iteration of a solver that is alone.
func (s *Solver) runPasses(f *iteration) error {
	for pass := range f.passes {
		if pass > 0 && s.Interrupted != nil && s.Interrupted() {
			return s.giveUp(f, pass)
		}
		s.setClock(pass)
		if err := s.Net.Run(); err != nil {
			return err
		}
		from := len(f.losses)
		f.losses = s.Net.FetchLosses(f.losses)
		if s.lag > 0 {
			s.closeGate()
		} else if l := s.Net.Objective(f.losses[from:]); !finite(l) {
			return s.rewindTo(f, l)
		}
		s.Net.Apart(pass > 0)
		s.Net.Backward()
	}
	return nil
}

// Drain settles every iteration that was started.
func (s *Solver) Drain() error {
	if s.inFlight > 0 {
		s.tell(drainOrder, nil)
	}
	return s.drain()
}

func (s *Solver) drain() error {
	for s.inFlight > 0 {
		if err := s.settle(); err != nil {
			return err
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// closeGate closes the gate where a loss of the pass is not finite: 0·x is 0 for a finite x alone.
func (s *Solver) closeGate() {
	for _, b := range s.Net.LossBlobs() {
		x := b.Data
		if x.N > 1 {
			s.device.Dot(0, x, x, s.scratch)
			x = s.scratch
		}
		s.device.Axpby(0, x, 1, s.gate)
	}
}

// settle waits for the oldest iteration and takes in what it found.
func (s *Solver) settle() error {
	f := &s.ring[s.first]
	if err := s.device.Await(f.mark); err != nil {
		if s.ranks.group != nil && s.ranks.group.Err() != nil {
			return s.abandon(nil, err)
		}
		s.inFlight = 0
		return err
	}
	per := len(f.losses) / f.passes
	var loss float64
	for pass := range f.passes {
		l := s.Net.Objective(f.losses[pass*per:][:per])
		if !finite(l) {
			return s.rewindTo(f, l)
		}
		loss += l
		s.lastPass = l
	}
	loss /= float64(f.passes)
	for i := range f.ops {
		s.surgeon.record(&f.ops[i])
	}
	s.first, s.inFlight = (s.first+1)%len(s.ring), s.inFlight-1
	if err := s.compareRanks(f); err != nil {
		return err
	}
	s.smooth(loss)
	s.settledLoss = loss
	if s.OnSettled != nil {
		s.OnSettled(f.iter, loss)
	}
	return nil
}

// GivenUpError says that an iteration was given up between two passes. Weights and history are those before it, and
// the data begins where it did; masks that it redrew stay, and so do the running statistics of its passes.
type GivenUpError struct{ Iter, Passes, Of int }

func (e *GivenUpError) Error() string {
	return fmt.Sprintf("iteration %d was given up after %d of %d passes", e.Iter, e.Passes, e.Of)
}

// giveUp discards an iteration that has done some of its passes.
func (s *Solver) giveUp(f *iteration, passes int) error {
	if err := s.takeBack(f); err != nil {
		return err
	}
	if err := s.sendStatistics(); err != nil {
		return err
	}
	return &GivenUpError{f.iter, passes, f.passes}
}

// takeBack settles the iterations before one that is given up, and forgets what of that was done.
func (s *Solver) takeBack(f *iteration) error {
	if err := s.drain(); err != nil {
		return err
	}
	if err := s.device.Sync(); err != nil {
		return err
	}
	s.discard(f)
	s.seek(f)
	return nil
}

// ShortError is a device's want of memory in an iteration, which was given up: weights and history are those before it,
// and the data begins where it did; masks that it redrew stay, and so do running statistics and what recurrent layers
// carry, as far as its passes came; of several ranks running statistics are those before it, too. Before says that it
// was before the iteration, in what was done since the last one, some of which was not done.
type ShortError struct {
	Iter   int
	Before bool
	Err    error
}

func (e *ShortError) Error() string {
	if e.Before {
		return fmt.Sprintf("before iteration %d: %v", e.Iter, e.Err)
	}
	return fmt.Sprintf("iteration %d: %v", e.Iter, e.Err)
}

func (e *ShortError) Unwrap() error { return e.Err }

// fallShort gives up an iteration for which the device had no memory. Where there are several ranks all end there: the
// others wait for sums that this one does not have.
func (s *Solver) fallShort(f *iteration, short error) error {
	if s.ranks.group != nil {
		s.ranks.group.Fail(collective.CannotGoOn + short.Error())
		_ = s.abandon(f, short) // that is the error
		return &ShortError{Iter: f.iter, Err: short}
	}
	if err := s.takeBack(f); err != nil {
		return err
	}
	return &ShortError{Iter: f.iter, Err: short}
}

// discard takes in the surgery of an iteration that is given up, and forgets its gradients.
func (s *Solver) discard(f *iteration) {
	s.redrawn = s.redrawn[:0]
	for i := range f.ops {
		s.surgeon.record(&f.ops[i])
		s.redrawn = append(s.redrawn, f.ops[i].p.Name)
	}
	for _, p := range s.Net.Params() {
		if p.Gradient() != nil {
			s.device.Fill(p.Diff, 0)
		}
	}
}

// Redrawn are the layers whose masks were redrawn in the last iteration that was given up, or whose loss was not
// finite.
func (s *Solver) Redrawn() []string { return s.redrawn }

// seek takes the data back to where an iteration began.
func (s *Solver) seek(f *iteration) {
	for i, src := range s.sources {
		src.Seek(f.positions[i])
	}
}

// rewindTo goes back to an iteration whose loss was not finite. It returns an *UnstableError, which says which layer
// was the first to be. What was started after it is discarded: behind the gate it changed nothing.
func (s *Solver) rewindTo(f *iteration, loss float64) error {
	late := s.inFlight > 0 || s.ranks.group != nil && s.param.GetIterSize() > 1
	s.settledLoss = loss
	err := &UnstableError{Iter: f.iter, Loss: loss}
	s.discard(f)
	s.inFlight, s.Iter = 0, f.iter
	if late {
		if e := s.device.Sync(); e != nil {
			return e
		}
		if s.gate != nil {
			s.device.Fill(s.gate, 0)
		}
		s.seek(f)
		for pass := range int(s.param.GetIterSize()) { // as far as the pass that failed, whose blobs tell
			s.setClock(pass)
			l, e := s.Net.Forward()
			if e != nil {
				return e
			}
			if !finite(l) {
				break
			}
		}
	}
	err.Cause = s.firstBad()
	s.seek(f)
	if e := s.sendStatistics(); e != nil {
		return e
	}
	return err
}

// OperateAll redraws the masks of the layers that take part in surgery, due or not, and returns how many those are.
// layers are the names of those that are meant; nil is all.
func (s *Solver) OperateAll(layers []string) int {
	s.tell(operateOrder, layers)
	ops := make([]operation, 0, len(s.surgeon.layers))
	for _, p := range s.surgeon.layers {
		if l := s.hyper.Layer(p.Name); l.Prune && !l.MaskFrozen && (layers == nil || slices.Contains(layers, p.Name)) {
			ops = append(ops, operation{})
			s.surgeon.operate(p, l, s.Iter, &ops[len(ops)-1])
		}
	}
	if s.device.Sync() == nil { // the next iteration tells of a failure
		for i := range ops {
			s.surgeon.record(&ops[i])
		}
	}
	return len(ops)
}
