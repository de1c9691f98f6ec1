package session

import (
	"math"
	"slices"
	"sort"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/solver"
)

// Series is a curve of bounded length: when it is full, neighbours are averaged in pairs. What was shared of it before
// stays as it was.
type Series struct {
	Iters  []int
	Values []float64
	// Epoch counts how often points were averaged or dropped: in between, a series only grows.
	Epoch int

	per int // samples a point stands for
	n   int // samples in the point being made
	sum float64
}

// seriesCap is the most points that a Series keeps.
const seriesCap = 1024

// Add appends a sample.
func (s *Series) Add(iter int, v float64) {
	if s.per == 0 {
		s.per = 1
		s.Iters, s.Values = make([]int, 0, seriesCap), make([]float64, 0, seriesCap)
	}
	s.sum += v
	if s.n++; s.n < s.per {
		return
	}
	if len(s.Values) == seriesCap {
		s.halve()
		return // the sample in hand is half of the next point
	}
	s.Iters, s.Values = append(s.Iters, iter), append(s.Values, s.sum/float64(s.n))
	s.n, s.sum = 0, 0
}

// halve averages the points in pairs, in new memory: somebody may be looking at the old.
func (s *Series) halve() {
	iters, values := make([]int, seriesCap/2, seriesCap), make([]float64, seriesCap/2, seriesCap)
	for i := range values {
		iters[i], values[i] = s.Iters[2*i+1], (s.Values[2*i]+s.Values[2*i+1])/2
	}
	s.Iters, s.Values = iters, values
	s.per *= 2
	s.Epoch++
}

// view returns the series as it is now; later samples do not change it.
func (s *Series) view() Series {
	n := len(s.Values)
	return Series{Iters: s.Iters[:n:n], Values: s.Values[:n:n], Epoch: s.Epoch}
}

// cut drops the points after an iteration.
func (s *Series) cut(iter int) {
	n := sort.SearchInts(s.Iters, iter+1)
	if n == len(s.Iters) && s.n == 0 {
		return
	}
	iters, values := make([]int, n, seriesCap), make([]float64, n, seriesCap)
	copy(iters, s.Iters)
	copy(values, s.Values)
	s.Iters, s.Values, s.n, s.sum = iters, values, 0, 0
	s.per = max(s.per, 1)
	s.Epoch++
}

// Last returns the newest point.
func (s *Series) Last() (iter int, v float64, ok bool) {
	if len(s.Values) == 0 {
		return 0, 0, false
	}
	return s.Iters[len(s.Iters)-1], s.Values[len(s.Values)-1], true
}

// Operated is what one surgery did to a layer.
type Operated struct {
	Iter, Pruned, Spliced, Kept int
}

// operatedCap is how many surgeries a layer's record holds.
const operatedCap = 64

// layerHistory is what became of a layer.
type layerHistory struct {
	kept Series // fraction of the weights
	last [operatedCap]Operated
	n    int
}

// note takes in the last surgery of a layer, once.
func (h *layerHistory) note(p *solver.Layer) {
	at := Operated{p.LastSurgery(), p.Pruned(), p.Spliced(), p.Kept()}
	if h.n > 0 && h.last[(h.n-1)%operatedCap].Iter == at.Iter {
		h.n-- // a second surgery in one iteration adds to the first
	} else {
		h.kept.Add(at.Iter, solver.Fraction(at.Kept, p.Total()))
	}
	h.last[h.n%operatedCap] = at
	h.n++
}

// recent returns the record, oldest first.
func (h *layerHistory) recent() []Operated {
	out := make([]Operated, 0, min(h.n, operatedCap))
	for i := max(0, h.n-operatedCap); i < h.n; i++ {
		out = append(out, h.last[i%operatedCap])
	}
	return out
}

// cut forgets the surgeries from an iteration on.
func (h *layerHistory) cut(iter int) {
	h.kept.cut(iter - 1)
	for h.n > 0 && h.last[(h.n-1)%operatedCap].Iter >= iter {
		h.n--
	}
}

// curves are what a run's plots show.
type curves struct {
	loss, smoothed, accuracy, testLoss, rate, kept, speed Series
	utilization, memory, temperature                      Series // of the device
	layers                                                []layerHistory
}

func newCurves(s *solver.Solver) curves { return curves{layers: make([]layerHistory, len(s.Layers()))} }

// all lists the curves of the whole run.
func (c *curves) all() []*Series {
	return []*Series{&c.loss, &c.smoothed, &c.accuracy, &c.testLoss, &c.rate, &c.kept, &c.speed,
		&c.utilization, &c.memory, &c.temperature}
}

// cut drops what came after an iteration.
func (c *curves) cut(iter int) {
	for _, s := range c.all() {
		s.cut(iter)
	}
	for i := range c.layers {
		c.layers[i].cut(iter + 1)
	}
}

