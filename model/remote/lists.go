package remote

import (
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

func encodeHyper(h *config.Hyper) *remotepb.Hyper {
	m := &remotepb.Hyper{
		BaseLr: h.BaseLR, LrMult: h.LRMult, Momentum: h.Momentum, WeightDecay: h.WeightDecay, Gamma: h.Gamma,
		Power: h.Power, Stop: int64(h.Stop),
	}
	for i := range h.Layers {
		l := &h.Layers[i]
		m.Layers = append(m.Layers, &remotepb.LayerHyper{
			Name: l.Name, Rule: int32(l.Rule), Threshold: l.Threshold, Prune: l.Prune, MaskFrozen: l.MaskFrozen,
			WeightsFrozen: l.WeightsFrozen, Gamma: l.Gamma, Power: l.Power, Stop: int64(l.Stop),
			Exponent: l.Exponent, Theta: l.Theta, ThetaEvery: int64(l.ThetaEvery),
		})
	}
	return m
}

func decodeHyper(m *remotepb.Hyper) *config.Hyper {
	h := &config.Hyper{
		BaseLR: m.BaseLr, LRMult: m.LrMult, Momentum: m.Momentum, WeightDecay: m.WeightDecay, Gamma: m.Gamma,
		Power: m.Power, Stop: int(m.Stop),
	}
	for _, l := range m.Layers {
		h.Layers = append(h.Layers, config.LayerHyper{
			Name: l.GetName(), Rule: gpu.Rule(l.GetRule()), Threshold: l.GetThreshold(), Prune: l.GetPrune(),
			MaskFrozen: l.GetMaskFrozen(), WeightsFrozen: l.GetWeightsFrozen(), Gamma: l.GetGamma(),
			Power: l.GetPower(), Stop: int(l.GetStop()),
			SoftHyper: config.SoftHyper{
				Exponent: l.GetExponent(), Theta: l.GetTheta(), ThetaEvery: int(l.GetThetaEvery()),
			},
		})
	}
	h.Index()
	return h
}

func encodeChanges(list []session.Change) *remotepb.Changes {
	m := &remotepb.Changes{}
	for i := range list {
		m.List = append(m.List, encodeChange(&list[i]))
	}
	return m
}

func decodeChanges(m *remotepb.Changes) ([]session.Change, error) {
	var out []session.Change
	for _, c := range m.List {
		change, err := decodeChange(c)
		if err != nil {
			return nil, err
		}
		out = append(out, change)
	}
	return out, nil
}

func encodePlans(list []session.Plan) *remotepb.Plans {
	m := &remotepb.Plans{}
	for i := range list {
		m.List = append(m.List, encodePlan(&list[i]))
	}
	return m
}

func decodePlans(m *remotepb.Plans) []session.Plan {
	var out []session.Plan
	for _, p := range m.List {
		out = append(out, decodePlan(p))
	}
	return out
}

func encodeRestorePoints(list []session.RestorePoint) *remotepb.SavedStates {
	m := &remotepb.SavedStates{}
	for i := range list {
		s := &list[i]
		m.List = append(m.List, &remotepb.SavedState{
			Path: s.Path, Iter: int64(s.Iter), Why: s.Why, Guard: s.Guard, Left: s.Left, Smoothed: s.Smoothed,
			Accuracy: s.Accuracy, Kept: int64(s.Kept), Total: int64(s.Total),
		})
	}
	return m
}

func decodeRestorePoints(m *remotepb.SavedStates) []session.RestorePoint {
	var out []session.RestorePoint
	for _, s := range m.List {
		out = append(out, session.RestorePoint{
			Path: s.GetPath(), Iter: int(s.GetIter()), Why: s.GetWhy(), Guard: s.GetGuard(), Left: s.GetLeft(),
			Smoothed: s.GetSmoothed(), Accuracy: s.GetAccuracy(), Kept: int(s.GetKept()), Total: int(s.GetTotal()),
		})
	}
	return out
}

func encodeSensitivity(s *session.Sensitivity) *remotepb.Sensitivity {
	if s == nil {
		return nil
	}
	m := &remotepb.Sensitivity{
		Iter: int64(s.Iter), Images: int64(s.Images), Done: int64(s.Done), Total: int64(s.Total), Running: s.Running,
		Problem: s.Problem, Base: encodePoint(s.Base),
	}
	for _, l := range s.Layers {
		layer := &remotepb.LayerSensitivity{Name: l.Name}
		for _, p := range l.Points {
			layer.Points = append(layer.Points, encodePoint(p))
		}
		m.Layers = append(m.Layers, layer)
	}
	return m
}

func decodeSensitivity(m *remotepb.Sensitivity) *session.Sensitivity {
	if m == nil {
		return nil
	}
	s := &session.Sensitivity{
		Iter: int(m.Iter), Images: int(m.Images), Done: int(m.Done), Total: int(m.Total), Running: m.Running,
		Problem: m.Problem, Base: decodePoint(m.Base),
	}
	for _, l := range m.Layers {
		layer := session.LayerSensitivity{Name: l.GetName()}
		for _, p := range l.GetPoints() {
			layer.Points = append(layer.Points, decodePoint(p))
		}
		s.Layers = append(s.Layers, layer)
	}
	return s
}

func encodePoint(p session.SensitivityPoint) *remotepb.SensitivityPoint {
	return &remotepb.SensitivityPoint{
		Threshold: p.Threshold, Sparsity: p.Sparsity, Accuracy: p.Accuracy, Loss: p.Loss}
}

func decodePoint(m *remotepb.SensitivityPoint) session.SensitivityPoint {
	return session.SensitivityPoint{
		Threshold: m.GetThreshold(), Sparsity: m.GetSparsity(), Accuracy: m.GetAccuracy(), Loss: m.GetLoss()}
}

func encodeRanks(ranks []session.RankStats) *remotepb.Ranks {
	m := &remotepb.Ranks{}
	for _, r := range ranks {
		m.Ranks = append(m.Ranks, &remotepb.Rank{
			Host: r.Host, Pid: int64(r.PID), Device: r.Device, SilentNs: int64(r.Silent), Waiting: r.Waiting,
			Health: encodeHealth(r.Health),
		})
	}
	return m
}

func decodeRanks(m *remotepb.Ranks) []session.RankStats {
	ranks := make([]session.RankStats, 0, len(m.Ranks))
	for _, r := range m.Ranks {
		ranks = append(ranks, session.RankStats{
			Host: r.Host, PID: int(r.Pid), Device: r.Device, Silent: time.Duration(r.SilentNs), Waiting: r.Waiting,
			Health: decodeHealth(r.Health),
		})
	}
	return ranks
}

func encodeHealth(h gpu.Health) *remotepb.Health {
	return &remotepb.Health{
		Phase: h.Phase, Known: h.Known, Utilization: int32(h.Utilization), Memory: h.Memory,
		Temperature: int32(h.Temperature),
	}
}

func decodeHealth(m *remotepb.Health) gpu.Health {
	return gpu.Health{
		Phase: m.GetPhase(), Known: m.GetKnown(), Utilization: int(m.GetUtilization()), Memory: m.GetMemory(),
		Temperature: int(m.GetTemperature()),
	}
}
