// Package solver trains a net: iterations, Caffe's update rules, surgery, tests of a net, and the state that a run is
// resumed from.
package solver

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/model"
	"dns-tui/model/layer"
)

// Solver trains a net by one of Caffe's methods and does its surgery.
type Solver struct {
	Net   *model.Net
	Tests []*model.Net
	Iter  int
	Seed  uint64
	ID    string // of the run, in all its snapshots
	// Notices are what a user should know of what the run starts from: weights that fit nothing, settings that are
	// not the file's.
	Notices []string

	run    *config.Run
	param  *caffepb.SolverParameter
	device *gpu.Device
	clock  *layer.Clock
	method gpu.Method
	// history has the method's arrays of each parameter of Net; nil where it is not trained.
	history      [][2]*gpu.Tensor
	surgeon      *Surgeon
	recent       []float32 // the last average_loss losses, oldest first
	hyper        *config.Hyper
	files        *config.Hyper // what the files say of them
	measureNorms bool          // measure norms in the next update that has whole gradients
	rateFactor   float64       // see SetRateFactor
	// lastPass is the loss of the last of an iteration's iter_size passes.
	lastPass float64
	pipeline
	ranks ranks
	torn  error // see Rewind
	// sessionData is what the session put into the snapshot that the solver started from.
	sessionData SessionData
}

// methods are Caffe's solver types.
var methods = map[string]gpu.Method{
	"SGD":      gpu.SGD,
	"Nesterov": gpu.Nesterov,
	"AdaGrad":  gpu.AdaGrad,
	"RMSProp":  gpu.RMSProp,
	"AdaDelta": gpu.AdaDelta,
	"Adam":     gpu.Adam,
}

// New builds the nets of a run and loads what it starts from. Errors name the file.
func New(run *config.Run, d *gpu.Device) (*Solver, error) { return NewRank(run, d, nil) }

// NewRank is New for one of several ranks, all of which call it; a nil group is none. It compares what the ranks were
// given to train. Where it fails the caller tells the others: End, or Group.Fail where there is no solver.
func NewRank(run *config.Run, d *gpu.Device, g collective.Group) (*Solver, error) {
	s := &Solver{
		run:    run,
		param:  run.Solver,
		device: d,
		clock:  &layer.Clock{},
		method: methods[caffe.SolverName(run.Solver)],

		rateFactor: 1,
	}
	s.Seed, s.ID = rand.Uint64(), fmt.Sprintf("%08x", rand.Uint32())
	if r := run.Solver.GetRandomSeed(); run.Solver.RandomSeed != nil && r >= 0 {
		s.Seed = uint64(r)
	}
	if run.Seed != nil {
		s.Seed = *run.Seed
	}
	if run.Inputs != nil {
		s.Notices = append(s.Notices, "random data stands in place of the data layers (--input)")
	}
	var state *caffepb.SolverState
	if run.Snapshot != "" && (g == nil || g.Rank() == 0) {
		var err error
		if state, err = caffe.ReadSolverState(run.Snapshot); err != nil {
			return nil, err
		}
		s.resumeSeed(state.RunState)
	}
	err := s.agreeOnRun(g)
	if err == nil {
		err = s.build()
	}
	if err == nil {
		err = s.agreeOnData(g)
	}
	if err == nil {
		err = s.openRanks(g)
	}
	if err == nil {
		err = s.start(state)
	}
	if err == nil {
		err = s.provide()
	}
	if err != nil {
		s.Close()
		return nil, adviseMemory(run, d, err)
	}
	if n := dataset.JPEGNotice(); n != "" { // the shapes of data are those of their first records, which were read
		s.Notices = append(s.Notices, n)
	}
	return s, nil
}

// resumeSeed takes the seed of a snapshot, unless random_seed was edited since.
func (s *Solver) resumeSeed(rs *caffepb.RunState) {
	if rs == nil || rs.Seed == nil {
		return
	}
	now, then := s.param.RandomSeed, rs.RandomSeed
	same := now == nil || then != nil && *then == *now
	switch {
	case s.run.Settings == config.ByFiles && now != nil && *now >= 0 && s.Seed != rs.GetSeed():
		s.Notices = append(
			s.Notices,
			fmt.Sprintf("random_seed is %d by the files; the snapshot's seed was %d", *now, rs.GetSeed()),
		)
		return
	case s.run.Settings == config.ByEdit && len(rs.Files) > 0 && !same:
		was := "not set"
		if then != nil {
			was = fmt.Sprint(*then)
		}
		s.Notices = append(
			s.Notices,
			fmt.Sprintf("random_seed %s → %d: the files were edited since the snapshot", was, *now),
		)
		if *now >= 0 {
			return
		}
	case now != nil && *now >= 0 && uint64(*now) != rs.GetSeed():
		s.Notices = append(
			s.Notices,
			fmt.Sprintf(
				"the random numbers continue with the snapshot's seed, %d; random_seed of the files is %d",
				rs.GetSeed(),
				*now,
			),
		)
	}
	s.Seed = rs.GetSeed()
}

