package solver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"dns-tui/gpu/collective"
	"dns-tui/model"
)

// TestResult is one evaluation of one test net.
type TestResult struct {
	Net     int
	Iter    int
	Loss    float64 // the objective
	Outputs []model.Output
}

// Accuracy returns the first output of an Accuracy layer.
func (t *TestResult) Accuracy() (float64, bool) {
	for _, o := range t.Outputs {
		if o.Type == "Accuracy" {
			return o.Value, true
		}
	}
	return 0, false
}

// Test evaluates test net i over test_iter batches. It changes no weight, mask, statistic or random number. stop is
// asked between batches. Several ranks divide the batches among them; the figures are those of one, to the bit.
func (s *Solver) Test(i int, stop func() bool) (*TestResult, error) {
	s.tell(testOrder, i)
	return s.testDealt(i, stop)
}

func (s *Solver) testDealt(i int, stop func() bool) (*TestResult, error) {
	if s.ranks.told.err != nil {
		return nil, s.abandon(nil, s.ranks.told.err)
	}
	n, batches := s.Tests[i], int(s.param.TestIter[i])
	e := evaluation{net: n, batches: batches, stop: stop, group: s.ranks.group}
	var r *TestResult
	var err error
	if e.group == nil {
		r, err = e.run()
	} else {
		s.holdOrders(true) // what a command changes meanwhile, the others hear afterwards
		r, err = e.runDealt()
		if err != nil && !errors.Is(err, model.ErrStopped) && r == nil {
			s.ranks.told.held = nil // the others are elsewhere: the run ends
		}
		s.holdOrders(false)
		if e.group.Err() != nil {
			return nil, s.abandon(nil, err)
		}
	}
	if r != nil {
		r.Net, r.Iter = i, s.Iter
	}
	return r, err
}

// runDealt is run for one of several ranks. In the last round some of them may have no batch, and go on from where the
// others do all the same.
func (e *evaluation) runDealt() (*TestResult, error) {
	sources := e.net.Sources()
	from := make([]uint64, len(sources))
	for i, src := range sources {
		from[i] = src.Records()
	}
	r, err := e.run()
	for i, src := range sources {
		src.Seek(from[i] + uint64(e.settled*src.Batch()))
	}
	return r, err
}

// Evaluate runs a net over a number of batches and averages its outputs (Caffe's Solver::Test). A device that works
// ahead is not waited for between batches.
func Evaluate(n *model.Net, batches int, stop func() bool) (*TestResult, error) {
	return (&evaluation{net: n, batches: batches, stop: stop}).run()
}

// evaluation is one that is under way. Where it is divided among ranks, each round is a batch on each rank.
type evaluation struct {
	net     *model.Net
	batches int
	stop    func() bool
	group   collective.Group // nil: all batches are this process's
	ahead   []*model.Results // of rounds; nil of one in which this rank has no batch
	settled int              // batches
	result  TestResult
}

// batch is what one has given: a part of a message between ranks.
type batch struct {
	Stop    bool `json:",omitempty"` // rank 0 wants no more
	Loss    number
	Outputs []number
}

// number is one that may be NaN or infinite, which JSON has no words for.
type number float64

func (v number) MarshalJSON() ([]byte, error) { return json.Marshal(math.Float64bits(float64(v))) }

func (v *number) UnmarshalJSON(text []byte) error {
	var bits uint64
	err := json.Unmarshal(text, &bits)
	*v = number(math.Float64frombits(bits))
	return err
}

func (e *evaluation) run() (*TestResult, error) {
	ranks, rank, lag := 1, 0, e.net.Device().Capabilities().Lag
	if e.group != nil {
		ranks, rank = e.group.Size(), e.group.Rank()
	}
	for round := 0; round*ranks < e.batches; round++ {
		if e.group == nil && e.stop != nil && e.stop() {
			return nil, model.ErrStopped
		}
		var mine *model.Results
		if round*ranks+rank < e.batches {
			if err := e.net.Run(); err != nil {
				return nil, err
			}
			mine = e.net.Results()
		}
		e.ahead = append(e.ahead, mine)
		if len(e.ahead) > lag {
			if err := e.settle(); err != nil {
				return nil, err
			}
		}
	}
	for len(e.ahead) > 0 {
		if err := e.settle(); err != nil {
			return nil, err
		}
	}
	return e.mean()
}

// settle takes in the oldest round.
func (e *evaluation) settle() error {
	var b batch
	mine := e.ahead[0]
	e.ahead = e.ahead[1:]
	if mine != nil {
		loss, outputs, err := mine.Wait()
		if err != nil {
			return err
		}
		b.Loss = number(loss)
		for i, o := range outputs {
			b.Outputs = append(b.Outputs, number(o.Value))
			if i == len(e.result.Outputs) {
				o.Value = 0
				e.result.Outputs = append(e.result.Outputs, o)
			}
		}
	}
	if e.group == nil {
		return e.add(b)
	}
	b.Stop = e.group.Rank() == 0 && e.stop != nil && e.stop()
	all, err := gather(e.group, b, "a test result of rank %d")
	if err != nil {
		return err
	}
	stop := false
	for rank, b := range all {
		stop = stop || rank == 0 && b.Stop
		if e.settled < e.batches {
			if err := e.add(b); err != nil {
				return err
			}
		}
	}
	if stop {
		return model.ErrStopped
	}
	return nil
}

// add adds a batch to the sums, in the order in which one rank has them.
func (e *evaluation) add(b batch) error {
	if e.settled++; e.group != nil && e.group.Rank() > 0 {
		return nil // the figures are rank 0's to tell
	}
	if len(b.Outputs) > len(e.result.Outputs) {
		return fmt.Errorf("a batch gave %d numbers, the one before %d", len(b.Outputs), len(e.result.Outputs))
	}
	e.result.Loss += float64(b.Loss) / float64(e.batches)
	for i, v := range b.Outputs {
		e.result.Outputs[i].Value += float64(v)
	}
	return nil
}

// mean divides the sums by the number of batches.
func (e *evaluation) mean() (*TestResult, error) {
	r := &e.result
	if e.group != nil && e.group.Rank() > 0 {
		return nil, nil
	}
	for i := range r.Outputs {
		r.Outputs[i].Value /= float64(max(1, e.batches))
		if v := r.Outputs[i].Value; math.IsNaN(v) {
			return r, fmt.Errorf(
				"output %q is NaN: %w",
				r.Outputs[i].Name,
				cmp.Or(e.net.FirstBad(), errors.New("no layer's last output is")),
			)
		}
	}
	return r, nil
}
