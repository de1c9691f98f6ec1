package model

import (
	"fmt"
	"strings"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// IdleKeys names the keys about surgery in solver and net that have no effect, a line for each kind: a file should
// not say one thing and the run do another.
func (n *Net) IdleKeys(s *caffepb.SolverParameter) []string {
	idle := map[string][]string{} // layers, by what is said of them
	var order []string
	say := func(layer, text string) {
		if idle[text] == nil {
			order = append(order, text)
		}
		idle[text] = append(idle[text], layer)
	}
	seed := false
	for _, nd := range n.nodes {
		p, ok := nd.layer.(layer.Prunable)
		if !ok {
			continue
		}
		paper := p.Pruning().Rule == gpu.PaperRule
		seed = seed || !paper
		for _, key := range idleLayerKeys(nd.param, paper) {
			say(nd.name, key)
		}
	}
	var out []string
	for _, text := range order {
		out = append(out, fmt.Sprintf("%s: %s", layersNamed(idle[text]), text))
	}
	if keys := solverSurgeryKeys(s); keys != "" && !seed {
		out = append(
			out,
			fmt.Sprintf("%s of the solver has no effect: it is for the seed rule, and no layer goes by that", keys),
		)
	}
	return out
}

func solverSurgeryKeys(s *caffepb.SolverParameter) string {
	var keys []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"surgery_stop_iter", s.SurgeryStopIter != nil},
		{"surgery_iter_gamma", s.SurgeryIterGamma != nil},
		{"surgery_iter_power", s.SurgeryIterPower != nil},
	} {
		if k.set {
			keys = append(keys, k.name)
		}
	}
	return strings.Join(keys, ", ")
}

// idleLayerKeys says which keys of a layer that can be pruned have no effect.
func idleLayerKeys(l *caffepb.LayerParameter, paper bool) []string {
	var out []string
	if l.SoftSurgeryParam != nil && l.GetSurgeryRule() != caffepb.SurgeryRule_SOFT {
		out = append(out, "soft_surgery_param has no effect without surgery_rule: SOFT")
	}
	if !paper && (l.CconvolutionParam != nil || l.CinnerProductParam != nil) {
		out = append(out, "cconvolution_param and cinner_product_param have no effect without surgery_rule: PAPER")
	}
	c, ip := l.ConvolutionParam, l.InnerProductParam
	biased := c.GetBiasTerm() && ip.GetBiasTerm()
	if c == nil {
		c = &caffepb.ConvolutionParameter{}
	}
	if ip == nil {
		ip = &caffepb.InnerProductParameter{}
	}
	if paper && (c.Threshold != nil || ip.Threshold != nil) {
		out = append(out, "threshold has no effect under the paper rule, which goes by c_rate")
	}
	if paper && (c.SparsityTerm != nil || ip.SparsityTerm != nil) {
		out = append(out, "sparsity_term has no effect under the paper rule; iter_stop: 0 keeps a layer out of surgery")
	}
	for _, f := range []*caffepb.FillerParameter{
		c.WeightMaskFiller, ip.WeightMaskFiller,
		l.GetCconvolutionParam().GetWeightMaskFiller(), l.GetCconvolutionParam().GetBiasMaskFiller(),
		l.GetCinnerProductParam().GetWeightMaskFiller(), l.GetCinnerProductParam().GetBiasMaskFiller(),
	} {
		if f != nil && (f.GetType() != "constant" || f.Value != nil && f.GetValue() != 1) {
			out = append(out, "a mask's filler has no effect: masks start at 1")
			break
		}
	}
	first := 1
	if biased {
		first = 2
	}
	for _, spec := range l.Param[min(first, len(l.Param)):] {
		if spec.LrMult != nil && spec.GetLrMult() != 0 || spec.DecayMult != nil && spec.GetDecayMult() != 0 {
			out = append(out, "lr_mult and decay_mult of a mask have no effect: masks are not trained")
			break
		}
	}
	return out
}