func (s *Solver) build() error {
	var err error
	if s.Net, err = model.NewNet(s.run.Train, model.NetOptions{
		Device: s.device, State: s.run.TrainState(), Seed: s.Seed, Clock: s.clock, Inputs: s.run.Inputs,
		Reuse: true,
	}); err != nil {
		return err
	}
	for i, f := range s.run.Tests {
		t, err := model.NewNet(
			f,
			model.NetOptions{
				Device: s.device,
				State:  s.run.TestState(i),
				Seed:   s.Seed,
				Clock:  s.clock,
				Share:  s.Net,
				Reuse:  true,
				Inputs: s.run.Inputs,
			},
		)
		if err != nil {
			return err
		}
		s.Tests = append(s.Tests, t)
	}
	if s.param.GetIterSize() > 1 {
		if err := s.Net.MakeApart(); err != nil {
			return err
		}
	}
	for _, p := range s.Net.Params() {
		var h [2]*gpu.Tensor
		for i := range s.method.Histories() {
			if p.Trained() {
				if h[i], err = gpu.NewTensor(s.device, p.Shape...); err != nil {
					return err
				}
			}
		}
		s.history = append(s.history, h)
	}
	s.surgeon = newSurgeon(s.device, s.Net, s.Seed)
	if err := s.openPipeline(); err != nil {
		return err
	}
	s.files = initialHyper(s.param, s.Net)
	s.hyper = s.files
	return s.checkLayers()
}

// checkLayers reports every value of a layer's surgery that would be rejected live, with its line in the net's file.
func (s *Solver) checkLayers() error {
	var errs []error
	for _, f := range s.hyper.Faults() {
		field := f.Field.InFiles()
		// nil of the solver's own: config.Run.Validate tells
		errs = append(errs, s.Net.FieldError(f.Field.Layer, strings.TrimPrefix(field, f.Field.Layer+"."), f.Msg))
	}
	return errors.Join(errs...)
}

// start loads the weights or the state that the run starts from, and gives masks to the layers to be pruned.
func (s *Solver) start(state *caffepb.SolverState) error {
	if err := s.surgeon.prepare(s.hyper); err != nil {
		return err
	}
	if len(s.run.Weights) > 0 && s.ranks.rank == 0 {
		if _, err := s.loadWeights(s.run.Weights, false); err != nil {
			return err
		}
	}
	if state != nil {
		if err := s.restore(s.run.Snapshot, state); err != nil {
			return err
		}
	}
	s.surgeon.rewriteForward(s.hyper)
	s.surgeon.examine(s.hyper, false)
	return s.adopt()
}

// manyZeros is the fraction of exact zeros from which a file without masks looks like a net that was pruned elsewhere.
const manyZeros = 0.05

// loadWeights loads caffemodels, and tells what of them did not fit; where they are those of a snapshot of ours, what
// was edited in the net since.
func (s *Solver) loadWeights(paths []string, ofSnapshot bool) (*model.Loaded, error) {
	l, err := s.Net.LoadFiles(paths, model.LoadOptions{MasksFromZeros: s.run.MasksFromZeros,
		SkipMismatched: s.run.SkipMismatched, CanSkip: true, TellEdits: ofSnapshot, Soft: s.isSoft})
	if err != nil {
		return nil, err
	}
	s.Notices = append(s.Notices, l.Notices...)
	if !s.run.MasksFromZeros && float64(l.Zeros) > manyZeros*float64(l.Weights) {
		s.Notices = append(
			s.Notices,
			fmt.Sprintf("%d of %d weights in %s are exactly zero and came without masks: they train like all others; "+
				"--masks-from-zeros keeps them pruned", l.Zeros, l.Weights, strings.Join(paths, ", ")),
		)
	}
	return l, nil
}

// AsksForSurgery reports whether the files of a run say anything about surgery. Where they do not, they are plain Caffe
// files, and the seed rule's default (prune every convolution and inner product) is not applied to them.
func AsksForSurgery(s *caffepb.SolverParameter, layers []model.PrunableLayer) bool {
	if s.SurgeryStopIter != nil || s.SurgeryIterGamma != nil || s.SurgeryIterPower != nil {
		return true
	}
	for _, l := range layers {
		if l.Pruning.Explicit {
			return true
		}
	}
	return false
}

