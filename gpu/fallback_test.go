package gpu_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/devicetest"
	"dns-tui/gpu/host"
)

func openHost() gpu.Back { return host.NewBack(host.Options{Threads: 2}) }

// memoryOnly is the least that a back end can be: it has memory of its own, and supports no operation.
type memoryOnly struct{ allocated int64 }

type numbers struct {
	of     *memoryOnly
	values []float32
}

func (n *numbers) Len() int { return len(n.values) }

func (n *numbers) Free() {
	n.of.allocated -= 4 * int64(len(n.values))
	n.values = nil
}

func (*memoryOnly) Name() string                   { return "memory" }
func (*memoryOnly) Capabilities() gpu.Capabilities { return gpu.Capabilities{Kind: "memory"} }
func (*memoryOnly) Close() error                   { return nil }

func (b *memoryOnly) Alloc(n int) (gpu.Memory, error) {
	b.allocated += 4 * int64(n)
	return &numbers{b, make([]float32, n)}, nil
}

func (b *memoryOnly) Allocated() int64 { return b.allocated }

func of(t *gpu.Tensor) []float32 {
	m, off := t.Place()
	return m.(*numbers).values[off : off+t.N]
}

func (*memoryOnly) Upload(dst *gpu.Tensor, src []float32)   { copy(of(dst), src) }
func (*memoryOnly) Download(dst []float32, src *gpu.Tensor) { copy(dst, of(src)) }
func (*memoryOnly) Fetch(dst []float32, src *gpu.Tensor)    { copy(dst, of(src)) }
func (*memoryOnly) Supports(gpu.Op) bool                    { return false }
func (*memoryOnly) Do(gpu.Op)                               { panic("memory does nothing") }
func (*memoryOnly) Mark() gpu.Mark                          { return 0 }
func (*memoryOnly) Await(gpu.Mark) error                    { return nil }

// lacking is a back end that lacks some operations.
type lacking struct {
	gpu.Back
	lacks map[reflect.Type]bool
}

func (b lacking) Supports(op gpu.Op) bool { return !b.lacks[reflect.TypeOf(op)] }

func (b lacking) Do(op gpu.Op) {
	if !b.Supports(op) {
		panic("asked for what it lacks")
	}
	b.Back.Do(op)
}

// A back end that supports nothing passes the suite, and so does one that lacks a few operations: the host does them.
func TestFallback(t *testing.T) {
	for name, open := range map[string]func() gpu.Back{
		"nothing": func() gpu.Back { return &memoryOnly{} },
		"a few": func() gpu.Back {
			return lacking{openHost(), map[reflect.Type]bool{
				reflect.TypeFor[*gpu.Gemm]():                true,
				reflect.TypeFor[*gpu.ConvBackwardWeights](): true,
				reflect.TypeFor[*gpu.ReLU]():                true,
				reflect.TypeFor[*gpu.Update]():              true,
				reflect.TypeFor[*gpu.Surgery]():             true,
				reflect.TypeFor[*gpu.Finite]():              true,
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			devicetest.Run(t, func() *gpu.Device { return gpu.NewDevice(open(), openHost) })
		})
	}
}

// What the host does is said once for each operation, behind what the back end said before, and in an order that stays.
func TestFallbackIsSaidOnce(t *testing.T) {
	b := &talking{}
	d := gpu.NewDevice(b, openHost)
	defer d.Close()
	x, err := gpu.NewTensor(d, 4)
	if err != nil {
		t.Fatal(err)
	}
	if n := d.Capabilities().Notices; len(n) != 0 {
		t.Errorf("at first: %q", n)
	}
	b.notices = append(b.notices, "one")
	for range 3 {
		d.ReLU(x, x, 0)
	}
	b.notices = append(b.notices, "two")
	first := slices.Clone(d.Capabilities().Notices)
	for range 3 {
		d.Fill(x, 1)
		d.ReLU(x, x, 0)
	}
	want := []string{
		"one", "memory has no kernel for ReLU: the host does it, with copies", "two",
		"memory has no kernel for Fill: the host does it, with copies",
	}
	if have := d.Capabilities().Notices; !slices.Equal(first, want[:3]) || !slices.Equal(have, want) {
		t.Errorf("first %q, then %q; wanted %q", first, have, want)
	}
}

type talking struct {
	memoryOnly
	notices []string
}

func (b *talking) Capabilities() gpu.Capabilities { return gpu.Capabilities{Notices: b.notices} }

// Operands in one piece of memory share their copy: what is written to one is seen in the others.
func TestFallbackOfViews(t *testing.T) {
	d := gpu.NewDevice(&memoryOnly{}, openHost)
	defer d.Close()
	x, err := gpu.NewTensor(d, 6)
	if err != nil {
		t.Fatal(err)
	}
	d.Upload(x, []float32{1, 2, 3, 4, 5, 6})
	d.Axpby(10, x.View(0, 3), 1, x.View(3, 3)) // one half onto the other
	d.Copy2D(2, 1, x, 1, 3, x, 0, 3)           // a column onto another
	have := make([]float32, 6)
	d.Download(have, x)
	if want := []float32{2, 2, 3, 25, 25, 36}; !slices.Equal(have, want) {
		t.Errorf("%v, wanted %v", have, want)
	}
}

// Where the host has no memory for the copies, Sync says so, and goes on saying so.
func TestFallbackWithoutMemory(t *testing.T) {
	d := gpu.NewDevice(&memoryOnly{}, func() gpu.Back { return full{openHost()} })
	defer d.Close()
	x, err := gpu.NewTensor(d, 4)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d.ReLU(x, x, 0)
		if err := d.Sync(); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "ReLU on the host") {
			t.Errorf("got %v", err)
		}
	}
}

var errFull = errors.New("full")

type full struct{ gpu.Back }

func (full) Alloc(int) (gpu.Memory, error) { return nil, errFull }

// No operation allocates: its description is in room that the device has, on the host too.
func TestNoAllocation(t *testing.T) {
	d := host.New(host.Options{Threads: 1, GoBLAS: true})
	defer d.Close()
	x, err := gpu.NewTensor(d, 64)
	if err != nil {
		t.Fatal(err)
	}
	a := x.View(0, 4)
	s := gpu.ChannelShape{Outer: 4, Channels: 4, Inner: 4}
	work := func() {
		d.Fill(x, 1)
		d.Axpby(1, x, 1, x)
		d.ReLU(x, x, 0.5)
		d.Scale(s, x, a, nil, x)
		d.SumSquares(x)
		d.Update(gpu.UpdateParams{Rate: 0.1, Scale: 1}, x, x, x, nil, nil)
	}
	work()
	if n := testing.AllocsPerRun(20, work); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
