package remote

import (
	"errors"
	"fmt"
	"time"

	"dns-tui/gpu"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// series lists a snapshot's curves, in the order of State.series.
func series(s *session.Snapshot) []*session.Series {
	return []*session.Series{&s.Losses, &s.Smooth, &s.Accuracy, &s.TestLoss, &s.Rates, &s.KeptFraction, &s.Speed}
}

// deviceSeries lists those of the device, in the order of State.device_series.
func deviceSeries(s *session.Snapshot) []*session.Series {
	return []*session.Series{&s.Utilization, &s.DeviceMemory, &s.Temperature}
}

// encodeSnapshot turns a snapshot into a message, as far as it differs from the one that was sent before; nil sends
// all.
func encodeSnapshot(s, before *session.Snapshot) *remotepb.State {
	m := &remotepb.State{
		Net:         s.Net,
		Source:      s.Source,
		Device:      s.Device,
		State:       int32(s.State),
		Problem:     s.Problem,
		Iter:        int64(s.Iter),
		MaxIter:     int64(s.MaxIter),
		Rate:        s.Rate,
		Loss:        s.Loss,
		Smoothed:    s.Smoothed,
		PerSecond:   s.PerSecond,
		BatchSize:   int64(s.BatchSize),
		RemainingNs: int64(s.Remaining),
		Memory:      s.Memory,
		Tested:      int64(s.Tested),
		ToTest:      int64(s.ToTest),
		Path:        s.Path,
		Prefix:      s.Prefix,
		Journal:     s.Journal,
		Viewers:     s.Viewers,
		Saved:       s.Saved,
		SavedIter:   int64(s.SavedIter),
		Exported:    s.Exported,
		PublishedNs: s.Published.UnixNano(),
		Undo:        s.Undo,
		Redo:        s.Redo,
		Surgeries:   int64(s.Surgeries),
		Back:        s.Back,
		Trouble:     s.WriteProblem,
		Unsaved:     int64(s.Unsaved),
		Saving:      s.Saving,
		Engine:      s.Engine,
	}
	m.Health = encodeHealth(s.Health)
	o := before
	if o == nil {
		o = &session.Snapshot{}
	}
	if len(s.Ranks) > 0 && (before == nil || !same(s.Ranks, o.Ranks)) {
		m.Ranks = encodeRanks(s.Ranks)
	}
	if s.Hyper != o.Hyper || before == nil {
		m.Hyper = encodeHyper(s.Hyper)
	}
	if before == nil || len(s.Pending)+len(o.Pending) > 0 {
		m.Pending = encodeChanges(s.Pending)
	}
	if before == nil || len(s.Plans)+len(o.Plans) > 0 {
		m.Plans = encodePlans(s.Plans)
	}
	if before == nil || !same(s.Changes, o.Changes) {
		m.Changes = encodeChanges(s.Changes)
	}
	if before == nil || !same(s.RestorePoints, o.RestorePoints) {
		m.States = encodeRestorePoints(s.RestorePoints)
	}
	if before == nil || s.Sensitivity != o.Sensitivity {
		m.Sensitivity = &remotepb.SensitivityOf{Sensitivity: encodeSensitivity(s.Sensitivity)}
	}
	if s.Search != nil && (before == nil || s.Search != o.Search) {
		m.Search = encodeSearch(s.Search)
	}
	if s.Shipped != nil && (before == nil || s.Shipped != o.Shipped) {
		m.Shipped = encodeShipped(s.Shipped)
	}
	if before == nil || s.Autopilot != nil || o.Autopilot != nil {
		m.Autopilot = &remotepb.AutopilotStateOf{Autopilot: encodeAutopilotState(s.Autopilot)}
	}
	if before == nil || len(s.Tests)+len(o.Tests) > 0 {
		m.Tests = encodeTests(s.Tests)
	}
	last := 0
	if n := len(o.Events); n > 0 {
		last = o.Events[n-1].Seq
	}
	for i := range s.Events {
		if e := &s.Events[i]; e.Seq > last {
			m.Events = append(m.Events, encodeEvent(e))
		}
	}
	then := series(o)
	for i, c := range series(s) {
		m.Series = append(m.Series, encodeSeries(c, then[i]))
	}
	then = deviceSeries(o)
	for i, c := range deviceSeries(s) {
		m.DeviceSeries = append(m.DeviceSeries, encodeSeries(c, then[i]))
	}
	for i := range s.Layers {
		l, was := &s.Layers[i], &session.LayerStats{}
		if i < len(o.Layers) && o.Layers[i].Name == l.Name {
			was = &o.Layers[i]
		}
		m.Layers = append(m.Layers, encodeLayer(l, was))
	}
	return m
}

// same reports whether two lists share their memory: a session makes a new list for each change, or appends.
func same[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

func encodeSeries(s, before *session.Series) *remotepb.Series {
	from := 0
	if s.Epoch == before.Epoch && len(before.Values) <= len(s.Values) {
		from = len(before.Values)
	}
	m := &remotepb.Series{Epoch: uint32(s.Epoch), From: uint32(from), Values: s.Values[from:]}
	for _, i := range s.Iters[from:] {
		m.Iters = append(m.Iters, int64(i))
	}
	return m
}

func encodeLayer(l, before *session.LayerStats) *remotepb.Layer {
	m := &remotepb.Layer{
		Name:         l.Name,
		Type:         l.Type,
		Rule:         int32(l.Rule),
		Weights:      int64(l.Weights),
		Kept:         int64(l.Kept),
		Mu:           l.Mu,
		Sigma:        l.Sigma,
		Pruned:       int64(l.Pruned),
		Spliced:      int64(l.Spliced),
		LastIter:     int64(l.LastIter),
		Masked:       l.Masked,
		Positions:    int64(l.Positions),
		Outputs:      int64(l.Outputs),
		Dead:         int64(l.Dead),
		KernelH:      int32(l.Kernel[0]),
		KernelW:      int32(l.Kernel[1]),
		NormsIter:    int64(l.Norms.Iter),
		NormWeights:  l.Norms.Weights,
		NormGradient: l.Norms.Gradient,
		NormStep:     l.Norms.Step,
		History:      encodeSeries(&l.History, &before.History),
	}
	if f := l.Forecast; f.Known {
		m.Forecast = &remotepb.Forecast{Next: int64(f.Next), Chance: f.Chance}
	}
	if n := len(l.Operations); n != len(before.Operations) || n > 0 && l.Operations[n-1] != before.Operations[n-1] {
		m.Operations = &remotepb.Operations{}
		for _, o := range l.Operations {
			m.Operations.Numbers = append(
				m.Operations.Numbers,
				int64(o.Iter),
				int64(o.Pruned),
				int64(o.Spliced),
				int64(o.Kept),
			)
		}
	}
	if h := l.Histogram; h != nil && h != before.Histogram {
		m.Histogram = &remotepb.Histogram{
			Rule:   int32(h.Rule),
			Mu:     h.Mu,
			Sigma:  h.Sigma,
			Kept:   bins(h.KeptBelow),
			Masked: bins(h.PrunedBelow),
			Deaths: h.DeathThresholds,
		}
	}
	return m
}

// bins are the differences of a sum, without the zeros at its end.
func bins(sum []uint32) []uint32 {
	out := make([]uint32, len(sum)-1)
	last := 0
	for i := range out {
		if out[i] = sum[i+1] - sum[i]; out[i] != 0 {
			last = i + 1
		}
	}
	return out[:last]
}

// decodeSnapshot makes the snapshot that a message tells of, from the one before it; nil for the first.
func decodeSnapshot(m *remotepb.State, before *session.Snapshot) (*session.Snapshot, error) {
	s := &session.Snapshot{}
	if before != nil {
		*s = *before
	}
	old := *s
	s.Net, s.Source, s.Device, s.State, s.Problem = m.Net, m.Source, m.Device, session.State(m.State), m.Problem
	if s.State < session.Running || s.State > session.Stopped {
		return nil, fmt.Errorf("state %d", m.State)
	}
	s.Iter, s.MaxIter, s.Rate, s.Loss, s.Smoothed = int(m.Iter), int(m.MaxIter), m.Rate, m.Loss, m.Smoothed
	s.PerSecond, s.BatchSize, s.Remaining = m.PerSecond, int(m.BatchSize), time.Duration(m.RemainingNs)
	s.Memory, s.Tested, s.ToTest = m.Memory, int(m.Tested), int(m.ToTest)
	s.Exported = m.Exported
	s.Path, s.Prefix, s.Journal, s.Viewers = m.Path, m.Prefix, m.Journal, m.Viewers
	s.Saved, s.SavedIter = m.Saved, int(m.SavedIter)
	s.Published, s.Undo, s.Redo, s.Surgeries = time.Unix(0, m.PublishedNs), m.Undo, m.Redo, int(m.Surgeries)
	s.Back, s.WriteProblem, s.Unsaved, s.Saving = m.Back, m.Trouble, int(m.Unsaved), m.Saving
	s.Engine = m.Engine
	if m.Ranks != nil {
		s.Ranks = decodeRanks(m.Ranks)
	}
	s.Health = decodeHealth(m.GetHealth())
	if err := decodeLists(m, s); err != nil {
		return nil, err
	}
	if s.Hyper == nil {
		return nil, errors.New("no hyperparameters")
	}
	s.Events = append([]session.Event(nil), old.Events...)
	for _, e := range m.Events {
		event, err := decodeEvent(e)
		if err != nil {
			return nil, err
		}
		s.Events = append(s.Events, event)
	}
	if n := len(s.Events); n > maxEvents {
		s.Events = s.Events[n-maxEvents:]
	}
	curves := series(s)
	if len(m.Series) != len(curves) {
		return nil, fmt.Errorf("%d curves; wanted %d", len(m.Series), len(curves))
	}
	for i, c := range curves {
		if err := decodeSeries(m.Series[i], c); err != nil {
			return nil, err
		}
	}
	curves = deviceSeries(s)
	if n := len(m.DeviceSeries); n != 0 && n < len(curves) { // more are a newer program's
		return nil, fmt.Errorf("%d curves of the device; wanted %d", n, len(curves))
	}
	for i, c := range curves[:min(len(curves), len(m.DeviceSeries))] {
		if err := decodeSeries(m.DeviceSeries[i], c); err != nil {
			return nil, err
		}
	}
	s.Layers = make([]session.LayerStats, len(m.Layers))
	for i, l := range m.Layers {
		was := session.LayerStats{}
		if i < len(old.Layers) && old.Layers[i].Name == l.Name {
			was = old.Layers[i]
		}
		if err := decodeLayer(l, was, &s.Layers[i]); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.Name, err)
		}
		if s.Hyper.Layer(l.Name) == nil {
			return nil, fmt.Errorf("layer %s has no settings", l.Name)
		}
	}
	return s, nil
}