// initialHyper reads the hyperparameters that the files set.
func initialHyper(s *caffepb.SolverParameter, n *model.Net) *config.Hyper {
	h := config.FromSolver(s)
	layers := n.Prunable()
	asked := AsksForSurgery(s, layers)
	for _, l := range layers {
		p := l.Pruning
		h.Layers = append(
			h.Layers,
			config.LayerHyper{Name: l.Name, Rule: p.Rule, Threshold: p.Threshold, Prune: p.Enabled && asked,
				Gamma: p.Gamma, Power: p.Power, Stop: p.Stop, SoftHyper: p.Soft},
		)
	}
	h.Index()
	return h
}

// Hyper returns the hyperparameters as they are now.
func (s *Solver) Hyper() *config.Hyper { return s.hyper }

// FileHyper returns the hyperparameters that the files set.
func (s *Solver) FileHyper() *config.Hyper { return s.files }

// Device returns the device that the nets are on.
func (s *Solver) Device() *gpu.Device { return s.device }

// SessionData is what the session put into the snapshot that the solver started from, or went back to.
func (s *Solver) SessionData() SessionData { return s.sessionData }

// SetHyper applies validated hyperparameters; it fails only where memory for a mask runs out.
func (s *Solver) SetHyper(h *config.Hyper) error {
	if h != s.hyper {
		s.tell(settingsOrder, h)
	}
	if err := s.surgeon.prepare(h); err != nil {
		return err
	}
	s.hyper = h
	return nil
}

// Rate returns the learning rate of an iteration by the hyperparameters of now.
func (s *Solver) Rate(iter int) float64 { return s.PolicyRate(iter) * s.rateFactor }

// PolicyRate is Rate without SetRateFactor's part.
func (s *Solver) PolicyRate(iter int) float64 {
	return Rate(s.param, s.hyper.BaseLR, iter) * s.hyper.LRMult
}

// SurgeryDue reports whether the mask of a layer is redrawn in the next iteration.
func (s *Solver) SurgeryDue(p *Layer) bool {
	return s.surgeon.due(p, s.hyper, s.hyper.Layer(p.Name), s.Iter)
}

// Operates reports whether some mask is redrawn in the next iteration.
func (s *Solver) Operates() bool { return slices.ContainsFunc(s.surgeon.layers, s.SurgeryDue) }

// LastPassLoss is the loss of the last forward pass: what Caffe's loss blob holds after an iteration.
func (s *Solver) LastPassLoss() float64 { return s.lastPass }

// UnstableError says that a loss was NaN or infinite, and which layer was the first to be.
type UnstableError struct {
	Iter  int
	Loss  float64
	Cause error
}

func (e *UnstableError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("iteration %d: the loss is %v, though no layer's output is", e.Iter, e.Loss)
	}
	return fmt.Sprintf("iteration %d: the loss is %v; first bad: %v", e.Iter, e.Loss, e.Cause)
}

func (e *UnstableError) Unwrap() error { return e.Cause }

// update changes all trained parameters (Caffe's ApplyUpdate: clip, normalise, regularise, momentum).
func (s *Solver) update(scale float32) {
	if clip := s.param.GetClipGradients(); clip > 0 {
		var sum float64
		for _, p := range s.Net.Params() {
			if p.Trained() && !s.weightsFrozen(p) {
				sum += s.device.SumSquares(p.Diff)
			}
		}
		if norm := math.Sqrt(sum); norm > float64(clip) {
			scale *= float32(float64(clip) / norm)
		}
	}
	rate := float32(s.Rate(s.Iter))
	u := gpu.UpdateParams{
		Method:   s.method,
		Momentum: float32(s.hyper.Momentum),
		L1:       s.param.GetRegularizationType() == "L1",
		Scale:    scale,
		Delta:    s.param.GetDelta(),
	}
	switch s.method {
	case gpu.RMSProp:
		u.Decay2 = s.param.GetRmsDecay()
	case gpu.Adam:
		u.Decay2 = s.param.GetMomentum2()
		t := float64(s.Iter + 1)
		u.Correction = float32(math.Sqrt(1-math.Pow(float64(u.Decay2), t)) / (1 - math.Pow(s.hyper.Momentum, t)))
	}
	measures := s.measureNorms && s.wholeGradients()
	if measures {
		u.KeepStep = true
		s.measureGradients(scale)
	}
	for i, p := range s.Net.Params() {
		if !p.Trained() {
			continue
		}
		if s.weightsFrozen(p) {
			s.device.Fill(p.Diff, 0)
			continue
		}
		u.Theta, u.Rest = s.theta(p)
		u.Soft = p.Soft
		u.Rate, u.Decay, u.Gate = rate*p.LRMult, float32(s.hyper.WeightDecay)*p.DecayMult, s.gate
		s.device.Update(u, p.Data, p.Diff, s.history[i][0], s.history[i][1], p.Masked)
	}
	if measures {
		s.measureNorms = false
		s.measureSteps()
	}
}