// load fills the curves of a run that is resumed with what its journal tells of the iterations before, and returns the
// changes of those; iterChanges are the changes of its iteration.
func (c *curves) load(past *Course, s *solver.Solver, iterChanges []Change) []Change {
	h := NewHistory(past.Changes)
	for _, p := range []struct{ to, from *Series }{
		{&c.loss, &h.Loss}, {&c.smoothed, &h.Loss}, {&c.rate, &h.Rate}, {&c.kept, &h.Kept}, {&c.speed, &h.Speed},
		{&c.accuracy, &h.Accuracy}, {&c.testLoss, &h.TestLoss},
		{&c.utilization, &h.Utilization}, {&c.memory, &h.DeviceMemory}, {&c.temperature, &h.Temperature},
	} {
		p.to.addUntil(p.from, s.Iter)
	}
	for i, p := range s.Layers() {
		if k := h.Layers[p.Name]; k != nil {
			c.layers[i].kept.addUntil(k, s.Iter)
		}
	}
	return keepChanges(h.Changes, s.Iter, iterChanges)
}

// addUntil adds the points of another series up to an iteration.
func (s *Series) addUntil(from *Series, iter int) {
	for i, at := range from.Iters {
		if at <= iter {
			s.Add(at, from.Values[i])
		}
	}
}

// keepChanges returns the changes before an iteration, and those of it that led to its snapshot, in new memory.
func keepChanges(all []Change, iter int, iterChanges []Change) []Change {
	out := changesBefore(all, iter)
	for _, c := range iterChanges {
		if len(c.Edits) > 0 || c.Ramp != nil {
			out = append(out, c)
		}
	}
	return out
}

// settled takes in an iteration, and reports whether it operated.
func (c *curves) settled(s *solver.Solver, iter int, loss float64) (operated bool) {
	c.loss.Add(iter, loss)
	c.smoothed.Add(iter, s.SmoothedLoss())
	c.rate.Add(iter, s.Rate(iter))
	kept, total := 0, 0
	for i, p := range s.Layers() {
		kept, total = kept+p.Kept(), total+p.Total()
		if p.LastSurgery() == iter {
			operated = true
			c.layers[i].note(p)
		}
	}
	if total > 0 {
		c.kept.Add(iter, solver.Fraction(kept, total))
	}
	return operated
}

// tested takes in the results of a test: the first test net's accuracy and loss are curves.
func (c *curves) tested(iter int, results []solver.TestResult) {
	if len(results) == 0 {
		return
	}
	if a, ok := results[0].Accuracy(); ok {
		c.accuracy.Add(iter, a)
	}
	loss := func(o model.Output) bool { return o.LossWeight != 0 }
	if i := slices.IndexFunc(results[0].Outputs, loss); i >= 0 {
		c.testLoss.Add(iter, results[0].Outputs[i].Value)
	}
}

// layerStats returns a layer's counts; g is its histogram, or nil, h its history.
func layerStats(p *solver.Layer, l *config.LayerHyper, g *solver.Histogram, h *layerHistory) LayerStats {
	mu, sigma := p.Statistics()
	st := LayerStats{
		Name: p.Name, Type: p.Type, Rule: l.Rule, Weights: p.Total(), Kept: p.Kept(),
		Positions: p.Positions, Mu: float64(mu), Sigma: float64(sigma),
		Pruned: p.Pruned(), Spliced: p.Spliced(), LastIter: p.LastSurgery(), Masked: p.Weights.Masked != nil,
		Outputs: p.Outputs.Outputs, Dead: p.Dead(), Norms: p.Norms(),
		Histogram: g, History: h.kept.view(), Operations: h.recent(),
	}
	if s := p.Weights.Shape; len(s) == 4 {
		st.Kernel = [2]int{s[2], s[3]}
	}
	return st
}

// operated takes in the surgery of an iteration that was asked for.
func (c *curves) operated(s *solver.Solver) {
	for i, p := range s.Layers() {
		if p.LastSurgery() == s.Iter {
			c.layers[i].note(p)
		}
	}
}

// ran takes in how fast the run is, and how its device is.
func (c *curves) ran(iter int, perSecond float64, h gpu.Health) {
	if perSecond > 0 {
		c.speed.Add(iter, perSecond)
	}
	if d := deviceOf(h); d != nil {
		c.utilization.Add(iter, d.Use)
		c.memory.Add(iter, d.Memory)
		c.temperature.Add(iter, d.Temperature)
	}
}

// lastAccuracy is that of the last test; -1 where there was none.
func (c *curves) lastAccuracy() float64 {
	if _, v, ok := c.accuracy.Last(); ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return v
	}
	return -1
}

// show puts the curves into a snapshot, and the layers, of which hist are the histograms.
func (c *curves) show(sn *Snapshot, s *solver.Solver, hist []*solver.Histogram) {
	sn.Losses, sn.Smooth = c.loss.view(), c.smoothed.view()
	sn.Accuracy, sn.TestLoss = c.accuracy.view(), c.testLoss.view()
	sn.Rates, sn.KeptFraction, sn.Speed = c.rate.view(), c.kept.view(), c.speed.view()
	sn.Utilization, sn.DeviceMemory = c.utilization.view(), c.memory.view()
	sn.Temperature = c.temperature.view()
	for i, p := range s.Layers() {
		st := layerStats(p, s.Hyper().Layer(p.Name), hist[i], &c.layers[i])
		st.Forecast = s.Forecast(p)
		sn.Layers = append(sn.Layers, st)
	}
}
