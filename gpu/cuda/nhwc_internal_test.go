//go:build cuda

package cuda

import (
	"fmt"
	"testing"

	"dns-tui/gpu"
)

// lastTest has the same done by a device that stores activations with channels last, and by the host.
type lastTest struct {
	*tileTest
	x [2]map[string]*gpu.Tensor // by the device
}

func newLastTest(t *testing.T, p Precision) *lastTest {
	return &lastTest{newTileTest(t, p), [2]map[string]*gpu.Tensor{{}, {}}}
}

// eachLast runs a test for the two kinds of numbers.
func eachLast(t *testing.T, f func(t *testing.T, p Precision)) {
	for _, p := range []Precision{TF32, BF16} {
		t.Run(p.String(), func(t *testing.T) { f(t, p) })
	}
}

// tensor makes a tensor of random numbers on both, under a name.
func (s *lastTest) tensor(name string, n int) {
	v := s.random(n)
	for i, d := range []*gpu.Device{s.device, s.host} {
		x, err := gpu.NewTensor(d, n)
		if err != nil {
			s.t.Fatal(err)
		}
		d.Upload(x, v)
		s.x[i][name] = x
	}
}

// both does the same on both.
func (s *lastTest) both(f func(d *gpu.Device, x map[string]*gpu.Tensor)) {
	for i, d := range []*gpu.Device{s.device, s.host} {
		f(d, s.x[i])
	}
}

// last fails where a tensor is not stored with channels last.
func (s *lastTest) last(names ...string) {
	s.t.Helper()
	for _, n := range names {
		t := s.x[0][n]
		if s.back.layoutOf(t) == nil {
			s.t.Errorf("%s is in Caffe's order", n)
		}
	}
}

// equal fails where the device's numbers differ from the host's by more than rounding to bf16 makes, or to TF32.
func (s *lastTest) equal(limit float64, names ...string) {
	s.t.Helper()
	if s.precision == TF32 { // three bits more
		limit /= 8
	}
	for _, n := range names {
		if d := s.difference(n, s.x[0][n], s.x[1][n]); !(d < limit) {
			s.t.Errorf("%s differs by %.3g of its norm", n, d)
		}
	}
}

// Convolutions in every tile, k whole and in slices; channels that are filled up, groups, strides, holes.
func TestChannelsLastConvolutions(t *testing.T) { eachLast(t, channelsLastConvolutions) }

func channelsLastConvolutions(t *testing.T, p Precision) {
	for tile, size := range tilesOf(p) {
		for _, slices := range []int{1, 3} {
			for name, g := range map[string]gpu.ConvGeometry{
				"first": {N: 2, C: 3, H: 23, W: 21, O: 24, KH: 7, KW: 5, SH: 2, SW: 3, PH: 3, PW: 1},
				"3x3":   {N: 1, C: 40, H: 13, W: 11, O: 144, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1},
				"1x1":   {N: 2, C: 136, H: 9, W: 9, O: 32, KH: 1, KW: 1, SH: 1, SW: 1},
				"groups": {
					N: 2, C: 32, H: 12, W: 9, O: 48, KH: 5, KW: 4, SH: 2, SW: 1, PH: 2, PW: 3, DH: 1, DW: 2, Groups: 2,
				},
			} {
				g.DH, g.DW, g.Groups = max(g.DH, 1), max(g.DW, 1), max(g.Groups, 1)
				t.Run(fmt.Sprintf("%s/%d/%d", name, size.size, slices), func(t *testing.T) {
					s := newLastTest(t, p)
					g.Resolve()
					s.choose(&g, choice{Tile: tile, Slices: slices})
					s.tensor("x", g.InputLen())
					s.tensor("w", g.WeightLen())
					s.tensor("b", g.O)
					s.tensor("y", g.OutputLen())
					s.tensor("dy", g.OutputLen())
					s.tensor("dx", g.InputLen())
					s.tensor("dw", g.WeightLen())
					s.tensor("db", g.O)
					s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
						d.Conv(&g, x["x"], x["w"], x["b"], x["y"])
						d.ReLU(x["y"], x["y"], 0.25)
						d.ConvBackwardData(&g, x["dy"], x["w"], x["dx"])
						d.ConvBackwardWeights(&g, x["x"], x["dy"], nil, x["dw"], x["db"])
					})
					s.last("y")
					if g.C%8 == 0 {
						s.last("dx")
					}
					s.equal(8e-3, "y", "dx", "dw", "db")
				})
			}
		}
	}
}

