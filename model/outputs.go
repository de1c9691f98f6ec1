package model

import (
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

// Outputs returns the numbers in the blobs that no layer reads, as the last pass left them.
func (n *Net) Outputs() []Output {
	var out []Output
	for _, o := range n.outs {
		out = o.add(out, n.values(o.blob))
	}
	return out
}

// Results are the losses and outputs of one pass, on their way from the device.
type Results struct {
	net    *Net
	mark   gpu.Mark
	losses []float32
	outs   []output
	values [][]float32
}

// Results starts to copy the losses and outputs of the last pass.
func (n *Net) Results() *Results {
	r := &Results{net: n, losses: n.FetchLosses(nil), outs: n.outs}
	for _, o := range n.outs {
		v := make([]float32, o.blob.Data.N)
		n.device.Fetch(v, o.blob.Data)
		r.values = append(r.values, v)
	}
	r.mark = n.device.Mark()
	return r
}

// Wait waits for the results, and returns the objective and the numbers in the blobs that no layer reads.
func (r *Results) Wait() (objective float64, outputs []Output, err error) {
	if err := r.net.device.Await(r.mark); err != nil {
		return 0, nil, err
	}
	for i, o := range r.outs {
		outputs = o.add(outputs, r.values[i])
	}
	return r.net.Objective(r.losses), outputs, nil
}

type output struct {
	blob   *layer.Blob
	name   string
	typ    string // of its layer
	weight float32
}

// add appends the output's numbers.
func (o output) add(out []Output, values []float32) []Output {
	for _, v := range values {
		out = append(out, Output{
			Name: o.blob.Name, Blob: o.name, Type: o.typ, Value: float64(v), LossWeight: float64(o.weight),
		})
	}
	return out
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
