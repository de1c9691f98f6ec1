//go:build cuda

package cuda

import (
	"errors"
	"math"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// copyTest is a convolution whose weights are written in every way.
type copyTest struct {
	*tileTest
	g                            gpu.ConvGeometry
	w, masked, grad, h, h2, gate *gpu.Tensor
	x, y                         *gpu.Tensor
	result                       gpu.SurgeryResult
	pruned                       bool // products read masked
}

// anyFilters draws a convolution that there are kernels with channels last for.
func anyFilters(t *rapid.T) gpu.ConvGeometry {
	g := gpu.ConvGeometry{N: 1, H: 5, W: 4, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.KH, g.KW = rapid.IntRange(1, 4).Draw(t, "kh"), rapid.IntRange(1, 4).Draw(t, "kw")
	switch rapid.SampledFrom([]string{"one group", "groups", "depthwise"}).Draw(t, "kind") {
	case "one group":
		g.C, g.O = rapid.IntRange(1, 40).Draw(t, "c"), 8*rapid.IntRange(2, 6).Draw(t, "o")
	case "groups":
		g.Groups = rapid.IntRange(2, 3).Draw(t, "groups")
		g.C, g.O = 8*g.Groups*rapid.IntRange(1, 3).Draw(t, "c"), 8*g.Groups*rapid.IntRange(2, 3).Draw(t, "o")
	default:
		g.C = 8 * rapid.IntRange(1, 5).Draw(t, "c")
		g.O, g.Groups = g.C, g.C
	}
	g.Resolve()
	return g
}

// wantedCopies works out the copies of weights, in bits of a number's size.
func wantedCopies(w []float32, o filterOrder) (forward, byInput []uint32) {
	rows := len(w) / (o.channels * o.taps)
	forward, byInput = make([]uint32, rows*o.taps*o.width), make([]uint32, len(w))
	for i, v := range w {
		row, c, tap := i/(o.channels*o.taps), i/o.taps%o.channels, i%o.taps
		u := math.Float32bits(v)
		switch {
		case v != v && o.kind != copyF32:
			u = 0x7FFFFFFF >> (32 - 8*o.size())
		case o.kind == copyBF16:
			u = math.Float32bits(v) >> 16
			switch rest := math.Float32bits(v) & 0xFFFF; {
			case rest > 0x8000, rest == 0x8000 && u&1 == 1:
				u++
			}
		case o.kind == copyTF32:
			if u&0x1FFF >= 0x1000 {
				u += 0x2000
			}
			u &^= 0x1FFF
		}
		forward[(row*o.taps+tap)*o.width+c] = u
		group, place := row/o.outputs, row%o.outputs
		byInput[((group*o.channels+c)*o.taps+tap)*o.outputs+place] = u
	}
	return forward, byInput
}

// bits reads a copy.
func (s *copyTest) bits(b block, o filterOrder) []uint32 {
	s.back.flush()
	piece := s.back.staging.room(s.back, int(b.bytes))
	s.back.fetchInto(piece, b.addr)
	s.back.wait()
	v := make([]uint32, b.bytes/o.size())
	for i := range v {
		if o.kind == copyBF16 {
			v[i] = uint32(*(*uint16)(unsafe.Pointer(&piece[2*i])))
		} else {
			v[i] = *(*uint32)(unsafe.Pointer(&piece[4*i]))
		}
	}
	return v
}

// conversions counts the kernels in the queue that make copies.
func (s *copyTest) conversions() (n int) {
	words := s.back.queue.words
	for at := 0; at < len(words); {
		h := headerAt(words, at)
		if kernelID(h.mark&0xFFFF) == kCopyFilters.id {
			n++
		}
		at += headerWords + int(h.words)
	}
	return n
}

func (s *copyTest) forward() *gpu.Tensor {
	if s.pruned {
		return s.masked
	}
	return s.w
}

// use does the products that read weights, and returns how many conversions they queued.
func (s *copyTest) use(t *rapid.T) int {
	if err := s.device.Sync(); err != nil {
		t.Fatal(err)
	}
	if depthwise(&s.g) { // of activations that have the layout already
		s.back.turn(s.x, inputOf(&s.g))
		s.back.turn(s.y, outputOf(&s.g))
		s.back.flush()
	}
	s.device.Conv(&s.g, s.x, s.forward(), nil, s.y)
	s.device.ConvBackwardData(&s.g, s.y, s.forward(), s.x)
	return s.conversions()
}

// check compares what copies there are with the weights.
func (s *copyTest) check(t *rapid.T, after string) {
	for _, c := range s.back.copies.list {
		if !c.current {
			continue
		}
		x, w := s.forward(), make([]float32, c.bytes/4)
		if c.at != s.back.ptr(x) {
			t.Fatalf("after %s there is a current copy of something else", after)
		}
		s.device.Download(w, x)
		forward, byInput := wantedCopies(w, c.order)
		for name, of := range map[string]struct {
			have block
			want []uint32
		}{"forward": {c.forward, forward}, "by input": {c.byInput, byInput}} {
			if of.have.addr == 0 {
				continue
			}
			for i, v := range s.bits(of.have, c.order) {
				if v != of.want[i] {
					t.Fatalf("after %s, %s: number %d is %#x, wanted %#x; %+v", after, name, i, v, of.want[i], c.order)
				}
			}
		}
	}
	if err := s.device.Sync(); err != nil {
		t.Fatal(err)
	}
}

// However weights are written, products read copies that are theirs: update and surgery write them, and after anything
// else they are made once.
func TestCopiesOfFilters(t *testing.T) {
	eachLast(t, func(t *testing.T, p Precision) {
		whole := newTileTest(t, p)
		rapid.Check(t, func(t *rapid.T) { copiesOfFilters(t, whole) })
	})
}

func copiesOfFilters(t *rapid.T, whole *tileTest) {
	s := &copyTest{tileTest: whole, g: anyFilters(t)}
	n := s.g.WeightLen()
	tensor := func(n int) *gpu.Tensor {
		x, err := gpu.NewTensor(s.device, n)
		if err != nil {
			t.Fatal(err)
		}
		s.device.Upload(x, s.random(n))
		return x
	}
	s.w, s.masked, s.grad, s.h, s.h2, s.gate = tensor(n), tensor(n), tensor(n), tensor(n), tensor(n), tensor(1)
	s.x, s.y = tensor(s.g.InputLen()), tensor(s.g.OutputLen())
	s.pruned = rapid.Bool().Draw(t, "pruned")
	defer func() {
		for _, x := range []*gpu.Tensor{s.w, s.masked, s.grad, s.h, s.h2, s.gate, s.x, s.y} {
			x.Mem.Free()
		}
		if len(s.back.copies.list) != 0 {
			t.Error("copies are left of weights that were freed")
		}
	}()
	update := func() {
		u := gpu.UpdateParams{
			Method: rapid.SampledFrom([]gpu.Method{gpu.SGD, gpu.Adam}).Draw(t, "method"), Rate: 0.1, Scale: 1, Delta: 1,
			Momentum: 0.9, Decay2: 0.9, Correction: 1, Theta: 0.5, Gate: s.gate,
			Rest: rapid.Bool().Draw(t, "rest"), KeepStep: rapid.Bool().Draw(t, "keep step"),
		}
		masked := s.masked
		if !s.pruned {
			masked = nil
		}
		s.device.Update(u, s.w, s.grad, s.h, s.h2, masked)
	}
	surgery := func() {
		p := gpu.SurgeryParams{
			Rule: rapid.SampledFrom([]gpu.Rule{gpu.SeedRule, gpu.PaperRule, gpu.SoftRule}).
				Draw(t, "rule"),
			Threshold: 0.7,
			Redraw:    rapid.Bool().Draw(t, "redraw"), Rewrite: rapid.Bool().Draw(t, "rewrite"), Gate: s.gate,
		}
		if p.Rule == gpu.SoftRule {
			p.Soft = gpu.Soft{Cut: 0.3, Exponent: 2}
		}
		s.device.Surgery(&p, s.w, s.masked, nil, nil, &s.result)
	}
	for range rapid.IntRange(1, 8).Draw(t, "writes") {
		was := s.use(t)
		s.check(t, "use")
		if again := s.use(t); again != 0 {
			t.Fatalf("%d conversions at the first use, %d at the second", was, again)
		}
		fresh := map[string]func(){
			"upload":         func() { s.device.Upload(s.forward(), s.random(n)) },
			"part":           func() { s.device.Fill(s.forward().View(n/2, 1), 0.123) },
			"sum":            func() { s.device.Axpby(1, s.grad, 1, s.forward()) },
			"gradient of it": func() { s.device.ConvBackwardWeights(&s.g, s.x, s.y, nil, s.forward(), nil) },
		}
		kept := map[string]func(){
			"update": update, "surgery": surgery, "update and surgery": func() { update(); surgery() },
			"failed gate": func() {
				s.device.Fill(s.gate, float32(math.NaN()))
				update()
				surgery()
				s.device.Fill(s.gate, 1)
			},
			"reading": func() { s.device.Copy(s.grad, s.forward()) },
		}
		name := rapid.SampledFrom([]string{
			"upload", "part", "sum", "gradient of it", "update", "surgery", "update and surgery", "failed gate",
			"reading",
		}).Draw(t, "write")
		do, outdates := fresh[name]
		if !outdates {
			do = kept[name]
		}
		do()
		s.check(t, name)
		if now := s.use(t); outdates != (now == 1) || now > 1 {
			t.Fatalf("after %s: %d conversions", name, now)
		}
		s.check(t, name+" and use")
	}
}

// A layer that is pruned from now on reads other weights: the copies of those before are given back.
func TestCopiesOfPruned(t *testing.T) {
	s := &copyTest{tileTest: newTileTest(t, BF16), g: gpu.ConvGeometry{
		N: 1, C: 16, H: 5, W: 4, O: 16, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1,
	}}
	s.g.Resolve()
	n := s.g.WeightLen()
	var tensors [6]*gpu.Tensor
	for i, n := range []int{n, n, n, n, s.g.InputLen(), s.g.OutputLen()} {
		var err error
		if tensors[i], err = gpu.NewTensor(s.device, n); err != nil {
			t.Fatal(err)
		}
	}
	w, masked, grad, h, x, y := tensors[0], tensors[1], tensors[2], tensors[3], tensors[4], tensors[5]
	s.device.Conv(&s.g, x, w, nil, y)
	before := s.device.Allocated()
	s.device.Conv(&s.g, x, masked, nil, y)
	if more := s.device.Allocated() - before; more != 2*int64(n) {
		t.Errorf("a copy has %d bytes", more)
	}
	s.device.Update(gpu.UpdateParams{Scale: 1}, w, grad, h, nil, masked)
	if left := s.back.copies.list; len(left) != 1 || left[0].at != s.back.ptr(masked) || !left[0].current ||
		s.device.Allocated() != before {
		t.Errorf("%d copies, %d bytes more than one copy", len(left), s.device.Allocated()-before)
	}
}

// A copy that a convolution wants of a device that lacks memory is made when that is over, with zeros where it is
// filled up.
func TestCopiesAfterShortage(t *testing.T) {
	s := newTileTest(t, BF16)
	g := gpu.ConvGeometry{
		N: 2, C: 3, H: 9, W: 9, O: 16, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
	}
	g.Resolve()
	var x [2][3]*gpu.Tensor
	for k, n := range []int{g.InputLen(), g.WeightLen(), g.OutputLen()} {
		v := s.random(n)
		x[0][k], x[1][k] = s.aligned(s.device, v), s.aligned(s.host, v)
	}
	var used []*gpu.Tensor // memory of the copy's size that has been something else
	for range 8 {
		n, err := gpu.NewTensor(s.device, g.WeightLen()/g.C*8/2)
		if err != nil {
			t.Fatal(err)
		}
		s.device.Fill(n, float32(math.NaN()))
		used = append(used, n)
	}
	for _, n := range used {
		n.Mem.Free()
	}
	if err := s.device.Sync(); err != nil {
		t.Fatal(err)
	}
	s.back.lacks(errors.New("no memory"))
	s.device.Conv(&g, x[0][0], x[0][1], nil, x[0][2])
	if err := s.device.Shortage(); err == nil {
		t.Fatal("no shortage")
	}
	if n := len(s.back.choices.known); n != 0 {
		t.Errorf("%d ways were chosen while nothing could be compared", n)
	}
	s.device.Conv(&g, x[0][0], x[0][1], nil, x[0][2])
	s.host.Conv(&g, x[1][0], x[1][1], nil, x[1][2])
	if d := s.difference("y", x[0][2], x[1][2]); !(d < 1e-2) {
		t.Errorf("after a shortage the convolution differs by %g", d)
	}
}
