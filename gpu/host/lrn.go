package host

import "dns-tui/gpu"

// rowGrain is how many positions of a plane LRN handles at a time: with all their channels they fit the cache.
const rowGrain = 512

// lrnPiece maps an item to an image and a range of positions.
func lrnPiece(g *gpu.LRNGeometry, item int) (base, lo, hi int) {
	per := (g.Plane + rowGrain - 1) / rowGrain
	lo = item % per * rowGrain
	return item / per * g.C * g.Plane, lo, min(lo+rowGrain, g.Plane)
}

func lrnItems(g *gpu.LRNGeometry) int { return g.N * ((g.Plane + rowGrain - 1) / rowGrain) }

func (d *back) lrn(o *gpu.LRN) {
	launch(d, &d.kernels.lrn, lrnKernel{o.G, slice(o.X), slice(o.Scale), slice(o.Y)}, lrnItems(o.G), 1)
}

type lrnKernel struct {
	g           *gpu.LRNGeometry
	x, scale, y []float32
}

func (k *lrnKernel) run(lo, hi, _ int) {
	g := k.g
	half, f := (g.Size-1)/2, g.Alpha/float32(g.Size)
	for item := lo; item < hi; item++ {
		base, a, b := lrnPiece(g, item)
		for c := range g.C {
			s := k.scale[base+c*g.Plane+a : base+c*g.Plane+b]
			for i := range s {
				s[i] = g.K
			}
			for n := max(0, c-half); n <= min(g.C-1, c+half); n++ {
				x := k.x[base+n*g.Plane+a : base+n*g.Plane+b]
				for i := squaresVectors(x, s, f); i < len(s); i++ {
					s[i] += float32(f * x[i] * x[i])
				}
			}
			x, y := k.x[base+c*g.Plane+a:], k.y[base+c*g.Plane+a:]
			y = y[:len(s)]
			powers(s, y, 1, 0, -g.Beta)
			for i := mulVectors(y, x, y); i < len(y); i++ {
				y[i] *= x[i]
			}
		}
	}
}

func (d *back) lrnBackward(o *gpu.LRNBackward) {
	k := lrnBackwardKernel{d, o.G, slice(o.X), slice(o.Y), slice(o.Scale), slice(o.DY), slice(o.DX)}
	launch(d, &d.kernels.lrnBackward, k, lrnItems(o.G), 1)
}

type lrnBackwardKernel struct {
	d                   *back
	g                   *gpu.LRNGeometry
	x, y, scale, dy, dx []float32
}

func (k *lrnBackwardKernel) run(lo, hi, worker int) {
	g := k.g
	half, f := (g.Size-1)/2, 2*g.Alpha*g.Beta/float32(g.Size)
	acc := k.d.scratch(worker, rowGrain)
	for item := lo; item < hi; item++ {
		base, a, b := lrnPiece(g, item)
		for c := range g.C {
			s := acc[:b-a]
			clear(s)
			for n := max(0, c-half); n <= min(g.C-1, c+half); n++ {
				at := base + n*g.Plane
				y, z, dy := k.y[at+a:at+b], k.scale[at+a:at+b], k.dy[at+a:at+b]
				for i := ratiosVectors(dy, y, z, s); i < len(s); i++ {
					s[i] += float32(dy[i] * y[i] / z[i])
				}
			}
			at := base + c*g.Plane
			x, z, dy, dx := k.x[at+a:at+b], k.scale[at+a:at+b], k.dy[at+a:at+b], k.dx[at+a:at+b]
			powers(z, dx, 1, 0, -g.Beta)
			for i, v := range s {
				dx[i] = float32(dy[i]*dx[i]) - float32(f*x[i]*v)
			}
		}
	}
}
