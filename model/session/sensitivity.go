package session

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/layer"
	"dns-tui/model/solver"
)

// Sensitivity is how the accuracy on a held-out batch falls as one layer after the other is pruned, all others being
// as they are. It is never changed: each point makes another.
type Sensitivity struct {
	Iter        int // of the weights, when it began
	Images      int // a point is measured on
	Done, Total int
	Running     bool
	Problem     string // why it ended early
	Base        SensitivityPoint
	Layers      []LayerSensitivity
}

// Layer returns a layer's curve by name, or nil.
func (s *Sensitivity) Layer(name string) *LayerSensitivity {
	for i := range s.Layers {
		if s.Layers[i].Name == name {
			return &s.Layers[i]
		}
	}
	return nil
}

// LayerSensitivity is one layer's curve, by rising sparsity.
type LayerSensitivity struct {
	Name   string
	Points []SensitivityPoint
}

// SensitivityPoint is one evaluation. Accuracy is -1 in a net without an Accuracy layer.
type SensitivityPoint struct {
	Threshold, Sparsity, Accuracy, Loss float64
}

// probedSparsities are the points of each layer's curve.
var probedSparsities = []float64{0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99}

// probeImages is about how many images a point is measured on; probeFraction is the fraction of the time that probing
// may take from a run that trains.
const (
	probeImages   = 1000
	probeFraction = 0.2
)

// prober measures sensitivity between iterations, where it was asked for.
type prober struct {
	solver *solver.Solver
	run    *config.Run
	hist   *histograms
	events *events
	now    *measurement // nil until it was asked for
}

func newProber(s *solver.Solver, run *config.Run, h *histograms, e *events) prober {
	return prober{solver: s, run: run, hist: h, events: e}
}

// begin begins to measure the sensitivity of all layers; off ends it.
func (p *prober) begin(off bool) (string, error) {
	if off {
		p.now.close("stopped")
		return "no longer measuring sensitivity", nil
	}
	if err := measurable(p.solver, p.run); err != nil {
		return "", err
	}
	p.now.close("restarted") // before there is another: its net has memory on the device
	m, err := newMeasurement(p.solver, p.run)
	if err != nil {
		return "", err
	}
	p.now = m
	return m.describe(), nil
}

// busy reports whether points are left to measure.
func (p *prober) busy() bool { return p.now.busy() }

// due reports whether the next point may be measured beside the training.
func (p *prober) due() bool { return p.now.due() }

// result is what was measured so far; nil until it was asked for.
func (p *prober) result() *Sensitivity { return p.now.result() }

// step measures one point. The device has nothing else to do.
func (p *prober) step() {
	if p.now.first() && !p.hist.measure() {
		const why = "the layers could not be measured"
		p.now.close(why)
		p.events.note(Event{Iter: p.solver.Iter, What: SensitivityFailed{why}})
	} else if what := p.now.step(p.hist.list()); what != nil {
		p.events.note(Event{Iter: p.solver.Iter, What: what})
	}
}

// measurement is one that is under way, or the last. It has a test net of its own that shows the weights of the train
// net, with a source of its own, and forward weights of its own for the layer that it tries: the run's weights,
// masks, random numbers and places in the data stay as they are.
type measurement struct {
	solver  *solver.Solver
	net     *model.Net                    // nil when it is done
	own     map[*layer.Param]*layer.Param // of the train net's parameters, what the probing net has in their place
	scratch [2]*gpu.Tensor                // forward weights of the layer that is tried, and of its bias
	batches int
	next    int // point
	nextAt  time.Time
	latest  *Sensitivity
}

func (p *measurement) busy() bool { return p != nil && p.net != nil }

// first reports whether the next point is the first: the net as it is.
func (p *measurement) first() bool { return p.next == 0 }

func (p *measurement) due() bool { return p.busy() && !time.Now().Before(p.nextAt) }

func (p *measurement) result() *Sensitivity {
	if p == nil {
		return nil
	}
	return p.latest
}

// describe says what is measured.
func (p *measurement) describe() string {
	return fmt.Sprintf("measuring sensitivity: %d points on %d images", p.latest.Total, p.latest.Images)
}

// close ends the measurement; what was measured stays.
func (p *measurement) close(problem string) {
	if !p.busy() {
		return
	}
	p.net.Close()
	p.net, p.own, p.scratch = nil, nil, [2]*gpu.Tensor{}
	s := *p.latest
	s.Running, s.Problem = false, problem
	p.latest = &s
}

// measurable is an error where sensitivity cannot be measured.
func measurable(s *solver.Solver, run *config.Run) error {
	if len(s.Tests) == 0 {
		return errors.New("sensitivity is measured on a test net; the solver has none")
	}
	if len(s.Layers()) == 0 {
		return errors.New("no layer of this net can be pruned")
	}
	for _, l := range run.Tests[0].Net.Layer {
		if l.GetType() == "HDF5Output" {
			return fmt.Errorf(
				"the test net writes %s (layer %q), which measuring would overwrite",
				l.GetHdf5OutputParam().GetFileName(),
				l.GetName(),
			)
		}
	}
	return nil
}

