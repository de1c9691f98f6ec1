package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/layer"
	"dns-tui/model/ship"
	"dns-tui/model/solver"
)

// Shipped is what the run's net comes to for who ships it, with W∘T as export writes it. It is never changed.
type Shipped struct {
	Now      *Weighed // nil before it was first weighed
	Redrawn  bool     // masks were redrawn since
	Stage    WeighStage
	Measured *Measured // nil until it was asked for
	Problem  string    // why what was asked for last is not there
}

// WeighStage is how far a measurement is that was asked for.
type WeighStage int

// The stages of a measurement.
const (
	NoWeighing   WeighStage = iota
	Weighing                // beside the training
	TimingPasses            // the training waits
)

// Weighed is what weights come to.
type Weighed struct {
	Iter int // of the weights
	ship.Weights
	Net *WeighedNet // nil where that could not be found out
}

// WeighedNet is what the net comes to with them.
type WeighedNet struct {
	MACs    ship.MACs
	Smaller int // parameters of the dense net that export --shrink makes
	// Outputs are filters and neurons of layers that can be pruned, Live those that are left in the smaller net.
	Live, Outputs int
}

// Measured is what was asked for: the net as it was, and as it is to become, with the time of a pass forward on the
// CPU. The training waited while passes were timed.
type Measured struct {
	Now           Timed
	Then          *Timed // nil where nothing was to come
	Goal          string // what Then is pruned to: "310x"; "" where it has other thresholds
	Batch, Passes int    // images a pass, and how many passes of each kind were timed
	Waited        time.Duration
}

// Timed is what weights come to, and medians of passes forward: dense ones, and such as leave zeros out.
type Timed struct {
	Weighed
	Dense, Sparse time.Duration
}

// words are the least that is worth telling: "5,944 bytes compact, 0.31 ms a pass (dense 0.62)".
func (t *Timed) words() string {
	return fmt.Sprintf("%s bytes compact, %s ms a pass (dense %s)",
		human.Count(int(t.Bytes.Compact)), human.Milliseconds(t.Sparse), human.Milliseconds(t.Dense))
}

// weigher says what the net comes to for who ships it: now and then by itself, where somebody may watch, and as it is
// to become, with the time of a pass, where that was asked for. It takes a copy of the weights between two iterations,
// and weighs that in a goroutine. Nothing of the run is changed.
type weigher struct {
	solver  *solver.Solver
	run     *config.Run
	hist    *histograms
	descent *descent
	events  *events
	unasked bool // weighs by itself
	on      *shippedNet

	ctx    context.Context // ends with the run
	cancel context.CancelFunc
	done   chan *weighing // of the one that is under way

	latest  *Shipped
	redraws int       // counts how often masks were redrawn
	tried   moment    // whose weights were weighed last, or could not be
	job     *weighing // under way; nil: none
	next    *weighing // asked for, to begin behind it; nil: none
	last    time.Time // when one was done
	cost    time.Duration
}

// moment says which weights the run has.
type moment struct{ iter, redraws int }

// newWeigher returns a weigher; unasked says that it weighs by itself, too.
func newWeigher(s *solver.Solver, run *config.Run, h *histograms, d *descent, e *events, unasked bool) weigher {
	ctx, cancel := context.WithCancel(context.Background())
	return weigher{
		solver: s, run: run, hist: h, descent: d, events: e, unasked: unasked, on: newShippedNet(s, run),
		ctx: ctx, cancel: cancel, done: make(chan *weighing), latest: &Shipped{}, tried: moment{iter: -1},
	}
}

// close ends what is under way.
func (w *weigher) close() {
	w.cancel()
	if w.job == nil {
		w.on.close()
	}
}

// now is the moment of the weights as they are.
func (w *weigher) now() moment { return moment{w.solver.Iter, w.redraws} }

// result is what was found so far.
func (w *weigher) result() *Shipped { return w.latest }

// redrawn says that masks were redrawn, or that the weights are others.
func (w *weigher) redrawn() {
	w.redraws++
	if !w.latest.Redrawn && w.latest.Now != nil {
		w.change(func(s *Shipped) { s.Redrawn = true })
	}
}

// change makes another result.
func (w *weigher) change(by func(*Shipped)) {
	s := *w.latest
	by(&s)
	w.latest = &s
}

// How many times as long as weighing took passes before it is done again by itself, while the run trains, and how long
// at least.
const (
	restWeighing = 100
	leastRest    = time.Second
)

// due reports whether the weights are to be weighed between two iterations; idle says that nothing trains.
func (w *weigher) due(idle bool) bool {
	switch {
	case w.job != nil:
		return false
	case w.next != nil:
		return true
	case !w.unasked || w.tried == w.now():
		return false
	}
	return idle || time.Since(w.last) >= max(leastRest, restWeighing*w.cost)
}

