package model

import (
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model/layer"
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

// probeImages is about how many images a point is measured on; probeShare is the share of the time that probing may
// take from a run that goes on.
const (
	probeImages = 1000
	probeShare  = 0.2
)

// prober measures sensitivity between iterations. It has a test net of its own that shows the weights of the train
// net, with a source of its own, and forward weights of its own for the layer that it tries: the run's weights,
// masks, random numbers and places in the data stay as they are.
type prober struct {
	net     *Net
	own     map[*layer.Param]*layer.Param // of the train net's parameters, what the probing net has in their place
	scratch [2]*gpu.Tensor                // forward weights of the layer that is tried, and of its bias
	batches int
	next    int // point
	at      time.Time
	latest  *Sensitivity
}

func (p *prober) busy() bool { return p != nil && p.net != nil }

func (p *prober) due() bool { return p.busy() && !time.Now().Before(p.at) }

func (p *prober) result() *Sensitivity {
	if p == nil {
		return nil
	}
	return p.latest
}

// close ends the measurement; what was measured stays.
func (p *prober) close(problem string) {
	if !p.busy() {
		return
	}
	p.net.Close()
	p.net, p.own, p.scratch = nil, nil, [2]*gpu.Tensor{}
	s := *p.latest
	s.Running, s.Problem = false, problem
	p.latest = &s
}

// probe begins to measure the sensitivity of all layers, or ends it.
func (t *Trainer) probe(what string) (string, error) {
	if what == "off" {
		t.probing.close("stopped")
		return "no longer measuring sensitivity", nil
	}
	if len(t.solver.Tests) == 0 {
		return "", errors.New("sensitivity is measured on a test net; the solver has none")
	}
	if len(t.solver.surgeon.layers) == 0 {
		return "", errors.New("no layer of this net can be pruned")
	}
	t.probing.close("begun anew")
	p, err := t.solver.newProber()
	if err != nil {
		return "", err
	}
	t.probing = p
	return fmt.Sprintf("measuring sensitivity: %d points on %d images", p.latest.Total, p.latest.Images), nil
}

func (s *Solver) newProber() (*prober, error) {
	f := s.run.Tests[0]
	for _, l := range f.Net.Layer {
		if l.GetType() == "HDF5Output" {
			return nil, fmt.Errorf(
				"the test net writes %s (layer %q), which measuring would overwrite",
				l.GetHdf5OutputParam().GetFileName(),
				l.GetName(),
			)
		}
	}
	p := &prober{own: map[*layer.Param]*layer.Param{}}
	mine := map[*layer.Param]bool{}
	var room [2]int
	for _, l := range s.surgeon.layers {
		mine[l.Weights] = true
		room[0] = max(room[0], l.Weights.Data.N)
		if l.Bias != nil {
			mine[l.Bias] = true
			room[1] = max(room[1], l.Bias.Data.N)
		}
	}
	var err error
	for i, n := range room {
		if p.scratch[i], err = gpu.NewTensor(s.device, max(1, n)); err != nil {
			return nil, err
		}
	}
	stand := func(o *layer.Param) *layer.Param {
		if !mine[o] {
			return o
		}
		if p.own[o] == nil {
			c := *o
			p.own[o] = &c
		}
		return p.own[o]
	}
	if p.net, err = NewNet(f, NetOptions{Device: s.device, State: s.testState(0), Seed: s.Seed, Clock: &layer.Clock{}, Share: s.Net, Stand: stand, Inputs: s.run.Inputs}); err != nil {
		return nil, err
	}
	batch := p.net.batchSize()
	p.batches = max(1, min(int(s.param.TestIter[0]), (probeImages+batch-1)/batch))
	p.latest = &Sensitivity{
		Iter:    s.Iter,
		Images:  p.batches * batch,
		Total:   1 + len(s.surgeon.layers)*len(probedSparsities),
		Running: true,
	}
	for _, l := range s.surgeon.layers {
		p.latest.Layers = append(p.latest.Layers, LayerSensitivity{Name: l.Name})
	}
	return p, nil
}

// testState is the state that test net i is filtered by.
func (s *Solver) testState(i int) *caffepb.NetState {
	st := &caffepb.NetState{}
	proto.Merge(st, s.run.Tests[i].Net.GetState())
	if i < len(s.param.TestState) {
		proto.Merge(st, s.param.TestState[i])
	}
	st.Phase = caffepb.Phase_TEST.Enum()
	return st
}

// batchSize is the number of images in a batch: the extent of the first blob.
func (n *Net) batchSize() int {
	for _, nd := range n.nodes {
		if len(nd.top) > 0 && len(nd.top[0].Shape) > 0 {
			return max(1, nd.top[0].Shape[0])
		}
	}
	return 1
}

// probeNext measures one point. The pipeline is empty.
func (t *Trainer) probeNext() {
	p := t.probing
	begin := time.Now()
	s := *p.latest
	var point SensitivityPoint
	var err error
	if p.next == 0 {
		if s.Base, err = t.evaluateProbe(); err == nil && !t.measure() {
			err = errors.New("the layers could not be measured")
		}
	} else {
		i, k := (p.next-1)/len(probedSparsities), (p.next-1)%len(probedSparsities)
		if point, err = t.tryLayer(i, probedSparsities[k]); err == nil {
			s.Layers = append([]LayerSensitivity(nil), s.Layers...)
			l := &s.Layers[i]
			l.Points = append(l.Points[:len(l.Points):len(l.Points)], point)
		}
	}
	p.next++
	s.Done = p.next
	p.latest = &s
	cost := time.Since(begin)
	p.at = time.Now().Add(time.Duration(float64(cost) * (1/probeShare - 1)))
	switch {
	case err != nil:
		p.close(err.Error())
		t.note(Event{Iter: t.solver.Iter, Text: "sensitivity: " + err.Error()})
	case s.Done == s.Total:
		p.close("")
		t.note(Event{Iter: t.solver.Iter, Text: fmt.Sprintf("sensitivity of %d layers is measured", len(s.Layers))})
	}
	t.publish()
}

// tryLayer evaluates with one layer pruned to a sparsity, by its own rule.
func (t *Trainer) tryLayer(i int, sparsity float64) (SensitivityPoint, error) {
	s, p := t.solver, t.probing
	l, h := s.surgeon.layers[i], s.hyper.Layer(s.surgeon.layers[i].Name)
	g := t.hist[i]
	lo, _ := g.Range()
	threshold := lo
	if sparsity > 0 {
		threshold = g.Threshold(int(math.Round(sparsity * float64(g.Total()))))
	}
	w, own := p.scratch[0].View(0, l.Weights.Shape...), p.own[l.Weights]
	s.device.Copy(w, l.Weights.Forward())
	var b, mb *gpu.Tensor
	if l.Bias != nil && h.Rule == gpu.PaperRule {
		b, mb = l.Bias.Data, p.scratch[1].View(0, l.Bias.Shape...)
		s.device.Copy(mb, l.Bias.Forward())
	}
	var r gpu.SurgeryResult
	s.device.Surgery(
		&gpu.SurgeryParams{
			Rule:      h.Rule,
			Threshold: float32(threshold),
			Measured:  l.measured,
			Mu:        l.mu,
			Sigma:     l.sigma,
			Redraw:    true,
		},
		l.Weights.Data,
		w,
		b,
		mb,
		&r,
	)
	if err := s.device.Sync(); err != nil {
		return SensitivityPoint{}, err
	}
	t.showWeights()
	if own != nil {
		own.Masked = w
	}
	if ownB := p.own[l.Bias]; ownB != nil && mb != nil {
		ownB.Masked = mb
	}
	point, err := t.evaluateOwn()
	point.Threshold, point.Sparsity = threshold, share(r.Total-r.Kept, r.Total)
	return point, err
}

// showWeights gives the probing net the forward weights of the run.
func (t *Trainer) showWeights() {
	for o, own := range t.probing.own {
		own.Masked = o.Masked
	}
}

func (t *Trainer) evaluateProbe() (SensitivityPoint, error) {
	t.showWeights()
	return t.evaluateOwn()
}

// evaluateOwn evaluates the probing net on the same batches as every other time.
func (t *Trainer) evaluateOwn() (SensitivityPoint, error) {
	p := t.probing
	for _, nd := range p.net.nodes {
		if src, ok := nd.layer.(layer.Source); ok {
			src.Seek(0)
		}
	}
	r, err := Evaluate(p.net, p.batches, nil)
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
