package caffe

import (
	"slices"

	"dns-tui/caffe/caffepb"
)

// Includes reports whether the net of a phase, level and stages has a layer (Caffe's Net::FilterNet), of which not both
// include and exclude are set.
func Includes(state *caffepb.NetState, l *caffepb.LayerParameter) bool {
	met := func(r *caffepb.NetStateRule) bool { return meets(state, r) }
	if len(l.Include) > 0 {
		return slices.ContainsFunc(l.Include, met)
	}
	return !slices.ContainsFunc(l.Exclude, met)
}

// meets is Caffe's Net::StateMeetsRule.
func meets(s *caffepb.NetState, r *caffepb.NetStateRule) bool {
	if r.Phase != nil && r.GetPhase() != s.GetPhase() ||
		r.MinLevel != nil && s.GetLevel() < r.GetMinLevel() ||
		r.MaxLevel != nil && s.GetLevel() > r.GetMaxLevel() {
		return false
	}
	has := func(stage string) bool {
		return slices.Contains(s.Stage, stage)
	}
	for _, st := range r.Stage {
		if !has(st) {
			return false
		}
	}
	return !slices.ContainsFunc(r.NotStage, has)
}
