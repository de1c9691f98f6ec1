//go:build cuda

package cuda

import (
	"math"
	"unsafe"

	"dns-tui/gpu"
)

// batches are calls that wait for more of their kind, to become one launch: updates of parameters, surgery of layers.
type batches struct {
	updates []updateSegment
	method  gpu.Method
	gate    uint64

	surgery  []surgerySegment
	layers   []surgeryLayer
	redraw   bool
	bins     bool // histograms are asked for
	results  int  // layers since the last mark: where their results go
	operated []operated
}

func (b *batches) open() bool { return len(b.updates) > 0 || len(b.surgery) > 0 }

// maxSegments is how many arrays one launch takes: their table goes with the live numbers.
const maxSegments = 400

type updateSegment struct {
	w, grad, h, h2, masked uint64
	n                      int
	p                      gpu.UpdateParams
}

type surgerySegment struct {
	w, masked      uint64
	n, layer, rule int
}

type surgeryLayer struct {
	threshold, mu, sigma float32
	measured             bool
}

// operated is a surgery whose result is on its way.
type operated struct {
	number    int // among the results
	total     int
	r         *gpu.SurgeryResult
	at        int // in the slot's memory
	histogram bool
}

// closeBatches queues what waits for more of its kind.
func (d *Device) closeBatches() {
	if len(d.queue.batch.updates) > 0 {
		d.closeUpdates()
	}
	if len(d.queue.batch.surgery) > 0 {
		d.closeSurgery()
	}
}

// Update implements gpu.Train.
func (d *Device) Update(u gpu.UpdateParams, w, grad, h, h2, masked *gpu.Tensor) {
	gpu.Want("Update", "grad", grad, w.N)
	gpu.Want("Update", "h", h, w.N)
	if u.Method.Histories() > 1 {
		gpu.Want("Update", "h2", h2, w.N)
	}
	gpu.WantOptional("Update", "masked", masked, w.N)
	b := &d.queue.batch
	gate := d.ptr(u.Gate)
	if len(b.surgery) > 0 || len(b.updates) == maxSegments ||
		len(b.updates) > 0 && (b.method != u.Method || b.gate != gate) {
		d.closeBatches()
	}
	b.method, b.gate = u.Method, gate
	s := updateSegment{w: d.ptr(w), grad: d.ptr(grad), h: d.ptr(h), masked: d.ptr(masked), n: w.N, p: u}
	if u.Method.Histories() > 1 {
		s.h2 = d.ptr(h2)
	}
	b.updates = append(b.updates, s)
}

func (d *Device) closeUpdates() {
	b := &d.queue.batch
	list := b.updates
	b.updates = b.updates[:0]
	// In words of four bytes: an UpdateParams and an UpdateSegment of train.cu.
	const params, segment = 8, 12
	at, live := d.liveNumbers((params + segment) * len(list))
	table := at + 4*params*uint64(len(list))
	blocks := 0
	for i := range list {
		s := &list[i]
		p := &s.p
		v := live[params*i:]
		for k, f := range [params - 1]float32{p.Rate, p.Momentum, p.Delta, p.Decay2, p.Correction, p.Decay, p.Scale} {
			v[k] = math.Float32bits(f)
		}
		v[params-1] = uint32(flag(p.L1) | flag(p.KeepStep)<<1)
		v = live[params*len(list)+segment*i:]
		for k, a := range [...]uint64{s.w, s.grad, s.h, s.h2, s.masked} {
			v[2*k], v[2*k+1] = uint32(a), uint32(a>>32)
		}
		v[10], v[11] = uint32(s.n), uint32(blocks)
		blocks += (s.n + 1023) / 1024
	}
	d.launch(kUpdate, grid{blocks, 1, 1}, 256, at, b.gate, table, i32(len(list)), i32(int(b.method)))
}

// Reach implements gpu.Train.
func (d *Device) Reach(g gpu.Outputs, center float32, w, masked, kept, pruned *gpu.Tensor) {
	gpu.Want("Reach", "w", w, g.Outputs*g.Inputs)
	gpu.WantOptional("Reach", "masked", masked, w.N)
	gpu.Want("Reach", "kept", kept, g.Outputs)
	gpu.Want("Reach", "pruned", pruned, g.Outputs)
	d.closeBatches()
	across, along := g.Inputs, 1
	if g.Transposed {
		across, along = 1, g.Outputs
	}
	d.launch(
		kReach,
		grid{g.Outputs, 1, 1},
		256,
		i32(g.Inputs),
		i32(across),
		i32(along),
		f32(center),
		d.ptr(w),
		d.ptr(masked),
		d.ptr(kept),
		d.ptr(pruned),
	)
}

// resultBytes is the size of a SurgeryResult of train.cu; maxResults is how many there may be between two marks.
const (
	resultBytes = 48
	maxResults  = slotBytes / 2 / resultBytes
)

// surgeryResult is SurgeryResult of train.cu.
type surgeryResult struct {
	mu, sigma             float32
	kept, pruned, spliced uint32
	_                     [3]uint32
	low, high             float64
}

// resultsAt is where the results of surgery are: in the upper part of the partial sums, which no sums of surgery reach.
func (d *Device) resultsAt(number int) uint64 {
	return d.scratch.partial + partialBytes - slotBytes + uint64(number*resultBytes)
}

