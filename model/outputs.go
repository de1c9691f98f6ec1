package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// Output is one number that a test net gives, averaged over test_iter batches.
type Output struct {
	Type       string // of the layer that makes it
	Name       string // of the blob, in the prototxt
	Blob       string // what Caffe calls it: a split behind it has a name of its own
	Value      float64
	LossWeight float64
}

// TestResult is one evaluation of one test net.
type TestResult struct {
	Net     int
	Iter    int
	Loss    float64 // the objective
	Outputs []Output
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

// ErrStopped is returned by Test when its caller asked it to stop.
var ErrStopped = errors.New("stopped")

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
func Evaluate(n *Net, batches int, stop func() bool) (*TestResult, error) {
	r := &TestResult{}
	lag := n.device.Capabilities().Lag
	var ahead []*evaluated
	settle := func() error {
		e := ahead[0]
		ahead = ahead[1:]
		if err := n.device.Await(e.mark); err != nil {
			return err
		}
		r.Loss += n.objective(e.losses) / float64(batches)
		e.add(r)
		return nil
	}
	for range batches {
		if stop != nil && stop() {
			return nil, ErrStopped
		}
		if err := n.run(); err != nil {
			return nil, err
		}
		ahead = append(ahead, n.evaluated())
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

// evaluated is one batch's numbers, on their way from the device.
type evaluated struct {
	mark   gpu.Mark
	losses []float32
	outs   []output
	values [][]float32
}

func (n *Net) evaluated() *evaluated {
	e := &evaluated{losses: n.fetchLosses(nil), outs: n.outs}
	for _, o := range n.outs {
		v := make([]float32, o.blob.Data.N)
		n.device.Fetch(v, o.blob.Data)
		e.values = append(e.values, v)
	}
	e.mark = n.device.Mark()
	return e
}

// add adds the outputs to a result's.
func (e *evaluated) add(r *TestResult) {
	k := 0
	for i, o := range e.outs {
		for _, v := range e.values[i] {
			if k == len(r.Outputs) {
				r.Outputs = append(
					r.Outputs,
					Output{Name: o.blob.Name, Blob: o.name, Type: o.typ, LossWeight: float64(o.weight)},
				)
			}
			r.Outputs[k].Value += float64(v)
			k++
		}
	}
}

// Outputs returns the numbers in the blobs that no layer reads, as the last pass left them.
func (n *Net) Outputs() []Output {
	var out []Output
	for _, o := range n.outs {
		for _, v := range n.values(o.blob) {
			out = append(
				out,
				Output{Name: o.blob.Name, Blob: o.name, Type: o.typ, Value: float64(v), LossWeight: float64(o.weight)},
			)
		}
	}
	return out
}

type output struct {
	blob   *layer.Blob
	name   string
	typ    string // of its layer
	weight float32
}

// unread lists the blobs that no layer reads, in the order of their layers.
func (n *Net) unread() []output {
	read := map[*layer.Blob]bool{}
	for _, nd := range n.nodes {
		for _, b := range nd.bottom {
			read[b] = true
		}
	}
	var out []output
	seen := map[*layer.Blob]bool{}
	for _, nd := range n.nodes {
		for j, t := range nd.top {
			if !read[t] && !seen[t] {
				seen[t] = true
				out = append(out, output{t, nd.param.Top[j], nd.typ, nd.weights[j]})
			}
		}
	}
	return out
}