// ask takes a command to measure.
func (w *weigher) ask(c Command) (string, error) {
	if w.next != nil || w.job != nil && w.job.asked {
		return "", errors.New("what you ship is being measured already")
	}
	j := &weighing{asked: true, edits: c.Edits, target: c.Target}
	switch a := w.descent.current(); {
	case c.Target.Unit != autopilot.NoTarget && len(c.Edits) > 0:
		return "", errors.New("both a target and thresholds; wanted one of them")
	case c.Target.Unit != autopilot.NoTarget:
		if err := c.Target.Validate(); err != nil {
			return "", err
		}
	case len(c.Edits) > 0:
		if _, _, err := w.solver.Hyper().Apply(c.Edits...); err != nil {
			return "", err
		}
		for _, e := range c.Edits {
			if !e.WaitsForSurgery() || w.solver.Layer(e.Layer) == nil {
				return "", fmt.Errorf("%s is no threshold of a layer that can be pruned", e.Field)
			}
		}
	case a != nil && !w.descent.done():
		j.target = a.Descent.Settings.Target
	}
	w.next = j
	w.change(func(s *Shipped) { s.Stage, s.Problem = Weighing, "" })
	return j.describe(), nil
}

// begin copies the weights, and has them weighed beside the training. The device has nothing else to do.
func (w *weigher) begin() {
	j := w.next
	if w.next = nil; j == nil {
		j = &weighing{}
	}
	begin := time.Now()
	w.tried = w.now()
	j.of, j.path = w.tried, w.run.SnapshotPrefix()
	j.now = w.solver.Net.Weights()
	var err error
	if len(j.edits) > 0 {
		j.then, err = w.operated(j.edits)
	}
	if err = errors.Join(err, w.solver.Device().Sync()); err != nil {
		w.last = time.Now() // a device that failed: the next iteration tells
		if j.asked {
			w.failed(err)
		}
		return
	}
	w.job, j.took = j, time.Since(begin)
	go func() {
		j.weigh(w.on)
		select {
		case w.done <- j:
		case <-w.ctx.Done():
			j.close()
			w.on.close()
		}
	}()
}

// operated are the weights as surgery would leave them now that has other thresholds.
func (w *weigher) operated(edits []config.Edit) (*caffepb.NetParameter, error) {
	if !w.hist.measure() {
		return nil, errors.New("the layers could not be measured")
	}
	d, forward := w.solver.Device(), map[*layer.Param][]float32{}
	for _, e := range edits {
		l := w.solver.Layer(e.Layer)
		params := []*layer.Param{l.Weights}
		if l.Bias != nil && w.solver.Hyper().Layer(l.Name).Rule.PrunesBias() {
			params = append(params, l.Bias)
		}
		var try [2]*gpu.Tensor // of the bias nil where the rule passes over it
		for i, p := range params {
			t, err := gpu.NewTensor(d, p.Shape...)
			if err != nil {
				return nil, err
			}
			defer t.Mem.Free()
			d.Copy(t, p.Forward())
			try[i] = t
		}
		if _, err := w.solver.TryThreshold(l, e.Value, try[0], try[1]); err != nil {
			return nil, err
		}
		for i, p := range params {
			forward[p] = make([]float32, p.Data.N)
			d.Download(forward[p], try[i])
		}
	}
	return w.solver.Net.WeightsWith(forward), nil
}

// finished is what is under way, where it is done; nil else. It does not wait.
func (w *weigher) finished() *weighing {
	if w.job == nil {
		return nil
	}
	select {
	case j := <-w.done:
		return j
	default:
		return nil
	}
}

// untilFinished comes when what is under way is done; never, where nothing is.
func (w *weigher) untilFinished() <-chan *weighing { return w.done }

// take takes in what is done, and reports whether passes of it are to be timed now.
func (w *weigher) take(j *weighing) bool {
	w.job, w.last = nil, time.Now()
	if !j.asked { // what was asked for takes longer
		w.cost = j.took
	}
	w.change(func(s *Shipped) {
		if j.weighed != nil {
			s.Now, s.Redrawn = j.weighed, j.of.redraws != w.redraws
		}
		if j.passes != nil {
			s.Stage = TimingPasses
		}
	})
	if j.asked && j.passes == nil {
		w.failed(j.err)
	}
	return j.passes != nil
}

// failed tells that what was asked for could not be measured.
func (w *weigher) failed(err error) {
	w.change(func(s *Shipped) { s.Stage, s.Problem = NoWeighing, err.Error() })
	w.events.note(Event{Iter: w.solver.Iter, What: MeasuringFailed{err.Error()}})
}

// timingTime is about how long passes are timed.
const timingTime = time.Second