// Surgery implements gpu.Train. Calls in a row become one measurement and one redrawing of all their layers.
func (d *Device) Surgery(s *gpu.SurgeryParams, w, masked, b, maskedB *gpu.Tensor, r *gpu.SurgeryResult) {
	gpu.Want("Surgery", "masked", masked, w.N)
	if b != nil {
		gpu.Want("Surgery", "maskedB", maskedB, b.N)
	}
	q := &d.queue.batch
	gate := d.ptr(s.Gate)
	if len(q.updates) > 0 || len(q.surgery) > maxSegments-2 ||
		len(q.surgery) > 0 && (q.redraw != s.Redraw || q.gate != gate || q.bins != s.Histogram) {
		d.closeBatches()
	}
	if n := q.results + len(q.layers); n >= maxResults || s.Histogram && n >= maxHistograms {
		d.Sync()
	}
	q.redraw, q.gate, q.bins = s.Redraw, gate, s.Histogram
	layer := len(q.layers)
	q.layers = append(q.layers, surgeryLayer{s.Threshold, s.Mu, s.Sigma, s.Measured})
	q.surgery = append(q.surgery, surgerySegment{d.ptr(w), d.ptr(masked), w.N, layer, int(s.Rule)})
	total := w.N
	if s.Rule == gpu.PaperRule && b != nil {
		q.surgery = append(q.surgery, surgerySegment{d.ptr(b), d.ptr(maskedB), b.N, layer, int(s.Rule)})
		total += b.N
	}
	*r = gpu.SurgeryResult{KeptAt: r.KeptAt, MaskedAt: r.MaskedAt, Total: total}
	q.operated = append(q.operated, operated{number: q.results + layer, total: total, r: r, histogram: s.Histogram})
}

func (d *Device) closeSurgery() {
	q := &d.queue.batch
	list, layers := q.surgery, q.layers
	q.surgery, q.layers = q.surgery[:0], q.layers[:0]
	bins := uint64(0) // found before the live numbers: an allocation may hand the queue over
	if q.bins {
		if bins = d.binsAt(q.results); bins != 0 {
			d.clear(bins, int64(len(layers)*histogramWords))
		}
	}
	// In words of four bytes: a SurgeryParams and a SurgerySegment of train.cu.
	const params, segment = 4, 8
	at, live := d.liveNumbers(params*len(layers) + segment*len(list))
	table := at + 4*params*uint64(len(layers))
	for i, l := range layers {
		v := live[params*i:]
		v[0], v[1], v[2], v[3] = math.Float32bits(
			l.threshold,
		), math.Float32bits(
			l.mu,
		), math.Float32bits(
			l.sigma,
		), uint32(
			flag(l.measured),
		)
	}
	blocks := 0
	for i, s := range list {
		v := live[params*len(layers)+segment*i:]
		v[0], v[1], v[2], v[3] = uint32(s.w), uint32(s.w>>32), uint32(s.masked), uint32(s.masked>>32)
		v[4], v[5], v[6], v[7] = uint32(s.n), uint32(blocks), uint32(s.layer), uint32(s.rule)
		blocks += (s.n + 4095) / 4096
	}
	results := d.resultsAt(q.results)
	q.results += len(layers)
	n := i32(len(list))
	d.launch(
		kSurgeryMeasure,
		grid{blocks, 1, 1},
		256,
		at,
		results,
		d.scratch.partial,
		d.scratch.counters,
		table,
		n,
		i32(len(layers)),
	)
	d.launch(kSurgeryRedraw, grid{blocks, 1, 1}, 256, results, q.gate, bins, table, n, flag(q.redraw))
}

// takeSurgery starts to copy the results of the surgeries since the last mark.
func (d *Device) takeSurgery() {
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
		o.at = at + o.number*resultBytes
		s.surgery = append(s.surgery, o)
	}
	q.operated, q.results = q.operated[:0], 0
}

// deliverSurgery hands out the results that a mark waited for.
func (d *Device) deliverSurgery(s *slot) {
	for _, o := range s.surgery {
		if d.fault.err != nil {
			continue
		}
		have := (*surgeryResult)(unsafe.Pointer(&s.memory[o.at]))
		r := o.r
		r.Mu, r.Sigma, r.Kept, r.Pruned, r.Spliced, r.Total = have.mu, have.sigma, int(
			have.kept,
		), int(
			have.pruned,
		), int(
			have.spliced,
		), o.total
	}
}

// histogramWords is a layer's bins, of kept and of pruned entries; maxHistograms is how many layers may have theirs
// between two marks.
const (
	histogramWords = 2 * gpu.HistogramBins
	maxHistograms  = 96
)

// binsAt is where a layer's bins are; 0 where there is no memory for them.
func (d *Device) binsAt(number int) uint64 {
	if d.scratch.bins == 0 {
		b, err := d.memory.get(d, 4*histogramWords*maxHistograms)
		if err != nil {
			return 0
		}
		d.scratch.bins = uint64(b.at)
	}
	return d.scratch.bins + uint64(4*histogramWords*number)
}

// takeHistograms waits for the histograms that were asked for. Who asks for one waits for it.
func (d *Device) takeHistograms() {
	for _, o := range d.queue.batch.operated {
		if !o.histogram {
			continue
		}
		r := o.r
		if len(r.KeptAt) != gpu.HistogramBins {
			r.KeptAt, r.MaskedAt = make([]uint32, gpu.HistogramBins), make([]uint32, gpu.HistogramBins)
		}
		if d.scratch.bins == 0 {
			clear(r.KeptAt)
			clear(r.MaskedAt)
			continue
		}
		piece := d.staging.room(d, 4*histogramWords)
		d.fetchInto(piece, d.binsAt(o.number))
		d.wait()
		counts := unsafe.Slice((*uint32)(unsafe.Pointer(&piece[0])), histogramWords)
		copy(r.KeptAt, counts)
		copy(r.MaskedAt, counts[gpu.HistogramBins:])
	}
}