// choose has the products of a convolution done in a way.
func (s *lastTest) choose(g *gpu.ConvGeometry, how choice) {
	in, out, width := inputOf(g), outputOf(g), s.back.widthOf(g)/g.Groups
	for what, mnk := range map[product][3]int{
		nhwcForward:         {out.images * out.plane, g.O / g.Groups, g.KH * g.KW * width},
		nhwcBackwardData:    {in.images * in.plane, g.C / g.Groups, g.KH * g.KW * g.O / g.Groups},
		nhwcBackwardWeights: {g.O / g.Groups, g.KH * g.KW * width, out.images * out.plane},
	} {
		of := shape{what: what, m: mnk[0], n: mnk[1], k: mnk[2], groups: g.Groups, g: *g}
		s.back.choices.known[of] = how
		if what == nhwcForward {
			of.biased = true
			s.back.choices.known[of] = how
		}
	}
}

// A chain between two convolutions stays as it is stored: all passes forward and backward, in place and not.
func TestChannelsLastChain(t *testing.T) { eachLast(t, channelsLastChain) }

func channelsLastChain(t *testing.T, precision Precision) {
	s := newLastTest(t, precision)
	g := gpu.ConvGeometry{
		N: 3, C: 16, H: 14, W: 15, O: 40, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
	}
	g.Resolve()
	n, shape := g.OutputLen(), gpu.ChannelShape{Outer: g.N, Channels: g.O, Inner: g.OutH * g.OutW}
	p := gpu.PoolGeometry{Planes: g.N * g.O, H: g.OutH, W: g.OutW, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 0}
	p.OutH, p.OutW = 7, 7
	lrn := gpu.LRNGeometry{N: g.N, C: g.O, Plane: g.OutH * g.OutW, Size: 5, Alpha: 0.5, Beta: 0.75, K: 1}
	s.tensor("x", g.InputLen())
	s.tensor("w", g.WeightLen())
	for _, name := range []string{
		"y", "norm", "bn", "save", "lrn", "scale", "sum", "dlrn", "dsum", "dbn", "dsc", "dy", "dave", "dropped",
		"both",
	} {
		s.tensor(name, n)
	}
	for _, name := range []string{"mean", "variance", "a", "b", "da", "db"} {
		s.tensor(name, g.O)
	}
	for _, name := range []string{"max", "at", "ave", "dmax", "davetop"} {
		s.tensor(name, g.N*g.O*p.OutH*p.OutW)
	}
	s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.Conv(&g, x["x"], x["w"], nil, x["y"])
		d.BatchStats(shape, x["y"], x["mean"], x["variance"])
		d.Normalize(shape, x["y"], x["mean"], x["variance"], nil, 1e-5, x["bn"])
		d.PReLU(shape, x["bn"], x["b"], x["bn"])
		d.Copy(x["save"], x["bn"])
		d.Scale(shape, x["bn"], x["a"], x["b"], x["bn"])
		d.ReLU(x["bn"], x["bn"], 0)
		after := gpu.After{A: x["a"], B: x["b"], ReLU: true, Slope: 0.25}
		d.BatchNorm(shape, 1e-5, after, x["y"], x["mean"], x["variance"], x["norm"], x["y"])
		d.LRN(&lrn, x["bn"], x["scale"], x["lrn"])
		d.Axpby(0.5, x["lrn"], 0, x["sum"])
		d.Axpby(2, x["bn"], 1, x["sum"])
		d.AvePool(&p, x["sum"], x["ave"])
		d.Add(0.5, x["sum"], 2, x["lrn"], x["both"])
		d.Add(1, x["both"], -1, x["bn"], x["both"])
		d.Dropout(x["sum"], x["dropped"], 0.3, gpu.Key{Seed: 1, Stream: 2, Iter: 3})
	})
	s.last("both", "dropped", "y", "norm", "bn", "save", "lrn", "scale", "sum", "ave")
	s.equal(1e-2, "mean", "variance")
	// Maxima are where the device's own numbers have them: the host is given those.
	sum := make([]float32, n)
	s.device.Download(sum, s.x[0]["sum"])
	s.host.Upload(s.x[1]["sum"], sum)
	s.back.turn(s.x[0]["sum"], pixels{g.N, g.O, g.OutH * g.OutW})
	s.back.turn(s.x[0]["davetop"], pixels{g.N, g.O, p.OutH * p.OutW})
	s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.MaxPool(&p, x["sum"], x["max"], x["at"])
	})
	s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.MaxPoolBackward(&p, x["dmax"], x["at"], x["dsum"])
		d.AvePoolBackward(&p, x["davetop"], x["dave"])
		d.LRNBackward(&lrn, x["bn"], x["lrn"], x["scale"], x["dy"], x["dlrn"])
		d.ReLUBackward(x["bn"], x["dsum"], x["dsum"], 0)
		d.ScaleBackward(shape, x["save"], x["dsum"], x["a"], x["dsc"], x["da"], x["db"])
		d.PReLUBackward(shape, x["save"], x["dsc"], x["b"], x["dsc"], x["a"])
		d.NormalizeBackward(shape, x["save"], x["dsc"], x["variance"], 1e-5, x["dbn"])
		after := gpu.After{A: x["a"], B: x["b"], ReLU: true, Slope: 0.25}
		d.BatchNormBackward(shape, 1e-5, after, x["norm"], x["variance"], x["dbn"], x["dbn"], x["da"], x["db"])
		d.ConvBackwardWeights(&g, x["x"], x["dbn"], nil, x["w"], nil)
	})
	s.last("max", "at", "dsum", "dave", "dlrn", "dsc", "dbn")
	s.equal(
		2e-2,
		"dropped",
		"y",
		"norm",
		"bn",
		"save",
		"lrn",
		"scale",
		"ave",
		"max",
		"at",
		"dave",
		"dlrn",
		"dsum",
		"dsc",
		"da",
		"db",
		"dbn",
		"w",
	)
}

