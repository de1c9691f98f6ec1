package remote

import (
	"time"

	"dns-tui/caffe"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
	"dns-tui/model/ship"
)

func encodeShipped(s *session.Shipped) *remotepb.Shipped {
	return &remotepb.Shipped{
		Now: encodeWeighed(s.Now), Redrawn: s.Redrawn, Stage: int32(s.Stage), Measured: encodeMeasured(s.Measured),
		Problem: s.Problem,
	}
}

func decodeShipped(m *remotepb.Shipped) *session.Shipped {
	return &session.Shipped{
		Now: decodeWeighed(m.Now), Redrawn: m.Redrawn, Stage: session.WeighStage(m.Stage),
		Measured: decodeMeasured(m.Measured), Problem: m.Problem,
	}
}

func encodeWeighed(w *session.Weighed) *remotepb.Weighed {
	if w == nil {
		return nil
	}
	m := &remotepb.Weighed{
		Iter: int64(w.Iter), Parameters: int64(w.Parameters), Kept: int64(w.Kept),
		Caffemodel: w.Bytes.Caffemodel, Compact: w.Bytes.Compact, Safetensors: w.Bytes.Safetensors,
	}
	if n := w.Net; n != nil {
		m.Net = &remotepb.WeighedNet{
			DenseMacs: n.MACs.Dense, KeptMacs: n.MACs.Kept, Smaller: int64(n.Smaller), Live: int64(n.Live),
			Outputs: int64(n.Outputs),
		}
	}
	return m
}

func decodeWeighed(m *remotepb.Weighed) *session.Weighed {
	if m == nil {
		return nil
	}
	w := &session.Weighed{Iter: int(m.Iter), Weights: ship.Weights{
		Parameters: int(m.Parameters), Kept: int(m.Kept),
		Bytes: caffe.FormSizes{Caffemodel: m.Caffemodel, Compact: m.Compact, Safetensors: m.Safetensors},
	}}
	if n := m.Net; n != nil {
		w.Net = &session.WeighedNet{
			MACs: ship.MACs{Dense: n.DenseMacs, Kept: n.KeptMacs}, Smaller: int(n.Smaller), Live: int(n.Live),
			Outputs: int(n.Outputs),
		}
	}
	return w
}

func encodeMeasured(x *session.Measured) *remotepb.Measured {
	if x == nil {
		return nil
	}
	return &remotepb.Measured{
		Now: encodeTimed(&x.Now), Then: encodeTimed(x.Then), Goal: x.Goal, Batch: int64(x.Batch),
		Passes: int64(x.Passes), WaitedNs: int64(x.Waited),
	}
}

func decodeMeasured(m *remotepb.Measured) *session.Measured {
	if m == nil {
		return nil
	}
	x := &session.Measured{
		Then: decodeTimed(m.Then), Goal: m.Goal, Batch: int(m.Batch), Passes: int(m.Passes),
		Waited: time.Duration(m.WaitedNs),
	}
	if now := decodeTimed(m.Now); now != nil {
		x.Now = *now
	}
	return x
}

func encodeTimed(x *session.Timed) *remotepb.Timed {
	if x == nil {
		return nil
	}
	return &remotepb.Timed{Weighed: encodeWeighed(&x.Weighed), DenseNs: int64(x.Dense), SparseNs: int64(x.Sparse)}
}

func decodeTimed(m *remotepb.Timed) *session.Timed {
	if m == nil {
		return nil
	}
	x := &session.Timed{Dense: time.Duration(m.DenseNs), Sparse: time.Duration(m.SparseNs)}
	if w := decodeWeighed(m.Weighed); w != nil {
		x.Weighed = *w
	}
	return x
}
