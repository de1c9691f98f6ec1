//go:build cuda

package cuda

import (
	"slices"
	"unsafe"

	"dns-tui/gpu"
)

// batches are calls that wait for more of their kind, to become one launch: updates of parameters, surgery of layers.
type batches struct {
	updates []updateSegment
	method  gpu.Method
	gate    address

	surgery  []surgerySegment
	layers   []gpu.SurgeryParams
	bins     bool // histograms are asked for
	results  int  // layers since the last mark: where their results go
	operated []operated
}

func (b *batches) open() bool { return len(b.updates) > 0 || len(b.surgery) > 0 }

// maxSegments is how many arrays one launch takes: their table goes with the live numbers, of which there is room for
// so many, as the compiler checks.
const (
	maxSegments = 400
	_           = uint(4*liveWords - maxSegments*(unsafe.Sizeof(cUpdateSegment{})+unsafe.Sizeof(cUpdateParams{})))
	_           = uint(4*liveWords - maxSegments*(unsafe.Sizeof(cSurgerySegment{})+unsafe.Sizeof(cSurgeryParams{})))
)

type updateSegment struct {
	w, grad, h, h2, masked address
	copy                   cFilterCopy
	n                      int
	p                      gpu.UpdateParams
}

type surgerySegment struct {
	w, masked      address
	copy           cFilterCopy
	n, layer, rule int
}

// operated is a surgery whose result is on its way.
type operated struct {
	number    int // among the results
	total     int
	r         *gpu.SurgeryResult
	offset    int // in the slot's memory
	histogram bool
}

// closeBatches queues what waits for more of its kind.
func (d *back) closeBatches() {
	if len(d.queue.batch.updates) > 0 {
		d.closeUpdates()
	}
	if len(d.queue.batch.surgery) > 0 {
		d.closeSurgery()
	}
}

// update waits for more of its kind: they become one launch.
func (d *back) update(o *gpu.Update) {
	if d.fault.err != nil {
		return
	}
	b := &d.queue.batch
	gate := d.ptr(o.Params.Gate)
	if len(b.surgery) > 0 || len(b.updates) == maxSegments ||
		len(b.updates) > 0 && (b.method != o.Params.Method || b.gate != gate) {
		d.closeBatches()
	}
	b.method, b.gate = o.Params.Method, gate
	s := updateSegment{
		w: d.ptr(o.W), grad: d.ptr(o.Grad), h: d.ptr(o.H), masked: d.ptr(o.Masked), n: o.W.N, p: o.Params,
	}
	if o.Params.Method.Histories() > 1 {
		s.h2 = d.ptr(o.H2)
	}
	forward := o.W
	if o.Masked != nil {
		forward = o.Masked
		d.copies.drop(d, spanOf(s.w, s.n)) // of the time before the layer was pruned
	}
	s.copy = d.keeping(o, forward)
	b.updates = append(b.updates, s)
}

// words is the size of a struct in words of four bytes.
func words[T any]() int {
	var t T
	return int(unsafe.Sizeof(t) / 4)
}

func (d *back) closeUpdates() {
	b := &d.queue.batch
	list := b.updates
	b.updates = b.updates[:0]
	at, live := d.liveNumbers((words[cUpdateSegment]() + words[cUpdateParams]()) * len(list))
	segments, live := liveStructs[cUpdateSegment](live, len(list)) // first: they have addresses, of eight bytes
	params, _ := liveStructs[cUpdateParams](live, len(list))
	blocks := 0
	for i := range list {
		s := &list[i]
		p := &s.p
		params[i] = cUpdateParams{
			rate: p.Rate, momentum: p.Momentum, delta: p.Delta, decay2: p.Decay2, correction: p.Correction,
			decay: p.Decay, scale: p.Scale, prunedScale: p.Scale * p.Theta, soft: softOf(p.Soft),
			flags: flag(p.L1) | flag(p.KeepStep)<<1 | flag(p.Rest)<<2,
		}
		segments[i] = cUpdateSegment{
			w: s.w, grad: s.grad, h: s.h, h2: s.h2, masked: s.masked, copy: s.copy, n: int32(s.n), first: int32(blocks),
		}
		blocks += piecesOf(&s.copy, s.n)
	}
	launch(d, kUpdate, grid{blocks, 1, 1}, updateArgs{
		params: at + address(4*words[cUpdateSegment]()*len(list)), gate: b.gate, segments: at,
		count: int32(len(list)), method: int32(b.method),
	})
}

