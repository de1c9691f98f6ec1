//go:build cuda

package cuda

import (
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/host"
)

// Memory that all operations of a rehearsal leave as bf16 is narrow; what is done with it later that was not rehearsed
// is done right all the same, by memory aside.
func TestNarrowMemory(t *testing.T) {
	s := newLastTest(t, BF16)
	g := gpu.ConvGeometry{
		N:      2,
		C:      16,
		H:      6,
		W:      5,
		O:      24,
		KH:     3,
		KW:     3,
		SH:     1,
		SW:     1,
		PH:     1,
		PW:     1,
		DH:     1,
		DW:     1,
		Groups: 1,
	}
	g.Resolve()
	pool := gpu.PoolGeometry{Planes: g.N * g.O, H: g.OutH, W: g.OutW, KH: 2, KW: 2, SH: 2, SW: 2}
	pool.Resolve(false)
	n, pooled := g.OutputLen(), pool.Planes*pool.OutH*pool.OutW
	s.tensor("x", g.InputLen())
	s.tensor("w", g.WeightLen())
	all := map[string]*gpu.Reserved{}
	for _, r := range []struct {
		name string
		n    int
	}{
		{"y", n}, {"z", n}, {"places", pooled}, {"pooled", pooled}, {"planes", pooled}, {"unused", n},
	} {
		x, err := gpu.Reserve(r.n)
		if err != nil {
			t.Fatal(err)
		}
		all[r.name] = x.Mem.(*gpu.Reserved)
		s.tensor(r.name, r.n)
		s.x[0][r.name] = x
	}
	net := func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.Conv(&g, x["x"], x["w"], nil, x["y"])
		d.ReLU(x["y"], x["y"], 0.25)
		d.Copy(x["z"], x["y"])
		d.MaxPool(&pool, x["y"], x["pooled"], x["places"])
		d.Power(x["pooled"], 1, 2, 3, x["planes"])
	}
	var memories []*gpu.Reserved
	for _, r := range all {
		memories = append(memories, r)
	}
	s.device.Narrow(memories, func() { net(s.device, s.x[0]) })
	for name, want := range map[string]bool{
		"y": true, "z": true, "places": false, "pooled": false, "planes": false, "unused": false,
	} {
		if r := all[name]; r.Narrow() != want || r.Given() || r.Written() {
			t.Errorf("%s is narrow: %t, wanted %t; given %t, aside %t", name, r.Narrow(), want, r.Given(), r.Written())
		}
		block, err := gpu.NewTensor(s.device, all[name].Words())
		if err != nil {
			t.Fatal(err)
		}
		all[name].Give(block.Mem, 0)
	}
	before := s.device.Allocated()
	s.both(net)
	if more := s.device.Allocated() - before; all["y"].Written() || all["z"].Written() {
		t.Errorf("%d bytes aside for what was rehearsed", more)
	}
	s.equal(8e-3, "y", "z", "pooled", "planes") // read from outside
	if !s.device.Finite(s.x[0]["y"]) || s.device.SumSquares(s.x[0]["z"]) == 0 {
		t.Error("not finite, or 0")
	}
	if all["y"].Written() || all["z"].Written() {
		t.Error("who reads it has it brought aside")
	}

	s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.Copy(x["z"].View(n/2, n/2), x["y"].View(0, n/2)) // parts of both
		d.Unary(gpu.UnaryFunc{Op: gpu.Abs}, x["z"], x["z"])
	})
	if !all["y"].Written() || !all["z"].Written() {
		t.Error("parts of narrow memory are not aside")
	}
	s.equal(8e-3, "y", "z")
	s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
		d.Conv(&g, x["x"], x["w"], nil, x["y"]) // again as it was rehearsed
		d.Axpby(1, x["z"], 1, x["y"])
		d.Fill(x["z"].View(3, 5), 7)
	})
	s.equal(8e-3, "y", "z")
	values := s.random(n)
	for i, d := range []*gpu.Device{s.device, s.host} {
		d.Upload(s.x[i]["y"], values)
	}
	s.equal(1e-7, "y")
	s.both(net)
	s.equal(8e-3, "y", "z", "pooled", "planes")
}