// Depthwise convolutions between others; a place of Concat and Slice, whose pieces are eight channels or more; the
// gradient of BatchNorm with running statistics.
func TestChannelsLastPieces(t *testing.T) { eachLast(t, channelsLastPieces) }

func channelsLastPieces(t *testing.T, precision Precision) {
	s := newLastTest(t, precision)
	g := gpu.ConvGeometry{N: 2, C: 8, H: 13, W: 12, O: 24, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	e := gpu.ConvGeometry{
		N: 2, C: 24, H: 13, W: 12, O: 24, KH: 3, KW: 2, SH: 2, SW: 1, PH: 1, PW: 1, DH: 1, DW: 2, Groups: 24,
	}
	e.Resolve()
	plane := g.OutH * g.OutW
	shape := gpu.ChannelShape{Outer: g.N, Channels: g.O, Inner: plane}
	s.tensor("x", g.InputLen())
	s.tensor("w", g.WeightLen())
	s.tensor("f", e.WeightLen())
	s.tensor("weight", 1)
	for _, name := range []string{"y", "dx", "left", "right", "dbn"} {
		s.tensor(name, g.OutputLen())
	}
	for _, name := range []string{"e", "de"} {
		s.tensor(name, e.OutputLen())
	}
	for _, name := range []string{"b", "db", "variance"} {
		s.tensor(name, g.O)
	}
	s.tensor("joined", 2*g.OutputLen())
	s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.Fill(x["variance"], 0.7)
		d.Fill(x["weight"], 1.5)
		d.Conv(&g, x["x"], x["w"], nil, x["y"])
		d.Conv(&e, x["y"], x["f"], x["b"], x["e"])
		d.ConvBackwardWeights(&e, x["y"], x["de"], nil, x["f"], x["db"])
		d.Axpby(0.5, x["e"], 0, x["de"])
		d.ConvBackwardData(&e, x["de"], x["f"], x["dx"])
		n := g.O * plane
		d.Copy2D(g.N, n, x["y"], 0, n, x["joined"], 0, 2*n)
		d.Copy2D(g.N, n, x["dx"], 0, n, x["joined"], n, 2*n)
		d.Copy2D(g.N, n, x["joined"], 0, 2*n, x["left"], 0, n)
		d.Copy2D(g.N, n, x["joined"], n, 2*n, x["right"], 0, n)
		d.NormalizeGlobalBackward(shape, x["left"], x["variance"], x["weight"], 1e-5, x["dbn"])
	})
	s.last("y", "e", "dx", "joined", "left", "right", "dbn")
	s.equal(2e-2, "e", "f", "db", "dx", "joined", "left", "right", "dbn")
}

// Elementwise operations keep float32 with channels last; bf16 is brought back for them.
func TestChannelsLastElementwise(t *testing.T) { eachLast(t, channelsLastElementwise) }

