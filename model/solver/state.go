package solver

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/layer"
)

// SessionData is what a snapshot keeps for the session, each as JSON.
type SessionData struct {
	Pending [][]byte // changes that wait for their surgery
	Plans   [][]byte // changes to come
	Session []byte
}

// Save writes the pair prefix_iter_N.caffemodel and prefix_iter_N.solverstate, each with .h5 behind it where
// snapshot_format is HDF5. When it returns, both are on the disk; at any moment before, a pair that they replace is
// whole. It returns the name of the solverstate.
func (s *Solver) Save(prefix string, data SessionData) (string, error) {
	if s.torn != nil {
		return "", s.torn
	}
	base, ext := fmt.Sprintf("%s_iter_%d", prefix, s.Iter), ""
	if s.param.GetSnapshotFormat() == caffepb.SolverParameter_HDF5 {
		ext = ".h5"
	}
	weights, state := base+".caffemodel"+ext, base+".solverstate"+ext
	params := s.Net.Weights()
	st, err := s.state(weights)
	if err != nil {
		return "", err
	}
	if err := s.device.Sync(); err != nil { // what a device that failed gives is not worth a file
		return "", fmt.Errorf("the weights cannot be read: %w", err)
	}
	w, err := caffe.PrepareNet(weights, params)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	rs := st.RunState
	rs.Pending, rs.Plans, rs.Session, rs.WeightsSha256 = data.Pending, data.Plans, data.Session, w.SHA256
	p, err := caffe.PrepareSolverState(state, st)
	if err != nil {
		return "", err
	}
	defer p.Abort()
	return state, replacePair(weights, w, state, p)
}

// state collects what a run needs besides weights. Caffe reads the first four fields and skips the rest.
func (s *Solver) state(model string) (*caffepb.SolverState, error) {
	st := &caffepb.SolverState{Iter: proto.Int32(int32(s.Iter)), LearnedNet: proto.String(model),
		CurrentStep: proto.Int32(int32(stepsReached(s.param, s.Iter)))}
	for _, slot := range s.slots() {
		v := make([]float32, slot.Param.Data.N)
		if slot.history != nil {
			s.device.Download(v, slot.history)
		}
		st.History = append(st.History, caffe.NewBlob(slot.Param.Shape, v))
	}
	var err error
	st.RunState, err = s.runState()
	return st, err
}

// runState is what Caffe's solverstate has no place for.
func (s *Solver) runState() (*caffepb.RunState, error) {
	hyper, err := json.Marshal(s.hyper)
	if err != nil {
		return nil, err
	}
	files, err := json.Marshal(fileSettings{s.files, config.UpdateRules(s.param)})
	if err != nil {
		return nil, err
	}
	rs := &caffepb.RunState{
		Seed:       proto.Uint64(s.Seed),
		Hyper:      hyper,
		RecentLoss: s.recent,
		RunId:      proto.String(s.ID),
		Files:      files,
		RandomSeed: s.param.RandomSeed,
		ComputedBy: s.ComputedBy(),
	}
	if n := s.ranks.size(); n > 1 {
		rs.Ranks = proto.Int32(int32(n))
	}
	s.eachSource(func(net, name string, src layer.Source) {
		rs.Data = append(
			rs.Data,
			&caffepb.DataPosition{
				Net:     proto.String(net),
				Layer:   proto.String(name),
				Records: proto.Uint64(src.Records()),
			},
		)
	})
	s.eachState(func(net, name string, tensors []*gpu.Tensor) {
		l := &caffepb.LayerState{Net: proto.String(net), Layer: proto.String(name)}
		for _, t := range tensors {
			v := make([]float32, t.N)
			s.device.Download(v, t)
			l.Blobs = append(l.Blobs, caffe.NewBlob(t.Shape, v))
		}
		rs.States = append(rs.States, l)
	})
	for _, p := range s.surgeon.layers {
		rs.Surgery = append(
			rs.Surgery,
			&caffepb.LayerSurgery{
				Layer:    proto.String(p.Name),
				Measured: proto.Bool(p.measured),
				Mu:       proto.Float32(p.mu),
				Sigma:    proto.Float32(p.sigma),
				LastIter: proto.Int64(int64(p.lastIter)),
				Pruned:   proto.Int64(int64(p.pruned)),
				Spliced:  proto.Int64(int64(p.spliced)),
				Cut:      proto.Float32(p.Weights.Soft.Cut),
			},
		)
	}
	return rs, nil
}