// A rehearsal leaves memory that is not its own as it is.
func TestNarrowMemoryOfAnother(t *testing.T) {
	s := newLastTest(t, BF16)
	g := gpu.ConvGeometry{
		N: 1, C: 8, H: 6, W: 5, O: 16, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
	}
	g.Resolve()
	s.tensor("x", g.InputLen())
	s.tensor("w", g.WeightLen())
	var y [2]*gpu.Tensor
	for i := range y {
		var err error
		if y[i], err = gpu.Reserve(g.OutputLen()); err != nil {
			t.Fatal(err)
		}
		r := y[i].Mem.(*gpu.Reserved)
		conv := func() { s.device.Conv(&g, s.x[0]["x"], s.x[0]["w"], nil, y[i]) }
		s.device.Narrow([]*gpu.Reserved{r}, func() {
			conv()
			if i > 0 { // which is not narrow
				s.device.Power(y[0], 1, 2, 3, y[0])
				s.device.Copy(y[1], y[0])
			}
		})
		block, err := gpu.NewTensor(s.device, r.Words())
		if err != nil {
			t.Fatal(err)
		}
		r.Give(block.Mem, 0)
		conv()
	}
	first, second := y[0].Mem.(*gpu.Reserved), y[1].Mem.(*gpu.Reserved)
	if !first.Narrow() || first.Written() || second.Narrow() {
		t.Errorf("narrow %t and %t, wanted only the first; aside %t", first.Narrow(), second.Narrow(), first.Written())
	}
	s.x[0]["y"], s.x[0]["z"] = y[0], y[1]
	s.tensor("want", g.OutputLen())
	s.host.Conv(&g, s.x[1]["x"], s.x[1]["w"], nil, s.x[1]["want"])
	s.x[1]["y"], s.x[1]["z"] = s.x[1]["want"], s.x[1]["want"]
	s.equal(8e-3, "y", "z")
}

// No other precision has narrow memory.
func TestNarrowMemoryOfPrecisions(t *testing.T) {
	for _, p := range []Precision{FP32, TF32} {
		s := newLastTest(t, p)
		x, err := gpu.Reserve(64)
		if err != nil {
			t.Fatal(err)
		}
		r := x.Mem.(*gpu.Reserved)
		s.device.Narrow([]*gpu.Reserved{r}, func() { t.Errorf("%s: a rehearsal", p) })
		if r.Narrow() {
			t.Errorf("%s: narrow memory", p)
		}
	}
}

// What the host does for the device is rehearsed, too: it reads float32, and nothing is done or told of.
func TestNarrowMemoryOfTheHost(t *testing.T) {
	b, err := openBack(Options{Precision: BF16, NoLibraries: true})
	if err != nil {
		t.Fatal(err)
	}
	d := gpu.NewDevice(b, func() gpu.Back { return host.NewBack(host.Options{Threads: 1}) })
	defer d.Close()
	b.notices = append(b.notices, "a notice of the GPU")
	x, err := gpu.NewTensor(d, 8)
	if err != nil {
		t.Fatal(err)
	}
	d.AddReLU(1, x, 1, x, x, 0) // the GPU has none: the host does it
	told := len(d.Capabilities().Notices)
	z, err := gpu.Reserve(8)
	if err != nil {
		t.Fatal(err)
	}
	r := z.Mem.(*gpu.Reserved)
	d.Narrow([]*gpu.Reserved{r}, func() { d.AddBackward(gpu.Rectifier{}, nil, x, 1, x, 1, z) })
	if more := len(d.Capabilities().Notices) - told; r.Narrow() || more != 0 {
		t.Errorf("narrow %t, %d notices of the rehearsal", r.Narrow(), more)
	}
}