// limitGradients says which gradients count in this iteration's passes: not those of pruned entries that rest or have
// a theta of 0, unless clip_gradients, which looks at all, is set. It must depend on nothing but settings and the
// iteration, as a device may round gradients otherwise where some are left out.
func (s *Solver) limitGradients() {
	for _, p := range s.Net.Params() {
		theta, rest := s.theta(p)
		p.KeptOnly = s.param.GetClipGradients() <= 0 && (rest || theta == 0)
	}
}

// theta is what the gradients of a parameter's pruned entries are multiplied by, and whether these entries rest in this
// iteration.
func (s *Solver) theta(p *layer.Param) (factor float32, rest bool) {
	if l := s.hyper.Layer(p.Layer); p.Masked != nil && l != nil {
		return float32(l.GradientFactor()), l.RestsAt(s.Iter)
	}
	return 1, false
}

// isSoft reports whether a layer goes by the soft rule.
func (s *Solver) isSoft(name string) bool {
	l := s.hyper.Layer(name)
	return l != nil && l.Rule == gpu.SoftRule
}

// weightsFrozen reports whether a parameter's layer is not trained for now. Its history stays as it is.
func (s *Solver) weightsFrozen(p *layer.Param) bool {
	l := s.hyper.Layer(p.Layer)
	return l != nil && l.WeightsFrozen
}

// MeasureNorms has the next iteration measure the norms of the layers that can be pruned, or the next in which no
// entries rest. It changes no bit of the training.
func (s *Solver) MeasureNorms() { s.measureNorms = true }

// wholeGradients reports whether the gradients of this iteration lack none that those of another have.
func (s *Solver) wholeGradients() bool {
	return !slices.ContainsFunc(s.surgeon.layers, func(p *Layer) bool {
		l := s.hyper.Layer(p.Name)
		return l.RestsAt(s.Iter) && l.GradientFactor() != 0
	})
}

// measureGradients measures what the gradients of the weights are before the update; measureSteps what it took off,
// which it left in their place.
func (s *Solver) measureGradients(scale float32) {
	for _, p := range s.surgeon.layers {
		p.norms = Norms{Iter: s.Iter, Weights: math.Sqrt(s.device.SumSquares(p.Weights.Data))}
		if p.Weights.Trained() {
			p.norms.Gradient = math.Sqrt(s.device.SumSquares(p.Weights.Diff)) * math.Abs(float64(scale))
		}
	}
}

func (s *Solver) measureSteps() {
	for _, p := range s.surgeon.layers {
		if p.Weights.Trained() {
			p.norms.Step = math.Sqrt(s.device.SumSquares(p.Weights.Diff))
		}
	}
	for _, p := range s.Net.Params() {
		if p.Trained() {
			s.device.Fill(p.Diff, 0)
		}
	}
}

// smooth keeps the last average_loss losses.
func (s *Solver) smooth(loss float64) {
	n := int(s.param.GetAverageLoss())
	if len(s.recent) == n {
		copy(s.recent, s.recent[1:])
		s.recent = s.recent[:n-1]
	}
	s.recent = append(s.recent, float32(loss))
}

// SmoothedLoss is the mean of the last average_loss losses.
func (s *Solver) SmoothedLoss() float64 {
	var t float64
	for _, l := range s.recent {
		t += float64(l)
	}
	return t / float64(max(1, len(s.recent)))
}

// LossNow takes in the loss of one more pass with the weights of now, without an update.
func (s *Solver) LossNow() error {
	loss, err := s.Net.Forward()
	if err == nil {
		s.smooth(loss)
	}
	return err
}

// Close stops the readers.
func (s *Solver) Close() error {
	if g := s.ranks.group; g != nil {
		g.Tell(nil) // the device may be closed next
	}
	var errs []error
	for _, n := range append([]*model.Net{s.Net}, s.Tests...) {
		if n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}