// slot is an entry of a solverstate's history.
type slot struct {
	model.Slot
	history *gpu.Tensor // nil: a mask, or a parameter that is not trained
}

// slots lists the history in the order of the reference programs: a method with two arrays has first all of the one,
// then all of the other.
func (s *Solver) slots() []slot {
	at := map[*layer.Param]int{}
	for i, p := range s.Net.Params() {
		at[p] = i
	}
	var out []slot
	for k := range s.method.Histories() {
		for _, e := range s.Net.Slots() {
			sl := slot{Slot: e}
			if !e.Mask {
				sl.history = s.history[at[e.Param]][k]
			}
			out = append(out, sl)
		}
	}
	return out
}

// eachNet calls f for the train net and the test nets, by the names that snapshots have for them.
func (s *Solver) eachNet(f func(net string, n *model.Net)) {
	f("train", s.Net)
	for i, t := range s.Tests {
		f(fmt.Sprintf("test%d", i), t)
	}
}

func (s *Solver) eachSource(f func(net, name string, src layer.Source)) {
	s.eachNet(func(net string, n *model.Net) {
		for _, src := range n.Sources() {
			f(net, src.Layer, src.Source)
		}
	})
}

func (s *Solver) eachState(f func(net, name string, tensors []*gpu.Tensor)) {
	s.eachNet(func(net string, n *model.Net) {
		for _, st := range n.States() {
			f(net, st.Layer, st.Tensors)
		}
	})
}

// restoreStates sets what layers carry from pass to pass. A layer that a state file does not know begins anew.
func (s *Solver) restoreStates(path string, states []*caffepb.LayerState) (err error) {
	s.eachState(func(net, name string, tensors []*gpu.Tensor) {
		for _, l := range states {
			if l.GetNet() != net || l.GetLayer() != name {
				continue
			}
			for i, t := range tensors {
				if i >= len(l.Blobs) || len(caffe.Values(l.Blobs[i])) != t.N {
					err = &caffe.FileError{
						Path: path,
						Msg: fmt.Sprintf(
							"the hidden state of layer %q is not that of the net, %s",
							name,
							caffe.FormatShape(t.Shape),
						),
					}
					return
				}
				s.device.Upload(t, caffe.Values(l.Blobs[i]))
			}
		}
	})
	return err
}

// restore sets weights, masks, history and, from a state of our own, everything else. A state that Caffe wrote has no
// place in the data and no statistics of surgery: those start anew, as they do in Caffe.
func (s *Solver) restore(path string, st *caffepb.SolverState) error {
	rs := st.RunState
	if rs != nil && len(rs.Hyper) > 0 {
		if err := s.mergeSettings(path, rs); err != nil {
			return err
		}
		// A layer whose pruning was switched on live has masks in the files that follow.
		if err := s.surgeon.prepare(s.hyper); err != nil {
			return err
		}
	}
	s.tellRanks(rs)
	s.tellComputedBy(rs.GetComputedBy())
	if id := rs.GetRunId(); id != "" {
		s.ID = id
	}
	weights, err := WeightsOf(path, st)
	if err != nil {
		return err
	}
	var loaded *model.Loaded
	if weights != "" {
		if loaded, err = s.loadWeights([]string{weights}, rs != nil); err != nil {
			return fmt.Errorf("%s: its learned_net: %w", path, err)
		}
	}
	if err := s.restoreHistory(path, st, loaded); err != nil {
		return err
	}
	s.standAt(int(st.GetIter()))
	if rs == nil {
		return nil
	}
	s.sessionData = SessionData{rs.Pending, rs.Plans, rs.Session}
	return s.takeRunState(path, rs)
}