// softOf is what the kernels know of forward weights. Their root is not used where the exponent is infinite.
func softOf(s gpu.Soft) cSoft {
	return cSoft{cut: s.Cut, exponent: s.Exponent, root: 1 / s.Exponent}
}

func (d *back) farthest(o *gpu.Farthest) {
	across, along := o.G.Inputs, 1
	if o.G.Transposed {
		across, along = 1, o.G.Outputs
	}
	launch(d, kReach, grid{o.G.Outputs, 1, 1}, reachArgs{
		inputs: int32(o.G.Inputs), across: int32(across), along: int32(along), center: o.Center,
		w: d.ptr(o.W), masked: d.ptr(o.Masked), toKept: d.ptr(o.Kept), toPruned: d.ptr(o.Pruned),
	})
}

// resultBytes is the size of a result of surgery; maxResults is how many there may be between two marks.
const (
	resultBytes = int(unsafe.Sizeof(cSurgeryResult{}))
	maxResults  = slotBytes / 2 / resultBytes
)

// resultsAt is where the results of surgery are: in the upper part of the partial sums, which no sums of surgery reach.
func (d *back) resultsAt(number int) address {
	return d.scratch.partial + partialBytes - slotBytes + address(number*resultBytes)
}

// surgery waits for more of its kind: they become one measurement and one redrawing of all their layers.
func (d *back) surgery(o *gpu.Surgery) {
	if d.fault.err != nil {
		return
	}
	p, r := &o.Params, o.Result
	q := &d.queue.batch
	gate, masked := d.ptr(p.Gate), d.ptr(o.Masked)
	again := func(s surgerySegment) bool { return s.masked == masked } // two in one launch would not be in order
	if len(q.updates) > 0 || len(q.surgery) > maxSegments-2 ||
		len(q.surgery) > 0 && (q.gate != gate || q.bins != p.Histogram) || slices.ContainsFunc(q.surgery, again) {
		d.closeBatches()
	}
	if n := q.results + len(q.layers); n >= maxResults || p.Histogram && n >= maxHistograms {
		_ = d.sync() // fault.err has the failure
	}
	q.gate, q.bins = gate, p.Histogram
	layer := len(q.layers)
	q.layers = append(q.layers, *p)
	q.surgery = append(q.surgery, surgerySegment{d.ptr(o.W), masked, d.keeping(o, o.Masked), o.W.N, layer, int(p.Rule)})
	total := o.W.N
	if p.Rule.PrunesBias() && o.B != nil {
		q.surgery = append(q.surgery, surgerySegment{
			w: d.ptr(o.B), masked: d.ptr(o.MaskedB), n: o.B.N, layer: layer, rule: int(p.Rule),
		})
		total += o.B.N
	}
	*r = gpu.SurgeryResult{KeptAt: r.KeptAt, PrunedAt: r.PrunedAt, Total: total}
	q.operated = append(q.operated, operated{number: q.results + layer, total: total, r: r, histogram: p.Histogram})
}

