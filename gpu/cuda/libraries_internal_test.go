//go:build cuda

package cuda

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dns-tui/gpu"
)

// dnnTest is a convolution that cuDNN may do, on a device and on the host.
type dnnTest struct {
	*tileTest
	g gpu.ConvGeometry
	x [2]map[string]*gpu.Tensor
}

func newDNNTest(t *testing.T, p Precision) *dnnTest {
	s := &dnnTest{tileTest: newTileTestOf(t, Options{Precision: p}), x: [2]map[string]*gpu.Tensor{{}, {}}}
	if s.back.libs.dnn == nil {
		t.Skip("no cuDNN")
	}
	s.g = gpu.ConvGeometry{
		N:      2,
		C:      16,
		H:      9,
		W:      8,
		O:      24,
		KH:     3,
		KW:     3,
		SH:     1,
		SW:     2,
		PH:     1,
		PW:     1,
		DH:     1,
		DW:     1,
		Groups: 1,
	}
	s.g.Resolve()
	for name, n := range map[string]int{
		"x": s.g.InputLen(), "w": s.g.WeightLen(), "b": s.g.O, "y": s.g.OutputLen(), "dy": s.g.OutputLen(),
		"dx": s.g.InputLen(), "dw": s.g.WeightLen(),
	} {
		v := s.random(n)
		for i, d := range []*gpu.Device{s.device, s.host} {
			x, err := gpu.NewTensor(d, n)
			if err != nil {
				t.Fatal(err)
			}
			d.Upload(x, v)
			s.x[i][name] = x
		}
	}
	return s
}

// emulated reports whether the device is the emulator, with its stand-ins.
func (s *dnnTest) emulated() bool { return s.back.info.Name == "emulated GPU" }

// works are the three products of the convolution.
func (s *dnnTest) works() []*work {
	g, at := &s.g, func(name string) address { return s.back.ptr(s.x[0][name]) }
	places := g.OutH * g.OutW
	return []*work{
		{what: convForward, g: g, m: g.O, n: g.N * places, k: g.C * g.KH * g.KW, groups: 1, x: at("x"), w: at("w"),
			y: at("y"), out: g.OutputLen(), e: cEpilogue{alpha: 1, rowBias: at("b")}},
		{what: convBackwardData, g: g, m: g.C, n: g.N * g.H * g.W, k: g.O * g.KH * g.KW, groups: 1, x: at("dy"),
			w: at("w"), y: at("dx"), out: g.InputLen(), e: cEpilogue{alpha: 1}},
		{what: convBackwardWeights, g: g, m: g.O, n: g.C * g.KH * g.KW, k: g.N * places, groups: 1, x: at("x"),
			w: at("dy"), y: at("dw"), out: g.WeightLen(), e: cEpilogue{alpha: 1}},
	}
}

// do has the three done on both devices, and compares.
func (s *dnnTest) do(limit float64) {
	s.t.Helper()
	for i, d := range []*gpu.Device{s.device, s.host} {
		x := s.x[i]
		d.Conv(&s.g, x["x"], x["w"], x["b"], x["y"])
		d.ConvBackwardData(&s.g, x["dy"], x["w"], x["dx"])
		d.ConvBackwardWeights(&s.g, x["x"], x["dy"], nil, x["dw"], nil)
	}
	for _, name := range []string{"y", "dx", "dw"} {
		if e := s.difference(name, s.x[0][name], s.x[1][name]); !(e < limit) {
			s.t.Errorf("%s differs by %.3g of its norm", name, e)
		}
	}
}

// cuDNN's algorithms compete where they are deterministic and fit; each computes the convolution; one that is wrong is
// not taken, and cuDNN is used all the same.
func TestLibrariesAlgorithms(t *testing.T) {
	s := newDNNTest(t, FP32)
	var lists [][]choice
	for _, w := range s.works() {
		own := choice{Tile: 0, Slices: 1}
		list := slices.DeleteFunc(s.back.alternatives(w, own), func(c choice) bool { return c.Engine != "" })
		for _, c := range list {
			if !s.back.trusted(w, own, c) {
				t.Errorf("product %d by algorithm %d is not right", w.what, c.Algorithm-1)
			}
		}
		lists = append(lists, list)
	}
	if have := fmt.Sprint(lists); s.emulated() &&
		have != "[[{true 0 1 7  } {true 0 1 1  }] [{true 0 1 5  }] [{true 0 1 6  }]]" {
		t.Errorf("algorithms: %v", have)
	}
	for i, w := range s.works() {
		for _, c := range lists[i] {
			s.back.choices.known[w.shape()] = c
			s.do(1e-5)
		}
	}
	if !s.emulated() {
		return
	}
	t.Setenv("EMULATOR_DNN_WRONG", "6")
	w := s.works()[0]
	if s.back.trusted(w, choice{Slices: 1}, lists[0][0]) || s.back.libs.dnn == nil || len(s.back.notices) > 0 {
		t.Errorf("an algorithm that is wrong: cuDNN %v, notices %q", s.back.libs.dnn, s.back.notices)
	}
}

