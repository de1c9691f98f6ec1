package model

import (
	"math"
	"slices"
	"time"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// LayerProfile is what a layer does in a pass forward and one backward, and how long that takes.
type LayerProfile struct {
	Name, Type        string
	In                string // the layer that does its work in its own passes, where all of it is measured; or ""
	Forward, Backward PassProfile
}

// PassProfile is one layer's part of a pass.
type PassProfile struct {
	Time       time.Duration // the mean of several
	Operations float64       // multiplications and additions of its products, those of zeros too
	Bytes      float64       // that it must read and write at least
}

// Peak is what a device can do.
type Peak struct {
	Operations float64 // multiplications and additions of a matrix product, a second
	Bytes      float64 // read and written, of arrays beyond its caches, a second
}

// Floor is the least time that a device can take: max(Operations / Peak.Operations, Bytes / Peak.Bytes). Data that is
// still in a cache can be had in less.
func (p PassProfile) Floor(of Peak) time.Duration {
	return time.Duration(max(p.Operations/of.Operations, p.Bytes/of.Bytes) * float64(time.Second))
}

// Profile runs passes forward and backward and measures each layer, as Time does, beside what it has to do at least. Of
// a layer whose work another does in its own passes only that is said: it is in the other's time.
func (n *Net) Profile(passes int, stop func() bool) ([]LayerProfile, error) {
	out := make([]LayerProfile, len(n.nodes))
	operations := n.device.Operations()
	since := func() float64 {
		was := operations
		operations = n.device.Operations()
		return operations - was
	}
	for i, nd := range n.nodes {
		p := &out[i]
		p.Name, p.Type = nd.name, nd.typ
		if err := n.forward(i); err != nil {
			return nil, err
		}
		if nd.first != nil && n.together() {
			p.In = nd.first.name
			continue
		}
		p.Forward.Operations, p.Forward.Bytes = since(), nd.forwardBytes()
	}
	for i, nd := range slices.Backward(n.nodes) {
		if nd.backward {
			n.backward(nd)
			if out[i].In != "" {
				continue
			}
			out[i].Backward.Operations, out[i].Backward.Bytes = since(), nd.backwardBytes()
		}
	}
	times, err := n.Time(passes, stop)
	if err != nil {
		return nil, err
	}
	for i, t := range times {
		if out[i].In != "" {
			continue
		}
		out[i].Forward.Time = t.Forward / time.Duration(max(1, passes))
		out[i].Backward.Time = t.Backward / time.Duration(max(1, passes))
	}
	return out, nil
}

// forwardBytes counts what a pass forward must read and write: bottoms and parameters once, tops once. A top that is
// another name for its bottom costs nothing, and of data nothing is known.
func (nd *node) forwardBytes() float64 {
	elements := 0
	for j, t := range nd.top {
		if !nd.shares(j) {
			elements += t.Len()
		}
	}
	if elements == 0 || len(nd.bottom) == 0 { // a Split, a Flatten, a Silence; data, which is read elsewhere
		return 0
	}
	for _, b := range nd.bottom {
		elements += b.Len()
	}
	for _, p := range nd.params {
		elements += p.Data.N
	}
	return 4 * float64(elements)
}

// shares reports whether a top is another name for the numbers of a bottom.
func (nd *node) shares(top int) bool {
	t := nd.top[top]
	return slices.ContainsFunc(nd.bottom, func(b *layer.Blob) bool {
		return b != t && b.Data.Mem == t.Data.Mem && b.Data.Off == t.Data.Off
	})
}

// linear are the types of layers without parameters whose gradient does not depend on their bottoms.
var linear = []string{"Split", "Concat", "Slice", "Flatten", "Reshape", "Silence", "Dropout", "Crop", "Permute", "Tile"}

// backwardBytes counts what a pass backward must read and write: the gradients of tops, and bottoms where the gradient
// depends on them, once; the gradients of bottoms that want one; parameters, and their gradients, to which it adds.
func (nd *node) backwardBytes() float64 {
	elements := 0
	for j, t := range nd.top {
		if nd.shares(j) && len(nd.top) == 1 {
			return 0
		}
		elements += t.Len()
	}
	for j, b := range nd.bottom {
		if !slices.Contains(linear, nd.typ) {
			elements += b.Len()
		}
		if j < len(nd.need) && nd.need[j] {
			elements += b.Len()
		}
	}
	for _, p := range nd.params {
		elements += 3 * p.Data.N
	}
	return 4 * float64(elements)
}

// MeasurePeak measures what a device can do: a product of matrices of 1,024 rows and columns, and a sum of two arrays
// of 64 MB. Both are the best of several.
func MeasurePeak(d *gpu.Device) (Peak, error) {
	const side, long, tries = 1024, 16 << 20, 7
	var x [3]*gpu.Tensor
	for i, n := range []int{long, long, side * side} {
		t, err := gpu.NewTensor(d, n)
		if err != nil {
			return Peak{}, err
		}
		defer t.Mem.Free()
		d.Fill(t, 0.5)
		x[i] = t
	}
	a, b, c := x[0].View(0, side*side), x[1].View(0, side*side), x[2]
	best := func(f func()) (time.Duration, error) {
		took := time.Duration(math.MaxInt64)
		for range tries {
			begin := time.Now()
			f()
			if err := d.Sync(); err != nil {
				return 0, err
			}
			took = min(took, time.Since(begin))
		}
		return took, nil
	}
	product, err := best(func() { d.Gemm(false, false, side, side, side, 1, a, b, 0, c) })
	if err != nil {
		return Peak{}, err
	}
	sum, err := best(func() { d.Axpby(1, x[0], 1, x[1]) })
	if err != nil {
		return Peak{}, err
	}
	return Peak{
		Operations: 2 * side * side * side / product.Seconds(),
		Bytes:      3 * 4 * long / sum.Seconds(),
	}, nil
}