// maxEvents bounds what a viewer keeps; maxPoints what it takes for a curve.
const (
	maxEvents = 200
	maxPoints = 1 << 16
)

// decodeLists takes what a state has of the settings and lists; what it leaves out is as before.
func decodeLists(m *remotepb.State, s *session.Snapshot) (err error) {
	if err := decodeSnapshot2(m, s); err != nil {
		return err
	}
	if m.Hyper != nil {
		s.Hyper = decodeHyper(m.Hyper)
	}
	if m.Pending != nil {
		if s.Pending, err = decodeChanges(m.Pending); err != nil {
			return err
		}
	}
	if m.Plans != nil {
		s.Plans = decodePlans(m.Plans)
	}
	if m.Changes != nil {
		if s.Changes, err = decodeChanges(m.Changes); err != nil {
			return err
		}
	}
	if m.States != nil {
		s.RestorePoints = decodeRestorePoints(m.States)
	}
	if m.Sensitivity != nil {
		s.Sensitivity = decodeSensitivity(m.Sensitivity.Sensitivity)
	}
	if m.Tests != nil {
		s.Tests = decodeTests(m.Tests)
	}
	if m.Search != nil {
		s.Search = decodeSearch(m.Search)
	}
	if m.Shipped != nil {
		s.Shipped = decodeShipped(m.Shipped)
	}
	if m.Autopilot != nil {
		if s.Autopilot, err = decodeAutopilotState(m.Autopilot.Autopilot); err != nil {
			return err
		}
	}
	return nil
}