// standAt takes the iteration to go on with. The clock is as after the last pass before it, which a test now goes by.
func (s *Solver) standAt(iter int) {
	s.Iter = iter
	*s.clock = layer.Clock{}
	if iter > 0 {
		s.clock.Iter, s.clock.Pass = uint64(iter-1), uint64(s.passes()-1)
	}
}

// tellRanks says where a snapshot is of another number of ranks: an iteration sees as many images more, or fewer.
func (s *Solver) tellRanks(rs *caffepb.RunState) {
	then, now := max(1, int(rs.GetRanks())), s.ranks.size()
	if rs == nil || then == now {
		return
	}
	s.Notices = append(
		s.Notices,
		fmt.Sprintf("the snapshot is of %s, this run of %s: an iteration has %d images, not %d",
			rankWord(then), rankWord(now), s.imagesOf(now), s.imagesOf(then)),
	)
}

func rankWord(n int) string {
	if n == 1 {
		return "1 rank"
	}
	return fmt.Sprintf("%d ranks", n)
}

// imagesOf is how many images an iteration of n ranks has.
func (s *Solver) imagesOf(n int) int { return n * s.Net.BatchSize() * int(s.param.GetIterSize()) }

// Rewind takes a run that has begun back to a state of its own. Where that fails nothing has changed; but where the
// device fails while it is given the state, weights are partly those and partly these: then no iteration begins and
// nothing is saved until a Rewind succeeds.
func (s *Solver) Rewind(path string, st *caffepb.SolverState) error {
	// What a want of memory before has left undone is replaced; but until it is asked for nothing is done.
	if err := s.device.Shortage(); err != nil {
		s.Notices = append(s.Notices, fmt.Sprintf("before going back: %v", err))
	}
	if err := s.Drain(); err != nil {
		return err
	}
	old := *s
	s.sessionData = SessionData{}
	err := s.restore(path, st)
	if err == nil {
		s.surgeon.rewriteForward(s.hyper)
		s.surgeon.examine(s.hyper, false)
	}
	if e := s.device.Sync(); e != nil && (s.ranks.group == nil || s.ranks.group.Err() == nil) {
		s.torn = fmt.Errorf("going back to %s failed half-way, and the weights are of no one iteration: %w", path, e)
		err = errors.Join(err, s.torn)
	} else if err == nil {
		s.torn = nil
	}
	if err != nil {
		s.hyper, s.Iter, s.sessionData = old.hyper, old.Iter, old.sessionData
		return errors.Join(err, s.adopt()) // what was loaded before it failed, the others get, too
	}
	return s.adopt()
}

// mergeSettings takes the hyperparameters of a snapshot, as far as they hold beside those of the files: config.Merge.
func (s *Solver) mergeSettings(path string, rs *caffepb.RunState) error {
	saved, then, err := readSettings(rs, s.files)
	if err != nil {
		return &caffe.FileError{Path: path, Msg: "its hyperparameters do not parse: " + err.Error(), Err: err}
	}
	merged, notes, kept := config.Merge(saved, then, s.files, s.run.Settings)
	if kept != nil {
		const named = 8
		more := ""
		if n := len(kept) - named; n > 0 {
			kept, more = kept[:named], fmt.Sprintf(" and %d more", n)
		}
		notes = append(
			notes,
			fmt.Sprintf("as in the snapshot: %s%s; --settings files takes the files'", strings.Join(kept, ", "), more),
		)
	}
	if err := merged.Validate(); err != nil {
		return &caffe.FileError{Path: path, Msg: err.Error() + " (--settings files takes what the files say)", Err: err}
	}
	s.hyper = merged
	s.Notices = append(s.Notices, notes...)
	var files struct { // not fileSettings: Hyper reads itself
		Rules map[string]string `json:"rules"`
	}
	if len(rs.Files) > 0 {
		if err := json.Unmarshal(rs.Files, &files); err != nil {
			return &caffe.FileError{Path: path, Msg: "what the files said does not parse: " + err.Error(), Err: err}
		}
	}
	s.Notices = append(s.Notices, config.EditedRules(files.Rules, config.UpdateRules(s.param))...)
	return nil
}