func (d *back) closeSurgery() {
	q := &d.queue.batch
	list, layers := q.surgery, q.layers
	q.surgery, q.layers = q.surgery[:0], q.layers[:0]
	bins := address(0) // found before the live numbers: an allocation may hand the queue over
	if q.bins {
		if bins = d.binsAt(q.results); bins != 0 {
			d.clear(bins, int64(len(layers)*histogramWords))
		}
	}
	at, live := d.liveNumbers(words[cSurgerySegment]()*len(list) + words[cSurgeryParams]()*len(layers))
	segments, live := liveStructs[cSurgerySegment](live, len(list)) // first: they have addresses, of eight bytes
	params, _ := liveStructs[cSurgeryParams](live, len(layers))
	for i := range layers {
		p := &layers[i]
		params[i] = cSurgeryParams{
			threshold: p.Threshold, mu: p.Mu, sigma: p.Sigma, soft: softOf(p.Soft),
			flags: flag(p.Measured) | flag(p.Redraw)<<1 | flag(p.Rewrite)<<2 | flag(p.ByMagnitude)<<3,
		}
	}
	blocks := 0
	for i, s := range list {
		segments[i] = cSurgerySegment{
			w: s.w, masked: s.masked, copy: s.copy, n: int32(s.n), first: int32(blocks), layer: int32(s.layer),
			rule: int32(s.rule),
		}
		blocks += (piecesOf(&s.copy, s.n) + 3) / 4
	}
	numbers := at + address(4*words[cSurgerySegment]()*len(list))
	results, n := d.resultsAt(q.results), int32(len(list))
	q.results += len(layers)
	launch(d, kSurgeryMeasure, grid{blocks, 1, 1}, surgeryMeasureArgs{
		params: numbers, results: results, partial: d.scratch.partial, counter: d.scratch.counters, segments: at,
		count: n, layers: int32(len(layers)),
	})
	launch(d, kSurgeryRedraw, grid{blocks, 1, 1}, surgeryRedrawArgs{
		params: numbers, results: results, gate: q.gate, bins: bins, segments: at, count: n,
	})
}

// takeSurgery starts to copy the results of the surgeries since the last mark.
func (d *back) takeSurgery() {
	q := &d.queue.batch
	if len(q.operated) == 0 {
		return
	}
	d.takeHistograms()
	s := d.fetches.slot(d.fetches.number)
	at := d.take(d.resultsAt(0), q.results*resultBytes)
	if at < 0 {
		panic("gpu: too many results between two marks")
	}
	for _, o := range q.operated {
		o.offset = at + o.number*resultBytes
		s.surgery = append(s.surgery, o)
	}
	q.operated, q.results = q.operated[:0], 0
}

// deliverSurgery hands out the results that a mark waited for.
func (d *back) deliverSurgery(s *slot) {
	for _, o := range s.surgery {
		if d.fault.err != nil {
			continue
		}
		have := (*cSurgeryResult)(unsafe.Pointer(&s.memory[o.offset]))
		r := o.r
		r.Mu, r.Sigma, r.Total = have.mu, have.sigma, o.total
		r.Kept, r.Pruned, r.Spliced = int(have.kept), int(have.pruned), int(have.spliced)
	}
}

// histogramWords is a layer's bins, of kept and of pruned entries; maxHistograms is how many layers may have theirs
// between two marks.
const (
	histogramWords = 2 * gpu.HistogramBins
	maxHistograms  = 96
)

// binsAt is where a layer's bins are; 0 where there is no memory for them.
func (d *back) binsAt(number int) address {
	if d.scratch.bins == 0 {
		b, err := d.memory.get(d, 4*histogramWords*maxHistograms)
		if err != nil {
			return 0
		}
		d.scratch.bins = b.addr
	}
	return d.scratch.bins + address(4*histogramWords*number)
}

// takeHistograms waits for the histograms that were asked for. Who asks for one waits for it.
func (d *back) takeHistograms() {
	for _, o := range d.queue.batch.operated {
		if !o.histogram {
			continue
		}
		r := o.r
		if len(r.KeptAt) != gpu.HistogramBins {
			r.KeptAt, r.PrunedAt = make([]uint32, gpu.HistogramBins), make([]uint32, gpu.HistogramBins)
		}
		if d.scratch.bins == 0 {
			clear(r.KeptAt)
			clear(r.PrunedAt)
			continue
		}
		piece := d.staging.room(d, 4*histogramWords)
		d.fetchInto(piece, d.binsAt(o.number))
		d.wait()
		counts := unsafe.Slice((*uint32)(unsafe.Pointer(&piece[0])), histogramWords)
		copy(r.KeptAt, counts)
		copy(r.PrunedAt, counts[gpu.HistogramBins:])
	}
}
