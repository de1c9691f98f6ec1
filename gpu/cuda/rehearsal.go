//go:build cuda

package cuda

import "dns-tui/gpu"

// A rehearsal is a GPU's back end that does all that the real one does on the host, and hands nothing over to the GPU:
// it plans products, keeps layouts, and counts what scratch memory would grow to. Its memory has addresses that nobody
// uses.
type rehearsal struct{ *back }

var _ gpu.Narrower = (*back)(nil)

// Narrows implements gpu.Narrower.
func (d *back) Narrows() bool { return d.precision == BF16 }

// Rehearse implements gpu.Rehearser. Products are done as they were measured before, else as planned: where measuring
// finds other slices, their memory is another's.
func (d *back) Rehearse() gpu.Rehearsal {
	r := &back{
		info: d.info, driver: d.driver, ctx: d.ctx, opts: d.opts, sms: d.sms, precision: d.precision, dry: true,
		functions: d.functions, blocks: d.blocks, libs: d.libs, scratch: d.scratch,
	}
	r.scratch.tiles, r.scratch.tileBytes, r.scratch.bins = 0, 0, 0
	r.choices.known, r.choices.stored = map[shape]choice{}, d.choices.stored
	d.rehearsals++
	r.memory.pretended = address(1+d.rehearsals%mostRehearsals) << 48
	r.queue.live = make([]uint32, 0, liveWords)
	r.fault.numbers = map[string]uint32{}
	r.memory.used.Store(d.memory.opened)
	return rehearsal{r}
}

// mostRehearsals is how many there may be at a time whose addresses differ.
const mostRehearsals = 1 << 15

// pretend is memory.get of a rehearsal. The addresses are neither a GPU's nor another rehearsal's, whose arrays may be
// operands, too.
func (m *memory) pretend(bytes int64) block {
	b := block{addr: m.pretended + address(m.held), size: sizeClass(bytes), bytes: bytes}
	m.held += b.size
	m.used.Add(bytes)
	m.taken = append(m.taken, b)
	return b
}

// Sizes implements gpu.Rehearsal.
func (r rehearsal) Sizes() []int64 {
	var sizes []int64
	for _, b := range r.memory.taken {
		sizes = append(sizes, b.bytes)
	}
	return sizes
}

// Download implements gpu.Rehearsal.
func (r rehearsal) Download(dst []float32, src *gpu.Tensor) {
	r.inPlanes(src, func(address, int) {})
	r.flush()
	clear(dst)
}

// Upload implements gpu.Rehearsal. The buffers of uploads are not counted: they are given back where memory is short.
func (r rehearsal) Upload(dst *gpu.Tensor, _ []float32) {
	r.overwrites(dst)
	r.copies.outdate(spanOf(r.ptr(dst), dst.N)) // whose place is memory aside where it is narrow
}

// Do implements gpu.Rehearsal. What waits for a result finds 0.
func (r rehearsal) Do(op gpu.Op) {
	switch o := op.(type) {
	case *gpu.SumSquares:
		r.inPlanes(o.X, func(address, int) {})
		o.Sum = 0
	case *gpu.Finite:
		r.inPlanes(o.X, func(address, int) {})
		o.Yes = true
	case *gpu.Surgery:
		if o.Params.Histogram {
			r.binsAt(0)
		}
	case *gpu.AllReduce, *gpu.AwaitReduced: // ranks have memory of their own
	default:
		r.back.Do(op)
	}
}
