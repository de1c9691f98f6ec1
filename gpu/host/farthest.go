package host

import "dns-tui/gpu"

// farthest does rows as a stretch of memory each; columns it takes side by side, so that every line is read once.
func (d *back) farthest(o *gpu.Farthest) {
	k := farthestKernel{o.G, o.Center, slice(o.W), slice(o.Masked), slice(o.Kept), slice(o.Pruned)}
	launch(d, &d.kernels.farthest, k, o.G.Outputs, max(1, grain/max(1, o.G.Inputs)))
}

// farthestKernel does outputs.
type farthestKernel struct {
	g                       gpu.Outputs
	center                  float32
	w, masked, kept, pruned []float32
}

func (k *farthestKernel) run(lo, hi, _ int) {
	for o := lo; o < hi; o++ {
		k.kept[o], k.pruned[o] = -1, -1
	}
	if k.g.Transposed {
		for i := range k.g.Inputs {
			for o := lo; o < hi; o++ {
				k.consider(o, i*k.g.Outputs+o)
			}
		}
		return
	}
	for o := lo; o < hi; o++ {
		for i := o * k.g.Inputs; i < (o+1)*k.g.Inputs; i++ {
			k.consider(o, i)
		}
	}
}

// consider takes weight i of an output into account.
func (k *farthestKernel) consider(output, i int) {
	d := k.w[i] - k.center
	if d < 0 {
		d = -d
	}
	best := k.kept
	if k.masked != nil && gpu.IsPruned(k.masked[i]) {
		best = k.pruned
	}
	if d > best[output] { // false for NaN
		best[output] = d
	}
}