// conv3x3 is a convolution that is large enough for a library, with channels last in tf32.
func conv3x3() *gpu.ConvGeometry {
	g := &gpu.ConvGeometry{
		N: 4, C: 32, H: 24, W: 24, O: 32, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
	}
	g.Resolve()
	return g
}

// Once cuDNN is turned off, gradients of inputs that it was chosen for are our kernel's: of a layer that gave its copy
// of weights for that kernel up, and of one of the same shape that never had it.
func TestLibrariesGone(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s := newTileTestOf(t, Options{Precision: TF32})
	if s.back.libs.dnn == nil {
		t.Skip("no cuDNN")
	}
	g := conv3x3()
	values := [][]float32{
		s.random(g.WeightLen()), s.random(g.WeightLen()), s.random(g.OutputLen()), s.random(g.InputLen()),
	}
	var x [2][4]*gpu.Tensor
	for i, d := range []*gpu.Device{s.device, s.host} {
		for k, v := range values {
			x[i][k] = s.aligned(d, v)
		}
		d.ConvBackwardData(g, x[i][2], x[i][0], x[i][3])
	}
	if d := s.difference("dx", x[0][3], x[1][3]); !(d < 1e-2) {
		t.Errorf("with cuDNN the gradient differs by %g", d)
	}
	library := false
	for _, how := range s.back.choices.known {
		library = library || how.Library
	}
	if !library {
		t.Fatal("cuDNN was not chosen")
	}
	s.back.distrust(&work{g: g}, choice{}.library(), "a test has it fail")
	if s.back.libs.dnn != nil {
		t.Fatal("cuDNN is still used")
	}
	for layer := range 2 {
		for i, d := range []*gpu.Device{s.device, s.host} {
			d.ConvBackwardData(g, x[i][2], x[i][layer], x[i][3])
		}
		if d := s.difference("dx", x[0][3], x[1][3]); !(d < 1e-2) {
			t.Errorf("layer %d: without cuDNN the gradient differs by %g", layer, d)
		}
	}
	if err := s.device.Sync(); err != nil {
		t.Error(err)
	}
}

// A library that wants more memory than there is, is passed over: a run that has all that its rehearsal wants goes on.
func TestLibrariesLackMemory(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("EMULATOR_MEMORY", "300000000")
	s := newTileTestOf(t, Options{Precision: TF32})
	if s.back.libs.dnn == nil || !(&dnnTest{tileTest: s}).emulated() {
		t.Skip("wants the emulator with cuDNN's stand-in")
	}
	g := conv3x3()
	x, dy := s.aligned(s.device, s.random(g.InputLen())), s.aligned(s.device, s.random(g.OutputLen()))
	dw := s.aligned(s.device, make([]float32, g.WeightLen()))
	rehearsal := s.back.Rehearse().(rehearsal)
	rehearsal.Do(&gpu.ConvBackwardWeights{G: g, X: x, DY: dy, DW: dw})
	m := &s.back.memory
	// What the rehearsal wants, and the two results that are compared.
	sizes := rehearsal.Sizes()
	wanted := len(sizes)
	sizes = append(sizes, 4*int64(g.WeightLen()), 4*int64(g.WeightLen()))
	var own []block
	promised := map[int64]int{}
	for i, bytes := range sizes {
		b, err := m.get(s.back, bytes)
		if err != nil {
			t.Fatal(err)
		}
		if own = append(own, b); i < wanted {
			promised[b.size]++
		}
	}
	for n := 1 << 22; n > 0; {
		if _, err := gpu.NewTensor(s.device, n); err != nil {
			n /= 2
		}
	}
	m.promised = promised
	for _, b := range own {
		m.put(s.back, b)
	}
	s.device.ConvBackwardWeights(g, x, dy, nil, dw, nil)
	if err := s.device.Sync(); err != nil {
		t.Error(err)
	}
	for shape, how := range s.back.choices.known {
		if how.Library {
			t.Errorf("cuDNN was chosen for %s", shape.name())
		}
	}
	ofCUDNN := func(notice string) bool { return strings.Contains(notice, "cuDNN") }
	if slices.ContainsFunc(s.back.notices, ofCUDNN) || s.back.libs.dnn == nil {
		t.Errorf("cuDNN is not used any more: %q", s.back.notices)
	}
}