// fileSettings is run_state.files: the settings that the files had, and the update rules, which no snapshot overrides.
type fileSettings struct {
	*config.Hyper
	Rules map[string]string `json:"rules,omitempty"`
}

// StartAs takes the settings with which a replayed run began, where its files said something else than these.
func (s *Solver) StartAs(began *config.Hyper) error {
	merged, notes, kept := config.Merge(began, nil, s.files, config.BySnapshot)
	if err := merged.Validate(); err != nil {
		return err
	}
	s.Notices = append(s.Notices, notes...)
	if kept != nil {
		s.Notices = append(s.Notices, "as the replayed run began: "+strings.Join(kept, ", "))
	}
	return s.SetHyper(merged)
}

// readSettings returns the hyperparameters of a snapshot, and those that the files had then; nil in a snapshot of a
// version that did not write them. There a stop of 0 was never: for a layer's iter_stop too, unless the files say 0,
// which protects the layer now as in the authors' program.
func readSettings(rs *caffepb.RunState, files *config.Hyper) (saved, then *config.Hyper, err error) {
	saved = &config.Hyper{}
	if err := json.Unmarshal(rs.Hyper, saved); err != nil {
		return nil, nil, err
	}
	if len(rs.Files) > 0 {
		then = &config.Hyper{}
		if err := json.Unmarshal(rs.Files, then); err != nil {
			return nil, nil, err
		}
		return saved, then, nil
	}
	saved.Stop = config.SurgeryStop(saved.Stop)
	for i := range saved.Layers {
		l := &saved.Layers[i]
		if f := files.Layer(l.Name); l.Stop <= 0 && (f == nil || f.Stop > 0) {
			l.Stop = config.Never
		}
	}
	return saved, nil, nil
}

// restoreHistory reads the history with slots for the masks that the net has, for those that its weights file had, or
// for none.
func (s *Solver) restoreHistory(path string, st *caffepb.SolverState, weights *model.Loaded) error {
	all := s.slots()
	slots := all
	for _, has := range []func(*layer.Param) bool{weights.HasMask, func(*layer.Param) bool { return false }} {
		if len(slots) == len(st.History) {
			break
		}
		slots = nil
		for _, sl := range all {
			if !sl.Mask || has(sl.Param) {
				slots = append(slots, sl)
			}
		}
	}
	if len(st.History) != len(slots) {
		return &caffe.FileError{
			Path: path,
			Msg: fmt.Sprintf(
				"is of another net or another solver: it holds %d blobs of history, the net wants %d",
				len(st.History),
				len(all),
			),
		}
	}
	for i, b := range st.History {
		if err := caffe.CheckBlob(b); err != nil {
			return &caffe.FileError{Path: path, Msg: fmt.Sprintf("history %d: %v", i, err)}
		}
		if !model.SameExtents(b, slots[i].Param.Shape) {
			return &caffe.FileError{
				Path: path,
				Msg: fmt.Sprintf(
					"history %d has the shape %s, the net wants %s",
					i,
					caffe.FormatShape(caffe.Shape(b)),
					caffe.FormatShape(slots[i].Param.Shape),
				),
			}
		}
	}
	for i, b := range st.History {
		if slots[i].history != nil {
			s.device.Upload(slots[i].history, caffe.Values(b))
		}
	}
	return nil
}