// newMeasurement prepares a measurement of all layers on the run's first test net.
func newMeasurement(s *solver.Solver, run *config.Run) (*measurement, error) {
	p := &measurement{solver: s, own: map[*layer.Param]*layer.Param{}}
	var err error
	if p.net, err = p.build(run); err != nil {
		return nil, err
	}
	batch := p.net.BatchSize()
	p.batches = max(1, min(int(run.Solver.TestIter[0]), (probeImages+batch-1)/batch))
	p.latest = &Sensitivity{
		Iter:    s.Iter,
		Images:  p.batches * batch,
		Total:   1 + len(s.Layers())*len(probedSparsities),
		Running: true,
	}
	for _, l := range s.Layers() {
		p.latest.Layers = append(p.latest.Layers, LayerSensitivity{Name: l.Name})
	}
	return p, nil
}

// build makes the probing net, and room for the forward weights of the largest layer.
func (p *measurement) build(run *config.Run) (*model.Net, error) {
	mine := map[*layer.Param]bool{}
	var room [2]int
	for _, l := range p.solver.Layers() {
		mine[l.Weights] = true
		room[0] = max(room[0], l.Weights.Data.N)
		if l.Bias != nil {
			mine[l.Bias] = true
			room[1] = max(room[1], l.Bias.Data.N)
		}
	}
	var err error
	for i, n := range room {
		if p.scratch[i], err = gpu.NewTensor(p.solver.Device(), max(1, n)); err != nil {
			return nil, err
		}
	}
	substitute := func(o *layer.Param) *layer.Param {
		if !mine[o] {
			return o
		}
		if p.own[o] == nil {
			c := *o
			p.own[o] = &c
		}
		return p.own[o]
	}
	return model.NewNet(run.Tests[0], model.NetOptions{
		Device: p.solver.Device(), State: run.TestState(0), Seed: p.solver.Seed, Clock: &layer.Clock{},
		Share: p.solver.Net, Substitute: substitute, Inputs: run.Inputs, Reuse: true,
	})
}

// step measures one point; hist are the layers' histograms. The device has nothing else to do. It returns what to tell
// of it: that all points are measured, or why it ended early; else nil.
func (p *measurement) step(hist []*solver.Histogram) Payload {
	begin := time.Now()
	s := *p.latest
	var err error
	if p.first() {
		p.showWeights()
		s.Base, err = p.evaluate()
	} else {
		i, k := (p.next-1)/len(probedSparsities), (p.next-1)%len(probedSparsities)
		var point SensitivityPoint
		if point, err = p.try(p.solver.Layers()[i], hist[i], probedSparsities[k]); err == nil {
			s.Layers = append([]LayerSensitivity(nil), s.Layers...)
			l := &s.Layers[i]
			l.Points = append(slices.Clip(l.Points), point)
		}
	}
	p.next++
	s.Done = p.next
	p.latest = &s
	cost := time.Since(begin)
	p.nextAt = time.Now().Add(time.Duration(float64(cost) * (1/probeFraction - 1)))
	switch {
	case err != nil:
		p.close(err.Error())
		return SensitivityFailed{err.Error()}
	case s.Done == s.Total:
		p.close("")
		return SensitivityMeasured{len(s.Layers)}
	}
	return nil
}

// try evaluates with one layer pruned to a sparsity, by its own rule.
func (p *measurement) try(l *solver.Layer, g *solver.Histogram, sparsity float64) (SensitivityPoint, error) {
	d := p.solver.Device()
	threshold, _ := g.Range()
	if sparsity > 0 {
		threshold = g.Threshold(int(math.Round(sparsity * float64(g.Total()))))
	}
	w, own := p.scratch[0].View(0, l.Weights.Shape...), p.own[l.Weights]
	d.Copy(w, l.Weights.Forward())
	var b *gpu.Tensor
	if l.Bias != nil && p.solver.Hyper().Layer(l.Name).Rule.PrunesBias() {
		b = p.scratch[1].View(0, l.Bias.Shape...)
		d.Copy(b, l.Bias.Forward())
	}
	r, err := p.solver.TryThreshold(l, threshold, w, b)
	if err != nil {
		return SensitivityPoint{}, err
	}
	p.showWeights()
	if own != nil {
		own.Masked = w
	}
	if ownB := p.own[l.Bias]; ownB != nil && b != nil {
		ownB.Masked = b
	}
	point, err := p.evaluate()
	point.Threshold, point.Sparsity = threshold, solver.Fraction(r.Total-r.Kept, r.Total)
	return point, err
}

// showWeights gives the probing net the forward weights of the run.
func (p *measurement) showWeights() {
	for o, own := range p.own {
		own.Masked = o.Masked
	}
}

// evaluate evaluates the probing net on the same batches as every other time.
func (p *measurement) evaluate() (SensitivityPoint, error) {
	for _, src := range p.net.Sources() {
		src.Seek(0)
	}
	r, err := solver.Evaluate(p.net, p.batches, nil)
	if r == nil {
		return SensitivityPoint{}, err
	}
	point := SensitivityPoint{Accuracy: -1, Loss: r.Loss} // an output that is NaN is what a point may find
	if a, ok := r.Accuracy(); ok {
		point.Accuracy = a
	}
	if math.IsNaN(point.Loss) || math.IsInf(point.Loss, 0) {
		point.Loss = math.MaxFloat32
	}
	return point, nil
}
