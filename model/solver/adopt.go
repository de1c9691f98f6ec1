package solver

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/model/layer"
)

// adopt gives the other ranks the whole state of rank 0, in two parts: what a solverstate has beside its arrays, then
// the arrays as they are. So files of weights and snapshots are read by rank 0 alone, and need not be on the machines
// of the others. It is done when a run starts and when it goes back to a snapshot.
func (s *Solver) adopt() error {
	if s.ranks.group == nil {
		return nil
	}
	if s.leads() {
		s.tell(adoptOrder, nil)
	} else if o, err := s.ranks.group.Broadcast(nil); err != nil {
		return err
	} else if len(o) == 0 || order(o[0]) != adoptOrder {
		return errors.New("rank 0 did not send its state")
	}
	return s.adoptState()
}

// adoptState is adopt after its order.
func (s *Solver) adoptState() error {
	var message []byte
	if s.leads() {
		st, err := s.scalars()
		if err != nil {
			return err
		}
		if message, err = proto.Marshal(st); err != nil {
			return err
		}
	}
	message, err := s.ranks.group.Broadcast(message)
	if err != nil {
		return err
	}
	if !s.leads() {
		if err := s.takeScalars(message); err != nil {
			return fmt.Errorf("the state of rank 0: %w", err)
		}
	}
	for _, t := range s.arrays() {
		if err := s.sendTensor(t); err != nil {
			return err
		}
	}
	return nil
}

// scalars is the state without its arrays.
func (s *Solver) scalars() (*caffepb.SolverState, error) {
	rs, err := s.runState()
	if err != nil {
		return nil, err
	}
	st := &caffepb.SolverState{Iter: proto.Int32(int32(s.Iter)), RunState: rs}
	for _, p := range s.Net.Params() { // which parameters have masks
		b := &caffepb.BlobProto{}
		if p.Masked != nil {
			b.Data = []float32{1}
		}
		st.History = append(st.History, b)
	}
	return st, nil
}

// takeScalars is the other side of scalars.
func (s *Solver) takeScalars(message []byte) error {
	st := &caffepb.SolverState{}
	if err := proto.Unmarshal(message, st); err != nil {
		return err
	}
	rs, h := st.RunState, &config.Hyper{}
	if err := h.UnmarshalJSON(rs.GetHyper()); err != nil {
		return err
	}
	if err := s.drain(); err != nil {
		return err
	}
	if err := s.SetHyper(h); err != nil {
		return err
	}
	params := s.Net.Params()
	if len(st.History) != len(params) {
		return fmt.Errorf("it has %d parameters, this rank's net %d", len(st.History), len(params))
	}
	for i, b := range st.History {
		switch p := params[i]; {
		case len(b.Data) == 0:
			p.Masked = nil
		case p.Masked == nil:
			if err := p.EnsureMask(s.device); err != nil {
				return err
			}
		}
	}
	s.ID = rs.GetRunId()
	s.standAt(int(st.GetIter()))
	return s.takeRunState("", rs)
}

// arrays are the parameters, their forward weights and their history, in an order that all ranks have.
func (s *Solver) arrays() []*gpu.Tensor {
	var all []*gpu.Tensor
	for i, p := range s.Net.Params() {
		for _, t := range []*gpu.Tensor{p.Data, p.Masked, s.history[i][0], s.history[i][1]} {
			if t != nil {
				all = append(all, t)
			}
		}
	}
	return all
}

// sentPiece is how many elements of a tensor a message has at most.
const sentPiece = 4 << 20

// sendTensor gives all ranks what rank 0 has in a tensor.
func (s *Solver) sendTensor(t *gpu.Tensor) error {
	values := make([]float32, min(t.N, sentPiece))
	for at := 0; at < t.N; at += len(values) {
		piece := values[:min(len(values), t.N-at)]
		view, room := t.View(at, len(piece)), collective.Bytes(piece)
		if s.leads() {
			s.device.Download(piece, view)
		}
		message, err := s.ranks.group.Broadcast(room)
		if err != nil {
			return err
		}
		if s.leads() {
			continue
		}
		if len(message) != len(room) {
			return fmt.Errorf("rank 0 sent %d bytes of an array, wanted %d", len(message), len(room))
		}
		copy(room, message)
		s.device.Upload(view, piece)
	}
	return s.device.Sync()
}

// takeRunState takes places in the data, what layers carry, and the statistics of surgery. path is the file that it is
// of, for errors.
func (s *Solver) takeRunState(path string, rs *caffepb.RunState) error {
	s.eachSource(func(net, name string, src layer.Source) {
		for _, d := range rs.Data {
			if d.GetNet() == net && d.GetLayer() == name {
				src.Seek(d.GetRecords())
			}
		}
	})
	if err := s.restoreStates(path, rs.States); err != nil {
		return err
	}
	operated := make(map[string]*caffepb.LayerSurgery, len(rs.Surgery))
	for _, l := range rs.Surgery {
		operated[l.GetLayer()] = l
	}
	for _, p := range s.surgeon.layers {
		if l := operated[p.Name]; l != nil {
			p.measured, p.mu, p.sigma = l.GetMeasured(), l.GetMu(), l.GetSigma()
			p.lastIter, p.pruned, p.spliced = int(l.GetLastIter()), int(l.GetPruned()), int(l.GetSpliced())
			p.setSoft(s.hyper.Layer(p.Name).Soft(l.GetCut()))
		}
	}
	s.recent = append(s.recent[:0], rs.RecentLoss...)
	if n := int(s.param.GetAverageLoss()); len(s.recent) > n {
		s.recent = slices.Delete(s.recent, 0, len(s.recent)-n)
	}
	return nil
}
