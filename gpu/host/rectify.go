package host

import "dns-tui/gpu"

// A ReLU behind a product, a convolution or a sum is done while what these made is in a cache (gpu.Rectifier), and
// backward with the pass that reads the gradient anyway: the one that sums the gradients of biases, or that hands a
// sum's gradient to its terms. The bits are those of one operation after the other.

// rectified does a ReLU in place, where it is on.
func rectified(y []float32, r gpu.Rectifier) {
	if r.On {
		rectify(y, y, r.Slope)
	}
}

// ends are what comes after a product of matrices: a number is added to each column, and a ReLU.
type ends struct {
	bias []float32 // of all columns; nil: none
	then gpu.Rectifier
}

func (e *ends) none() bool { return e.bias == nil && !e.then.On }

// do does it to n columns, of which the first has a number, of some rows, which are step apart.
func (e *ends) do(c []float32, step, rows, first, n int) {
	if e.none() {
		return
	}
	for i := range rows {
		y := c[i*step:][:n]
		if e.bias != nil {
			accumulate(e.bias[first:][:n], y)
		}
		rectified(y, e.then)
	}
}

// finish does what comes after a product in a pass of its own.
func (d *back) finish(o *gpu.Gemm) {
	e := ends{slice(o.Bias), o.Then}
	if !e.none() {
		launch(d, &d.kernels.rectifyRows, rectifyRowsKernel{e, slice(o.C), o.N}, o.M, max(1, grain/o.N))
	}
}

// rectifyRowsKernel does rows.
type rectifyRowsKernel struct {
	ends ends
	c    []float32
	n    int
}

func (k *rectifyRowsKernel) run(lo, hi, _ int) { k.ends.do(k.c[lo*k.n:], k.n, hi-lo, 0, k.n) }

func (d *back) reluBias(o *gpu.ReLUBias) {
	s := o.Shape
	switch y, dy, db := slice(o.Y), slice(o.DY), slice(o.DB); {
	case db == nil:
		launch(d, &d.kernels.reluBackward, reluBackwardKernel{y, dy, dy, o.Slope}, len(dy), grain)
	case s.Inner == 1:
		launch(d, &d.kernels.reluColumns, reluColumnsKernel{s, y, dy, db, o.Slope}, s.Channels, columnsTogether)
	default:
		launch(d, &d.kernels.reluBias, reluBiasKernel{s, y, dy, db, o.Slope}, s.Channels, channelGrain(s))
	}
}

// reluBiasKernel does channels: the sums are those of sumBiasKernel. Its floor is 3n: y, dy; dy.
type reluBiasKernel struct {
	s         gpu.ChannelShape
	y, dy, db []float32
	slope     float32
}

func (k *reluBiasKernel) run(lo, hi, _ int) {
	s := k.s
	for c := lo; c < hi; c++ {
		var t float64
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			var sum float64
			for done := 0; done < s.Inner; done += summed {
				n := min(summed, s.Inner-done)
				dy := k.dy[at+done:][:n]
				rectifyGradient(k.y[at+done:][:n], dy, k.slope)
				sum += sum32(dy)
			}
			t += sum
		}
		k.db[c] += float32(t)
	}
}

// reluColumnsKernel is that of rows of one number a channel, by the sums of sumColumnsKernel.
type reluColumnsKernel reluBiasKernel

func (k *reluColumnsKernel) run(lo, hi, _ int) {
	for ; lo < hi; lo += columnsTogether {
		n := min(columnsTogether, hi-lo)
		sums := columnSums{db: k.db[lo:][:n]}
		for o := range k.s.Outer {
			at := o*k.s.Channels + lo
			dy := k.dy[at:][:n]
			rectifyGradient(k.y[at:][:n], dy, k.slope)
			sums.add(dy)
		}
		sums.end()
	}
}

// rectifyGradient sets dy to the gradient of what a ReLU was given that made y.
func rectifyGradient(y, dy []float32, slope float32) {
	k := reluBackwardKernel{y, dy, dy, slope}
	k.run(0, len(dy), 0)
}

func (d *back) addBackward(o *gpu.AddBackward) {
	k := addBackwardKernel{o.Then, slice(o.Z), slice(o.DZ), slice(o.DX), slice(o.DY), o.A, o.B}
	launch(d, &d.kernels.addBackward, k, o.DZ.N, grain)
}

// addBackwardKernel hands the gradient of a sum to its terms. Its floor is 4n: z, dz; dx and dy.
type addBackwardKernel struct {
	then          gpu.Rectifier
	z, dz, dx, dy []float32
	a, b          float32
}

func (k *addBackwardKernel) run(lo, hi, worker int) {
	var room [summed]float32
	for ; lo < hi; lo += summed {
		end := min(hi, lo+summed)
		g := k.dz[lo:end]
		if k.then.On {
			r := reluBackwardKernel{k.z[lo:end], g, room[:end-lo], k.then.Slope}
			r.run(0, end-lo, worker)
			g = r.dx
		}
		if k.dx != nil {
			times(k.a, g, k.dx[lo:end])
		}
		if k.dy != nil {
			times(k.b, g, k.dy[lo:end])
		}
	}
}

// times sets y to a·x.
func times(a float32, x, y []float32) {
	if a == 1 {
		copy(y, x)
		return
	}
	scaled(x, y, a)
}