func channelsLastElementwise(t *testing.T, precision Precision) {
	s := newLastTest(t, precision)
	g := gpu.ConvGeometry{N: 2, C: 8, H: 6, W: 5, O: 16, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	s.tensor("x", g.InputLen())
	s.tensor("w", g.WeightLen())
	results := []string{"square", "product", "sigmoid", "gradient"}
	for _, name := range append(results, "y") {
		s.tensor(name, g.OutputLen())
	}
	sigmoid := gpu.UnaryFunc{Op: gpu.Sigmoid}
	s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.Conv(&g, x["x"], x["w"], nil, x["y"])
		d.Power(x["y"], 2, 1, 0.5, x["square"])
		d.Mul(x["square"], x["y"], x["product"])
		d.Unary(sigmoid, x["y"], x["sigmoid"])
		d.UnaryBackward(sigmoid, x["y"], x["sigmoid"], x["product"], x["gradient"])
	})
	if precision == TF32 {
		s.last(results...)
	}
	s.equal(2e-2, results...)
}

// The variance of numbers that lie close together far from 0 is theirs, not that of roundings.
func TestChannelsLastFarFromZero(t *testing.T) {
	s := newLastTest(t, TF32)
	g := gpu.ConvGeometry{N: 5, C: 8, H: 16, W: 15, O: 16, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	shape := gpu.ChannelShape{Outer: g.N, Channels: g.O, Inner: g.H * g.W}
	s.tensor("x", g.InputLen())
	s.tensor("w", g.WeightLen())
	s.tensor("y", g.OutputLen())
	for _, name := range []string{"b", "mean", "variance"} {
		s.tensor(name, g.O)
	}
	s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.Fill(x["b"], 3000)
		d.Conv(&g, x["x"], x["w"], x["b"], x["y"])
		d.BatchStats(shape, x["y"], x["mean"], x["variance"])
	})
	s.last("y")
	s.equal(1e-2, "mean", "variance")
}