// time times passes of what was weighed. Nothing trains meanwhile.
func (w *weigher) time(j *weighing, stop func() bool) {
	defer j.close()
	begin := time.Now()
	times, passes, err := j.passes.TimeFor(timingTime, stop)
	if err != nil {
		w.failed(err)
		return
	}
	m := &Measured{Now: Timed{*j.weighed, times[0].Dense, times[0].Pass}, Goal: j.goal(), Batch: j.passes.Batch(),
		Passes: passes, Waited: time.Since(begin)}
	if j.comes != nil {
		m.Then = &Timed{*j.comes, times[1].Dense, times[1].Pass}
	}
	w.change(func(s *Shipped) { s.Stage, s.Measured = NoWeighing, m })
	w.events.note(Event{Iter: w.solver.Iter, What: NetMeasured{*m}})
}

// weighing is what is done with one copy of the weights.
type weighing struct {
	asked     bool
	edits     []config.Edit    // thresholds of what is to come; nil: none
	target    autopilot.Target // what is to come is pruned to; of no unit: none
	of        moment
	path      string // of the run, for errors
	now, then *caffepb.NetParameter

	weighed, comes *Weighed
	passes         *ship.Passes // of what was asked for; nil where that failed
	err            error
	took           time.Duration
}

// goal is what the net is to be pruned to, in words.
func (j *weighing) goal() string {
	if j.target.Unit == autopilot.NoTarget {
		return ""
	}
	return j.target.String()
}

// describe says what is measured.
func (j *weighing) describe() string {
	text := "measuring what you ship"
	switch {
	case j.goal() != "":
		text += ", now and at " + j.goal()
	case len(j.edits) > 0:
		text += ", now and with the thresholds that are chosen"
	}
	return text
}

// weigh does what needs no device of the run's. A mistake of the program in it does not end the run.
func (j *weighing) weigh(on *shippedNet) {
	begin := time.Now()
	defer func() {
		if r := recover(); r != nil {
			j.close()
			j.err = &InternalError{Cause: r, Stack: debug.Stack()}
		}
		j.now, j.then = nil, nil
		j.took += time.Since(begin)
	}()
	if j.weighed, j.err = on.weigh(j.path, j.of.iter, j.now); j.err != nil || !j.asked {
		return
	}
	all := []*caffepb.NetParameter{j.now}
	if j.target.Unit != autopilot.NoTarget {
		if j.then, _, j.err = ship.Pruned(on.dry, j.path, j.now, j.target); j.err != nil {
			return
		}
	}
	if j.then != nil {
		if j.comes, j.err = on.weigh(j.path, j.of.iter, j.then); j.err != nil {
			return
		}
		all = append(all, j.then)
	}
	o := model.NetOptions{State: on.state, Seed: 1, Inputs: on.inputs}
	if p, err := ship.NewPasses(on.file, o, j.path, all...); err != nil {
		j.err = err
	} else {
		j.passes = p
	}
}

// close lets go of the nets.
func (j *weighing) close() {
	if j.passes != nil {
		_ = j.passes.Close() // they write nothing
		j.passes = nil
	}
}

// shippedNet is the net that is shipped: the one that the run tests, or where it tests none the one that it trains. One
// weighing at a time uses it.
type shippedNet struct {
	file   *caffe.NetFile
	state  *caffepb.NetState
	inputs *config.Inputs // in place of its data; nil: it reads none
	dry    *model.Net     // it, without data; nil before the first weighing
}

func newShippedNet(s *solver.Solver, run *config.Run) *shippedNet {
	on := &shippedNet{file: run.Train, state: run.TrainState(), inputs: run.Inputs}
	built := s.Net
	if len(s.Tests) > 0 {
		on.file, on.state, built = run.Tests[0], run.TestState(0), s.Tests[0]
	}
	if on.inputs == nil {
		on.inputs = model.StandIn(built.Layers())
	}
	return on
}

// close lets go of the net.
func (on *shippedNet) close() {
	if on.dry != nil {
		_ = on.dry.Close() // it writes nothing
		on.dry = nil
	}
}

// weigh says what weights come to, whose masks it applies. What is known where the net is not is Weighed too.
func (on *shippedNet) weigh(path string, iter int, w *caffepb.NetParameter) (*Weighed, error) {
	if _, _, err := model.ApplyMasks(w); err != nil {
		return nil, err
	}
	weights, err := ship.Of(w)
	if err != nil {
		return nil, err
	}
	out := &Weighed{Iter: iter, Weights: *weights}
	if on.dry == nil {
		var shapes [][]int
		if on.inputs != nil {
			shapes = on.inputs.Shapes
		}
		if on.dry, err = model.NewWithoutData(on.file, on.state, shapes...); err != nil {
			return out, err
		}
	}
	n, err := ship.On(on.file, on.dry, path, w)
	if err != nil {
		return out, err
	}
	out.Net = &WeighedNet{MACs: n.MACs, Smaller: n.Smaller}
	out.Net.Live, out.Net.Outputs = n.LiveOutputs()
	return out, nil
}