// decodeSeries brings a curve up to date. What was shown of it before stays: points are only appended, or all are new.
func decodeSeries(m *remotepb.Series, s *session.Series) error {
	from := int(m.GetFrom())
	if from > len(s.Values) || len(m.GetIters()) != len(m.GetValues()) || from+len(m.GetValues()) > maxPoints {
		return fmt.Errorf(
			"a curve of %d points continues from point %d with %d iterations and %d values",
			len(s.Values),
			from,
			len(m.GetIters()),
			len(m.GetValues()),
		)
	}
	iters, values := s.Iters, s.Values
	if from < len(values) {
		iters, values = append([]int(nil), iters[:from]...), append([]float64(nil), values[:from]...)
	}
	for _, i := range m.GetIters() {
		iters = append(iters, int(i))
	}
	*s = session.Series{Iters: iters, Values: append(values, m.GetValues()...), Epoch: int(m.GetEpoch())}
	return nil
}

func decodeLayer(m *remotepb.Layer, was session.LayerStats, l *session.LayerStats) error {
	*l = session.LayerStats{
		Name:      m.Name,
		Type:      m.Type,
		Rule:      gpu.Rule(m.Rule),
		Weights:   int(m.Weights),
		Kept:      int(m.Kept),
		Mu:        m.Mu,
		Sigma:     m.Sigma,
		Pruned:    int(m.Pruned),
		Spliced:   int(m.Spliced),
		LastIter:  int(m.LastIter),
		Masked:    m.Masked,
		Positions: int(m.Positions),
		Outputs:   int(m.Outputs),
		Dead:      int(m.Dead),
		Kernel: [2]int{
			int(m.KernelH),
			int(m.KernelW),
		},
		Norms: solver.Norms{
			Iter:     int(m.NormsIter),
			Weights:  m.NormWeights,
			Gradient: m.NormGradient,
			Step:     m.NormStep,
		},
		History:    was.History,
		Operations: was.Operations,
		Histogram:  was.Histogram,
	}
	if f := m.Forecast; f != nil {
		l.Forecast = solver.Forecast{Known: true, Next: int(f.Next), Chance: f.Chance}
	}
	if m.Operations != nil {
		n := m.Operations.Numbers
		if len(n)%4 != 0 || len(n) > maxPoints {
			return fmt.Errorf("%d numbers of surgeries", len(n))
		}
		l.Operations = nil
		for ; len(n) > 0; n = n[4:] {
			l.Operations = append(
				l.Operations,
				session.Operated{Iter: int(n[0]), Pruned: int(n[1]), Spliced: int(n[2]), Kept: int(n[3])},
			)
		}
	}
	if h := m.Histogram; h != nil {
		if len(h.Kept) > gpu.HistogramBins || len(h.Masked) > gpu.HistogramBins {
			return fmt.Errorf(
				"a histogram of %d and %d bins; wanted at most %d",
				len(h.Kept),
				len(h.Masked),
				gpu.HistogramBins,
			)
		}
		whole := func(b []uint32) []uint32 { return append(b, make([]uint32, gpu.HistogramBins-len(b))...) }
		l.Histogram = solver.NewHistogram(
			gpu.Rule(h.Rule),
			&gpu.SurgeryResult{KeptAt: whole(h.Kept), PrunedAt: whole(h.Masked)},
		)
		l.Histogram.Mu, l.Histogram.Sigma, l.Histogram.DeathThresholds = h.Mu, h.Sigma, h.Deaths
	}
	return decodeSeries(m.History, &l.History)
}
