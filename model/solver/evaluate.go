package solver

import (
	"cmp"
	"errors"
	"fmt"
	"math"

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
// asked between batches.
func (s *Solver) Test(i int, stop func() bool) (*TestResult, error) {
	r, err := Evaluate(s.Tests[i], int(s.param.TestIter[i]), stop)
	if r != nil {
		r.Net, r.Iter = i, s.Iter
	}
	return r, err
}

// Evaluate runs a net over a number of batches and averages its outputs (Caffe's Solver::Test). A device that works
// ahead is not waited for between batches.
func Evaluate(n *model.Net, batches int, stop func() bool) (*TestResult, error) {
	r := &TestResult{}
	lag := n.Device().Capabilities().Lag
	var ahead []*model.Results
	settle := func() error {
		loss, outputs, err := ahead[0].Wait()
		if err != nil {
			return err
		}
		ahead = ahead[1:]
		r.Loss += loss / float64(batches)
		for i, o := range outputs {
			if i == len(r.Outputs) {
				r.Outputs = append(r.Outputs, o)
			} else {
				r.Outputs[i].Value += o.Value
			}
		}
		return nil
	}
	for range batches {
		if stop != nil && stop() {
			return nil, model.ErrStopped
		}
		if err := n.Run(); err != nil {
			return nil, err
		}
		ahead = append(ahead, n.Results())
		if len(ahead) > lag {
			if err := settle(); err != nil {
				return nil, err
			}
		}
	}
	for len(ahead) > 0 {
		if err := settle(); err != nil {
			return nil, err
		}
	}
	for i := range r.Outputs {
		r.Outputs[i].Value /= float64(max(1, batches))
		if v := r.Outputs[i].Value; math.IsNaN(v) {
			return r, fmt.Errorf(
				"output %q is NaN: %w",
				r.Outputs[i].Name,
				cmp.Or(n.FirstBad(), errors.New("no layer's last output is")),
			)
		}
	}
	return r, nil
}