// A library's gradients of weights are added in Caffe's order.
func TestChannelsLastGradients(t *testing.T) {
	s := newLastTest(t, TF32)
	g := gpu.ConvGeometry{N: 1, C: 3, H: 5, W: 5, O: 16, KH: 3, KW: 2, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	taps, width := g.KH*g.KW, s.back.widthOf(&g)
	s.tensor("last", g.O*taps*width)
	s.tensor("dw", g.WeightLen())
	from, sums := make([]float32, g.O*taps*width), make([]float32, g.WeightLen())
	s.host.Download(from, s.x[1]["last"])
	s.host.Download(sums, s.x[1]["dw"])
	for i := range sums {
		o, c, tap := i/(g.C*taps), i/taps%g.C, i%taps
		sums[i] += from[(o*taps+tap)*width+c]
	}
	s.host.Upload(s.x[1]["dw"], sums)
	s.back.addGradients(&g, s.back.ptr(s.x[0]["last"]), s.back.ptr(s.x[0]["dw"]))
	s.equal(1e-6, "dw")
}

// The bias behind a library's convolution.
func TestChannelsLastBias(t *testing.T) { eachLast(t, channelsLastBias) }

func channelsLastBias(t *testing.T, precision Precision) {
	s := newLastTest(t, precision)
	p := pixels{3, 24, 35}
	s.tensor("y", p.count())
	s.tensor("b", p.channels)
	y := s.back.turn(s.x[0]["y"], p)
	each(
		s.back,
		lastKernel(s.back, kNhwcAddBiasBf16),
		p.count()/8,
		nhwcAddBiasArgs{b: s.back.ptr(s.x[0]["b"]), y: y, s: columnsOf(p)},
	)
	s.host.AddBias(gpu.ChannelShape{Outer: p.images, Channels: p.channels, Inner: p.plane}, s.x[1]["b"], s.x[1]["y"])
	s.equal(8e-3, "y")
}

// A tensor that is read or written otherwise is in Caffe's order again, whole and in part; one whose memory is
// another's now is forgotten.
func TestLayouts(t *testing.T) { eachLast(t, layoutsAreLeft) }

func layoutsAreLeft(t *testing.T, precision Precision) {
	s := newLastTest(t, precision)
	g := gpu.ConvGeometry{N: 2, C: 8, H: 6, W: 5, O: 16, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	n := g.OutputLen()
	s.tensor("x", g.InputLen())
	s.tensor("w", g.WeightLen())
	s.tensor("y", n)
	s.tensor("z", n)
	conv := func(d *gpu.Device, x map[string]*gpu.Tensor) { d.Conv(&g, x["x"], x["w"], nil, x["y"]) }
	for name, then := range map[string]func(d *gpu.Device, x map[string]*gpu.Tensor){
		"an operation": func(d *gpu.Device, x map[string]*gpu.Tensor) {
			d.Softmax(gpu.ChannelShape{Outer: 2, Channels: 16, Inner: 30}, x["y"], x["z"])
		},
		"a part is read": func(d *gpu.Device, x map[string]*gpu.Tensor) {
			d.Copy(x["z"].View(7, n/2), x["y"].View(11, n/2))
		},
		"a part is written": func(d *gpu.Device, x map[string]*gpu.Tensor) { d.Fill(x["y"].View(5, 100), 3) },
		"uploaded in part": func(d *gpu.Device, x map[string]*gpu.Tensor) {
			d.Upload(x["y"].View(5, 3), []float32{1, 2, 3})
		},
		"another shape": func(d *gpu.Device, x map[string]*gpu.Tensor) {
			d.Scale(gpu.ChannelShape{Outer: 4, Channels: 8, Inner: 30}, x["y"], x["x"].View(0, 8), nil, x["z"])
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.both(conv)
			s.last("y")
			s.both(then)
			s.equal(8e-3, "y", "z")
		})
	}
	s.both(conv)
	s.last("y")
	home := s.back.home(s.x[0]["y"])
	s.x[0]["y"].Mem.Free()
	if from, to := s.back.layouts.within(home); from < to {
		t.Errorf("memory that was freed still has the layout %+v", s.back.layouts.list[from])
	}
}

// What lies in a layout is forgotten where another array of shared memory is written over it, whole or in part, and
// left where another is read; an operand that is overwritten whole is forgotten, unless it is read, too.
func TestLayoutsOfSharedMemory(t *testing.T) {
	s := newLastTest(t, BF16)
	p := pixels{2, 16, 30}
	n := p.count()
	s.tensor("y", n)
	s.device.Fill(s.x[0]["y"], 0)
	block, err := gpu.NewTensor(s.device, 2*n)
	if err != nil {
		t.Fatal(err)
	}
	reserve := func(n, at int) *gpu.Tensor {
		x, err := gpu.Reserve(n)
		if err != nil {
			t.Fatal(err)
		}
		x.Mem.(*gpu.Reserved).Give(block.Mem, at)
		return x
	}
	a, over, part := reserve(n, 0), reserve(n, 0), reserve(n, n/2)
	away := reserve(n/2, n+n/2)
	turned := func() bool { return s.back.layoutOf(a) != nil }
	values, held := s.random(n), make([]float32, n)
	for _, c := range []struct {
		name string
		do   func()
		kept bool // as it is
		back bool // brought back
	}{
		{"itself is read", func() { s.device.Copy(away, a.View(0, n/2)) }, false, true},
		{"itself is read and written", func() { s.device.Power(a, 1, 1, 0, a) }, false, true},
		{"itself is updated", func() {
			s.device.AddBias(gpu.ChannelShape{Outer: 1, Channels: 1, Inner: n},
				s.x[0]["y"].View(0, 1), a)
		}, false, true},
		{"another is read", func() { s.device.Copy(away, part.View(0, n/2)) }, true, false},
		{"another is written", func() { s.device.Fill(over, 3) }, false, false},
		{"another is written, but not here", func() { s.device.Fill(part.View(n/2, 8), 3) }, true, false},
		{"another is written here in part", func() { s.device.Fill(part.View(n/4, 8), 3) }, false, false},
		{"another is updated", func() { s.device.Axpby(1, s.x[0]["y"], 1, over) }, false, false},
		{"itself is overwritten", func() { s.device.Fill(a, 3) }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.device.Upload(a, values)
			s.back.turn(a, p)
			if s.device.Download(held, a); !turned() {
				t.Error("it is brought back for who looks on")
			}
			if s.device.Sync() != nil || !turned() {
				t.Fatal("it has no layout")
			}
			c.do()
			if turned() != c.kept {
				t.Errorf("it has its layout: %t, wanted %t", turned(), c.kept)
			}
			conversions := 0
			for at := 0; at < len(s.back.queue.words); {
				h := headerAt(s.back.queue.words, at)
				if kernelID(h.mark&0xFFFF) == kNhwcToPlanesBf16.id {
					conversions++
				}
				at += headerWords + int(h.words)
			}
			if (conversions > 0) != c.back {
				t.Errorf("%d conversions", conversions)
			}
			if c.back {
				now := make([]float32, n)
				s.device.Download(now, a)
				for i := range now {
					if now[i] != held[i] {
						t.Fatalf("element %d is %g, wanted %g", i, now[i], held[i])
					}
				}
			}
		})
	}
}
